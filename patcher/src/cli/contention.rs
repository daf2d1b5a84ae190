//! Switches for a target at which others are: runs, and programs that have its files open.

use std::time::Duration;

use crate::host::ForeignLock;
use crate::update::contention::{Contention, InUse};

/// Switches of every command that changes a target.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct ContentionArgs {
    /// How long to wait for another run to end, and for files that are in use
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    wait: u16,
    /// How long to wait for a service to stop or to start
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    service_wait: u16,
    /// Take the target from a run of another machine that is known to be dead
    #[arg(long)]
    break_lock: bool,
}

impl ContentionArgs {
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
