//! Switches for a target at which others are: runs, and programs that have its files open.

use std::time::Duration;

use super::failure::Failure;
use super::line::Given;
use crate::host::ForeignLock;
use crate::update::contention::{Contention, InUse};

/// Switches of every command that changes a target.
#[derive(Debug)]
pub(super) struct ContentionArgs {
    wait: u16,
    service_wait: u16,
    break_lock: bool,
}

impl ContentionArgs {
    pub(super) fn take(given: &mut Given) -> Result<Self, Failure> {
        let (wait, service_wait) = (given.required_number("wait")?, given.required_number("service-wait")?);
        Ok(Self { wait, service_wait, break_lock: given.is_set("break-lock") })
    }

    /// Returns what they mean for a run that does this about files in use.
    pub(super) fn contention(&self, in_use: InUse) -> Contention {
        Contention {
            patience: Duration::from_secs(self.wait.into()),
            service_patience: Duration::from_secs(self.service_wait.into()),
            foreign_lock: if self.break_lock { ForeignLock::Break } else { ForeignLock::Respect },
            in_use,
        }
    }
}
