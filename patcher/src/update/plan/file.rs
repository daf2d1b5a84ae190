//! The decision about one file: what is on the target against what the update brings.

use super::decide::list;
use super::{Decision, Downgrade, Finding, FindingKind, Reason, Request, UnknownFiles, version_text};
use crate::bundle::manifest::{FileEntry, InstallEntry, Manifest, Verb};
use crate::digest::Digest;
use crate::name::UpdateId;
use crate::platform::Platform;
use crate::update::facts::{Facts, FileFact, Present};
use crate::update::state::{self, StateFolder};
use crate::version::FileVersion;

/// Decides about one file, or finds what forbids the run.
pub(super) fn decide_file(
    manifest: &Manifest,
    facts: &Facts,
    request: &Request,
    fact: &FileFact,
    entry: &FileEntry,
    install: &InstallEntry,
) -> Result<Decision, Finding> {
    let subject = fact.place.path.to_string();
    let Some(present) = &fact.present else {
        return match install.verb {
            Verb::ReplaceFile => Ok(Decision::AbsentNotWanted),
            Verb::AddFile if !fact.place.missing.is_empty() => Err(Finding {
                kind: FindingKind::WrongTarget,
                subject,
                found: format!(
                    "no folder {}",
                    fact.place
                        .missing
                        .iter()
                        .map(|p| p.display().to_string())
                        .next_back()
                        .unwrap_or_default()
                ),
                wanted: "the folder of an installed product".to_owned(),
                remedy: "check --target and --platform; a folder is never made by an update".to_owned(),
            }),
            Verb::AddFile => on_one_volume(facts, fact)
                .map_or_else(|| possible(manifest, entry, None, subject, Reason::Absent), Err),
        };
    };
    if present.machine.is_some_and(|machine| machine != entry.platform.machine()) {
        return Err(wrong_machine(fact, entry.platform));
    }
    if present.sha256 == entry.sha256 {
        return Ok(Decision::AlreadyCurrent);
    }
    let owner = Owner::of(manifest, facts, request, fact, entry);
    if FileVersion::is_later(present.version, entry.version) && owner != Owner::LaterRevision {
        return Ok(Decision::NewerOnTarget);
    }
    if let Some(other_volume) = on_one_volume(facts, fact) {
        return Err(other_volume);
    }
    let old = Some(present.sha256);
    if let Owner::Later(id) = owner {
        return Ok(Decision::OfLaterUpdate(id));
    }
    if let Some(baseline) = entry.baselines.iter().find(|baseline| baseline.sha256 == present.sha256) {
        return possible(manifest, entry, old, subject, Reason::Baseline(baseline.name.clone()));
    }
    if let Owner::Superseded(id) = owner {
        return possible(manifest, entry, old, subject, Reason::Supersedes(id));
    }
    if owner == Owner::LaterRevision {
        return possible(manifest, entry, old, subject, Reason::LaterRevision);
    }
    if owner == Owner::This {
        return possible(manifest, entry, old, subject, Reason::Damaged);
    }
    if present.version.is_some() && present.version == entry.version {
        return Ok(Decision::SameVersion);
    }
    if request.unknown == UnknownFiles::Replace {
        return possible(manifest, entry, old, subject, Reason::Unknown);
    }
    Err(unknown_old_file(entry, present, subject))
}

/// Refuses a file for another machine.
pub(super) fn wrong_machine(fact: &FileFact, wanted: Platform) -> Finding {
    let machine = fact.present.as_ref().and_then(|present| present.machine);
    Finding {
        kind: FindingKind::WrongPlatform,
        subject: fact.place.path.to_string(),
        found: machine.map_or_else(|| "no image".to_owned(), |machine| format!("a file for {machine}")),
        wanted: format!("a file for {}", wanted.machine()),
        remedy: "check --platform, and how this file came here".to_owned(),
    }
}

