//! The proof: the finished bundle is read as the patcher reads it, and makes every file in every way it can.

use qfe_patcher::bundle::container::Source;
use qfe_patcher::bundle::keyring::KeyRing;
use qfe_patcher::bundle::manifest::FileEntry;
use qfe_patcher::bundle::{Bundle, BundleError, Made};
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
        let mut olds: Vec<_> = file.baselines.iter().map(Some).collect();
        if entry.member.is_some() {
            olds.push(None);
        }
        for old in olds {
            // A baseline that is the new file already is never decoded from.
            if old.is_some_and(|old| old.digest == file.digest) && entry.member.is_none() {
                continue;
            }
            let old = old.map(|old| (old.digest, old.bytes.clone()));
            let (new, made) = bundle.make(entry, old)?;
            require(entry, file, &new, made)?;
        }
        progress.step(&file.shown());
    }
    Ok(())
}

fn require(entry: &FileEntry, file: &SurveyedFile, new: &[u8], made: Made) -> Result<(), ProofError> {
    let way = match made {
        Made::ByDelta => "by a delta",
        Made::Whole => "whole",
    };
    let same = new == file.bytes && entry.sha256 == file.digest && entry.platform == file.platform;
    if same { Ok(()) } else { Err(ProofError::Differs { name: entry.name.clone(), way }) }
}
