//! What Unix systems offer beyond the standard library.

use std::env;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::{Access, OFlags, XattrFlags, fgetxattr, flistxattr, fsetxattr, statvfs};
use rustix::io::Errno;

use super::lock::Claim;
use crate::host::Volume;

/// Opens no link, whoever put it there.
#[expect(clippy::cast_possible_wrap, reason = "the flag is a small number")]
const NO_FOLLOW: i32 = OFlags::NOFOLLOW.bits() as i32;

/// Tells of the volume a folder is on.
pub(in crate::host) fn volume(folder: &Path) -> io::Result<Volume> {
    let space = statvfs(folder)?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    // A share that does not tell gives zeros.
    Ok(Volume { id: Some(fs::metadata(folder)?.dev()), free: (space.f_blocks > 0).then_some(free) })
}

/// Unix replaces a file's name, whoever has the file open.
pub(in crate::host) fn in_use(_path: &Path) -> io::Result<Option<String>> {
    Ok(None)
}

/// No file is in use so that it would have to wait for a restart.
/// Tells whether the user may write to a folder, by its permissions and those of its mount.
pub(in crate::host) fn may_write(folder: &Path) -> io::Result<bool> {
    match rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Ok(true),
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Tells nothing: a program that uses a file keeps nobody from replacing it.
pub(in crate::host) fn users_of(_folder: &Path) -> io::Result<Vec<String>> {
    Ok(Vec::new())
}

pub(in crate::host) fn rename_at_restart(_from: &Path, _to: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Windows replaces files at its restart"))
}

/// Renames a file over another one, read-only or not.
///
/// A mounted share may carry that out as removing the one and renaming the other, which leaves neither where somebody
/// has the one open and lets it be removed. There the one is renamed out of the way first, beside the other.
pub(in crate::host) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    if !is_network(to) {
        return fs::rename(from, to);
    }
    let aside = from.with_extension("replaced");
    match fs::rename(to, &aside) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return fs::rename(from, to),
        Err(error) => return Err(error),
    }
    fs::rename(from, to).inspect_err(|_| drop(fs::rename(&aside, to)))
}

/// Removes a file, read-only or not, or a link.
pub(in crate::host) fn remove_file(path: &Path) -> io::Result<()> {
    patiently(path, || fs::remove_file(path))
}

/// Removes an empty folder.
pub(in crate::host) fn remove_folder(path: &Path) -> io::Result<()> {
    patiently(path, || fs::remove_dir(path))
}

/// Tries again for a second on a share, which may not yet have closed, or removed, what was closed and removed.
fn patiently(path: &Path, attempt: impl Fn() -> io::Result<()>) -> io::Result<()> {
    const TRIES: usize = 20;
    for _ in 0..TRIES {
        match attempt() {
            Err(error)
                if matches!(error.kind(), ErrorKind::ResourceBusy | ErrorKind::DirectoryNotEmpty)
                    && is_network(path) => {}
            result => return result,
        }
        thread::sleep(Duration::from_millis(50));
    }
    attempt()
}

/// Makes the names in a folder durable.
pub(in crate::host) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Gives the file the owner of another, as far as this user may, its access list, and what else it is marked with
/// (Samba keeps the attributes of DOS there).
pub(in crate::host) fn copy_attributes(file: &File, _path: &Path, like: &Path) -> io::Result<()> {
    copy_owner(file, like)?;
    // What a mounted share shows of these is its own, and it may fail to take it back.
    if is_network(like) { Ok(()) } else { copy_marks(file, like) }
}

