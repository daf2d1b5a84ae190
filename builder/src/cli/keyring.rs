//! `qfe-builder keyring`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use qfe_patcher::bundle::SIGNATURE_ENDING;
use qfe_patcher::bundle::keyring::{Chain, Edition, KeyRing, KeyRingError, MAX_RING, RING_FILE};
use qfe_patcher::cli::failure::Failure;
use qfe_patcher::cli::keys::{chain_in, load_chain, load_first};
use qfe_patcher::exit::ExitCode;
use qfe_patcher::json::{Json, object};

use super::{Answer, keys, make_folder, read_text, refuse, ring_failure, write_file};
use crate::ring;
use crate::sign::SigningKey;

/// Signs key rings, and checks a chain of them
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  qfe-builder keyring sign keys/keyring.toml --key alice.key\n  \
    qfe-builder keyring check keys/")]
pub(super) struct KeyringArgs {
    #[command(subcommand)]
    command: KeyringCommand,
}

#[derive(Debug, Subcommand)]
enum KeyringCommand {
    Sign(SignRingArgs),
    Check(CheckArgs),
}

/// Signs a keyring.toml that has a name and a version
///
/// The ring goes as VERSION.toml into the folder `keyring` beside it (or --output), and each signature beside that as
/// VERSION.KEY-ID.minisig, which stock minisign verifies. A ring needs as many signatures as the version before asks for,
/// by keys of that, and as many as it asks for itself; it may be signed by one person after the other. A ring that is
/// there is never changed.
///
/// JSON: command, outcome ("signed"), code, name, version, files, missing (what keeps the chain from being followed; null
/// if nothing).
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  qfe-builder keyring sign keys/keyring.toml --key alice.key")]
struct SignRingArgs {
    /// The key ring
    ring: PathBuf,
    /// A secret key to sign with; may be repeated
    #[arg(long, value_name = "KEY", required = true)]
    key: Vec<PathBuf>,
    /// The folder of the chain [default: `keyring` beside the ring]
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Open protected keys with the first line of this file; may be repeated
    #[arg(long, value_name = "F")]
    password_file: Vec<PathBuf>,
    /// Print one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// Checks the keyring.toml of a folder, and the chain beside it, from the oldest version to the newest
///
/// JSON: command, outcome ("good"), code, name, version, rings (each: version, signatures).
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  qfe-builder keyring check keys/")]
struct CheckArgs {
    /// The folder of keys
    folder: PathBuf,
    /// Print one JSON object on standard output
    #[arg(long)]
    json: bool,
}

impl KeyringArgs {
    pub(super) fn name_and_json(&self) -> (&'static str, bool) {
        match &self.command {
            KeyringCommand::Sign(args) => ("keyring sign", args.json),
            KeyringCommand::Check(args) => ("keyring check", args.json),
        }
    }

