//! Recovery: brings a target to rest after a run that was interrupted, wherever it was.

use super::contention::Contention;
use super::recorder::{Event, Observer, Recorder};
use super::run::{abandon, commit, finish, remove_if_empty};
use super::services;
use super::state::{self, LOCK_NAME, Phase, Run, StateFolder};
use super::target::TargetRoot;
use super::undo::{Undo, digest_at};
use super::{UpdateError, UpdateErrorKind};
use crate::host::{Files, Host};
use crate::name::UpdateId;

/// What recovery did about one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The update.
    pub id: UpdateId,
    /// The run's number.
    pub run: u32,
    /// How far the run had come, in words.
    pub found: String,
    /// What was done.
    pub did: Remedy,
}

/// What recovery does about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Staged files were removed; the target had not been touched.
    Discarded,
    /// Every file was put back as it was.
    RolledBack,
    /// The run had come to its end; its services, receipt and clean-up were completed.
    Completed,
    /// The system was restarted and replaced the files; the run was completed.
    CompletedAfterRestart,
}

impl Remedy {
    /// Returns the word for it in results.
    pub fn word(self) -> &'static str {
        match self {
            Self::Discarded => "discarded",
            Self::RolledBack => "rolled-back",
            Self::Completed => "completed",
            Self::CompletedAfterRestart => "completed-after-restart",
        }
    }

    /// Returns what is to be done about a run; nothing if it has come to its end, or awaits a restart.
    fn of(files: &dyn Files, target: TargetRoot<'_>, run: &Run) -> Result<Option<Self>, UpdateError> {
        Ok(match run.phase() {
            Phase::Scheduled => match Awaited::of(files, target, run)? {
                Awaited::Restart if run.is_interrupted() => Some(Self::Completed),
                Awaited::Restart => None,
                Awaited::Nothing => Some(Self::CompletedAfterRestart),
                Awaited::InVain => Some(Self::RolledBack),
            },
            _ if !run.is_interrupted() => None,
            Phase::Staging => Some(Self::Discarded),
            Phase::Open if run.journal.is_untouched() => Some(Self::Discarded),
            Phase::Open | Phase::Undoing => Some(Self::RolledBack),
            Phase::Committed | Phase::RolledBack => Some(Self::Completed),
        })
    }
}

/// What a run that is scheduled for a restart waits for.
enum Awaited {
    /// The restart: every file is old, and its successor waits.
    Restart,
    /// Nothing more: every file is new.
    Nothing,
    /// What will not come: the restart replaced some files and not others, or one was changed by something else.
    InVain,
}

impl Awaited {
    fn of(files: &dyn Files, target: TargetRoot<'_>, run: &Run) -> Result<Self, UpdateError> {
        let steps = run.begin().map(|begin| begin.steps.as_slice()).unwrap_or_default();
        let (mut waiting, mut replaced) = (0, 0);
        for (number, step) in steps.iter().enumerate() {
            let found = digest_at(files, &target.locate(files, &step.to)?)?;
            let is_staged = files.stat(&run.staged_file(number))?.is_some();
            if found == Some(step.new.sha256) {
                replaced += 1;
            } else if is_staged && found == step.old.as_ref().map(|old| old.sha256) {
                waiting += 1;
            }
        }
        Ok(match steps.len() {
            all if waiting == all => Self::Restart,
            all if replaced == all => Self::Nothing,
            _ => Self::InVain,
        })
    }
}

/// Refuses to remove what a run left that touched files after all: its journal was lost, or cut.
fn require_untouched(host: &dyn Host, target: TargetRoot<'_>, run: &Run) -> Result<(), UpdateError> {
    let lost = || UpdateErrorKind::JournalLost { journal: run.journal_path(), backup: run.backup() }.into();
    let Some(begin) = run.begin() else {
        return if host.stat(&run.backup())?.is_some() { Err(lost()) } else { Ok(()) };
    };
    for step in &begin.steps {
        let found = digest_at(host, &target.locate(host, &step.to)?)?;
        if found == Some(step.new.sha256) && found != step.old.as_ref().map(|old| old.sha256) {
            return Err(lost());
        }
    }
    Ok(())
}

