//! `qfe-builder inspect`.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::Args;

use qfe_patcher::bundle::Bundle;
use qfe_patcher::cli::failure::Failure;
use qfe_patcher::exit::ExitCode;
use qfe_patcher::json::ToJson;

use super::{Answer, ReadError};
use crate::inspect::inspect;

/// Shows what a bundle holds and for whom
///
/// Signatures are not checked: the key ids are what the signatures claim. `qfe-patcher verify` checks them.
///
/// JSON: command, outcome ("inspected"), code, id, title, revision, product, builds, requires, supersedes, container,
/// size, lean, gates, roles, platforms (each: platform, full_bytes, delta_bytes, files), signers, signatures_checked
/// (always false). Files: name, version, size, whole, register, install, baselines (each: name, version, delta, codec).
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  qfe-builder inspect Q252717.zip --json")]
pub(super) struct InspectArgs {
    /// The bundle
    bundle: PathBuf,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

impl InspectArgs {
    pub(super) fn run(self) -> Result<Answer, Failure> {
        let unreadable = |source| {
            Failure::new(
                ExitCode::BundleUnreadable,
                ReadError { path: self.bundle.display().to_string(), source },
            )
        };
        let file = File::open(&self.bundle).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let bundle = Bundle::open(BufReader::new(file))?;
        let inspection = inspect(&bundle, size)?;
        let value = inspection.to_json().with("outcome", &"inspected");
        Ok(Answer { value, result: inspection.to_string(), notes: String::new() })
    }
}
