//! `qfe-builder compare`.

use std::path::PathBuf;

use clap::Args;

use qfe_patcher::cli::failure::Failure;
use qfe_patcher::json::ToJson;

use super::{Answer, inspect, require_page, write_page};
use crate::compare::{Side, compare};
use crate::report::compare_page;

/// Shows what differs between two bundles
///
/// By file and platform: versions, sizes, digests and places, known old states with their deltas; and what the manifests say
/// of the update, its roles and steps, and who signed. Nothing of either is believed, and signatures are not checked. Two
/// bundles that differ in container and size only are the same update.
///
/// JSON: command, outcome ("same" or "different"), code, a and b (each: bundle, id, revision, container, size, lean,
/// full_bytes, delta_bytes, signers), facts, roles, steps and signers (each: key, a, b), files (each: platform, name, variant, change
/// ("added", "removed", "changed" or "same"), values (each: key, a, b), baselines (each: name, change, version, delta_a,
/// delta_b)).
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    qfe-builder compare Q252717-r1.zip Q252717-r2.zip\n  \
    qfe-builder compare old.zip new.cab --html changes.html")]
pub(super) struct CompareArgs {
    /// The one bundle
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The other bundle
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Write a report with pictures, one .htm or .html for any browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

impl CompareArgs {
    pub(super) fn run(self) -> Result<Answer, Failure> {
        require_page(self.html.as_deref())?;
        let side = |path: &PathBuf| -> Result<Side, Failure> {
            let (bundle, size) = inspect::open(path)?;
            Ok(Side::read(path.display().to_string(), &bundle, size)?)
        };
        let comparison = compare(side(&self.a)?, side(&self.b)?);
        let mut notes = String::new();
        if let Some(path) = &self.html {
            notes = write_page(path, &compare_page(&comparison), [self.a.as_path(), self.b.as_path()])?;
        }
        let outcome = if comparison.is_same() { "same" } else { "different" };
        let value = comparison.to_json().with("outcome", &outcome);
        Ok(Answer { value, result: comparison.to_string(), notes })
    }
}
