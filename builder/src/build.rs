//! Builds a bundle: recipe and payload in, proven bytes out.
//!
//! [`survey`] holds the payload against the recipe, [`build`] makes deltas, manifest and signatures of what it
//! found, and [`prove`] reads the finished bundle as the patcher will. Nothing here writes a file; the
//! payload is read through [`crate::sources`], and what earlier builds have made through [`crate::cache`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use qfe_patcher::bundle::container::ContainerKind;
use qfe_patcher::bundle::keyring::{Chain, KeyId};
use qfe_patcher::bundle::manifest::{
    BaselineEntry, DeltaEntry, FORMAT, FileEntry, Manifest, ManifestError, MemberEntry, VariantEntry,
};
use qfe_patcher::bundle::product::ManualStep;
use qfe_patcher::digest::Digest;
use qfe_patcher::json::{Json, ToJson};
use qfe_patcher::target_path::{TargetPath, UnsafePath};

use crate::article::page::{PAGE_NAME, Page};
use crate::cache::Cache;
use crate::container::{self, Contents, WriteError};
use crate::delta::{Choice, EncodeError, Encoded};
use crate::profile::Profile;
use crate::progress::Progress;
use crate::recipe::{self, Recipe};
use crate::ring;
use crate::sign::{SignError, SigningKey};

mod deltas;
pub mod prove;
pub mod refusal;
pub mod survey;
pub mod warning;

use deltas::{Delta, Deltas, Origin, deltas};
use prove::ProofError;
use refusal::Refusals;
use survey::{Survey, SurveyedFile};

/// How a bundle is built.
#[derive(Debug)]
pub struct Options<'a> {
    /// The container.
    pub kind: ContainerKind,
    /// What stands before the zip of an exe; nothing in another container.
    pub prefix: Vec<u8>,
    /// Which deltas are made.
    pub choice: Choice,
    /// Whether whole payloads are left in.
    pub shape: Shape,
    /// How many threads encode.
    pub jobs: usize,
    /// The keys that sign it.
    pub keys: &'a [SigningKey],
    /// The key rings that it carries.
    pub chain: &'a Chain,
    /// Where deltas are that were made before.
    pub cache: Option<&'a Cache>,
}

/// Whether a bundle holds whole payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each payload whole, and deltas: always applies.
    Complete,
    /// A payload only where a delta is lacking: small, applies to known baselines.
    Lean,
}

impl ToJson for Shape {
    fn to_json(&self) -> Json {
        match self {
            Self::Complete => "complete",
            Self::Lean => "lean",
        }
        .to_json()
    }
}

/// A finished bundle.
#[derive(Debug)]
pub struct Built {
    /// What its manifest says.
    pub manifest: Manifest,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Keys that signed it.
    pub signers: BTreeSet<KeyId>,
    /// What the release engineer should know.
    pub warnings: Vec<String>,
    /// The payload it was made of.
    pub survey: Survey,
    /// The deltas that came from the cache, where this very program had decoded them before.
    pub cached: Cached,
}

/// Digests of deltas, by those of old and new file.
pub type Cached = BTreeMap<(Digest, Digest), Digest>;

