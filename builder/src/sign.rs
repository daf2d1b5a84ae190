//! Keys and signatures in minisign's formats (`minisign(1)`).
//!
//! A signature is Ed25519 over the BLAKE2b-512 digest of the manifest ("prehashed"), and a second one over the
//! first with the trusted comment. The `minisign` crate reads and makes keys; it signs with random
//! nonces, so signatures are made here, as RFC 8032 has them: same key and text, same bytes. Each is
//! held against the patcher's own key ring before it leaves this module.
//!
//! ```text
//! secret key, unlocked      offset  0  2  4   6  38  46  54  62  126
//!                             size  2  2  2  32   8   8   8  64   32
//!                                  Ed Sc B2 salt ops mem  id  key checksum     (Sc: scrypt; two zeros: no password)
//! public key   42 bytes: "Ed", id (8), key (32)
//! signature    74 bytes: "ED", id (8), Ed25519 (64)
//! ```

use std::collections::BTreeMap;
use std::fmt;

use blake2::{Blake2b512, Digest as _};
use ct_codecs::{Base64, Decoder, Encoder};
use ed25519_dalek::Signer;
use minisign::{KeyPair, SecretKeyBox};

use qfe_patcher::bundle::keyring::{Edition, KeyId, KeyRing, KeyRingError, Signed, TrustError};
use qfe_patcher::bundle::manifest::Manifest;
use qfe_patcher::bundle::{SIGNATURE_ENDING, SIGNATURE_FOLDER};

/// Why a key cannot be made or read, or a signature not be made. Never holds anything of a key.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The text is no minisign secret key.
    #[error("{name} is no minisign secret key: {reason}")]
    NotAKey {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The key has a password and none was given.
    #[error("{name} is protected by a password, and none was given")]
    PasswordWanted {
        /// The file.
        name: String,
    },
    /// None of the passwords unlocks the key.
    #[error("{name} cannot be unlocked: the password is wrong")]
    WrongPassword {
        /// The file.
        name: String,
    },
    /// Two keys have the same id.
    #[error("key {id} is given twice")]
    SameKey {
        /// Their id.
        id: KeyId,
    },
    /// No key pair could be made.
    #[error("no key pair could be made")]
    Generate(#[source] minisign::PError),
    /// The key's public half is refused by the patcher's library.
    #[error("the public half of key {id} is refused")]
    PublicHalf {
        /// The key.
        id: KeyId,
        /// Why.
        source: KeyRingError,
    },
    /// The finished signature does not verify.
    #[error("the signature made with key {id} does not verify")]
    DoesNotVerify {
        /// The key.
        id: KeyId,
        /// What the key ring said.
        source: TrustError,
    },
}

/// Bytes of an unlocked secret key.
const SECRET_LEN: usize = 158;
/// Where the checksum of an unlocked secret key starts.
const CHECKSUM_AT: usize = 126;
/// First line of secret key files that stock `minisign` makes.
const SECRET_COMMENT: &str = "minisign encrypted secret key";

/// A key that can sign. Its secret half is wiped from memory when it is dropped.
pub struct SigningKey {
    id: [u8; 8],
    pair: ed25519_dalek::SigningKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id())
    }
}

/// Tells whether a secret key file is protected by a password; `name` is for messages.
pub fn is_locked(name: &str, text: &str) -> Result<bool, SignError> {
    let mut bytes = decode(name, text)?;
    let locked = match bytes.get(..6) {
        Some([b'E', b'd', 0, 0, b'B', b'2']) => Ok(false),
        Some([b'E', b'd', b'S', b'c', b'B', b'2']) => Ok(true),
        _ => {
            Err(SignError::NotAKey { name: name.to_owned(), reason: "its algorithms are unknown".to_owned() })
        }
    };
    wipe(&mut bytes);
    locked
}

