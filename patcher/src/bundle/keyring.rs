//! Keys, and the one rule by which signatures are believed.
//!
//! Signatures are minisign's (jedisct1, `minisign(1)`): Ed25519 over the BLAKE2b-512 digest of the file, and a
//! second one over the first with the trusted comment. Only this prehashed form is taken. A text is believed
//! when at least *threshold* different keys of the ring signed its exact bytes; a key counts once however
//! many signatures it made. A signature that names a key of the ring and does not verify is an attack or
//! damage and refuses the text, whatever the others say; signatures of keys that the ring does not
//! hold are not counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ct_codecs::{Base64, Decoder};
use minisign_verify::PublicKey;

use crate::digest::Digest;

mod policy;

pub use policy::POLICY_FILE;

/// The eight-byte number by which minisign tells keys apart, printed as minisign prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

impl KeyId {
    /// Takes the id from the decoded bytes of a public key, secret key or signature: bytes 2 to 9, little-endian.
    pub fn from_le_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }

    /// Reads the id in the second line of a minisign public key or signature file.
    fn of_text(text: &str) -> Option<Self> {
        let decoded = Base64::decode_to_vec(text.lines().nth(1)?, None).ok()?;
        Some(Self::from_le_bytes(decoded.get(2..10)?.try_into().ok()?))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// Why a key ring cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// The text is no minisign public key.
    #[error("{name}: is no minisign public key ({reason})")]
    NotAKey {
        /// The file it came from.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Two different keys have the same id.
    #[error("{name}: key id {id} is already taken by another key")]
    SameId {
        /// The file of the second.
        name: String,
        /// Their id.
        id: KeyId,
    },
    /// `keyring.toml` cannot be read.
    #[error("{name}: {reason}")]
    Policy {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The threshold can never be met.
    #[error("the threshold of the key ring is {threshold}, and it holds {}: so many cannot sign", count(*keys))]
    Threshold {
        /// The threshold asked for.
        threshold: usize,
        /// How many keys there are.
        keys: usize,
    },
}

/// Why a signed text is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A signature file is not in minisign's format.
    #[error("signature {name} is not in minisign's format ({reason})")]
    NotASignature {
        /// Its name in the bundle.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A signature names a key of the ring, and does not verify.
    #[error("the signature of key {id} does not match: the manifest or the signature was changed")]
    BadSignature {
        /// The key.
        id: KeyId,
    },
    /// Too few keys of the ring signed.
    #[error(
        "{} of the key ring signed it, {threshold} must; signed by: {}; the key ring holds: {}",
        count(.valid.len()), list(.signers), list(.ring)
    )]
    Threshold {
        /// Keys of the ring whose signatures verify.
        valid: BTreeSet<KeyId>,
        /// Keys that all signatures name.
        signers: BTreeSet<KeyId>,
        /// Keys of the ring.
        ring: BTreeSet<KeyId>,
        /// How many are wanted.
        threshold: usize,
    },
}

fn count(keys: usize) -> String {
    match keys {
        0 => "no key".to_owned(),
        1 => "1 key".to_owned(),
        n => format!("{n} keys"),
    }
}

fn list(ids: &BTreeSet<KeyId>) -> String {
    if ids.is_empty() {
        return "nobody".to_owned();
    }
    ids.iter().map(KeyId::to_string).collect::<Vec<_>>().join(", ")
}

/// A text and the signatures that came with it: nothing of it is believed yet.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The exact bytes that were signed.
    pub bytes: Vec<u8>,
    /// Signature files, by their name in the bundle.
    pub signatures: BTreeMap<String, String>,
}

/// A value parsed from bytes that enough keys signed. Made by [`KeyRing::verify`] alone.
#[derive(Clone, Debug)]
pub struct Verified<T> {
    value: T,
    digest: Digest,
    signers: BTreeSet<KeyId>,
}

