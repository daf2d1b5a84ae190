//! The plan: what a run will do, decided from facts alone.
//!
//! [`decide()`] is a pure function. It returns a [`Plan`], which never acts by itself, or every [`Finding`] that
//! forbids the run, each with the value found, the value wanted and the remedy. There is no third outcome: a
//! folder in which the update has nothing to do is a finding, not a silent success.

use std::fmt;
use std::rc::Rc;

mod choose;
mod decide;
mod file;
mod finding;
mod gate;
mod trust;

pub use decide::decide;
pub(super) use decide::users_among;
pub use finding::{Finding, FindingKind};
pub use gate::Stated;
pub(super) use gate::{Conditions, judge};
pub use trust::disbelieved;

use super::facts::Present;
use super::journal::ServiceRecord;
use super::order::Proof;
use crate::bundle::keyring::Trust;
use crate::bundle::manifest::FileEntry;
use crate::bundle::product::{RegistrationValue, ServiceEntry};
use crate::name::{Role, UpdateId, Variant};
use crate::platform::Platform;
use crate::registry::RegistryKey;
use crate::target_path::TargetPath;
use crate::version::FileVersion;

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The part the target plays.
    pub role: Role,
    /// The platform; none: what the target has.
    pub platform: Option<Platform>,
    /// The variant of the files; none: the one whose language the target's files have.
    pub variant: Option<Variant>,
    /// The build of the product, as the user states it.
    pub assumed_build: Option<u16>,
    /// What to do with an old file that no baseline knows.
    pub unknown: UnknownFiles,
    /// Who stops and starts the role's services.
    pub services: Services,
    /// What the run does with the registry.
    pub registry: Control,
    /// What the run does with COM servers.
    pub com_servers: Control,
    /// Where the proof is that roles which come first were updated.
    pub proof: Proof,
    /// By what the bundle is believed; none: the run only looks.
    pub trust: Option<Rc<Trust>>,
    /// What to do where the bundle is an older revision than it should be.
    pub downgrade: Downgrade,
}

impl Request {
    /// Makes the request to look at a target in another role, which the run does not change.
    pub fn to_look_at(role: Role, assumed_build: Option<u16>) -> Self {
        Self {
            role,
            platform: None,
            variant: None,
            assumed_build,
            unknown: UnknownFiles::Refuse,
            services: Services::None,
            registry: Control::None,
            com_servers: Control::None,
            proof: Proof::Nowhere,
            trust: None,
            downgrade: Downgrade::Refuse,
        }
    }
}

/// What to do where an update was installed in a later revision, or its revision was withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Downgrade {
    /// Refuse the run.
    Refuse,
    /// Go on, and record it.
    Allow,
}

/// What a run does with a part of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Nothing.
    None,
    /// It only looks.
    Look,
    /// It changes what is to be changed.
    Change,
}

/// Who stops and starts the services that hold a role's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Services {
    /// Nobody: they are not running, or the target is no running machine.
    None,
    /// The admin, by the steps that the plan lists.
    Manual,
    /// The run itself.
    Controlled,
}

/// What to do with an old file that is below the update's version and known by no baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFiles {
    /// Refuse the run: it may be another language or a private fix.
    Refuse,
    /// Replace it by the whole payload.
    Replace,
}

/// What a run will do.
#[derive(Debug)]
pub struct Plan {
    /// The part the target plays.
    pub role: Role,
    /// The platform of the target.
    pub platform: Platform,
    /// The variant of its files, where the update's come in several.
    pub variant: Option<Variant>,
    /// A step for each file of the update, in the manifest's order.
    pub steps: Vec<Step>,
    /// Whether every file is there already and no record says that the update is installed: a run makes that record.
    pub only_records: bool,
    /// The services that the run stops and starts, in the order of stopping.
    pub services: Vec<ServiceEntry>,
    /// What these were when the plan was made, with those that depend on them.
    pub found_services: Vec<ServiceRecord>,
    /// Whether the run registers COM servers.
    pub registers: bool,
    /// Registry values that the run sets once the files are replaced; `{date}` in a text stands for the day of the run.
    pub values: Vec<(RegistryKey, RegistrationValue)>,
    /// Programs that must have no file of the target loaded.
    pub programs: Vec<String>,
    /// The revision below which the run goes, as the user said.
    pub downgrade: Option<u32>,
    /// What the admin should know, one sentence each.
    pub notes: Vec<String>,
    /// What the admin has to do by hand before, in order.
    pub before: Vec<String>,
    /// What the admin has to do by hand afterwards, in order.
    pub after: Vec<String>,
}

