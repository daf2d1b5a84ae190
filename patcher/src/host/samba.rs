//! Services and registry of another machine, through Samba's `net`.

use super::{Credentials, HostError, Registry, Server, Services};

/// Reaches the services of a machine.
pub(super) fn remote_services(
    server: &Server,
    _credentials: &Credentials,
) -> Result<Box<dyn Services>, HostError> {
    Err(HostError::Service {
        action: "reach",
        service: server.as_str().to_owned(),
        source: std::io::ErrorKind::Unsupported.into(),
    })
}

/// Reaches the registry of a machine.
pub(super) fn remote_registry(
    server: &Server,
    _credentials: &Credentials,
) -> Result<Box<dyn Registry>, HostError> {
    Err(HostError::Registry {
        action: "reach",
        what: server.as_str().to_owned(),
        source: std::io::ErrorKind::Unsupported.into(),
    })
}