/// Copies the extended attributes that are about the file and not about its contents.
fn copy_marks(file: &File, like: &Path) -> io::Result<()> {
    /// Linux keeps no more in one attribute, nor in all names together.
    const MOST: usize = 64 << 10;
    let like = File::open(like)?;
    let mut names = vec![0; MOST];
    let Ok(length) = flistxattr(&like, &mut names) else {
        // The file system has none.
        return Ok(());
    };
    names.truncate(length);
    let is_kept = |name: &[u8]| name.starts_with(b"user.") || name == b"system.posix_acl_access";
    for name in names.split(|byte| *byte == 0).filter(|name| is_kept(name)) {
        let mut value = vec![0; MOST];
        let length = fgetxattr(&like, name, &mut value)?;
        value.truncate(length);
        match fsetxattr(file, name, &value, XattrFlags::empty()) {
            // What this user may not set, or another file system does not have, is no reason to fail.
            Ok(()) | Err(Errno::PERM | Errno::ACCESS | Errno::NOTSUP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn copy_owner(file: &File, like: &Path) -> io::Result<()> {
    let (own, wanted) = (file.metadata()?, fs::metadata(like)?);
    if (own.uid(), own.gid()) == (wanted.uid(), wanted.gid()) {
        return Ok(());
    }
    match fchown(file, Some(wanted.uid()), Some(wanted.gid())) {
        // Only root may give files away; a share mounted for one user has but one owner anyway.
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

/// Claims a lock file.
pub(in crate::host) fn claim(path: &Path) -> io::Result<Claim> {
    let mut options = OpenOptions::new();
    // Everybody may read who holds the target.
    options.read(true).write(true).mode(0o644).custom_flags(NO_FOLLOW);
    let (file, is_new) = match options.clone().create_new(true).open(path) {
        Ok(file) => (file, true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match options.open(path) {
            Ok(file) => (file, false),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Claim::Again),
            Err(error) => return Err(error),
        },
        Err(error) => return Err(error),
    };
    if !is_new && file.metadata()?.nlink() > 1 {
        return Err(io::Error::other("it is another name of some other file"));
    }
    // On a share its making decides; whoever meets the file there does not take it as long as it says nothing.
    if is_new && is_network(path) {
        return Ok(Claim::Free(file));
    }
    match file.try_lock() {
        // A holder that ends removes the file: whoever locks it after that has one that nobody else will find.
        Ok(()) if !is_at(&file, path) => Ok(Claim::Again),
        Ok(()) if !is_network(path) => Ok(Claim::Free(file)),
        Ok(()) => Ok(Claim::Left(file)),
        // Somebody took the file for a left one before its maker could lock it.
        Err(TryLockError::WouldBlock) if is_new => Ok(Claim::Again),
        Err(TryLockError::WouldBlock) => Ok(Claim::Held(file)),
        Err(TryLockError::Error(error)) if has_no_locks(&error) && is_new => Ok(Claim::Free(file)),
        Err(TryLockError::Error(error)) if has_no_locks(&error) => Ok(Claim::Left(file)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Gives a lock back.
pub(in crate::host) fn give_back(file: Option<File>, path: &Path) -> io::Result<()> {
    let removed = remove_file(path);
    // Not before: whoever locks a file that is gone sees that it is.
    drop(file);
    removed
}

/// Tells whether the open file is still the one at `path`.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Tells whether an error of locking means that the file system has no locks.
fn has_no_locks(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    error.kind() == ErrorKind::Unsupported || errno == Some(Errno::NOLCK) || errno == Some(Errno::NOSYS)
}

/// Tells whether a file is on a mounted share: where another machine may be at it too, past this machine's locks.
#[cfg(target_os = "linux")]
pub(in crate::host) fn is_network(path: &Path) -> bool {
    /// The numbers of statfs(2) for FUSE, CIFS, SMB2, NFS, 9P.
    const MAGIC: [u32; 5] = [0x6573_5546, 0xff53_4d42, 0xfe53_4d42, 0x6969, 0x0102_1997];
    // What is not there yet will be where its folder is.
    rustix::fs::statfs(path)
        .or_else(|_| rustix::fs::statfs(path.parent().unwrap_or(path)))
        .map_or(true, |found| MAGIC.iter().any(|magic| found.f_type == *magic as rustix::fs::FsWord))
}

#[cfg(not(target_os = "linux"))]
pub(in crate::host) fn is_network(_path: &Path) -> bool {
    true
}

/// Nothing is decided by it: no folder here is of a machine with services and a registry.
pub(in crate::host) fn is_share(_folder: &Path) -> bool {
    false
}

/// Returns the name of this machine.
pub(in crate::host) fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns what no other machine has, as far as the system gives it.
pub(in crate::host) fn machine_id() -> String {
    fs::read_to_string("/etc/machine-id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// Returns what tells a process that runs from every other one, also of the same number; none if there is none.
pub(in crate::host) fn process_id(number: u32) -> Option<String> {
    /// Where the time of its start is, counted behind the program's name, which may hold anything.
    const START: usize = 19;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(format!("{} {number} {}", boot.trim(), fields.split_whitespace().nth(START)?))
}

/// Returns the name of the user who runs this program.
pub(in crate::host) fn user() -> String {
    let name = ["USER", "LOGNAME"].into_iter().find_map(|name| env::var(name).ok());
    name.unwrap_or_else(|| format!("user {}", rustix::process::geteuid().as_raw()))
}
