//! What updates leave in a target: a folder for each update, with a folder for each run of it.
//!
//! ```text
//! $NtUninstallQ252717$/
//!   receipt.json            what is installed; there only while it is
//!   0001/                   the first run
//!     journal               what was done, line by line
//!     backup/Bin/i386/...   the old files, as they were, under their own names
//!     stage/                new files until they are renamed into place; gone after the run
//!     cancelled/            what was staged for a restart that is not to use it any more; as soon gone
//! $NtUninstall.lock         while a run holds the target
//! ```
//!
//! Journals are the truth; the receipt is made from them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::journal::{Begin, Journal, JournalError, MAX_JOURNAL, StepRecord};
use super::target::TargetRoot;
use crate::chain::error_of_kinds;
use crate::digest::Digest;
use crate::host::{Files, HostError, Kind};
use crate::name::UpdateId;
use crate::target_path::{RESERVED_PREFIX, TargetPath};

pub use super::journal::Phase;

/// The name of the lock file in a target.
pub const LOCK_NAME: &str = "$NtUninstall.lock";
/// The name of the receipt in an update's folder.
pub const RECEIPT_NAME: &str = "receipt.json";

error_of_kinds!(
    /// Why records cannot be read.
    StateError,
    StateErrorKind
);

/// What is wrong.
#[derive(thiserror::Error)]
pub enum StateErrorKind {
    /// The system refused.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A link or file has the name of a folder of records.
    #[error("{} is no folder, though it has the name of one that updates leave", path.display())]
    NotAFolder {
        /// What it is.
        path: PathBuf,
    },
    /// A link, folder or device has the name of a journal.
    #[error("{} is no file, though it has the name of a journal", path.display())]
    NotAFile {
        /// What it is.
        path: PathBuf,
    },
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFolder {
    /// The update.
    pub id: UpdateId,
    /// Its folder.
    pub path: PathBuf,
    /// Its runs, oldest first.
    pub runs: Vec<Run>,
}

/// The records of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// Tells whether something of it is left to finish or undo, as far as its records tell.
    pub fn is_interrupted(&self) -> bool {
        self.runs.iter().any(Run::is_interrupted)
    }

    /// Returns what the newest committed run says; none if the update is not installed.
    pub fn installed(&self) -> Option<&Begin> {
        self.committed().last().and_then(|run| run.journal.begin())
    }

    /// Returns the files of the installed update.
    pub fn installed_files(&self) -> Vec<StepRecord> {
        files_of(steps_of(self.committed()))
    }

    /// Returns the digests that later runs of the update found and put back: what this run's files may be too.
    pub fn put_back_after(&self, run: u32) -> BTreeSet<Digest> {
        let later = self.runs.iter().filter(|other| other.number > run && other.phase() == Phase::RolledBack);
        let steps = later.filter_map(Run::begin).flat_map(|begin| &begin.steps);
        steps.filter_map(|step| step.old.as_ref()).map(|old| old.sha256).collect()
    }

    /// Puts a run in the place of its former state, or adds it.
    pub(super) fn put(&mut self, run: Run) {
        self.runs.retain(|other| other.number != run.number);
        self.runs.push(run);
        self.runs.sort_by_key(|run| run.number);
    }

    /// Returns the committed runs, oldest first.
    pub fn committed(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.runs.iter().filter(|run| run.phase() == Phase::Committed)
    }

