//! Switches that say how the machine is reached whose files these are: its services and its registry.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::failure::Failure;
use super::line::Given;
use crate::exit::ExitCode;
use crate::host::{Credentials, Disk, InvalidBackend, Machine, RegistryAt, ServicesAt};
use crate::update::apply::Backends;
use crate::update::plan::{Control, Services};

/// Switches of every command that stops services or looks at a registry.
#[derive(Debug, Default)]
pub(super) struct MachineArgs {
    services: Option<ServicesWord>,
    registry: Option<RegistryAt>,
    credentials: Option<PathBuf>,
}

/// Who stops and starts services.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ServicesWord {
    /// The admin.
    Manual,
    /// A backend.
    At(ServicesAt),
}

impl FromStr for ServicesWord {
    type Err = InvalidBackend;

    fn from_str(text: &str) -> Result<Self, InvalidBackend> {
        if text == "manual" { Ok(Self::Manual) } else { text.parse().map(Self::At) }
    }
}

/// How the machine is reached.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    services: ServicesWord,
    pub(super) registry: RegistryAt,
    credentials: Credentials,
}

impl MachineArgs {
    pub(super) fn take(given: &mut Given) -> Result<Self, Failure> {
        let (services, registry) = (given.value("services")?, given.value("registry")?);
        Ok(Self { services, registry, credentials: given.path("credentials") })
    }

    /// Tells whether they leave it at this machine, or say so.
    pub(super) fn is_own(&self) -> bool {
        matches!(self.registry, None | Some(RegistryAt::Local))
            && !matches!(self.services, Some(ServicesWord::At(ServicesAt::Remote(_))))
    }

    /// Decides how the machine is reached: as the switches say, else as a run remembers it, else as it can be without a
    /// word, on a folder of this machine where it is a Windows. None stands for a switch that has to be given.
    pub(super) fn reach(
        &self,
        target: &Path,
        recorded: Option<&Backends>,
    ) -> (Option<Services>, Option<RegistryAt>, Reach) {
        let is_own = cfg!(windows) && !Disk.is_share(target);
        let of_run = recorded.and_then(|run| run.services.clone()).map(ServicesWord::At);
        let own_services = is_own.then_some(ServicesWord::At(ServicesAt::Local));
        let services = self.services.clone().or(of_run).or(own_services);
        let of_run = recorded.and_then(|run| run.registry.clone());
        let registry = self.registry.clone().or(of_run).or(is_own.then_some(RegistryAt::Local));
        let reach = Reach {
            services: services.clone().unwrap_or(ServicesWord::At(ServicesAt::Nobody)),
            registry: registry.clone().unwrap_or(RegistryAt::Nowhere),
            credentials: self.credentials.clone(),
        };
        let services = services.map(|services| match services {
            ServicesWord::Manual => Services::Manual,
            ServicesWord::At(ServicesAt::Nobody) => Services::None,
            ServicesWord::At(ServicesAt::Local | ServicesAt::Remote(_)) => Services::Controlled,
        });
        (services, registry, reach)
    }
}

impl Reach {
    /// Reaches the machine.
    pub(super) fn machine(&self) -> Result<Machine, Failure> {
        let services = self.services_at().unwrap_or(ServicesAt::Nobody);
        Ok(Machine::open(&services, &self.registry, &self.credentials)?)
    }

    fn services_at(&self) -> Option<ServicesAt> {
        match &self.services {
            ServicesWord::Manual | ServicesWord::At(ServicesAt::Nobody) => None,
            ServicesWord::At(at) => Some(at.clone()),
        }
    }

    /// Returns what a run's journal is to remember: where it can be reached again, from any folder.
    pub(super) fn backends(&self) -> Backends {
        let registry = match &self.registry {
            RegistryAt::Nowhere => None,
            RegistryAt::File(path) => {
                Some(RegistryAt::File(std::path::absolute(path).unwrap_or_else(|_| path.clone())))
            }
            RegistryAt::Local | RegistryAt::Remote(_) => Some(self.registry.clone()),
        };
        Backends { services: self.services_at(), registry }
    }

    /// Returns what an update does with the registry: where it is only in a file there is nothing to be recorded.
    pub(super) fn registry_control(&self) -> Control {
        match self.registry {
            RegistryAt::Nowhere => Control::None,
            RegistryAt::File(_) => Control::Look,
            RegistryAt::Local | RegistryAt::Remote(_) => Control::Change,
        }
    }

    /// Returns what an update does with COM servers, which only their own machine registers.
    pub(super) fn com_control(&self) -> Control {
        if self.registry == RegistryAt::Local { Control::Change } else { Control::None }
    }
}

/// Makes the failure of a switch that has to be given.
pub(super) fn bad_command(message: impl Into<String>) -> Failure {
    Failure::new(ExitCode::BadCommandLine, message.into())
}