/// Decodes the second line of a secret key file; the caller wipes it.
fn decode(name: &str, text: &str) -> Result<Vec<u8>, SignError> {
    let not_a_key = |reason: &str| SignError::NotAKey { name: name.to_owned(), reason: reason.to_owned() };
    let line = text.lines().nth(1).ok_or_else(|| not_a_key("it has no second line"))?;
    let bytes =
        Base64::decode_to_vec(line.trim(), None).map_err(|_| not_a_key("its second line is no base64"))?;
    if bytes.len() == SECRET_LEN {
        Ok(bytes)
    } else {
        Err(not_a_key(&format!("it has {} bytes, not {SECRET_LEN}", bytes.len())))
    }
}

impl SigningKey {
    /// Reads a secret key file, trying each password if it is locked; `name` is for messages.
    pub fn read(name: &str, text: &str, passwords: &[String]) -> Result<Self, SignError> {
        let not_a_key = |reason: String| SignError::NotAKey { name: name.to_owned(), reason };
        let boxed = || SecretKeyBox::from(text.to_owned());
        let secret = if is_locked(name, text)? {
            if passwords.is_empty() {
                return Err(SignError::PasswordWanted { name: name.to_owned() });
            }
            // Besides a wrong password the crate refuses absurd scrypt parameters; either way the key stays shut.
            let unlocked =
                passwords.iter().find_map(|password| boxed().into_secret_key(Some(password.clone())).ok());
            unlocked.ok_or_else(|| SignError::WrongPassword { name: name.to_owned() })?
        } else {
            // Stock minisign 0.11 writes keys without password with a checksum of zeros, which the crate refuses.
            let mut bytes = decode(name, text)?;
            let unchecked = bytes.get(CHECKSUM_AT..).is_some_and(|sum| sum.iter().all(|byte| *byte == 0));
            let key = Self::from_unlocked(&bytes).filter(|_| unchecked);
            wipe(&mut bytes);
            if let Some(key) = key {
                return Ok(key);
            }
            boxed().into_unencrypted_secret_key().map_err(|error| not_a_key(error.to_string()))?
        };
        let mut bytes = secret.to_bytes();
        let key = Self::from_unlocked(&bytes)
            .ok_or_else(|| not_a_key("its two halves do not belong together".into()));
        wipe(&mut bytes);
        key
    }

    /// Takes the id and the key pair of the module's table; none if the public half is not that of the secret one.
    fn from_unlocked(bytes: &[u8]) -> Option<Self> {
        let id = bytes.get(54..62)?.try_into().ok()?;
        let mut pair: [u8; 64] = bytes.get(62..126)?.try_into().ok()?;
        let key = ed25519_dalek::SigningKey::from_keypair_bytes(&pair).ok();
        wipe(&mut pair);
        Some(Self { id, pair: key? })
    }

    /// Returns the number by which the key is known.
    pub fn id(&self) -> KeyId {
        KeyId::from_le_bytes(self.id)
    }

    /// Returns the public half as a minisign public key file.
    pub fn public_text(&self) -> String {
        let bytes = [&b"Ed"[..], &self.id, self.pair.verifying_key().as_bytes()].concat();
        format!("untrusted comment: minisign public key {}\n{}\n", self.id(), base64(&bytes))
    }

    /// Returns the name of the key's signature in a bundle.
    pub fn signature_name(&self) -> String {
        format!("{SIGNATURE_FOLDER}{}{SIGNATURE_ENDING}", self.id())
    }

    /// Returns a secret for another purpose: it follows from the key, and the key does not follow from it.
    pub(crate) fn derive(&self, purpose: &str) -> [u8; 64] {
        Blake2b512::new()
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(self.pair.as_bytes())
            .finalize()
            .into()
    }

    /// Signs the bytes of a manifest and returns the signature file, verified.
    pub fn sign(&self, manifest: &Manifest, bytes: &[u8]) -> Result<String, SignError> {
        self.sign_as(&format!("{} revision {}", manifest.id, manifest.revision), "manifest ", bytes)
    }

