//! `qfe-builder build`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use clap::{Args, ValueEnum};

use qfe_patcher::bundle::container::ContainerKind;
use qfe_patcher::bundle::keyring::KeyRing;
use qfe_patcher::cli::failure::Failure;
use qfe_patcher::delta::Codec;
use qfe_patcher::digest::Digest;
use qfe_patcher::exit::ExitCode;
use qfe_patcher::json::object;

use super::{Answer, MAX_TEXT, keys, output_failure, read_text, refuse, sign_failure};
use crate::build::finding::{Finding, Findings};
use crate::build::prove::{ProofError, prove};
use crate::build::{BuildError, Built, Options, Shape, build};
use crate::delta::Choice;
use crate::output::Partial;
use crate::profile::Profile;
use crate::progress::{Progress, fitting};
use crate::recipe::Recipe;
use crate::sign;
use crate::sources::SourceError;

/// Builds a bundle from a recipe, signs it and proves it
///
/// Every payload file is inspected and held against the recipe; all disagreements are reported at once. Each file
/// gets a delta from each known old state, proven by decoding it. The bundle is written beside its final place,
/// opened again with the patcher's own library, verified with the keys that signed it (and with --keys), every
/// file made in every way it holds, and only then given its name. Same inputs, same bytes.
///
/// JSON: command, outcome ("built"), code, id, revision, output, container, size, sha256, shape, files,
/// payload_bytes, deltas, delta_bytes, signers, warnings.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    qfe-builder build update.toml --key release.key --output Q252717.zip\n  \
    qfe-builder build update.toml --key a.key --key b.key --keys keys/ --output Q252717.cab --lean")]
pub(super) struct BuildArgs {
    /// The recipe; paths in it are relative to its folder
    recipe: PathBuf,
    /// A secret key to sign with; may be repeated
    #[arg(long, value_name = "KEY", required = true)]
    key: Vec<PathBuf>,
    /// The bundle to write; the container goes by the extension, .zip or .cab
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Which deltas are made
    #[arg(long, value_name = "C", default_value = "auto")]
    codec: CodecChoice,
    /// Leave whole files out where every known old state has a delta: small, applies to those states only
    #[arg(long)]
    lean: bool,
    /// Threads that make deltas [default: what the machine has]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Verify the finished bundle with these public keys too: a file, or a folder with an optional keyring.toml
    #[arg(long, value_name = "KEYS")]
    keys: Option<PathBuf>,
    /// Open protected keys with the first line of this file; may be repeated
    #[arg(long, value_name = "F")]
    password_file: Vec<PathBuf>,
    /// Say nothing but warnings and errors
    #[arg(long, short)]
    quiet: bool,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

/// The codecs as they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CodecChoice {
    /// The smallest of all
    Auto,
    /// No deltas, whole files only
    Full,
    /// BSDIFF40, as bspatch applies it
    Bsdiff,
    /// Made for executables, of Intel and Alpha
    Exe,
}

impl CodecChoice {
    pub(super) fn choice(self) -> Choice {
        match self {
            Self::Auto => Choice::Auto,
            Self::Full => Choice::Full,
            Self::Bsdiff => Choice::Only(Codec::Bsdiff),
            Self::Exe => Choice::Only(Codec::Exe),
        }
    }
}

/// Returns the container that a file name asks for.
fn container_kind(path: &Path) -> Result<ContainerKind, Failure> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let shown = path.display();
    match ending.as_deref() {
        Some("zip") => Ok(ContainerKind::Zip),
        Some("cab") => Ok(ContainerKind::Cab),
        Some("exe") => Err(refuse(format!("{shown}: self-extracting bundles are not in this version"))
            .hint("name a .zip or .cab as --output")),
        _ => Err(refuse(format!("{shown} ends neither in .zip nor in .cab, so its container is unknown"))
            .hint("name a .zip or .cab as --output")),
    }
}

impl BuildArgs {
    pub(super) fn run(self) -> Result<Answer, Failure> {
        let kind = container_kind(&self.output)?;
        let choice = self.codec.choice();
        if self.lean && choice == Choice::Full {
            return Err(refuse(
                "--lean --codec full leaves nothing in the bundle: neither whole files nor deltas",
            )
            .hint("drop one of the two"));
        }
        let shape = if self.lean { Shape::Lean } else { Shape::Complete };
        let jobs = self.jobs.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let options = Options { kind, choice, shape, jobs };

        let text = read_text(&self.recipe, MAX_TEXT)?;
        let recipe = Recipe::parse(&self.recipe, &text)
            .map_err(|error| Failure::new(ExitCode::BadCommandLine, error))?;
        let base = self.recipe.parent().unwrap_or(Path::new(""));
        let profile = profile(&recipe, base)?;
        let signing = keys::signing_keys(&self.key, &self.password_file)?;
        let own_ring = sign::key_ring(&signing).map_err(sign_failure)?;
        let given_ring = self.keys.as_deref().map(qfe_patcher::cli::keys::load).transpose()?;

        let progress = fitting(self.quiet);
        let built = build(&recipe, &profile, base, &options, &signing, progress.as_ref());
        let written = built.map_err(|error| build_failure(error, &self.recipe)).and_then(|built| {
            let rings: Vec<&KeyRing> = std::iter::once(&own_ring).chain(&given_ring).collect();
            write(&self.output, &built, &rings, progress.as_ref())?;
            Ok(built)
        });
        progress.end();
        Ok(self.answer(&written?, &options))
    }

