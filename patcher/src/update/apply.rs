//! Apply: carries out a plan as one transaction.
//!
//! Order of effects, and why: see the invariants in `journal`. Until the journal's first record is durable
//! only the patcher's own folder is written, and a failure removes it again. From then on a failure undoes
//! the run.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::facts::Present;
use super::journal::{self, Begin, FileRecord, Record, StepRecord};
use super::plan::{Plan, Step};
use super::recorder::{Event, Observer, Recorder};
use super::run::{abandon, ensure_folder, finish};
use super::state::{self, Run, StateFolder};
use super::target::{Place, TargetRoot};
use super::timestamp::utc;
use super::undo::{Undo, changed, digest_at};
use super::{UpdateError, lock};
use crate::bundle::VerifiedBundle;
use crate::bundle::manifest::{FileEntry, MAX_MEMBER};
use crate::host::{Attributes, Host, HostError};
use crate::name::UpdateId;

/// Why an apply did not come to its end, and what the target is now.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It failed before the target was touched; nothing is left of it.
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

/// Carries out `plan`, which must have been decided for this bundle and target and change something.
///
/// `source` is how the log names the bundle; `assumed_build` goes to journal and receipt.
pub fn apply(
    host: &dyn Host,
    target: TargetRoot<'_>,
    bundle: &mut VerifiedBundle,
    plan: &Plan,
    assumed_build: Option<u16>,
    source: &str,
    observer: &mut dyn Observer,
) -> Result<(), ApplyError> {
    let _held = lock(host, target)?;
    let (folder, sequence) = records(host, target, &bundle.manifest().id)?;
    let mut recorder = Recorder::new(host, observer);
    let mut run = Run::new(&folder.path, folder.next_number());
    let begin = begin(host, bundle, plan, assumed_build, sequence);
    if let Err(error) = prepare(host, target, bundle, plan, &begin, &mut run, source, &mut recorder) {
        recorder.tell(&Event::Aborted(error.to_string()));
        // The first error is what the user must hear of; what this leaves, recovery removes.
        drop(abandon(host, &mut run));
        return Err(error.into());
    }
    match commit(host, target, &folder, &mut run, begin, &mut recorder) {
        Ok(()) => {
            recorder.tell(&Event::Ended(format!("Installation Completed: {}", folder.id)));
            Ok(())
        }
        Err(error) => Err(give_up(host, target, &folder, run, error, &mut recorder)),
    }
}

/// Finds the update's records in the target, or where they will be, and the sequence number of the next run.
///
/// The target is locked by now: a run that is not at rest was interrupted since it was looked at.
fn records(
    host: &dyn Host,
    target: TargetRoot<'_>,
    id: &UpdateId,
) -> Result<(StateFolder, u32), UpdateError> {
    let states = state::scan(host, target)?;
    if let Some(other) = states.iter().find(|folder| folder.runs.iter().any(Run::is_interrupted)) {
        return Err(UpdateError::Interrupted(other.id.clone()));
    }
    let sequence = states.iter().map(StateFolder::last_sequence).max().unwrap_or(0).saturating_add(1);
    let known = states.into_iter().find(|folder| folder.id == *id);
    let folder = known.unwrap_or_else(|| StateFolder {
        id: id.clone(),
        path: StateFolder::path_of(target, id),
        runs: Vec::new(),
    });
    Ok((folder, sequence))
}

