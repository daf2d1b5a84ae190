//! Readiness: whether targets have the updates that a next step needs, and what is still to be waited for.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::UpdateError;
use super::doctor::Evidence;
use super::facts::gather;
use super::plan::{Request, decide};
use super::state::{self, superseding};
use super::status::{Condition, UpdateStatus, status};
use super::target::TargetRoot;
use crate::bundle::manifest::Manifest;
use crate::bundle::product::{Product, ReadySet, Wait};
use crate::host::{Files, Host};
use crate::name::UpdateId;
use crate::timestamp::utc;

/// What a target has of what a set asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetReadiness {
    /// The target.
    pub target: PathBuf,
    /// Its build; none if neither its updates nor its files tell.
    pub build: Option<u16>,
    /// The updates that it needs, each with what there is of it.
    pub updates: Vec<(UpdateId, Presence)>,
}

/// What there is of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is installed, and every file is as installed, or later.
    Installed {
        /// When, UTC; none if that is not recorded.
        at: Option<String>,
    },
    /// An installed update takes its place.
    Superseded {
        /// Which.
        by: UpdateId,
    },
    /// It is installed, and files are not what it left.
    Damaged {
        /// The files, each with what became of it.
        files: Vec<String>,
    },
    /// It is not installed.
    Missing,
}

impl Presence {
    /// Returns the word for it in results.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Installed { .. } => "installed",
            Self::Superseded { .. } => "superseded",
            Self::Damaged { .. } => "damaged",
            Self::Missing => "missing",
        }
    }

    /// Tells whether that is what the set asks for.
    pub fn is_enough(&self) -> bool {
        matches!(self, Self::Installed { .. } | Self::Superseded { .. })
    }
}

impl TargetReadiness {
    /// Looks at a target.
    pub fn of(
        files: &dyn Host,
        target: TargetRoot<'_>,
        product: &Product,
        set: &ReadySet,
        bundles: &[Rc<Manifest>],
    ) -> Result<Self, UpdateError> {
        let updates = status(files, target)?;
        let states = state::scan(files, target)?;
        let by_updates = set.needs.iter().find(|need| {
            need.updates.iter().any(|id| {
                updates.iter().any(|update| update.id == *id && update.condition == Condition::Installed)
            })
        });
        let build = match by_updates {
            Some(need) => Some(need.build),
            None => Evidence::gather(files, target)?.build(product),
        };
        // Of a build that nobody knows, all that any needs is shown.
        let needs = set.needs.iter().filter(|need| build.is_none_or(|build| build == need.build));
        let ids = needs.flat_map(|need| &need.updates);
        let presence = |id: &UpdateId| match superseding(&states, id) {
            Some(by) => Presence::Superseded { by: by.clone() },
            None => updates.iter().find(|update| update.id == *id).map_or(Presence::Missing, presence_of),
        };
        let mut updates: Vec<(UpdateId, Presence)> = ids.map(|id| (id.clone(), presence(id))).collect();
        for (id, presence) in updates.iter_mut().filter(|(_, presence)| *presence == Presence::Missing) {
            if let Some(manifest) = bundles.iter().find(|manifest| manifest.id == *id)
                && is_current(files, target, manifest)?
            {
                *presence = Presence::Installed { at: None };
            }
        }
        Ok(Self { target: target.path().to_owned(), build, updates })
    }

    /// Tells whether it has all that its build needs.
    pub fn is_ready(&self) -> bool {
        self.build.is_some() && self.updates.iter().all(|(_, presence)| presence.is_enough())
    }
}

/// Tells whether every file of an update is there, by whomever it was put there.
fn is_current(host: &dyn Host, target: TargetRoot<'_>, manifest: &Manifest) -> Result<bool, UpdateError> {
    let Some(role) = manifest.roles.iter().find(|entry| entry.after.is_empty()) else { return Ok(false) };
    let request = Request::to_look_at(role.role.clone(), None);
    let facts = gather(host, target, manifest, &request)?;
    let plan = decide(manifest, &facts, &request);
    Ok(plan.is_ok_and(|plan| plan.steps.iter().all(|step| step.decision.is_current())))
}

fn presence_of(update: &UpdateStatus) -> Presence {
    if update.condition != Condition::Installed {
        return Presence::Missing;
    }
    let is_fine = |word: &str| matches!(word, "as-installed" | "newer" | "replaced-by-later");
    let damaged = update.files.iter().filter(|file| !is_fine(file.word()));
    let files: Vec<String> = damaged.map(|file| format!("{} ({})", file.step.to, file.word())).collect();
    match update.run.journal.committed_at() {
        Some(at) if files.is_empty() => Presence::Installed { at: Some(at.to_owned()) },
        _ => Presence::Damaged { files },
    }
}

/// What a folder shows of a file that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    /// The folder that the admin named.
    pub folder: PathBuf,
    /// When the file was last written, UTC; none if there is none.
    pub written: Option<String>,
    /// Whether that was after every update that it follows was installed.
    pub is_fresh: bool,
}

/// Looks whether a file that the product writes anew was written after the updates that it follows.
pub fn look(
    files: &dyn Files,
    folder: &Path,
    wait: &Wait,
    targets: &[TargetReadiness],
) -> Result<Waited, UpdateError> {
    let root = TargetRoot::open(files, folder)?;
    let stat = root.locate(files, &wait.file)?.stat;
    let written = stat.map(|stat| utc(stat.modified));
    let followed =
        targets.iter().flat_map(|target| &target.updates).filter(|(id, _)| wait.updates.contains(id));
    let last = followed.filter_map(|(_, presence)| match presence {
        Presence::Installed { at } => at.as_deref(),
        Presence::Superseded { .. } | Presence::Damaged { .. } | Presence::Missing => None,
    });
    // Times are written so that they sort as texts.
    let is_fresh = match (&written, last.max()) {
        (Some(written), Some(last)) => written.as_str() > last,
        _ => false,
    };
    Ok(Waited { folder: folder.to_owned(), written, is_fresh })
}