impl<T> Verified<T> {
    /// Returns the value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Returns the digest of the signed bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the keys of the ring that signed.
    pub fn signers(&self) -> &BTreeSet<KeyId> {
        &self.signers
    }
}

/// The keys that are believed, and how many of them must agree.
#[derive(Clone, Debug)]
pub struct KeyRing {
    keys: BTreeMap<KeyId, PublicKey>,
    threshold: usize,
}

impl KeyRing {
    /// Makes a key ring of public key files (name and text) and, where there is one, `keyring.toml`.
    ///
    /// Without it one signature is enough. The same key in two files is one key.
    pub fn new<'a>(
        keys: impl IntoIterator<Item = (&'a str, &'a str)>,
        policy: Option<&str>,
    ) -> Result<Self, KeyRingError> {
        let mut ring = BTreeMap::new();
        for (name, text) in keys {
            let not_a_key = |reason: String| KeyRingError::NotAKey { name: name.to_owned(), reason };
            let key = PublicKey::decode(text.trim_end()).map_err(|error| not_a_key(error.to_string()))?;
            let id = KeyId::of_text(text).ok_or_else(|| not_a_key("no key id".to_owned()))?;
            // Without the comment, which is no part of the key.
            let key = PublicKey::from_base64(text.lines().nth(1).unwrap_or_default()).unwrap_or(key);
            match ring.insert(id, key.clone()) {
                Some(other) if other != key => {
                    return Err(KeyRingError::SameId { name: name.to_owned(), id });
                }
                _ => {}
            }
        }
        let threshold = match policy {
            Some(text) => policy::threshold(text)
                .map_err(|reason| KeyRingError::Policy { name: POLICY_FILE.to_owned(), reason })?,
            None => 1,
        };
        if threshold == 0 || threshold > ring.len() {
            return Err(KeyRingError::Threshold { threshold, keys: ring.len() });
        }
        Ok(Self { keys: ring, threshold })
    }

    /// Believes `signed` if enough keys of the ring signed it, and only then parses it.
    pub fn verify<T, E: From<TrustError>>(
        &self,
        signed: &Signed,
        parse: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<Verified<T>, E> {
        let signers = self.signers(signed)?;
        Ok(Verified { value: parse(&signed.bytes)?, digest: Digest::of(&signed.bytes), signers })
    }

    /// Returns the keys of the ring that signed, if they are enough.
    fn signers(&self, signed: &Signed) -> Result<BTreeSet<KeyId>, TrustError> {
        let mut valid = BTreeSet::new();
        let mut signers = BTreeSet::new();
        for (name, text) in &signed.signatures {
            let (id, signature) = decode_signature(name, text)?;
            signers.insert(id);
            let Some(key) = self.keys.get(&id) else { continue };
            key.verify(&signed.bytes, &signature, false).map_err(|_| TrustError::BadSignature { id })?;
            valid.insert(id);
        }
        if valid.len() < self.threshold {
            let ring = self.keys.keys().copied().collect();
            return Err(TrustError::Threshold { valid, signers, ring, threshold: self.threshold });
        }
        Ok(valid)
    }
}

/// Reads which key a signature file names, without believing it.
pub fn claimed_signer(name: &str, text: &str) -> Result<KeyId, TrustError> {
    decode_signature(name, text).map(|(id, _)| id)
}

