//! Which platform and which variant of the update a target gets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::decide::{list, nothing_there};
use super::file::wrong_machine;
use super::{Finding, FindingKind, Request};
use crate::bundle::manifest::{Manifest, VariantEntry};
use crate::name::Variant;
use crate::platform::Platform;
use crate::update::facts::{Facts, FileFact};

/// Decides the platform by what the user says and by the machine of the files that are there.
pub(super) fn choose_platform(
    manifest: &Manifest,
    facts: &Facts,
    request: &Request,
) -> Result<Platform, Finding> {
    let held = manifest.platforms();
    let names: Vec<&str> = held.iter().map(|platform| platform.name()).collect();
    if let Some(platform) = request.platform {
        return if held.contains(&platform) {
            Ok(platform)
        } else {
            Err(Finding {
                kind: FindingKind::WrongPlatform,
                subject: "platform".to_owned(),
                found: platform.to_string(),
                wanted: format!("{}, which the bundle is for", names.join(" or ")),
                remedy: "get the bundle for this platform".to_owned(),
            })
        };
    }
    let machine = |fact: &FileFact| fact.present.as_ref()?.machine?.platform();
    let right = facts.files.iter().filter(|fact| machine(fact) == Some(fact.platform));
    let by_machine: BTreeSet<Platform> = right.map(|fact| fact.platform).collect();
    let misplaced = facts.files.iter().find(|fact| machine(fact).is_some());
    if let Some(fact) = misplaced.filter(|_| by_machine.is_empty()) {
        return Err(wrong_machine(fact, fact.platform));
    }
    // Without any image, a folder of the platform's own tells as much.
    let by_folder: BTreeSet<Platform> =
        facts.files.iter().filter(|fact| has_own_folder(facts, fact)).map(|fact| fact.platform).collect();
    let candidates = if by_machine.is_empty() { by_folder } else { by_machine };
    let mut candidates = candidates.into_iter();
    match (candidates.next(), candidates.next()) {
        (Some(platform), None) if held.contains(&platform) => Ok(platform),
        (Some(platform), None) => Err(Finding {
            kind: FindingKind::WrongPlatform,
            subject: "platform of the files on the target".to_owned(),
            found: platform.to_string(),
            wanted: format!("{}, which the bundle is for", names.join(" or ")),
            remedy: "get the bundle for this platform".to_owned(),
        }),
        // A machine runs on one of them.
        (Some(_), Some(_)) if let Some(own) = facts.processor.filter(|own| held.contains(own)) => Ok(own),
        (Some(_), Some(_)) => Err(Finding {
            kind: FindingKind::WrongPlatform,
            subject: "platform of the target".to_owned(),
            found: "files of both platforms".to_owned(),
            wanted: "one".to_owned(),
            remedy: "name the one that this machine runs on by --platform i386 or --platform alpha"
                .to_owned(),
        }),
        (None, _) => Err(nothing_there(manifest, request)),
    }
}

/// Decides the variant by what the user says, else by the languages of the files that are there and by whose new or old
/// files they are known to be, which must agree; none if the role gets no file that comes in several.
pub(super) fn choose_variant(
    manifest: &Manifest,
    facts: &Facts,
    request: &Request,
    platform: Platform,
) -> Result<Option<Variant>, Finding> {
    let signs = Signs::of(manifest, facts, platform);
    let mut meant: Vec<&Variant> = match &request.variant {
        Some(name) => {
            manifest.variants.iter().map(|entry| &entry.variant).filter(|own| *own == name).collect()
        }
        None => signs.by_language(&manifest.variants),
    };
    if request.variant.is_none()
        && let Some(known) = &signs.known
    {
        match meant.as_slice() {
            [] => meant.extend(known.iter().copied()),
            [_] => meant.retain(|variant| known.contains(variant)),
            _ => {}
        }
    }
    match meant.as_slice() {
        [only] => return Ok(Some((*only).clone())),
        [] if !signs.is_concerned && request.variant.is_none() => return Ok(None),
        _ => {}
    }
    let variants: Vec<&Variant> = manifest.variants.iter().map(|entry| &entry.variant).collect();
    Err(Finding {
        kind: FindingKind::WrongTarget,
        subject: "variant of the target".to_owned(),
        found: request.variant.as_ref().map_or_else(|| signs.to_string(), Variant::to_string),
        wanted: format!("one of those in the bundle: {}", list(&variants)),
        remedy: "name the one that this target has by --variant".to_owned(),
    })
}

/// What the files on a target tell of its variant.
#[derive(Debug, Default)]
struct Signs<'m> {
    /// Whether a file of some variant goes there.
    is_concerned: bool,
    /// The languages that files state at the places of such files.
    languages: BTreeSet<u16>,
    /// The variants of which every file there that is known can be; none: no file is known.
    known: Option<BTreeSet<&'m Variant>>,
}

impl<'m> Signs<'m> {
    fn of(manifest: &'m Manifest, facts: &Facts, platform: Platform) -> Self {
        let mut signs = Self::default();
        let mut places: BTreeMap<&str, BTreeSet<&Variant>> = BTreeMap::new();
        for fact in facts.files.iter().filter(|fact| fact.platform == platform) {
            let Some(entry) = manifest.files.get(fact.file) else { continue };
            let Some(variant) = &entry.variant else { continue };
            signs.is_concerned = true;
            let Some(present) = &fact.present else { continue };
            signs.languages.extend(present.language);
            if entry.knows(present.sha256) {
                places.entry(fact.place.path.as_str()).or_default().insert(variant);
            }
        }
        signs.known = places.into_values().reduce(|all, place| &all & &place);
        signs
    }

    fn by_language(&self, variants: &'m [VariantEntry]) -> Vec<&'m Variant> {
        let is_meant =
            |entry: &&VariantEntry| entry.languages.iter().any(|language| self.languages.contains(language));
        variants.iter().filter(is_meant).map(|entry| &entry.variant).collect()
    }
}

impl fmt::Display for Signs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let languages: Vec<String> =
            self.languages.iter().map(|language| format!("{language:#06x}")).collect();
        let known: Vec<&Variant> = self.known.iter().flatten().copied().collect();
        match (languages.is_empty(), known.is_empty()) {
            (true, true) => f.write_str("no file that tells it"),
            (false, true) => write!(f, "files of these languages: {}", languages.join(", ")),
            (true, false) => write!(f, "files known to be of {}", list(&known)),
            (false, false) => write!(
                f,
                "files of these languages: {}; files known to be of {}",
                languages.join(", "),
                list(&known)
            ),
        }
    }
}

/// Tells whether the folder a file goes to exists and is no other platform's too.
fn has_own_folder(facts: &Facts, fact: &FileFact) -> bool {
    let folder = fact.place.full.parent();
    let shared = facts
        .files
        .iter()
        .any(|other| other.platform != fact.platform && other.place.full.parent() == folder);
    fact.place.missing.is_empty() && !shared
}
