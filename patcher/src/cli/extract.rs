//! `qfe-patcher extract`.

use std::io;
use std::path::{Path, PathBuf};

use super::console::Console;
use super::failure::Failure;
use super::line::Given;
use super::{Done, verify};
use crate::bundle::VerifiedBundle;
use crate::exit::ExitCode;
use crate::host::{Attributes, Disk, Files, Host, HostError, HostErrorKind, Machine};
use crate::json::object;
use crate::target_path::TargetPath;
use crate::update::target::TargetRoot;

/// The arguments of `extract`.
#[derive(Debug)]
pub(super) struct ExtractArgs {
    bundle: PathBuf,
    to: Option<PathBuf>,
    keys: PathBuf,
    allow_downgrade: bool,
}

impl ExtractArgs {
    pub(super) fn take(given: &mut Given) -> Result<Self, Failure> {
        Ok(Self {
            bundle: given.required_path("bundle")?,
            to: given.path("to"),
            keys: given.required_path("keys")?,
            allow_downgrade: given.is_set("allow-downgrade"),
        })
    }
}

pub(super) fn run(mut given: Given, console: &Console) -> Result<Done, Failure> {
    let args = &ExtractArgs::take(&mut given)?;
    let mut bundle = verify::open(&args.bundle, &args.keys)?;
    if !args.allow_downgrade {
        verify::require_current(&bundle)?;
    }
    bundle.check_members()?;
    let manifest = bundle.manifest().clone();
    let folder = match &args.to {
        Some(folder) => folder.clone(),
        None => args.bundle.file_stem().map_or_else(|| PathBuf::from(manifest.id.as_str()), PathBuf::from),
    };
    let names: Vec<TargetPath> = manifest.members.iter().map(|member| member.name.clone()).collect();
    let mut made = Made::default();
    write(&mut bundle, &names, &folder, &mut made).map_err(|failure| made.remove(failure))?;

    let delta_only = manifest.files.iter().filter(|file| file.member.is_none()).count();
    console.result(format!("{}: {} members are in {}", manifest.id, names.len(), folder.display()));
    if delta_only > 0 {
        console.result(format!("  {delta_only} new files are not: the bundle holds them as deltas only"));
    }
    let signers: Vec<String> = bundle.verified().signers().iter().map(ToString::to_string).collect();
    Ok(Done {
        code: ExitCode::Success,
        json: object!({
            "command": "extract",
            "outcome": "done",
            "code": ExitCode::Success,
            "id": manifest.id,
            "revision": manifest.revision,
            "signers": signers,
            "folder": folder.display().to_string(),
            "members": names,
            "delta_only": delta_only,
        }),
    })
}

/// Writes members below a folder, if none of them is there.
fn write(
    bundle: &mut VerifiedBundle,
    names: &[TargetPath],
    folder: &Path,
    made: &mut Made,
) -> Result<(), Failure> {
    if Disk.stat(folder)?.is_none() {
        made.folder(folder)?;
    }
    let root = TargetRoot::open(&Disk, folder)?;
    for name in names {
        let place = root.locate(&Disk, name)?;
        if place.stat.is_some() {
            let error = format!("{} is there already; nothing was written", place.full.display());
            return Err(Failure::new(ExitCode::WrongTarget, error)
                .hint("name a folder by --to in which no file of the bundle is: none is ever replaced"));
        }
    }
    for name in names {
        let place = root.locate(&Disk, name)?;
        for missing in &place.missing {
            made.folder(missing)?;
        }
        made.file(&place.full, &bundle.read(name)?)?;
    }
    Ok(())
}

/// What was written, to be removed where the rest cannot be.
#[derive(Default)]
struct Made {
    host: Machine,
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Made {
    /// Makes a folder, and those that it is in.
    fn folder(&mut self, path: &Path) -> Result<(), HostError> {
        // The parent of a bare name is an empty path, the current folder.
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty())
            && self.host.stat(parent)?.is_none()
        {
            self.folder(parent)?;
        }
        self.host.create_folder(path)?;
        self.folders.push(path.to_owned());
        Ok(())
    }

    fn file(&mut self, path: &Path, bytes: &[u8]) -> Result<(), HostError> {
        let written = self.host.write_new(path, bytes, &Attributes::default());
        let is_foreign = written.as_ref().is_err_and(|error| {
            matches!(error.kind(), HostErrorKind::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
        });
        if !is_foreign {
            self.files.push(path.to_owned());
        }
        written
    }

    /// Removes all of it, the last first; what cannot be removed is named by a hint.
    fn remove(&self, failure: Failure) -> Failure {
        let files = self.files.iter().rev().map(|path| (path, self.host.remove_file(path)));
        let folders = self.folders.iter().rev().map(|path| (path, self.host.remove_folder(path)));
        let left = files.chain(folders).filter_map(|(path, removed)| removed.err().map(|_| path));
        left.fold(failure, |failure, path| failure.hint(format!("{} is left; remove it", path.display())))
    }
}
