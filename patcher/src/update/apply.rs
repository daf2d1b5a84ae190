//! Apply: carries out a plan as one transaction.
//!
//! Order of effects, and why: see the invariants in `journal`. Until a file's first intent is durable only the
//! patcher's own folder and the log are written, and a failure removes the folder again. From then on a
//! failure undoes the run.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::facts::{self, Present};
use super::journal::{self, Begin, FileRecord, Record, StepRecord};
use super::plan::{Plan, Request, Step, decide};
use super::recorder::{Event, Observer, Recorder};
use super::run::{abandon, ensure_folder, finish, write_checked};
use super::state::{Run, StateFolder};
use super::target::{Place, TargetRoot};
use super::undo::{Undo, changed, digest_at, sync_parent};
use super::{UpdateError, lock};
use crate::bundle::VerifiedBundle;
use crate::bundle::manifest::{FileEntry, MAX_MEMBER, Manifest};
use crate::chain;
use crate::host::{Attributes, Host};
use crate::timestamp::utc;

/// Why an apply did not come to its end, and what the target is now.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It failed before the target was touched; at most a log is left of it.
    #[error(transparent)]
    Unchanged(#[from] UpdateError),
    /// It failed and every file was put back.
    #[error("the run failed; every file is as it was before")]
    RolledBack {
        /// Why it failed.
        source: UpdateError,
    },
    /// It failed, and so did putting the files back.
    #[error(
        "the run failed ({cause}), and putting the files back failed too; the old files are in {}",
        backup.display()
    )]
    Stuck {
        /// Why the run failed.
        cause: String,
        /// Where the old files are.
        backup: PathBuf,
        /// Why putting them back failed.
        source: UpdateError,
    },
}

/// An apply that has been planned.
#[derive(Debug)]
pub struct Apply<'a> {
    /// The folder to update.
    pub target: TargetRoot<'a>,
    /// The bundle.
    pub bundle: &'a mut VerifiedBundle,
    /// What the user asked for.
    pub request: &'a Request,
    /// What was decided for it, and shown; it must change something.
    pub plan: &'a Plan,
    /// How the log names the bundle.
    pub source: &'a str,
}

impl Apply<'_> {
    /// Carries out the plan, if it is still the right one now that nobody else can change the target.
    pub fn run(self, host: &dyn Host, observer: &mut dyn Observer) -> Result<(), ApplyError> {
        let _held = lock(host, self.target)?;
        let (folder, begin) = self.decide_again(host)?;
        let run = Run::new(&folder.path, folder.next_number());
        let recorder = Recorder::new(host, observer);
        let mut transaction = Transaction { host, target: self.target, folder, run, recorder };
        let mut result = transaction.stage(self.bundle, self.plan, &begin);
        if result.is_ok() {
            result = transaction.open_log(&begin, self.plan, self.source);
        }
        match result.and_then(|()| transaction.commit(begin)) {
            Ok(()) => Ok(()),
            Err(cause) => Err(transaction.give_up(cause)),
        }
    }

    /// Decides again under the lock, and returns the update's records and the first one of this run.
    fn decide_again(&self, host: &dyn Host) -> Result<(StateFolder, Begin), UpdateError> {
        let manifest = self.bundle.manifest();
        let facts = facts::gather(host, self.target, manifest, &self.request.role)?;
        let interrupted = facts.states.iter().flat_map(|folder| &folder.runs).any(Run::is_interrupted);
        let same = decide(manifest, &facts, self.request).is_ok_and(|plan| plan.steps == self.plan.steps);
        if interrupted || !same {
            return Err(UpdateError::Overtaken);
        }
        let last = facts.states.iter().map(StateFolder::last_sequence).max().unwrap_or(0);
        let begin = self.begin(host, manifest, last.saturating_add(1));
        let known = facts.states.into_iter().find(|folder| folder.id == manifest.id);
        let folder = known.unwrap_or_else(|| StateFolder {
            id: manifest.id.clone(),
            path: StateFolder::path_of(self.target, &manifest.id),
            runs: Vec::new(),
        });
        Ok((folder, begin))
    }

    fn begin(&self, host: &dyn Host, manifest: &Manifest, sequence: u32) -> Begin {
        let record = |step: &Step| StepRecord {
            to: step.to.clone(),
            old: step.present.as_ref().map(|old| FileRecord {
                size: old.size,
                sha256: old.sha256,
                version: old.version,
            }),
            new: FileRecord { size: step.file.size, sha256: step.file.sha256, version: step.file.version },
        };
        let verified = self.bundle.verified();
        Begin {
            format: journal::FORMAT,
            patcher: env!("CARGO_PKG_VERSION").to_owned(),
            id: manifest.id.clone(),
            revision: manifest.revision,
            title: manifest.title.clone(),
            product: manifest.product.clone(),
            manifest: verified.digest(),
            signers: verified.signers().iter().map(ToString::to_string).collect(),
            role: self.plan.role.clone(),
            platform: self.plan.platform,
            assumed_build: self.request.assumed_build,
            sequence,
            at: utc(host.now()),
            log: manifest.log.clone(),
            steps: self.plan.changes().map(record).collect(),
        }
    }
}

