//! What Windows offers beyond the standard library.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::{FileTypeExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Component, Path, PathBuf, Prefix};
use std::{env, iter, ptr};

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_ACCESS_DENIED, ERROR_INVALID_FUNCTION, ERROR_MORE_DATA, ERROR_NOT_SUPPORTED,
    ERROR_SHARING_VIOLATION, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetKernelObjectSecurity, SE_DACL_AUTO_INHERIT_REQ, SetKernelObjectSecurity,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ADD_FILE, FILE_ADD_SUBDIRECTORY, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, GetDiskFreeSpaceExW, MOVEFILE_DELAY_UNTIL_REBOOT,
    MOVEFILE_REPLACE_EXISTING, MoveFileExW, WRITE_DAC,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, MODULEENTRY32W, Module32FirstW, Module32NextW, PROCESSENTRY32W,
    Process32FirstW, Process32NextW, TH32CS_SNAPMODULE, TH32CS_SNAPMODULE32, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::RestartManager::{
    CCH_RM_SESSION_KEY, RM_PROCESS_INFO, RmEndSession, RmGetList, RmRegisterResources, RmStartSession,
};

use super::lock::Claim;
use crate::host::Volume;

/// Most programs that are named as holders of a file.
const MAX_HOLDERS: usize = 8;

/// Returns a path as Windows takes it: UTF-16, a zero at the end.
fn wide(path: &Path) -> Vec<u16> {
    path.as_os_str().encode_wide().chain(iter::once(0)).collect()
}

/// Tells of the volume a folder is on. Its number is not asked for: a folder of another volume is a mount point,
/// which no target path follows.
pub(in crate::host) fn volume(folder: &Path) -> io::Result<Volume> {
    // That of a share is known by its separator at the end.
    let path = wide(&folder.join(""));
    let mut free = 0;
    // SAFETY: the path ends in a zero and the number is ours; both outlive the call. No other output is asked for.
    #[expect(unsafe_code, reason = "the standard library does not tell free space")]
    let done = unsafe { GetDiskFreeSpaceExW(path.as_ptr(), &raw mut free, ptr::null_mut(), ptr::null_mut()) };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Volume { id: None, free: Some(free) })
}

/// Tells whether the user may make files and folders in a folder, by opening it for that.
pub(in crate::host) fn may_write(folder: &Path) -> io::Result<bool> {
    let mut options = OpenOptions::new();
    options.access_mode(FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    match options.open(folder) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(false),
        // What opens so is up to the system; that it may be written to is seen when it is.
        Err(_) => Ok(true),
    }
}

/// Tells who keeps a file from being replaced, by opening it as nobody else may have it open.
pub(in crate::host) fn in_use(path: &Path) -> io::Result<Option<String>> {
    let somebody = || holders(path).unwrap_or_else(|| "a program that Windows does not name".to_owned());
    let mut alone = OpenOptions::new();
    alone.read(true).share_mode(0).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    // To write as well: that a program runs, or a library is loaded, keeps nobody from reading it.
    match alone.clone().write(true).open(path) {
        Ok(_) => return Ok(None),
        Err(error) if is_sharing_violation(&error) => return Ok(Some(somebody())),
        // A read-only file, or one that this user may replace and not write.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
        Err(error) => return Err(error),
    }
    match alone.open(path) {
        Err(error) if is_sharing_violation(&error) => Ok(Some(somebody())),
        _ => Ok(holders(path)),
    }
}

fn is_sharing_violation(error: &io::Error) -> bool {
    error.raw_os_error().and_then(|code| u32::try_from(code).ok()) == Some(ERROR_SHARING_VIOLATION)
}

/// Names the programs that have a file open or loaded, as far as Windows tells.
fn holders(path: &Path) -> Option<String> {
    let mut names: Vec<String> = restart_manager_list(path)
        .iter()
        // What was not filled in.
        .filter(|process| process.Process.dwProcessId != 0)
        .map(|process| format!("{} (process {})", text(&process.strAppName), process.Process.dwProcessId))
        .collect();
    if names.is_empty() {
        // It may not run, and Wine has none: who has the file loaded is known without it.
        names = known_as(path).and_then(|path| users_below(&path)).unwrap_or_default();
    }
    (!names.is_empty()).then(|| names.join(", "))
}

