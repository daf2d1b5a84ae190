//! `qfe-builder build`.

use std::io::{self, BufReader};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::SystemTime;

use clap::{Args, ValueEnum};

use qfe_patcher::bundle::Bundle;
use qfe_patcher::bundle::container::ContainerKind;
use qfe_patcher::bundle::keyring::{Chain, KeyRing};
use qfe_patcher::cli::failure::Failure;
use qfe_patcher::delta::Codec;
use qfe_patcher::digest::Digest;
use qfe_patcher::exit::ExitCode;
use qfe_patcher::json::object;

use super::{
    Answer, cache, keyring, keys, output_failure, read_file, recipe, refuse, sign_failure, spare_inputs,
};
use crate::build::prove::{ProofError, prove};
use crate::build::refusal::{Refusal, Refusals};
use crate::build::{BuildError, Built, Options, Shape, build};
use crate::cache::Cache;
use crate::container::exe::{self, PrefixError};
use crate::delta::Choice;
use crate::output::Partial;
use crate::progress::{Progress, fitting};
use crate::shown::list;
use crate::sign::{self, SigningKey};
use crate::sources::SourceError;

mod check;

/// Builds a bundle from a recipe, signs it and proves it; or holds one against the recipe
///
/// Every payload file is inspected and held against the recipe; all disagreements are reported at once. Each file
/// gets a delta from each known old state, proven by decoding it. The bundle is written beside its final place,
/// opened again with the patcher's own library, verified with the keys that signed it (and with --keys), every
/// file made in every way it holds, and only then given its name. Same inputs, same bytes.
///
/// The key rings in the folder `keyring` of --keys, with their signatures, go into the bundle: servers that have an
/// older one follow them. What the ring would refuse is not built.
///
/// A .exe is the patcher's program for Windows with the zip behind it: it applies itself, and any other patcher applies
/// it as a bundle. It carries the key ring of --keys, or one of the keys that sign, which only that program itself
/// believes, and only where no --keys is given.
///
/// Deltas are kept in a folder of their own, and taken from there as long as old file, new file, key and qfe-builder are the
/// same: the bundle has the same bytes with and without it. By default it is qfe in the user's folder of caches
/// (XDG_CACHE_HOME, or .cache at home; on Windows LOCALAPPDATA). It may be deleted at any time, and takes at most 256 MiB.
/// What in it is damaged, or was made by another's key, is not believed and made anew.
///
/// With --check nothing is written or signed: the bundle is built again, with the same switches as the first time, and
/// every member but signatures and key rings compared; of a .exe also the program, and with --keys the key ring in it.
/// So a second signer knows what he is about to sign.
///
/// JSON: command, outcome ("built"), code, id, revision, output, container, size, sha256, shape, files,
/// payload_bytes, deltas, delta_bytes, cached (how many deltas came from the cache), signers, warnings; or outcome ("same"), id, revision, bundle, members.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    qfe-builder build update.toml --key release.key --output Q252717.zip\n  \
    qfe-builder build update.toml --key a.key --key b.key --keys keys/ --output Q252717.cab --lean\n  \
    qfe-builder build update.toml --key release.key --output Q252717.exe --stub qfe-patcher.exe\n  \
    qfe-builder build update.toml --check Q252717.zip")]
pub(super) struct BuildArgs {
    /// The recipe; paths in it are relative to its folder
    recipe: PathBuf,
    /// A secret key to sign with; may be repeated
    #[arg(long, value_name = "KEY", required_unless_present = "check")]
    key: Vec<PathBuf>,
    /// The bundle to write; the container goes by the extension, .zip, .cab or .exe
    #[arg(long, short, value_name = "FILE", required_unless_present = "check")]
    output: Option<PathBuf>,
    /// Write nothing: build again, without a cache, and compare with this bundle
    #[arg(
        long,
        value_name = "BUNDLE",
        conflicts_with_all = ["key", "output", "password_file", "cache", "no_cache"]
    )]
    check: Option<PathBuf>,
    /// The patcher for Windows with which a .exe begins [default: qfe-patcher.exe beside this program]
    #[arg(long, value_name = "FILE")]
    stub: Option<PathBuf>,
    /// Which deltas are made
    #[arg(long, value_name = "C", default_value = "auto")]
    codec: CodecChoice,
    /// Leave whole files out where every known old state has a delta: small, applies to those states only
    #[arg(long)]
    lean: bool,
    /// Threads that make deltas [default: what the machine has]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Verify the finished bundle with these public keys too: a file, a keyring.toml, or a folder of either; it carries
    /// the key rings beside them
    #[arg(long, value_name = "KEYS")]
    keys: Option<PathBuf>,
    /// Open protected keys with the first line of this file; may be repeated
    #[arg(long, value_name = "F")]
    password_file: Vec<PathBuf>,
    /// Keep deltas in this folder, and take them from there
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    cache: Option<PathBuf>,
    /// Make every delta now, and keep none
    #[arg(long)]
    no_cache: bool,
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

