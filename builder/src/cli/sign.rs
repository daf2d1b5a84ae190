//! `qfe-builder sign`.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use clap::Args;

use qfe_patcher::bundle::container::program::Program;
use qfe_patcher::bundle::container::{Container, ContainerKind};
use qfe_patcher::bundle::keyring::{Chain, KeyId, RING_FOLDER, Signed, TrustError, claimed_signer};
use qfe_patcher::bundle::manifest::{MANIFEST_NAME, MAX_MANIFEST, MAX_MEMBER, Manifest};
use qfe_patcher::bundle::{Bundle, BundleError, SIGNATURE_FOLDER};
use qfe_patcher::cli::failure::Failure;
use qfe_patcher::exit::ExitCode;
use qfe_patcher::json::{Json, object};

use super::{Answer, MAX_BUNDLE, detached, keyring, keys, output_failure, read_file, sign_failure};
use crate::container::{self, Contents, WriteError};
use crate::output::Partial;
use crate::ring;
use crate::shown::list;
use crate::sign::{SigningKey, key_ring};

/// Adds a signature to a bundle and changes nothing else
///
/// The manifest is signed as it stands, byte for byte. In a zip the other members' compressed bytes are copied, in an
/// exe also the program and its key ring; a cabinet is packed again. The new bundle is verified, and every member held
/// against the manifest, before it takes the place of the old one. Where the key has signed already, nothing is written.
/// With --keys the key rings in its folder `keyring`, with their signatures, go into the bundle too.
///
/// With --detached any file is signed: its signature is written beside it as FILE.minisig, which `minisign -V` verifies.
///
/// JSON: command, outcome ("signed" or "already-signed"), code, id, revision, bundle, key_id, signers, key_rings (members
/// that were added); of a detached signature file, signature and key_id.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  qfe-builder sign Q252717.zip --key second.key\n  \
    qfe-builder sign Q252717.zip --key second.key --keys keys/\n  \
    qfe-builder sign --detached SHA256SUMS --key release.key")]
pub(super) struct SignArgs {
    /// The bundle, or with --detached any file
    bundle: PathBuf,
    /// Sign a file as it is, and write the signature beside it
    #[arg(long, conflicts_with = "keys")]
    detached: bool,
    /// The secret key to sign with
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    /// Have the bundle carry the key rings of this folder
    #[arg(long, value_name = "KEYS")]
    keys: Option<PathBuf>,
    /// Open a protected key with the first line of this file
    #[arg(long, value_name = "F")]
    password_file: Option<PathBuf>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

impl SignArgs {
    pub(super) fn run(self) -> Result<Answer, Failure> {
        let mut keys = keys::signing_keys(&[self.key], self.password_file.as_slice())?;
        let Some(key) = keys.pop() else { return Err(super::refuse("no key was given")) };
        if self.detached {
            return detached::sign(&self.bundle, &key);
        }
        let bytes = read_file(&self.bundle, MAX_BUNDLE)?;
        let bundle = Bundle::open(Cursor::new(bytes.clone()))?;
        let manifest = bundle.manifest_unverified().map_err(BundleError::from)?;
        let signed = bundle.signed().clone();
        let mut signers = signers(&signed).map_err(BundleError::from)?;
        let mut added = match &self.keys {
            Some(keys) => new_rings(keys, bundle.chain())?,
            None => BTreeMap::new(),
        };
        let rings: Vec<String> = added.keys().cloned().collect();

        let shown = self.bundle.display().to_string();
        let answer = |outcome: &str, signers: &BTreeMap<KeyId, String>, notes: String| Answer {
            value: object!({
                "outcome": outcome, "id": manifest.id, "revision": manifest.revision, "bundle": shown,
                "key_id": key.id(), "signers": Json::list(signers.keys()), "key_rings": rings,
            }),
            result: String::new(),
            notes,
        };
        let signs = !signers.contains_key(&key.id());
        if !signs {
            check_own(&key, &signed)?;
        }
        if !signs && added.is_empty() {
            let notes = format!("{shown} is already signed by {}; nothing was changed\n", key.id());
            return Ok(answer("already-signed", &signers, notes));
        }
        if signs {
            let text = key.sign(&manifest, &signed.bytes).map_err(sign_failure)?;
            added.insert(key.signature_name(), text.into_bytes());
            signers.insert(key.id(), key.signature_name());
        }
        let kind = bundle.kind();
        let finished = with_members(kind, &bytes, bundle.into_container(), added)?;
        let partial = Partial::write(&self.bundle, &finished).map_err(output_failure)?;
        prove(&partial, &key, &signed, usize::from(signs))?;
        // Somebody else may have signed it meanwhile.
        partial.publish_over(&bytes).map_err(|error| output_failure(error).hint("sign it again"))?;
        let mut notes =
            format!("{shown}: {} is now signed by {}\n", title(&manifest), list(signers.keys(), "nobody"));
        if kind == ContainerKind::Exe {
            notes.push_str(
                "note: no signature is for the program in it, nor for the key ring behind that: `build --check` compares both\n",
            );
        }
        Ok(answer("signed", &signers, notes))
    }
}

fn title(manifest: &Manifest) -> String {
    format!("{} revision {} ({})", manifest.id, manifest.revision, manifest.title)
}

/// Returns the names of the signatures by the key that each claims.
fn signers(signed: &Signed) -> Result<BTreeMap<KeyId, String>, TrustError> {
    signed.signatures.iter().map(|(name, text)| Ok((claimed_signer(name, text)?, name.clone()))).collect()
}

/// Requires that a signature that claims to be the key's own is.
fn check_own(key: &SigningKey, signed: &Signed) -> Result<(), Failure> {
    let ring = key_ring(std::slice::from_ref(key)).map_err(sign_failure)?;
    ring.check(signed).map(drop).map_err(|error| Failure::from(BundleError::from(error)))
}

/// Returns the members of a folder's chain that a bundle does not carry yet.
fn new_rings(keys: &Path, carried: &Chain) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let (_, chain) = keyring::followed(keys)?;
    let mut members = ring::members(&chain);
    for (name, bytes) in ring::members(carried) {
        if members.remove(&name).is_some_and(|own| own != bytes) {
            let error = format!("the bundle carries another {name} than {} holds", keys.display());
            return Err(Failure::new(ExitCode::Untrusted, error)
                .hint("find out which is right; a ring is never changed, it gets the next version"));
        }
    }
    Ok(members)
}

