//! What the manifest does not tell: packed sizes, and what bsdiff would take where the old files are at hand.
//!
//! A bundle does not hold the old files, so the comparison with another program's deltas needs them: they are found in
//! folders or archives by name and digest, and only those that the bundle means are measured. Nothing is believed: every
//! file is held against the digest that the manifest states.

use std::collections::{BTreeMap, BTreeSet};

use qfe_patcher::bundle::BundleError;
use qfe_patcher::bundle::container::Container;
use qfe_patcher::bundle::manifest::{FileEntry, Manifest};
use qfe_patcher::delta::Codec;
use qfe_patcher::digest::Digest;
use qfe_patcher::target_path::TargetPath;

use super::{BaselinePart, Inspection};
use crate::container::{WriteError, zip};
use crate::delta::{Choice, EncodeError, Pair, encode_all};
use crate::progress::Progress;
use crate::sources::{SourceError, Tree};

/// Why a bundle could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The bundle is damaged.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// An old file cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file cannot be packed.
    #[error(transparent)]
    Pack(#[from] WriteError),
    /// A delta could not be made; not for its size, which only leaves it out.
    #[error("{name}: bsdiff's delta could not be made")]
    Delta {
        /// The new file.
        name: String,
        /// Why.
        source: EncodeError,
    },
}

/// Old files by their digests.
pub type Olds = BTreeMap<Digest, Vec<u8>>;

/// Reads from trees what a bundle knows as an old state: files of its names, in any folder, with a digest that it states.
pub fn olds(manifest: &Manifest, trees: &mut [Tree]) -> Result<Olds, SourceError> {
    let names: BTreeSet<String> =
        manifest.files.iter().map(|file| file.name.name().to_ascii_lowercase()).collect();
    let known: BTreeSet<Digest> =
        manifest.files.iter().flat_map(|file| &file.baselines).map(|old| old.sha256).collect();
    let mut olds = Olds::new();
    for tree in trees {
        let wanted: Vec<TargetPath> =
            tree.names().filter(|name| names.contains(&name.name().to_ascii_lowercase())).cloned().collect();
        for name in wanted {
            let Some(bytes) = tree.read(&name)? else { continue };
            let digest = Digest::of(&bytes);
            if known.contains(&digest) {
                olds.insert(digest, bytes);
            }
        }
    }
    Ok(olds)
}

/// Measures every file that the bundle holds whole, and bsdiff's delta from every old file that is at hand.
pub fn measure(
    inspection: &mut Inspection,
    manifest: &Manifest,
    container: &mut Container,
    olds: &Olds,
    jobs: usize,
    progress: &dyn Progress,
) -> Result<(), MeasureError> {
    let mut news: BTreeMap<Digest, Vec<u8>> = BTreeMap::new();
    let mut packed: BTreeMap<Digest, u64> = BTreeMap::new();
    for file in &manifest.files {
        let is_compared = file.baselines.iter().any(|old| olds.contains_key(&old.sha256));
        let Some(bytes) = new_file(manifest, file, container, olds)? else { continue };
        if file.member.is_some() && !packed.contains_key(&file.sha256) {
            packed.insert(file.sha256, zip::packed_len(&bytes)?);
        }
        if is_compared {
            news.insert(file.sha256, bytes);
        }
    }
    let generic = generic(manifest, &news, olds, jobs, progress)?;
    for file in inspection.platforms.iter_mut().flat_map(|part| &mut part.files) {
        file.packed = packed.get(&file.sha256).copied().filter(|_| file.whole);
        for old in &mut file.baselines {
            old.generic = generic.get(&(old.sha256, file.sha256)).copied();
        }
    }
    Ok(())
}

/// Returns a new file: whole, or made by a delta from an old one; none where neither is there.
fn new_file(
    manifest: &Manifest,
    file: &FileEntry,
    container: &mut Container,
    olds: &Olds,
) -> Result<Option<Vec<u8>>, BundleError> {
    if let Some(member) = &file.member {
        let bytes = container.read_early(member, file.size)?;
        return held(bytes, file, member).map(Some);
    }
    let mut ways = file
        .baselines
        .iter()
        .filter_map(|old| Some((olds.get(&old.sha256)?, manifest.delta(file, old.sha256)?)));
    let Some((old, delta)) = ways.next() else { return Ok(None) };
    let name = &delta.member;
    let size = manifest.member(name).map_or(0, |member| member.size);
    let patch = container.read_early(name, size)?;
    let decoded = delta.codec.decode(old.clone(), &patch, file.size);
    let bytes = decoded.map_err(|source| BundleError::Delta { name: name.clone(), source })?;
    held(bytes, file, name).map(Some)
}

/// Requires the bytes that the manifest states.
fn held(bytes: Vec<u8>, file: &FileEntry, member: &TargetPath) -> Result<Vec<u8>, BundleError> {
    let found = Digest::of(&bytes);
    if found == file.sha256 {
        return Ok(bytes);
    }
    let (found, wanted) = (found.to_string(), file.sha256.to_string());
    Err(BundleError::Differs { name: member.clone(), what: "digest", found, wanted })
}

/// Returns the sizes of bsdiff's deltas, by old and new digest.
fn generic(
    manifest: &Manifest,
    news: &BTreeMap<Digest, Vec<u8>>,
    olds: &Olds,
    jobs: usize,
    progress: &dyn Progress,
) -> Result<BTreeMap<(Digest, Digest), u64>, MeasureError> {
    let mut pairs: BTreeMap<(Digest, Digest), Pair<'_>> = BTreeMap::new();
    for file in &manifest.files {
        for old in file.baselines.iter().filter(|old| old.sha256 != file.sha256) {
            if let (Some(before), Some(new)) = (olds.get(&old.sha256), news.get(&file.sha256)) {
                let pair = Pair { name: file.name.as_str(), old: before, new };
                pairs.entry((old.sha256, file.sha256)).or_insert(pair);
            }
        }
    }
    let work: Vec<Pair<'_>> = pairs.values().copied().collect();
    progress.stage("making bsdiff's deltas", work.len());
    let made = encode_all(Choice::Only(Codec::Bsdiff), &work, jobs, progress);
    let mut sizes = BTreeMap::new();
    for ((key, pair), result) in pairs.iter().zip(made) {
        match result {
            Ok(Some(encoded)) => {
                sizes.insert(*key, encoded.bytes.len() as u64);
            }
            Ok(None) | Err(EncodeError::TooLarge { .. }) => {}
            Err(source) => return Err(MeasureError::Delta { name: pair.name.to_owned(), source }),
        }
    }
    Ok(sizes)
}

/// Counts the old files that differ from the new ones, and how many of those were measured.
pub fn measured(inspection: &Inspection) -> (usize, usize) {
    let olds: Vec<&BaselinePart> = inspection
        .platforms
        .iter()
        .flat_map(|part| &part.files)
        .flat_map(|file| file.baselines.iter().filter(|old| old.sha256 != file.sha256))
        .collect();
    (olds.iter().filter(|old| old.generic.is_some()).count(), olds.len())
}
