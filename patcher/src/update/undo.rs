//! The undo of a run: the one function behind a failing apply, recovery and the user's rollback.

use std::path::{Path, PathBuf};

use super::contention::Contention;
use super::facts::Present;
use super::journal::{Begin, Record, ServiceRecord, StepRecord};
use super::recorder::{Event, Recorder, unfinished};
use super::run::{ensure_folder, finish, write_over};
use super::state::{self, Phase, Run, StateFolder};
use super::target::{Place, TargetRoot};
use super::{UpdateError, UpdateErrorKind, services, values};
use crate::bundle::manifest::MAX_MEMBER;
use crate::chain;
use crate::digest::Digest;
use crate::host::{Attributes, Files, Host, HostError, ServiceState};
use crate::timestamp::utc;

/// What is to be done to one file so that it is as before the run.
struct Restoration<'r> {
    /// Position of the step in the run.
    number: usize,
    step: &'r StepRecord,
    place: Place,
    /// What is there; none if nothing is.
    found: Option<Digest>,
}

impl Restoration<'_> {
    /// Returns where the old file waits to be renamed into place.
    fn staged(&self, run: &Run) -> PathBuf {
        run.stage().join(format!("restore-{:04}", self.number))
    }

    /// Returns where a copy of the new file waits in case the undo fails.
    fn kept(&self, run: &Run) -> PathBuf {
        run.stage().join(format!("keep-{:04}", self.number))
    }
}

/// Why an undo did not come to its end, and what the target is now.
#[derive(Debug)]
pub(super) enum UndoError {
    /// It failed before it touched a file; services run as before.
    Untouched(UpdateError),
    /// It failed, and every file was put back as it was before the undo.
    PutForward(UpdateError),
    /// It failed half-way. It can be done again.
    Stuck(UpdateError),
    /// Every file is as before the run; services and records lag behind. Recovery completes them.
    Unfinished(UpdateError),
}

/// An undo of a run.
pub(super) struct Undo<'a> {
    pub(super) host: &'a dyn Host,
    pub(super) target: TargetRoot<'a>,
    /// The records of the run's update.
    pub(super) folder: &'a StateFolder,
    /// How it deals with files in use.
    pub(super) contention: &'a Contention,
}

