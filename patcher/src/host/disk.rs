//! The real file system and clock, to look at.
//!
//! What the standard library does not offer alike on every system is in one file for each (`system`).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

pub(super) mod lock;
#[cfg(unix)]
pub(super) mod unix;
#[cfg(windows)]
pub(super) mod windows;

#[cfg(unix)]
pub(super) use unix as system;
#[cfg(windows)]
pub(super) use windows as system;

use super::{Files, HostError, HostErrorKind, Kind, Stat, Volume};

/// The file system and clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Disk {
    /// Tells whether a folder is on another machine, as far as the system knows: by its path on Windows, or since its drive is one
    /// of another machine.
    pub fn is_share(self, folder: &Path) -> bool {
        system::is_share(folder)
    }
}

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
            return Err(HostErrorKind::TooLarge { path: path.to_owned(), limit }.into());
        }
        Ok(bytes)
    }

    fn volume(&self, folder: &Path) -> Result<Volume, HostError> {
        system::volume(folder).map_err(HostError::io("look at the volume of", folder))
    }

    fn may_write(&self, folder: &Path) -> Result<bool, HostError> {
        system::may_write(folder).map_err(HostError::io("look at the rights on", folder))
    }

    fn in_use(&self, path: &Path) -> Result<Option<String>, HostError> {
        system::in_use(path).map_err(HostError::io("look whether somebody uses", path))
    }

    fn users_of(&self, folder: &Path) -> Result<Vec<String>, HostError> {
        system::users_of(folder).map_err(HostError::io("look who uses", folder))
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
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
}