impl Plan {
    /// Returns the steps that change a file.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.is_change())
    }

    /// Returns the steps of which a run takes a record: those that change a file, or where it only records, those that
    /// found the new one.
    pub fn recorded(&self) -> impl Iterator<Item = &Step> {
        let is_recorded =
            |step: &&Step| step.is_change() || self.only_records && step.decision == Decision::AlreadyCurrent;
        self.steps.iter().filter(is_recorded)
    }

    /// Tells whether there is anything to do for a run.
    pub fn has_work(&self) -> bool {
        self.only_records || self.changes().next().is_some()
    }
}

/// What is done about one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The file, as the manifest has it.
    pub file: FileEntry,
    /// Where it is, as the disk spells it.
    pub to: TargetPath,
    /// What was there; none if nothing was.
    pub present: Option<Present>,
    /// What is done.
    pub decision: Decision,
}

impl Step {
    /// Tells whether the step changes a file.
    pub fn is_change(&self) -> bool {
        matches!(self.decision, Decision::Install(_))
    }
}

/// What is done about a file, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The new file is put there.
    Install(Reason),
    /// The new file is there already.
    AlreadyCurrent,
    /// A file of the same version but other contents is there; "or later" leaves it alone.
    SameVersion,
    /// A file of a higher version is there; "or later" leaves it alone.
    NewerOnTarget,
    /// An update that was installed after this one put the file there.
    OfLaterUpdate(UpdateId),
    /// The file is not there, and the role does not want it then.
    AbsentNotWanted,
}

/// Why a file is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The file there is a known old one.
    Baseline(String),
    /// The file is not there.
    Absent,
    /// This update is installed, and the file was damaged since.
    Damaged,
    /// The file there is of an update whose place this one takes.
    Supersedes(UpdateId),
    /// A later revision of this update put the file there, and the user said to go back.
    LaterRevision,
    /// The old file is unknown, and the user said to replace it.
    Unknown,
}

impl Decision {
    /// Tells whether the update has nothing to do about the file, whoever put it there.
    pub fn is_current(&self) -> bool {
        matches!(self, Self::AlreadyCurrent | Self::NewerOnTarget | Self::AbsentNotWanted)
    }

    /// Returns the word for it in results.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Install(_) => "install",
            Self::AlreadyCurrent => "already-current",
            Self::SameVersion => "same-version",
            Self::NewerOnTarget => "newer-on-target",
            Self::OfLaterUpdate(_) => "of-later-update",
            Self::AbsentNotWanted => "absent-not-wanted",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let new = version_text(self.file.version);
        let old = version_text(self.present.as_ref().and_then(|present| present.version));
        write!(f, "{}: ", self.to)?;
        match &self.decision {
            Decision::Install(Reason::Baseline(name)) => {
                write!(f, "install {new} over {old} (baseline {name})")
            }
            Decision::Install(Reason::Absent) => write!(f, "install {new} (absent now)"),
            Decision::Install(Reason::Damaged) => {
                write!(f, "install {new} again (damaged since it was installed)")
            }
            Decision::Install(Reason::Supersedes(id)) => {
                write!(f, "install {new} over {old} (of {id}, which this update supersedes)")
            }
            Decision::Install(Reason::LaterRevision) => {
                write!(f, "install {new} over {old} (of a later revision, as you asked)")
            }
            Decision::Install(Reason::Unknown) => {
                write!(f, "install {new} over {old} (unknown old file, as you asked)")
            }
            Decision::AlreadyCurrent => write!(f, "already current ({new})"),
            Decision::SameVersion => {
                write!(f, "left alone: has the same version {old}, though other contents")
            }
            Decision::NewerOnTarget => write!(f, "left alone: {old} is newer than {new}"),
            Decision::OfLaterUpdate(id) => write!(f, "left alone: {id}, installed later, put {old} there"),
            Decision::AbsentNotWanted => write!(f, "absent, and not wanted in this role"),
        }
    }
}

fn version_text(version: Option<FileVersion>) -> String {
    version.map_or_else(|| "no version".to_owned(), |version| version.to_string())
}

#[cfg(test)]
mod tests;
