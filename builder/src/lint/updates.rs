//! Findings about several updates together: which of them owns a file.

use std::collections::BTreeMap;

use qfe_patcher::digest::Digest;
use qfe_patcher::name::UpdateId;
use qfe_patcher::version::FileVersion;

use super::Finding;
use super::code::Code;
use crate::build::survey::SurveyedFile;
use crate::file_key::FileKey;
use crate::recipe::Recipe;

/// What the other updates need to know of one.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    id: UpdateId,
    builds: Vec<u16>,
    requires: Vec<UpdateId>,
    supersedes: Vec<UpdateId>,
    files: BTreeMap<FileKey, Owned>,
}

#[derive(Clone, Debug)]
struct Owned {
    version: Option<FileVersion>,
    digest: Digest,
}

impl Summary {
    pub(super) fn of(recipe: &Recipe, files: &[SurveyedFile]) -> Self {
        let owned = |file: &SurveyedFile| (file.key(), Owned { version: file.version, digest: file.digest });
        Self {
            id: recipe.id.clone(),
            builds: recipe.builds.clone(),
            requires: recipe.requires.clone(),
            supersedes: recipe.supersedes.clone(),
            files: files.iter().map(owned).collect(),
        }
    }

    /// Tells whether there are machines that both are for.
    fn meets(&self, other: &Self) -> bool {
        self.builds.is_empty()
            || other.builds.is_empty()
            || self.builds.iter().any(|build| other.builds.contains(build))
    }

    fn finding(&self, code: Code, file: &FileKey) -> Finding {
        Finding::new(code).in_update(&self.id).about(file)
    }
}

pub(super) fn check(updates: &[Summary]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, one) in updates.iter().enumerate() {
        for other in updates.iter().skip(at + 1) {
            if one.id == other.id {
                findings.push(
                    Finding::new(Code::SameUpdate)
                        .in_update(&one.id)
                        .values("two recipes with this id", "one")
                        .remedy("give one of the two another id, or look at one of them at a time"),
                );
            } else {
                findings.extend(pair(one, other));
            }
        }
        findings.extend(circle(one, updates));
    }
    findings
}

/// Looks at the files of two updates.
fn pair(one: &Summary, other: &Summary) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, file) in &one.files {
        let Some(theirs) = other.files.get(key) else { continue };
        if file.digest != theirs.digest {
            findings.extend(shared(key, one, file, other, theirs));
        }
    }
    for (newer, older) in [(one, other), (other, one)] {
        if !newer.supersedes.contains(&older.id) {
            continue;
        }
        for key in older.files.keys() {
            if !newer.files.contains_key(key) {
                findings.push(
                    newer
                        .finding(Code::SupersedesMore, key)
                        .values(format!("not in {}", newer.id), format!("the file, as {} has it", older.id))
                        .remedy("add the file, or take the update out of supersedes: who installs this one only lacks it"),
                );
            }
        }
    }
    findings
}

/// Looks at a file that both updates have, with different contents.
fn shared(key: &FileKey, one: &Summary, file: &Owned, other: &Summary, theirs: &Owned) -> Option<Finding> {
    let (version, their_version) = (file.version?, theirs.version?);
    if version == their_version {
        let finding = one
            .finding(Code::TwoContents, key)
            .values(
                format!("{version} with digest {} here, {} in {}", file.digest.prefix(), theirs.digest.prefix(), other.id),
                "one content for one version",
            )
            .remedy("build the later one again with a higher version: the patcher leaves a file of the same version alone");
        return Some(finding);
    }
    // The one that says that it comes after the other has to have the higher version.
    for (later, earlier, before, found) in
        [(one, other, their_version, version), (other, one, version, their_version)]
    {
        if later.supersedes.contains(&earlier.id) {
            return (found < before).then(|| {
                later
                    .finding(Code::SupersedesNewer, key)
                    .values(found.to_string(), format!("above the {before} of {}", earlier.id))
                    .remedy("put the later file into the payload, or take the update out of supersedes")
            });
        }
        if later.requires.contains(&earlier.id) && found > before {
            return None;
        }
    }
    one.meets(other).then(|| {
        one.finding(Code::TwoVersions, key)
            .values(
                format!("{version} here, {their_version} in {}", other.id),
                "that the later update supersedes the other, or requires it",
            )
            .remedy("name the other update under supersedes or requires of the later one, or put the same file into both")
    })
}

/// Finds an update that requires itself by way of others; told once, at the one that is given first.
fn circle(start: &Summary, updates: &[Summary]) -> Option<Finding> {
    let find = |id: &UpdateId| updates.iter().find(|update| update.id == *id);
    let mut way = vec![start];
    let mut seen = Vec::new();
    // Depth first; each update is entered once, so the walk ends.
    let mut open: Vec<(usize, &UpdateId)> = start.requires.iter().map(|id| (1, id)).collect();
    while let Some((depth, id)) = open.pop() {
        way.truncate(depth);
        if *id == start.id {
            let order = |id: &UpdateId| updates.iter().position(|update| update.id == *id);
            let first = way.iter().map(|update| order(&update.id)).min().flatten();
            let names: Vec<String> = way.iter().map(|update| update.id.to_string()).collect();
            let finding = Finding::new(Code::Circle)
                .in_update(&start.id)
                .values(
                    format!("{}, {}", names.join(", "), start.id),
                    "updates that can be installed one after the other",
                )
                .remedy("take one of them out of requires");
            // Itself alone is refused by `build`.
            return (first == order(&start.id) && way.len() > 1).then_some(finding);
        }
        let Some(update) = find(id).filter(|update| !seen.contains(&&update.id)) else { continue };
        seen.push(&update.id);
        way.push(update);
        open.extend(update.requires.iter().map(|id| (depth + 1, id)));
    }
    None
}
