//! Key rings as the one who issues them sees them: every step of a chain, from the oldest to the newest, and a ring as one text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use ct_codecs::{Base64, Encoder};
use qfe_patcher::bundle::keyring::{Chain, ChainError, Key, KeyRing, KeyRingError, RING_FOLDER};
use qfe_patcher::digest::Digest;

use crate::shown::list;

/// Why a chain leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// A step is refused.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A version is missing.
    #[error("key ring version {missing} is missing, so that nobody gets to version {newest}")]
    Gap {
        /// The version.
        missing: u32,
        /// The newest of the chain.
        newest: u32,
    },
}

/// Follows a chain from its oldest ring, as a server that still has that one will; none if it has no ring.
pub fn newest(chain: &Chain) -> Result<Option<KeyRing>, RingError> {
    let Some(oldest) = chain.links().iter().filter(|link| link.is_there).min_by_key(|link| link.version)
    else {
        return Ok(None);
    };
    let ring = oldest.read()?.follow(chain)?;
    match ring.gap() {
        Some((missing, newest)) => Err(RingError::Gap { missing, newest }),
        None => Ok(Some(ring)),
    }
}

/// Returns the members by which a bundle carries a chain.
pub fn members(chain: &Chain) -> BTreeMap<String, Vec<u8>> {
    let mut members = BTreeMap::new();
    for link in chain.links().iter().filter(|link| link.is_there) {
        members.insert(format!("{RING_FOLDER}{}.toml", link.version), link.signed.bytes.clone());
        let signatures = link.signed.signatures.iter();
        members.extend(signatures.map(|(name, text)| (name.clone(), text.clone().into_bytes())));
    }
    members
}

/// Tells whether two rings believe the same: of rings with name and version these and their texts are the same; of others
/// their keys and rules are, whatever the files were called that the keys stood in.
pub fn is_alike(one: &KeyRing, other: &KeyRing) -> bool {
    if one.edition().is_some() || other.edition().is_some() {
        return one.edition() == other.edition() && one.text() == other.text();
    }
    // Rules that tell keys apart do so by their names.
    let by_name = one.rules().iter().any(|rule| !rule.keys.is_empty());
    let keys = |ring: &KeyRing| {
        let key = |key: &Key| {
            let name = by_name.then(|| key.name.clone());
            (key.id, key.ed25519().to_vec(), key.from, key.until, key.revoked.clone(), name)
        };
        let mut keys: Vec<_> = ring.keys().iter().map(key).collect();
        keys.sort_unstable();
        keys
    };
    let days = |ring: &KeyRing| (ring.issued(), ring.expires(), ring.expiry());
    one.rules() == other.rules()
        && one.floors() == other.floors()
        && days(one) == days(other)
        && keys(one) == keys(other)
}

/// Says what a ring believes: its name and version, or its keys; with the digest of its text.
pub fn words(ring: &KeyRing) -> String {
    let text = text(ring).unwrap_or_default();
    let keys = list(ring.keys().iter().map(|key| key.id), "none");
    format!("the {} with the keys {keys} (digest {})", ring.shown(), Digest::of(text.as_bytes()).prefix())
}

/// Returns a ring as the text of one `keyring.toml`: its own if that holds the keys, otherwise with those that are in files.
pub fn text(ring: &KeyRing) -> Result<String, KeyRingError> {
    if KeyRing::new([], Some(ring.text())).is_ok_and(|own| own.keys().len() == ring.keys().len()) {
        return Ok(ring.text().to_owned());
    }
    let mut text =
        if ring.text().is_empty() { "threshold = 1".to_owned() } else { ring.text().trim_end().to_owned() };
    for key in ring.keys() {
        let line = Base64::encode_to_string([&b"Ed"[..], &key.id.to_le_bytes(), key.ed25519()].concat());
        // Of a file its name: where it stood is nobody's business.
        let name = Path::new(&key.name)
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        // Base64 of 42 bytes has a length, and a text takes whatever is written.
        write!(text, "\n\n[[key]]\nname = \"{name}\"\nkey = \"{}\"", line.unwrap_or_default())
            .unwrap_or_default();
    }
    text.push('\n');
    KeyRing::new([], Some(&text)).map(|_| text)
}
