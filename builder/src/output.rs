//! The finished file: under its name only when it is whole and checked.
//!
//! A file is written beside its final place as `NAME.partial`, made durable, checked by the caller, and renamed.
//! At any moment `NAME` is absent, the former file, or the new one. Whatever ends the command before the rename
//! removes the partial file, except a kill: then the next run overwrites it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be {action}")]
pub struct OutputError {
    path: String,
    action: &'static str,
    /// What the system said.
    pub source: io::Error,
}

impl OutputError {
    fn new(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self { path: path.display().to_string(), action, source }
    }
}

/// A file that has not got its name yet; removed when dropped.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    target: PathBuf,
}

impl Partial {
    /// Writes `bytes` beside `target` and makes them durable.
    pub fn write(target: &Path, bytes: &[u8]) -> Result<Self, OutputError> {
        let mut name = target.file_name().map_or_else(OsString::new, OsString::from);
        name.push(".partial");
        let path = target.with_file_name(name);
        let fail = |action| {
            let path = path.clone();
            move |source| OutputError::new(&path, action, source)
        };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail("replaced")(error)),
            _ => {}
        }
        // Never through a link that another put there.
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(fail("created"))?;
        let partial = Self { path: path.clone(), target: target.to_owned() };
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fail("written"))?;
        Ok(partial)
    }

    /// Opens what was written.
    pub fn open(&self) -> Result<File, OutputError> {
        File::open(&self.path).map_err(|source| OutputError::new(&self.path, "opened again", source))
    }

    /// Gives the file its name, in the place of a former one.
    pub fn publish(self) -> Result<(), OutputError> {
        fs::rename(&self.path, &self.target)
            .and_then(|()| sync_folder(&self.target))
            .map_err(|source| OutputError::new(&self.target, "put in its place", source))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone after a rename; what cannot be removed is overwritten by the next run.
        drop(fs::remove_file(&self.path));
    }
}

/// Makes the names in the folder of `path` durable, where the system can.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_taken_only_at_the_end() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("Q1.zip");
        fs::write(&target, b"old").unwrap();
        let partial = Partial::write(&target, b"new").unwrap();
        assert!(temp.path().join("Q1.zip.partial").exists());
        assert_eq!(fs::read(&target).unwrap(), b"old");
        partial.publish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert!(!temp.path().join("Q1.zip.partial").exists());
    }

    #[test]
    fn what_is_not_published_leaves_nothing_behind() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("Q1.zip");
        fs::write(temp.path().join("Q1.zip.partial"), b"of a killed run").unwrap();
        drop(Partial::write(&target, b"new").unwrap());
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[test]
    fn errors_name_the_path() {
        let error = Partial::write(Path::new("/no/such/folder/Q1.zip"), b"").unwrap_err();
        assert!(error.to_string().contains("/no/such/folder/Q1.zip.partial"), "{error}");
    }
}
