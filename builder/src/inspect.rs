//! What a bundle holds, for showing it: nothing of it is believed, and signatures are not checked.
//!
//! The manifest tells nearly all of it. How large the files are when packed, and what another program's deltas would take,
//! has to be measured, by [`measure`].

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use qfe_patcher::bundle::keyring::{KeyId, claimed_signer};
use qfe_patcher::bundle::manifest::{FileEntry, InstallEntry, Manifest, VariantEntry, Verb};
use qfe_patcher::bundle::product::{Gate, ManualStep, Moment, ReadySet, RoleEntry, ServiceEntry};
use qfe_patcher::bundle::{Bundle, BundleError};
use qfe_patcher::digest::Digest;
use qfe_patcher::json::object_to_json;
use qfe_patcher::name::Variant;
use qfe_patcher::platform::Platform;
use qfe_patcher::target_path::TargetPath;
use qfe_patcher::version::FileVersion;

use crate::shown::{self, list, version};
use program::ProgramPart;

pub mod measure;
pub mod program;

/// What a bundle says that it holds. Its JSON form has these keys.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The number of the update.
    pub id: String,
    /// What it fixes.
    pub title: String,
    /// Its issue.
    pub revision: u32,
    /// The product.
    pub product: String,
    /// Build lines it is for; empty: any.
    pub builds: Vec<u16>,
    /// Updates that must be installed before.
    pub requires: Vec<String>,
    /// Updates whose place it takes.
    pub supersedes: Vec<String>,
    /// `zip`, `cab` or `exe`.
    pub container: String,
    /// Size of the bundle in bytes.
    pub size: u64,
    /// The program before it; none where that was not looked at, or there is none.
    pub program: Option<ProgramPart>,
    /// Whether a file comes as deltas only.
    pub lean: bool,
    /// Conditions on the machine.
    pub gates: Vec<Gate>,
    /// The parts a target may play.
    pub roles: Vec<RoleEntry>,
    /// Sets of updates that a next step needs.
    pub readiness: Vec<ReadySet>,
    /// What an admin does by hand around it.
    pub manual: Vec<ManualStep>,
    /// The forms in which files come, of which a target has one.
    pub variants: Vec<VariantEntry>,
    /// The files of each platform.
    pub platforms: Vec<PlatformPart>,
    /// Ids of the keys that the signatures name.
    pub signers: BTreeSet<KeyId>,
    /// Always false: that is the business of `qfe-patcher verify`.
    pub signatures_checked: bool,
}

object_to_json!(Inspection {
    id,
    title,
    revision,
    product,
    builds,
    requires,
    supersedes,
    container,
    size,
    program,
    lean,
    gates,
    roles,
    readiness,
    manual,
    variants,
    platforms,
    signers,
    signatures_checked
});

/// The files for one platform.
#[derive(Clone, Debug)]
pub struct PlatformPart {
    /// The platform.
    pub platform: Platform,
    /// Bytes of all files, unpacked.
    pub full_bytes: u64,
    /// Bytes of all deltas for it.
    pub delta_bytes: u64,
    /// The files.
    pub files: Vec<FilePart>,
}

object_to_json!(PlatformPart { platform, full_bytes, delta_bytes, files });

/// A file.
#[derive(Clone, Debug)]
pub struct FilePart {
    /// Its name.
    pub name: TargetPath,
    /// The variant it is of; none: it is for all of them.
    pub variant: Option<Variant>,
    /// Its version, if it carries one.
    pub version: Option<FileVersion>,
    /// Its size, unpacked.
    pub size: u64,
    /// Its digest.
    pub sha256: Digest,
    /// When it was linked, if it is an image: seconds since 1970 UTC.
    pub time_stamp: Option<u32>,
    /// What it takes in a zip; none where the bundle does not hold it whole, or that was not measured.
    pub packed: Option<u64>,
    /// Whether the bundle holds it whole.
    pub whole: bool,
    /// Whether it is a COM server.
    pub register: bool,
    /// Where it goes: role, verb and destination.
    pub install: Vec<Place>,
    /// The known old states.
    pub baselines: Vec<BaselinePart>,
}

object_to_json!(FilePart {
    name,
    variant,
    version,
    size,
    sha256,
    time_stamp,
    packed,
    whole,
    register,
    install,
    baselines
});

/// Where a file goes in a role.
#[derive(Clone, Debug)]
pub struct Place {
    /// The role.
    pub role: String,
    /// What is done.
    pub verb: Verb,
    /// The file below the target.
    pub to: TargetPath,
}

object_to_json!(Place { role, verb, to });

/// A known old state of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselinePart {
    /// Its name.
    pub name: String,
    /// Its version, if it carries one.
    pub version: Option<FileVersion>,
    /// Its size.
    pub size: u64,
    /// Its digest.
    pub sha256: Digest,
    /// Size of the delta from it; none if there is no delta.
    pub delta: Option<u64>,
    /// Codec of the delta.
    pub codec: Option<String>,
    /// Size of bsdiff's delta from it; none where that was not measured.
    pub generic: Option<u64>,
}