/// Asks the Restart Manager who has a file open; nobody where it does not know.
fn restart_manager_list(path: &Path) -> Vec<RM_PROCESS_INFO> {
    let path = wide(path);
    let files = [path.as_ptr()];
    let mut key = [0_u16; CCH_RM_SESSION_KEY as usize + 1];
    let (mut session, mut needed, mut reasons) = (0, 0, 0);
    // SAFETY: RM_PROCESS_INFO holds numbers and texts only, for which zeros are values.
    #[expect(unsafe_code, reason = "the array is filled by the system")]
    let mut found: [RM_PROCESS_INFO; MAX_HOLDERS] = unsafe { std::mem::zeroed() };
    let mut count = MAX_HOLDERS as u32;
    // SAFETY: every pointer is to a value of ours that outlives the call; the key has the length that is asked for,
    // `files` one path that ends in a zero, `found` as many entries as `count` says. A session that started is ended.
    #[expect(unsafe_code, reason = "the standard library does not tell who has a file open")]
    let listed = unsafe {
        if RmStartSession(&raw mut session, 0, key.as_mut_ptr()) != 0 {
            return Vec::new();
        }
        let registered = RmRegisterResources(session, 1, files.as_ptr(), 0, ptr::null(), 0, ptr::null()) == 0;
        let listed = registered.then(|| {
            RmGetList(session, &raw mut needed, &raw mut count, found.as_mut_ptr(), &raw mut reasons)
        });
        RmEndSession(session);
        listed
    };
    match listed {
        Some(0) | Some(ERROR_MORE_DATA) => found.into_iter().take(count as usize).collect(),
        _ => Vec::new(),
    }
}

/// Returns the programs that have a file below a folder loaded, this one left out; those that this user may not look into
/// are not known.
pub(in crate::host) fn users_of(folder: &Path) -> io::Result<Vec<String>> {
    users_below(&known_as(folder)?)
}

/// Returns the one name of a file or folder under which programs that have it loaded are found; where the system does not
/// tell (Wine does not of one so long that only newer programs take it), the one it was called by.
fn known_as(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).or_else(|_| std::path::absolute(path))
}

/// Returns the programs that have a file loaded which is, or lies below, what this path names.
fn users_below(folder: &Path) -> io::Result<Vec<String>> {
    let own = std::process::id();
    let mut users = Vec::new();
    for process in processes()? {
        let is_other = process.th32ProcessID != own;
        if is_other && modules(process.th32ProcessID).iter().any(|module| lies_below(module, folder)) {
            users.push(format!("{} (process {})", text(&process.szExeFile), process.th32ProcessID));
        }
    }
    Ok(users)
}

/// Tells whether a file lies below a folder, ignoring case; both may be written in several ways.
fn lies_below(file: &Path, folder: &Path) -> bool {
    // Other letters than ASCII's are spelled alike: the folder is known by the disk's own spelling, and so is the file below.
    let fold = |path: &Path| PathBuf::from(path.to_string_lossy().to_ascii_lowercase());
    // Only what lies on the same drive is worth the look.
    fold(file).starts_with(fold(folder))
        || fs::canonicalize(file).is_ok_and(|file| fold(&file).starts_with(fold(folder)))
}

/// A list of the system, as it was when it was asked for.
struct Snapshot(HANDLE);

impl Snapshot {
    fn take(flags: u32, process: u32) -> io::Result<Self> {
        // SAFETY: nothing of ours is given.
        #[expect(unsafe_code, reason = "the standard library lists no processes")]
        let handle = unsafe { CreateToolhelp32Snapshot(flags, process) };
        if handle == INVALID_HANDLE_VALUE { Err(io::Error::last_os_error()) } else { Ok(Self(handle)) }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody else's.
        #[expect(unsafe_code, reason = "the standard library lists no processes")]
        unsafe {
            CloseHandle(self.0);
        }
    }
}