fn begin(
    host: &dyn Host,
    bundle: &VerifiedBundle,
    plan: &Plan,
    assumed_build: Option<u16>,
    sequence: u32,
) -> Begin {
    let manifest = bundle.manifest();
    let steps = plan.changes().filter_map(|step| {
        let entry = manifest.files.get(step.file)?;
        Some(StepRecord {
            to: step.to.clone(),
            old: step.present.as_ref().map(|old| FileRecord {
                size: old.size,
                sha256: old.sha256,
                version: old.version,
            }),
            new: FileRecord { size: entry.size, sha256: entry.sha256, version: entry.version },
        })
    });
    Begin {
        format: journal::FORMAT,
        patcher: env!("CARGO_PKG_VERSION").to_owned(),
        id: manifest.id.clone(),
        revision: manifest.revision,
        title: manifest.title.clone(),
        product: manifest.product.clone(),
        manifest: bundle.verified().digest(),
        signers: bundle.verified().signers().iter().map(ToString::to_string).collect(),
        role: plan.role.clone(),
        platform: plan.platform,
        assumed_build,
        sequence,
        at: utc(host.now()),
        log: manifest.log.clone(),
        steps: steps.collect(),
    }
}

/// Stages every new file beside the target and opens the log; the target's own files are only read.
#[expect(clippy::too_many_arguments, reason = "the two halves of apply share what it was given")]
fn prepare(
    host: &dyn Host,
    target: TargetRoot<'_>,
    bundle: &mut VerifiedBundle,
    plan: &Plan,
    begin: &Begin,
    run: &mut Run,
    source: &str,
    recorder: &mut Recorder<'_>,
) -> Result<(), UpdateError> {
    ensure_folder(host, &run.stage())?;
    let changes: Vec<&Step> = plan.changes().collect();
    for (number, (step, record)) in changes.iter().zip(&begin.steps).enumerate() {
        let Some(entry) = bundle.manifest().files.get(step.file).cloned() else { continue };
        let place = target.locate(host, &record.to)?;
        let old = read_old(host, &place, record)?;
        let (new, made) = bundle.make(&entry, old.as_deref())?;
        let like = place.stat.map(|_| place.full.clone());
        let attributes = Attributes { like, modified: linked_at(&entry) };
        host.write_new(&run.staged_file(number), &new, &attributes)?;
        recorder.tell(&Event::Staged { to: &record.to, made });
    }
    host.sync_folder(&run.stage())?;
    let log = target.locate(host, &begin.log)?;
    let head =
        format!("*** Installation Started: {} revision {} at {} ***", begin.id, begin.revision, begin.at);
    open_log(host, &log, &head).map_err(UpdateError::Log)?;
    recorder.set_log(log.full);
    for line in [
        format!("Title: {}", begin.title),
        format!("Source: {source}"),
        format!("Target: {} ({}, {})", target.path().display(), begin.role, begin.platform),
        format!("Signed by: {}", begin.signers.join(", ")),
    ] {
        recorder.log(&line);
    }
    for note in &plan.notes {
        recorder.log(&format!("Note: {note}"));
    }
    Ok(())
}

/// Writes the log's first line; where that fails, nothing is left of a log that was not there before.
fn open_log(host: &dyn Host, log: &Place, head: &str) -> Result<(), HostError> {
    let made = match log.full.parent() {
        Some(folder) => ensure_folder(host, folder)?,
        None => Vec::new(),
    };
    host.log(&log.full, head).inspect_err(|_| {
        if log.stat.is_none() {
            // What cannot be removed now was not to be written either: the first error is the one to tell.
            drop(host.remove_file(&log.full));
            made.iter().rev().for_each(|folder| drop(host.remove_folder(folder)));
        }
    })
}

/// Returns the time by the new file's PE header, which is what the article prints of it.
fn linked_at(entry: &FileEntry) -> Option<SystemTime> {
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(entry.time_stamp?)))
}

/// Reads the old file and makes sure that it is the one the run was planned for.
fn read_old(host: &dyn Host, place: &Place, record: &StepRecord) -> Result<Option<Vec<u8>>, UpdateError> {
    let bytes = match place.stat {
        Some(_) => Some(host.read(&place.full, MAX_MEMBER)?),
        None => None,
    };
    let found = bytes.as_deref().map(|bytes| Present::of(bytes).sha256);
    let wanted = record.old.as_ref().map(|old| old.sha256);
    if found == wanted {
        return Ok(bytes);
    }
    Err(changed(record, found, &[wanted], "it was changed while the update was prepared"))
}

