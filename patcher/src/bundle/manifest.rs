//! The manifest: what a bundle says it holds, for whom, and what is to be done with it.
//!
//! `manifest.json` is the only signed member; FORMAT.md describes every key. The builder expands the product
//! profile into it, so that the patcher knows no product: it interprets the closed sets of verbs
//! ([`Verb`]), gates ([`Gate`]) and codecs, and refuses a manifest that names another one. A manifest that
//! exists has been checked as a whole ([`Manifest::parse`]): no reader needs to look again.

use std::collections::{BTreeMap, BTreeSet};

use super::keyring::TrustError;
use super::product::{Gate, Level, ManualStep, Product, ReadySet, Registration, RoleEntry};
use crate::chain::debug_as_shown;
use crate::delta::Codec;
use crate::digest::Digest;
use crate::json::{FromJson, Json, JsonError, object_json};
use crate::name::{Role, UpdateId, Variant};
use crate::platform::Platform;
use crate::target_path::TargetPath;
use crate::version::FileVersion;

/// The manifest's name in the container.
pub const MANIFEST_NAME: &str = "manifest.json";
/// Largest manifest that is read.
pub const MAX_MANIFEST: u64 = 4 << 20;
/// Largest payload or delta.
pub const MAX_MEMBER: u64 = 1 << 30;
/// Most variants: more than there are languages of any product.
const MAX_VARIANTS: usize = 64;
/// The kinds of gates that this program knows: those of [`Gate`].
const GATES: [&str; 4] = ["registry-build", "registry-one-of", "registry-machine", "pending-renames"];
/// The format this program writes and reads.
pub const FORMAT: u32 = 1;

/// What a bundle holds.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Version of the format: 1.
    pub format: u32,
    /// The number of the update.
    pub id: UpdateId,
    /// One line that says what it fixes.
    pub title: String,
    /// Raised when the same number is issued again.
    pub revision: u32,
    /// The product, as its vendor writes it.
    pub product: String,
    /// Build lines it is for, the third number of the product's version; empty: any.
    pub builds: Vec<u16>,
    /// Updates that must be installed before.
    pub requires: Vec<UpdateId>,
    /// Updates whose place this one takes.
    pub supersedes: Vec<UpdateId>,
    /// Where the log of a run is kept below the target.
    pub log: TargetPath,
    /// Where it is recorded in the registry once it is installed; none: nowhere.
    pub registration: Option<Registration>,
    /// The releases of the product, oldest first.
    pub levels: Vec<Level>,
    /// Conditions on the machine, all of which must hold.
    pub gates: Vec<Gate>,
    /// The parts a target may play.
    pub roles: Vec<RoleEntry>,
    /// Sets of updates that a next step needs.
    pub readiness: Vec<ReadySet>,
    /// What an admin does by hand around it.
    pub manual: Vec<ManualStep>,
    /// The forms in which some of its files come, of which a target has one; none: all files are for every target.
    pub variants: Vec<VariantEntry>,
    /// The new files, by platform and name.
    pub files: Vec<FileEntry>,
    /// The deltas, by old and new digest.
    pub deltas: Vec<DeltaEntry>,
    /// Every other member of the container, by name; signatures excepted.
    pub members: Vec<MemberEntry>,
}

object_json!(Manifest {
    format,
    id,
    title,
    revision,
    product,
    builds,
    requires,
    supersedes,
    log,
    registration,
    levels,
    gates,
    roles,
    readiness,
    manual,
    variants or default,
    files,
    deltas,
    members
});

/// A form in which some files come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantEntry {
    /// Its name.
    pub variant: Variant,
    /// What it is, for people.
    pub title: String,
    /// The Windows language ids by which a target's files show that they are of it.
    pub languages: Vec<u16>,
}

object_json!(VariantEntry { variant, title, languages });

/// A new file of one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// The platform it is for.
    pub platform: Platform,
    /// The variant it is of; none: it is for all of them.
    pub variant: Option<Variant>,
    /// Its name.
    pub name: TargetPath,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Digest,
    /// Its file version; none for files that carry none, which are compared by digest only.
    pub version: Option<FileVersion>,
    /// When it was linked, seconds since 1970 UTC, by its PE header. Shown, never decided on.
    pub time_stamp: Option<u32>,
    /// The member that is the whole file; none in a lean bundle.
    pub member: Option<TargetPath>,
    /// Whether it is a COM server to be registered again around the swap.
    pub register: bool,
    /// Where it goes in each role that gets it; to several places, where several have it.
    pub install: Vec<InstallEntry>,
    /// Known old states of this file.
    pub baselines: Vec<BaselineEntry>,
}

