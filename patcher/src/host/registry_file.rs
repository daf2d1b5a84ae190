//! A registry in a file: an export (`.reg`) or a hive, told apart by their contents.
//!
//! A file that has `SOFTWARE\Wow6432Node` is of a 64-bit Windows, where the keys of `SOFTWARE` that a 32-bit program sees are
//! below that.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use super::{Attributes, Disk, Files, Host, HostError, HostErrorKind, Machine, Registry};
use crate::registry::export::Export;
use crate::registry::hive::Hive;
use crate::registry::{BadFile, Change, RegistryKey, RegistryValue, Result};

/// Largest file, in bytes: a hive of this size is that of a server with tens of thousands of COM classes.
const LIMIT: u64 = 128 << 20;

/// A registry in a file.
#[derive(Debug)]
pub(super) struct RegistryFile {
    path: PathBuf,
    contents: RefCell<Contents>,
}

#[derive(Debug)]
enum Contents {
    Export(Export),
    Hive(Hive),
}

impl Contents {
    fn read(bytes: &[u8]) -> Result<Self> {
        if Hive::is_hive(bytes) {
            return Hive::read(bytes.to_vec()).map(Self::Hive);
        }
        Export::read(bytes).map(Self::Export)
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Export(export) => export.to_bytes(),
            Self::Hive(hive) => hive.into_bytes(),
        }
    }

    fn value(&self, key: &RegistryKey, name: &str) -> Result<Option<RegistryValue>> {
        match self {
            Self::Export(export) => export.value(key, name),
            Self::Hive(hive) => hive.value(key, name),
        }
    }

    fn has_key(&self, key: &RegistryKey) -> Result<bool> {
        match self {
            Self::Export(export) => export.has_key(key),
            Self::Hive(hive) => hive.has_key(key),
        }
    }

    /// Returns the key that a 32-bit program sees by the name of this one.
    fn seen(&self, key: &RegistryKey) -> Result<RegistryKey> {
        if let Some(redirected) = key.redirected()
            && self.has_key(&redirected.up_to(2))?
        {
            return Ok(redirected);
        }
        Ok(key.clone())
    }

    fn changed(self, key: &RegistryKey, change: &Change<'_>) -> Result<Self> {
        match self {
            Self::Export(mut export) => export.change(key, change).map(|()| Self::Export(export)),
            Self::Hive(hive) => hive.changed(key, change).map(Self::Hive),
        }
    }
}

impl RegistryFile {
    /// Opens the file. What somebody else writes to it later is seen by the next change only.
    pub(super) fn open(path: &Path) -> Result<Self, HostError> {
        let contents = read(path, &Disk.read(path, LIMIT)?)?;
        Ok(Self { path: path.to_owned(), contents: RefCell::new(contents) })
    }

    /// Changes the file as it is now.
    ///
    /// After a crash it is either the old or the new one, and a file beside it may be left, which the next change removes.
    fn change(&self, key: &RegistryKey, change: &Change<'_>) -> Result<(), HostError> {
        let before = Disk.read(&self.path, LIMIT)?;
        let contents = read(&self.path, &before)?;
        let seen = contents.seen(key).map_err(|bad| self.error("read", key, bad))?;
        let changed = contents.changed(&seen, change).map_err(|bad| self.error("write", key, bad))?;
        let after = changed.into_bytes();
        // It is no file before it can be read.
        let changed = read(&self.path, &after)?;
        if after != before {
            self.replace(&after)?;
        }
        // An earlier process may have been killed before it did.
        Machine::default().sync_folder(folder_of(&self.path))?;
        self.contents.replace(changed);
        Ok(())
    }

    fn error(&self, action: &'static str, key: &RegistryKey, bad: Box<BadFile>) -> HostError {
        registry_error(action, format!("{key} in {}", self.path.display()), bad)
    }

    /// Replaces the file; durable when its folder is.
    fn replace(&self, bytes: &[u8]) -> Result<(), HostError> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".qfe-new");
        let new = self.path.with_file_name(name);
        let machine = Machine::default();
        if machine.stat(&new)?.is_some() {
            machine.remove_file(&new)?;
        }
        let attributes = Attributes { like: Some(self.path.clone()), modified: None };
        let replaced =
            machine.write_new(&new, bytes, &attributes).and_then(|()| machine.rename(&new, &self.path));
        // On a share the old one was put there. It is no trouble where it stays.
        drop(machine.remove_file(&new.with_extension("replaced")));
        // The failure is what counts; what is left is removed by the next change.
        replaced.inspect_err(|_| drop(machine.remove_file(&new)))
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn read(path: &Path, bytes: &[u8]) -> Result<Contents, HostError> {
    Contents::read(bytes).map_err(|bad| registry_error("read", path.display().to_string(), bad))
}

fn registry_error(action: &'static str, what: String, bad: Box<BadFile>) -> HostError {
    HostErrorKind::Registry { action, what, source: io::Error::new(io::ErrorKind::InvalidData, bad) }.into()
}

impl Registry for RegistryFile {
    fn value(&self, key: &RegistryKey, name: &str) -> Result<Option<RegistryValue>, HostError> {
        let contents = self.contents.borrow();
        let value = contents.seen(key).and_then(|seen| contents.value(&seen, name));
        value.map_err(|bad| self.error("read", key, bad))
    }