    fn answer(&self, built: &Built, options: &Options) -> Answer {
        let Built { manifest, bytes, signers, warnings, .. } = built;
        let output = self.output.display().to_string();
        let payload_bytes: u64 = manifest.files.iter().map(|file| file.size).sum();
        let delta_sizes = manifest.deltas.iter().filter_map(|delta| manifest.member(&delta.member));
        let delta_bytes: u64 = delta_sizes.map(|member| member.size).sum();
        let mut notes = String::new();
        for warning in warnings {
            notes.push_str(&format!("warning: {warning}\n"));
        }
        if !self.quiet {
            notes.push_str(&format!(
                "{output}: {} revision {}, {} files of {payload_bytes} bytes, {} deltas of {delta_bytes} bytes, \
                 {} bytes in all, signed by {}\n",
                manifest.id,
                manifest.revision,
                manifest.files.len(),
                manifest.deltas.len(),
                bytes.len(),
                signers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            ));
        }
        let value = object!({
            "outcome": "built",
            "id": manifest.id,
            "revision": manifest.revision,
            "output": output,
            "container": options.kind.to_string(),
            "size": bytes.len(),
            "sha256": Digest::of(bytes),
            "shape": options.shape,
            "files": manifest.files.len(),
            "payload_bytes": payload_bytes,
            "deltas": manifest.deltas.len(),
            "delta_bytes": delta_bytes,
            "signers": signers,
            "warnings": warnings,
        });
        Answer { value, result: String::new(), notes }
    }
}

/// Reads the profile that the recipe names, or takes the built-in one.
fn profile(recipe: &Recipe, base: &Path) -> Result<Profile, Failure> {
    let profile = match &recipe.profile {
        None => Profile::sms2(),
        Some(name) => {
            let path = base.join(name);
            Profile::parse(&path, &read_text(&path, MAX_TEXT)?)
        }
    };
    profile.map_err(|error| Failure::new(ExitCode::BadCommandLine, error))
}

/// Writes the bundle, proves what was written, and gives it its name.
fn write(output: &Path, built: &Built, rings: &[&KeyRing], progress: &dyn Progress) -> Result<(), Failure> {
    let partial = Partial::write(output, &built.bytes).map_err(output_failure)?;
    for ring in rings {
        let file = partial.open().map_err(output_failure)?;
        prove(std::io::BufReader::new(file), ring, super::today(), &built.survey, progress)
            .map_err(proof_failure)?;
    }
    partial.publish().map_err(output_failure)
}

fn proof_failure(error: ProofError) -> Failure {
    match error {
        ProofError::Refused(error) => {
            let failure = Failure::from(error);
            match failure.code {
                ExitCode::Untrusted => {
                    failure.hint("the keys given by --key do not satisfy the key ring given by --keys")
                }
                _ => failure,
            }
        }
        error @ (ProofError::Files { .. } | ProofError::Differs { .. }) => {
            Failure::new(ExitCode::Failed, error)
        }
    }
}

fn build_failure(error: BuildError, recipe: &Path) -> Failure {
    match error {
        BuildError::Findings(findings) => {
            let remedies: Vec<&str> = findings.remedies().into_iter().collect();
            let code = findings_code(&findings);
            let mut failure = Failure::new(code, findings);
            for remedy in remedies {
                failure = failure.hint(remedy);
            }
            failure
        }
        BuildError::Sign(error) => sign_failure(error),
        BuildError::Proof(error) => proof_failure(error),
        error @ (BuildError::Log { .. } | BuildError::Manifest(_)) => {
            Failure::new(ExitCode::BadCommandLine, error).hint(format!("check {}", recipe.display()))
        }
        error @ (BuildError::Delta { .. } | BuildError::Write(_)) => Failure::new(ExitCode::Failed, error),
    }
}

/// An input that cannot be read is told apart from one that disagrees, if nothing else is wrong.
fn findings_code(findings: &Findings) -> ExitCode {
    let unreadable = |finding: &Finding| {
        matches!(
            finding,
            Finding::Source(SourceError::Read { .. } | SourceError::Absent { .. } | SourceError::Zip { .. })
        )
    };
    if findings.iter().all(unreadable) { ExitCode::BundleUnreadable } else { ExitCode::BadCommandLine }
}