/// A run that is going on.
struct Transaction<'a> {
    host: &'a dyn Host,
    target: TargetRoot<'a>,
    folder: StateFolder,
    run: Run,
    recorder: Recorder<'a>,
}

impl Transaction<'_> {
    /// Makes every new file ready beside the target, whose own files are only read.
    fn stage(&mut self, bundle: &mut VerifiedBundle, plan: &Plan, begin: &Begin) -> Result<(), UpdateError> {
        ensure_folder(self.host, &self.run.stage())?;
        for (number, (step, record)) in plan.changes().zip(&begin.steps).enumerate() {
            let place = self.target.locate(self.host, &record.to)?;
            let old = self.read_old(&place, record)?;
            let (new, made) = bundle.make(&step.file, old.as_deref())?;
            let like = place.stat.map(|_| place.full.clone());
            let attributes = Attributes { like, modified: linked_at(&step.file) };
            write_checked(self.host, &self.run.staged_file(number), &new, &attributes)?;
            self.recorder.tell(&Event::Staged { to: &record.to, made });
        }
        // Also what a killed run had made and not synced.
        for folder in [&self.run.stage(), &self.run.path, &self.folder.path] {
            self.host.sync_folder(folder)?;
        }
        Ok(self.host.sync_folder(self.target.path())?)
    }

    /// Opens the log; where that fails, nothing is left of one that was not there before.
    fn open_log(&mut self, begin: &Begin, plan: &Plan, source: &str) -> Result<(), UpdateError> {
        let unwritable = |error: UpdateError| UpdateError::Log(Box::new(error));
        let log = self.target.locate(self.host, &begin.log).map_err(|error| unwritable(error.into()))?;
        let made = match log.full.parent() {
            Some(folder) => ensure_folder(self.host, folder).map_err(|error| unwritable(error.into()))?,
            None => Vec::new(),
        };
        let head =
            format!("*** Installation Started: {} revision {} at {} ***", begin.id, begin.revision, begin.at);
        self.host.log(&log.full, &head).map_err(|error| {
            if log.stat.is_none() {
                // What cannot be removed now was not to be written either: the first error is the one to tell.
                drop(self.host.remove_file(&log.full));
                made.iter().rev().for_each(|folder| drop(self.host.remove_folder(folder)));
            }
            unwritable(error.into())
        })?;
        self.recorder.set_log(log.full);
        for line in [
            format!("Title: {}", begin.title),
            format!("Source: {source}"),
            format!("Target: {} ({}, {})", self.target.path().display(), begin.role, begin.platform),
            format!("Signed by: {}", begin.signers.join(", ")),
        ] {
            self.recorder.log(&line);
        }
        for note in &plan.notes {
            self.recorder.log(&format!("Note: {note}"));
        }
        Ok(())
    }

    /// Journal, backup, swap, check, commit.
    fn commit(&mut self, begin: Begin) -> Result<(), UpdateError> {
        let steps = begin.steps.clone();
        self.run.record(self.host, Record::Begin(Box::new(begin)))?;
        self.host.sync_folder(&self.run.path)?;
        for record in steps.iter().filter(|record| record.old.is_some()) {
            self.back_up(record)?;
        }
        for (step, record) in steps.iter().enumerate() {
            self.swap(step, record)?;
        }
        for record in &steps {
            let found = digest_at(self.host, &self.target.locate(self.host, &record.to)?)?;
            if found != Some(record.new.sha256) {
                let wanted = [Some(record.new.sha256)];
                return Err(changed(record, found, &wanted, "it is not what was just put there"));
            }
        }
        self.run.record(self.host, Record::Commit { at: utc(self.host.now()) })?;
        // The update stands. What remains can be completed by recovery, and is no reason to undo it.
        if let Err(error) = finish(self.host, &self.folder, &mut self.run) {
            let warning = format!("{}; run `recover` to complete the clean-up", chain::line(&error));
            self.recorder.tell(&Event::Warning(warning));
        }
        self.recorder.tell(&Event::Ended(format!("Installation Completed: {}", self.folder.id)));
        Ok(())
    }

    /// Copies the old file to the backup, durable with its folders, with its time and permissions.
    fn back_up(&mut self, record: &StepRecord) -> Result<(), UpdateError> {
        let place = self.target.locate(self.host, &record.to)?;
        let Some(bytes) = self.read_old(&place, record)? else { return Ok(()) };
        let backup = self.run.backup_file(&record.to);
        let modified = place.stat.map(|stat| stat.modified);
        if let Some(parent) = backup.parent() {
            ensure_folder(self.host, parent)?;
            let attributes = Attributes { like: Some(place.full), modified };
            write_checked(self.host, &backup, &bytes, &attributes)?;
            self.host.sync_folder(parent)?;
        }
        self.recorder.tell(&Event::BackedUp(&record.to));
        Ok(())
    }

    /// Renames one new file into place, between its intent and its done.
    fn swap(&mut self, step: usize, record: &StepRecord) -> Result<(), UpdateError> {
        let place = self.target.locate(self.host, &record.to)?;
        self.run.record(self.host, Record::Intent { step })?;
        self.host.rename(&self.run.staged_file(step), &place.full)?;
        sync_parent(self.host, &place)?;
        self.run.record(self.host, Record::Done { step })?;
        let old = record.old.as_ref().and_then(|old| old.version);
        self.recorder.tell(&Event::Replaced { to: &record.to, old, new: record.new.version });
        Ok(())
    }

    /// Reads the old file and makes sure that it is the one the run was planned for.
    fn read_old(&self, place: &Place, record: &StepRecord) -> Result<Option<Vec<u8>>, UpdateError> {
        let bytes = match place.stat {
            Some(_) => Some(self.host.read(&place.full, MAX_MEMBER)?),
            None => None,
        };
        let found = bytes.as_deref().map(|bytes| Present::of(bytes).sha256);
        let wanted = record.old.as_ref().map(|old| old.sha256);
        if found == wanted {
            return Ok(bytes);
        }
        Err(changed(record, found, &[wanted], "it was changed while the update was prepared"))
    }

    /// Ends a run that failed: leaves nothing of it if it has touched nothing, otherwise undoes it.
    fn give_up(mut self, cause: UpdateError) -> ApplyError {
        let reason = chain::line(&cause);
        self.recorder.tell(&Event::Aborted(reason.clone()));
        if !self.run.journal.touches_anything() {
            // The first error is what the user must hear of; what this leaves, recovery removes.
            drop(abandon(self.host, &self.run));
            return ApplyError::Unchanged(cause);
        }
        let undo = Undo { host: self.host, target: self.target, folder: &self.folder };
        match undo.run(&mut self.run, &reason, &mut self.recorder) {
            Ok(()) => self.recorder.tell(&Event::Ended(format!("Rollback Completed: {}", self.folder.id))),
            // Only the records lag behind, as on a disk without a byte left; recovery completes them.
            Err(error) if undo.is_undone(&self.run) => {
                let error = chain::line(&UpdateError::from(error));
                self.recorder
                    .tell(&Event::Warning(format!("{error}; run `recover` to complete the records")));
            }
            Err(error) => {
                return ApplyError::Stuck { cause: reason, backup: self.run.backup(), source: error.into() };
            }
        }
        ApplyError::RolledBack { source: cause }
    }
}

/// Returns the time by the new file's PE header, which is what the article prints of it.
fn linked_at(entry: &FileEntry) -> Option<SystemTime> {
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(entry.time_stamp?)))
}
