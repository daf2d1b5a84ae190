//! The real machine: its file system and clock.
//!
//! What the standard library does not offer alike on every system is in one file for each (`system`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

mod lock;
#[cfg_attr(unix, path = "disk/unix.rs")]
#[cfg_attr(windows, path = "disk/windows.rs")]
mod system;

use super::{
    Attributes, Files, ForeignLock, Host, HostError, Kind, Lock, ServiceState, Services, Stat, Volume,
};

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
        let read_only = metadata.permissions().readonly();
        Ok(Some(Stat { kind, size: metadata.len(), modified, read_only }))
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
        // Opening a pipe would wait for somebody to write to it.
        if self.stat(path)?.is_some_and(|stat| stat.kind != Kind::File) {
            return Err(HostError::io("read", path)(io::Error::other("it is no file")));
        }
        let file = File::open(path).map_err(HostError::io("open", path))?;
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(HostError::io("read", path))?;
        if bytes.len() as u64 > limit {
            return Err(HostError::TooLarge { path: path.to_owned(), limit });
        }
        Ok(bytes)
    }

    fn volume(&self, folder: &Path) -> Result<Volume, HostError> {
        system::volume(folder).map_err(HostError::io("look at the volume of", folder))
    }

    fn in_use(&self, path: &Path) -> Result<Option<String>, HostError> {
        system::in_use(path).map_err(HostError::io("look whether somebody uses", path))
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Opens a file to add to it, or makes it. To read it too: a mounted share fails where it is only to be written.
fn open_to_add(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// This program controls no services yet, and no plan that it makes asks it to.
impl Services for Disk {
    fn service(&self, _name: &str) -> Result<Option<ServiceState>, HostError> {
        Ok(None)
    }

    fn stop_service(&self, name: &str) -> Result<(), HostError> {
        Err(uncontrolled("stop", name))
    }

    fn start_service(&self, name: &str) -> Result<(), HostError> {
        Err(uncontrolled("start", name))
    }
}

fn uncontrolled(action: &'static str, service: &str) -> HostError {
    let source = io::Error::new(io::ErrorKind::Unsupported, "this version controls no services");
    HostError::Service { action, service: service.to_owned(), source }
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
                system::copy_attributes(&file, path, like)?;
                file.set_permissions(fs::metadata(like)?.permissions())?;
            }
            if let Some(modified) = attributes.modified {
                file.set_modified(modified)?;
            }
            file.sync_all()?;
            if let Some(modified) = attributes.modified.filter(|_| system::is_network(path)) {
                // A server sets the time once more when the file is closed.
                drop(file);
                File::open(path)?.set_modified(modified)?;
            }
            Ok(())
        };
        write().map_err(HostError::io("write", path))
    }

    fn append(&self, path: &Path, at: u64, bytes: &[u8]) -> Result<(), HostError> {
        let write = || {
            let mut file = open_to_add(path)?;
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
            let mut file = open_to_add(path)?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(format!("{line}{ending}").as_bytes())
        };
        write().map_err(HostError::io("write to the log", path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), HostError> {
        system::rename(from, to).map_err(HostError::io("replace", to))
    }

    fn remove_file(&self, path: &Path) -> Result<(), HostError> {
        system::remove_file(path).map_err(HostError::io("remove", path))
    }

    fn remove_folder(&self, path: &Path) -> Result<(), HostError> {
        system::remove_folder(path).map_err(HostError::io("remove the folder", path))
    }

    fn sync_folder(&self, path: &Path) -> Result<(), HostError> {
        system::sync_folder(path).map_err(HostError::io("sync the folder", path))
    }

    fn rename_at_restart(&self, from: &Path, to: &Path) -> Result<(), HostError> {
        system::rename_at_restart(from, to).map_err(HostError::io("schedule the replacement of", to))
    }

    fn lock(&self, path: &Path, foreign: ForeignLock) -> Result<Box<dyn Lock>, HostError> {
        Ok(Box::new(lock::take(path, foreign, self.now())?))
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_tells_its_free_space() {
        let folder = tempfile::tempdir().unwrap();
        let volume = Disk.volume(folder.path()).unwrap();
        assert!(volume.free.is_some_and(|free| free > 0), "{volume:?}");
        assert!(Disk.volume(&folder.path().join("missing")).is_err());
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

    #[cfg(unix)]
    #[test]
    fn marks_of_a_file_are_kept_where_the_file_system_has_them() {
        use rustix::fs::{XattrFlags, getxattr, setxattr};
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::write(&old, "old").unwrap();
        let has_marks = setxattr(&old, "user.DOSATTRIB", b"0x22", XattrFlags::empty()).is_ok();
        Disk.write_new(&new, b"new", &Attributes { like: Some(old), modified: None }).unwrap();
        let mut value = [0; 16];
        let found = getxattr(&new, "user.DOSATTRIB", &mut value).ok();
        assert_eq!(found.map(|length| &value[..length]), has_marks.then_some(b"0x22".as_slice()));
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
