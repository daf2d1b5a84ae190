//! What Windows offers beyond the standard library.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::{env, iter, ptr};

use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, ERROR_SHARING_VIOLATION};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_ARCHIVE, FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_SYSTEM, FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, GetDiskFreeSpaceExW, MOVEFILE_DELAY_UNTIL_REBOOT,
    MOVEFILE_REPLACE_EXISTING, MoveFileExW,
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
pub(super) fn volume(folder: &Path) -> io::Result<Volume> {
    let path = wide(folder);
    let mut free = 0;
    // SAFETY: the path ends in a zero and the number is ours; both outlive the call. No other output is asked for.
    #[expect(unsafe_code, reason = "the standard library does not tell free space")]
    let done = unsafe { GetDiskFreeSpaceExW(path.as_ptr(), &raw mut free, ptr::null_mut(), ptr::null_mut()) };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Volume { id: None, free: Some(free) })
}

/// Tells who keeps a file from being replaced, by opening it as nobody else may have it open.
pub(super) fn in_use(path: &Path) -> io::Result<Option<String>> {
    let alone = OpenOptions::new()
        .read(true)
        .write(true)
        .share_mode(0)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path);
    match alone {
        Ok(_) => Ok(None),
        Err(error) if is_sharing_violation(&error) => Ok(Some(holders(path))),
        // A read-only file, or one that this user may replace and not write: nobody need have it open.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_sharing_violation(error: &io::Error) -> bool {
    error.raw_os_error().and_then(|code| u32::try_from(code).ok()) == Some(ERROR_SHARING_VIOLATION)
}

/// Names the programs that have a file open, as far as Windows tells.
fn holders(path: &Path) -> String {
    let names: Vec<String> = restart_manager_list(path)
        .iter()
        .map(|process| {
            let name: Vec<u16> = process.strAppName.iter().copied().take_while(|unit| *unit != 0).collect();
            format!("{} (process {})", String::from_utf16_lossy(&name), process.Process.dwProcessId)
        })
        .collect();
    if names.is_empty() { "a program that Windows does not name".to_owned() } else { names.join(", ") }
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

/// Has Windows rename a file at its next start; only on a disk of this machine.
pub(super) fn rename_at_restart(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (wide(&std::path::absolute(from)?), wide(&std::path::absolute(to)?));
    let flags = MOVEFILE_DELAY_UNTIL_REBOOT | MOVEFILE_REPLACE_EXISTING;
    // SAFETY: both paths end in a zero and outlive the call.
    #[expect(unsafe_code, reason = "the standard library does not rename at a restart")]
    let done = unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), flags) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Has a new file made with the attributes of another; whether it is read-only is copied by the caller.
pub(super) fn make_like(options: &mut OpenOptions, like: &Path) -> io::Result<()> {
    let kept = FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE;
    options.attributes(fs::metadata(like)?.file_attributes() & kept);
    Ok(())
}

/// Renames a file over another one, which Windows refuses where that is read-only.
///
/// A crash in between leaves the old file writable; recovery sees that by its backup.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let is_read_only = fs::metadata(to).is_ok_and(|metadata| metadata.permissions().readonly());
    if !is_read_only {
        return fs::rename(from, to);
    }
    set_read_only(to, false)?;
    fs::rename(from, to).inspect_err(|_| drop(set_read_only(to, true)))
}

fn set_read_only(path: &Path, read_only: bool) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    permissions.set_readonly(read_only);
    fs::set_permissions(path, permissions)
}

/// NTFS journals names by itself, and there is no call to make them durable.
pub(super) fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Files inherit their access list from the folder; permissions are copied by the caller.
pub(super) fn copy_attributes(_file: &File, _like: &Path) -> io::Result<()> {
    Ok(())
}

/// Claims a lock file: whoever has it open lets others read it only, on this disk or through a share.
pub(super) fn claim(path: &Path) -> io::Result<Claim> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    match options.clone().write(true).create(true).share_mode(FILE_SHARE_READ).open(path) {
        Ok(file) => Ok(Claim::Free(file)),
        Err(error) if is_sharing_violation(&error) => {
            match options.share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE).open(path) {
                Ok(file) => Ok(Claim::Held(file)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(Claim::Again),
                Err(error) => Err(error),
            }
        }
        // It is there and being removed: a file whose last holder has yet to let go of it.
        Err(error) if error.kind() == ErrorKind::PermissionDenied && path.exists() => Ok(Claim::Again),
        Err(error) => Err(error),
    }
}

/// Gives a lock back.
pub(super) fn give_back(file: Option<File>, path: &Path) -> io::Result<()> {
    // It can only be removed once it is closed; whoever opens it in between has it, and keeps it from being removed.
    drop(file);
    fs::remove_file(path)
}

/// The server of a share does for Windows all that a disk does.
pub(super) fn is_network(_path: &Path) -> bool {
    false
}

/// Nothing is decided by it.
pub(super) fn process_id(_number: u32) -> Option<String> {
    None
}

/// Returns the name of this machine.
pub(super) fn machine() -> String {
    env::var("COMPUTERNAME").unwrap_or_else(|_| "a machine without a name".to_owned())
}

/// Nothing is decided by it: locks of Windows hold for every machine.
pub(super) fn machine_id() -> String {
    String::new()
}

/// Returns the name of the user who runs this program.
pub(super) fn user() -> String {
    env::var("USERNAME").unwrap_or_else(|_| "a user without a name".to_owned())
}