object_json!(FileEntry {
    platform,
    variant or default,
    name,
    size,
    sha256,
    version,
    time_stamp,
    member,
    register,
    install,
    baselines
});

impl FileEntry {
    /// Tells whether a target of this variant, if it is of any, gets the file.
    pub fn is_for(&self, variant: Option<&Variant>) -> bool {
        self.variant.is_none() || self.variant.as_ref() == variant
    }

    /// Tells whether it is the new file or a known old one that has this digest.
    pub fn knows(&self, digest: Digest) -> bool {
        self.sha256 == digest || self.baselines.iter().any(|baseline| baseline.sha256 == digest)
    }

    /// Returns what the file is called in messages.
    pub fn shown(&self) -> String {
        format!("{}/{}{}", self.platform, self.name, Variant::suffix(self.variant.as_ref()))
    }
}

/// Where a file goes in one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallEntry {
    /// The role.
    pub role: Role,
    /// What is done.
    pub verb: Verb,
    /// The file below the target.
    pub to: TargetPath,
}

object_json!(InstallEntry { role, verb, to });

/// What is done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Replace the file where there is one; where there is none it is not wanted.
    ReplaceFile,
    /// Replace the file, or add it where there is none.
    AddFile,
}

/// A known old state of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineEntry {
    /// The name of the state, for people.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Digest,
    /// File version, if the file carries one.
    pub version: Option<FileVersion>,
}

object_json!(BaselineEntry { name, size, sha256, version });

/// A delta from an old file to a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeltaEntry {
    /// Digest of the old file.
    pub old: Digest,
    /// Digest of the new file.
    pub new: Digest,
    /// How it is coded.
    pub codec: Codec,
    /// The member that holds it.
    pub member: TargetPath,
}

object_json!(DeltaEntry { old, new, codec, member });

/// A member of the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberEntry {
    /// Its name.
    pub name: TargetPath,
    /// Its size in bytes, unpacked.
    pub size: u64,
    /// Its digest, unpacked.
    pub sha256: Digest,
}

object_json!(MemberEntry { name, size, sha256 });

/// Where a file goes, in lower case and with a separator at the end; none: the log.
type Place<'a> = (String, Option<&'a FileEntry>);

/// Why a manifest is refused.
#[derive(thiserror::Error)]
pub enum ManifestError {
    /// Not enough keys signed it; nothing was parsed.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// It is of another format.
    #[error("the manifest has format {found}, this patcher reads format {FORMAT}")]
    OtherFormat {
        /// Its format.
        found: u64,
    },
    /// It uses a verb, gate or codec that this patcher does not know.
    #[error("the manifest uses the {kind} {word:?}, which this patcher does not know")]
    UnknownWord {
        /// What kind of word it is.
        kind: &'static str,
        /// The word.
        word: String,
    },
    /// It is no manifest.
    #[error("the manifest does not have the form of one")]
    Form(#[from] JsonError),
    /// It contradicts itself.
    #[error("the manifest contradicts itself: {0}")]
    Contradiction(String),
}

debug_as_shown!(ManifestError);

impl Manifest {
    /// Parses and checks the bytes of `manifest.json`.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let raw = Json::parse(bytes)?;
        check_words(&raw)?;
        let manifest: Self = Self::from_json(&raw)?;
        // Behind the form, which knows the keys: whatever stands there may be shown.
        raw.require_lines()?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Returns what it says of the product.
    pub fn facts_of_product(&self) -> Product {
        Product {
            product: self.product.clone(),
            // The place of another update's log is the same but for its number.
            log: self.log.as_str().replace(self.id.as_str(), "{id}"),
            levels: self.levels.clone(),
            gates: self.gates.clone(),
            roles: self.roles.clone(),
            readiness: self.readiness.clone(),
        }
    }

    /// Returns the entry of a role.
    pub fn role(&self, role: &Role) -> Option<&RoleEntry> {
        self.roles.iter().find(|entry| entry.role == *role)
    }

    /// Returns the entry of a member.
    pub fn member(&self, name: &TargetPath) -> Option<&MemberEntry> {
        self.members.iter().find(|entry| entry.name == *name)
    }