/// Lists the processes.
fn processes() -> io::Result<Vec<PROCESSENTRY32W>> {
    let snapshot = Snapshot::take(TH32CS_SNAPPROCESS, 0)?;
    let mut entry = PROCESSENTRY32W { dwSize: size_of::<PROCESSENTRY32W>() as u32, ..Default::default() };
    let mut found = Vec::new();
    // SAFETY: the snapshot is open; the entry states its own size and outlives the call.
    #[expect(unsafe_code, reason = "the standard library lists no processes")]
    let mut more = unsafe { Process32FirstW(snapshot.0, &raw mut entry) };
    while more != 0 {
        found.push(entry);
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "the standard library lists no processes")]
        let next = unsafe { Process32NextW(snapshot.0, &raw mut entry) };
        more = next;
    }
    Ok(found)
}

/// Lists the files that a process has loaded; none where that may not be known.
fn modules(process: u32) -> Vec<PathBuf> {
    let Ok(snapshot) = Snapshot::take(TH32CS_SNAPMODULE | TH32CS_SNAPMODULE32, process) else {
        return Vec::new();
    };
    let mut entry = MODULEENTRY32W { dwSize: size_of::<MODULEENTRY32W>() as u32, ..Default::default() };
    let mut found = Vec::new();
    // SAFETY: the snapshot is open; the entry states its own size and outlives the call.
    #[expect(unsafe_code, reason = "the standard library lists no modules")]
    let mut more = unsafe { Module32FirstW(snapshot.0, &raw mut entry) };
    while more != 0 {
        found.push(PathBuf::from(text(&entry.szExePath)));
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "the standard library lists no modules")]
        let next = unsafe { Module32NextW(snapshot.0, &raw mut entry) };
        more = next;
    }
    found
}

/// Returns the text that an array of the system holds, up to its first zero.
fn text(units: &[u16]) -> String {
    String::from_utf16_lossy(units.split(|unit| *unit == 0).next().unwrap_or_default())
}

/// Has Windows rename a file at its next start; only on a disk of this machine.
pub(in crate::host) fn rename_at_restart(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (wide(&on_own_disk(from)?), wide(&on_own_disk(to)?));
    let flags = MOVEFILE_DELAY_UNTIL_REBOOT | MOVEFILE_REPLACE_EXISTING;
    // SAFETY: both paths end in a zero and outlive the call.
    #[expect(unsafe_code, reason = "the standard library does not rename at a restart")]
    let done = unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), flags) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Returns a path as Windows knows it while it starts: not by a user's own drive letter. A share is refused, which
/// Windows would take an order for and never carry it out.
fn on_own_disk(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let path = fs::canonicalize(folder)?.join(name);
    match path.components().next() {
        Some(Component::Prefix(prefix)) if matches!(prefix.kind(), Prefix::VerbatimDisk(_)) => Ok(path),
        _ => Err(io::Error::new(ErrorKind::Unsupported, "Windows replaces no file of a share as it starts")),
    }
}

/// Renames a file over another one, which Windows refuses where that is read-only.
///
/// A crash in between leaves the old file writable; recovery sees that by its backup.
pub(in crate::host) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    if !is_read_only(to) {
        return fs::rename(from, to);
    }
    set_read_only(to, false)?;
    fs::rename(from, to).inspect_err(|_| drop(set_read_only(to, true)))
}

/// Removes a file, read-only or not, or a link.
///
/// Of what is read-only the standard library only asks Windows 10 (1809) and later, and not on every file system.
pub(in crate::host) fn remove_file(path: &Path) -> io::Result<()> {
    let error = match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => error,
        result => return result,
    };
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_symlink_dir()) {
        return fs::remove_dir(path);
    }
    if !is_read_only(path) {
        return Err(error);
    }
    set_read_only(path, false)?;
    fs::remove_file(path).inspect_err(|_| drop(set_read_only(path, true)))
}

/// Removes an empty folder.
pub(in crate::host) fn remove_folder(path: &Path) -> io::Result<()> {
    fs::remove_dir(path)
}

fn is_read_only(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.permissions().readonly())
}

fn set_read_only(path: &Path, read_only: bool) -> io::Result<()> {
    let mut permissions = fs::symlink_metadata(path)?.permissions();
    permissions.set_readonly(read_only);
    fs::set_permissions(path, permissions)
}

