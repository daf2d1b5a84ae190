//! The doctor: what on a machine keeps updates from being installed, and the correction of what it states as its version.
//!
//! The value that states the version may be missing or empty where a machine was set up remotely. What it should be is
//! told by the files: their versions carry the build in the third number.

use std::collections::BTreeMap;
use std::path::Path;

use super::UpdateError;
use super::facts::GateFact;
use super::plan::{Conditions, Finding, FindingKind, Stated, judge};
use super::recover::interrupted;
use super::status::{Condition, status};
use super::target::TargetRoot;
use crate::bundle::manifest::MAX_MEMBER;
use crate::bundle::product::Product;
use crate::host::{Files, Host, HostError, Kind};
use crate::image::Image;
use crate::name::Role;
use crate::platform::Platform;
use crate::registry::{RegistryKey, RegistryValue};

/// Most images whose versions are looked at: a few tell as much as all, and a share is slow.
const ENOUGH: usize = 24;
/// Most folders below one another that are searched for them.
const DEPTH: usize = 3;

/// What the doctor found.
#[derive(Debug)]
pub struct Diagnosis {
    /// What keeps updates from being installed.
    pub findings: Vec<Finding>,
    /// What else is to be known.
    pub notes: Vec<String>,
    /// What the value that states the version says; none if the product has no such value.
    pub stated: Option<Stated>,
    /// How many files of the target are of which build and platform.
    pub evidence: Evidence,
    /// What would put the value right; none if it is right, or nobody can know.
    pub correction: Option<Correction>,
}

/// How many images of a target are of which platform and build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    builds: BTreeMap<(Platform, u16), usize>,
}

impl Evidence {
    /// Looks at images of a target, enough of them to know.
    pub fn gather(files: &dyn Files, target: TargetRoot<'_>) -> Result<Self, HostError> {
        let mut evidence = Self::default();
        evidence.search(files, target.path(), DEPTH)?;
        Ok(evidence)
    }

    fn search(&mut self, files: &dyn Files, folder: &Path, depth: usize) -> Result<(), HostError> {
        let mut folders = Vec::new();
        for name in files.list(folder)? {
            let path = folder.join(&name);
            let is_image = name.rsplit_once('.').is_some_and(|(_, extension)| {
                ["dll", "exe"].iter().any(|known| extension.eq_ignore_ascii_case(known))
            });
            match files.stat(&path)? {
                Some(stat) if stat.kind == Kind::File && is_image && stat.size <= MAX_MEMBER => {
                    if self.count() >= ENOUGH {
                        return Ok(());
                    }
                    self.add(&files.read(&path, MAX_MEMBER)?);
                }
                Some(stat) if stat.kind == Kind::Folder && depth > 0 && !name.starts_with('$') => {
                    folders.push(path);
                }
                _ => {}
            }
        }
        folders.iter().try_for_each(|folder| self.search(files, folder, depth - 1))
    }

    fn add(&mut self, bytes: &[u8]) {
        let Ok(image) = Image::read(bytes) else { return };
        if let (Some(platform), Some(version)) = (image.machine.platform(), image.version) {
            *self.builds.entry((platform, version.build())).or_default() += 1;
        }
    }

    fn count(&self) -> usize {
        self.builds.values().sum()
    }

    /// Returns the one build that all files are of, among those that the product has; none if there are several.
    pub fn build(&self, product: &Product) -> Option<u16> {
        let known = self.builds.keys().map(|(_, build)| *build);
        let mut builds: Vec<u16> = known.filter(|build| product.first_level(*build).is_some()).collect();
        builds.sort_unstable();
        builds.dedup();
        match builds.as_slice() {
            [build] => Some(*build),
            _ => None,
        }
    }

    /// Returns the platform that most files are for.
    pub fn platform(&self) -> Option<Platform> {
        self.builds.iter().max_by_key(|(_, count)| **count).map(|((platform, _), _)| *platform)
    }

    /// Says what was found.
    pub fn words(&self) -> String {
        let part = |((platform, build), count): (&(Platform, u16), &usize)| {
            format!("{count} of build {build} ({platform})")
        };
        let parts: Vec<String> = self.builds.iter().map(part).collect();
        if parts.is_empty() { "no file with a version".to_owned() } else { parts.join(", ") }
    }
}

/// A registry value that is to be set right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Its key.
    pub key: RegistryKey,
    /// Its name.
    pub name: String,
    /// What it should be.
    pub text: String,
    /// Why.
    pub why: String,
}

impl Correction {
    /// Returns the value.
    pub fn value(&self) -> RegistryValue {
        RegistryValue::text(&self.text)
    }
}

/// Looks at a target and its registry in the light of what is known of the product; `looks_at_registry` is whether there is one.
pub fn diagnose(
    host: &dyn Host,
    target: TargetRoot<'_>,
    product: &Product,
    role: &Role,
    looks_at_registry: bool,
    assumed_build: Option<u16>,
) -> Result<Diagnosis, UpdateError> {
    let evidence = Evidence::gather(host, target)?;
    let facts: Option<Vec<GateFact>> = match looks_at_registry {
        true => Some(product.gates.iter().map(|gate| GateFact::of(host, gate)).collect::<Result<_, _>>()?),
        false => None,
    };
    let build = assumed_build.or_else(|| evidence.build(product));
    let mut builds: Vec<u16> = match build {
        Some(build) => vec![build],
        None => product.levels.iter().map(|level| level.build).collect(),
    };
    // Several releases may be of one build, which is to be named once.
    builds.dedup();
    let conditions = Conditions { gates: &product.gates, levels: &product.levels, builds: &builds };
    let verdict = judge(conditions, facts.as_deref(), role, None, &[]);
    let mut notes = verdict.notes;
    notes.extend(verdict.after);
    let mut findings = verdict.findings;
    let place = product.stated_version().filter(|_| looks_at_registry);
    let stated = place.map(|(key, name, _)| host.value(key, name)).transpose()?;
    let stated = stated.map(|value| Stated::of(value.as_ref()));
    let is_right = stated.as_ref().is_none_or(|stated| match stated {
        Stated::Version(version) => builds.contains(&version.build()),
        Stated::Missing | Stated::Empty | Stated::Odd(_) => false,
    });
    let level = build.and_then(|build| product.first_level(build));
    let correction = place.filter(|_| !is_right).zip(level).and_then(|((key, name, _), level)| {
        Some(Correction {
            key: key.clone(),
            name: name.to_owned(),
            text: level.version.clone()?,
            why: match assumed_build {
                Some(build) => format!("build {build}, by --assume-build"),
                None => format!("the files here: {}", evidence.words()),
            },
        })
    });
    for run in interrupted(host, target)? {
        findings.push(Finding {
            kind: FindingKind::WrongTarget,
            subject: format!("run {} of {}", run.run, run.id),
            found: format!("interrupted: {}", run.found),
            wanted: "a run that came to its end".to_owned(),
            remedy: "run `qfe-patcher recover`".to_owned(),
        });
    }
    for update in status(host, target)?.iter().filter(|update| update.condition == Condition::Installed) {
        for file in update.files.iter().filter(|file| matches!(file.word(), "changed" | "missing" | "old")) {
            findings.push(Finding {
                kind: FindingKind::WrongTarget,
                subject: file.step.to.to_string(),
                found: format!("{}, since {} was installed", file.word(), update.id),
                wanted: "the file as it was installed".to_owned(),
                remedy: format!("apply {} again", update.id),
            });
        }
    }
    Ok(Diagnosis { findings, notes, stated, evidence, correction })
}