    /// Signs the bytes of a key ring and returns the signature file, verified.
    pub fn sign_ring(&self, edition: &Edition, bytes: &[u8]) -> Result<String, SignError> {
        self.sign_as(&edition.to_string(), "", bytes)
    }

    /// Signs the bytes of any file and returns the signature file, verified; the name stands in it.
    pub fn sign_file(&self, name: &str, bytes: &[u8]) -> Result<String, SignError> {
        self.sign_as(name, "file ", bytes)
    }

    /// Signs bytes that people call `subject`; the comment that is signed too has a word more.
    fn sign_as(&self, subject: &str, word: &str, bytes: &[u8]) -> Result<String, SignError> {
        let id = self.id();
        let signature = self.pair.sign(&Blake2b512::digest(bytes)).to_bytes();
        let comment = format!("qfe {word}{subject}");
        let global = self.pair.sign(&[&signature[..], comment.as_bytes()].concat()).to_bytes();
        let text = format!(
            "untrusted comment: signature of {subject} by key {id}\n{}\ntrusted comment: {comment}\n{}\n",
            base64(&[&b"ED"[..], &self.id, &signature].concat()),
            base64(&global),
        );
        let signed = Signed {
            bytes: bytes.to_vec(),
            signatures: BTreeMap::from([(self.signature_name(), text.clone())]),
        };
        let verified = key_ring(std::slice::from_ref(self))?.check(&signed);
        verified.map_err(|source| SignError::DoesNotVerify { id, source })?;
        Ok(text)
    }
}

/// Makes the key ring of the public halves of keys, all of which must have signed; the keys are different ones.
pub fn key_ring(keys: &[SigningKey]) -> Result<KeyRing, SignError> {
    let mut texts = BTreeMap::new();
    for key in keys {
        if texts.insert(key.id(), key.public_text()).is_some() {
            return Err(SignError::SameKey { id: key.id() });
        }
    }
    let names: Vec<String> = texts.keys().map(KeyId::to_string).collect();
    let threshold = format!("threshold = {}", keys.len());
    KeyRing::new(names.iter().map(String::as_str).zip(texts.values().map(String::as_str)), Some(&threshold))
        .map_err(|source| {
            let id = keys.first().map_or(KeyId::from_le_bytes([0; 8]), SigningKey::id);
            SignError::PublicHalf { id, source }
        })
}

/// The two files of a new key pair.
pub struct NewKey {
    /// Its number.
    pub id: KeyId,
    /// The secret key file.
    pub secret: String,
    /// The public key file.
    pub public: String,
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewKey({})", self.id)
    }
}

impl NewKey {
    /// Makes a key pair, its secret half protected by the password if there is one.
    pub fn generate(password: Option<String>) -> Result<Self, SignError> {
        let pair = match password {
            Some(password) => KeyPair::generate_encrypted_keypair(Some(password)),
            None => KeyPair::generate_unencrypted_keypair(),
        }
        .map_err(SignError::Generate)?;
        let secret = pair.sk.to_box(Some(SECRET_COMMENT)).map_err(SignError::Generate)?.into_string();
        let mut id = [0; 8];
        id.iter_mut().zip(pair.pk.keynum()).for_each(|(to, from)| *to = *from);
        let id = KeyId::from_le_bytes(id);
        let public =
            format!("untrusted comment: minisign public key {id}\n{}\n", base64(&pair.pk.to_bytes()));
        Ok(Self { id, secret, public })
    }
}

fn base64(bytes: &[u8]) -> String {
    // Fails only where the length overflows, which these few bytes do not.
    Base64::encode_to_string(bytes).unwrap_or_default()
}

