//! `qfe-patcher delta`.

use std::path::PathBuf;

use super::Done;
use super::console::Console;
use super::failure::Failure;
use super::line::Given;
use crate::bundle::manifest::MAX_MEMBER;
use crate::chain::debug_as_shown;
use crate::delta::Codec;
use crate::digest::Digest;
use crate::exit::ExitCode;
use crate::host::{Attributes, Disk, Files, Host, Machine};
use crate::json::object;

/// The arguments of `delta`.
#[derive(Debug)]
pub(super) struct DeltaArgs {
    old: PathBuf,
    patch: PathBuf,
    output: PathBuf,
}

impl DeltaArgs {
    pub(super) fn take(given: &mut Given) -> Result<Self, Failure> {
        Ok(Self {
            old: given.required_path("old")?,
            patch: given.required_path("patch")?,
            output: given.required_path("output")?,
        })
    }
}

pub(super) fn run(mut given: Given, console: &Console) -> Result<Done, Failure> {
    let args = &DeltaArgs::take(&mut given)?;
    let old = Disk.read(&args.old, MAX_MEMBER)?;
    let patch = Disk.read(&args.patch, MAX_MEMBER)?;
    let decode = Codec::detect(&patch).and_then(|codec| Ok((codec, codec.decode(old, &patch, MAX_MEMBER)?)));
    let (codec, new) = decode.map_err(|error| {
        let patch = args.patch.display().to_string();
        Failure::new(ExitCode::DeltaInvalid, DeltaFailure { patch, source: error })
            .hint("check that the delta is whole and that the old file is the one it was made from")
    })?;
    Machine::default().write_new(&args.output, &new, &Attributes::default())?;
    console.result(format!("{}: {} bytes, by {codec}", args.output.display(), new.len()));
    Ok(Done {
        code: ExitCode::Success,
        json: object!({
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
#[derive(thiserror::Error)]
#[error("delta {patch} cannot be decoded")]
struct DeltaFailure {
    patch: String,
    source: crate::delta::DeltaError,
}

debug_as_shown!(DeltaFailure);
