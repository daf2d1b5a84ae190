//! `qfe-patcher verify`.

use std::fs;
use std::path::{Path, PathBuf};

use super::console::Console;
use super::failure::Failure;
use super::line::Given;
use super::{Done, keys, own};
use crate::bundle::container::ContainerKind;
use crate::bundle::manifest::MAX_MEMBER;
use crate::bundle::{Bundle, VerifiedBundle};
use crate::day::Day;
use crate::digest::Digest;
use crate::exit::ExitCode;
use crate::host::{Disk, Files, Kind};
use crate::json::object;
use crate::update::target::TargetRoot;
use crate::update::{UpdateError, plan, state};

/// The arguments of `verify`.
#[derive(Debug)]
pub(super) struct VerifyArgs {
    bundle: PathBuf,
    keys: PathBuf,
    baseline: Vec<PathBuf>,
}

impl VerifyArgs {
    pub(super) fn take(given: &mut Given) -> Result<Self, Failure> {
        Ok(Self {
            bundle: given.required_path("bundle")?,
            keys: given.required_path("keys")?,
            baseline: given.paths("baseline"),
        })
    }
}

/// What a good signature does not say of a self-extracting bundle.
const UNSIGNED_PROGRAM: &str = "the program in this file, and the key ring behind that, are signed by nobody: apply the bundle by \
                                a patcher of yours, such as this one, and do not run the file itself";

/// Opens a bundle file and believes it by the keys.
pub(super) fn open(bundle: &Path, keys: &Path) -> Result<VerifiedBundle, Failure> {
    let ring = keys::load(keys)?;
    Ok(open_file(bundle)?.verify(ring, today())?)
}

/// Refuses a bundle that an apply to one of the targets would not believe, though nothing is to be applied.
pub(super) fn require_believed(bundle: &VerifiedBundle, targets: &[TargetRoot<'_>]) -> Result<(), Failure> {
    require_current(bundle)?;
    for target in targets {
        let states = state::scan(&Disk, *target).map_err(UpdateError::from)?;
        let findings = plan::disbelieved(&states, bundle.verified().trust(), &mut Vec::new());
        if !findings.is_empty() {
            return Err(findings.into());
        }
    }
    Ok(())
}

/// Returns the day by this machine's clock.
pub(super) fn today() -> Day {
    Day::of(Disk.now())
}

/// Refuses a bundle whose revision was withdrawn.
pub(super) fn require_current(bundle: &VerifiedBundle) -> Result<(), Failure> {
    let manifest = bundle.manifest();
    let ring = bundle.verified().trust().ring();
    ring.require_current(&manifest.id, manifest.revision).map_err(|error| {
        Failure::new(ExitCode::Untrusted, error)
            .hint("use the newer bundle; `apply` and `extract` take this one by --allow-downgrade")
    })
}

/// Opens a bundle file, without believing it.
pub(super) fn open_file(path: &Path) -> Result<Bundle, Failure> {
    let file = fs::File::open(path).map_err(|error| {
        Failure::new(
            ExitCode::BundleUnreadable,
            format!("bundle {} cannot be opened: {error}", path.display()),
        )
        .hint("check the path of the bundle, and the disk or share it is on")
    })?;
    Ok(Bundle::open(std::io::BufReader::new(file))?)
}

pub(super) fn run(mut given: Given, console: &Console) -> Result<Done, Failure> {
    let args = &VerifyArgs::take(&mut given)?;
    let mut bundle = open(&args.bundle, &args.keys)?;
    require_current(&bundle)?;
    bundle.check_members()?;
    let mut old_files = Vec::new();
    for folder in &args.baseline {
        collect(folder, &mut old_files)?;
    }
    let manifest = bundle.manifest().clone();
    let mut decoded = 0_usize;
    for delta in &manifest.deltas {
        let old = old_files.iter().find(|(digest, _)| *digest == delta.old);
        let file = manifest.files.iter().find(|file| file.sha256 == delta.new);
        if let (Some((_, path)), Some(file)) = (old, file) {
            let old = Disk.read(path, MAX_MEMBER)?;
            bundle.decode(delta, file, old)?;
            decoded += 1;
        }
    }
    let signers: Vec<String> = bundle.verified().signers().iter().map(ToString::to_string).collect();
    let mut notes = bundle.verified().notes().clone();
    // The running program is what it is: nothing that it says of itself could be held against it.
    if bundle.kind() == ContainerKind::Exe && !own::is_running(&args.bundle) {
        notes.push(UNSIGNED_PROGRAM.to_owned());
    }
    for note in &notes {
        console.say(format!("  note: {note}"));
    }
    console.result(format!(
        "{} revision {}: good. Signed by {}. {} members have the digests of the manifest; {decoded} of {} deltas decoded.",
        manifest.id,
        manifest.revision,
        signers.join(", "),
        manifest.members.len(),
        manifest.deltas.len(),
    ));
    Ok(Done {
        code: ExitCode::Success,
        json: object!({
            "command": "verify",
            "outcome": "verified",
            "code": ExitCode::Success,
            "id": manifest.id,
            "revision": manifest.revision,
            "signers": signers,
            "key_ring": bundle.verified().trust().ring().edition(),
            "notes": notes,
            "manifest_sha256": bundle.verified().digest(),
            "members": manifest.members.len(),
            "deltas": manifest.deltas.len(),
            "deltas_decoded": decoded,
        }),
    })
}

/// Lists the files of a folder and its subfolders with their digests; links are not followed.
fn collect(folder: &Path, found: &mut Vec<(Digest, PathBuf)>) -> Result<(), Failure> {
    for name in Disk.list(folder)? {
        let path = folder.join(name);
        match Disk.stat(&path)?.map(|stat| stat.kind) {
            Some(Kind::Folder) => collect(&path, found)?,
            Some(Kind::File) => found.push((Digest::of(&Disk.read(&path, MAX_MEMBER)?), path)),
            Some(Kind::Other) | None => {}
        }
    }
    Ok(())
}
