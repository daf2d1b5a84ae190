//! Two bundles: what the one says that the other does not. Nothing of either is believed.
//!
//! Files are held against each other by platform and name; what else the manifests say is compared as a tree, so a key that
//! a later version of the format adds shows up by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use qfe_patcher::bundle::{Bundle, BundleError};
use qfe_patcher::json::{Json, ToJson, object, object_to_json};
use qfe_patcher::name::Variant;
use qfe_patcher::platform::Platform;
use qfe_patcher::version::FileVersion;

use crate::file_key::FileKey;
use crate::inspect::{BaselinePart, FilePart, Inspection, PlatformPart, baseline_names, inspect};
use crate::shown::{list, version};

/// A bundle as it is compared.
#[derive(Clone, Debug)]
pub struct Side {
    /// Where it is.
    pub bundle: String,
    /// What it says that it holds.
    pub inspection: Inspection,
    /// Its manifest as a tree.
    manifest: Json,
}

impl Side {
    /// Reads what a bundle of `size` bytes says about itself.
    pub fn read(name: String, bundle: &Bundle, size: u64) -> Result<Self, BundleError> {
        let manifest = bundle.manifest_unverified()?;
        let inspection = inspect(bundle, &manifest, size)?;
        Ok(Self { bundle: name, inspection, manifest: manifest.to_json() })
    }

    /// Returns how it is called in front of people.
    pub fn title(&self) -> String {
        format!("{} revision {}", self.inspection.id, self.inspection.revision)
    }
}

impl ToJson for Side {
    fn to_json(&self) -> Json {
        let Inspection { id, revision, container, size, lean, platforms, signers, .. } = &self.inspection;
        let sum = |bytes: fn(&PlatformPart) -> u64| platforms.iter().map(bytes).sum::<u64>();
        object!({
            "bundle": self.bundle,
            "id": id,
            "revision": revision,
            "container": container,
            "size": size,
            "lean": lean,
            "full_bytes": sum(|part| part.full_bytes),
            "delta_bytes": sum(|part| part.delta_bytes),
            "signers": signers,
        })
    }
}

/// What differs between two bundles.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The one.
    pub a: Side,
    /// The other.
    pub b: Side,
    /// What the manifests say of the update, but for roles, steps and files.
    pub facts: Vec<Change>,
    /// What they say of roles.
    pub roles: Vec<Change>,
    /// What is to be done by hand.
    pub steps: Vec<Change>,
    /// Every file of either, by platform and name.
    pub files: Vec<FileChange>,
    /// Keys whose signature only one of them carries.
    pub signers: Vec<Change>,
}

object_to_json!(Comparison { a, b, facts, roles, steps, files, signers });

/// A value that differs. Null stands for none.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The key, with the keys that lead there.
    pub key: String,
    /// The value in the one bundle.
    pub a: Json,
    /// The value in the other.
    pub b: Json,
}

object_to_json!(Change { key, a, b });

/// How something of one bundle stands to its counterpart in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it, otherwise.
    Changed,
    /// Both have it.
    Same,
}

impl Fate {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Added, Self::Removed, Self::Changed, Self::Same];

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Same => "same",
        }
    }

    /// Returns the sign for it.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Added => "+",
            Self::Removed => "-",
            Self::Changed => "~",
            Self::Same => "=",
        }
    }

    fn of<T>(a: Option<&T>, b: Option<&T>, is_same: bool) -> Self {
        match (a, b) {
            (None, _) => Self::Added,
            (_, None) => Self::Removed,
            (Some(_), Some(_)) if is_same => Self::Same,
            (Some(_), Some(_)) => Self::Changed,
        }
    }
}

impl ToJson for Fate {
    fn to_json(&self) -> Json {
        self.word().to_json()
    }
}

/// A file in either bundle or both.
#[derive(Clone, Debug)]
pub struct FileChange {
    /// Its platform.
    pub platform: Platform,
    /// Its name.
    pub name: String,
    /// The variant it is of; none: it is for all of them.
    pub variant: Option<Variant>,
    /// How it stands.
    pub change: Fate,
    /// What the first bundle says of it.
    pub a: Option<FilePart>,
    /// What the second says.
    pub b: Option<FilePart>,
    /// What differs, but for the baselines.
    pub values: Vec<Change>,
    /// Every known old state in either.
    pub baselines: Vec<BaselineChange>,
}

object_to_json!(FileChange { platform, name, variant, change, values, baselines });

/// A known old state of a file in either bundle or both.
#[derive(Clone, Debug)]
pub struct BaselineChange {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub change: Fate,
    /// Its version, in the second bundle if that has it.
    pub version: Option<FileVersion>,
    /// Size of the delta in the first bundle.
    pub delta_a: Option<u64>,
    /// Size of the delta in the second.
    pub delta_b: Option<u64>,
}

