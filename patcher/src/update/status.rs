//! Status: what is installed in a target, computed from the journals and the files on the disk.

use super::UpdateError;
use super::facts::Present;
use super::journal::StepRecord;
use super::state::{self, Phase, Run, StateFolder};
use super::target::TargetRoot;
use crate::host::Files;
use crate::name::UpdateId;
use crate::version::FileVersion;

/// What an update is in a target.
#[derive(Clone, Debug)]
pub struct UpdateStatus {
    /// The update.
    pub id: UpdateId,
    /// Whether it is installed.
    pub condition: Condition,
    /// The installed update that takes its place, if there is one.
    pub superseded_by: Option<UpdateId>,
    /// The run that tells most of it: the newest committed one, else the last one.
    pub run: Run,
    /// Its files as they are now; none unless it is installed.
    pub files: Vec<FileStatus>,
}

/// Whether an update is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is.
    Installed,
    /// It was, or a run failed, and everything was put back.
    RolledBack,
    /// A run was interrupted or is going on.
    Interrupted,
    /// A run waits for a restart of the system to replace its files.
    AwaitsRestart,
}

impl Condition {
    /// Returns the word for it in results.
    pub fn word(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::RolledBack => "rolled-back",
            Self::Interrupted => "interrupted",
            Self::AwaitsRestart => "awaits-restart",
        }
    }
}

/// A file of an installed update as it is now.
#[derive(Clone, Debug)]
pub struct FileStatus {
    /// The update that put the file there last, if it is another one.
    pub replaced_by: Option<UpdateId>,
    /// What the run did.
    pub step: StepRecord,
    /// What is there now; none if nothing is.
    pub present: Option<Present>,
}

impl FileStatus {
    /// Returns the word for what became of it.
    pub fn word(&self) -> &'static str {
        match &self.present {
            None => "missing",
            Some(present) if present.sha256 == self.step.new.sha256 => "as-installed",
            Some(_) if self.replaced_by.is_some() => "replaced-by-later",
            Some(present) if self.step.old.as_ref().is_some_and(|old| old.sha256 == present.sha256) => "old",
            Some(present) if FileVersion::is_later(present.version, self.step.new.version) => "newer",
            Some(_) => "changed",
        }
    }
}

/// Reads the records in the target and looks at every file they name.
pub fn status(files: &dyn Files, target: TargetRoot<'_>) -> Result<Vec<UpdateStatus>, UpdateError> {
    let mut updates = Vec::new();
    let states = state::scan(files, target)?;
    let owners = state::owners(&states);
    for folder in &states {
        let Some(run) = telling_run(folder) else { continue };
        let awaits_restart = folder.runs.iter().any(|run| run.phase() == Phase::Scheduled);
        let condition = match run.phase() {
            _ if folder.is_interrupted() => Condition::Interrupted,
            _ if awaits_restart => Condition::AwaitsRestart,
            Phase::Committed => Condition::Installed,
            Phase::RolledBack => Condition::RolledBack,
            Phase::Staging | Phase::Open | Phase::Scheduled | Phase::Undoing => Condition::Interrupted,
        };
        let mut statuses = Vec::new();
        if condition == Condition::Installed {
            for step in folder.installed_files() {
                let present = Present::at(files, &target.locate(files, &step.to)?)?;
                let owner = owners.get(&step.to.folded()).map(|(owner, _)| *owner);
                let replaced_by = owner.filter(|owner| **owner != folder.id).cloned();
                statuses.push(FileStatus { step, present, replaced_by });
            }
        }
        updates.push(UpdateStatus {
            id: folder.id.clone(),
            condition,
            superseded_by: state::superseding(&states, &folder.id).cloned(),
            run: run.clone(),
            files: statuses,
        });
    }
    Ok(updates)
}

fn telling_run(folder: &StateFolder) -> Option<&Run> {
    folder.committed().next_back().or_else(|| folder.runs.last())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::update::journal::FileRecord;

    #[test]
    fn newer_is_what_has_a_higher_version_than_the_update_brought() {
        let word = |found: Option<[u16; 4]>, brought: Option<[u16; 4]>| {
            let (found, brought) = (found.map(FileVersion), brought.map(FileVersion));
            let new = FileRecord { size: 3, sha256: Digest::of(b"new"), version: brought };
            let step = StepRecord { to: "Ccm.dll".parse().unwrap(), old: None, new, register: false };
            let (size, sha256) = (5, Digest::of(b"other"));
            let present = Present { size, sha256, machine: None, version: found, language: None };
            FileStatus { replaced_by: None, step, present: Some(present) }.word()
        };
        let (low, high) = (Some([2, 0, 1380, 1000]), Some([2, 0, 1380, 1125]));
        assert_eq!(word(high, low), "newer");
        for (found, brought) in [(low, high), (low, low), (low, None), (None, low), (None, None)] {
            assert_eq!(word(found, brought), "changed", "{found:?}, {brought:?}");
        }
    }
}
