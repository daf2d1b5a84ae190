//! The real file system, by the standard library alone.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Attributes, Files, Host, HostError, Kind, Lock, Stat};
use crate::timestamp::utc;

/// The file system and clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn stat(&self, path: &Path) -> Result<Option<Stat>, HostError> {
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(HostError::io("look at", path)(error)),
        };
        let kind = match metadata.file_type() {
            file_type if file_type.is_file() => Kind::File,
            file_type if file_type.is_dir() => Kind::Folder,
            _ => Kind::Other,
        };
        let modified = metadata.modified().map_err(HostError::io("look at", path))?;
        Ok(Some(Stat { kind, size: metadata.len(), modified }))
    }

    fn list(&self, folder: &Path) -> Result<Vec<String>, HostError> {
        let entries = fs::read_dir(folder).map_err(HostError::io("list", folder))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(HostError::io("list", folder))?;
            names.extend(entry.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, HostError> {
        let file = File::open(path).map_err(HostError::io("open", path))?;
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(HostError::io("read", path))?;
        if bytes.len() as u64 > limit {
            return Err(HostError::TooLarge { path: path.to_owned(), limit });
        }
        Ok(bytes)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

impl Host for Disk {
    fn create_folder(&self, path: &Path) -> Result<(), HostError> {
        fs::create_dir(path).map_err(HostError::io("make the folder", path))
    }

    fn write_new(&self, path: &Path, bytes: &[u8], attributes: &Attributes) -> Result<(), HostError> {
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
            file.write_all(bytes)?;
            if let Some(like) = &attributes.like {
                copy_owner(&file, like)?;
                file.set_permissions(fs::metadata(like)?.permissions())?;
            }
            if let Some(modified) = attributes.modified {
                file.set_modified(modified)?;
            }
            file.sync_all()
        };
        write().map_err(HostError::io("write", path))
    }

    fn append(&self, path: &Path, at: u64, bytes: &[u8]) -> Result<(), HostError> {
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            file.set_len(at)?;
            file.seek(SeekFrom::Start(at))?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(HostError::io("append to", path))
    }

    fn log(&self, path: &Path, line: &str) -> Result<(), HostError> {
        let ending = if cfg!(windows) { "\r\n" } else { "\n" };
        let write = || {
            let mut file = OpenOptions::new().append(true).create(true).open(path)?;
            file.write_all(format!("{line}{ending}").as_bytes())
        };
        write().map_err(HostError::io("write to the log", path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), HostError> {
        fs::rename(from, to).map_err(HostError::io("replace", to))
    }

    fn remove_file(&self, path: &Path) -> Result<(), HostError> {
        fs::remove_file(path).map_err(HostError::io("remove", path))
    }

    fn remove_folder(&self, path: &Path) -> Result<(), HostError> {
        fs::remove_dir(path).map_err(HostError::io("remove the folder", path))
    }

    fn sync_folder(&self, path: &Path) -> Result<(), HostError> {
        // Windows has no such call: NTFS journals names by itself.
        if cfg!(windows) {
            return Ok(());
        }
        File::open(path).and_then(|folder| folder.sync_all()).map_err(HostError::io("sync the folder", path))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, HostError> {
        // A holder that ends removes the file. Whoever opened it before, and locks it after, holds a file
        // that nobody else will find: look again whether it is still the one at the path.
        loop {
            match self.stat(path)?.map(|stat| stat.kind) {
                None | Some(Kind::File) => {}
                // Following it would write into whatever it leads to.
                Some(Kind::Folder | Kind::Other) => {
                    return Err(HostError::io("lock", path)(io::Error::other("it is a link or a folder")));
                }
            }
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.open(path).map_err(HostError::io("make the lock", path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    // Who it is helps, and is not needed to refuse.
                    if file.take(400).read_to_string(&mut holder).is_err() || holder.is_empty() {
                        "it does not say who it is".clone_into(&mut holder);
                    }
                    return Err(HostError::Held { path: path.to_owned(), holder });
                }
                Err(TryLockError::Error(error)) => return Err(HostError::io("lock", path)(error)),
            }
            if !is_at(&file, path) {
                continue;
            }
            let mut lock = DiskLock { path: path.to_owned(), file };
            let holder = format!("process {}, since {}", std::process::id(), utc(self.now()));
            lock.file
                .set_len(0)
                .and_then(|()| lock.file.write_all(holder.as_bytes()))
                .map_err(HostError::io("write to the lock", path))?;
            return Ok(Box::new(lock));
        }
    }
}

/// A lock file, locked by the system as long as it is open, so that a killed holder holds nothing.
struct DiskLock {
    path: PathBuf,
    file: File,
}

impl Lock for DiskLock {}

impl Drop for DiskLock {
    fn drop(&mut self) {
        // A file left behind is no lock: the next run takes it over.
        drop(fs::remove_file(&self.path));
    }
}

/// Tells whether the open file is still the one at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Windows does not let a name go to a new file while the old one is open.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

/// Gives the file the owner of another, as far as this user may.
#[cfg(unix)]
fn copy_owner(file: &File, like: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
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

/// Windows files inherit their access list from the folder.
#[cfg(not(unix))]
fn copy_owner(_file: &File, _like: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_names_its_holder_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Disk.lock(&path).unwrap();
        match Disk.lock(&path).err() {
            Some(HostError::Held { holder, .. }) => assert!(holder.starts_with("process "), "{holder}"),
            other => panic!("{other:?}"),
        }
        drop(held);
        assert!(!path.exists());
        fs::write(&path, "left by a killed run").unwrap();
        assert!(Disk.lock(&path).is_ok());
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_that_is_a_link_is_refused_and_what_it_leads_to_is_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("lock"), folder.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert!(Disk.lock(&path).is_err());
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
    }

    #[test]
    fn append_cuts_what_stands_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        Disk.append(&path, 0, b"one\ntorn").unwrap();
        Disk.append(&path, 4, b"two\n").unwrap();
        assert_eq!(Disk.read(&path, 100).unwrap(), b"one\ntwo\n");
        assert!(matches!(Disk.read(&path, 7), Err(HostError::TooLarge { limit: 7, .. })));
    }

    #[test]
    fn write_new_never_replaces_and_keeps_time_and_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::write(&old, "old").unwrap();
        let mut permissions = fs::metadata(&old).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&old, permissions).unwrap();
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(949_056_540);
        let attributes = Attributes { like: Some(old.clone()), modified: Some(time) };
        Disk.write_new(&new, b"new", &attributes).unwrap();
        assert_eq!(Disk.stat(&new).unwrap().unwrap().modified, time);
        assert!(fs::metadata(&new).unwrap().permissions().readonly());
        assert!(Disk.write_new(&new, b"other", &Attributes::default()).is_err());
        assert_eq!(fs::read(&new).unwrap(), b"new");
    }
}