object_to_json!(BaselineChange { name, change, version, delta_a, delta_b });

/// Holds a bundle against another.
pub fn compare(a: Side, b: Side) -> Comparison {
    // What is shown by itself, or follows from the files.
    const ELSEWHERE: [&str; 5] = ["roles", "manual", "files", "deltas", "members"];
    let mut facts = container(&a.inspection, &b.inspection);
    for key in keys(&a.manifest, &b.manifest) {
        if !ELSEWHERE.contains(&key) {
            differences(key, a.manifest.at(key), b.manifest.at(key), &mut facts);
        }
    }
    let of = |key: &str| {
        let mut changes = Vec::new();
        differences(key, a.manifest.at(key), b.manifest.at(key), &mut changes);
        changes
    };
    let (roles, steps) = (of("roles"), of("manual"));
    let (files, signers) = (files(&a, &b), signers(&a.inspection, &b.inspection));
    Comparison { a, b, facts, roles, steps, files, signers }
}

impl Comparison {
    /// Tells whether the bundles do the same: the container and its size may differ.
    pub fn is_same(&self) -> bool {
        let Self { facts, roles, steps, files, signers, .. } = self;
        let is_shape = |change: &Change| CONTAINER.contains(&change.key.as_str());
        facts.iter().all(is_shape)
            && roles.is_empty()
            && steps.is_empty()
            && signers.is_empty()
            && files.iter().all(|file| file.change == Fate::Same)
    }

    /// Counts the files that stand so.
    pub fn count(&self, fate: Fate) -> usize {
        self.files.iter().filter(|file| file.change == fate).count()
    }
}

/// Keys of what is the container's, not the manifest's.
const CONTAINER: [&str; 2] = ["container", "size"];

fn container(a: &Inspection, b: &Inspection) -> Vec<Change> {
    let [kind, size] = CONTAINER;
    let mut changes = Vec::new();
    differences(kind, Some(&a.container.to_json()), Some(&b.container.to_json()), &mut changes);
    differences(size, Some(&a.size.to_json()), Some(&b.size.to_json()), &mut changes);
    differences("lean", Some(&a.lean.to_json()), Some(&b.lean.to_json()), &mut changes);
    changes
}

fn signers(a: &Inspection, b: &Inspection) -> Vec<Change> {
    let keys: BTreeSet<_> = a.signers.symmetric_difference(&b.signers).collect();
    let shown = |side: &Inspection, key| if side.signers.contains(key) { key.to_json() } else { Json::Null };
    keys.into_iter().map(|key| Change { key: key.to_string(), a: shown(a, key), b: shown(b, key) }).collect()
}

/// Returns the keys of two objects, in the order of the first.
fn keys<'a>(a: &'a Json, b: &'a Json) -> Vec<&'a str> {
    let mut keys: Vec<&str> = Vec::new();
    for side in [a, b] {
        let Json::Object(entries) = side else { continue };
        for (key, _) in entries {
            if !keys.contains(&key.as_str()) {
                keys.push(key);
            }
        }
    }
    keys
}

/// Keys by which the elements of a list are known, where no two have the same.
const IDENTITIES: [&str; 9] = ["role", "variant", "set", "service", "value", "name", "build", "file", "gate"];

/// Adds what differs between two trees. Elements of a list stand for each other by what they are called; those that have no
/// such name are the same, or only on one side.
fn differences(key: &str, a: Option<&Json>, b: Option<&Json>, changes: &mut Vec<Change>) {
    if a == b {
        return;
    }
    let null = |side: Option<&Json>| side.cloned().unwrap_or(Json::Null);
    match (a, b) {
        (Some(a @ Json::Object(_)), Some(b @ Json::Object(_))) => {
            for inner in keys(a, b) {
                differences(&format!("{key}.{inner}"), a.at(inner), b.at(inner), changes);
            }
        }
        (Some(Json::List(one)), Some(Json::List(other)))
            if one.iter().chain(other).any(|element| matches!(element, Json::Object(_))) =>
        {
            match identity(one, other) {
                Some(name) => by_name(key, name, one, other, changes),
                None => as_sets(key, one, other, changes),
            }
        }
        _ => changes.push(Change { key: key.to_owned(), a: null(a), b: null(b) }),
    }
}

/// Finds the key that names every element of both lists, and each only once.
fn identity(one: &[Json], other: &[Json]) -> Option<&'static str> {
    let names_each = |side: &[Json], key| {
        let names: Option<BTreeSet<String>> = side.iter().map(|element| element.at(key).map(shown)).collect();
        names.is_some_and(|names| names.len() == side.len())
    };
    IDENTITIES.into_iter().find(|key| names_each(one, key) && names_each(other, key))
}

