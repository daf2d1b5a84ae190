//! Apply: carries out a plan as one transaction.
//!
//! Order of effects, and why: see the invariants in `journal`. Until a file's first intent is durable only the
//! patcher's own folder and the log are written, and a failure removes the folder again. From then on a
//! failure undoes the run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::contention::{Contention, InUse};
use super::journal::{self, Begin, FileRecord, Record, StepRecord, ValueRecord};
use super::plan::{Plan, Request, Step};
use super::recorder::{Event, Observer, Recorder, unfinished};
use super::run::{abandon, commit, ensure_folder, finish, write_checked};
use super::state::{self, Run, StateFolder};
use super::target::{Place, TargetRoot};
use super::undo::{Undo, changed, digest_at};
use super::{UpdateError, UpdateErrorKind, services, values};
use crate::bundle::VerifiedBundle;
use crate::bundle::manifest::{FileEntry, MAX_MEMBER, Manifest};
use crate::bundle::product::Product;
use crate::chain;
use crate::chain::debug_as_shown;
use crate::digest::Digest;
use crate::host::{Attributes, Host, HostError, RegistryAt, ServicesAt};
use crate::name::{Role, UpdateId};
use crate::platform::Platform;
use crate::registry::{RegistryKey, RegistryValue};
use crate::timestamp::utc;

/// Why an apply did not come to its end, and what the target is now.
#[derive(thiserror::Error)]
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

debug_as_shown!(ApplyError);

/// An apply that has been planned.
#[derive(Debug)]
pub struct Apply<'a> {
    /// The folder to update.
    pub target: TargetRoot<'a>,
    /// The bundle.
    pub bundle: &'a mut VerifiedBundle,
    /// What the user asked for.
    pub request: &'a Request,
    /// The records that were found in the target.
    pub states: &'a [StateFolder],
    /// What was decided by them and shown; it must have work.
    pub plan: &'a Plan,
    /// The bundle's path.
    pub source: &'a Path,
    /// Which backends serve it.
    pub backends: &'a Backends,
    /// How it deals with other runs, and with files in use.
    pub contention: &'a Contention,
}

/// How an apply came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Every file is replaced.
    Now,
    /// A file was in use: every file will be replaced at the next start of the system, none is yet.
    AtRestart,
}

impl Apply<'_> {
    /// Carries out the plan, if no other run came in between now that nobody else can change the target.
    pub fn run(self, host: &dyn Host, observer: &mut dyn Observer) -> Result<Applied, ApplyError> {
        let _held = self.contention.lock(host, self.target)?;
        let begin = self.prepare(host)?;
        let id = begin.id.clone();
        let Self { target, bundle, states, plan, source, contention, .. } = self;
        let transaction = Transaction::new(host, target, states, &id, observer, *contention);
        transaction.carry_out(begin, &plan.programs, |transaction, begin| {
            transaction.stage(bundle, plan, begin)?;
            transaction.open_log(begin, &plan.notes, source)
        })
    }

    /// Returns the first record of this run, if no other run has left its own since the plan.
    ///
    /// That the files are still those of the plan is seen when they are read.
    fn prepare(&self, host: &dyn Host) -> Result<Begin, UpdateError> {
        if state::scan(host, self.target)? != self.states
            || self.states.iter().any(StateFolder::is_interrupted)
        {
            return Err(UpdateErrorKind::Overtaken.into());
        }
        Ok(self.begin(host, self.bundle.manifest(), next_sequence(self.states))?)
    }

    fn begin(&self, host: &dyn Host, manifest: &Manifest, sequence: u32) -> Result<Begin, HostError> {
        let record = |step: &Step| StepRecord {
            to: step.to.clone(),
            old: step.present.as_ref().map(|old| FileRecord {
                size: old.size,
                sha256: old.sha256,
                version: old.version,
            }),
            new: FileRecord { size: step.file.size, sha256: step.file.sha256, version: step.file.version },
            register: step.is_change() && step.file.register && self.plan.registers,
        };
        let verified = self.bundle.verified();
        let found: Vec<_> = self
            .plan
            .services
            .iter()
            .map(|entry| services::look_for(host, entry))
            .collect::<Result<_, _>>()?;
        Ok(Begin {
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
            supersedes: manifest.supersedes.clone(),
            services: services::join(found),
            services_at: self.backends.services.clone(),
            registry_at: self.backends.registry.clone(),
            values: self.values(host)?,
            before: self.plan.before.clone(),
            after: self.plan.after.clone(),
            bundle: self.source.to_str().map(PathBuf::from),
            ring: verified.trust().ring().edition().cloned(),
            seen: Some(verified.trust().day()),
            downgrade: self.plan.downgrade,
            steps: self.plan.recorded().map(record).collect(),
        })
    }

    /// Looks what the registry values are that the run sets to something else.
    fn values(&self, host: &dyn Host) -> Result<Vec<ValueRecord>, HostError> {
        let today: String = utc(host.now()).chars().take_while(|c| *c != 'T').collect();
        let mut records = Vec::new();
        for (key, value) in &self.plan.values {
            let new = RegistryValue::text(&value.text.replace("{date}", &today));
            records.push(values::look(host, key.clone(), &value.name, new)?);
        }
        records.retain(|record| record.old.as_ref() != Some(&record.new));
        Ok(records)
    }
}

