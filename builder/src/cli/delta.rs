//! `qfe-builder delta`.

use std::path::PathBuf;

use clap::Args;

use qfe_patcher::cli::failure::Failure;
use qfe_patcher::exit::ExitCode;
use qfe_patcher::json::object;

use super::build::CodecChoice;
use super::{Answer, read_file, refuse, spare_inputs, write_file};
use crate::delta::{Choice, EncodeError, MAX_ENCODED, Pair, encode_all};
use crate::progress::Silent;

/// Makes a delta of one file
///
/// The delta is the same as in a bundle: by default the smallest of all codecs. With --codec bsdiff it is a plain
/// BSDIFF40 file that stock bspatch applies.
/// It has been decoded once before it is written.
///
/// JSON: command, outcome ("made"), code, output, codec, old_size, new_size, size.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  qfe-builder delta old/Ccm.dll new/Ccm.dll --output Ccm.delta")]
pub(super) struct DeltaArgs {
    /// The old file
    old: PathBuf,
    /// The new file
    new: PathBuf,
    /// Where the delta is written
    #[arg(long, short, value_name = "PATCH")]
    output: PathBuf,
    /// How it is coded
    #[arg(long, value_name = "C", default_value = "auto")]
    codec: CodecChoice,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

impl DeltaArgs {
    pub(super) fn run(self) -> Result<Answer, Failure> {
        let choice = self.codec.choice();
        if choice == Choice::Full {
            return Err(refuse("--codec full makes no delta").hint("use --codec auto, exe or bsdiff"));
        }
        spare_inputs(&self.output, [self.old.as_path(), self.new.as_path()])?;
        let old = read_file(&self.old, MAX_ENCODED as u64)?;
        let new = read_file(&self.new, MAX_ENCODED as u64)?;
        let name = self.new.display().to_string();
        // On a thread of its own, for the stack that encoders want.
        let results = encode_all(choice, &[Pair { name: &name, old: &old, new: &new }], 1, &Silent);
        let encoded = results
            .into_iter()
            .next()
            .transpose()
            .map_err(|error: EncodeError| Failure::new(ExitCode::Failed, error))?;
        let Some(encoded) = encoded.flatten() else {
            return Err(refuse("this choice of codecs makes no delta"));
        };
        write_file(&self.output, &encoded.bytes)?;
        let output = self.output.display().to_string();
        Ok(Answer {
            notes: format!(
                "{output}: {} bytes for a file of {}, {}\n",
                encoded.bytes.len(),
                new.len(),
                encoded.codec
            ),
            result: String::new(),
            value: object!({
                "outcome": "made", "output": output, "codec": encoded.codec, "old_size": old.len(),
                "new_size": new.len(), "size": encoded.bytes.len(),
            }),
        })
    }
}
