//! `qfe-builder inspect`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use clap::Args;

use qfe_patcher::bundle::container::ContainerKind;
use qfe_patcher::bundle::manifest::Manifest;
use qfe_patcher::bundle::{Bundle, BundleError};
use qfe_patcher::cli::failure::Failure;
use qfe_patcher::exit::ExitCode;
use qfe_patcher::json::ToJson;

use super::{Answer, ReadError, require_page, write_page};
use crate::inspect::measure::{MeasureError, measure, measured, olds};
use crate::inspect::program::ProgramPart;
use crate::inspect::{Inspection, inspect};
use crate::progress::fitting;
use crate::report::inspect_page;
use crate::sources::{SourceError, Tree};

/// Shows what a bundle holds and for whom
///
/// Signatures are not checked: the key ids are what the signatures claim. `qfe-patcher verify` checks them.
///
/// With --html also as a report with pictures: sizes by file and platform, whole files against deltas, which old states are
/// covered. A bundle does not hold the old files; where --baseline names them, their deltas are made by bsdiff too, for
/// comparison.
///
/// JSON: command, outcome ("inspected"), code, id, title, revision, product, builds, requires, supersedes, container,
/// size, program (before the zip of an exe: size, sha256, ring (null, or: key_ring, keys (each: id, name, revoked); or: error);
/// else null), lean, gates, roles, variants, platforms (each: platform, full_bytes, delta_bytes, files), signers, signatures_checked
/// (always false). Files: name, variant, version, size, sha256, time_stamp, packed (with --html or --baseline, else null), whole,
/// register, install, baselines (each: name, version, size, sha256, delta, codec, generic (bsdiff's delta, with
/// --baseline, else null)).
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    qfe-builder inspect Q252717.zip --json\n  \
    qfe-builder inspect Q252717.zip --baseline baseline/ --html Q252717.html")]
pub(super) struct InspectArgs {
    /// The bundle
    bundle: PathBuf,
    /// Write a report with pictures, one .htm or .html for any browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Where old files are, in any folder below: measures bsdiff's deltas from them; may be repeated
    #[arg(long, value_name = "DIR")]
    baseline: Vec<PathBuf>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

/// Opens a bundle, and returns also its size.
pub(super) fn open(path: &Path) -> Result<(Bundle, u64), Failure> {
    let unreadable = |source| {
        Failure::new(ExitCode::BundleUnreadable, ReadError { path: path.display().to_string(), source })
    };
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    Ok((Bundle::open(BufReader::new(file))?, size))
}

impl InspectArgs {
    pub(super) fn run(self) -> Result<Answer, Failure> {
        require_page(self.html.as_deref())?;
        let (bundle, size) = open(&self.bundle)?;
        let manifest = bundle.manifest_unverified().map_err(BundleError::from)?;
        let mut inspection = inspect(&bundle, &manifest, size)?;
        if bundle.kind() == ContainerKind::Exe {
            inspection.program = Some(self.program()?);
        }
        let mut notes = String::new();
        if self.html.is_some() || !self.baseline.is_empty() {
            self.measure(bundle, &manifest, &mut inspection)?;
        }
        if !self.baseline.is_empty() {
            let (found, all) = measured(&inspection);
            notes.push_str(&format!("bsdiff's deltas are measured from {found} of {all} old files\n"));
        }
        if let Some(path) = &self.html {
            notes.push_str(&write_page(path, &inspect_page(&inspection), [self.bundle.as_path()])?);
        }
        let value = inspection.to_json().with("outcome", &"inspected");
        Ok(Answer { value, result: inspection.to_string(), notes })
    }

    /// Reads the program with which a self-extracting bundle begins.
    fn program(&self) -> Result<ProgramPart, Failure> {
        let path = self.bundle.display().to_string();
        let mut file = File::open(&self.bundle)
            .map_err(|source| Failure::new(ExitCode::BundleUnreadable, ReadError { path, source }))?;
        Ok(ProgramPart::read(&mut file).map_err(BundleError::from)?)
    }

    fn measure(
        &self,
        bundle: Bundle,
        manifest: &Manifest,
        inspection: &mut Inspection,
    ) -> Result<(), Failure> {
        let trees =
            self.baseline.iter().map(|path| Tree::open(path)).collect::<Result<Vec<_>, SourceError>>();
        let olds = trees.and_then(|mut trees| olds(manifest, &mut trees)).map_err(source_failure)?;
        let progress = fitting(self.baseline.is_empty());
        let jobs = available_parallelism().map_or(1, std::num::NonZero::get);
        let mut container = bundle.into_container();
        let measured = measure(inspection, manifest, &mut container, &olds, jobs, progress.as_ref());
        progress.end();
        measured.map_err(|error| match error {
            MeasureError::Bundle(error) => error.into(),
            MeasureError::Source(error) => source_failure(error),
            error @ (MeasureError::Pack(_) | MeasureError::Delta { .. }) => {
                Failure::new(ExitCode::Failed, error)
            }
        })
    }
}

fn source_failure(error: SourceError) -> Failure {
    Failure::new(ExitCode::BundleUnreadable, error)
        .hint("--baseline names a folder or archive with old files")
}
