//! The ports through which every effect passes, and their backends.
//!
//! Nothing above this layer touches the system. [`Files`] looks and never changes anything; functions that only
//! decide take that half. [`Host`] acts; every method of it is one effect that tests can observe, fail, or
//! kill before and after. Each says what is durable when it returns `Ok`: what the journal's invariants
//! (see `update::journal`) stand on. [`Services`], [`Registry`] and [`ComServers`] are of the machine whose files these
//! are, which may be another one than the program runs on.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::chain::error_of_kinds;
use crate::registry::{RegistryKey, RegistryValue};

mod backend;
mod disk;
mod machine;
mod memory;
mod none;
mod registry_file;
#[cfg(unix)]
mod samba;
#[cfg(windows)]
mod windows;

pub use backend::{Credentials, InvalidBackend, RegistryAt, Server, ServicesAt};
pub use disk::Disk;
pub use machine::Machine;
pub use memory::{Conduct, Fault, Memory};

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, junction, device or anything else that is never followed or replaced.
    Other,
}

/// What is known of a path without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Size in bytes of a file.
    pub size: u64,
    /// When it was last written.
    pub modified: SystemTime,
    /// Whether nobody may write to it, by its own permissions.
    pub read_only: bool,
}

/// Attributes for a new file.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// A file whose permissions (and owner, where the system has one) the new file gets.
    pub like: Option<PathBuf>,
    /// When it shall seem to have been written; none: now.
    pub modified: Option<SystemTime>,
}

/// The volume that a folder is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume {
    /// A number that no other volume has; none where the system gives none.
    pub id: Option<u64>,
    /// Bytes that this user may still write; none where the system does not tell.
    pub free: Option<u64>,
}

/// Whether a service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceState {
    /// It runs, or is paused.
    Running,
    /// It does not.
    Stopped,
    /// It is about to run.
    Starting,
    /// It is about to stop.
    Stopping,
}

/// Whether a service is started by the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceStart {
    /// With the system.
    Automatic,
    /// When it is asked for.
    Manual,
    /// Never: once it is stopped it cannot be started.
    Disabled,
}

/// What is known of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// Whether it runs.
    pub state: ServiceState,
    /// Whether the system starts it.
    pub start: ServiceStart,
    /// Services that depend on it, directly or not, and do not rest, by key name, in the order in which they must be
    /// stopped before it.
    pub dependents: Vec<String>,
}

/// What to do about a lock whose holder is on another machine, where the share does not tell whether it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignLock {
    /// Take it for held.
    Respect,
    /// Break it: the user knows that the holder is dead.
    Break,
}

error_of_kinds!(
    /// An effect or a look that failed, with its path.
    HostError,
    HostErrorKind
);

/// What failed.
#[derive(thiserror::Error)]
pub enum HostErrorKind {
    /// The system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is larger than this program reads.
    #[error("{} is larger than the {limit} bytes this program reads", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// A service does not do what it is asked.
    #[error("cannot {action} the service {service}")]
    Service {
        /// What was tried, as a verb.
        action: &'static str,
        /// The service.
        service: String,
        /// What the system said.
        source: io::Error,
    },
    /// The registry cannot be read or written.
    #[error("cannot {action} the registry's {what}")]
    Registry {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which key or value.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A COM server does not register.
    #[error("cannot {action} the COM server {}", path.display())]
    Component {
        /// What was tried, as a verb.
        action: &'static str,
        /// Its file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody keeps a file from being replaced.
    #[error("{} is in use by {holder}", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
        /// Who has it open.
        holder: String,
    },
    /// Another run holds the target.
    #[error("{} is held by another run: {holder}", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What that run says of itself.
        holder: String,
    },
}

/// What a refusal of the system comes to for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No space left.
    DiskFull,
    /// No permission, or a read-only file system.
    AccessDenied,
    /// Somebody has the file open.
    InUse,
    /// Another run holds the target.
    Busy,
    /// Anything else.
    Other,
}

impl Trouble {
    /// Tells what an error of the system comes to.
    pub fn of(error: &io::Error) -> Self {
        /// `ERROR_SHARING_VIOLATION` and `ERROR_LOCK_VIOLATION`.
        const SHARING: [i32; 2] = [32, 33];
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::AccessDenied,
            io::ErrorKind::ResourceBusy | io::ErrorKind::ExecutableFileBusy => Self::InUse,
            _ if cfg!(windows) && error.raw_os_error().is_some_and(|code| SHARING.contains(&code)) => {
                Self::InUse
            }
            _ => Self::Other,
        }
    }
}

impl HostError {
    /// Tells whether somebody keeps a file from being replaced.
    pub fn is_in_use(&self) -> bool {
        matches!(self.kind(), HostErrorKind::InUse { .. })
    }

    /// Tells whether another run holds the target.
    pub fn is_held(&self) -> bool {
        matches!(self.kind(), HostErrorKind::Held { .. })
    }

    /// Tells what the refusal comes to.
    pub fn trouble(&self) -> Trouble {
        match self.kind() {
            HostErrorKind::Io { source, .. }
            | HostErrorKind::Service { source, .. }
            | HostErrorKind::Registry { source, .. }
            | HostErrorKind::Component { source, .. } => Trouble::of(source),
            HostErrorKind::InUse { .. } => Trouble::InUse,
            HostErrorKind::TooLarge { .. } => Trouble::Other,
            HostErrorKind::Held { .. } => Trouble::Busy,
        }
    }

    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| HostErrorKind::Io { action, path: path.to_owned(), source }.into()
    }
}

/// A held lock; released when dropped.
pub trait Lock {}

