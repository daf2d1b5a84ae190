//! Facts: all that a plan is decided on, gathered without changing anything.

use super::state::{self, StateError, StateFolder};
use super::target::{Place, TargetError, TargetRoot};
use crate::bundle::manifest::{MAX_MEMBER, Manifest};
use crate::digest::Digest;
use crate::host::{Files, HostError, Volume};
use crate::image::Image;
use crate::name::Role;
use crate::platform::{Machine, Platform};
use crate::version::FileVersion;

/// What is known of a target for one manifest and role.
#[derive(Debug)]
pub struct Facts {
    /// What there is of each file of the manifest, for every platform.
    pub files: Vec<FileFact>,
    /// Updates that have left records in the target.
    pub states: Vec<StateFolder>,
    /// The volume that the target is on.
    pub volume: Volume,
}

/// What there is of one file of the manifest.
#[derive(Debug)]
pub struct FileFact {
    /// The platform of the manifest's file.
    pub platform: Platform,
    /// Position of the file in the manifest.
    pub file: usize,
    /// Where it goes.
    pub place: Place,
    /// What is there now; none if nothing is.
    pub present: Option<Present>,
    /// The volume of its folder; none if there is no such folder, or the system gives volumes no numbers.
    pub volume: Option<u64>,
}

/// A file on the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Size in bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Digest,
    /// The machine it is for, if it is a PE image.
    pub machine: Option<Machine>,
    /// Its file version, if it states one.
    pub version: Option<FileVersion>,
}

impl Present {
    /// Reads and describes the file at a place; none if there is none.
    pub fn at(files: &dyn Files, place: &Place) -> Result<Option<Self>, HostError> {
        match place.stat {
            Some(_) => Ok(Some(Self::of(&files.read(&place.full, MAX_MEMBER)?))),
            None => Ok(None),
        }
    }

    /// Describes the bytes of a file.
    pub fn of(bytes: &[u8]) -> Self {
        let image = Image::read(bytes).ok();
        Self {
            size: bytes.len() as u64,
            sha256: Digest::of(bytes),
            machine: image.map(|image| image.machine),
            version: image.and_then(|image| image.version),
        }
    }
}

/// Why facts cannot be gathered.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// A path of the target cannot be used.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The records in the target cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<HostError> for FactsError {
    fn from(error: HostError) -> Self {
        Self::Target(error.into())
    }
}

/// Looks at every file of `manifest` that goes to `role`, on every platform.
pub fn gather(
    files: &dyn Files,
    target: TargetRoot<'_>,
    manifest: &Manifest,
    role: &Role,
) -> Result<Facts, FactsError> {
    let states = state::scan(files, target)?;
    let mut facts = Facts { files: Vec::new(), states, volume: files.volume(target.path())? };
    for (index, entry) in manifest.files.iter().enumerate() {
        let Some(install) = entry.install.iter().find(|install| install.role == *role) else { continue };
        let place = target.locate(files, &install.to)?;
        let present = Present::at(files, &place)?;
        let folder = place.full.parent().filter(|_| place.missing.is_empty());
        let volume = folder.map(|folder| files.volume(folder)).transpose()?.and_then(|volume| volume.id);
        facts.files.push(FileFact { platform: entry.platform, file: index, place, present, volume });
    }
    Ok(facts)
}