/// Makes the bytes of a container with some members more.
fn with_members(
    kind: ContainerKind,
    bytes: &[u8],
    mut opened: Container,
    added: BTreeMap<String, Vec<u8>>,
) -> Result<Vec<u8>, Failure> {
    let mut out = Cursor::new(Vec::new());
    let failed = |error: WriteError| Failure::new(ExitCode::Failed, error);
    if kind == ContainerKind::Exe {
        let program = Program::read(&mut Cursor::new(bytes)).map_err(BundleError::from)?;
        let before = usize::try_from(program.archive_at()).ok().and_then(|at| bytes.get(..at));
        *out.get_mut() = before.unwrap_or_default().to_vec();
        out.set_position(program.archive_at());
    }
    match kind {
        ContainerKind::Zip | ContainerKind::Exe => {
            container::zip::add_members(Cursor::new(bytes), &added, out)
                .map(Cursor::into_inner)
                .map_err(failed)
        }
        ContainerKind::Cab => {
            let mut contents = read_contents(&mut opened)?;
            for (name, bytes) in added {
                if name.starts_with(RING_FOLDER) {
                    contents.rings.insert(name, bytes);
                } else {
                    // Just made, of ASCII alone.
                    contents.signatures.insert(name, String::from_utf8_lossy(&bytes).into_owned());
                }
            }
            container::write(kind, &contents, out).map(Cursor::into_inner).map_err(failed)
        }
    }
}

/// Reads every member of a container.
fn read_contents(opened: &mut Container) -> Result<Contents, BundleError> {
    let mut contents = Contents::default();
    for name in opened.members().cloned().collect::<Vec<_>>() {
        if name.as_str() == MANIFEST_NAME {
            contents.manifest = opened.read(&name, MAX_MANIFEST)?;
        } else if name.as_str().starts_with(SIGNATURE_FOLDER) {
            let text = String::from_utf8(opened.read(&name, MAX_MANIFEST)?);
            let text = text.map_err(|_| BundleError::SignatureText { name: name.clone() })?;
            contents.signatures.insert(name.to_string(), text);
        } else if name.as_str().starts_with(RING_FOLDER) {
            contents.rings.insert(name.to_string(), opened.read(&name, MAX_MANIFEST)?);
        } else {
            contents.members.insert(name.clone(), opened.read(&name, MAX_MEMBER)?);
        }
    }
    Ok(contents)
}

/// What a rewritten bundle has lost or changed.
#[derive(Debug, thiserror::Error)]
#[error("the rewritten bundle does not hold the manifest and signatures of the old one")]
struct Changed;

/// Verifies the rewritten bundle by the signature of the key, reads every member, and compares what was signed before.
fn prove(partial: &Partial, key: &SigningKey, before: &Signed, added: usize) -> Result<(), Failure> {
    let ring = key_ring(std::slice::from_ref(key)).map_err(sign_failure)?;
    let file = partial.open().map_err(output_failure)?;
    let bundle = Bundle::open(std::io::BufReader::new(file))?;
    let now = bundle.signed();
    let kept = before.signatures.iter().all(|(name, text)| now.signatures.get(name) == Some(text));
    if now.bytes != before.bytes || !kept || now.signatures.len() != before.signatures.len() + added {
        return Err(Failure::new(ExitCode::Failed, Changed));
    }
    let mut bundle = bundle.verify(ring, super::today())?;
    bundle.check_members().map_err(Failure::from)
}