    /// Returns the files of a platform that go to a role, each with its place.
    pub fn files_for<'a>(
        &'a self,
        platform: Platform,
        role: &'a Role,
    ) -> impl Iterator<Item = (&'a FileEntry, &'a InstallEntry)> {
        self.files.iter().filter(move |file| file.platform == platform).flat_map(move |file| {
            file.install.iter().filter(|install| install.role == *role).map(move |install| (file, install))
        })
    }

    /// Returns the delta that makes `file` from the old file with digest `old`.
    pub fn delta(&self, file: &FileEntry, old: Digest) -> Option<&DeltaEntry> {
        self.deltas.iter().find(|delta| delta.old == old && delta.new == file.sha256)
    }

    /// Tells whether `file` can be made where the old file has this digest (none: it is absent).
    pub fn can_make(&self, file: &FileEntry, old: Option<Digest>) -> bool {
        file.member.is_some() || old.is_some_and(|old| self.delta(file, old).is_some())
    }

    /// Returns the platforms it has files for.
    pub fn platforms(&self) -> BTreeSet<Platform> {
        self.files.iter().map(|file| file.platform).collect()
    }

    /// Checks what the form cannot say: every reference leads somewhere and every name stands once.
    fn check(&self) -> Result<(), ManifestError> {
        let members: BTreeMap<&TargetPath, &MemberEntry> =
            self.members.iter().map(|member| (&member.name, member)).collect();
        once("member", self.members.iter().map(|member| member.name.folded()))?;
        once("role", self.roles.iter().map(|entry| entry.role.to_string()))?;
        once("variant", self.variants.iter().map(|entry| entry.variant.to_string()))?;
        once("language", self.variants.iter().flat_map(|entry| &entry.languages).map(u16::to_string))?;
        if self.variants.len() > MAX_VARIANTS {
            return contradiction(format!("it has more than {MAX_VARIANTS} variants"));
        }
        let variant = |file: &FileEntry| file.variant.as_ref().map_or("", Variant::as_str).to_owned();
        let name = |file: &FileEntry| format!("{}/{} {}", file.platform, file.name.folded(), variant(file));
        once("file", self.files.iter().map(name))?;
        once("delta", self.deltas.iter().map(|delta| format!("{} to {}", delta.old, delta.new)))?;
        if let Some(large) = self.members.iter().find(|member| member.size > MAX_MEMBER) {
            return contradiction(format!("{} is larger than {MAX_MEMBER} bytes", large.name));
        }
        for file in &self.files {
            self.check_file(file, &members)?;
        }
        if let Some(lost) = self.deltas.iter().find(|delta| !members.contains_key(&delta.member)) {
            return contradiction(format!("delta {} is no member", lost.member));
        }
        once("readiness set", self.readiness.iter().map(|set| set.set.clone()))?;
        for entry in &self.roles {
            if let Some(unknown) = entry.after.iter().find(|role| self.role(role).is_none()) {
                return contradiction(format!(
                    "role {} comes after {unknown}, which is not defined",
                    entry.role
                ));
            }
        }
        // Once over all files, for roles, variants and files multiply.
        let mut targets: BTreeMap<(Platform, &Role), Vec<Place<'_>>> = BTreeMap::new();
        for file in &self.files {
            for install in &file.install {
                let place = (install.to.folded() + "/", Some(file));
                targets.entry((file.platform, &install.role)).or_default().push(place);
            }
        }
        targets.into_values().try_for_each(|places| self.keep_apart(places))
    }

