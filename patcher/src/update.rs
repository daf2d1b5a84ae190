//! Updates of a target: facts, plan, apply; undo, rollback, recovery, status.
//!
//! The straight path of an apply: finish what an interrupted run left ([`recover`]), gather facts
//! ([`facts::gather`]), decide ([`plan::decide`]), then [`apply::Apply`]: stage, journal, back up, swap, check,
//! commit. Everything up to the journal's first record leaves the target untouched; everything after it is
//! undone by one function (`undo`) with three callers: a failing apply, recovery, the user's rollback.

use std::path::PathBuf;

use crate::bundle::BundleError;
use crate::chain::error_of_kinds;
use crate::digest::Digest;
use crate::host::HostError;
use crate::name::UpdateId;
use crate::target_path::{TargetPath, UnsafePath};

pub mod apply;
pub mod contention;
pub mod doctor;
pub mod facts;
pub mod installed;
pub mod journal;
pub mod order;
pub mod plan;
pub mod ready;
pub mod receipt;
mod recorder;
pub mod recover;
pub mod rollback;
mod run;
mod services;
pub mod state;
pub mod status;
pub mod target;

mod undo;
mod values;

pub use recorder::{Event, Observer};

use journal::JournalError;
use state::StateError;
use target::TargetError;
use undo::UndoError;

error_of_kinds!(
    /// Why something about an update failed.
    UpdateError,
    UpdateErrorKind
);

/// What is wrong.
#[derive(thiserror::Error)]
pub enum UpdateErrorKind {
    /// The system refused.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A path of the target cannot be used.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Records in the target cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The bundle failed while it was read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The log cannot be written.
    #[error("the log cannot be written")]
    Log(#[source] UpdateError),
    /// A record does not fit the journal.
    #[error("the journal does not take the record")]
    Journal(#[from] JournalError),
    /// A file is not what the run counts on.
    #[error("{path}: digest is {found}, {wanted} is wanted: {what}")]
    Changed {
        /// The file, below the target.
        path: TargetPath,
        /// Its digest, or that it is absent.
        found: String,
        /// The digests it may have.
        wanted: String,
        /// What that means.
        what: &'static str,
    },
    /// A backup is not what the journal says.
    #[error("the backup {} has digest {found}, the journal says {wanted}", path.display())]
    Backup {
        /// The backup.
        path: PathBuf,
        /// Its digest.
        found: String,
        /// What it must be.
        wanted: String,
    },
    /// Another run changed the target between the plan and the lock.
    #[error("another run changed the target while this one was prepared")]
    Overtaken,
    /// A file that was just written does not read back.
    #[error("{} reads back with digest {found}, {wanted} was written", path.display())]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// What is read.
        found: Digest,
        /// What was written.
        wanted: Digest,
    },
    /// An interrupted run could not be undone.
    #[error("the interrupted run of {id} cannot be undone yet; the old files are in {}", backup.display())]
    NotRecovered {
        /// The update.
        id: UpdateId,
        /// Where the old files are.
        backup: PathBuf,
        /// Why.
        source: UpdateError,
    },
    /// The volume has too little space for what is to be written, of which nothing was.
    #[error("{} has {free} bytes free, {needed} are needed", folder.display())]
    NoSpace {
        /// A folder of the volume.
        folder: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are needed.
        needed: u64,
    },
    /// A journal was lost, or cut, of a run that touched files.
    #[error("the journal {} was lost or cut; the old files are in {}", journal.display(), backup.display())]
    JournalLost {
        /// The journal.
        journal: PathBuf,
        /// Where the old files are.
        backup: PathBuf,
    },
    /// Files were changed by something else since the run.
    #[error("files were changed by something else since: {}", .0.join("; "))]
    Foreign(Vec<String>),
}

impl UpdateError {
    /// Tells whether another run at the target is the reason.
    fn is_busy(&self) -> bool {
        matches!(self.kind(), UpdateErrorKind::Overtaken)
            || matches!(self.kind(), UpdateErrorKind::Host(error) if error.is_held())
    }
}

impl From<UnsafePath> for UpdateErrorKind {
    fn from(error: UnsafePath) -> Self {
        TargetError::from(error).into()
    }
}

impl From<UndoError> for UpdateError {
    fn from(error: UndoError) -> Self {
        match error {
            UndoError::Untouched(error)
            | UndoError::PutForward(error)
            | UndoError::Stuck(error)
            | UndoError::Unfinished(error) => error,
        }
    }
}