/// Largest program that a bundle begins with.
const MAX_STUB: u64 = 64 << 20;

/// Returns the container that a file name asks for.
fn container_kind(path: &Path) -> Result<ContainerKind, Failure> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let shown = path.display();
    match ending.as_deref() {
        Some("zip") => Ok(ContainerKind::Zip),
        Some("cab") => Ok(ContainerKind::Cab),
        Some("exe") => Ok(ContainerKind::Exe),
        _ => Err(refuse(format!("{shown} ends in none of .zip, .cab and .exe, so its container is unknown"))
            .hint("name a .zip, .cab or .exe as --output")),
    }
}

impl BuildArgs {
    pub(super) fn run(self) -> Result<Answer, Failure> {
        let kind = match &self.output {
            Some(output) => container_kind(output)?,
            None => ContainerKind::Zip,
        };
        if self.check.is_none() && kind != ContainerKind::Exe && self.stub.is_some() {
            return Err(refuse("--stub is given, and --output is no .exe").hint("drop one of the two"));
        }
        let choice = self.codec.choice();
        if self.lean && choice == Choice::Full {
            return Err(refuse(
                "--lean --codec full leaves nothing in the bundle: neither whole files nor deltas",
            )
            .hint("drop one of the two"));
        }
        let shape = if self.lean { Shape::Lean } else { Shape::Complete };
        let jobs = self.jobs.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let (recipe, profile) = recipe::read(&self.recipe)?;
        let base = recipe::folder(&self.recipe);
        if let Some(output) = &self.output {
            let places: Vec<PathBuf> = recipe.places().map(|place| base.join(place)).collect();
            let given = [&self.recipe].into_iter().chain(&self.key);
            spare_inputs(output, given.chain(&places).map(PathBuf::as_path))?;
        }
        let signing = if self.key.is_empty() {
            Vec::new()
        } else {
            keys::signing_keys(&self.key, &self.password_file)?
        };
        let (rings, chain) = rings(self.keys.as_deref(), &signing)?;
        let prefix = match (kind, rings.last()) {
            (ContainerKind::Exe, Some(ring)) => exe::prefix(&self.stub()?, ring).map_err(prefix_failure)?,
            _ => Vec::new(),
        };
        for ring in &rings {
            ring.require_current(&recipe.id, recipe.revision).map_err(|error| {
                Failure::new(ExitCode::Untrusted, error).hint("raise `revision` in the recipe")
            })?;
        }

        let (cache, missing) = match self.cache(&signing) {
            Ok(cache) => (cache, None),
            Err(error) => (None, Some(format!("no cache is used: this program cannot be read ({error})"))),
        };
        let progress = fitting(self.quiet);
        let (keys, chain) = (&signing, &chain);
        let options = Options { kind, prefix, choice, shape, jobs, keys, chain, cache: cache.as_ref() };
        let built = build(&recipe, &profile, base, &options, progress.as_ref());
        let written = built.map_err(|error| build_failure(error, &self.recipe)).and_then(|mut built| {
            built.warnings.extend(missing);
            if let Some(output) = &self.output {
                write(output, &built, &rings, progress.as_ref())?;
            }
            Ok(built)
        });
        progress.end();
        let built = written?;
        match (&self.check, &self.output) {
            (Some(bundle), _) => self.check(bundle, built),
            (None, Some(output)) => Ok(self.answer(output, &built, &options)),
            (None, None) => Err(refuse("--output is missing")),
        }
    }

    /// Returns the cache, if one is wanted and there is a key that could have sealed it.
    fn cache(&self, signing: &[SigningKey]) -> io::Result<Option<Cache>> {
        let folder = match &self.cache {
            _ if self.no_cache => None,
            Some(folder) => Some(folder.clone()),
            None => cache::default_folder(),
        };
        let (Some(folder), Some(key)) = (folder, signing.first()) else { return Ok(None) };
        Ok(Some(Cache::new(&folder, cache::this_program()?, key, SystemTime::now())))
    }

