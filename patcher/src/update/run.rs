//! The effects of a run on its own records: folders, journal lines, receipt, clean-up.

use std::path::{Path, PathBuf};

use super::contention::Contention;
use super::journal::{Record, StepRecord};
use super::receipt::{MAX_RECEIPT, Receipt};
use super::recorder::Recorder;
use super::state::{Phase, RECEIPT_NAME, Run, StateFolder};
use super::target::TargetRoot;
use super::{UpdateError, UpdateErrorKind, services, values};
use crate::bundle::manifest::MAX_MEMBER;
use crate::digest::Digest;
use crate::host::{Attributes, Host, HostError, Kind};
use crate::json::ToJson;
use crate::timestamp::utc;

impl Run {
    /// Adds a record to the journal; durable when it returns.
    ///
    /// Where it fails the record may stand there all the same, whole, and be believed by recovery: it is cut off
    /// again, as far as that can be done.
    pub(super) fn record(&mut self, host: &dyn Host, record: Record) -> Result<(), UpdateError> {
        let (at, line) = self.journal.line(&record);
        if let Err(error) = host.append(&self.journal_path(), at, line.as_bytes()) {
            // The first error is the one to tell.
            drop(host.append(&self.journal_path(), at, b""));
            return Err(error.into());
        }
        Ok(self.journal.written(record, &line)?)
    }

    /// Makes what was read of the journal durable: the run that wrote it may have been killed before it synced it.
    pub(super) fn settle(&self, host: &dyn Host) -> Result<(), HostError> {
        host.append(&self.journal_path(), self.journal.end(), b"")?;
        host.sync_folder(&self.path)
    }

    /// Removes the staged files and their folder, if they are there.
    pub(super) fn remove_stage(&mut self, host: &dyn Host) -> Result<(), HostError> {
        if self.phase() == Phase::Scheduled && host.stat(&self.stage())?.is_some() {
            // All at once: a restart in the midst of removing them would put the others in place.
            host.rename(&self.stage(), &self.cancelled())?;
            host.sync_folder(&self.path)?;
        }
        for folder in [self.stage(), self.cancelled()] {
            if host.stat(&folder)?.is_some() {
                remove_tree(host, &folder)?;
                host.sync_folder(&self.path)?;
            }
        }
        self.staged = false;
        Ok(())
    }
}

/// Registers and starts what a run had unregistered and stopped that touched nothing, removes what it left, and the update's folder if nothing
/// else is in it.
///
/// The backup goes before the journal, and the rest after it: a backup without a journal is never left by a run, but
/// by whatever lost the journal. The journal stays, for recovery, where a service does not start.
pub(super) fn abandon(
    host: &dyn Host,
    target: TargetRoot<'_>,
    run: &Run,
    contention: &Contention,
    recorder: &mut Recorder<'_>,
) -> Result<(), UpdateError> {
    if let Some(begin) = run.begin().filter(|_| run.journal.has_unregistered()) {
        values::register(host, target, &begin.steps, recorder)?;
    }
    services::start(host, run, contention, recorder)?;
    if host.stat(&run.backup())?.is_some() {
        remove_tree(host, &run.backup())?;
        host.sync_folder(&run.path)?;
    }
    if host.stat(&run.journal_path())?.is_some() {
        host.remove_file(&run.journal_path())?;
        host.sync_folder(&run.path)?;
    }
    if host.stat(&run.path)?.is_some() {
        remove_tree(host, &run.path)?;
    }
    match run.path.parent() {
        Some(folder) => Ok(remove_if_empty(host, folder)?),
        None => Ok(()),
    }
}

/// Removes the folder of an update in which there is nothing.
pub(super) fn remove_if_empty(host: &dyn Host, folder: &Path) -> Result<(), HostError> {
    if host.stat(folder)?.is_none() {
        return Ok(());
    }
    if host.list(folder)?.is_empty() {
        host.remove_folder(folder)?;
    }
    match folder.parent() {
        Some(root) if host.stat(folder)?.is_none() => host.sync_folder(root),
        _ => Ok(()),
    }
}

/// Brings what goes with the files after them, once every one is new: COM servers, registry values; then the run stands.
pub(super) fn commit(
    host: &dyn Host,
    target: TargetRoot<'_>,
    run: &mut Run,
    recorder: &mut Recorder<'_>,
) -> Result<(), UpdateError> {
    let Some(begin) = run.begin().cloned() else { return Ok(()) };
    values::register(host, target, &begin.steps, recorder)?;
    if !begin.values.is_empty() {
        run.record(host, Record::SetValues)?;
        values::set(host, &begin.values, recorder)?;
    }
    run.record(host, Record::Commit { at: utc(host.now()) })
}

