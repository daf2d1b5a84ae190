//! `qfe-patcher delta`.

use std::path::PathBuf;

use serde_json::json;

use super::console::Console;
use super::failure::Failure;
use super::{Done, OutputArgs};
use crate::bundle::manifest::MAX_MEMBER;
use crate::delta::Codec;
use crate::digest::Digest;
use crate::exit::ExitCode;
use crate::host::{Attributes, Disk, Files, Host, Machine};

/// Makes a new file from an old one and a delta
///
/// Takes what `qfe-builder delta` and the stock `bsdiff` make. Never replaces a file.
///
/// JSON: command, outcome ("done"), code, codec, size, sha256.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  qfe-patcher delta Ccm.dll Ccm.bsdiff --output New\\Ccm.dll")]
pub(super) struct DeltaArgs {
    /// The old file
    old: PathBuf,
    /// The delta
    patch: PathBuf,
    /// The new file
    #[arg(long, short, value_name = "NEW")]
    output: PathBuf,
    #[command(flatten)]
    pub(super) output_args: OutputArgs,
}

pub(super) fn run(args: &DeltaArgs, console: &Console) -> Result<Done, Failure> {
    let old = Disk.read(&args.old, MAX_MEMBER)?;
    let patch = Disk.read(&args.patch, MAX_MEMBER)?;
    let decode = Codec::detect(&patch).and_then(|codec| Ok((codec, codec.decode(&old, &patch, MAX_MEMBER)?)));
    let (codec, new) = decode.map_err(|error| {
        let patch = args.patch.display().to_string();
        Failure::new(ExitCode::DeltaInvalid, DeltaFailure { patch, source: error })
            .hint("check that the delta is whole and that the old file is the one it was made from")
    })?;
    Machine::default().write_new(&args.output, &new, &Attributes::default())?;
    console.result(format!("{}: {} bytes, by {codec}", args.output.display(), new.len()));
    Ok(Done {
        code: ExitCode::Success,
        json: json!({
            "command": "delta",
            "outcome": "done",
            "code": ExitCode::Success,
            "codec": codec,
            "size": new.len(),
            "sha256": Digest::of(&new),
        }),
    })
}

/// A delta that cannot be decoded, with its file.
#[derive(Debug, thiserror::Error)]
#[error("delta {patch} cannot be decoded")]
struct DeltaFailure {
    patch: String,
    source: crate::delta::DeltaError,
}