    /// Reads the patcher's program that a self-extracting bundle begins with.
    fn stub(&self) -> Result<Vec<u8>, Failure> {
        const NAME: &str = "qfe-patcher.exe";
        let path = match &self.stub {
            Some(path) => path.clone(),
            None => std::env::current_exe()
                .map_err(|error| Failure::new(ExitCode::Failed, error))?
                .with_file_name(NAME),
        };
        if let Some(output) = &self.output {
            spare_inputs(output, [path.as_path()])?;
        }
        let hint = format!("name the patcher for Windows by --stub, or put {NAME} beside qfe-builder");
        let bytes = read_file(&path, MAX_STUB).map_err(|failure| failure.hint(hint))?;
        exe::require_patcher(&path.display().to_string(), &bytes).map_err(prefix_failure)?;
        Ok(bytes)
    }

    fn answer(&self, output: &Path, built: &Built, options: &Options) -> Answer {
        let Built { manifest, bytes, signers, warnings, cached, .. } = built;
        let output = output.display().to_string();
        let payload_bytes: u64 = manifest.files.iter().map(|file| file.size).sum();
        let delta_sizes = manifest.deltas.iter().filter_map(|delta| manifest.member(&delta.member));
        let delta_bytes: u64 = delta_sizes.map(|member| member.size).sum();
        let mut notes = String::new();
        for warning in warnings {
            notes.push_str(&format!("warning: {warning}\n"));
        }
        if !self.quiet {
            notes.push_str(&format!(
                "{output}: {} revision {}, {} files of {payload_bytes} bytes, {} deltas of {delta_bytes} bytes \
                 ({} from the cache), {} bytes in all, signed by {}\n",
                manifest.id,
                manifest.revision,
                manifest.files.len(),
                manifest.deltas.len(),
                cached.len(),
                bytes.len(),
                list(signers, "nobody"),
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
            "cached": cached.len(),
            "signers": signers,
            "warnings": warnings,
        });
        Answer { value, result: String::new(), notes }
    }
}

/// Returns the rings that must believe the bundle: that of the keys that sign it, and what `--keys` names; and the chain
/// that the bundle carries.
fn rings(keys: Option<&Path>, signing: &[SigningKey]) -> Result<(Vec<KeyRing>, Chain), Failure> {
    if signing.is_empty() {
        return Ok((Vec::new(), Chain::default()));
    }
    let mut rings = vec![sign::key_ring(signing).map_err(sign_failure)?];
    let mut chain = Chain::default();
    if let Some(keys) = keys {
        let (ring, beside) = keyring::followed(keys)?;
        rings.push(ring);
        chain = beside;
    }
    Ok((rings, chain))
}

/// Writes the bundle, proves what was written, and gives it its name.
fn write(output: &Path, built: &Built, rings: &[KeyRing], progress: &dyn Progress) -> Result<(), Failure> {
    let partial = Partial::write(output, &built.bytes).map_err(output_failure)?;
    let mut rings = rings.iter();
    if let Some(ring) = rings.next() {
        let file = partial.open().map_err(output_failure)?;
        prove(BufReader::new(file), ring, super::today(), built, progress).map_err(proof_failure)?;
    }
    // What the bundle makes does not depend on who believes it.
    for ring in rings {
        let file = partial.open().map_err(output_failure)?;
        let believed = Bundle::open(BufReader::new(file))?.verify(ring.clone(), super::today());
        believed.map_err(|error| proof_failure(error.into()))?;
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
        error @ (ProofError::Files { .. } | ProofError::Entry { .. } | ProofError::Differs { .. }) => {
            Failure::new(ExitCode::Failed, error)
        }
    }
}

fn prefix_failure(error: PrefixError) -> Failure {
    let hint = match &error {
        PrefixError::Ring(_) | PrefixError::RingSize { .. } => {
            "name by --keys a keyring.toml that holds its keys itself"
        }
        PrefixError::NotAProgram { .. }
        | PrefixError::Machine { .. }
        | PrefixError::Headers { .. }
        | PrefixError::Size { .. }
        | PrefixError::NotAPatcher { .. } => "name by --stub the qfe-patcher.exe that is given away",
    };
    Failure::new(ExitCode::BadCommandLine, error).hint(hint)
}

pub(super) fn build_failure(error: BuildError, recipe: &Path) -> Failure {
    match error {
        BuildError::Refusals(refusals) => {
            let remedies: Vec<&str> = refusals.remedies().into_iter().collect();
            let code = refusals_code(&refusals);
            let mut failure = Failure::new(code, refusals);
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
fn refusals_code(refusals: &Refusals) -> ExitCode {
    let unreadable = |refusal: &Refusal| {
        matches!(
            refusal,
            Refusal::Source(
                SourceError::Read { .. } | SourceError::Absent { .. } | SourceError::Archive { .. }
            )
        )
    };
    if refusals.iter().all(unreadable) { ExitCode::BundleUnreadable } else { ExitCode::BadCommandLine }
}