/// NTFS journals names by itself, and there is no call to make them durable.
pub(in crate::host) fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Gives a new file the access list of another, in whose place it will stand; its own is that of the folder in which
/// it was made. The attributes are copied by the caller.
pub(in crate::host) fn copy_attributes(_file: &File, path: &Path, like: &Path) -> io::Result<()> {
    /// This user may not set it, as on many a share; or the file system has none.
    const NO_REASON_TO_FAIL: [u32; 3] = [ERROR_ACCESS_DENIED, ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED];
    let copied = access_list(&File::open(like)?).and_then(|list| {
        let file = OpenOptions::new().access_mode(WRITE_DAC).open(path)?;
        set_access_list(&file, list)
    });
    copied.or_else(|error| match error.raw_os_error().and_then(|code| u32::try_from(code).ok()) {
        Some(code) if NO_REASON_TO_FAIL.contains(&code) => Ok(()),
        _ => Err(error),
    })
}

/// A security descriptor in one piece that holds an access list and nothing else.
type AccessList = Vec<u32>;

fn access_list(file: &File) -> io::Result<AccessList> {
    /// A descriptor's head, and the longest list there is.
    const BYTES: u32 = 20 + (64 << 10);
    let mut list = vec![0_u32; BYTES as usize / size_of::<u32>()];
    let (handle, start, mut needed) = (file.as_raw_handle(), list.as_mut_ptr().cast(), 0);
    // SAFETY: the handle is of an open file; `list` has as many bytes as is said, at an address fit for a descriptor,
    // which holds numbers of at most four bytes.
    #[expect(unsafe_code, reason = "the standard library knows no access lists")]
    let done =
        unsafe { GetKernelObjectSecurity(handle, DACL_SECURITY_INFORMATION, start, BYTES, &raw mut needed) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(list) }
}

/// Sets a list as it is, with what is inherited in it: other calls take that from the folder the file is in now.
fn set_access_list(file: &File, mut list: AccessList) -> io::Result<()> {
    if let Some(head) = list.first_mut() {
        // A descriptor is two bytes of version, two of flags. Without this one the list would not count as inherited.
        *head |= u32::from(SE_DACL_AUTO_INHERIT_REQ) << 16;
    }
    let start = list.as_mut_ptr().cast();
    // SAFETY: the handle is of an open file, and `list` a descriptor as Windows gave it.
    #[expect(unsafe_code, reason = "the standard library knows no access lists")]
    let done = unsafe { SetKernelObjectSecurity(file.as_raw_handle(), DACL_SECURITY_INFORMATION, start) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Claims a lock file: whoever has it open lets others read it only, on this disk or through a share.
pub(in crate::host) fn claim(path: &Path) -> io::Result<Claim> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    match options.clone().write(true).create(true).share_mode(FILE_SHARE_READ).open(path) {
        Ok(file) => Ok(Claim::Free(file)),
        Err(error) if is_sharing_violation(&error) => {
            match options.share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE).open(path) {
                Ok(file) => Ok(Claim::Held(file)),
                // It was given back meanwhile, or is just being removed.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
                    Ok(Claim::Again)
                }
                Err(error) => Err(error),
            }
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied && path.exists() => {
            match File::open(path) {
                Ok(_) => Err(error),
                // Not to be read either, it is being removed: a file whose last holder has yet to let go of it.
                Err(_) => Ok(Claim::Again),
            }
        }
        Err(error) => Err(error),
    }
}

/// Gives a lock back.
pub(in crate::host) fn give_back(file: Option<File>, path: &Path) -> io::Result<()> {
    // It can only be removed once it is closed; whoever opens it in between has it, and keeps it from being removed.
    drop(file);
    fs::remove_file(path)
}

/// The server of a share does for Windows all that a disk does.
pub(in crate::host) fn is_network(_path: &Path) -> bool {
    false
}

/// Nothing is decided by it.
pub(in crate::host) fn process_id(_number: u32) -> Option<String> {
    None
}

/// Returns the name of this machine.
pub(in crate::host) fn machine() -> String {
    env::var("COMPUTERNAME").unwrap_or_else(|_| "a machine without a name".to_owned())
}