/// Overwrites bytes that were secret, in a way that is not optimised away.
fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    std::hint::black_box(bytes);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    fn manifest() -> (Manifest, Vec<u8>) {
        let text = r#"{"format": 1, "id": "Q1", "title": "t", "revision": 3, "product": "p", "builds": [],
            "requires": [], "supersedes": [], "log": "LOGS/Q1.log", "registration": null, "levels": [], "gates": [], "roles": [], "readiness": [], "manual": [], "files": [],
            "deltas": [], "members": []}"#;
        (Manifest::parse(text.as_bytes()).unwrap(), text.as_bytes().to_vec())
    }

    fn key() -> (NewKey, SigningKey) {
        let new = NewKey::generate(None).unwrap();
        let key = SigningKey::read("k", &new.secret, &[]).unwrap();
        (new, key)
    }

    #[test]
    fn the_same_key_and_text_give_the_same_signature() {
        let (manifest, bytes) = manifest();
        let (_, key) = key();
        assert_eq!(key.sign(&manifest, &bytes).unwrap(), key.sign(&manifest, &bytes).unwrap());
    }

    #[test]
    fn a_protected_key_opens_with_its_password_only() {
        let new = NewKey::generate(Some("right".into())).unwrap();
        assert!(is_locked("k", &new.secret).unwrap());
        let read = |passwords: &[&str]| {
            SigningKey::read("k", &new.secret, &passwords.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>())
        };
        assert!(matches!(read(&[]), Err(SignError::PasswordWanted { .. })));
        assert!(matches!(read(&["wrong"]), Err(SignError::WrongPassword { .. })));
        assert_eq!(read(&["wrong", "right"]).unwrap().id(), new.id);
    }

    #[test]
    fn the_public_half_is_the_one_that_was_made_with_the_key() {
        let (new, key) = key();
        assert_eq!((new.id, new.public.as_str()), (key.id(), key.public_text().as_str()));
    }

    #[test]
    fn damaged_keys_are_refused_and_never_shown() {
        let (new, _) = key();
        let line = new.secret.lines().nth(1).unwrap();
        let (changed, short) = (line.replace('A', "B"), &line[..line.len() - 4]);
        for text in ["", "one line", "c\n%%%\n", &format!("c\n{changed}\n"), &format!("c\n{short}\n")] {
            let error = SigningKey::read("k", text, &[]).unwrap_err();
            assert!(matches!(error, SignError::NotAKey { .. }), "{error}");
            assert!(!format!("{error:?}").contains(&line[80..100]), "{error:?}");
        }
        assert!(!format!("{new:?} {:?}", key().1).contains(&line[80..100]));
    }

    #[test]
    fn one_key_given_twice_is_refused() {
        let (new, one) = key();
        let two = SigningKey::read("k", &new.secret, &[]).unwrap();
        assert!(matches!(key_ring(&[one, two]), Err(SignError::SameKey { .. })));
    }

    #[test]
    fn stock_minisign_verifies_our_signature_and_signs_with_our_key() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        let (manifest, bytes) = manifest();
        let (new, key) = key();
        fs::write(path("m"), &bytes).unwrap();
        fs::write(path("m.minisig"), key.sign(&manifest, &bytes).unwrap()).unwrap();
        fs::write(path("k.pub"), &new.public).unwrap();
        fs::write(path("k"), &new.secret).unwrap();
        let minisign =
            |arguments: &[&str]| Command::new("minisign").args(arguments).current_dir(temp.path()).output();
        let verify = match minisign(&["-V", "-p", "k.pub", "-m", "m"]) {
            Ok(output) => output,
            Err(error) => {
                println!("skipped: minisign cannot be run ({error})");
                return;
            }
        };
        let said = String::from_utf8_lossy(&verify.stdout);
        assert!(verify.status.success(), "{said} {}", String::from_utf8_lossy(&verify.stderr));
        assert!(said.contains("qfe manifest Q1 revision 3"), "{said}");
        let signed = minisign(&["-S", "-s", "k", "-m", "m", "-x", "theirs"]).unwrap();
        assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
        let text = fs::read_to_string(path("theirs")).unwrap();
        let signed = Signed { bytes, signatures: BTreeMap::from([("theirs".to_owned(), text)]) };
        assert!(key_ring(&[key]).unwrap().check(&signed).is_ok());
    }
}
