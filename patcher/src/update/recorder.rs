//! What a run tells while it goes: to the caller, and to the log in the target.

use std::fmt;
use std::path::{Path, PathBuf};

use super::UpdateError;
use super::target::TargetRoot;
use crate::bundle::Made;
use crate::chain;
use crate::host::Host;
use crate::registry::RegistryKey;
use crate::target_path::TargetPath;
use crate::version::FileVersion;

/// Something that happened in a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// A new file is ready beside the target.
    Staged {
        /// Where it will go.
        to: &'a TargetPath,
        /// How it was made.
        made: Made,
    },
    /// A service takes its time.
    Waiting {
        /// Its name.
        service: &'a str,
        /// What it was asked to do, as a verb.
        action: &'static str,
        /// How long it has been waited for.
        seconds: u64,
    },
    /// A COM server's registration was removed.
    Unregistered(&'a TargetPath),
    /// A COM server was registered.
    Registered(&'a TargetPath),
    /// A registry value was set.
    ValueSet {
        /// Its key.
        key: &'a RegistryKey,
        /// Its name.
        name: &'a str,
    },
    /// A registry value is as it was.
    ValuePutBack {
        /// Its key.
        key: &'a RegistryKey,
        /// Its name.
        name: &'a str,
    },
    /// A service was stopped.
    Stopped(&'a str),
    /// A service was started.
    Started(&'a str),
    /// A file will be replaced at the next start of the system.
    Scheduled(&'a TargetPath),
    /// An old file is safe.
    BackedUp(&'a TargetPath),
    /// A file was replaced or added.
    Replaced {
        /// Where it is.
        at: &'a Path,
        /// Version before.
        old: Option<FileVersion>,
        /// Version now.
        new: Option<FileVersion>,
    },
    /// A run failed and is being undone.
    Aborted(String),
    /// An undo begins.
    UndoStarted(String),
    /// An old file is back.
    Restored(&'a TargetPath),
    /// A file that was added is gone again.
    Removed(&'a TargetPath),
    /// Something that does not stop the run.
    Warning(String),
    /// A run ended.
    Ended(String),
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = |version: &Option<FileVersion>| {
            version.map_or_else(|| "(no version)".to_owned(), |version| version.to_string())
        };
        match self {
            Self::Staged { to, made: Made::ByDelta } => write!(f, "Staged: {to} (by delta)"),
            Self::Staged { to, made: Made::Whole } => write!(f, "Staged: {to} (whole file)"),
            Self::Waiting { service, action, seconds } => {
                write!(f, "Service Wait: {service} is about to {action}, {seconds} s")
            }
            Self::Unregistered(to) => write!(f, "Self-Unregister: {to}"),
            Self::Registered(to) => write!(f, "Self-Register: {to}"),
            Self::ValueSet { key, name } => write!(f, "Registry Overwrite: {key} '{name}'"),
            Self::ValuePutBack { key, name } => write!(f, "Registry Restore: {key} '{name}'"),
            Self::Stopped(service) => write!(f, "Service Stop: {service}"),
            Self::Started(service) => write!(f, "Service Start: {service}"),
            Self::Scheduled(to) => write!(f, "File Overwrite at restart: {to}"),
            Self::BackedUp(to) => write!(f, "File Backup: {to}"),
            Self::Replaced { at, old, new } => {
                write!(f, "File Overwrite: {} ({} -> {})", at.display(), version(old), version(new))
            }
            Self::Aborted(reason) => write!(f, "Installation aborted. {reason}"),
            Self::UndoStarted(why) => write!(f, "*** Rollback Started: {why} ***"),
            Self::Restored(to) => write!(f, "File Restore: {to}"),
            Self::Removed(to) => write!(f, "File Delete: {to}"),
            Self::Warning(text) => write!(f, "Warning: {text}"),
            Self::Ended(text) => write!(f, "*** {text} ***"),
        }
    }
}

/// Says that a run has done what it should to the files, and what keeps it from being brought to its end.
pub(super) fn unfinished(error: &UpdateError) -> String {
    format!("{}; run `recover` to complete services and records", chain::line(error))
}

/// Who is told of a run's events.
pub trait Observer {
    /// Is told of an event.
    fn tell(&mut self, event: &Event<'_>);
}

/// Passes events to the observer, and to the log once there is one.
pub(super) struct Recorder<'a> {
    host: &'a dyn Host,
    observer: &'a mut dyn Observer,
    log: Option<PathBuf>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(host: &'a dyn Host, observer: &'a mut dyn Observer) -> Self {
        Self { host, observer, log: None }
    }

    /// Writes to this log from now on.
    pub(super) fn set_log(&mut self, log: PathBuf) {
        self.log = Some(log);
    }

    /// Writes to the log at this path of the target from now on, if it leads to one.
    pub(super) fn open_log(&mut self, target: TargetRoot<'_>, log: &TargetPath) {
        match target.locate(self.host, log) {
            Ok(place) => self.log = Some(place.full),
            Err(error) => {
                let error = chain::line(&error);
                self.observer.tell(&Event::Warning(format!("{error}; the run goes on without a log")));
            }
        }
    }

    /// Tells of an event.
    pub(super) fn tell(&mut self, event: &Event<'_>) {
        self.observer.tell(event);
        self.log(&event.to_string());
    }

    /// Adds a line to the log alone, if there is one.
    ///
    /// A log that fails in the middle of a run is dropped with a warning: the run is what counts.
    pub(super) fn log(&mut self, line: &str) {
        let failed = self.log.as_ref().and_then(|log| self.host.log(log, line).err());
        if let Some(error) = failed {
            self.log = None;
            let error = chain::line(&error);
            self.observer.tell(&Event::Warning(format!("{error}; the run goes on without it")));
        }
    }
}
