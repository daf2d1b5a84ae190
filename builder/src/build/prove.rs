//! The proof: the finished bundle is read as the patcher reads it, and makes every file in every way it can.

use qfe_patcher::bundle::container::Source;
use qfe_patcher::bundle::keyring::KeyRing;
use qfe_patcher::bundle::manifest::FileEntry;
use qfe_patcher::bundle::{Bundle, BundleError};
use qfe_patcher::day::Day;
use qfe_patcher::target_path::TargetPath;

use super::survey::{Survey, SurveyedFile};
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
    /// A file comes out otherwise.
    #[error("{name} comes out otherwise than it went in, made {way}")]
    Differs {
        /// The file.
        name: TargetPath,
        /// How it was made.
        way: &'static str,
    },
}

/// Verifies a bundle, reads every member, and makes every payload whole and from each of its baselines.
pub fn prove(
    source: impl Source + 'static,
    ring: &KeyRing,
    today: Day,
    survey: &Survey,
    progress: &dyn Progress,
) -> Result<(), ProofError> {
    let mut bundle = Bundle::open(source)?.verify(ring.clone(), today)?;
    bundle.check_members()?;
    let entries: Vec<FileEntry> = bundle.manifest().files.clone();
    if entries.len() != survey.files.len() {
        return Err(ProofError::Files { found: entries.len(), wanted: survey.files.len() });
    }
    progress.stage("proving the bundle", entries.len());
    for (entry, file) in entries.iter().zip(&survey.files) {
        if entry.member.is_some() {
            let (new, _) = bundle.make(entry, None)?;
            require(entry, file, &new, "whole")?;
        }
        for old in &file.baselines {
            match bundle.manifest().delta(entry, old.digest).cloned() {
                Some(delta) => {
                    let new = bundle.decode(&delta, entry, old.bytes.clone())?;
                    require(entry, file, &new, "by a delta")?;
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

fn require(entry: &FileEntry, file: &SurveyedFile, new: &[u8], way: &'static str) -> Result<(), ProofError> {
    let same = new == file.bytes && entry.sha256 == file.digest && entry.platform == file.platform;
    if same { Ok(()) } else { Err(ProofError::Differs { name: entry.name.clone(), way }) }
}
