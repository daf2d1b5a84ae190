//! The user's rollback: takes an installed update back, in reverse order of installing only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::recorder::{Event, Observer, Recorder};
use super::state::{self, Run, StateFolder};
use super::target::TargetRoot;
use super::undo::{Undo, UndoError, changed, digest_at};
use super::{UpdateError, lock};
use crate::digest::Digest;
use crate::host::{Files, Host};
use crate::name::UpdateId;
use crate::target_path::TargetPath;

/// Why a rollback is refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// The update is not installed, or none is.
    #[error("{wanted} is not installed in {}; installed: {installed}", target.display())]
    NotInstalled {
        /// The update, or "an update".
        wanted: String,
        /// The target.
        target: PathBuf,
        /// What is installed, in order.
        installed: String,
    },
    /// Later updates would have to be rolled back before.
    #[error("{id} cannot be undone before the updates installed after it: {later}")]
    Order {
        /// The update.
        id: UpdateId,
        /// Updates installed after it.
        later: String,
    },
    /// Files were changed since: undoing would put stale files back.
    #[error("undoing {id} would put stale files back: {}", files.join("; "))]
    Stale {
        /// The update.
        id: UpdateId,
        /// The files, each with what was found and expected.
        files: Vec<String>,
    },
    /// Something failed; nothing was changed.
    #[error(transparent)]
    Unchanged(UpdateError),
    /// The rollback failed; every file is as it was before it.
    #[error("the rollback of {id} failed; it is still installed, every file as before the rollback")]
    StillInstalled {
        /// The update.
        id: UpdateId,
        /// Why it failed.
        source: UpdateError,
    },
    /// The rollback began and could not be finished; it can be tried again.
    #[error("the rollback of {id} stopped half-way; the old files are in {}", backup.display())]
    Stuck {
        /// The update.
        id: UpdateId,
        /// Where the old files are.
        backup: PathBuf,
        /// Why it stopped.
        source: UpdateError,
    },
}

impl<E: Into<UpdateError>> From<E> for RollbackError {
    fn from(error: E) -> Self {
        Self::Unchanged(error.into())
    }
}

/// What a rollback will do: the update, its committed runs, and the files it puts back.
#[derive(Clone, Debug)]
pub struct RollbackPlan {
    /// The update's records.
    pub folder: StateFolder,
    /// The files that go back, with what they are now and will be.
    pub files: Vec<RollbackFile>,
}

/// A file that a rollback puts back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackFile {
    /// The file below the target.
    pub path: TargetPath,
    /// What it must be now.
    pub now: Digest,
    /// What it will be; none if it will be gone.
    pub before: Option<Digest>,
}

/// Decides what a rollback of `id`, or of the update installed last, will do.
pub fn plan(
    files: &dyn Files,
    target: TargetRoot<'_>,
    id: Option<&UpdateId>,
) -> Result<RollbackPlan, RollbackError> {
    let mut installed: Vec<StateFolder> =
        state::scan(files, target)?.into_iter().filter(|folder| folder.installed().is_some()).collect();
    let sequence = |folder: &StateFolder| folder.installed().map_or(0, |begin| begin.sequence);
    installed.sort_by_key(sequence);
    let names =
        |folders: &[StateFolder]| folders.iter().map(|f| f.id.to_string()).collect::<Vec<_>>().join(", ");
    let position = match id {
        Some(id) => installed.iter().position(|folder| folder.id == *id),
        None => installed.len().checked_sub(1),
    };
    let Some(position) = position else {
        let installed = if installed.is_empty() { "nothing".to_owned() } else { names(&installed) };
        let wanted = id.map_or_else(|| "an update".to_owned(), UpdateId::to_string);
        return Err(RollbackError::NotInstalled { wanted, target: target.path().to_owned(), installed });
    };
    let later = installed.split_off(position + 1);
    let folder = installed.remove(position);
    if !later.is_empty() {
        return Err(RollbackError::Order { id: folder.id, later: names(&later) });
    }
    let plan = RollbackPlan { files: files_of(&folder), folder };
    check(files, target, &plan)?;
    Ok(plan)
}

/// Chains the committed runs: a file is now what the newest made it, and will be what the oldest found.
fn files_of(folder: &StateFolder) -> Vec<RollbackFile> {
    let mut files: BTreeMap<String, RollbackFile> = BTreeMap::new();
    for step in folder.committed().rev().filter_map(Run::begin).flat_map(|begin| &begin.steps) {
        let before = step.old.as_ref().map(|old| old.sha256);
        files
            .entry(step.to.folded())
            .and_modify(|file| file.before = before)
            .or_insert_with(|| RollbackFile { path: step.to.clone(), now: step.new.sha256, before });
    }
    files.into_values().collect()
}

/// Refuses where a file is neither what the update made it nor what it was before.
fn check(files: &dyn Files, target: TargetRoot<'_>, plan: &RollbackPlan) -> Result<(), RollbackError> {
    let steps = plan.folder.committed().filter_map(Run::begin).flat_map(|begin| &begin.steps);
    let steps: BTreeMap<String, _> = steps.map(|step| (step.to.folded(), step)).collect();
    let mut stale = Vec::new();
    for file in &plan.files {
        let found = digest_at(files, &target.locate(files, &file.path)?)?;
        if found == Some(file.now) || found == file.before {
            continue;
        }
        if let Some(step) = steps.get(&file.path.folded()) {
            let error = changed(step, found, &[Some(file.now)], "changed by something else since");
            stale.push(error.to_string());
        }
    }
    if stale.is_empty() {
        Ok(())
    } else {
        Err(RollbackError::Stale { id: plan.folder.id.clone(), files: stale })
    }
}

/// Rolls back an installed update: each of its runs, newest first, as one transaction each.
pub fn rollback(
    host: &dyn Host,
    target: TargetRoot<'_>,
    id: Option<&UpdateId>,
    observer: &mut dyn Observer,
) -> Result<RollbackPlan, RollbackError> {
    plan(host, target, id)?;
    let _held = lock(host, target)?;
    // Decided again now that nobody else can change it.
    let plan = plan(host, target, id)?;
    let mut recorder = Recorder::new(host, observer);
    let mut folder = plan.folder.clone();
    let mut known = BTreeSet::new();
    let mut runs: Vec<Run> = folder.committed().cloned().collect();
    while let Some(mut run) = runs.pop() {
        let Some(begin) = run.begin().cloned() else { continue };
        recorder.open_log(target, &begin.log);
        let undo = Undo { host, target, folder: &folder, known: &known };
        undo.run(&mut run, "asked by the user", &mut recorder).map_err(|error| match error {
            UndoError::Untouched(source) | UndoError::PutForward(source) => {
                RollbackError::StillInstalled { id: folder.id.clone(), source }
            }
            UndoError::Stuck(source) => {
                RollbackError::Stuck { id: folder.id.clone(), backup: run.backup(), source }
            }
        })?;
        // What this run had found is what the older run's files may be now.
        known.extend(begin.steps.iter().filter_map(|step| step.old.as_ref()).map(|old| old.sha256));
        folder.runs.retain(|other| other.number != run.number);
    }
    recorder.tell(&Event::Ended(format!("Rollback Completed: {}", plan.folder.id)));
    Ok(plan)
}