/// Journal, backup, swap, check, commit.
fn commit(
    host: &dyn Host,
    target: TargetRoot<'_>,
    folder: &StateFolder,
    run: &mut Run,
    begin: Begin,
    recorder: &mut Recorder<'_>,
) -> Result<(), UpdateError> {
    let steps = begin.steps.clone();
    run.record(host, Record::Begin(Box::new(begin)))?;
    host.sync_folder(&run.path)?;
    for record in steps.iter().filter(|record| record.old.is_some()) {
        back_up(host, target, run, record)?;
        recorder.tell(&Event::BackedUp(&record.to));
    }
    for (step, record) in steps.iter().enumerate() {
        let place = target.locate(host, &record.to)?;
        run.record(host, Record::Intent { step })?;
        host.rename(&run.staged_file(step), &place.full)?;
        if let Some(parent) = place.full.parent() {
            host.sync_folder(parent)?;
        }
        run.record(host, Record::Done { step })?;
        let old = record.old.as_ref().and_then(|old| old.version);
        recorder.tell(&Event::Replaced { to: &record.to, old, new: record.new.version });
    }
    for record in &steps {
        let found = digest_at(host, &target.locate(host, &record.to)?)?;
        if found != Some(record.new.sha256) {
            let wanted = [Some(record.new.sha256)];
            return Err(changed(record, found, &wanted, "it is not what was just put there"));
        }
    }
    run.record(host, Record::Commit { at: utc(host.now()) })?;
    // The update stands. What remains can be completed by recovery, and is no reason to undo it.
    if let Err(error) = finish(host, folder, run) {
        recorder.tell(&Event::Warning(format!("{error}; run `recover` to complete the clean-up")));
    }
    Ok(())
}

/// Copies the old file to the backup, durable with its folders, with its time and permissions.
fn back_up(
    host: &dyn Host,
    target: TargetRoot<'_>,
    run: &Run,
    record: &StepRecord,
) -> Result<(), UpdateError> {
    let place = target.locate(host, &record.to)?;
    let Some(bytes) = read_old(host, &place, record)? else { return Ok(()) };
    let backup = run.backup_file(&record.to);
    let modified = place.stat.map(|stat| stat.modified);
    if let Some(parent) = backup.parent() {
        ensure_folder(host, parent)?;
        host.write_new(&backup, &bytes, &Attributes { like: Some(place.full), modified })?;
        host.sync_folder(parent)?;
    }
    Ok(())
}

/// Undoes a run that failed after it had begun.
fn give_up(
    host: &dyn Host,
    target: TargetRoot<'_>,
    folder: &StateFolder,
    mut run: Run,
    cause: UpdateError,
    recorder: &mut Recorder<'_>,
) -> ApplyError {
    recorder.tell(&Event::Aborted(cause.to_string()));
    if run.begin().is_none() {
        // Not even the first record is there: the target is untouched. What this leaves, recovery removes.
        drop(abandon(host, &mut run));
        return ApplyError::RolledBack { source: cause };
    }
    let undo = Undo { host, target, folder, known: &BTreeSet::new() };
    match undo.run(&mut run, &cause.to_string(), recorder) {
        Ok(()) => recorder.tell(&Event::Ended(format!("Rollback Completed: {}", folder.id))),
        // Only the records lag behind, as on a disk without a byte left; recovery completes them.
        Err(error) if undo.is_undone(&run) => {
            let warning = format!("{}; run `recover` to complete the records", UpdateError::from(error));
            recorder.tell(&Event::Warning(warning));
        }
        Err(error) => {
            let (cause, backup) = (cause.to_string(), run.backup());
            return ApplyError::Stuck { cause, backup, source: error.into() };
        }
    }
    ApplyError::RolledBack { source: cause }
}