/// The half that looks.
pub trait Files {
    /// Tells what stands at `path`, without following a link there; none if nothing does.
    fn stat(&self, path: &Path) -> Result<Option<Stat>, HostError>;

    /// Returns the names in a folder, sorted. Names that are no Unicode are left out: no target path is one.
    fn list(&self, folder: &Path) -> Result<Vec<String>, HostError>;

    /// Reads a file of at most `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, HostError>;

    /// Tells of the volume that an existing folder is on.
    fn volume(&self, folder: &Path) -> Result<Volume, HostError>;

    /// Tells whether this user may make files in an existing folder; yes, where the system cannot tell.
    fn may_write(&self, folder: &Path) -> Result<bool, HostError>;

    /// Tells who keeps an existing file from being replaced; none if nobody does, or if the system cannot tell.
    fn in_use(&self, path: &Path) -> Result<Option<String>, HostError>;

    /// Returns the programs that have a file of a folder, or of a folder below it, loaded, as people know them; none if the
    /// system cannot tell.
    fn users_of(&self, folder: &Path) -> Result<Vec<String>, HostError>;

    /// Returns the time.
    fn now(&self) -> SystemTime;
}

/// The services of the machine whose files these are.
pub trait Services {
    /// Returns the key names of all services.
    fn service_names(&self) -> Result<Vec<String>, HostError>;

    /// Tells of a service; none if the machine has no service of that key name.
    fn service(&self, name: &str) -> Result<Option<Service>, HostError>;

    /// Asks a service to stop, which it does by and by. One that rests already is no error.
    fn stop_service(&self, name: &str) -> Result<(), HostError>;

    /// Asks a service to start, which it does by and by. One that runs already is no error.
    fn start_service(&self, name: &str) -> Result<(), HostError>;
}

/// The registry of the machine whose files these are, as a 32-bit program sees it.
///
/// Names ignore case. Where Windows is a 64-bit one, a key of `SOFTWARE` is the one that [`RegistryKey::redirected`] names.
pub trait Registry {
    /// Returns a value; none if there is no such value, or no such key.
    fn value(&self, key: &RegistryKey, name: &str) -> Result<Option<RegistryValue>, HostError>;

    /// Tells whether there is such a key.
    fn has_key(&self, key: &RegistryKey) -> Result<bool, HostError>;

    /// Sets a value, making its key and those above it where they are missing. Durable when it returns.
    fn set_value(&self, key: &RegistryKey, name: &str, value: &RegistryValue) -> Result<(), HostError>;

    /// Removes a value; one that is absent is no error. Durable when it returns.
    fn remove_value(&self, key: &RegistryKey, name: &str) -> Result<(), HostError>;

    /// Removes a key in which nothing is; one that is absent, or holds something, is left alone. Durable when it returns.
    fn remove_key(&self, key: &RegistryKey) -> Result<(), HostError>;
}

/// Returns Windows' word for the processor of a machine, as its registry keeps the environment variable; none if it does not.
pub fn processor(registry: &dyn Registry) -> Result<Option<String>, HostError> {
    const ENVIRONMENT: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment";
    let Ok(key) = ENVIRONMENT.parse() else { return Ok(None) };
    Ok(registry.value(&key, "PROCESSOR_ARCHITECTURE")?.and_then(|value| value.as_text()))
}

/// The COM servers of the machine whose files these are.
pub trait ComServers {
    /// Has a COM server register itself; one that is registered already is no error.
    fn register(&self, path: &Path) -> Result<(), HostError>;

    /// Has a COM server remove its registration.
    fn unregister(&self, path: &Path) -> Result<(), HostError>;
}

/// The half that acts.
pub trait Host: Files + Services + Registry + ComServers {
    /// Makes a folder whose parent exists. Durable after [`Host::sync_folder`] of the parent.
    fn create_folder(&self, path: &Path) -> Result<(), HostError>;

    /// Makes a new file; fails if there is one. Content and attributes are durable when it returns, the name
    /// after [`Host::sync_folder`] of the parent. On failure a partial file may be left.
    fn write_new(&self, path: &Path, bytes: &[u8], attributes: &Attributes) -> Result<(), HostError>;

    /// Cuts the file at `at`, or makes it, and writes `bytes` there. Durable when it returns, but for a new name.
    fn append(&self, path: &Path, at: u64, bytes: &[u8]) -> Result<(), HostError>;

    /// Adds a line to a log, making the file if need be. Not durable.
    fn log(&self, path: &Path, line: &str) -> Result<(), HostError>;

    /// Renames a file within a volume, replacing what is there, or a folder to a free name. Durable after
    /// [`Host::sync_folder`].
    fn rename(&self, from: &Path, to: &Path) -> Result<(), HostError>;

    /// Has the system rename a file at its next start, before anything can use either; durable when it returns.
    ///
    /// A file that is not there then is left out: removing it takes the order back.
    fn rename_at_restart(&self, from: &Path, to: &Path) -> Result<(), HostError>;

    /// Removes a file. Durable after [`Host::sync_folder`].
    fn remove_file(&self, path: &Path) -> Result<(), HostError>;

    /// Removes an empty folder. Durable after [`Host::sync_folder`] of its parent.
    fn remove_folder(&self, path: &Path) -> Result<(), HostError>;

    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> Result<(), HostError>;

    /// Takes the lock at `path`, which nobody else then can; they are told who holds it, and since when.
    ///
    /// A lock whose holder is dead is taken over, where that can be known or the user says so.
    fn lock(&self, path: &Path, foreign: ForeignLock) -> Result<Box<dyn Lock>, HostError>;

    /// Waits.
    fn pause(&self, time: Duration);
}
