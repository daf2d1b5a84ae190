//! The user's rollback: takes an installed update back, in reverse order of installing only.

use std::path::PathBuf;

use super::contention::Contention;
use super::journal::StepRecord;
use super::recorder::{Event, Observer, Recorder, unfinished};
use super::run::space_of;
use super::state::{self, Run, StateFolder, files_of, steps_of};
use super::target::TargetRoot;
use super::undo::{Undo, UndoError, changed, check_backups, digest_at};
use super::{UpdateError, UpdateErrorKind};
use crate::chain::debug_as_shown;
use crate::host::{Files, Host};
use crate::name::UpdateId;

/// Why a rollback is refused or failed.
#[derive(thiserror::Error)]
pub enum RollbackError {
    /// The update is not installed, or none is.
    #[error("{what} in {}; installed: {installed}", target.display())]
    NotInstalled {
        /// That the update is not, or that none is.
        what: String,
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
    /// Some runs of the update were taken back, and the next one could not be: it stands.
    #[error("{undone} of the {of} runs of {id} were taken back; every file is as the run before left it")]
    Partly {
        /// The update.
        id: UpdateId,
        /// How many were taken back.
        undone: usize,
        /// Of how many.
        of: usize,
        /// Why the next one was not.
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

debug_as_shown!(RollbackError);

impl<E: Into<UpdateError>> From<E> for RollbackError {
    fn from(error: E) -> Self {
        Self::Unchanged(error.into())
    }
}

/// What a rollback will take back.
#[derive(Clone, Debug)]
pub struct RollbackPlan {
    /// The update's records.
    pub folder: StateFolder,
    /// Its runs on top of the target, oldest first: those that no run of another update lies between.
    pub runs: Vec<Run>,
    /// The files that they changed, each as the newest of them left it and as the oldest found it.
    pub files: Vec<StepRecord>,
}

/// Decides what a rollback of `id`, or of the update of the last run, takes back, and makes sure that it may.
///
/// Runs are undone in strictly reverse order, over all updates. The runs of one update that lie on top of one
/// another (its first installation, repairs, a new revision) are undone together.
pub fn plan(
    files: &dyn Files,
    target: TargetRoot<'_>,
    id: Option<&UpdateId>,
) -> Result<RollbackPlan, RollbackError> {
    let states = state::scan(files, target)?;
    let stack = state::stack(&states);
    let named = id.is_none_or(|id| stack.iter().any(|(folder, _)| folder.id == *id));
    let Some((top, _)) = stack.last().filter(|_| named) else {
        let what =
            id.map_or_else(|| "no update is installed".to_owned(), |id| format!("{id} is not installed"));
        let target = target.path().to_owned();
        return Err(RollbackError::NotInstalled { what, target, installed: names(&stack) });
    };
    if let Some(id) = id.filter(|id| top.id != **id) {
        let own = stack.iter().rposition(|(folder, _)| folder.id == *id);
        let later: Vec<_> = stack.iter().skip(own.map_or(0, |own| own + 1)).copied().collect();
        return Err(RollbackError::Order { id: id.clone(), later: names(&later) });
    }
    let on_top = stack.iter().rev().take_while(|(folder, _)| folder.id == top.id).count();
    let runs: Vec<Run> = stack.iter().rev().take(on_top).rev().map(|(_, run)| (*run).clone()).collect();
    let files_of_runs = files_of(steps_of(&runs).filter(|step| step.is_change()));
    check(files, target, top, &runs, &files_of_runs)?;
    check_space(files, target, &files_of_runs)?;
    Ok(RollbackPlan { folder: (*top).clone(), runs, files: files_of_runs })
}

/// Lists the updates of runs, each once, in order.
fn names(stack: &[(&StateFolder, &Run)]) -> String {
    let mut names: Vec<String> = stack.iter().map(|(folder, _)| folder.id.to_string()).collect();
    names.dedup();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Refuses where a file is neither what the update made it nor what it was before.
fn check(
    files: &dyn Files,
    target: TargetRoot<'_>,
    folder: &StateFolder,
    runs: &[Run],
    files_of_runs: &[StepRecord],
) -> Result<(), RollbackError> {
    let known = folder.put_back_after(runs.last().map_or(0, |run| run.number));
    let mut stale = Vec::new();
    for file in files_of_runs {
        let found = digest_at(files, &target.locate(files, &file.to)?)?;
        let old = file.old.as_ref().map(|old| old.sha256);
        let fine =
            found == old || found.is_some_and(|found| found == file.new.sha256 || known.contains(&found));
        if !fine {
            let error = changed(file, found, &[Some(file.new.sha256)], "changed by something else since");
            stale.push(error.to_string());
        }
    }
    if stale.is_empty() { Ok(()) } else { Err(RollbackError::Stale { id: folder.id.clone(), files: stale }) }
}

/// Refuses where the volume has no room for the old files beside the new ones, and for these once more in case that
/// the rollback fails.
fn check_space(
    files: &dyn Files,
    target: TargetRoot<'_>,
    files_of_runs: &[StepRecord],
) -> Result<(), UpdateError> {
    let needed = space_of(files_of_runs.iter());
    match files.volume(target.path())?.free.filter(|free| *free < needed) {
        None => Ok(()),
        Some(free) => Err(UpdateErrorKind::NoSpace { folder: target.path().to_owned(), free, needed }.into()),
    }
}

/// Rolls back the runs of an update that are on top, newest first, as one transaction each.
pub fn rollback(
    host: &dyn Host,
    target: TargetRoot<'_>,
    id: Option<&UpdateId>,
    contention: &Contention,
    observer: &mut dyn Observer,
) -> Result<RollbackPlan, RollbackError> {
    plan(host, target, id)?;
    let _held = contention.lock(host, target)?;
    // Decided again now that nobody else can change it.
    let planned = plan(host, target, id)?;
    // Runs are taken back one by one: what is wrong with the last of them must be seen before the first.
    for run in &planned.runs {
        check_backups(host, run).map_err(|source| {
            let id = planned.folder.id.clone();
            RollbackError::StillInstalled { id, source }
        })?;
    }
    let mut recorder = Recorder::new(host, observer);
    let mut folder = planned.folder.clone();
    let mut runs = planned.runs.clone();
    while let Some(mut run) = runs.pop() {
        if let Some(begin) = run.begin() {
            recorder.open_log(target, &begin.log);
        }
        let undo = Undo { host, target, folder: &folder, contention };
        let id = folder.id.clone();
        let undone = planned.runs.len() - runs.len() - 1;
        match undo.run(&mut run, "asked by the user", &mut recorder) {
            Ok(()) => folder.put(run),
            // What the system refuses is told as such; what is wrong with the update's records is about the update.
            Err(UndoError::Untouched(source))
                if undone == 0 && matches!(source.kind(), UpdateErrorKind::Host(_)) =>
            {
                return Err(RollbackError::Unchanged(source));
            }
            Err(UndoError::Untouched(source) | UndoError::PutForward(source)) => {
                return Err(match undone {
                    0 => RollbackError::StillInstalled { id, source },
                    _ => RollbackError::Partly { id, undone, of: planned.runs.len(), source },
                });
            }
            Err(UndoError::Stuck(source)) => {
                return Err(RollbackError::Stuck { id, backup: run.backup(), source });
            }
            Err(UndoError::Unfinished(source)) => {
                recorder.tell(&Event::Warning(unfinished(&source)));
                folder.put(run);
            }
        }
    }
    recorder.tell(&Event::Ended(format!("Rollback Completed: {}", planned.folder.id)));
    Ok(planned)
}
