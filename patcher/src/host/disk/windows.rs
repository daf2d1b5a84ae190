//! What Windows offers beyond the standard library.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::{FileTypeExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Component, Path, PathBuf, Prefix};
use std::{env, iter, ptr};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED, ERROR_SHARING_VIOLATION,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetKernelObjectSecurity, SE_DACL_AUTO_INHERIT_REQ, SetKernelObjectSecurity,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ADD_FILE, FILE_ADD_SUBDIRECTORY, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, GetDiskFreeSpaceExW, GetDriveTypeW,
    MOVEFILE_DELAY_UNTIL_REBOOT, MOVEFILE_REPLACE_EXISTING, MoveFileExW, WRITE_DAC,
};

use super::lock::Claim;
use crate::host::Volume;
use users::holders;
pub(in crate::host) use users::users_of;

mod users;

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

/// Tells whether a folder is on another machine: by the path of a share, or by a drive that stands for one.
pub(in crate::host) fn is_share(folder: &Path) -> bool {
    /// What `GetDriveTypeW` returns of a drive of the network.
    const DRIVE_REMOTE: u32 = 4;
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let Some(Component::Prefix(prefix)) = folder.components().next() else { return false };
    match prefix.kind() {
        Prefix::UNC(..) | Prefix::VerbatimUNC(..) => true,
        Prefix::Disk(drive) | Prefix::VerbatimDisk(drive) => {
            let root = wide(Path::new(&format!(r"{}:\", char::from(drive))));
            // SAFETY: the path ends in a zero and outlives the call.
            #[expect(unsafe_code, reason = "the standard library knows no drives")]
            let kind = unsafe { GetDriveTypeW(root.as_ptr()) };
            kind == DRIVE_REMOTE
        }
        Prefix::Verbatim(_) | Prefix::DeviceNS(_) => false,
    }
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
mod tests;