/// Which backends serve a run: what its journal remembers for those that undo or finish it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backends {
    /// Who controls services; none: nobody.
    pub services: Option<ServicesAt>,
    /// Where the registry is; none: it is not looked at.
    pub registry: Option<RegistryAt>,
}

/// A run that sets registry values and touches no file.
#[derive(Debug)]
pub struct SetValues<'a> {
    /// The folder in which it is recorded.
    pub target: TargetRoot<'a>,
    /// The number under which it is recorded, and can be taken back.
    pub id: UpdateId,
    /// What it does, in one line.
    pub title: String,
    /// The product, and where its logs are.
    pub product: &'a Product,
    /// The part the target plays.
    pub role: Role,
    /// The platform of the target.
    pub platform: Platform,
    /// The values: key, name, contents.
    pub values: Vec<(RegistryKey, String, RegistryValue)>,
    /// Which backends serve it.
    pub backends: &'a Backends,
    /// How it deals with other runs.
    pub contention: &'a Contention,
}

impl SetValues<'_> {
    /// Sets the values, as one transaction that rollback takes back.
    pub fn run(self, host: &dyn Host, observer: &mut dyn Observer) -> Result<(), ApplyError> {
        let _held = self.contention.lock(host, self.target)?;
        let states = state::scan(host, self.target).map_err(UpdateError::from)?;
        if states.iter().any(StateFolder::is_interrupted) {
            return Err(UpdateError::from(UpdateErrorKind::Overtaken).into());
        }
        let begin = self.begin(host, &states)?;
        let source = Path::new(&self.title).to_owned();
        let transaction = Transaction::new(host, self.target, &states, &self.id, observer, *self.contention);
        transaction.carry_out(begin, &[], |transaction, begin| {
            ensure_folder(host, &transaction.run.stage())?;
            transaction.open_log(begin, &[], &source)
        })?;
        Ok(())
    }

    fn begin(&self, host: &dyn Host, states: &[StateFolder]) -> Result<Begin, UpdateError> {
        let value = |(key, name, new): &(RegistryKey, String, RegistryValue)| {
            values::look(host, key.clone(), name, new.clone())
        };
        Ok(Begin {
            format: journal::FORMAT,
            patcher: env!("CARGO_PKG_VERSION").to_owned(),
            id: self.id.clone(),
            revision: 1,
            title: self.title.clone(),
            product: self.product.product.clone(),
            manifest: Digest::of(b""),
            signers: Vec::new(),
            role: self.role.clone(),
            platform: self.platform,
            assumed_build: None,
            sequence: next_sequence(states),
            at: utc(host.now()),
            log: self.product.log(&self.id)?,
            supersedes: Vec::new(),
            services: Vec::new(),
            services_at: None,
            registry_at: self.backends.registry.clone(),
            values: self.values.iter().map(value).collect::<Result<_, _>>()?,
            before: Vec::new(),
            after: Vec::new(),
            bundle: None,
            ring: None,
            seen: None,
            downgrade: None,
            steps: Vec::new(),
        })
    }
}