fn decode_signature(name: &str, text: &str) -> Result<(KeyId, minisign_verify::Signature), TrustError> {
    let refuse = |reason: String| TrustError::NotASignature { name: name.to_owned(), reason };
    let signature = minisign_verify::Signature::decode(text).map_err(|error| refuse(error.to_string()))?;
    let id = KeyId::of_text(text).ok_or_else(|| refuse("no key id".to_owned()))?;
    Ok((id, signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    // minisign 0.11: `minisign -G -W`, then `printf test > m; minisign -S -m m`.
    const PUBLIC: &str = include_str!("keyring/a.pub");
    const OTHER: &str = include_str!("keyring/b.pub");
    const SIGNATURE: &str = include_str!("keyring/m.a.minisig");
    const OTHER_SIGNATURE: &str = include_str!("keyring/m.b.minisig");

    fn signed(bytes: &[u8], signatures: &[&str]) -> Signed {
        let signatures =
            signatures.iter().enumerate().map(|(n, text)| (n.to_string(), (*text).to_owned())).collect();
        Signed { bytes: bytes.to_vec(), signatures }
    }

    fn verify(ring: &KeyRing, signed: &Signed) -> Result<usize, TrustError> {
        ring.verify(signed, |bytes| Ok::<_, TrustError>(bytes.len())).map(|verified| verified.signers().len())
    }

    fn two_of_two() -> KeyRing {
        KeyRing::new([("a.pub", PUBLIC), ("b.pub", OTHER)], Some("threshold = 2")).unwrap()
    }

    #[test]
    fn a_signature_of_stock_minisign_is_believed() {
        let ring = KeyRing::new([("a.pub", PUBLIC)], None).unwrap();
        assert_eq!(verify(&ring, &signed(b"test", &[SIGNATURE])), Ok(1));
    }

    #[test]
    fn changed_bytes_or_a_changed_signature_are_refused() {
        let ring = KeyRing::new([("a.pub", PUBLIC)], None).unwrap();
        assert!(matches!(
            verify(&ring, &signed(b"tesu", &[SIGNATURE])),
            Err(TrustError::BadSignature { .. })
        ));
        for at in 0..SIGNATURE.len() {
            let mut text = SIGNATURE.as_bytes().to_vec();
            text[at] ^= 1;
            let Ok(text) = String::from_utf8(text) else { continue };
            let untrusted_comment = at < SIGNATURE.find('\n').unwrap();
            let result = verify(&ring, &signed(b"test", &[&text]));
            assert!(result.is_err() || untrusted_comment, "byte {at} changed: {result:?}");
        }
    }

    #[test]
    fn a_duplicated_signature_counts_once() {
        let result = verify(&two_of_two(), &signed(b"test", &[SIGNATURE, SIGNATURE]));
        assert!(matches!(result, Err(TrustError::Threshold { threshold: 2, .. })), "{result:?}");
    }

    #[test]
    fn the_threshold_is_met_by_different_keys() {
        assert_eq!(verify(&two_of_two(), &signed(b"test", &[SIGNATURE, OTHER_SIGNATURE])), Ok(2));
    }

    #[test]
    fn unknown_signers_and_no_signers_are_refused_by_name() {
        let ring = KeyRing::new([("b.pub", OTHER)], None).unwrap();
        assert!(matches!(verify(&ring, &signed(b"test", &[SIGNATURE])), Err(TrustError::Threshold { .. })));
        let error = verify(&ring, &signed(b"test", &[])).unwrap_err().to_string();
        assert!(error.contains("signed by: nobody"), "{error}");
    }

    #[test]
    fn one_bad_signature_of_a_known_key_spoils_the_rest() {
        let broken = OTHER_SIGNATURE.replace("trusted comment: timestamp:", "trusted comment: timestamp;");
        let ring = KeyRing::new([("a.pub", PUBLIC), ("b.pub", OTHER)], None).unwrap();
        let result = verify(&ring, &signed(b"test", &[SIGNATURE, &broken]));
        assert!(matches!(result, Err(TrustError::BadSignature { .. })), "{result:?}");
    }

    #[test]
    fn thresholds_that_cannot_be_met_or_mean_nothing_are_refused() {
        for policy in ["threshold = 0", "threshold = 2"] {
            assert!(matches!(
                KeyRing::new([("a.pub", PUBLIC)], Some(policy)),
                Err(KeyRingError::Threshold { .. })
            ));
        }
        assert!(KeyRing::new([], None).is_err());
        assert!(matches!(
            KeyRing::new([("a.pub", PUBLIC)], Some("treshold = 1")),
            Err(KeyRingError::Policy { .. })
        ));
    }
}
