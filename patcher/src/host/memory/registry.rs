//! Registry and COM servers of a machine in memory. What is set is durable at once, as the port asks.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::{Memory, Need};
use crate::host::{ComServers, HostError, HostErrorKind, Registry};
use crate::registry::{RegistryKey, RegistryValue};

/// Keys by their folded path, each with its values by their folded names.
pub(super) type Values = BTreeMap<String, BTreeMap<String, RegistryValue>>;

impl Memory {
    /// Sets a value, with its key.
    pub fn put_value(&self, key: &RegistryKey, name: &str, value: RegistryValue) {
        let mut values = self.values.borrow_mut();
        for key in lineage(key) {
            values.entry(key).or_default();
        }
        values.entry(fold(key)).or_default().insert(name.to_ascii_lowercase(), value);
    }

    /// Returns every key and value, names folded.
    pub fn values(&self) -> BTreeMap<String, BTreeMap<String, RegistryValue>> {
        self.values.borrow().clone()
    }

    /// Returns the files of the COM servers that are registered.
    pub fn com_servers(&self) -> BTreeSet<PathBuf> {
        self.com_servers.borrow().clone()
    }

    fn registry_step(&self, action: &'static str, what: String) -> Result<(), HostError> {
        self.step(action, &what, Need::Nothing)
            .map_err(|source| HostErrorKind::Registry { action, what, source }.into())
    }

    fn com_step(&self, action: &'static str, path: &Path) -> Result<(), HostError> {
        let error = |source| HostErrorKind::Component { action, path: path.to_owned(), source }.into();
        self.path_step(action, path, Need::Nothing).map_err(error)?;
        if self.disk.borrow().at(path).is_none() {
            return Err(error(io::ErrorKind::NotFound.into()));
        }
        Ok(())
    }
}

fn fold(key: &RegistryKey) -> String {
    key.to_string().to_ascii_lowercase()
}

/// Returns the folded paths of a key and of those above it.
fn lineage(key: &RegistryKey) -> Vec<String> {
    std::iter::successors(Some(key.clone()), RegistryKey::parent).map(|key| fold(&key)).collect()
}

impl Registry for Memory {
    fn value(&self, key: &RegistryKey, name: &str) -> Result<Option<RegistryValue>, HostError> {
        let values = self.values.borrow();
        Ok(values.get(&fold(key)).and_then(|key| key.get(&name.to_ascii_lowercase())).cloned())
    }

    fn has_key(&self, key: &RegistryKey) -> Result<bool, HostError> {
        Ok(self.values.borrow().contains_key(&fold(key)))
    }

    fn set_value(&self, key: &RegistryKey, name: &str, value: &RegistryValue) -> Result<(), HostError> {
        self.registry_step("write", format!("{key} {name}"))?;
        self.put_value(key, name, value.clone());
        Ok(())
    }

    fn remove_value(&self, key: &RegistryKey, name: &str) -> Result<(), HostError> {
        self.registry_step("remove", format!("{key} {name}"))?;
        if let Some(values) = self.values.borrow_mut().get_mut(&fold(key)) {
            values.remove(&name.to_ascii_lowercase());
        }
        Ok(())
    }

    fn remove_key(&self, key: &RegistryKey) -> Result<(), HostError> {
        self.registry_step("remove", key.to_string())?;
        let mut values = self.values.borrow_mut();
        let below = format!("{}\\", fold(key));
        let is_empty = values.get(&fold(key)).is_some_and(BTreeMap::is_empty);
        if is_empty && !values.keys().any(|other| other.starts_with(&below)) {
            values.remove(&fold(key));
        }
        Ok(())
    }
}

impl ComServers for Memory {
    fn register(&self, path: &Path) -> Result<(), HostError> {
        self.com_step("register", path)?;
        self.com_servers.borrow_mut().insert(path.to_owned());
        Ok(())
    }

    fn unregister(&self, path: &Path) -> Result<(), HostError> {
        self.com_step("unregister", path)?;
        self.com_servers.borrow_mut().remove(path);
        Ok(())
    }
}