    /// Returns the highest sequence number of its runs, 0 if none began.
    pub fn last_sequence(&self) -> u32 {
        self.runs.iter().map(Run::sequence).max().unwrap_or(0)
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

    /// Returns its number in the target over all updates, 0 if it never began.
    pub fn sequence(&self) -> u32 {
        self.begin().map_or(0, |begin| begin.sequence)
    }

    /// Tells whether something is left to finish or undo, as far as its records tell.
    pub fn is_interrupted(&self) -> bool {
        match self.phase() {
            Phase::Staging | Phase::Open | Phase::Undoing => true,
            Phase::Scheduled => !self.journal.stopped().is_empty(),
            Phase::Committed | Phase::RolledBack => self.staged || !self.journal.stopped().is_empty(),
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

    /// Returns where staged files are moved to at once that shall not be put in place by a restart any more.
    pub fn cancelled(&self) -> PathBuf {
        self.path.join("cancelled")
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

/// Returns the runs that stand, or will after a restart, over all updates in the order in which they were done.
pub fn stack(states: &[StateFolder]) -> Vec<(&StateFolder, &Run)> {
    let stands = |run: &&Run| matches!(run.phase(), Phase::Committed | Phase::Scheduled);
    let mut stack: Vec<(&StateFolder, &Run)> = states
        .iter()
        .flat_map(|folder| folder.runs.iter().filter(stands).map(move |run| (folder, run)))
        .collect();
    stack.sort_by_key(|(_, run)| run.sequence());
    stack
}

/// Returns whose each file is that updates put there: the update of the last run that stands, and the file.
///
/// By the folded path of the file. What a run has scheduled for a restart is not there yet.
pub fn owners(states: &[StateFolder]) -> BTreeMap<String, (&UpdateId, &StepRecord)> {
    let mut owners = BTreeMap::new();
    for (folder, run) in stack(states).into_iter().filter(|(_, run)| run.phase() == Phase::Committed) {
        for step in run.begin().into_iter().flat_map(|begin| &begin.steps) {
            owners.insert(step.to.folded(), (&folder.id, step));
        }
    }
    owners
}

/// Returns the installed update that takes the place of this one, if there is one.
pub fn superseding<'s>(states: &'s [StateFolder], id: &UpdateId) -> Option<&'s UpdateId> {
    let supersedes =
        |state: &&StateFolder| state.installed().is_some_and(|begin| begin.supersedes.contains(id));
    states.iter().find(supersedes).map(|state| &state.id)
}

/// Returns the steps of runs.
pub fn steps_of<'r>(runs: impl IntoIterator<Item = &'r Run>) -> impl Iterator<Item = &'r StepRecord> {
    runs.into_iter().filter_map(Run::begin).flat_map(|begin| &begin.steps)
}

/// Returns the files of steps, given oldest first: each as the newest of them left it, and as the oldest found it.
pub fn files_of<'r>(steps: impl Iterator<Item = &'r StepRecord>) -> Vec<StepRecord> {
    let mut files: BTreeMap<String, StepRecord> = BTreeMap::new();
    for step in steps {
        files
            .entry(step.to.folded())
            .and_modify(|file| file.new = step.new.clone())
            .or_insert_with(|| step.clone());
    }
    files.into_values().collect()
}

/// Reads the records of every update in the target, by the order of their last runs.
pub fn scan(files: &dyn Files, target: TargetRoot<'_>) -> Result<Vec<StateFolder>, StateError> {
    let mut states = Vec::new();
    for name in files.list(target.path())? {
        let Some(id) = update_of(&name) else { continue };
        let path = target.path().join(&name);
        require_folder(files, &path)?;
        let mut runs = Vec::new();
        for name in files.list(&path)? {
            if let Some(number) = run_number(&name) {
                let path = path.join(&name);
                require_folder(files, &path)?;
                runs.push(read_run(files, path, number)?);
            }
        }
        runs.sort_by_key(|run| run.number);
        states.push(StateFolder { id, path, runs });
    }
    states.sort_by_key(StateFolder::last_sequence);
    Ok(states)
}

/// Reads the records of one run.
pub(super) fn read_run(files: &dyn Files, path: PathBuf, number: u32) -> Result<Run, StateError> {
    let mut run = Run { path, number, journal: Journal::default(), staged: false };
    for folder in [run.stage(), run.cancelled()] {
        if files.stat(&folder)?.is_some() {
            require_folder(files, &folder)?;
            run.staged = true;
        }
    }
    if files.stat(&run.backup())?.is_some() {
        require_folder(files, &run.backup())?;
    }
    let path = run.journal_path();
    if let Some(stat) = files.stat(&path)? {
        if stat.kind != Kind::File {
            return Err(StateErrorKind::NotAFile { path }.into());
        }
        let bytes = files.read(&path, MAX_JOURNAL)?;
        run.journal = Journal::read(&bytes).map_err(|source| StateErrorKind::Journal { path, source })?;
    }
    Ok(run)
}

/// Records are kept in folders of the target itself: a link would lead the backup out of it.
fn require_folder(files: &dyn Files, path: &Path) -> Result<(), StateError> {
    match files.stat(path)?.map(|stat| stat.kind) {
        Some(Kind::Folder) => Ok(()),
        Some(Kind::File | Kind::Other) | None => {
            Err(StateErrorKind::NotAFolder { path: path.to_owned() }.into())
        }
    }
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