fn by_name(key: &str, name: &str, one: &[Json], other: &[Json], changes: &mut Vec<Change>) {
    let called = |element: &Json| element.at(name).map(shown).unwrap_or_default();
    let [ours, theirs] = [one, other].map(|side| side.iter().map(called).collect::<Vec<String>>());
    let [a, b]: [BTreeMap<&str, &Json>; 2] = [(&ours, one), (&theirs, other)]
        .map(|(names, side)| names.iter().map(String::as_str).zip(side).collect());
    let (kept, added): (Vec<&String>, Vec<&String>) =
        theirs.iter().partition(|name| a.contains_key(name.as_str()));
    let before: Vec<&String> = ours.iter().filter(|name| b.contains_key(name.as_str())).collect();
    if before != kept {
        let list = |names: &[&String]| Json::list(names.iter().map(|name| name.as_str()));
        changes.push(Change { key: format!("{key} in order"), a: list(&before), b: list(&kept) });
    }
    for name in ours.iter().chain(added).map(String::as_str) {
        differences(&format!("{key}[{name}]"), a.get(name).copied(), b.get(name).copied(), changes);
    }
}

fn as_sets(key: &str, one: &[Json], other: &[Json], changes: &mut Vec<Change>) {
    let texts = |side: &[Json]| -> BTreeSet<String> { side.iter().map(Json::to_string).collect() };
    let (ours, theirs) = (texts(one), texts(other));
    let change = |a: Json, b: Json| Change { key: key.to_owned(), a, b };
    let gone = one.iter().filter(|element| !theirs.contains(&element.to_string()));
    changes.extend(gone.map(|element| change(element.clone(), Json::Null)));
    let added = other.iter().filter(|element| !ours.contains(&element.to_string()));
    changes.extend(added.map(|element| change(Json::Null, element.clone())));
}

/// Writes a value for people: texts as they are, lists with commas, nothing as a dash.
pub fn shown(value: &Json) -> String {
    match value {
        Json::Null => "–".to_owned(),
        Json::Bool(true) => "yes".to_owned(),
        Json::Bool(false) => "no".to_owned(),
        Json::Text(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::List(elements) if elements.is_empty() => "none".to_owned(),
        Json::List(elements) => elements.iter().map(shown).collect::<Vec<_>>().join(", "),
        Json::Object(entries) => {
            let entries = entries.iter().filter(|(_, value)| !matches!(value, Json::Null));
            entries.map(|(key, value)| format!("{key}: {}", shown(value))).collect::<Vec<_>>().join("; ")
        }
        Json::OtherNumber => value.to_string(),
    }
}

type Named<'a> = BTreeMap<FileKey, &'a FilePart>;

fn named(inspection: &Inspection) -> Named<'_> {
    let files =
        inspection.platforms.iter().flat_map(|part| part.files.iter().map(|file| (part.platform, file)));
    let key = |platform, file: &FilePart| FileKey {
        platform,
        variant: file.variant.clone(),
        name: file.name.clone(),
    };
    files.map(|(platform, file)| (key(platform, file), file)).collect()
}

fn files(a: &Side, b: &Side) -> Vec<FileChange> {
    let (ours, theirs) = (named(&a.inspection), named(&b.inspection));
    let keys: BTreeSet<&FileKey> = ours.keys().chain(theirs.keys()).collect();
    let change = |key: &FileKey| {
        let (a, b) = (ours.get(key).copied(), theirs.get(key).copied());
        let name = b.or(a).map(|file| file.name.to_string()).unwrap_or_default();
        let values = values(a, b);
        let baselines = baselines(a, b);
        let is_same = values.is_empty() && baselines.iter().all(|old| old.change == Fate::Same);
        let change = Fate::of(a, b, is_same);
        let FileKey { platform, variant, .. } = key.clone();
        FileChange { platform, name, variant, change, a: a.cloned(), b: b.cloned(), values, baselines }
    };
    keys.into_iter().map(change).collect()
}

/// Returns what differs of a file that both have, but for the baselines.
fn values(a: Option<&FilePart>, b: Option<&FilePart>) -> Vec<Change> {
    let mut changes = Vec::new();
    if let (Some(a), Some(b)) = (a, b) {
        let (a, b) = (a.to_json(), b.to_json());
        for key in keys(&a, &b).into_iter().filter(|key| *key != "baselines") {
            differences(key, a.at(key), b.at(key), &mut changes);
        }
    }
    changes
}

fn baselines(a: Option<&FilePart>, b: Option<&FilePart>) -> Vec<BaselineChange> {
    // Of a name that stands there twice the first counts.
    let [ours, theirs]: [BTreeMap<&str, &BaselinePart>; 2] = [a, b].map(|file| {
        let olds = file.into_iter().flat_map(|file| file.baselines.iter().rev());
        olds.map(|old| (old.name.as_str(), old)).collect()
    });
    let change = |name: &str| {
        let [a, b] = [&ours, &theirs].map(|side| side.get(name).copied());
        BaselineChange {
            name: name.to_owned(),
            change: Fate::of(a, b, a == b),
            version: b.or(a).and_then(|old| old.version),
            delta_a: a.and_then(|old| old.delta),
            delta_b: b.and_then(|old| old.delta),
        }
    };
    baseline_names(a.into_iter().chain(b)).into_iter().map(change).collect()
}

