//! Which backend serves a port, as the user names it on the command line and a journal remembers it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

#[cfg(unix)]
use super::ComServers;
use super::none::Nobody;
use super::{HostError, Machine, Registry, Services};
use crate::chain::debug_as_shown;

/// The name of a machine on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server(String);

/// Who controls services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServicesAt {
    /// Nobody.
    Nobody,
    /// The service control manager of this machine (`scm`).
    Local,
    /// That of another machine (`rpc:SERVER`).
    Remote(Server),
}

/// Where the registry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryAt {
    /// Nowhere: it is not looked at (`none`).
    Nowhere,
    /// On this machine (`live`).
    Local,
    /// On another machine (`rpc:SERVER`).
    Remote(Server),
    /// In a file: an export (`.reg`) or a hive (`SOFTWARE`), told apart by their contents.
    File(PathBuf),
}

/// A file with user, password and domain for other machines, in the form of `smbclient -A`; none: as the user of this process.
pub type Credentials = Option<PathBuf>;

/// A text that names no backend.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} names no backend: {wanted}")]
pub struct InvalidBackend {
    found: String,
    wanted: &'static str,
}

debug_as_shown!(InvalidBackend);

impl Server {
    /// Returns the name, without backslashes before it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Server {
    type Err = InvalidBackend;

    fn from_str(text: &str) -> Result<Self, InvalidBackend> {
        let name = text.trim_start_matches('\\');
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        if (1..=255).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(is_plain) {
            return Ok(Self(name.to_owned()));
        }
        let found = text.chars().take(80).collect();
        Err(InvalidBackend { found, wanted: "rpc: is followed by the name or address of a machine" })
    }
}

impl FromStr for ServicesAt {
    type Err = InvalidBackend;

    fn from_str(text: &str) -> Result<Self, InvalidBackend> {
        match text.strip_prefix("rpc:") {
            Some(server) => Ok(Self::Remote(server.parse()?)),
            None if text == "scm" => Ok(Self::Local),
            None if text == "none" => Ok(Self::Nobody),
            None => Err(InvalidBackend {
                found: text.chars().take(80).collect(),
                wanted: "scm, rpc:SERVER or none are wanted",
            }),
        }
    }
}

impl FromStr for RegistryAt {
    type Err = InvalidBackend;

    fn from_str(text: &str) -> Result<Self, InvalidBackend> {
        match text.strip_prefix("rpc:") {
            Some(server) => Ok(Self::Remote(server.parse()?)),
            None if text == "live" => Ok(Self::Local),
            None if text == "none" => Ok(Self::Nowhere),
            None if text.is_empty() => Err(InvalidBackend {
                found: String::new(),
                wanted: "live, none, rpc:SERVER, an export (FILE.reg) or a hive are wanted",
            }),
            None => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

impl fmt::Display for ServicesAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("none"),
            Self::Local => f.write_str("scm"),
            Self::Remote(server) => write!(f, "rpc:{}", server.as_str()),
        }
    }
}

impl fmt::Display for RegistryAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str("none"),
            Self::Local => f.write_str("live"),
            Self::Remote(server) => write!(f, "rpc:{}", server.as_str()),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl ServicesAt {
    /// Reaches the services.
    pub fn open(&self, credentials: &Credentials) -> Result<Box<dyn Services>, HostError> {
        match self {
            Self::Nobody => Ok(Box::new(Nobody)),
            Self::Local => local_services(),
            Self::Remote(server) => remote_services(server, credentials),
        }
    }
}

impl RegistryAt {
    /// Reaches the registry.
    pub fn open(&self, credentials: &Credentials) -> Result<Box<dyn Registry>, HostError> {
        match self {
            Self::Nowhere => Ok(Box::new(Nobody)),
            Self::Local => local_registry(),
            Self::Remote(server) => remote_registry(server, credentials),
            Self::File(path) => Ok(Box::new(super::registry_file::RegistryFile::open(path)?)),
        }
    }
}

impl Machine {
    /// Reaches a machine by these backends. COM servers are registered where the registry is this machine's own.
    pub fn open(
        services: &ServicesAt,
        registry: &RegistryAt,
        credentials: &Credentials,
    ) -> Result<Self, HostError> {
        let com_servers = match registry {
            RegistryAt::Local => local_com_servers(),
            RegistryAt::Nowhere | RegistryAt::Remote(_) | RegistryAt::File(_) => Box::new(Nobody),
        };
        Ok(Self::new(services.open(credentials)?, registry.open(credentials)?, com_servers))
    }
}

#[cfg(windows)]
use super::windows::{local_com_servers, local_registry, local_services, remote_registry, remote_services};

#[cfg(unix)]
use super::{
    HostErrorKind,
    samba::{remote_registry, remote_services},
};

#[cfg(unix)]
fn local_services() -> Result<Box<dyn Services>, HostError> {
    Err(HostErrorKind::Service {
        action: "reach",
        service: "control manager".to_owned(),
        source: only_windows(),
    }
    .into())
}

#[cfg(unix)]
fn local_registry() -> Result<Box<dyn Registry>, HostError> {
    Err(HostErrorKind::Registry { action: "open", what: "live keys".to_owned(), source: only_windows() }
        .into())
}

#[cfg(unix)]
fn local_com_servers() -> Box<dyn ComServers> {
    Box::new(Nobody)
}

#[cfg(unix)]
fn only_windows() -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::Unsupported,
        "this machine is no Windows: name another one by rpc:SERVER, or a registry file",
    )
}