object_to_json!(BaselinePart { name, version, size, sha256, delta, codec, generic });

/// What happens to a known old file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// It is the new file already.
    Same,
    /// Its version is above the new file's: it stays.
    Kept,
    /// The new file is made from it.
    Delta(u64),
    /// The whole file takes its place.
    Whole,
    /// The bundle has no way from it: the run is refused.
    NoWay,
}

impl FilePart {
    /// Returns what the file is called in front of people.
    pub fn shown(&self) -> String {
        format!("{}{}", self.name, Variant::suffix(self.variant.as_ref()))
    }

    /// Returns what happens to a known old state of this file.
    pub fn coverage(&self, old: &BaselinePart) -> Coverage {
        if old.sha256 == self.sha256 {
            Coverage::Same
        } else if FileVersion::is_later(old.version, self.version) {
            Coverage::Kept
        } else if let Some(delta) = old.delta {
            Coverage::Delta(delta)
        } else if self.whole {
            Coverage::Whole
        } else {
            Coverage::NoWay
        }
    }
}

/// Tells what a bundle of `size` bytes, which has this manifest, says about itself.
pub fn inspect(bundle: &Bundle, manifest: &Manifest, size: u64) -> Result<Inspection, BundleError> {
    let signers = bundle.signed().signatures.iter().map(|(name, text)| claimed_signer(name, text));
    let signers = signers.collect::<Result<_, _>>()?;
    Ok(Inspection {
        id: manifest.id.to_string(),
        title: manifest.title.clone(),
        revision: manifest.revision,
        product: manifest.product.clone(),
        builds: manifest.builds.clone(),
        requires: manifest.requires.iter().map(ToString::to_string).collect(),
        supersedes: manifest.supersedes.iter().map(ToString::to_string).collect(),
        container: bundle.kind().to_string(),
        size,
        program: None,
        lean: manifest.files.iter().any(|file| file.member.is_none()),
        gates: manifest.gates.clone(),
        roles: manifest.roles.clone(),
        readiness: manifest.readiness.clone(),
        manual: manifest.manual.clone(),
        variants: manifest.variants.clone(),
        platforms: manifest.platforms().into_iter().map(|platform| part(manifest, platform)).collect(),
        signers,
        signatures_checked: false,
    })
}

fn part(manifest: &Manifest, platform: Platform) -> PlatformPart {
    let files: Vec<&FileEntry> = manifest.files.iter().filter(|file| file.platform == platform).collect();
    let deltas: BTreeSet<&TargetPath> = files
        .iter()
        .flat_map(|file| file.baselines.iter().filter_map(|old| manifest.delta(file, old.sha256)))
        .map(|delta| &delta.member)
        .collect();
    PlatformPart {
        platform,
        full_bytes: files.iter().map(|file| file.size).sum(),
        delta_bytes: deltas
            .into_iter()
            .filter_map(|name| manifest.member(name))
            .map(|member| member.size)
            .sum(),
        files: files.into_iter().map(|file| file_part(manifest, file)).collect(),
    }
}

fn file_part(manifest: &Manifest, file: &FileEntry) -> FilePart {
    let baselines = file.baselines.iter().map(|old| {
        let delta = manifest.delta(file, old.sha256);
        BaselinePart {
            name: old.name.clone(),
            version: old.version,
            size: old.size,
            sha256: old.sha256,
            generic: None,
            delta: delta.and_then(|delta| manifest.member(&delta.member)).map(|member| member.size),
            codec: delta.map(|delta| delta.codec.to_string()),
        }
    });
    let place =
        |entry: &InstallEntry| Place { role: entry.role.to_string(), verb: entry.verb, to: entry.to.clone() };
    FilePart {
        name: file.name.clone(),
        variant: file.variant.clone(),
        version: file.version,
        size: file.size,
        sha256: file.sha256,
        time_stamp: file.time_stamp,
        packed: None,
        whole: file.member.is_some(),
        register: file.register,
        install: file.install.iter().map(place).collect(),
        baselines: baselines.collect(),
    }
}

/// Returns the names of the known old states of files, as they come first.
pub(crate) fn baseline_names<'a>(files: impl IntoIterator<Item = &'a FilePart>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    let olds = files.into_iter().flat_map(|file| &file.baselines);
    olds.map(|old| old.name.as_str()).filter(|name| seen.insert(*name)).collect()
}

