//! The real machine: the disk that the program sees, and services, registry and COM servers of the machine whose files
//! these are, by the backends that the user chose.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::disk::{Disk, lock, system};
use super::none::Nobody;
use super::{
    Attributes, ComServers, Files, ForeignLock, Host, HostError, Lock, Registry, Service, Services, Stat,
    Volume,
};
use crate::registry::{RegistryKey, RegistryValue};

/// The machine whose files these are.
pub struct Machine {
    services: Box<dyn Services>,
    registry: Box<dyn Registry>,
    com_servers: Box<dyn ComServers>,
}

impl Machine {
    /// Makes it of its parts.
    pub fn new(
        services: Box<dyn Services>,
        registry: Box<dyn Registry>,
        com_servers: Box<dyn ComServers>,
    ) -> Self {
        Self { services, registry, com_servers }
    }
}

impl Default for Machine {
    /// Makes one of which there is nothing but files.
    fn default() -> Self {
        Self::new(Box::new(Nobody), Box::new(Nobody), Box::new(Nobody))
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

impl Files for Machine {
    fn stat(&self, path: &Path) -> Result<Option<Stat>, HostError> {
        Disk.stat(path)
    }

    fn list(&self, folder: &Path) -> Result<Vec<String>, HostError> {
        Disk.list(folder)
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, HostError> {
        Disk.read(path, limit)
    }

    fn volume(&self, folder: &Path) -> Result<Volume, HostError> {
        Disk.volume(folder)
    }

    fn may_write(&self, folder: &Path) -> Result<bool, HostError> {
        Disk.may_write(folder)
    }

    fn in_use(&self, path: &Path) -> Result<Option<String>, HostError> {
        Disk.in_use(path)
    }

    fn users_of(&self, folder: &Path) -> Result<Vec<String>, HostError> {
        Disk.users_of(folder)
    }

    fn now(&self) -> SystemTime {
        Disk.now()
    }
}

impl Services for Machine {
    fn service_names(&self) -> Result<Vec<String>, HostError> {
        self.services.service_names()
    }

    fn service(&self, name: &str) -> Result<Option<Service>, HostError> {
        self.services.service(name)
    }

    fn stop_service(&self, name: &str) -> Result<(), HostError> {
        self.services.stop_service(name)
    }

    fn start_service(&self, name: &str) -> Result<(), HostError> {
        self.services.start_service(name)
    }
}

impl Registry for Machine {
    fn value(&self, key: &RegistryKey, name: &str) -> Result<Option<RegistryValue>, HostError> {
        self.registry.value(key, name)
    }

    fn has_key(&self, key: &RegistryKey) -> Result<bool, HostError> {
        self.registry.has_key(key)
    }

    fn set_value(&self, key: &RegistryKey, name: &str, value: &RegistryValue) -> Result<(), HostError> {
        self.registry.set_value(key, name, value)
    }

    fn remove_value(&self, key: &RegistryKey, name: &str) -> Result<(), HostError> {
        self.registry.remove_value(key, name)
    }

    fn remove_key(&self, key: &RegistryKey) -> Result<(), HostError> {
        self.registry.remove_key(key)
    }
}

impl ComServers for Machine {
    fn register(&self, path: &Path) -> Result<(), HostError> {
        self.com_servers.register(path)
    }

    fn unregister(&self, path: &Path) -> Result<(), HostError> {
        self.com_servers.unregister(path)
    }
}

/// Opens a file to add to it, or makes it. To read it too: a mounted share fails where it is only to be written.
fn open_to_add(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

impl Host for Machine {
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
    use crate::host::HostErrorKind;

    #[test]
    fn append_cuts_what_stands_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        Machine::default().append(&path, 0, b"one\ntorn").unwrap();
        Machine::default().append(&path, 4, b"two\n").unwrap();
        assert_eq!(Disk.read(&path, 100).unwrap(), b"one\ntwo\n");
        let refused = Disk.read(&path, 7).unwrap_err();
        assert!(matches!(refused.kind(), HostErrorKind::TooLarge { limit: 7, .. }));
    }

    #[cfg(unix)]
    #[test]
    fn marks_of_a_file_are_kept_where_the_file_system_has_them() {
        use rustix::fs::{XattrFlags, getxattr, setxattr};
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::write(&old, "old").unwrap();
        let has_marks = setxattr(&old, "user.DOSATTRIB", b"0x22", XattrFlags::empty()).is_ok();
        Machine::default().write_new(&new, b"new", &Attributes { like: Some(old), modified: None }).unwrap();
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
        Machine::default().write_new(&new, b"new", &attributes).unwrap();
        assert_eq!(Disk.stat(&new).unwrap().unwrap().modified, time);
        assert!(fs::metadata(&new).unwrap().permissions().readonly());
        assert!(Machine::default().write_new(&new, b"other", &Attributes::default()).is_err());
        assert_eq!(fs::read(&new).unwrap(), b"new");
    }
}
