//! What updates leave in a target: a folder for each update, with a folder for each run of it.
//!
//! ```text
//! $NtUninstallQ252717$/
//!   receipt.json            what is installed; there only while it is
//!   0001/                   the first run
//!     journal               what was done, line by line
//!     backup/Bin/i386/...   the old files, as they were, under their own names
//!     stage/                new files until they are renamed into place; gone after the run
//! $NtUninstall.lock         while a run holds the target
//! ```
//!
//! Journals are the truth; the receipt is made from them.

use std::path::{Path, PathBuf};

use super::journal::{Begin, Journal, JournalError, MAX_JOURNAL};
use super::target::TargetRoot;
use crate::host::{Files, HostError, Kind};
use crate::name::UpdateId;
use crate::target_path::{RESERVED_PREFIX, TargetPath};

pub use super::journal::Phase;

/// The name of the lock file in a target.
pub const LOCK_NAME: &str = "$NtUninstall.lock";
/// The name of the receipt in an update's folder.
pub const RECEIPT_NAME: &str = "receipt.json";

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refused.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A journal is damaged.
    #[error("journal {} cannot be used", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// Why.
        source: JournalError,
    },
}

/// The records of one update.
#[derive(Clone, Debug)]
pub struct StateFolder {
    /// The update.
    pub id: UpdateId,
    /// Its folder.
    pub path: PathBuf,
    /// Its runs, oldest first.
    pub runs: Vec<Run>,
}

/// The records of one run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its folder.
    pub path: PathBuf,
    /// Its number in the update's folder, from 1.
    pub number: u32,
    /// Its journal.
    pub journal: Journal,
    /// Whether staged files are still there.
    pub staged: bool,
}

impl StateFolder {
    /// Returns where an update keeps its records.
    pub fn path_of(target: TargetRoot<'_>, id: &UpdateId) -> PathBuf {
        target.path().join(format!("{RESERVED_PREFIX}{id}$"))
    }

    /// Returns what the newest committed run says; none if the update is not installed.
    pub fn installed(&self) -> Option<&Begin> {
        self.committed().last().and_then(|run| run.journal.begin())
    }

    /// Returns the committed runs, oldest first.
    pub fn committed(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.runs.iter().filter(|run| run.phase() == Phase::Committed)
    }

    /// Returns the highest sequence number of its runs, 0 if none began.
    pub fn last_sequence(&self) -> u32 {
        self.runs.iter().filter_map(|run| run.begin()).map(|begin| begin.sequence).max().unwrap_or(0)
    }

    /// Returns the number of the next run.
    pub fn next_number(&self) -> u32 {
        self.runs.iter().map(|run| run.number).max().unwrap_or(0).saturating_add(1)
    }
}

impl Run {
    /// Describes a run that is about to begin in the update's folder.
    pub fn new(folder: &Path, number: u32) -> Self {
        Self { path: folder.join(format!("{number:04}")), number, journal: Journal::default(), staged: true }
    }

    /// Returns how far it has come.
    pub fn phase(&self) -> Phase {
        self.journal.phase()
    }

    /// Returns what it set out to do.
    pub fn begin(&self) -> Option<&Begin> {
        self.journal.begin()
    }

    /// Tells whether something is left to finish or undo.
    pub fn is_interrupted(&self) -> bool {
        match self.phase() {
            Phase::Staging | Phase::Open | Phase::Undoing => true,
            Phase::Committed | Phase::RolledBack => self.staged,
        }
    }

    /// Returns the path of its journal.
    pub fn journal_path(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// Returns the folder of its staged files.
    pub fn stage(&self) -> PathBuf {
        self.path.join("stage")
    }

    /// Returns where a step's new file waits.
    pub fn staged_file(&self, step: usize) -> PathBuf {
        self.stage().join(format!("{step:04}"))
    }

    /// Returns the folder of its backups.
    pub fn backup(&self) -> PathBuf {
        self.path.join("backup")
    }

    /// Returns where the old file of a path is kept.
    pub fn backup_file(&self, path: &TargetPath) -> PathBuf {
        self.backup().join(path.as_str())
    }
}

/// Reads the records of every update in the target, by the order of their last runs.
pub fn scan(files: &dyn Files, target: TargetRoot<'_>) -> Result<Vec<StateFolder>, StateError> {
    let mut states = Vec::new();
    for name in files.list(target.path())? {
        let Some(id) = update_of(&name) else { continue };
        let path = target.path().join(&name);
        if !is_folder(files, &path)? {
            continue;
        }
        let mut runs = Vec::new();
        for name in files.list(&path)? {
            let run_path = path.join(&name);
            if let Some(number) = run_number(&name).filter(|_| is_folder(files, &run_path).unwrap_or(false)) {
                runs.push(read_run(files, run_path, number)?);
            }
        }
        runs.sort_by_key(|run| run.number);
        states.push(StateFolder { id, path, runs });
    }
    states.sort_by_key(StateFolder::last_sequence);
    Ok(states)
}

fn read_run(files: &dyn Files, path: PathBuf, number: u32) -> Result<Run, StateError> {
    let mut run = Run { path, number, journal: Journal::default(), staged: false };
    run.staged = files.stat(&run.stage())?.is_some();
    let path = run.journal_path();
    if files.stat(&path)?.is_some() {
        let bytes = files.read(&path, MAX_JOURNAL)?;
        run.journal = Journal::read(&bytes).map_err(|source| StateError::Journal { path, source })?;
    }
    Ok(run)
}

fn is_folder(files: &dyn Files, path: &Path) -> Result<bool, HostError> {
    Ok(files.stat(path)?.is_some_and(|stat| stat.kind == Kind::Folder))
}

/// Takes the update's number from a name such as `$NtUninstallQ252717$`.
fn update_of(name: &str) -> Option<UpdateId> {
    let (prefix, rest) = name.split_at_checked(RESERVED_PREFIX.len())?;
    let id = rest.strip_suffix('$')?;
    if prefix.eq_ignore_ascii_case(RESERVED_PREFIX) { id.parse().ok() } else { None }
}

fn run_number(name: &str) -> Option<u32> {
    (name.len() >= 4 && name.bytes().all(|b| b.is_ascii_digit())).then(|| name.parse().ok())?
}