impl Undo<'_> {
    /// Puts every file of the run back as it was, newest first, and records it.
    ///
    /// What remains to be done is seen from the digests on the disk, so an undo that was interrupted is simply
    /// done again. Everything that needs space or can be wrong is done before anything is touched: backups are
    /// read and staged, and files that are neither old, new nor known refuse the undo. A step that fails is
    /// tried once more; an undo of a committed run that fails even then is itself undone. One of a committed run that is
    /// refused by a service or a file in use has touched nothing, and the run stands.
    pub(super) fn run(
        &self,
        run: &mut Run,
        reason: &str,
        recorder: &mut Recorder<'_>,
    ) -> Result<(), UndoError> {
        let Some(begin) = run.begin().cloned() else { return Ok(()) };
        let committed = run.phase() == Phase::Committed;
        let was_scheduled = run.phase() == Phase::Scheduled;
        let prepared = self.prepare(run, &begin.steps, committed).and_then(|restorations| {
            let found = self.look_at_services(run, &begin)?;
            self.record(run, reason, &found)?;
            Ok((restorations, found))
        });
        let (restorations, found) = prepared.map_err(|error| {
            if committed {
                // What was staged for it goes again; what cannot go now, recovery removes.
                drop(run.remove_stage(self.host));
            }
            // What was staged for a restart may have been taken away already.
            let is_untouched = self.is_as_recorded(run) && !was_scheduled;
            if is_untouched { UndoError::Untouched(error) } else { UndoError::Stuck(error) }
        })?;
        recorder.tell(&Event::UndoStarted(format!("{} ({reason})", begin.id)));
        let steps = begin.steps.as_slice();
        let freed = self.free(&found, &restorations, recorder);
        if committed && freed.is_err() {
            return freed.map_err(|error| match self.let_stand(run, recorder) {
                Ok(()) => UndoError::Untouched(error),
                Err(_) => UndoError::Stuck(error),
            });
        }
        let swapped = freed.and_then(|()| self.swap(run, &restorations, recorder)).or_else(|error| {
            recorder.tell(&Event::Warning(format!("{}; trying once more", chain::line(&error))));
            let remaining = self.prepare(run, &begin.steps, false)?;
            self.free(&found, &remaining, recorder)?;
            self.swap(run, &remaining, recorder)
        });
        match swapped.and_then(|()| self.require_old(run, steps)) {
            Ok(()) => self.end(run, &begin, recorder).map_err(UndoError::Unfinished),
            Err(error) if committed => match self.put_forward(run, &restorations, recorder) {
                Ok(()) => Err(UndoError::PutForward(error)),
                Err(_) => Err(UndoError::Stuck(error)),
            },
            Err(error) => Err(UndoError::Stuck(error)),
        }
    }

    /// Looks what the run's services are; one that was stopped for the run, and not started since, counts as running.
    fn look_at_services(&self, run: &Run, begin: &Begin) -> Result<Vec<ServiceRecord>, HostError> {
        let names = begin.services.iter().map(|record| record.service.as_str());
        let mut found = services::look(self.host, names)?;
        let stopped = run.journal.stopped();
        for record in found.iter_mut().filter(|record| stopped.contains(&record.service.as_str())) {
            record.was = ServiceState::Running;
        }
        Ok(found)
    }

    /// Records that everything is about to be put back; again only where more services run than an undo had found
    /// that was interrupted.
    fn record(&self, run: &mut Run, reason: &str, found: &[ServiceRecord]) -> Result<(), UpdateError> {
        let stopped = run.journal.stopped();
        let is_known = |record: &ServiceRecord| {
            record.was == ServiceState::Stopped || stopped.contains(&record.service.as_str())
        };
        if run.phase() == Phase::Undoing && found.iter().all(is_known) {
            return Ok(());
        }
        let (at, reason) = (utc(self.host.now()), reason.to_owned());
        run.record(self.host, Record::Undo { at, reason, services: found.to_vec() })
    }

    /// Tells whether the journal on the disk says what this run takes it to say, and no more.
    fn is_as_recorded(&self, run: &Run) -> bool {
        state::read_run(self.host, run.path.clone(), run.number)
            .is_ok_and(|there| there.phase() == run.phase())
    }

    /// Tells whether every file is as before the run.
    pub(super) fn is_undone(&self, run: &Run) -> bool {
        run.begin().is_none_or(|begin| self.require_old(run, &begin.steps).is_ok())
    }

    /// Decides what is to be done and stages it; `keep` stages the new files too.
    fn prepare<'r>(
        &self,
        run: &mut Run,
        steps: &'r [StepRecord],
        keep: bool,
    ) -> Result<Vec<Restoration<'r>>, UpdateError> {
        let restorations = self.examine(run, steps)?;
        if matches!(run.phase(), Phase::Open | Phase::Scheduled) {
            // New files that are not in place yet are not wanted any more; the space may be.
            run.remove_stage(self.host)?;
        }
        ensure_folder(self.host, &run.stage())?;
        run.staged = true;
        for restoration in &restorations {
            let Restoration { step, place, .. } = restoration;
            if step.old.is_some() {
                let bytes = read_backup(self.host, run, step)?;
                self.stage_like(&run.backup_file(&step.to), &restoration.staged(run), &bytes)?;
            }
            if keep && place.stat.is_some() {
                let bytes = self.host.read(&place.full, MAX_MEMBER)?;
                self.stage_like(&place.full, &restoration.kept(run), &bytes)?;
            }
        }
        self.host.sync_folder(&run.stage())?;
        Ok(restorations)
    }

    /// Stages bytes with the attributes and time of a file.
    fn stage_like(&self, like: &Path, staged: &Path, bytes: &[u8]) -> Result<(), UpdateError> {
        let modified = self.host.stat(like)?.map(|stat| stat.modified);
        let attributes = Attributes { like: Some(like.to_owned()), modified };
        write_over(self.host, staged, bytes, &attributes)
    }

    /// Decides what is to be done, and makes sure that no file is foreign; backups are proven by staging them.
    fn examine<'r>(&self, run: &Run, steps: &'r [StepRecord]) -> Result<Vec<Restoration<'r>>, UpdateError> {
        let known = self.folder.put_back_after(run.number);
        let mut restorations = Vec::new();
        let mut foreign = Vec::new();
        for (number, step) in touched(run, steps) {
            let place = self.target.locate(self.host, &step.to)?;
            let found = digest_at(self.host, &place)?;
            let old = step.old.as_ref().map(|old| old.sha256);
            if found == old && !self.lost_its_protection(run, step, &place)? {
                continue;
            }
            let is_foreign =
                |found: &Digest| Some(*found) != old && *found != step.new.sha256 && !known.contains(found);
            match found.filter(is_foreign) {
                Some(other) => {
                    let wanted = [Some(step.new.sha256), old];
                    foreign.push(
                        changed(step, Some(other), &wanted, "not the update's file any more").to_string(),
                    );
                }
                None => restorations.push(Restoration { number, step, place, found }),
            }
        }
        if foreign.is_empty() { Ok(restorations) } else { Err(UpdateErrorKind::Foreign(foreign).into()) }
    }

    /// Tells whether an old file that was read-only is no more: where that has to be lifted to replace it, the run may
    /// have been killed before it did.
    fn lost_its_protection(&self, run: &Run, step: &StepRecord, place: &Place) -> Result<bool, HostError> {
        let Some(there) = place.stat else { return Ok(false) };
        let backup = self.host.stat(&run.backup_file(&step.to))?;
        Ok(backup.is_some_and(|backup| backup.read_only) && !there.read_only)
    }

    /// Stops services and waits for files in use: the last that can be refused before a file is touched.
    fn free(
        &self,
        services: &[ServiceRecord],
        restorations: &[Restoration<'_>],
        recorder: &mut Recorder<'_>,
    ) -> Result<(), UpdateError> {
        services::stop(self.host, services, self.contention, recorder)?;
        let there = restorations.iter().filter(|restoration| restoration.found.is_some());
        let files: Vec<PathBuf> = there.map(|restoration| restoration.place.full.clone()).collect();
        Ok(self.contention.wait_for(self.host, &files)?)
    }

    /// Renames the old files into place and removes those that were added, newest first.
    fn swap(
        &self,
        run: &Run,
        restorations: &[Restoration<'_>],
        recorder: &mut Recorder<'_>,
    ) -> Result<(), UpdateError> {
        if run.journal.has_unregistered() {
            let new: Vec<StepRecord> =
                restorations.iter().map(|restoration| restoration.step.clone()).collect();
            values::unregister(self.host, self.target, &new, recorder)?;
        }
        for restoration in restorations.iter().rev() {
            let Restoration { step, place, .. } = restoration;
            if step.old.is_some() {
                self.host.rename(&restoration.staged(run), &place.full)?;
                recorder.tell(&Event::Restored(&step.to));
            } else {
                self.host.remove_file(&place.full)?;
                recorder.tell(&Event::Removed(&step.to));
            }
            sync_parent(self.host, place)?;
        }
        Ok(())
    }

    /// Undoes a failed undo: renames the kept new files into place again, and lets the run stand.
    fn put_forward(
        &self,
        run: &mut Run,
        restorations: &[Restoration<'_>],
        recorder: &mut Recorder<'_>,
    ) -> Result<(), UpdateError> {
        for restoration in restorations {
            let place = self.target.locate(self.host, &restoration.step.to)?;
            if restoration.found.is_some() && digest_at(self.host, &place)? != restoration.found {
                self.host.rename(&restoration.kept(run), &place.full)?;
                sync_parent(self.host, &place)?;
            }
        }
        if let Some(begin) = run.begin().filter(|_| run.journal.has_unregistered()) {
            values::register(self.host, self.target, &begin.steps, recorder)?;
        }
        self.let_stand(run, recorder)
    }

    /// Records that the run stands, its files being as before the undo, and starts its services; what remains recovery
    /// completes.
    fn let_stand(&self, run: &mut Run, recorder: &mut Recorder<'_>) -> Result<(), UpdateError> {
        run.record(self.host, Record::Commit { at: utc(self.host.now()) })?;
        if let Err(error) = finish(self.host, self.folder, run, self.contention, recorder) {
            recorder.tell(&Event::Warning(unfinished(&error)));
        }
        Ok(())
    }

    /// Requires that every file that was touched is, durably, as before the run.
    fn require_old(&self, run: &Run, steps: &[StepRecord]) -> Result<(), UpdateError> {
        for (_, step) in touched(run, steps) {
            let place = self.target.locate(self.host, &step.to)?;
            // An undo that was killed may have renamed and not synced.
            sync_parent(self.host, &place)?;
            let found = digest_at(self.host, &place)?;
            let wanted = step.old.as_ref().map(|old| old.sha256);
            if found != wanted {
                return Err(changed(step, found, &[wanted], "it is not as before the run"));
            }
        }
        Ok(())
    }

    /// Puts back what changed with the files, records that everything is as before, and cleans up.
    fn end(&self, run: &mut Run, begin: &Begin, recorder: &mut Recorder<'_>) -> Result<(), UpdateError> {
        if run.journal.has_unregistered() {
            values::register(self.host, self.target, &begin.steps, recorder)?;
        }
        if run.journal.has_set_values() {
            values::put_back(self.host, &begin.values, recorder)?;
        }
        run.record(self.host, Record::RolledBack { at: utc(self.host.now()) })?;
        finish(self.host, self.folder, run, self.contention, recorder)
    }
}

/// Returns the steps whose files were touched, or were about to be, with their positions.
fn touched<'r>(run: &Run, steps: &'r [StepRecord]) -> impl Iterator<Item = (usize, &'r StepRecord)> {
    steps.iter().enumerate().filter(|(number, _)| run.journal.touches(*number))
}

/// Makes sure that every backup of a run is what its journal says.
pub(super) fn check_backups(host: &dyn Host, run: &Run) -> Result<(), UpdateError> {
    let steps = run.begin().map(|begin| begin.steps.as_slice()).unwrap_or_default();
    let mut kept = touched(run, steps).filter(|(_, step)| step.old.is_some());
    kept.try_for_each(|(_, step)| read_backup(host, run, step).map(drop))
}

/// Reads the backup of a step and holds it against the journal.
fn read_backup(host: &dyn Host, run: &Run, step: &StepRecord) -> Result<Vec<u8>, UpdateError> {
    let path = run.backup_file(&step.to);
    let bytes = host.read(&path, MAX_MEMBER)?;
    let (found, wanted) = (Digest::of(&bytes), step.old.as_ref().map(|old| old.sha256));
    if Some(found) == wanted {
        return Ok(bytes);
    }
    Err(UpdateErrorKind::Backup { path, found: found.to_string(), wanted: text(wanted) }.into())
}

pub(super) fn sync_parent(host: &dyn Host, place: &Place) -> Result<(), UpdateError> {
    match place.full.parent() {
        Some(parent) => Ok(host.sync_folder(parent)?),
        None => Ok(()),
    }
}

/// Returns the digest of the file at a place; none if there is none.
pub(super) fn digest_at(files: &dyn Files, place: &Place) -> Result<Option<Digest>, UpdateError> {
    Ok(Present::at(files, place)?.map(|present| present.sha256))
}

/// Makes the error of a file that is not what is counted on.
pub(super) fn changed(
    step: &StepRecord,
    found: Option<Digest>,
    wanted: &[Option<Digest>],
    what: &'static str,
) -> UpdateError {
    let wanted = wanted.iter().copied().map(text).collect::<Vec<_>>().join(" or ");
    UpdateErrorKind::Changed { path: step.to.clone(), found: text(found), wanted, what }.into()
}

fn text(digest: Option<Digest>) -> String {
    digest.map_or_else(|| "none (absent)".to_owned(), |digest| digest.to_string())
}