    /// Requires that no file of a target is there twice, or where another one needs a folder.
    fn keep_apart<'a>(&'a self, mut places: Vec<Place<'a>>) -> Result<(), ManifestError> {
        places.push((self.log.folded() + "/", None));
        // With the separator at the end, whatever lies below a path comes right behind it.
        places.sort_by(|(place, _), (other, _)| place.cmp(other));
        let variants = self.variants.iter().map(|entry| Some(&entry.variant));
        for variant in std::iter::once(None).chain(variants) {
            let mut before: Option<&str> = None;
            for (place, file) in &places {
                if file.is_some_and(|file| !file.is_for(variant)) {
                    continue;
                }
                if let Some(before) = before.filter(|before| place.starts_with(before)) {
                    return contradiction(format!("destinations {before} and {place} exclude one another"));
                }
                before = Some(place);
            }
        }
        Ok(())
    }

    fn check_file(
        &self,
        file: &FileEntry,
        members: &BTreeMap<&TargetPath, &MemberEntry>,
    ) -> Result<(), ManifestError> {
        let name = file.shown();
        if file.size > MAX_MEMBER {
            return contradiction(format!("{name} is larger than {MAX_MEMBER} bytes"));
        }
        if let Some(variant) = &file.variant
            && !self.variants.iter().any(|entry| entry.variant == *variant)
        {
            return contradiction(format!("{name} is of variant {variant}, which is not defined"));
        }
        if let Some(install) = file.install.iter().find(|install| self.role(&install.role).is_none()) {
            return contradiction(format!("{name} goes to role {}, which is not defined", install.role));
        }
        match &file.member {
            Some(member) => match members.get(member) {
                None => return contradiction(format!("{name} is member {member}, which is not listed")),
                Some(entry) if entry.size != file.size || entry.sha256 != file.sha256 => {
                    return contradiction(format!("{name} and its member {member} differ in size or digest"));
                }
                Some(_) => {}
            },
            None if !self.deltas.iter().any(|delta| delta.new == file.sha256) => {
                return contradiction(format!("{name} has neither a member nor a delta"));
            }
            None => {}
        }
        Ok(())
    }
}

/// Requires that every name stands once.
fn once(what: &str, names: impl Iterator<Item = String>) -> Result<(), ManifestError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if seen.contains(&name) {
            return contradiction(format!("{what} {name} stands there twice"));
        }
        seen.insert(name);
    }
    Ok(())
}

fn contradiction<T>(what: String) -> Result<T, ManifestError> {
    Err(ManifestError::Contradiction(what))
}

/// Refuses formats, verbs, gates and codecs of newer programs by name, before the form is looked at.
fn check_words(raw: &Json) -> Result<(), ManifestError> {
    if let Some(Json::Number(found)) = raw.at("format")
        && *found != u64::from(FORMAT)
    {
        return Err(ManifestError::OtherFormat { found: *found });
    }
    require_known("gate", raw.elements("gates"), &GATES)?;
    for file in raw.elements("files") {
        require_known("verb", file.elements("install"), &["replace-file", "add-file"])?;
    }
    require_known("codec", raw.elements("deltas"), &Codec::ALL.map(Codec::name))
}