fn unknown_old_file(entry: &FileEntry, present: &Present, subject: String) -> Finding {
    let known: Vec<String> = entry
        .baselines
        .iter()
        .map(|b| format!("{} ({})", version_text(b.version), b.sha256.prefix()))
        .collect();
    let known = if known.is_empty() { "no old file is known".to_owned() } else { known.join(" or ") };
    let version = version_text(present.version);
    Finding {
        kind: FindingKind::UnknownOldFile,
        subject,
        found: format!("{version}, {} bytes, digest {}", present.size, present.sha256.prefix()),
        wanted: format!("{} or later, or a known old file: {known}", version_text(entry.version)),
        remedy: format!(
            "it may be another language, a private fix or damaged; to replace it all the same (a backup is kept) use \
             --replace-unknown{}, or ask the release engineer for a bundle with this file as baseline",
            if entry.member.is_some() { "" } else { " and the complete bundle, this one is lean" }
        ),
    }
}

/// Takes the decision to install if the bundle can make the file from what is there.
fn possible(
    manifest: &Manifest,
    entry: &FileEntry,
    old: Option<Digest>,
    subject: String,
    reason: Reason,
) -> Result<Decision, Finding> {
    if manifest.can_make(entry, old) {
        return Ok(Decision::Install(reason));
    }
    Err(Finding {
        kind: FindingKind::UnknownOldFile,
        subject,
        found: old.map_or_else(|| "no file".to_owned(), |old| format!("a file with digest {}", old.prefix())),
        wanted: list(
            &entry
                .baselines
                .iter()
                .map(|b| format!("{} ({})", b.name, b.sha256.prefix()))
                .collect::<Vec<_>>(),
        ),
        remedy: "this lean bundle only knows those old files; use the complete bundle".to_owned(),
    })
}

/// Whose a file on the target is, of the updates that put one there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    /// This update, which put exactly its new file there, whatever became of it.
    This,
    /// An update installed after this one had put its own there; the file is as that one left it.
    Later(UpdateId),
    /// An update whose place this one takes; the file is as that one left it.
    Superseded(UpdateId),
    /// A later revision of this update, which is to be gone back from; the file is as that one left it.
    LaterRevision,
    /// Nobody that matters.
    Other,
}

impl Owner {
    fn of(manifest: &Manifest, facts: &Facts, request: &Request, fact: &FileFact, entry: &FileEntry) -> Self {
        let path = fact.place.path.folded();
        let owners = state::owners(&facts.states);
        let Some((owner, left)) = owners.get(&path) else { return Self::Other };
        let as_left = fact.present.as_ref().is_some_and(|present| present.sha256 == left.new.sha256);
        let own = facts.states.iter().find(|state| state.id == manifest.id);
        let was_ours =
            own.is_some_and(|own| own.installed_files().iter().any(|step| step.to.folded() == path));
        match *owner {
            owner if *owner == manifest.id && left.new.sha256 == entry.sha256 => Self::This,
            _ if !as_left => Self::Other,
            owner if *owner == manifest.id => {
                let installed = own.and_then(StateFolder::installed).map(|begin| begin.revision);
                let is_later = installed.is_some_and(|revision| revision > manifest.revision);
                if is_later && request.downgrade == Downgrade::Allow {
                    Self::LaterRevision
                } else {
                    Self::Other
                }
            }
            owner if manifest.supersedes.contains(owner) => Self::Superseded(owner.clone()),
            owner if was_ours => Self::Later(owner.clone()),
            _ => Self::Other,
        }
    }
}

/// Refuses a file in a folder of another volume than the target: it could not be replaced by renaming.
fn on_one_volume(facts: &Facts, fact: &FileFact) -> Option<Finding> {
    let (Some(target), Some(own)) = (facts.volume.id, fact.volume) else { return None };
    (target != own).then(|| Finding {
        kind: FindingKind::WrongTarget,
        subject: fact.place.path.to_string(),
        found: "a folder on another volume than the target".to_owned(),
        wanted: "the same volume, on which alone a file can be replaced at one stroke".to_owned(),
        remedy: "name a folder on that volume as --target, in the role that fits it".to_owned(),
    })
}
