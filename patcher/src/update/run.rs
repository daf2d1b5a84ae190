//! The effects of a run on its own records: folders, journal lines, receipt, clean-up.

use std::path::{Path, PathBuf};

use super::UpdateError;
use super::journal::Record;
use super::receipt::{MAX_RECEIPT, Receipt};
use super::state::{RECEIPT_NAME, Run, StateFolder};
use crate::bundle::manifest::MAX_MEMBER;
use crate::digest::Digest;
use crate::host::{Attributes, Host, HostError, Kind};

impl Run {
    /// Adds a record to the journal; durable when it returns.
    pub(super) fn record(&mut self, host: &dyn Host, record: Record) -> Result<(), UpdateError> {
        let (at, line) = self.journal.line(&record)?;
        host.append(&self.journal_path(), at, line.as_bytes())?;
        Ok(self.journal.written(record, &line)?)
    }

    /// Removes the staged files and their folder, if they are there.
    pub(super) fn remove_stage(&mut self, host: &dyn Host) -> Result<(), HostError> {
        if host.stat(&self.stage())?.is_some() {
            remove_tree(host, &self.stage())?;
            host.sync_folder(&self.path)?;
        }
        self.staged = false;
        Ok(())
    }
}

/// Removes what a run left that touched nothing, and the update's folder if nothing else is in it.
///
/// The journal goes first: what is left of the run without it is seen as never begun, and removed as well.
pub(super) fn abandon(host: &dyn Host, run: &Run) -> Result<(), HostError> {
    if host.stat(&run.journal_path())?.is_some() {
        host.remove_file(&run.journal_path())?;
        host.sync_folder(&run.path)?;
    }
    if host.stat(&run.path)?.is_some() {
        remove_tree(host, &run.path)?;
    }
    match run.path.parent() {
        Some(folder) => remove_if_empty(host, folder),
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

/// Makes receipt and stage agree with the journals of a run that has ended: the last thing every run does.
pub(super) fn finish(host: &dyn Host, folder: &StateFolder, run: &mut Run) -> Result<(), UpdateError> {
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
            let mut bytes = serde_json::to_vec_pretty(&receipt)?;
            bytes.push(b'\n');
            if current.as_deref() != Some(&bytes) {
                ensure_folder(host, &run.stage())?;
                let staged = run.stage().join(RECEIPT_NAME);
                write_over(host, &staged, &bytes, &Attributes::default())?;
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
) -> Result<(), HostError> {
    if host.stat(path)?.is_some() {
        host.remove_file(path)?;
    }
    host.write_new(path, bytes, attributes)
}

/// Writes a new file and reads it back: a mount may say that it wrote what it did not.
pub(super) fn write_checked(
    host: &dyn Host,
    path: &Path,
    bytes: &[u8],
    attributes: &Attributes,
) -> Result<(), UpdateError> {
    host.write_new(path, bytes, attributes)?;
    let (found, wanted) = (Digest::of(&host.read(path, MAX_MEMBER)?), Digest::of(bytes));
    if found == wanted {
        return Ok(());
    }
    Err(UpdateError::Unwritten { path: path.to_owned(), found, wanted })
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