/// Refuses values whose word of this kind is not known.
fn require_known(kind: &'static str, values: &[Json], known: &[&str]) -> Result<(), ManifestError> {
    let mut words = values.iter().filter_map(|value| value.at(kind)?.as_text());
    match words.find(|word| !known.contains(word)) {
        Some(word) => Err(ManifestError::UnknownWord { kind, word: word.chars().take(40).collect() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::ToJson;
    use serde_json::{Value, json};

    fn sample() -> Value {
        let sha256 = |bytes: &[u8]| Digest::of(bytes).to_string();
        let (new, delta) = (sha256(b"new"), sha256(b"delta"));
        json!({
            "format": 1, "id": "Q1", "title": "t", "revision": 1, "product": "p", "builds": [1380],
            "requires": [], "supersedes": [], "log": "LOGS/Q1.log",
            "registration": {"key": "HKLM\\U\\{level}", "values": [{"name": "Description", "text": "t"}]},
            "levels": [{"build": 1380, "from": 0, "name": "SP1", "version": "2.00.1380.1000"}],
            "gates": [{"gate": "registry-build", "key": "HKLM\\S", "value": "V", "roles": ["site-server"], "remedy": "r"}],
            "roles": [{"role": "site-server", "title": "t", "usual": "u", "installed": null, "lacks": [], "after": [],
                       "services": [{"service": "S", "optional": false, "prefix": null, "holds": []}],
                       "programs": [], "before": []}],
            "readiness": [], "manual": [{"when": "after", "roles": ["site-server"], "text": "t"}],
            "files": [{"platform": "alpha", "name": "Ccm.dll", "size": 3, "sha256": new, "version": "2.0.1380.1125",
                       "time_stamp": 1, "member": "alpha/Ccm.dll", "register": false,
                       "install": [{"role": "site-server", "verb": "add-file", "to": "Bin/alpha/Ccm.dll"}],
                       "baselines": [{"name": "b", "size": 3, "sha256": sha256(b"old"), "version": null}]}],
            "deltas": [{"old": sha256(b"old"), "new": new, "codec": "bsdiff", "member": "deltas/x.bsdiff"}],
            "members": [{"name": "alpha/Ccm.dll", "size": 3, "sha256": new},
                        {"name": "deltas/x.bsdiff", "size": 5, "sha256": delta}]
        })
    }

    fn parse(value: &Value) -> Result<Manifest, ManifestError> {
        Manifest::parse(value.to_string().as_bytes())
    }

    /// Returns the sample with the value at `pointer` replaced.
    fn with(pointer: &str, value: Value) -> Value {
        let mut sample = sample();
        *sample.pointer_mut(pointer).unwrap() = value;
        sample
    }

    #[test]
    fn the_sample_is_taken_and_comes_back_the_same() {
        let manifest = parse(&sample()).unwrap();
        assert_eq!(manifest.to_json().sorted().to_string(), sample().to_string());
    }

    #[test]
    fn words_of_newer_patchers_are_refused_by_name() {
        for (pointer, word) in
            [("/gates/0/gate", "moon"), ("/files/0/install/0/verb", "burn"), ("/deltas/0/codec", "z")]
        {
            let error = parse(&with(pointer, json!(word))).unwrap_err();
            assert!(
                matches!(&error, ManifestError::UnknownWord { word: found, .. } if found == word),
                "{error}"
            );
        }
        assert!(matches!(parse(&with("/format", json!(2))), Err(ManifestError::OtherFormat { found: 2 })));
    }

    #[test]
    fn contradictions_are_refused() {
        for (pointer, value) in [
            ("/files/0/size", json!(4)),
            ("/files/0/sha256", json!(Digest::of(b"x").to_string())),
            ("/files/0/member", json!("alpha/ccm.dll")),
            ("/files/0/install/0/role", json!("console")),
            ("/deltas/0/member", json!("deltas/y.bsdiff")),
            ("/members/1/name", json!("ALPHA/CCM.DLL")),
            ("/members/0/size", json!(3_000_000_000_u64)),
            ("/roles/0/after", json!(["provider"])),
            ("/files/0/install/0/to", json!("logs/q1.LOG")),
            ("/log", json!("Bin/alpha/Ccm.dll/x.log")),
        ] {
            let result = parse(&with(pointer, value));
            assert!(matches!(result, Err(ManifestError::Contradiction(_))), "{pointer}: {result:?}");
        }
    }

    #[test]
    fn variants_are_defined_once_and_apart() {
        let mut sample = sample();
        let variant =
            |name: &str, language: u16| json!({"variant": name, "title": "", "languages": [language]});
        sample["variants"] = json!([variant("english", 0x409), variant("german", 0x407)]);
        let mut english = sample["files"][0].clone();
        english["variant"] = json!("english");
        let mut german = english.clone();
        german["variant"] = json!("german");
        sample["files"] = json!([english, german]);
        let manifest = parse(&sample).unwrap();
        assert_eq!(manifest.to_json().sorted().to_string(), sample.to_string());
        for (pointer, value) in [
            ("/variants/1/variant", json!("english")),
            ("/variants/1/languages", json!([0x409])),
            ("/files/1/variant", json!("french")),
            ("/files/1/variant", json!("english")),
            ("/files/1/variant", json!(null)),
        ] {
            let mut wrong = sample.clone();
            *wrong.pointer_mut(pointer).unwrap() = value;
            let result = parse(&wrong);
            assert!(matches!(result, Err(ManifestError::Contradiction(_))), "{pointer}: {result:?}");
        }
    }

    #[test]
    fn wrong_forms_are_refused() {
        for (pointer, value) in [
            ("/files/0/install/0/to", json!("../x")),
            ("/files/0/platform", json!("mips")),
            ("/log", json!("C:/x")),
            ("/revision", json!(-1)),
            ("/id", json!("a/b")),
            ("/title", json!("a\u{1b}[2J")),
            ("/manual/0/text", json!("a\nSigned by the vendor")),
            ("/roles/0/usual", json!("\u{202e}exe.txt")),
        ] {
            assert!(matches!(parse(&with(pointer, value)), Err(ManifestError::Form(_))), "{pointer}");
        }
        let text = sample().to_string().replacen("\"revision\":1", "\"revision\":1,\"revision\":2", 1);
        assert!(matches!(Manifest::parse(text.as_bytes()), Err(ManifestError::Form(_))), "a key twice");
        assert!(matches!(parse(&with("/roles/0", json!({"x": 1}))), Err(ManifestError::Form(_))));
    }
}