impl FileChange {
    /// Returns what the file is called in front of people.
    pub fn shown(&self) -> String {
        format!("{}{}", self.name, Variant::suffix(self.variant.as_ref()))
    }
}

impl Display for Comparison {
    /// Writes what differs for people; a title for each part that has something.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (letter, side) in [("A", &self.a), ("B", &self.b)] {
            let Inspection { title, container, size, signers, .. } = &side.inspection;
            writeln!(f, "{letter}: {}: {}: {title}", side.bundle, side.title())?;
            writeln!(f, "   {container}, {size} bytes, signed by {}", list(signers, "nobody"))?;
        }
        if self.is_same() {
            writeln!(f, "the same update")?;
        }
        for (title, changes) in [
            ("update", &self.facts),
            ("roles", &self.roles),
            ("by hand", &self.steps),
            ("signers", &self.signers),
        ] {
            if !changes.is_empty() {
                writeln!(f, "{title}:")?;
            }
            for Change { key, a, b } in changes {
                writeln!(f, "  {key}: {} -> {}", shown(a), shown(b))?;
            }
        }
        writeln!(
            f,
            "files: {}",
            list(Fate::ALL.map(|fate| format!("{} {}", self.count(fate), fate.word())), "")
        )?;
        self.files.iter().filter(|file| file.change != Fate::Same).try_for_each(|file| fmt_file(f, file))
    }
}

fn fmt_file(f: &mut fmt::Formatter<'_>, file: &FileChange) -> fmt::Result {
    let FileChange { platform, change, a, b, values, baselines, .. } = file;
    write!(f, "  {} {platform}/{}", change.sign(), file.shown())?;
    if let (Some(part), None) | (None, Some(part)) = (a, b) {
        write!(f, " {}, {} bytes", version(part.version), part.size)?;
    }
    writeln!(f)?;
    for Change { key, a, b } in values {
        writeln!(f, "      {key}: {} -> {}", shown(a), shown(b))?;
    }
    for old in baselines.iter().filter(|old| *change != Fate::Changed || old.change != Fate::Same) {
        let size =
            |delta: Option<u64>| delta.map_or_else(|| "no delta".to_owned(), |size| format!("{size} bytes"));
        let BaselineChange { name, change, version: of, delta_a, delta_b } = old;
        let sizes = match change {
            Fate::Added => size(*delta_b),
            Fate::Removed => size(*delta_a),
            Fate::Changed | Fate::Same => format!("{} -> {}", size(*delta_a), size(*delta_b)),
        };
        writeln!(f, "      {} from {name} ({}): {sizes}", change.sign(), version(*of))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(a: &str, b: &str) -> Vec<String> {
        let mut changes = Vec::new();
        let parse = |text: &str| Json::parse(text.as_bytes()).unwrap();
        differences("k", Some(&parse(a)), Some(&parse(b)), &mut changes);
        changes
            .iter()
            .map(|change| format!("{}: {} -> {}", change.key, shown(&change.a), shown(&change.b)))
            .collect()
    }

    #[test]
    fn trees_are_compared_by_what_their_elements_are_called() {
        for (a, b, wanted) in [
            ("1", "1", &[][..]),
            ("1", "2", &["k: 1 -> 2"]),
            (
                r#"{"x": true, "y": 1}"#,
                r#"{"x": false, "z": "t"}"#,
                &["k.x: yes -> no", "k.y: 1 -> –", "k.z: – -> t"],
            ),
            ("[1, 2]", "[1]", &["k: 1, 2 -> 1"]),
            ("[]", "[1]", &["k: none -> 1"]),
            (
                r#"[{"role": "a", "x": 1}, {"role": "b"}]"#,
                r#"[{"role": "a", "x": 2}]"#,
                &["k[a].x: 1 -> 2", "k[b]: role: b -> –"],
            ),
            (
                r#"[{"role": "a"}, {"role": "b"}]"#,
                r#"[{"role": "b"}, {"role": "a"}]"#,
                &["k in order: a, b -> b, a"],
            ),
            (r#"[{"text": "a"}]"#, r#"[{"text": "b"}, {"text": "a"}]"#, &["k: – -> text: b"]),
            (r#"[{"role": "a"}, {"role": "a"}]"#, r#"[{"role": "a"}]"#, &[]),
        ] {
            assert_eq!(changes(a, b), wanted, "{a} and {b}");
        }
    }
}