/// Nothing is decided by it: locks of Windows hold for every machine.
pub(in crate::host) fn machine_id() -> String {
    String::new()
}

/// Returns the name of the user who runs this program.
pub(in crate::host) fn user() -> String {
    env::var("USERNAME").unwrap_or_else(|_| "a user without a name".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::windows::fs::MetadataExt;
    use std::process::{Command, Stdio};

    use windows_sys::Win32::Storage::FileSystem::{
        FILE_ATTRIBUTE_ARCHIVE, FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_READONLY, FILE_ATTRIBUTE_SYSTEM,
    };

    use super::*;
    use crate::host::{Attributes, Disk, Files, ForeignLock, Host, HostError, Machine, Trouble};

    /// Makes a file in a folder of its own.
    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.dll");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn attributes(path: &Path) -> u32 {
        fs::metadata(path).unwrap().file_attributes()
    }

    /// A program that runs from a copy of this one until it is dropped.
    struct Running(std::process::Child);

    impl Running {
        fn start(path: &Path) -> Self {
            fs::copy(env::current_exe().unwrap(), path).unwrap();
            let name = concat!(module_path!(), "::waits_for_the_end_of_its_input");
            let (_, name) = name.split_once("::").unwrap();
            let mut command = Command::new(path);
            command.args(["--exact", name, "--ignored"]).stdin(Stdio::piped()).stdout(Stdio::null());
            Self(command.spawn().unwrap())
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            drop(self.0.stdin.take());
            self.0.wait().unwrap();
        }
    }

    #[test]
    #[ignore = "run by other tests, as another process"]
    fn waits_for_the_end_of_its_input() {
        io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }

    #[test]
    fn an_open_file_is_in_use_until_it_is_closed() {
        let (_folder, path) = file("old");
        assert_eq!(in_use(&path).unwrap(), None);
        let open = File::open(&path).unwrap();
        assert!(in_use(&path).unwrap().is_some_and(|holder| !holder.is_empty()));
        drop(open);
        assert_eq!(in_use(&path).unwrap(), None);
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn an_open_file_that_is_read_only_is_in_use_until_it_is_closed() {
        let (_folder, path) = file("old");
        set_read_only(&path, true).unwrap();
        assert_eq!(in_use(&path).unwrap(), None);
        let open = File::open(&path).unwrap();
        assert!(in_use(&path).unwrap().is_some());
        drop(open);
        assert_eq!(in_use(&path).unwrap(), None);
        assert!(is_read_only(&path));
    }

    #[test]
    fn a_program_that_runs_is_in_use_and_not_replaced() {
        let (_folder, path) = file("");
        let running = Running::start(&path);
        assert!(in_use(&path).unwrap().is_some());
        let new = path.with_file_name("new");
        fs::write(&new, "new").unwrap();
        let refused = Machine::default().rename(&new, &path).unwrap_err();
        assert!(matches!(refused.trouble(), Trouble::AccessDenied | Trouble::InUse), "{refused:?}");
        assert!(new.exists());
        drop(running);
        assert_eq!(in_use(&path).unwrap(), None);
        Machine::default().rename(&new, &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_lock_says_who_holds_it_while_it_is_held_and_is_taken_over_when_it_is_left() {
        let (_folder, path) = file("process 4 of a dead user\n");
        let held = Machine::default().lock(&path, ForeignLock::Respect).unwrap();
        for foreign in [ForeignLock::Respect, ForeignLock::Break] {
            match Machine::default().lock(&path, foreign).err() {
                Some(HostError::Held { holder, .. }) => {
                    assert!(holder.starts_with(&format!("process {} of ", std::process::id())), "{holder}");
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(fs::remove_file(&path).is_err() && fs::write(&path, "mine").is_err());
        drop(held);
        assert!(!path.exists());
    }

    #[test]
    fn a_lock_that_may_not_be_written_is_not_said_to_be_held() {
        let (_folder, path) = file("process 4 of a dead user\n");
        set_read_only(&path, true).unwrap();
        // Wine lets root write to it, which is no less true.
        if let Some(refused) = Machine::default().lock(&path, ForeignLock::Respect).err() {
            assert_eq!(refused.trouble(), Trouble::AccessDenied, "{refused:?}");
        }
    }

    #[test]
    fn a_file_takes_the_place_and_the_attributes_of_another_one() {
        let marks = FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE;
        // Not both: of a read-only file Wine loses the marks, unless it is root's.
        for (read_only, wanted) in [(false, marks), (true, FILE_ATTRIBUTE_READONLY)] {
            let folder = tempfile::tempdir().unwrap();
            let (old, new) = (folder.path().join("old"), folder.path().join("new"));
            let made = OpenOptions::new().write(true).create_new(true).attributes(marks).open(&old);
            made.unwrap().write_all(b"old").unwrap();
            set_read_only(&old, read_only).unwrap();
            Machine::default()
                .write_new(&new, b"new", &Attributes { like: Some(old.clone()), modified: None })
                .unwrap();
            assert_eq!(attributes(&new) & wanted, wanted);
            Machine::default().rename(&new, &old).unwrap();
            assert_eq!(fs::read(&old).unwrap(), b"new");
            assert_eq!(attributes(&old) & wanted, wanted);
            Machine::default().remove_file(&old).unwrap();
            assert!(!old.exists());
        }
    }

    #[test]
    fn what_is_read_only_stays_so_where_it_cannot_be_replaced_or_removed() {
        let (_folder, path) = file("old");
        set_read_only(&path, true).unwrap();
        let missing = path.with_file_name("missing");
        assert!(Machine::default().rename(&missing, &path).is_err());
        let held = OpenOptions::new().read(true).share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE).open(&path);
        assert!(Machine::default().remove_file(&path).is_err());
        drop(held);
        assert!(is_read_only(&path));
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn the_access_list_of_the_old_file_is_that_of_the_new_one() {
        /// Version and flags (a list is present, in one piece); no owner, group, audit list; where the list is. The
        /// list: version, bytes, entries; one that allows (its bytes) to read, everyone (S-1-1-0).
        const READERS: [u32; 12] =
            [0x8004_0001, 0, 0, 0, 20, 0x001c_0002, 1, 0x0014_0000, 0x0012_0089, 0x0000_0101, 0x0100_0000, 0];
        let (_folder, old) = file("old");
        let list = |path: &Path| access_list(&File::open(path).unwrap()).unwrap();
        let new = |name: &str| {
            let path = old.with_file_name(name);
            Machine::default()
                .write_new(&path, b"new", &Attributes { like: Some(old.clone()), modified: None })
                .unwrap();
            path
        };
        let before = list(&old);
        assert_eq!(list(&new("1")), before);
        let open = OpenOptions::new().access_mode(WRITE_DAC).open(&old).unwrap();
        set_access_list(&open, READERS.to_vec()).unwrap();
        drop(open);
        assert_ne!(list(&old), before);
        assert_eq!(list(&new("2")), list(&old));
    }

    #[test]
    fn free_space_is_known_of_any_folder_by_any_spelling() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join(""), folder.path().canonicalize().unwrap()]
        {
            assert!(Disk.volume(&path).unwrap().free.is_some_and(|free| free > 0), "{}", path.display());
        }
    }

    #[test]
    fn a_rename_at_restart_is_in_the_registry_by_the_names_of_the_disk() {
        let (_folder, old) = file("old");
        let new = old.with_file_name("new");
        fs::write(&new, "new").unwrap();
        rename_at_restart(&new, &old).unwrap();
        let key = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager";
        let query =
            Command::new("reg").args(["query", key, "/v", "PendingFileRenameOperations"]).output().unwrap();
        let found = String::from_utf8_lossy(&query.stdout).into_owned();
        for path in [&new, &old] {
            let name = on_own_disk(path).unwrap().display().to_string();
            assert!(name.starts_with(r"\\?\") && name.as_bytes()[5] == b':', "{name}");
            assert!(found.contains(&name.replacen(r"\\?\", r"\??\", 1)), "{name} is not in {found}");
        }
        assert_eq!(fs::read(&old).unwrap(), b"old");
    }
}