/// Starts what a run had stopped, and makes receipt and stage agree with its journal: the last thing every run does.
pub(super) fn finish(
    host: &dyn Host,
    folder: &StateFolder,
    run: &mut Run,
    contention: &Contention,
    recorder: &mut Recorder<'_>,
) -> Result<(), UpdateError> {
    // The product is waited for; the records are not.
    let restarted = services::restart(host, run, contention, recorder);
    tidy(host, folder, run).and(restarted)
}

fn tidy(host: &dyn Host, folder: &StateFolder, run: &mut Run) -> Result<(), UpdateError> {
    let mut folder = folder.clone();
    folder.put(run.clone());
    let receipt_path = folder.path.join(RECEIPT_NAME);
    let newest = folder.committed().next_back();
    let receipt = newest.and_then(|run| {
        Some(Receipt::of(run.begin()?, run.journal.committed_at()?, folder.installed_files()))
    });
    let current = host.stat(&receipt_path)?.map(|_| host.read(&receipt_path, MAX_RECEIPT)).transpose()?;
    match receipt {
        Some(receipt) => {
            let text = format!("{:#}\n", receipt.to_json());
            if current.as_deref() != Some(text.as_bytes()) {
                ensure_folder(host, &run.stage())?;
                let staged = run.stage().join(RECEIPT_NAME);
                write_over(host, &staged, text.as_bytes(), &Attributes::default())?;
                host.rename(&staged, &receipt_path)?;
            }
        }
        None if current.is_some() => host.remove_file(&receipt_path)?,
        None => {}
    }
    // Also where the receipt agrees: the run that wrote it may have been killed before this.
    host.sync_folder(&folder.path)?;
    Ok(run.remove_stage(host)?)
}

/// Makes a folder and those above it that are missing; each that it makes is durable when it returns.
pub(super) fn ensure_folder(host: &dyn Host, path: &Path) -> Result<Vec<PathBuf>, HostError> {
    let mut made = Vec::new();
    let mut missing = Vec::new();
    for folder in path.ancestors() {
        if host.stat(folder)?.is_some() {
            break;
        }
        missing.push(folder);
    }
    for folder in missing.into_iter().rev() {
        host.create_folder(folder)?;
        made.push(folder.to_owned());
        if let Some(parent) = folder.parent() {
            host.sync_folder(parent)?;
        }
    }
    Ok(made)
}

/// Writes one of the run's own files anew, in place of what an interrupted run left of it.
pub(super) fn write_over(
    host: &dyn Host,
    path: &Path,
    bytes: &[u8],
    attributes: &Attributes,
) -> Result<(), UpdateError> {
    if host.stat(path)?.is_some() {
        host.remove_file(path)?;
    }
    write_checked(host, path, bytes, attributes)
}

/// Tells how much space files of these sizes need, with their entries and the records of the run, at most.
pub(super) fn space_for(sizes: impl Iterator<Item = u64>) -> u64 {
    /// What a file takes beyond its size: the rest of its last block, its inode, its part of folders and journal.
    const FILE: u64 = 4 << 10;
    /// Journal, receipt, log, folders.
    const RECORDS: u64 = 16 << 10;
    sizes.fold(RECORDS, |sum, size| sum.saturating_add(size).saturating_add(FILE))
}

/// Tells how much space a run needs that puts the new files of these steps beside the target and the old ones
/// into a backup, or the other way round.
pub(super) fn space_of<'r>(steps: impl Iterator<Item = &'r StepRecord>) -> u64 {
    space_for(steps.flat_map(|step| [step.new.size].into_iter().chain(step.old.as_ref().map(|old| old.size))))
}

/// Writes a new file and reads it back: a mount may say that it wrote what it did not.
pub(super) fn write_checked(
    host: &dyn Host,
    path: &Path,
    bytes: &[u8],
    attributes: &Attributes,
) -> Result<(), UpdateError> {
    host.write_new(path, bytes, attributes)?;
    let read = host.read(path, MAX_MEMBER)?;
    if read == bytes {
        return Ok(());
    }
    let (found, wanted) = (Digest::of(&read), Digest::of(bytes));
    Err(UpdateErrorKind::Unwritten { path: path.to_owned(), found, wanted }.into())
}

/// Removes a folder of the patcher's own with everything in it; links in it are removed, not followed.
fn remove_tree(host: &dyn Host, folder: &Path) -> Result<(), HostError> {
    for name in host.list(folder)? {
        let path = folder.join(name);
        match host.stat(&path)?.map(|stat| stat.kind) {
            Some(Kind::Folder) => remove_tree(host, &path)?,
            Some(Kind::File | Kind::Other) => host.remove_file(&path)?,
            None => {}
        }
    }
    host.remove_folder(folder)
}
