//! The effects of a run on its own records: folders, journal lines, receipt, clean-up.

use std::path::{Path, PathBuf};

use super::UpdateError;
use super::journal::Record;
use super::receipt::Receipt;
use super::state::{RECEIPT_NAME, Run, StateFolder};
use crate::host::{Attributes, Host, HostError};

impl Run {
    /// Adds a record to the journal; durable when it returns.
    pub(super) fn record(&mut self, host: &dyn Host, record: Record) -> Result<(), UpdateError> {
        let (at, line) = self.journal.line(&record)?;
        host.append(&self.journal_path(), at, line.as_bytes())?;
        Ok(self.journal.written(record, &line)?)
    }

    /// Removes the staged files and their folder, if they are there.
    pub(super) fn remove_stage(&mut self, host: &dyn Host) -> Result<(), HostError> {
        remove_folder_of_files(host, &self.stage())?;
        if self.staged {
            host.sync_folder(&self.path)?;
        }
        self.staged = false;
        Ok(())
    }
}

/// Removes what a run left that never began: its staged files, its folder, and the update's if nothing else is in it.
pub(super) fn abandon(host: &dyn Host, run: &mut Run) -> Result<(), HostError> {
    run.remove_stage(host)?;
    remove_folder_of_files(host, &run.path)?;
    let Some(folder) = run.path.parent() else { return Ok(()) };
    if host.stat(folder)?.is_some() && host.list(folder)?.is_empty() {
        host.remove_folder(folder)?;
        if let Some(root) = folder.parent() {
            host.sync_folder(root)?;
        }
    }
    Ok(())
}

/// Makes receipt and stage agree with the journals of a run that has ended: the last thing every run does.
pub(super) fn finish(host: &dyn Host, folder: &StateFolder, run: &mut Run) -> Result<(), UpdateError> {
    let receipt_path = folder.path.join(RECEIPT_NAME);
    // `run` is newer than its copy in `folder`.
    let other = folder.committed().rfind(|other| other.number != run.number);
    let own = Some(&*run)
        .filter(|run| run.journal.committed_at().is_some() && run.phase() == super::state::Phase::Committed);
    let newest = [own, other].into_iter().flatten().max_by_key(|run| run.number);
    let receipt = newest.and_then(|run| Some(Receipt::of(run.begin()?, run.journal.committed_at()?)));
    match receipt {
        Some(receipt) => {
            let mut bytes = serde_json::to_vec_pretty(&receipt)?;
            bytes.push(b'\n');
            let current = host.stat(&receipt_path)?.map(|_| host.read(&receipt_path, 1 << 24)).transpose()?;
            if current.as_deref() != Some(&bytes) {
                ensure_folder(host, &run.stage())?;
                let staged = run.stage().join(RECEIPT_NAME);
                write_over(host, &staged, &bytes, &Attributes::default())?;
                host.rename(&staged, &receipt_path)?;
                host.sync_folder(&folder.path)?;
            }
        }
        None if host.stat(&receipt_path)?.is_some() => {
            host.remove_file(&receipt_path)?;
            host.sync_folder(&folder.path)?;
        }
        None => {}
    }
    Ok(run.remove_stage(host)?)
}

/// Makes a folder and those above it that are missing; each is durable when it returns.
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

/// Removes a folder with the files in it; one that is not there is fine.
fn remove_folder_of_files(host: &dyn Host, folder: &Path) -> Result<(), HostError> {
    if host.stat(folder)?.is_none() {
        return Ok(());
    }
    for name in host.list(folder)? {
        host.remove_file(&folder.join(name))?;
    }
    host.remove_folder(folder)
}