    pub(super) fn run(self) -> Result<Answer, Failure> {
        match self.command {
            KeyringCommand::Sign(args) => args.run(),
            KeyringCommand::Check(args) => args.run(),
        }
    }
}

impl SignRingArgs {
    fn run(self) -> Result<Answer, Failure> {
        let text = read_text(&self.ring, MAX_RING)?;
        let ring = KeyRing::new([], Some(&text)).map_err(|error| of_ring(error, &self.ring))?;
        let edition = ring.edition().ok_or_else(|| {
            refuse(format!("{} has no name and version: nothing can follow it", self.ring.display()))
                .hint("give it `name`, `version`, `issued` and its keys in [[key]]")
        })?;
        let folder = match &self.output {
            Some(folder) => folder.clone(),
            None => self.ring.with_file_name("keyring"),
        };
        let chain = chain_in(&folder)?;
        let version = edition.version;
        if chain.link(version).is_some_and(|link| link.signed.bytes != text.as_bytes()) {
            let error = format!("{} holds another version {version} already", folder.display());
            return Err(Failure::new(ExitCode::Untrusted, error)
                .hint("a ring is never changed: raise `version`, or remove that one if nobody has got it"));
        }
        let keys = keys::signing_keys(&self.key, &self.password_file)?;
        let before = version.checked_sub(1).and_then(|before| chain.link(before));
        let before =
            before.map(|link| link.read()).transpose().map_err(|error| ring_failure(error.into()))?;
        require_counting(&keys, &ring, before.as_ref())?;

        make_folder(&folder)?;
        let mut files = Vec::new();
        let mut write = |name: String, text: &str| -> Result<(), Failure> {
            let path = folder.join(name);
            write_file(&path, text.as_bytes())?;
            files.push(path.display().to_string());
            Ok(())
        };
        write(format!("{version}.toml"), &text)?;
        for key in &keys {
            let signature = key.sign_ring(edition, text.as_bytes()).map_err(super::sign_failure)?;
            write(format!("{version}.{}{SIGNATURE_ENDING}", key.id()), &signature)?;
        }
        let missing = missing(&chain_in(&folder)?, edition);
        let mut notes = format!("{}: {edition} is signed\n", self.ring.display());
        if let Some(missing) = &missing {
            notes.push_str(&format!("  not followed yet: {missing}\n"));
        }
        let value = object!({
            "outcome": "signed", "name": edition.name, "version": version, "files": files, "missing": missing,
        });
        Ok(Answer { value, result: String::new(), notes })
    }
}

/// Refuses a key whose signature would count neither for the ring nor for the one before.
fn require_counting(keys: &[SigningKey], ring: &KeyRing, before: Option<&KeyRing>) -> Result<(), Failure> {
    for key in keys {
        let counts =
            |ring: &KeyRing| ring.keys().iter().any(|other| other.id == key.id() && other.revoked.is_none());
        if !counts(ring) && !before.is_none_or(counts) {
            let error = format!(
                "a signature of key {} would count for nothing: neither {} nor {} holds it, or it is revoked",
                key.id(),
                ring.shown(),
                before.map_or_else(String::new, KeyRing::shown)
            );
            return Err(
                Failure::new(ExitCode::Untrusted, error).hint("sign with a key of one of these rings")
            );
        }
    }
    Ok(())
}

/// Tells what keeps a ring from being followed to and from being believed by itself, if anything does.
fn missing(chain: &Chain, edition: &Edition) -> Option<String> {
    let link = chain.link(edition.version)?;
    if let Err(error) = ring::newest(chain) {
        return Some(qfe_patcher::chain::line(&error));
    }
    let own = link.read().ok()?.check(&link.signed);
    own.err().map(|error| format!("by its own threshold, {error}"))
}

fn of_ring(error: KeyRingError, path: &Path) -> Failure {
    Failure::new(ExitCode::Untrusted, format!("{}: {error}", path.display()))
        .hint(format!("patcher/FORMAT.md says how {RING_FILE} is written"))
}

/// Loads the ring that `--keys` names and the chain beside it, which must lead to that from its oldest version.
pub(super) fn followed(keys: &Path) -> Result<(KeyRing, Chain), Failure> {
    let chain = load_chain(keys)?;
    let newest = ring::newest(&chain).map_err(ring_failure)?;
    let ring = load_first(keys)?.follow(&chain)?;
    match newest.filter(|newest| newest.edition() != ring.edition()) {
        None => Ok((ring, chain)),
        Some(newest) => {
            let error = format!(
                "{} has the {}, the chain beside it leads to the {}, and neither leads to the other",
                keys.display(),
                ring.shown(),
                newest.shown()
            );
            Err(Failure::new(ExitCode::Untrusted, error)
                .hint("sign the ring too: qfe-builder keyring sign keyring.toml --key KEY"))
        }
    }
}

impl CheckArgs {
    fn run(self) -> Result<Answer, Failure> {
        let (ring, chain) = followed(&self.folder)?;
        let mut links: Vec<_> = chain.links().iter().collect();
        links.sort_by_key(|link| link.version);
        let mut notes = format!("{}: good, {}\n", self.folder.display(), ring.shown());
        for link in &links {
            let signatures = match link.signed.signatures.len() {
                0 => "without signature: only whoever got it by a way that can be trusted may believe it"
                    .to_owned(),
                count => format!("signatures: {count}"),
            };
            notes.push_str(&format!("  version {}, {signatures}\n", link.version));
        }
        let rings = links
            .iter()
            .map(|link| object!({"version": link.version, "signatures": link.signed.signatures.len()}));
        let value = object!({
            "outcome": "good",
            "name": ring.edition().map(|edition| edition.name.clone()),
            "version": ring.edition().map(|edition| edition.version),
            "rings": Json::list(rings),
        });
        Ok(Answer { value, result: String::new(), notes })
    }
}
