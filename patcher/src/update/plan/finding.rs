//! Findings: what forbids a run.

use std::fmt;

/// What kind of thing forbids a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// The key ring, or a signature, is not believed any more.
    Untrusted,
    /// The target is of another platform than the files.
    WrongPlatform,
    /// A newer revision of the update is installed.
    Downgrade,
    /// The target is not what the update is for.
    WrongTarget,
    /// Machines that come first are not proven to be updated.
    Order,
    /// An old file that no baseline knows.
    UnknownOldFile,
    /// A run waits for a restart of the system.
    AwaitsRestart,
    /// The volume has too little space.
    NoSpace,
    /// A program that must be closed has a file of the target loaded.
    InUse,
    /// The user may not write to the target.
    NoRights,
}

impl FindingKind {
    /// Returns the word for it in results.
    pub fn word(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::WrongPlatform => "wrong-platform",
            Self::Downgrade => "downgrade",
            Self::WrongTarget => "wrong-target",
            Self::Order => "order",
            Self::UnknownOldFile => "unknown-old-file",
            Self::AwaitsRestart => "awaits-restart",
            Self::NoSpace => "no-space",
            Self::InUse => "in-use",
            Self::NoRights => "no-rights",
        }
    }
}

/// Something that forbids a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// What it is about.
    pub subject: String,
    /// What was found.
    pub found: String,
    /// What is wanted.
    pub wanted: String,
    /// What the admin can do.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}, wanted {}", self.subject, self.found, self.wanted)
    }
}
