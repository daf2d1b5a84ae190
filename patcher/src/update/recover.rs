//! Recovery: brings a target to rest after a run that was interrupted, wherever it was.

use super::recorder::{Event, Observer, Recorder};
use super::run::{abandon, finish, remove_if_empty};
use super::state::{self, LOCK_NAME, Phase, Run, StateFolder};
use super::target::TargetRoot;
use super::undo::Undo;
use super::{UpdateError, lock};
use crate::host::{Files, Host};
use crate::name::UpdateId;

/// What recovery did about one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The update.
    pub id: UpdateId,
    /// The run's number.
    pub run: u32,
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
    /// The run had come to its end; its receipt and clean-up were completed.
    Completed,
}

impl Remedy {
    /// Returns the word for it in results.
    pub fn word(self) -> &'static str {
        match self {
            Self::Discarded => "discarded",
            Self::RolledBack => "rolled-back",
            Self::Completed => "completed",
        }
    }

    /// Returns what is to be done about a run that was interrupted.
    fn of(run: &Run) -> Self {
        match run.phase() {
            Phase::Staging => Self::Discarded,
            Phase::Open if !run.journal.touches_anything() => Self::Discarded,
            Phase::Open | Phase::Undoing => Self::RolledBack,
            Phase::Committed | Phase::RolledBack => Self::Completed,
        }
    }
}

/// Returns the runs that were interrupted, or that another process is just now doing; and what recovery would do.
pub fn interrupted(files: &dyn Files, target: TargetRoot<'_>) -> Result<Vec<Recovered>, UpdateError> {
    let states = state::scan(files, target)?;
    let all = states.iter().flat_map(|folder| folder.runs.iter().map(move |run| (folder, run)));
    let describe = |(folder, run): (&StateFolder, &Run)| Recovered {
        id: folder.id.clone(),
        run: run.number,
        did: Remedy::of(run),
    };
    Ok(all.filter(|(_, run)| run.is_interrupted()).map(describe).collect())
}

/// Finishes or undoes every interrupted run, newest first; where there is none, takes no lock and does nothing.
pub fn recover(
    host: &dyn Host,
    target: TargetRoot<'_>,
    observer: &mut dyn Observer,
) -> Result<Vec<Recovered>, UpdateError> {
    // A lock that a killed run left behind is taken over and so removed.
    let left_lock = host.stat(&target.path().join(LOCK_NAME))?.is_some();
    if interrupted(host, target)?.is_empty() && !left_lock {
        return Ok(Vec::new());
    }
    let _held = lock(host, target)?;
    let mut recorder = Recorder::new(host, observer);
    let mut recovered = Vec::new();
    for mut folder in state::scan(host, target)?.into_iter().rev() {
        let interrupted: Vec<Run> = folder.runs.iter().filter(|run| run.is_interrupted()).cloned().collect();
        for mut run in interrupted.into_iter().rev() {
            let did = Remedy::of(&run);
            recover_run(host, target, &folder, &mut run, did, &mut recorder).map_err(|source| match did {
                // The files may be mixed, whatever kept them from being put back.
                Remedy::RolledBack => UpdateError::NotRecovered {
                    id: folder.id.clone(),
                    backup: run.backup(),
                    source: Box::new(source),
                },
                Remedy::Discarded | Remedy::Completed => source,
            })?;
            recovered.push(Recovered { id: folder.id.clone(), run: run.number, did });
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
    run: &mut Run,
    did: Remedy,
    recorder: &mut Recorder<'_>,
) -> Result<(), UpdateError> {
    match did {
        Remedy::Discarded => abandon(host, run)?,
        Remedy::RolledBack => {
            if let Some(begin) = run.begin() {
                recorder.open_log(target, &begin.log);
            }
            Undo { host, target, folder }.run(run, "the run was interrupted", recorder)?;
            recorder.tell(&Event::Ended(format!("Rollback Completed: {}", folder.id)));
        }
        Remedy::Completed => finish(host, folder, run)?,
    }
    Ok(())
}
