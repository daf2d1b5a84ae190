//! Backends for what is not controlled: services by the admin, a registry that is not looked at.

use std::io;
use std::path::Path;

use super::{ComServers, HostError, HostErrorKind, Registry, Service, Services};
use crate::registry::{RegistryKey, RegistryValue};

/// Nobody controls anything: there is no service and no registry value, and none can be changed.
///
/// A plan asks for nothing of it that is not there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nobody;

fn uncontrolled() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "nothing says how to reach it")
}

impl Nobody {
    fn service_error(action: &'static str, service: &str) -> HostError {
        HostErrorKind::Service { action, service: service.to_owned(), source: uncontrolled() }.into()
    }

    fn registry_error(action: &'static str, key: &RegistryKey) -> HostError {
        HostErrorKind::Registry { action, what: key.to_string(), source: uncontrolled() }.into()
    }

    fn component_error(action: &'static str, path: &Path) -> HostError {
        HostErrorKind::Component { action, path: path.to_owned(), source: uncontrolled() }.into()
    }
}

impl Services for Nobody {
    fn service_names(&self) -> Result<Vec<String>, HostError> {
        Ok(Vec::new())
    }

    fn service(&self, _name: &str) -> Result<Option<Service>, HostError> {
        Ok(None)
    }

    fn stop_service(&self, name: &str) -> Result<(), HostError> {
        Err(Self::service_error("stop", name))
    }

    fn start_service(&self, name: &str) -> Result<(), HostError> {
        Err(Self::service_error("start", name))
    }
}

impl Registry for Nobody {
    fn value(&self, _key: &RegistryKey, _name: &str) -> Result<Option<RegistryValue>, HostError> {
        Ok(None)
    }

    fn has_key(&self, _key: &RegistryKey) -> Result<bool, HostError> {
        Ok(false)
    }

    fn set_value(&self, key: &RegistryKey, _name: &str, _value: &RegistryValue) -> Result<(), HostError> {
        Err(Self::registry_error("write to", key))
    }

    fn remove_value(&self, key: &RegistryKey, _name: &str) -> Result<(), HostError> {
        Err(Self::registry_error("remove from", key))
    }

    fn remove_key(&self, key: &RegistryKey) -> Result<(), HostError> {
        Err(Self::registry_error("remove", key))
    }
}

impl ComServers for Nobody {
    fn register(&self, path: &Path) -> Result<(), HostError> {
        Err(Self::component_error("register", path))
    }

    fn unregister(&self, path: &Path) -> Result<(), HostError> {
        Err(Self::component_error("unregister", path))
    }
}
