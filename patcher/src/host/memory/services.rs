//! Services of a machine in memory: prompt, slow, stubborn, dependent on one another.

use std::collections::BTreeMap;
use std::io;

use super::{Memory, Need};
use crate::host::{HostError, HostErrorKind, Service, ServiceStart, ServiceState, Services};

/// How a service takes what it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Conduct {
    /// It does it at once.
    #[default]
    Prompt,
    /// It does it after somebody has looked so many times.
    Slow(u32),
    /// It refuses.
    Refuses,
    /// It agrees and never does it.
    Hangs,
}

/// A service in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct MemoryService {
    state: ServiceState,
    /// What it is when the machine has started.
    at_start: ServiceState,
    start: ServiceStart,
    needs: Vec<String>,
    conduct: Conduct,
    /// Looks that it still takes until it has done what it was asked.
    pending: u32,
}

impl Memory {
    /// Gives the machine a service, which is in this state whenever the machine has started.
    pub fn put_service(&self, name: &str, state: ServiceState) {
        self.put_dependent_service(name, state, &[]);
    }

    /// Gives the machine a service that needs others to run.
    pub fn put_dependent_service(&self, name: &str, state: ServiceState, needs: &[&str]) {
        let service = MemoryService {
            state,
            at_start: state,
            start: ServiceStart::Automatic,
            needs: needs.iter().map(|name| (*name).to_owned()).collect(),
            conduct: Conduct::Prompt,
            pending: 0,
        };
        self.services.borrow_mut().insert(name.to_owned(), service);
    }

    /// Says how a service takes what it is asked.
    pub fn set_conduct(&self, name: &str, conduct: Conduct) {
        if let Some(service) = self.services.borrow_mut().get_mut(name) {
            service.conduct = conduct;
            service.pending = 0;
        }
    }

    /// Says whether a service is started by the system.
    pub fn set_start(&self, name: &str, start: ServiceStart) {
        if let Some(service) = self.services.borrow_mut().get_mut(name) {
            service.start = start;
        }
    }

    /// Returns the state of every service.
    pub fn services(&self) -> BTreeMap<String, ServiceState> {
        self.services.borrow().iter().map(|(name, service)| (name.clone(), service.state)).collect()
    }

    /// Brings every service into the state that it has when the machine has started.
    pub(super) fn start_services(&self) {
        for service in self.services.borrow_mut().values_mut() {
            service.state = service.at_start;
            service.pending = 0;
        }
    }

    fn control(&self, action: &'static str, name: &str, state: ServiceState) -> Result<(), HostError> {
        let error = |source| HostErrorKind::Service { action, service: name.to_owned(), source }.into();
        self.step(action, name, Need::Nothing).map_err(error)?;
        let mut services = self.services.borrow_mut();
        let runs =
            |name: &String| services.get(name).is_none_or(|needed| needed.state == ServiceState::Running);
        let needs = services.get(name).map(|service| service.needs.clone()).unwrap_or_default();
        let dependents = running_dependents(&services, name);
        let is_possible = match state {
            ServiceState::Running => needs.iter().all(runs),
            _ => dependents.is_empty(),
        };
        let Some(service) = services.get_mut(name) else { return Err(error(io::ErrorKind::NotFound.into())) };
        if service.state == state {
            return Ok(());
        }
        let is_disabled = state == ServiceState::Running && service.start == ServiceStart::Disabled;
        if !is_possible || is_disabled || service.conduct == Conduct::Refuses {
            return Err(error(io::Error::other("it refuses")));
        }
        let pending = match state {
            ServiceState::Running => ServiceState::Starting,
            _ => ServiceState::Stopping,
        };
        (service.state, service.pending) = match service.conduct {
            Conduct::Slow(looks) => (pending, looks),
            Conduct::Hangs => (pending, u32::MAX),
            Conduct::Prompt | Conduct::Refuses => (state, 0),
        };
        Ok(())
    }
}

/// Returns the services that need a service and do not rest, those first that nothing else needs.
fn running_dependents(services: &BTreeMap<String, MemoryService>, name: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (other, service) in services {
        if service.state != ServiceState::Stopped && service.needs.iter().any(|needed| needed == name) {
            for dependent in running_dependents(services, other).into_iter().chain([other.clone()]) {
                if !found.contains(&dependent) {
                    found.push(dependent);
                }
            }
        }
    }
    found
}

impl Services for Memory {
    fn service_names(&self) -> Result<Vec<String>, HostError> {
        Ok(self.services.borrow().keys().cloned().collect())
    }

    fn service(&self, name: &str) -> Result<Option<Service>, HostError> {
        let mut services = self.services.borrow_mut();
        if let Some(service) = services.get_mut(name) {
            service.pending =
                if service.pending == u32::MAX { u32::MAX } else { service.pending.saturating_sub(1) };
            service.state = match service.state {
                ServiceState::Starting if service.pending == 0 => ServiceState::Running,
                ServiceState::Stopping if service.pending == 0 => ServiceState::Stopped,
                other => other,
            };
        }
        let dependents = running_dependents(&services, name);
        let service = services.get(name);
        Ok(service.map(|service| Service { state: service.state, start: service.start, dependents }))
    }

    fn stop_service(&self, name: &str) -> Result<(), HostError> {
        self.control("stop", name, ServiceState::Stopped)
    }

    fn start_service(&self, name: &str) -> Result<(), HostError> {
        self.control("start", name, ServiceState::Running)
    }
}
