//! Others at the target: the lock that keeps other runs away, and the wait for files that are in use.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::UpdateError;
use super::plan::users_among;
use super::state::LOCK_NAME;
use super::target::TargetRoot;
use crate::host::{ForeignLock, Host, HostError, HostErrorKind, Lock};

/// Between two looks at what is waited for.
pub(super) const INTERVAL: Duration = Duration::from_millis(250);

/// How a run deals with others at the target.
#[derive(Clone, Copy, Debug)]
pub struct Contention {
    /// How long it waits for another run to end, and for files to be let go.
    pub patience: Duration,
    /// How long it waits for a service to stop or to start.
    pub service_patience: Duration,
    /// What it does about a lock of another machine that may be dead.
    pub foreign_lock: ForeignLock,
    /// What it does about files that stay in use.
    pub in_use: InUse,
}

/// What is done about files that stay in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InUse {
    /// The run is refused.
    Refuse,
    /// All files are replaced at the next start of the system.
    Schedule,
}

impl Contention {
    /// Takes the one lock of a target.
    pub(super) fn lock(&self, host: &dyn Host, target: TargetRoot<'_>) -> Result<Box<dyn Lock>, UpdateError> {
        let path = target.path().join(LOCK_NAME);
        let is_held = |result: &Result<_, HostError>| result.as_ref().is_err_and(HostError::is_held);
        Ok(self.wait(host, || host.lock(&path, self.foreign_lock), is_held)?)
    }

    /// Waits until nobody keeps any of the files from being replaced, or tells who does.
    pub(super) fn wait_for(&self, host: &dyn Host, files: &[PathBuf]) -> Result<(), HostError> {
        let is_in_use = |result: &Result<_, HostError>| result.as_ref().is_err_and(HostError::is_in_use);
        self.wait(host, || files.iter().try_for_each(|path| require_free(host, path)), is_in_use)
    }

    /// Waits until none of these programs has a file of the target loaded, or tells which does.
    pub(super) fn wait_for_programs(
        &self,
        host: &dyn Host,
        target: TargetRoot<'_>,
        programs: &[String],
    ) -> Result<(), HostError> {
        let look = || match programs {
            [] => Ok::<_, HostError>(Vec::new()),
            _ => Ok(users_among(&host.users_of(target.path())?, programs)),
        };
        let holders = self.wait(host, look, |users| users.as_ref().is_ok_and(|users| !users.is_empty()))?;
        match holders.as_slice() {
            [] => Ok(()),
            _ => Err(in_use(target.path(), holders.join(", "))),
        }
    }

    /// Tries again as long as `goes_on` says so and patience lasts.
    fn wait<T>(&self, host: &dyn Host, attempt: impl Fn() -> T, goes_on: impl Fn(&T) -> bool) -> T {
        let mut waited = Duration::ZERO;
        loop {
            let result = attempt();
            if !goes_on(&result) || waited >= self.patience {
                return result;
            }
            host.pause(INTERVAL);
            waited += INTERVAL;
        }
    }
}

fn require_free(host: &dyn Host, path: &Path) -> Result<(), HostError> {
    match host.in_use(path)? {
        None => Ok(()),
        Some(holder) => Err(in_use(path, holder)),
    }
}

fn in_use(path: &Path, holder: String) -> HostError {
    HostErrorKind::InUse { path: path.to_owned(), holder }.into()
}
