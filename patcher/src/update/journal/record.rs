//! The records: what a line of a journal says. FORMAT.md describes every key.

use std::path::PathBuf;

use crate::bundle::keyring::Edition;
use crate::day::Day;
use crate::digest::Digest;
use crate::host::{RegistryAt, ServiceStart, ServiceState, ServicesAt};
use crate::json::{object_json, tagged_json};
use crate::name::{Role, UpdateId};
use crate::platform::Platform;
use crate::registry::{RegistryKey, RegistryValue};
use crate::target_path::TargetPath;
use crate::version::FileVersion;

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Everything is staged; nothing of the target is touched yet.
    Begin(Box<Begin>),
    /// The file of this step is about to be replaced; its backup is durable.
    Intent {
        /// Position in [`Begin::steps`].
        step: usize,
    },
    /// The file of this step is replaced; durable at the latest with [`Record::Commit`].
    Done {
        /// Position in [`Begin::steps`].
        step: usize,
    },
    /// COM servers of the steps are about to be unregistered.
    Unregister,
    /// Registry values are about to be set.
    SetValues,
    /// Every file waits to be replaced at the next start of the system.
    Scheduled {
        /// When, UTC.
        at: String,
    },
    /// Every file is replaced and was checked: the run stands.
    Commit {
        /// When, UTC.
        at: String,
    },
    /// Everything is about to be put back.
    Undo {
        /// When, UTC.
        at: String,
        /// Why.
        reason: String,
        /// The services that are stopped for it, and what they were. The run's own are meant where there are none.
        services: Vec<ServiceRecord>,
    },
    /// Everything is as it was before the run.
    RolledBack {
        /// When, UTC.
        at: String,
    },
    /// The services that had been stopped run again.
    Restarted {
        /// When, UTC.
        at: String,
    },
}

tagged_json!(Record by "record" {
    "intent" = Intent { step },
    "done" = Done { step },
    "unregister" = Unregister {},
    "set-values" = SetValues {},
    "scheduled" = Scheduled { at },
    "commit" = Commit { at },
    "undo" = Undo { at, reason, services or default },
    "rolled-back" = RolledBack { at },
    "restarted" = Restarted { at },
} and "begin" = Begin);

/// What a run is about to do, complete enough to undo it without its bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Version of the journal's format: 1.
    pub format: u32,
    /// Version of the patcher that wrote it.
    pub patcher: String,
    /// The update.
    pub id: UpdateId,
    /// Its revision.
    pub revision: u32,
    /// Its title.
    pub title: String,
    /// The product it is for.
    pub product: String,
    /// Digest of the signed manifest.
    pub manifest: Digest,
    /// Ids of the keys whose signatures were believed.
    pub signers: Vec<String>,
    /// The part the target plays.
    pub role: Role,
    /// The platform of the target.
    pub platform: Platform,
    /// The build, as the user stated it; none if it was not stated.
    pub assumed_build: Option<u16>,
    /// The number of this run in the target, over all updates: what is undone first has the highest.
    pub sequence: u32,
    /// When, UTC.
    pub at: String,
    /// The log, below the target.
    pub log: TargetPath,
    /// Updates whose place it takes.
    pub supersedes: Vec<UpdateId>,
    /// The services that hold the files, in the order of stopping.
    pub services: Vec<ServiceRecord>,
    /// Who controls these services; none: nobody.
    pub services_at: Option<ServicesAt>,
    /// Where the registry is; none: it was not looked at.
    pub registry_at: Option<RegistryAt>,
    /// The registry values that it sets once every file is replaced.
    pub values: Vec<ValueRecord>,
    /// What the admin does by hand before, where he was told to.
    pub before: Vec<String>,
    /// What he does afterwards.
    pub after: Vec<String>,
    /// The bundle that it was made from; none: from none, or its path is no Unicode text.
    pub bundle: Option<PathBuf>,
    /// The key ring by which the bundle was believed; none: it had no version.
    pub ring: Option<Edition>,
    /// The latest day that was known; none: no bundle was believed.
    pub seen: Option<Day>,
    /// The revision below which it went, as the user said: that which was installed, or the oldest not withdrawn.
    pub downgrade: Option<u32>,
    /// The files, in the order in which they are replaced; where none is, those that were found as they should be.
    pub steps: Vec<StepRecord>,
}

object_json!(Begin {
    format,
    patcher,
    id,
    revision,
    title,
    product,
    manifest,
    signers,
    role,
    platform,
    assumed_build,
    sequence,
    at,
    log,
    supersedes or default,
    services or default,
    services_at or default,
    registry_at or default,
    values or default,
    before or default,
    after or default,
    bundle or default,
    ring or default,
    seen or default,
    downgrade or default,
    steps,
});

/// A file that a run replaces or adds; or one that it found as it would have put it there, of which it only takes a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRecord {
    /// The file below the target, as the disk spells it.
    pub to: TargetPath,
    /// What was there; none if nothing was.
    pub old: Option<FileRecord>,
    /// What is put there.
    pub new: FileRecord,
    /// Whether it is a COM server that the run registers.
    pub register: bool,
}

object_json!(StepRecord { to, old, new, register or default });

impl StepRecord {
    /// Tells whether the file is replaced or added, or was found as it should be.
    pub fn is_change(&self) -> bool {
        self.old.as_ref().is_none_or(|old| old.sha256 != self.new.sha256)
    }
}

/// A registry value that a run sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueRecord {
    /// Its key.
    pub key: RegistryKey,
    /// Its name.
    pub name: String,
    /// What it was; none if it was not there.
    pub old: Option<RegistryValue>,
    /// What it is set to.
    pub new: RegistryValue,
    /// Keys that are made for it, innermost first.
    pub made: Vec<RegistryKey>,
}

object_json!(ValueRecord { key, name, old, new, made or default });

/// A service that a run stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRecord {
    /// Its key name.
    pub service: String,
    /// What it was before the run.
    pub was: ServiceState,
    /// Whether the system starts it; none in journals of patchers that did not look.
    pub start: Option<ServiceStart>,
    /// Services that depend on it and did not rest; each is listed before it.
    pub dependents: Vec<String>,
}

object_json!(ServiceRecord { service, was, start or default, dependents or default });

/// A file's contents as a journal knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// Size in bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Digest,
    /// File version, if it states one.
    pub version: Option<FileVersion>,
}

object_json!(FileRecord { size, sha256, version });
