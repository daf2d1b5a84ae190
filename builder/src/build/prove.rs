//! The proof: the finished bundle is read as the patcher reads it, and makes every file in every way it can.
//!
//! All but one: a delta that came from the cache was decoded when it was made, by this very program from these very
//! bytes, which the cache's seal says (see [`crate::cache`]). Decoding is a pure function, so it is not done again. That the
//! bundle holds that delta, for that pair, is proven like all else; and the patcher decodes before it touches a target.

use qfe_patcher::bundle::container::Source;
use qfe_patcher::bundle::keyring::KeyRing;
use qfe_patcher::bundle::manifest::{DeltaEntry, FileEntry, Manifest};
use qfe_patcher::bundle::{Bundle, BundleError};
use qfe_patcher::day::Day;
use qfe_patcher::target_path::TargetPath;

use super::Built;
use super::survey::SurveyedFile;
use crate::progress::Progress;

/// Why a finished bundle is not trusted by its own builder.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The patcher's library refuses it.
    #[error(transparent)]
    Refused(#[from] BundleError),
    /// The manifest lacks a file, or holds one that is no part of the payload.
    #[error("the manifest lists {found} files, the payload holds {wanted}")]
    Files {
        /// Files in the manifest.
        found: usize,
        /// Files in the payload.
        wanted: usize,
    },
    /// The manifest says something else of a file.
    #[error("the manifest lists {found}, the payload holds {wanted}")]
    Entry {
        /// The file by the manifest.
        found: String,
        /// The file of the payload.
        wanted: String,
    },
    /// A file comes out otherwise.
    #[error("{name} comes out otherwise than it went in, made {way}")]
    Differs {
        /// The file.
        name: TargetPath,
        /// How it was made.
        way: &'static str,
    },
}

/// Verifies a bundle, reads every member, and makes every payload whole and from each of its baselines, but by deltas that
/// are known to make it.
pub fn prove(
    source: impl Source + 'static,
    ring: &KeyRing,
    today: Day,
    built: &Built,
    progress: &dyn Progress,
) -> Result<(), ProofError> {
    let survey = &built.survey;
    let mut bundle = Bundle::open(source)?.verify(ring.clone(), today)?;
    bundle.check_members()?;
    let entries: Vec<FileEntry> = bundle.manifest().files.clone();
    if entries.len() != survey.files.len() {
        return Err(ProofError::Files { found: entries.len(), wanted: survey.files.len() });
    }
    progress.stage("proving the bundle", entries.len());
    for (entry, file) in entries.iter().zip(&survey.files) {
        require_same(entry, file)?;
        if entry.member.is_some() {
            let (new, _) = bundle.make(entry, None)?;
            require_made(file, &new, "whole")?;
        }
        for old in &file.baselines {
            match bundle.manifest().delta(entry, old.digest).cloned() {
                Some(delta) if is_known(built, bundle.manifest(), &delta) => {}
                Some(delta) => {
                    let new = bundle.decode(&delta, entry, old.bytes.clone())?;
                    require_made(file, &new, "by a delta")?;
                }
                // One that is the new file already needs none.
                None if old.digest == file.digest => {}
                None => drop(bundle.make(entry, Some((old.digest, old.bytes.clone())))?),
            }
        }
        progress.step(&file.shown());
    }
    Ok(())
}

/// Tells whether this program has decoded a delta of the bundle before.
fn is_known(built: &Built, manifest: &Manifest, delta: &DeltaEntry) -> bool {
    let known = built.cached.get(&(delta.old, delta.new));
    manifest.member(&delta.member).is_some_and(|member| known == Some(&member.sha256))
}

/// Holds what the manifest says of a file against the payload.
fn require_same(entry: &FileEntry, file: &SurveyedFile) -> Result<(), ProofError> {
    let shown = |platform, name, digest| format!("{platform}/{name} with digest {digest}");
    let found = shown(entry.platform, &entry.name, entry.sha256);
    let wanted = shown(file.platform, &file.name, file.digest);
    if found == wanted { Ok(()) } else { Err(ProofError::Entry { found, wanted }) }
}

fn require_made(file: &SurveyedFile, new: &[u8], way: &'static str) -> Result<(), ProofError> {
    if new == file.bytes { Ok(()) } else { Err(ProofError::Differs { name: file.name.clone(), way }) }
}