/// Says how far a run had come.
fn found(run: &Run) -> String {
    let all = run.begin().map_or(0, |begin| begin.steps.iter().filter(|step| step.is_change()).count());
    let stopped = run.journal.stopped();
    let mut words = match run.phase() {
        Phase::Staging => "files were being staged, none was touched".to_owned(),
        Phase::Open if run.journal.is_untouched() => {
            "files were being backed up, none was touched".to_owned()
        }
        Phase::Open => format!("{} of {all} files were replaced or about to be", run.journal.touched()),
        Phase::Scheduled => format!("{all} files were to be replaced at a restart"),
        Phase::Committed => "every file was in place, the records were not finished".to_owned(),
        Phase::Undoing => format!("{} files were being put back", run.journal.touched()),
        Phase::RolledBack => "every file was put back, the records were not finished".to_owned(),
    };
    if !stopped.is_empty() {
        words.push_str(&format!("; stopped for it, or about to be: {}", stopped.join(", ")));
    }
    words
}

/// Returns the runs that were interrupted, or that another process is just now doing; and what recovery would do.
pub fn interrupted(files: &dyn Files, target: TargetRoot<'_>) -> Result<Vec<Recovered>, UpdateError> {
    let mut runs = Vec::new();
    for folder in state::scan(files, target)? {
        for run in &folder.runs {
            if let Some(did) = Remedy::of(files, target, run)? {
                runs.push(Recovered { id: folder.id.clone(), run: run.number, found: found(run), did });
            }
        }
    }
    Ok(runs)
}

/// Finishes or undoes every interrupted run, newest first; where there is none, takes no lock and does nothing.
pub fn recover(
    host: &dyn Host,
    target: TargetRoot<'_>,
    contention: &Contention,
    observer: &mut dyn Observer,
) -> Result<Vec<Recovered>, UpdateError> {
    // A lock that a killed run left behind is taken over and so removed.
    let left_lock = host.stat(&target.path().join(LOCK_NAME))?.is_some();
    let pending = interrupted(host, target)?;
    if pending.is_empty() && !left_lock {
        return Ok(Vec::new());
    }
    let mixed = pending.into_iter().find(|run| run.did == Remedy::RolledBack);
    recover_all(host, target, contention, observer).map_err(|error| match (mixed, error) {
        // What holds the target is a run that may well be bringing it to rest.
        (Some(run), error)
            if !error.is_busy() && !matches!(error.kind(), UpdateErrorKind::NotRecovered { .. }) =>
        {
            let folder = StateFolder::path_of(target, &run.id);
            UpdateErrorKind::NotRecovered {
                id: run.id,
                backup: Run::new(&folder, run.run).backup(),
                source: error,
            }
            .into()
        }
        (_, error) => error,
    })
}

fn recover_all(
    host: &dyn Host,
    target: TargetRoot<'_>,
    contention: &Contention,
    observer: &mut dyn Observer,
) -> Result<Vec<Recovered>, UpdateError> {
    let _held = contention.lock(host, target)?;
    let mut recorder = Recorder::new(host, observer);
    let mut recovered = Vec::new();
    for mut folder in state::scan(host, target)?.into_iter().rev() {
        for mut run in folder.runs.clone().into_iter().rev() {
            let Some(did) = Remedy::of(host, target, &run)? else { continue };
            let found = found(&run);
            recover_run(host, target, &folder, contention, &mut run, did, &mut recorder)?;
            recovered.push(Recovered { id: folder.id.clone(), run: run.number, found, did });
            folder.put(run);
        }
        remove_if_empty(host, &folder.path)?;
    }
    Ok(recovered)
}

fn recover_run(
    host: &dyn Host,
    target: TargetRoot<'_>,
    folder: &StateFolder,
    contention: &Contention,
    run: &mut Run,
    did: Remedy,
    recorder: &mut Recorder<'_>,
) -> Result<(), UpdateError> {
    if run.begin().is_some() {
        run.settle(host)?;
    }
    if let Some(begin) = run.begin().filter(|_| did != Remedy::Discarded) {
        recorder.open_log(target, &begin.log);
    }
    match did {
        Remedy::Discarded => {
            require_untouched(host, target, run)?;
            abandon(host, target, run, contention, recorder)?;
        }
        Remedy::RolledBack => {
            let undo = Undo { host, target, folder, contention };
            undo.run(run, "the run was interrupted", recorder)?;
            recorder.tell(&Event::Ended(format!("Rollback Completed: {}", folder.id)));
        }
        Remedy::Completed if run.phase() == Phase::Scheduled => {
            services::restart(host, run, contention, recorder)?
        }
        Remedy::Completed => finish(host, folder, run, contention, recorder)?,
        Remedy::CompletedAfterRestart => {
            commit(host, target, run, recorder)?;
            finish(host, folder, run, contention, recorder)?;
            recorder.tell(&Event::Ended(format!("Installation Completed: {}", folder.id)));
        }
    }
    Ok(())
}