impl fmt::Display for Inspection {
    /// Writes a page for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} revision {}: {}", self.id, self.revision, self.title)?;
        writeln!(f, "product:     {}, builds: {}", self.product, list(&self.builds, "any"))?;
        writeln!(f, "requires:    {}", list(&self.requires, "nothing"))?;
        writeln!(f, "supersedes:  {}", list(&self.supersedes, "nothing"))?;
        let shape = if self.lean { "lean: applies to known baselines only" } else { "complete" };
        writeln!(f, "container:   {}, {} bytes, {shape}", self.container, self.size)?;
        if let Some(program) = &self.program {
            write!(f, "{program}")?;
        }
        writeln!(f, "signed by:   {} (signatures are not checked here)", list(&self.signers, "nobody"))?;
        for gate in &self.gates {
            writeln!(f, "gate:        {}", self.gate(gate))?;
        }
        for role in &self.roles {
            self.fmt_role(f, role)?;
        }
        for set in &self.readiness {
            writeln!(f, "ready set:   {} ({})", set.set, set.title)?;
        }
        for step in &self.manual {
            writeln!(
                f,
                "by hand:     {}, {}: {}",
                moment(step.when),
                list(&step.roles, "no role"),
                step.text
            )?;
        }
        for VariantEntry { variant, title, languages } in &self.variants {
            writeln!(f, "variant:     {variant} ({title}), languages {}", shown::languages(languages))?;
        }
        for part in &self.platforms {
            self.fmt_platform(f, part)?;
        }
        Ok(())
    }
}

/// Says which service is meant, and where.
pub(crate) fn service(entry: &ServiceEntry) -> String {
    let ServiceEntry { service, optional, prefix, holds } = entry;
    let or = prefix.as_ref().map_or_else(String::new, |prefix| format!(" or {prefix}..."));
    let held = if holds.is_empty() { String::new() } else { format!(" (for {})", list(holds, "")) };
    format!("{service}{or}{held}{}", if *optional { " (where present)" } else { "" })
}

/// Says when a step is done.
pub(crate) fn moment(when: Moment) -> &'static str {
    match when {
        Moment::Before => "before",
        Moment::After => "after",
    }
}

impl Inspection {
    /// Says what a gate asks of a machine.
    pub(crate) fn gate(&self, gate: &Gate) -> String {
        match gate {
            Gate::RegistryBuild { key, value, .. } => {
                format!("build of {key} '{value}' is {}", list(&self.builds, "any"))
            }
            Gate::RegistryOneOf { key, value, one_of, .. } => {
                format!("{key} '{value}' is one of {}", list(one_of, "nothing"))
            }
            Gate::RegistryMachine { key, value, .. } => format!("which machine {key} '{value}' names"),
            Gate::PendingRenames { key, value, .. } => {
                format!("no rename in {key} '{value}' is of these files")
            }
        }
    }

    fn fmt_role(&self, f: &mut fmt::Formatter<'_>, role: &RoleEntry) -> fmt::Result {
        writeln!(f, "role:        {} ({}), usually {}", role.role, role.title, role.usual)?;
        writeln!(f, "             stops {}", list(role.services.iter().map(service), "no service"))?;
        if !role.after.is_empty() {
            writeln!(f, "             after {}", list(&role.after, ""))?;
        }
        role.before.iter().try_for_each(|sentence| writeln!(f, "             {sentence}"))
    }

    fn fmt_platform(&self, f: &mut fmt::Formatter<'_>, part: &PlatformPart) -> fmt::Result {
        let PlatformPart { platform, full_bytes, delta_bytes, files } = part;
        writeln!(
            f,
            "{platform}: {} files, {full_bytes} bytes whole, {delta_bytes} bytes of deltas",
            files.len()
        )?;
        for file in files {
            let mut line =
                format!("  {:<16} {:<16} {:>10} bytes", file.shown(), version(file.version), file.size);
            if !file.whole {
                line.push_str(", by delta only");
            }
            if file.register {
                line.push_str(", COM server");
            }
            writeln!(f, "{line}")?;
            for old in &file.baselines {
                let mut line = format!("    from {} ({})", old.name, version(old.version));
                match (old.delta, &old.codec) {
                    (Some(size), Some(codec)) => write!(line, ": {size} bytes, {codec}")?,
                    _ => line.push_str(": no delta"),
                }
                if let Some(generic) = old.generic {
                    write!(line, "; bsdiff takes {generic}")?;
                }
                writeln!(f, "{line}")?;
            }
            let places = file.install.iter().map(|place| format!("{}: {}", place.role, place.to));
            writeln!(f, "    to {}", list(places, "no role"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_old_file_stays_only_where_it_is_later() {
        let old = |version: Option<[u16; 4]>| BaselinePart {
            name: "1380.1000".to_owned(),
            version: version.map(FileVersion),
            size: 3,
            sha256: Digest::of(b"old"),
            delta: None,
            codec: None,
            generic: None,
        };
        let new = |version: Option<[u16; 4]>| FilePart {
            name: "Ccm.dll".parse().unwrap(),
            variant: None,
            version: version.map(FileVersion),
            size: 3,
            sha256: Digest::of(b"new"),
            time_stamp: None,
            packed: None,
            whole: true,
            register: false,
            install: Vec::new(),
            baselines: Vec::new(),
        };
        let (low, high) = (Some([2, 0, 1380, 1000]), Some([2, 0, 1380, 1125]));
        for (found, wanted) in [(low, high), (low, low), (low, None), (None, low), (None, None)] {
            assert_eq!(new(wanted).coverage(&old(found)), Coverage::Whole, "{found:?}, {wanted:?}");
        }
        assert_eq!(new(low).coverage(&old(high)), Coverage::Kept);
    }
}
