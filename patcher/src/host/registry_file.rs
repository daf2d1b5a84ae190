//! A registry in a file: an export (`.reg`) or a hive.

use std::path::{Path, PathBuf};

use super::{HostError, Registry};
use crate::registry::{RegistryKey, RegistryValue};

/// A registry in a file.
#[derive(Debug)]
pub(super) struct RegistryFile {
    path: PathBuf,
}

impl RegistryFile {
    /// Opens the file.
    pub(super) fn open(path: &Path) -> Result<Self, HostError> {
        Ok(Self { path: path.to_owned() })
    }

    fn unsupported(&self) -> HostError {
        HostError::Registry {
            action: "read",
            what: self.path.display().to_string(),
            source: std::io::ErrorKind::Unsupported.into(),
        }
    }
}

impl Registry for RegistryFile {
    fn value(&self, _key: &RegistryKey, _name: &str) -> Result<Option<RegistryValue>, HostError> {
        Err(self.unsupported())
    }

    fn has_key(&self, _key: &RegistryKey) -> Result<bool, HostError> {
        Err(self.unsupported())
    }

    fn set_value(&self, _key: &RegistryKey, _name: &str, _value: &RegistryValue) -> Result<(), HostError> {
        Err(self.unsupported())
    }

    fn remove_value(&self, _key: &RegistryKey, _name: &str) -> Result<(), HostError> {
        Err(self.unsupported())
    }

    fn remove_key(&self, _key: &RegistryKey) -> Result<(), HostError> {
        Err(self.unsupported())
    }
}