/// Returns the number of the next run in a target.
fn next_sequence(states: &[StateFolder]) -> u32 {
    states.iter().map(StateFolder::last_sequence).max().unwrap_or(0).saturating_add(1)
}

/// A run that is going on.
struct Transaction<'a> {
    host: &'a dyn Host,
    target: TargetRoot<'a>,
    folder: StateFolder,
    run: Run,
    recorder: Recorder<'a>,
    contention: Contention,
}

impl<'a> Transaction<'a> {
    fn new(
        host: &'a dyn Host,
        target: TargetRoot<'a>,
        states: &[StateFolder],
        id: &UpdateId,
        observer: &'a mut dyn Observer,
        contention: Contention,
    ) -> Self {
        let known = states.iter().find(|folder| folder.id == *id).cloned();
        let folder = known.unwrap_or_else(|| StateFolder {
            id: id.clone(),
            path: StateFolder::path_of(target, id),
            runs: Vec::new(),
        });
        let run = Run::new(&folder.path, folder.next_number());
        let recorder = Recorder::new(host, observer);
        Self { host, target, folder, run, recorder, contention }
    }

    /// Prepares and commits; what fails is undone.
    fn carry_out(
        mut self,
        begin: Begin,
        programs: &[String],
        prepare: impl FnOnce(&mut Self, &Begin) -> Result<(), UpdateError>,
    ) -> Result<Applied, ApplyError> {
        match prepare(&mut self, &begin).and_then(|()| self.commit(begin, programs)) {
            Ok(applied) => Ok(applied),
            Err(cause) => Err(self.give_up(cause)),
        }
    }

