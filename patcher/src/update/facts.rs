//! Facts: all that a plan is decided on, gathered without changing anything.

use super::UpdateError;
use super::journal::ServiceRecord;
use super::order::{self, Proven};
use super::plan::{Control, Request};
use super::services;
use super::state::{self, StateFolder};
use super::target::{Place, TargetRoot};
use crate::bundle::manifest::{MAX_MEMBER, Manifest};
use crate::bundle::product::{Gate, RoleEntry};
use crate::digest::Digest;
use crate::host::{Files, Host, HostError, Kind, Registry, Volume, processor};
use crate::image::Image;
use crate::platform::{Machine, Platform};
use crate::registry::RegistryValue;
use crate::target_path::TargetPath;
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
    /// Whether the user may write to the target, as far as the system tells.
    pub is_writable: bool,
    /// What the value of each gate of the manifest is; none if the registry is not looked at.
    pub gates: Option<Vec<GateFact>>,
    /// The platform that the machine's processor runs, as its registry says; none if that says nothing, or is not looked at.
    pub processor: Option<Platform>,
    /// What there is of each service of the role; none where the run does not control them.
    pub services: Vec<Vec<ServiceRecord>>,
    /// Programs that have a file of the target loaded.
    pub programs: Vec<String>,
    /// Folders that a target has which plays another part.
    pub foreign_folders: Vec<TargetPath>,
    /// What the proof of the order came to.
    pub order: Proven,
}

/// What there is of one file of the manifest at one of its places.
#[derive(Debug)]
pub struct FileFact {
    /// The platform of the manifest's file.
    pub platform: Platform,
    /// Position of the file in the manifest.
    pub file: usize,
    /// Position of the place among those of the file.
    pub install: usize,
    /// Where it goes.
    pub place: Place,
    /// What is there now; none if nothing is.
    pub present: Option<Present>,
    /// The volume of its folder; none if there is no such folder, or the system gives volumes no numbers.
    pub volume: Option<u64>,
}

/// What the registry says for a gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateFact {
    /// The value that the gate is about; none if there is none.
    pub value: Option<RegistryValue>,
    /// The name of the machine, where the gate asks for it.
    pub machine: Option<String>,
}

impl GateFact {
    /// Looks at what a gate is about.
    pub fn of(registry: &dyn Registry, gate: &Gate) -> Result<Self, HostError> {
        let (key, name) = gate.place();
        let machine = match gate {
            Gate::RegistryMachine { own_key, own_value, .. } => {
                registry.value(own_key, own_value)?.and_then(|value| value.as_text())
            }
            Gate::RegistryBuild { .. } | Gate::RegistryOneOf { .. } | Gate::PendingRenames { .. } => None,
        };
        Ok(Self { value: registry.value(key, name)?, machine })
    }
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
    /// The language of its version resource, if it states one.
    pub language: Option<u16>,
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
            language: image.and_then(|image| image.language),
        }
    }
}

/// Looks at every file of `manifest` that goes to the role asked for, on every platform, and at the machine.
pub fn gather(
    host: &dyn Host,
    target: TargetRoot<'_>,
    manifest: &Manifest,
    request: &Request,
) -> Result<Facts, UpdateError> {
    let role = manifest.role(&request.role);
    let (gates, processor) = match request.registry {
        Control::None => (None, None),
        Control::Look | Control::Change => {
            let facts: Result<_, _> = manifest.gates.iter().map(|gate| GateFact::of(host, gate)).collect();
            (Some(facts?), processor(host)?.and_then(|word| Platform::of_processor(&word)))
        }
    };
    let services = match role.filter(|_| request.services == super::plan::Services::Controlled) {
        Some(role) => {
            role.services.iter().map(|entry| services::look_for(host, entry)).collect::<Result<_, _>>()?
        }
        None => Vec::new(),
    };
    let has_programs = role.is_some_and(|role| !role.programs.is_empty());
    Ok(Facts {
        files: files(host, target, manifest, request)?,
        states: state::scan(host, target)?,
        volume: host.volume(target.path())?,
        is_writable: host.may_write(target.path())?,
        gates,
        processor,
        services,
        programs: if has_programs { host.users_of(target.path())? } else { Vec::new() },
        foreign_folders: foreign_folders(host, target, role)?,
        order: role.map_or(Ok(Proven::NotNeeded), |role| order::look(host, manifest, role, request))?,
    })
}

fn files(
    files: &dyn Files,
    target: TargetRoot<'_>,
    manifest: &Manifest,
    request: &Request,
) -> Result<Vec<FileFact>, UpdateError> {
    let mut facts: Vec<FileFact> = Vec::new();
    for (file, entry) in manifest.files.iter().enumerate() {
        for (number, install) in entry.install.iter().enumerate() {
            if install.role != request.role {
                continue;
            }
            let place = target.locate(files, &install.to)?;
            // Variants of a file come one after the other, and go to one place.
            let mut before = facts.iter().rev().take(entry.install.len());
            let (present, volume) = match before.find(|fact| fact.place.full == place.full) {
                Some(fact) => (fact.present.clone(), fact.volume),
                None => {
                    let folder = place.full.parent().filter(|_| place.missing.is_empty());
                    let volume = folder.map(|folder| files.volume(folder)).transpose()?;
                    (Present::at(files, &place)?, volume.and_then(|volume| volume.id))
                }
            };
            facts.push(FileFact { platform: entry.platform, file, install: number, place, present, volume });
        }
    }
    Ok(facts)
}

/// Returns the folders of the target that one in this role lacks.
fn foreign_folders(
    files: &dyn Files,
    target: TargetRoot<'_>,
    role: Option<&RoleEntry>,
) -> Result<Vec<TargetPath>, UpdateError> {
    let mut found = Vec::new();
    for name in files.list(target.path())? {
        let lacked = role
            .and_then(|role| role.lacks.iter().find(|lacked| lacked.as_str().eq_ignore_ascii_case(&name)));
        let is_folder = || {
            Ok::<_, HostError>(
                files.stat(&target.path().join(&name))?.is_some_and(|stat| stat.kind == Kind::Folder),
            )
        };
        if let Some(lacked) = lacked
            && is_folder()?
        {
            found.push(lacked.clone());
        }
    }
    Ok(found)
}