/// Why no bundle was built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Recipe, profile and payload do not agree.
    #[error(transparent)]
    Refusals(#[from] Refusals),
    /// The log's path that the profile makes of the update's number is not safe.
    #[error("the profile makes an unsafe log path of {id}")]
    Log {
        /// The update.
        id: String,
        /// Why.
        source: UnsafePath,
    },
    /// A delta could not be made; not for its size, which only drops it.
    #[error("{name}: no delta could be made")]
    Delta {
        /// The new file.
        name: String,
        /// Why.
        source: EncodeError,
    },
    /// The patcher's library refuses the manifest.
    #[error("the patcher would refuse this manifest")]
    Manifest(#[source] ManifestError),
    /// A signature could not be made.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The container could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The finished bundle does not hold what it should.
    #[error("the finished bundle does not prove itself")]
    Proof(#[from] ProofError),
}

/// Builds and signs the bundle of a recipe; paths in the recipe are relative to `base`. The caller proves what was written.
pub fn build(
    recipe: &Recipe,
    profile: &Profile,
    base: &Path,
    options: &Options<'_>,
    progress: &dyn Progress,
) -> Result<Built, BuildError> {
    progress.stage("inspecting payload and baselines", 0);
    let survey = survey::survey(recipe, profile, base)?;
    let mut warnings: Vec<String> = survey.warnings.iter().map(ToString::to_string).collect();
    let deltas = deltas(&survey, options, &mut warnings, progress)?;
    let cached = deltas
        .iter()
        .filter(|(_, delta)| delta.origin == Origin::Cache)
        .map(|(pair, delta)| (*pair, Digest::of(&delta.encoded.bytes)))
        .collect();
    let (manifest, members) = assemble(recipe, profile, &survey, deltas, options.shape, &mut warnings)?;
    let text = manifest_text(&manifest)?;
    let mut contents = Contents {
        manifest: text,
        signatures: BTreeMap::new(),
        rings: ring::members(options.chain),
        members,
    };
    progress.stage("signing", 0);
    for key in options.keys {
        let text = key.sign(&manifest, &contents.manifest)?;
        if contents.signatures.insert(key.signature_name(), text).is_some() {
            return Err(SignError::SameKey { id: key.id() }.into());
        }
    }
    progress.stage("packing", 0);
    let mut out = std::io::Cursor::new(options.prefix.clone());
    out.set_position(options.prefix.len() as u64);
    let bytes = container::write(options.kind, &contents, out)?.into_inner();
    let signers = options.keys.iter().map(SigningKey::id).collect();
    Ok(Built { manifest, bytes, signers, warnings, survey, cached })
}

/// Makes the manifest and the members it names.
fn assemble(
    recipe: &Recipe,
    profile: &Profile,
    survey: &Survey,
    deltas: Deltas,
    shape: Shape,
    warnings: &mut Vec<String>,
) -> Result<(Manifest, BTreeMap<TargetPath, Vec<u8>>), BuildError> {
    let mut members = BTreeMap::new();
    let mut files = Vec::new();
    for file in &survey.files {
        let left_out = shape == Shape::Lean && has_every_delta(file, &deltas);
        if shape == Shape::Lean && !left_out {
            let why = match file.baselines.as_slice() {
                [] => "no old file of it is known",
                known if known.iter().all(|old| old.digest == file.digest) => {
                    "every known old file is the new one already"
                }
                _ => "a delta is lacking",
            };
            warnings.push(format!("{}: the lean bundle holds the whole file, as {why}", file.shown()));
        }
        let member = (!left_out).then(|| file.member.clone());
        members.extend(member.clone().map(|name| (name, file.bytes.clone())));
        files.push(entry(file, member));
    }
    let log =
        profile.log(&recipe.id).map_err(|source| BuildError::Log { id: recipe.id.to_string(), source })?;
    let mut entries = Vec::new();
    for ((old, new), Delta { encoded: Encoded { codec, bytes }, .. }) in deltas {
        let name = format!("deltas/{}-{}.{codec}", old.prefix(), new.prefix());
        let member: TargetPath = name.parse().expect("hexadecimal digits and a codec's name are a safe path");
        members.insert(member.clone(), bytes);
        entries.push(DeltaEntry { old, new, codec, member });
    }
    let mut manifest = Manifest {
        format: FORMAT,
        id: recipe.id.clone(),
        title: recipe.title.clone(),
        revision: recipe.revision,
        product: profile.product.clone(),
        builds: recipe.builds.clone(),
        requires: recipe.requires.clone(),
        supersedes: recipe.supersedes.clone(),
        log,
        registration: profile.registration(&recipe.id, &recipe.title, recipe.revision),
        levels: profile.levels.clone(),
        gates: profile.gates.clone(),
        roles: profile.role_entries(),
        readiness: profile.readiness.clone(),
        manual: manual(recipe, profile),
        variants: variants(recipe),
        files,
        deltas: entries,
        members: Vec::new(),
    };
    let article = Page::of(&manifest, &recipe.article).html().into_bytes();
    members.insert(PAGE_NAME.parse().expect("the article's name is a safe path"), article);
    manifest.members = members
        .iter()
        .map(|(name, bytes): (_, &Vec<u8>)| MemberEntry {
            name: name.clone(),
            size: bytes.len() as u64,
            sha256: Digest::of(bytes),
        })
        .collect();
    Ok((manifest, members))
}

fn variants(recipe: &Recipe) -> Vec<VariantEntry> {
    let entry = |rule: &recipe::VariantRule| VariantEntry {
        variant: rule.name.clone(),
        title: rule.title.clone().unwrap_or_else(|| rule.name.to_string()),
        languages: rule.languages.clone(),
    };
    recipe.variants.iter().map(entry).collect()
}

/// Returns the manifest that the recipe makes without deltas, which has all that its article tells.
pub fn manifest(recipe: &Recipe, profile: &Profile, base: &Path) -> Result<Manifest, BuildError> {
    let survey = survey::survey(recipe, profile, base)?;
    let (manifest, _) = assemble(recipe, profile, &survey, Deltas::new(), Shape::Complete, &mut Vec::new())?;
    Ok(manifest)
}

/// Returns the steps by hand, for every role where the recipe names none.
fn manual(recipe: &Recipe, profile: &Profile) -> Vec<ManualStep> {
    let step = |step: &recipe::Step| ManualStep {
        when: step.when,
        roles: step.roles.clone().unwrap_or_else(|| profile.role_names().cloned().collect()),
        text: step.text.clone(),
    };
    recipe.steps.iter().map(step).collect()
}

/// Tells whether the file can be made from each of its baselines, of which there is at least one.
fn has_every_delta(file: &SurveyedFile, deltas: &Deltas) -> bool {
    let mut old = file.baselines.iter().filter(|old| old.digest != file.digest).peekable();
    old.peek().is_some() && old.all(|old| deltas.contains_key(&(old.digest, file.digest)))
}

fn entry(file: &SurveyedFile, member: Option<TargetPath>) -> FileEntry {
    let baseline = |old: &survey::OldFile| BaselineEntry {
        name: old.name.clone(),
        size: old.bytes.len() as u64,
        sha256: old.digest,
        version: old.version,
    };
    FileEntry {
        platform: file.platform,
        variant: file.variant.clone(),
        name: file.name.clone(),
        size: file.bytes.len() as u64,
        sha256: file.digest,
        version: file.version,
        time_stamp: file.time_stamp,
        member,
        register: file.register,
        install: file.install.clone(),
        baselines: file.baselines.iter().map(baseline).collect(),
    }
}

/// Writes the manifest down and lets the patcher's library judge it.
fn manifest_text(manifest: &Manifest) -> Result<Vec<u8>, BuildError> {
    let text = format!("{:#}\n", manifest.to_json()).into_bytes();
    Manifest::parse(&text).map_err(BuildError::Manifest)?;
    Ok(text)
}