    /// Makes every new file ready beside the target, whose own files are only read.
    fn stage(&mut self, bundle: &mut VerifiedBundle, plan: &Plan, begin: &Begin) -> Result<(), UpdateError> {
        ensure_folder(self.host, &self.run.stage())?;
        for (step, (number, record)) in plan.changes().zip(changes(&begin.steps)) {
            let place = self.target.locate(self.host, &record.to)?;
            let old = self.read_old(&place, record)?;
            let old = record.old.as_ref().map(|known| known.sha256).zip(old);
            let (new, made) = bundle.make(&step.file, old)?;
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
    fn open_log(&mut self, begin: &Begin, notes: &[String], source: &Path) -> Result<(), UpdateError> {
        let unwritable = |error| UpdateError::from(UpdateErrorKind::Log(error));
        let log = self.target.locate(self.host, &begin.log).map_err(|error| unwritable(error.into()))?;
        let made = match log.full.parent() {
            Some(folder) => ensure_folder(self.host, folder).map_err(|error| unwritable(error.into()))?,
            None => Vec::new(),
        };
        let head =
            format!("*** Installation Started {}: {} revision {} ***", begin.at, begin.id, begin.revision);
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
            format!("Source: {}", source.display()),
            format!("Target: {} ({}, {})", self.target.path().display(), begin.role, begin.platform),
            format!("Signed by: {}", begin.signers.join(", ")),
            "User Rights: may write the target".to_owned(),
        ] {
            self.recorder.log(&line);
        }
        for note in notes {
            self.recorder.log(&format!("Note: {note}"));
        }
        Ok(())
    }

    /// Journal, services, backup, swap, check, commit.
    fn commit(&mut self, begin: Begin, programs: &[String]) -> Result<Applied, UpdateError> {
        let steps = begin.steps.clone();
        let found = begin.services.clone();
        self.run.record(self.host, Record::Begin(Box::new(begin)))?;
        self.host.sync_folder(&self.run.path)?;
        services::stop(self.host, &found, &self.contention, &mut self.recorder)?;
        let replaced = self.back_up(&steps)?;
        let free = self
            .contention
            .wait_for_programs(self.host, self.target, programs)
            .and_then(|()| self.contention.wait_for(self.host, &replaced));
        match free {
            Ok(()) => {}
            Err(error) if error.is_in_use() && self.contention.in_use == InUse::Schedule => {
                return self.schedule(&steps);
            }
            Err(error) => return Err(error.into()),
        }
        if steps.iter().any(|step| step.register) {
            self.run.record(self.host, Record::Unregister)?;
            values::unregister(self.host, self.target, &steps, &mut self.recorder)?;
        }
        let mut folders = BTreeSet::new();
        for (step, record) in changes(&steps) {
            folders.extend(self.swap(step, record)?);
        }
        // Once for all: until the commit an undo sees from the files themselves what was renamed.
        self.sync_folders(&folders)?;
        self.check(&steps)?;
        commit(self.host, self.target, &mut self.run, &mut self.recorder)?;
        // The update stands. What remains can be completed by recovery, and is no reason to undo it.
        if let Err(error) =
            finish(self.host, &self.folder, &mut self.run, &self.contention, &mut self.recorder)
        {
            self.warn_unfinished(&error);
        }
        self.recorder.tell(&Event::Ended(format!("Installation Completed: {}", self.folder.id)));
        Ok(Applied::Now)
    }

    /// Has the system replace every file at its next start; until then none is.
    ///
    /// A staged file that is removed before is left out, so that an undo takes the order back.
    fn schedule(&mut self, steps: &[StepRecord]) -> Result<Applied, UpdateError> {
        for (step, record) in changes(steps) {
            let place = self.target.locate(self.host, &record.to)?;
            self.run.record(self.host, Record::Intent { step })?;
            self.host.rename_at_restart(&self.run.staged_file(step), &place.full)?;
            self.recorder.tell(&Event::Scheduled(&record.to));
        }
        self.run.record(self.host, Record::Scheduled { at: utc(self.host.now()) })?;
        if let Err(error) = services::restart(self.host, &mut self.run, &self.contention, &mut self.recorder)
        {
            self.warn_unfinished(&error);
        }
        let ended = format!("Installation will be completed at the next restart: {}", self.folder.id);
        self.recorder.tell(&Event::Ended(ended));
        Ok(Applied::AtRestart)
    }

    fn warn_unfinished(&mut self, error: &UpdateError) {
        self.recorder.tell(&Event::Warning(unfinished(error)));
    }

    /// Reads every file and makes sure that it is the new one.
    fn check(&self, steps: &[StepRecord]) -> Result<(), UpdateError> {
        for record in steps {
            let found = digest_at(self.host, &self.target.locate(self.host, &record.to)?)?;
            if found != Some(record.new.sha256) {
                let wanted = [Some(record.new.sha256)];
                let what =
                    if record.is_change() { "it is not what was just put there" } else { CHANGED_MEANWHILE };
                return Err(changed(record, found, &wanted, what));
            }
        }
        Ok(())
    }

    /// Copies every old file to the backup, durable with its folders, with its time and permissions; returns their
    /// paths.
    fn back_up(&mut self, steps: &[StepRecord]) -> Result<Vec<PathBuf>, UpdateError> {
        let (mut old_files, mut folders) = (Vec::new(), BTreeSet::new());
        for (_, record) in changes(steps).filter(|(_, record)| record.old.is_some()) {
            let place = self.target.locate(self.host, &record.to)?;
            let bytes = self.read_old(&place, record)?.unwrap_or_default();
            let backup = self.run.backup_file(&record.to);
            let modified = place.stat.map(|stat| stat.modified);
            if let Some(parent) = backup.parent() {
                ensure_folder(self.host, parent)?;
                folders.insert(parent.to_owned());
            }
            let attributes = Attributes { like: Some(place.full.clone()), modified };
            write_checked(self.host, &backup, &bytes, &attributes)?;
            self.recorder.tell(&Event::BackedUp(&record.to));
            old_files.push(place.full);
        }
        self.sync_folders(&folders)?;
        Ok(old_files)
    }

    fn sync_folders(&self, folders: &BTreeSet<PathBuf>) -> Result<(), HostError> {
        folders.iter().try_for_each(|folder| self.host.sync_folder(folder))
    }

    /// Renames one new file into place, between its intent and its done; returns the folder whose names that changed.
    fn swap(&mut self, step: usize, record: &StepRecord) -> Result<Option<PathBuf>, UpdateError> {
        let place = self.target.locate(self.host, &record.to)?;
        // It may have been changed since its backup was made, or have come since none was needed.
        self.read_old(&place, record)?;
        self.run.record(self.host, Record::Intent { step })?;
        self.host.rename(&self.run.staged_file(step), &place.full)?;
        self.run.record(self.host, Record::Done { step })?;
        let old = record.old.as_ref().and_then(|old| old.version);
        self.recorder.tell(&Event::Replaced { at: &place.full, old, new: record.new.version });
        Ok(place.full.parent().map(Path::to_owned))
    }

    /// Reads the old file and makes sure that it is the one the run was planned for.
    fn read_old(&self, place: &Place, record: &StepRecord) -> Result<Option<Vec<u8>>, UpdateError> {
        let bytes = match place.stat {
            Some(_) => Some(self.host.read(&place.full, MAX_MEMBER)?),
            None => None,
        };
        let found = bytes.as_deref().map(Digest::of);
        let wanted = record.old.as_ref().map(|old| old.sha256);
        if found == wanted {
            return Ok(bytes);
        }
        Err(changed(record, found, &[wanted], CHANGED_MEANWHILE))
    }

    /// Ends a run that failed: leaves nothing of it if it has touched nothing, otherwise undoes it.
    fn give_up(mut self, cause: UpdateError) -> ApplyError {
        let reason = chain::line(&cause);
        self.recorder.tell(&Event::Aborted(reason.clone()));
        if self.run.journal.is_untouched() {
            // The first error is what the user must hear of; what this leaves, recovery removes.
            let abandoned = abandon(self.host, self.target, &self.run, &self.contention, &mut self.recorder);
            if let Err(error) = abandoned {
                self.warn_unfinished(&error);
            }
            return ApplyError::Unchanged(cause);
        }
        let undo =
            Undo { host: self.host, target: self.target, folder: &self.folder, contention: &self.contention };
        match undo.run(&mut self.run, &reason, &mut self.recorder) {
            Ok(()) => self.recorder.tell(&Event::Ended(format!("Rollback Completed: {}", self.folder.id))),
            // Only the records lag behind, as on a disk without a byte left.
            Err(error) if undo.is_undone(&self.run) => self.warn_unfinished(&error.into()),
            Err(error) => {
                return ApplyError::Stuck { cause: reason, backup: self.run.backup(), source: error.into() };
            }
        }
        ApplyError::RolledBack { source: cause }
    }
}

/// What is wrong with a file that is not as the plan was made for.
const CHANGED_MEANWHILE: &str = "it was changed while the update was prepared";

/// Returns the steps that change a file, with their positions.
fn changes(steps: &[StepRecord]) -> impl Iterator<Item = (usize, &StepRecord)> {
    steps.iter().enumerate().filter(|(_, step)| step.is_change())
}

/// Returns the time by the new file's PE header, which is what the article prints of it.
fn linked_at(entry: &FileEntry) -> Option<SystemTime> {
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(entry.time_stamp?)))
}
