//! Services, registry and COM servers by the system's own calls, of this machine or another one.

use super::none::Nobody;
use super::{ComServers, Credentials, HostError, Registry, Server, Services};

/// Reaches the services of this machine.
pub(super) fn local_services() -> Result<Box<dyn Services>, HostError> {
    Ok(Box::new(Nobody))
}

/// Reaches the services of another machine.
pub(super) fn remote_services(
    _server: &Server,
    _credentials: &Credentials,
) -> Result<Box<dyn Services>, HostError> {
    Ok(Box::new(Nobody))
}

/// Reaches the registry of this machine.
pub(super) fn local_registry() -> Result<Box<dyn Registry>, HostError> {
    Ok(Box::new(Nobody))
}

/// Reaches the registry of another machine.
pub(super) fn remote_registry(
    _server: &Server,
    _credentials: &Credentials,
) -> Result<Box<dyn Registry>, HostError> {
    Ok(Box::new(Nobody))
}

/// Reaches the COM servers of this machine.
pub(super) fn local_com_servers() -> Box<dyn ComServers> {
    Box::new(Nobody)
}
