//! The undo of a run: the one function behind a failing apply, recovery and the user's rollback.

use std::collections::BTreeSet;

use super::UpdateError;
use super::facts::Present;
use super::journal::{Record, StepRecord};
use super::recorder::{Event, Recorder};
use super::run::{ensure_folder, finish, write_over};
use super::state::{Phase, Run, StateFolder};
use super::target::{Place, TargetRoot};
use super::timestamp::utc;
use crate::bundle::manifest::MAX_MEMBER;
use crate::digest::Digest;
use crate::host::{Attributes, Files, Host};

/// What is to be done to one file so that it is as before the run.
enum Restoration<'r> {
    /// Put the old file back from the backup.
    PutBack(&'r StepRecord, Place),
    /// Remove the file that the run added.
    Remove(&'r StepRecord, Place),
}

/// Puts every file of the run back as it was, newest first, and records it.
///
/// What remains to be done is seen from the digests on the disk, so an undo that was interrupted is simply
/// done again. `known` are digests that files may have beside the run's own old and new ones. Fails before
/// anything is touched where a backup is not whole or a file is neither old, new nor known; the journal then
/// says what it said before.
pub(super) fn undo(
    host: &dyn Host,
    target: TargetRoot<'_>,
    folder: &StateFolder,
    run: &mut Run,
    reason: &str,
    known: &BTreeSet<Digest>,
    recorder: &mut Recorder<'_>,
) -> Result<(), UpdateError> {
    let Some(begin) = run.begin().cloned() else { return Ok(()) };
    let restorations = examine(host, target, run, &begin.steps, known)?;
    if run.phase() != Phase::Undoing {
        run.record(host, Record::Undo { at: utc(host.now()), reason: reason.to_owned() })?;
    }
    recorder.tell(&Event::UndoStarted(format!("{} ({reason})", begin.id)));
    ensure_folder(host, &run.stage())?;
    run.staged = true;
    for restoration in restorations.iter().rev() {
        match restoration {
            Restoration::PutBack(step, place) => {
                put_back(host, run, step, place)?;
                recorder.tell(&Event::Restored(&step.to));
            }
            Restoration::Remove(step, place) => {
                host.remove_file(&place.full)?;
                sync_parent(host, place)?;
                recorder.tell(&Event::Removed(&step.to));
            }
        }
    }
    for step in &begin.steps {
        let found = digest_at(host, &target.locate(host, &step.to)?)?;
        let wanted = step.old.as_ref().map(|old| old.sha256);
        if found != wanted {
            return Err(changed(step, found, &[wanted], "it was changed while it was put back"));
        }
    }
    run.record(host, Record::RolledBack { at: utc(host.now()) })?;
    finish(host, folder, run)
}

/// Decides what is to be done, and makes sure that all of it can be.
fn examine<'r>(
    host: &dyn Host,
    target: TargetRoot<'_>,
    run: &Run,
    steps: &'r [StepRecord],
    known: &BTreeSet<Digest>,
) -> Result<Vec<Restoration<'r>>, UpdateError> {
    let mut restorations = Vec::new();
    let mut foreign = Vec::new();
    for step in steps {
        let place = target.locate(host, &step.to)?;
        let found = digest_at(host, &place)?;
        let old = step.old.as_ref().map(|old| old.sha256);
        if found == old {
            continue;
        }
        if let Some(other) = found.filter(|found| *found != step.new.sha256 && !known.contains(found)) {
            let error =
                changed(step, Some(other), &[Some(step.new.sha256), old], "not the update's file any more");
            foreign.push(error.to_string());
            continue;
        }
        restorations.push(match old {
            Some(_) => {
                read_backup(host, run, step)?;
                Restoration::PutBack(step, place)
            }
            None => Restoration::Remove(step, place),
        });
    }
    if foreign.is_empty() { Ok(restorations) } else { Err(UpdateError::Foreign(foreign)) }
}

/// Puts one old file back: staged from the backup, renamed over what is there.
fn put_back(host: &dyn Host, run: &Run, step: &StepRecord, place: &Place) -> Result<(), UpdateError> {
    let bytes = read_backup(host, run, step)?;
    let backup = run.backup_file(&step.to);
    let modified = host.stat(&backup)?.map(|stat| stat.modified);
    let staged = run.stage().join("restore");
    write_over(host, &staged, &bytes, &Attributes { like: Some(backup), modified })?;
    host.rename(&staged, &place.full)?;
    sync_parent(host, place)
}

/// Reads the backup of a step and holds it against the journal.
fn read_backup(host: &dyn Host, run: &Run, step: &StepRecord) -> Result<Vec<u8>, UpdateError> {
    let path = run.backup_file(&step.to);
    let bytes = host.read(&path, MAX_MEMBER)?;
    let (found, wanted) = (Digest::of(&bytes), step.old.as_ref().map(|old| old.sha256));
    if Some(found) == wanted {
        return Ok(bytes);
    }
    Err(UpdateError::Backup { path, found: found.to_string(), wanted: text(wanted) })
}

fn sync_parent(host: &dyn Host, place: &Place) -> Result<(), UpdateError> {
    match place.full.parent() {
        Some(parent) => Ok(host.sync_folder(parent)?),
        None => Ok(()),
    }
}

/// Returns the digest of the file at a place; none if there is none.
pub(super) fn digest_at(files: &dyn Files, place: &Place) -> Result<Option<Digest>, UpdateError> {
    match place.stat {
        Some(_) => Ok(Some(Present::of(&files.read(&place.full, MAX_MEMBER)?).sha256)),
        None => Ok(None),
    }
}

/// Makes the error of a file that is not what is counted on.
pub(super) fn changed(
    step: &StepRecord,
    found: Option<Digest>,
    wanted: &[Option<Digest>],
    what: &'static str,
) -> UpdateError {
    let wanted = wanted.iter().copied().map(text).collect::<Vec<_>>().join(" or ");
    UpdateError::Changed { path: step.to.clone(), found: text(found), wanted, what }
}

fn text(digest: Option<Digest>) -> String {
    digest.map_or_else(|| "none (absent)".to_owned(), |digest| digest.to_string())
}