    fn has_key(&self, key: &RegistryKey) -> Result<bool, HostError> {
        let contents = self.contents.borrow();
        let has_key = contents.seen(key).and_then(|seen| contents.has_key(&seen));
        has_key.map_err(|bad| self.error("read", key, bad))
    }

    fn set_value(&self, key: &RegistryKey, name: &str, value: &RegistryValue) -> Result<(), HostError> {
        self.change(key, &Change::SetValue(name, value))
    }

    fn remove_value(&self, key: &RegistryKey, name: &str) -> Result<(), HostError> {
        self.change(key, &Change::RemoveValue(name))
    }

    fn remove_key(&self, key: &RegistryKey) -> Result<(), HostError> {
        self.change(key, &Change::RemoveKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::hive::fixture;
    use std::fs;

    const EXPORT: &str =
        "REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SMS\\Setup]\r\n\"Type\"=dword:1\r\n";

    fn key(text: &str) -> RegistryKey {
        text.parse().unwrap()
    }

    fn chain(error: &HostError) -> String {
        let source = std::error::Error::source(error).unwrap();
        format!("{error}: {source}")
    }

    #[test]
    fn changes_are_in_the_file_and_seen_by_the_next_look() {
        let folder = tempfile::tempdir().unwrap();
        for (name, contents) in
            [("setup.reg", EXPORT.as_bytes()), ("SOFTWARE", &fixture::minimal(5, "SOFTWARE"))]
        {
            let path = folder.path().join(name);
            fs::write(&path, contents).unwrap();
            let setup = key(r"HKLM\SOFTWARE\Microsoft\SMS\Setup");
            let file = RegistryFile::open(&path).unwrap();
            let version = RegistryValue::text("2.00.1380.1000");
            file.set_value(&setup, "Full Version", &version).unwrap();
            file.set_value(&setup, "Type", &RegistryValue::number(2)).unwrap();
            for file in [file, RegistryFile::open(&path).unwrap()] {
                assert_eq!(file.value(&setup, "full version").unwrap(), Some(version.clone()));
                assert_eq!(file.value(&setup, "Type").unwrap(), Some(RegistryValue::number(2)));
                assert!(file.has_key(&setup).unwrap());
            }
        }
        let names: Vec<String> = Disk.list(folder.path()).unwrap();
        assert_eq!(names, ["SOFTWARE", "setup.reg"]);
    }

    #[test]
    fn two_that_have_a_file_open_do_not_undo_one_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("setup.reg");
        fs::write(&path, EXPORT).unwrap();
        let (one, other) = (RegistryFile::open(&path).unwrap(), RegistryFile::open(&path).unwrap());
        let setup = key(r"HKLM\SOFTWARE\Microsoft\SMS\Setup");
        one.set_value(&setup, "one", &RegistryValue::number(1)).unwrap();
        other.set_value(&setup, "other", &RegistryValue::number(2)).unwrap();
        assert_eq!(other.value(&setup, "one").unwrap(), Some(RegistryValue::number(1)));
        // Nothing to change, and the file of a killed process in the way.
        fs::write(folder.path().join("setup.reg.qfe-new"), "torn").unwrap();
        let before = fs::read(&path).unwrap();
        one.remove_value(&setup, "absent").unwrap();
        assert_eq!(fs::read(&path).unwrap(), before);
        one.remove_value(&setup, "one").unwrap();
        assert_eq!(Disk.list(folder.path()).unwrap(), ["setup.reg"]);
        one.remove_value(&setup, "other").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), EXPORT);
    }

    #[test]
    fn a_64_bit_windows_shows_its_32_bit_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("setup.reg");
        let (plain, node) = (key(r"HKLM\SOFTWARE\SMS"), key(r"HKLM\SOFTWARE\Wow6432Node\SMS"));
        let value = |number| format!("\"Type\"=dword:{number}\n");
        let one = format!("REGEDIT4\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\SMS]\n{}", value(1));
        fs::write(&path, &one).unwrap();
        let file = RegistryFile::open(&path).unwrap();
        assert_eq!(file.value(&plain, "Type").unwrap(), Some(RegistryValue::number(1)));
        fs::write(&path, format!("{one}[HKEY_LOCAL_MACHINE\\SOFTWARE\\Wow6432Node]\n")).unwrap();
        let file = RegistryFile::open(&path).unwrap();
        assert_eq!(file.value(&plain, "Type").unwrap(), None);
        file.set_value(&plain, "Type", &RegistryValue::number(2)).unwrap();
        for key in [&plain, &node] {
            assert_eq!(file.value(key, "Type").unwrap(), Some(RegistryValue::number(2)), "{key}");
        }
        assert!(fs::read_to_string(&path).unwrap().contains(&value(1)));
    }

    #[test]
    fn a_file_that_is_neither_and_a_hive_of_another_part_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "WINE REGISTRY Version 2").unwrap();
        let error = chain(&RegistryFile::open(&path).unwrap_err());
        for part in [path.to_str().unwrap(), "WINE", "REGEDIT4", "regf"] {
            assert!(error.contains(part), "{error}");
        }
        fs::write(&path, fixture::minimal(5, "SYSTEM")).unwrap();
        let file = RegistryFile::open(&path).unwrap();
        let error = chain(&file.has_key(&key(r"HKLM\SOFTWARE\SMS")).unwrap_err());
        assert!(error.contains("the hive holds HKLM\\SYSTEM"), "{error}");
        assert!(RegistryFile::open(&folder.path().join("missing")).is_err());
    }
}
