//! Keys, and the one rule by which signatures are believed.
//!
//! Signatures are minisign's (jedisct1, `minisign(1)`): Ed25519 over the BLAKE2b-512 digest of the file, and a
//! second one over the first with the trusted comment. Only this prehashed form is taken. A text is believed
//! when at least *threshold* different keys of the ring signed its exact bytes; a key counts once however
//! many signatures it made, and never once it is revoked. A signature that names a key of the ring and does not verify is
//! an attack or damage and refuses the text, whatever the others say; signatures of keys that the ring does not
//! hold are not counted.
//!
//! `KeyRing::judge` is the only place that counts: for a manifest, then for the rule of its product, and for another
//! ring. Dates are judged for manifests alone, by the latest day that is known, and count as the ring's
//! [`Expiry`] says.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use ct_codecs::{Base64, Decoder};
use minisign_verify::PublicKey;

use crate::chain::debug_as_shown;
use crate::day::Day;
use crate::digest::Digest;
use crate::json::object_json;
use crate::name::UpdateId;
use document::{Document, FloorEntry, KeyEntry};

mod chain;
mod document;
mod toml;

pub use chain::{Chain, ChainError, Link, MAX_RINGS, RING_FOLDER, part_of_chain};
pub use document::{Expiry, Floor, RING_FILE, Rule};

/// Largest `keyring.toml` that is read: what is in it is bounded by that.
pub const MAX_RING: u64 = 64 << 10;

/// The eight-byte number by which minisign tells keys apart, printed as minisign prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

impl KeyId {
    /// Takes the id from the decoded bytes of a public key, secret key or signature: bytes 2 to 9, little-endian.
    pub fn from_le_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }

    /// Reads the id in the base64 of a minisign public key or signature.
    fn of_base64(line: &str) -> Option<Self> {
        let decoded = Base64::decode_to_vec(line, None).ok()?;
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
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// The text is no minisign public key.
    #[error("{name}: is no minisign public key ({reason})")]
    NotAKey {
        /// The file it came from, or its name in the ring.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Two different keys have the same id.
    #[error("{name}: key id {id} is already taken by another key")]
    SameId {
        /// The file or name of the second.
        name: String,
        /// Their id.
        id: KeyId,
    },
    /// One key would count as two.
    #[error("{name}: is the same key as {other}: one key must not count twice")]
    SameKey {
        /// The file or name of the second.
        name: String,
        /// That of the first.
        other: String,
    },
    /// `keyring.toml` cannot be read, or contradicts itself.
    #[error("{name}: {reason}")]
    Policy {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The threshold can never be met.
    #[error("the threshold of {rule} is {threshold}, and it holds {}: so many cannot sign", count(*keys))]
    Threshold {
        /// What asks for it.
        rule: String,
        /// The threshold asked for.
        threshold: usize,
        /// How many keys there are, without revoked ones.
        keys: usize,
    },
}

debug_as_shown!(KeyRingError);

/// Why a signed text is not believed.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
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
    #[error("the signature of key {key} does not match: what was signed or the signature was changed")]
    BadSignature {
        /// The key, with its name.
        key: String,
    },
    /// Too few keys of the ring signed.
    #[error("{} of {rule} signed it, {threshold} must; signed by: {signers}; {rule} holds: {ring}{}",
        count(*valid), not_counted(.passed_over))]
    Threshold {
        /// What asks for them: the key ring, or its rule for a product.
        rule: String,
        /// How many keys of the rule count.
        valid: usize,
        /// Keys that all signatures name.
        signers: String,
        /// Keys of the rule.
        ring: String,
        /// How many are wanted.
        threshold: usize,
        /// Keys that signed and do not count, and why.
        passed_over: Vec<String>,
    },
    /// The ring has expired, and says that nothing is believed by it then.
    #[error("the {ring} expired on {expires}, and says to refuse from then on; it is {today} or later")]
    Expired {
        /// The ring.
        ring: String,
        /// Its last day.
        expires: Day,
        /// The latest day that is known.
        today: Day,
    },
}

debug_as_shown!(TrustError);

/// A revision that a ring has withdrawn.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{update} revision {revision} was withdrawn: the {ring} asks for revision {floor} or later")]
pub struct Withdrawn {
    /// The update.
    pub update: UpdateId,
    /// Its revision.
    pub revision: u32,
    /// The ring.
    pub ring: String,
    /// The oldest revision that was not withdrawn.
    pub floor: u32,
}

debug_as_shown!(Withdrawn);

fn count(keys: usize) -> String {
    match keys {
        0 => "no key".to_owned(),
        1 => "1 key".to_owned(),
        n => format!("{n} keys"),
    }
}

fn not_counted(reasons: &[String]) -> String {
    if reasons.is_empty() { String::new() } else { format!("; not counted: {}", reasons.join(", ")) }
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
#[derive(Debug)]
pub struct Verified<T> {
    value: Rc<T>,
    digest: Digest,
    trust: Rc<Trust>,
    judgement: Judgement,
}

impl<T> Verified<T> {
    /// Returns the value.
    pub fn value(&self) -> &Rc<T> {
        &self.value
    }

    /// Returns the digest of the signed bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the keys of the ring that signed and count.
    pub fn signers(&self) -> &Vec<KeyId> {
        &self.judgement.signers
    }

    /// Returns what the user should know of keys and dates, one sentence each.
    pub fn notes(&self) -> &Vec<String> {
        &self.judgement.notes
    }

    /// Returns by what it is believed.
    pub fn trust(&self) -> &Rc<Trust> {
        &self.trust
    }
}

/// By what a manifest is believed: enough to judge it again where more is known of the day.
#[derive(Debug)]
pub struct Trust {
    ring: KeyRing,
    signers: Signers,
    product: String,
    clock: Day,
}

impl Trust {
    /// Returns the key ring.
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// Returns the latest day that is known without any record: the clock's, or that on which the ring was issued.
    pub fn day(&self) -> Day {
        self.ring.issued.map_or(self.clock, |issued| issued.max(self.clock))
    }

    /// Judges again, knowing of a day that has been, and of what.
    pub fn judge(&self, seen: Option<(Day, String)>) -> Result<Judgement, TrustError> {
        let when = When { clock: self.clock, seen };
        self.ring.judge(&self.signers, &self.product, Some(&when))
    }
}

/// What the day may be.
#[derive(Clone, Debug)]
struct When {
    /// What the clock says.
    clock: Day,
    /// A day that has been, and what was then.
    seen: Option<(Day, String)>,
}

/// How the rule was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The keys that count.
    pub signers: Vec<KeyId>,
    /// What the user should know, one sentence each.
    pub notes: Vec<String>,
}

/// Whose signatures a text carries.
#[derive(Clone, Debug)]
struct Signers {
    /// Keys of the ring whose signatures verify.
    valid: Vec<KeyId>,
    /// Keys that all signatures name.
    claimed: Vec<KeyId>,
}

/// Which of the rings of one name a ring is. Rings of different names have nothing to do with one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    /// The ring's name.
    pub name: String,
    /// Its version, which only goes up.
    pub version: u32,
}

object_json!(Edition { name, version });

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key ring {:?} version {}", self.name, self.version)
    }
}

/// A key of a ring.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// Whose it is; the file it came from where it did.
    pub name: String,
    /// The first day on which it counts.
    pub from: Option<Day>,
    /// The last day on which it counts.
    pub until: Option<Day>,
    /// Why it never counts.
    pub revoked: Option<String>,
    public: PublicKey,
    /// The Ed25519 key alone.
    ed25519: Vec<u8>,
}

/// The keys that are believed, and how many of them must agree.
#[derive(Clone, Debug)]
pub struct KeyRing {
    edition: Option<Edition>,
    text: String,
    issued: Option<Day>,
    expires: Option<Day>,
    expiry: Expiry,
    keys: Vec<Key>,
    /// The ring's own rule, then those of products.
    rules: Vec<Rule>,
    floors: Vec<Floor>,
    /// The ring from which it was reached, if it was.
    first: Option<Edition>,
    /// The version that is missing in a chain, and its newest.
    gap: Option<(u32, u32)>,
}

impl KeyRing {
    /// Makes a key ring of public key files (name and text) and, where there is one, `keyring.toml`.
    ///
    /// Without it one signature is enough. Keys are in the files or in it, never in both. The same key in two files is one
    /// key.
    pub fn new<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
        text: Option<&str>,
    ) -> Result<Self, KeyRingError> {
        let files: Vec<_> = files.into_iter().collect();
        Self::named(RING_FILE, &files, text)
    }

    /// Makes a key ring likewise, of a `keyring.toml` that has this name.
    fn named(name: &str, files: &[(&str, &str)], text: Option<&str>) -> Result<Self, KeyRingError> {
        let policy = |reason: String| KeyRingError::Policy { name: name.to_owned(), reason };
        let document = Document::parse(text.unwrap_or("threshold = 1")).map_err(policy)?;
        if !document.keys.is_empty() && !files.is_empty() {
            let reason =
                "it holds keys itself, and there are key files (*.pub) beside it: leave one of the two there";
            return Err(policy(reason.to_owned()));
        }
        let floor = |entry: FloorEntry| Some(Floor { update: entry.update?, revision: entry.revision });
        let mut ring = Self {
            edition: document.name.zip(document.version).map(|(name, version)| Edition { name, version }),
            text: text.unwrap_or_default().to_owned(),
            issued: document.issued,
            expires: document.expires,
            expiry: document.expiry,
            keys: Vec::new(),
            rules: document.rules,
            floors: document.floors.into_iter().filter_map(floor).collect(),
            first: None,
            gap: None,
        };
        for (file, text) in files {
            let line = text.lines().nth(1).unwrap_or_default();
            ring.add(
                KeyEntry { name: (*file).to_owned(), key: line.to_owned(), ..KeyEntry::default() },
                true,
            )?;
        }
        for entry in document.keys {
            ring.add(entry, false)?;
        }
        for rule in &ring.rules {
            let able = ring.keys.iter().filter(|key| key.revoked.is_none() && rule.counts(key)).count();
            if rule.threshold > able {
                return Err(KeyRingError::Threshold {
                    rule: rule.to_string(),
                    threshold: rule.threshold,
                    keys: able,
                });
            }
        }
        Ok(ring)
    }

    /// Adds a key; one of a file may be there already.
    fn add(&mut self, entry: KeyEntry, is_file: bool) -> Result<(), KeyRingError> {
        let KeyEntry { name, key, from, until, revoked } = entry;
        let public = match PublicKey::from_base64(&key) {
            Ok(public) => public,
            Err(error) => return Err(KeyRingError::NotAKey { name, reason: error.to_string() }),
        };
        let (Some(id), Ok(bytes)) = (KeyId::of_base64(&key), Base64::decode_to_vec(&key, None)) else {
            return Err(KeyRingError::NotAKey { name, reason: "no base64".to_owned() });
        };
        let ed25519 = bytes.get(10..).unwrap_or_default().to_vec();
        for other in &self.keys {
            match (other.id == id, other.ed25519 == ed25519) {
                (true, true) if is_file => return Ok(()),
                (_, true) => return Err(KeyRingError::SameKey { name, other: other.name.clone() }),
                (true, false) => return Err(KeyRingError::SameId { name, id }),
                (false, false) => {}
            }
        }
        self.keys.push(Key { id, name, from, until, revoked, public, ed25519 });
        Ok(())
    }

    /// Returns its name and version, if it has them and so can be followed by others.
    pub fn edition(&self) -> Option<&Edition> {
        self.edition.as_ref()
    }

    /// Returns the text of its `keyring.toml`; empty if it has none.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the keys.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Returns the day on which it was issued.
    pub fn issued(&self) -> Option<Day> {
        self.issued
    }

    /// Returns its last day.
    pub fn expires(&self) -> Option<Day> {
        self.expires
    }

    /// Returns what is done about dates.
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// Returns the ring's own rule, then those of products.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns the oldest revisions of updates that were not withdrawn.
    pub fn floors(&self) -> &[Floor] {
        &self.floors
    }

    /// Returns that of an update, where the ring says it.
    pub fn floor(&self, update: &UpdateId) -> Option<u32> {
        self.floors.iter().find(|floor| floor.update == *update).map(|floor| floor.revision)
    }

    /// Refuses a revision of an update that the ring has withdrawn.
    pub fn require_current(&self, update: &UpdateId, revision: u32) -> Result<(), Withdrawn> {
        match self.floor(update).filter(|floor| *floor > revision) {
            None => Ok(()),
            Some(floor) => Err(Withdrawn { update: update.clone(), revision, ring: self.shown(), floor }),
        }
    }

    /// Tells how it was come by, one sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let (Some(first), Some(edition)) = (&self.first, &self.edition) {
            notes.push(format!(
                "key ring version {} is trusted by version {}: `qfe-patcher keys --update` keeps it",
                edition.version, first.version
            ));
        }
        if let Some((missing, newest)) = self.gap {
            notes.push(format!("key ring version {newest} is not used, as version {missing} is missing"));
        }
        notes
    }

    /// Names the ring for people.
    pub fn shown(&self) -> String {
        self.edition.as_ref().map_or_else(|| "key ring".to_owned(), Edition::to_string)
    }

    /// Believes `signed` if enough keys of the ring signed it, and only then parses it; then also by the rule of the
    /// product that it is for.
    pub fn verify<T, E: From<TrustError>>(
        self,
        signed: &Signed,
        clock: Day,
        parse: impl FnOnce(&[u8]) -> Result<T, E>,
        product: impl FnOnce(&T) -> &str,
    ) -> Result<Verified<T>, E> {
        let signers = self.signers(signed)?;
        let mut trust = Trust { ring: self, signers, product: String::new(), clock };
        trust.judge(None)?;
        let value = parse(&signed.bytes)?;
        product(&value).clone_into(&mut trust.product);
        let judgement = trust.judge(None)?;
        let digest = Digest::of(&signed.bytes);
        Ok(Verified { value: Rc::new(value), digest, trust: Rc::new(trust), judgement })
    }

    /// Tells which keys signed, if they are enough whatever the day is.
    pub fn check(&self, signed: &Signed) -> Result<Vec<KeyId>, TrustError> {
        Ok(self.judge(&self.signers(signed)?, "", None)?.signers)
    }

    /// Looks whose signatures verify.
    fn signers(&self, signed: &Signed) -> Result<Signers, TrustError> {
        let mut signers = Signers { valid: Vec::new(), claimed: Vec::new() };
        for (name, text) in &signed.signatures {
            let (id, signature) = decode_signature(name, text)?;
            signers.claimed.push(id);
            let Some(key) = self.keys.iter().find(|key| key.id == id) else { continue };
            if key.public.verify(&signed.bytes, &signature, false).is_err() {
                return Err(TrustError::BadSignature { key: self.name_of(id) });
            }
            signers.valid.push(id);
        }
        Ok(signers)
    }

    /// The rule: enough keys that count, of the ring and then of those that the product's own rule names.
    ///
    /// For no product (an empty name) only the ring's rule holds; without a day, dates count for nothing.
    fn judge(&self, signers: &Signers, product: &str, when: Option<&When>) -> Result<Judgement, TrustError> {
        let mut notes = self.notes();
        let mut passed_over = Vec::new();
        if let Some((missing, newest)) = self.gap {
            passed_over.push(format!("key ring version {newest}, as version {missing} is missing"));
        }
        let today = when.map(|when| self.latest_day(when, &mut notes));
        if let (Some(today), Some(expires)) = (today, self.expires)
            && today > expires
        {
            let ring = self.shown();
            match self.expiry {
                Expiry::Refuse => return Err(TrustError::Expired { ring, expires, today }),
                Expiry::Warn => notes.push(format!(
                    "the {ring} expired on {expires}: ask the vendor for a later one, or for a bundle that carries it"
                )),
            }
        }
        let mut counted = Vec::new();
        // Over the keys, so that each counts once however many signatures it made.
        for key in self.keys.iter().filter(|key| signers.valid.contains(&key.id)) {
            let late = today.and_then(|today| key.not_on(today));
            match (&key.revoked, late) {
                (Some(reason), _) => {
                    passed_over.push(format!("{}, revoked ({reason})", self.name_of(key.id)))
                }
                (None, Some(late)) => {
                    let late = format!("{}, {late}", self.name_of(key.id));
                    match self.expiry {
                        Expiry::Refuse => passed_over.push(late),
                        Expiry::Warn => {
                            counted.push(key.id);
                            notes.push(format!("a signature counts of key {late}"));
                        }
                    }
                }
                (None, None) => counted.push(key.id),
            }
        }
        for rule in self.rules.iter().filter(|rule| rule.is_for(product)) {
            let members: Vec<KeyId> =
                self.keys.iter().filter(|key| rule.counts(key)).map(|key| key.id).collect();
            let valid = members.iter().filter(|id| counted.contains(id)).count();
            if valid < rule.threshold {
                return Err(TrustError::Threshold {
                    valid,
                    signers: self.list(&signers.claimed),
                    ring: self.list(&members),
                    threshold: rule.threshold,
                    rule: rule.to_string(),
                    passed_over,
                });
            }
        }
        Ok(Judgement { signers: counted, notes })
    }

    /// Returns the latest day that is known to have been, and notes where the clock says an earlier one.
    fn latest_day(&self, when: &When, notes: &mut Vec<String>) -> Day {
        let (mut latest, mut what) = (when.clock, None);
        if let Some(issued) = self.issued.filter(|issued| *issued > latest) {
            (latest, what) = (issued, Some(format!("the {} was issued", self.shown())));
        }
        if let Some((day, then)) = when.seen.as_ref().filter(|(day, _)| *day > latest) {
            (latest, what) = (*day, Some(then.clone()));
        }
        if let Some(what) = what {
            notes.push(format!(
                "the clock says {}, but {what} on {latest}: dates are judged by the later day; set the clock",
                when.clock
            ));
        }
        latest
    }

    /// Shows a key by its id, with its name where it has one.
    pub fn name_of(&self, id: KeyId) -> String {
        match self.keys.iter().find(|key| key.id == id) {
            Some(key) => format!("{id} ({})", key.name),
            None => id.to_string(),
        }
    }

    fn list(&self, ids: &[KeyId]) -> String {
        if ids.is_empty() {
            return "nobody".to_owned();
        }
        ids.iter().map(|id| self.name_of(*id)).collect::<Vec<_>>().join(", ")
    }
}

impl Rule {
    /// Tells whether it holds for a product, or for none.
    fn is_for(&self, product: &str) -> bool {
        self.product.is_empty() || self.product.eq_ignore_ascii_case(product)
    }

    fn counts(&self, key: &Key) -> bool {
        self.keys.is_empty() || self.keys.contains(&key.name)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.product.is_empty() {
            f.write_str("the key ring")
        } else {
            write!(f, "the rule for product {:?}", self.product)
        }
    }
}

impl Key {
    /// Says why it is not valid on a day, if it is not.
    fn not_on(&self, day: Day) -> Option<String> {
        let limit = match (self.from, self.until) {
            (Some(from), _) if day < from => format!("valid from {from}"),
            (_, Some(until)) if day > until => format!("valid until {until}"),
            _ => return None,
        };
        Some(format!("{limit}, and it is {day}"))
    }
}

/// Reads which key a signature file names, without believing it.
pub fn claimed_signer(name: &str, text: &str) -> Result<KeyId, TrustError> {
    decode_signature(name, text).map(|(id, _)| id)
}

fn decode_signature(name: &str, text: &str) -> Result<(KeyId, minisign_verify::Signature), TrustError> {
    let refuse = |reason: String| TrustError::NotASignature { name: name.to_owned(), reason };
    let signature = minisign_verify::Signature::decode(text).map_err(|error| refuse(error.to_string()))?;
    let mut lines = text.lines();
    match (lines.nth(1).and_then(KeyId::of_base64), lines.nth(2)) {
        (Some(id), None) => Ok((id, signature)),
        _ => Err(refuse("more than four lines, or no key id".to_owned())),
    }
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
        ring.check(signed).map(|signers| signers.len())
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
        let error = KeyRing::new([("a.pub", PUBLIC)], Some("threshold = 2")).unwrap_err().to_string();
        assert!(
            error.starts_with("the threshold of the key ring is 2, and it holds 1 key: so many"),
            "{error}"
        );
        assert!(KeyRing::new([], None).is_err());
        for policy in ["threshold = 0", "treshold = 1", ""] {
            let error = KeyRing::new([("a.pub", PUBLIC)], Some(policy)).unwrap_err();
            assert!(matches!(error, KeyRingError::Policy { .. }), "{error}");
        }
    }

    fn line(public: &str) -> &str {
        public.lines().nth(1).unwrap()
    }

    /// A ring of two keys, Ann (of `SIGNATURE`) and Bob, with these lines before them and behind each.
    fn ring(before: &str, ann: &str, bob: &str, behind: &str) -> Result<KeyRing, KeyRingError> {
        let key = |name: &str, public: &str, more: &str| {
            format!("[[key]]\nname = \"{name}\"\nkey = \"{}\"\n{more}\n", line(public))
        };
        let text = format!("{before}\n{}{}{behind}\n", key("Ann", PUBLIC, ann), key("Bob", OTHER, bob));
        KeyRing::new([], Some(&text))
    }

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    /// Judges a text that Ann and Bob signed, on a day, for a product.
    fn judged(ring: &KeyRing, product: &str, clock: &str) -> Result<Judgement, TrustError> {
        let signed = signed(b"test", &[SIGNATURE, OTHER_SIGNATURE]);
        let parse = |_: &[u8]| Ok::<_, TrustError>(product.to_owned());
        ring.clone().verify(&signed, day(clock), parse, |product| product).map(|verified| verified.judgement)
    }

    #[test]
    fn a_revoked_key_never_counts_and_is_named_with_the_reason() {
        let ring = ring("threshold = 1", "revoked = \"lost\"", "", "").unwrap();
        assert_eq!(verify(&ring, &signed(b"test", &[SIGNATURE, OTHER_SIGNATURE])), Ok(1));
        let error = verify(&ring, &signed(b"test", &[SIGNATURE])).unwrap_err().to_string();
        assert!(error.starts_with("no key of the key ring signed it, 1 must; signed by: "), "{error}");
        assert!(error.contains("(Ann); the key ring holds: "), "{error}");
        assert!(error.ends_with("(Ann), revoked (lost)"), "{error}");
    }

    #[test]
    fn a_threshold_that_only_a_revoked_key_could_meet_is_refused() {
        let error = ring("threshold = 2", "revoked = \"lost\"", "", "").unwrap_err();
        assert!(matches!(error, KeyRingError::Threshold { threshold: 2, keys: 1, .. }), "{error}");
    }

    #[test]
    fn one_key_under_two_names_or_two_ids_is_refused() {
        let key = |name: &str, line: &str| format!("[[key]]\nname = \"{name}\"\nkey = \"{line}\"\n");
        let mut bytes = Base64::decode_to_vec(line(PUBLIC), None).unwrap();
        bytes[2] ^= 1;
        let other_id = <Base64 as ct_codecs::Encoder>::encode_to_string(&bytes).unwrap();
        for second in [line(PUBLIC), other_id.as_str()] {
            let text = format!("threshold = 1\n{}{}", key("Ann", line(PUBLIC)), key("Bob", second));
            let error = KeyRing::new([], Some(&text)).unwrap_err();
            assert_eq!(error.to_string(), "Bob: is the same key as Ann: one key must not count twice");
        }
        let file = format!("untrusted comment: x\n{other_id}\n");
        let error = KeyRing::new([("a.pub", PUBLIC), ("b.pub", &file)], None).unwrap_err();
        assert!(matches!(error, KeyRingError::SameKey { .. }), "{error}");
    }

    #[test]
    fn keys_are_in_the_ring_or_beside_it() {
        let text = format!("threshold = 1\n[[key]]\nname = \"Ann\"\nkey = \"{}\"", line(PUBLIC));
        assert!(KeyRing::new([], Some(&text)).is_ok());
        let error = KeyRing::new([("b.pub", OTHER)], Some(&text)).unwrap_err().to_string();
        assert!(error.contains("key files (*.pub) beside it"), "{error}");
    }

    #[test]
    fn dates_are_told_or_refuse_as_the_ring_says() {
        let dates = "issued = \"2026-01-01\"\nexpires = \"2026-12-31\"";
        for (clock, ann, note) in [
            ("2026-01-01", "", None),
            ("2026-12-31", "", None),
            ("2027-01-01", "", Some("expired on 2026-12-31")),
            ("2025-12-31", "", Some("the clock says 2025-12-31, but the key ring was issued on 2026-01-01")),
            ("2026-05-05", "until = \"2026-05-05\"", None),
            ("2026-05-06", "until = \"2026-05-05\"", Some("valid until 2026-05-05, and it is 2026-05-06")),
            ("2026-05-04", "from = \"2026-05-05\"", Some("valid from 2026-05-05, and it is 2026-05-04")),
            ("2026-05-05", "from = \"2026-05-05\"", None),
        ] {
            let warns = ring(&format!("threshold = 2\n{dates}"), ann, "", "").unwrap();
            let notes = judged(&warns, "p", clock).unwrap().notes.join("\n");
            assert!(
                notes.contains(note.unwrap_or_default()) && note.is_some() != notes.is_empty(),
                "{notes}"
            );
            let refuses = ring(&format!("threshold = 2\nexpiry = \"refuse\"\n{dates}"), ann, "", "").unwrap();
            let is_of_clock = note.is_some_and(|note| note.starts_with("the clock"));
            let result = judged(&refuses, "p", clock);
            assert_eq!(result.is_err(), note.is_some() && !is_of_clock, "{clock}: {result:?}");
        }
    }

    #[test]
    fn a_clock_set_back_makes_no_expired_ring_good() {
        let text = "threshold = 1\nexpiry = \"refuse\"\nexpires = \"2026-12-31\"";
        let ring = ring(text, "", "", "").unwrap();
        let signed = signed(b"test", &[SIGNATURE]);
        let parse = |_: &[u8]| Ok::<_, TrustError>(());
        let verified = ring.verify(&signed, day("2026-06-01"), parse, |()| "p").unwrap();
        let seen = |text: &str| verified.trust().judge(Some((day(text), "Q1 was applied".to_owned())));
        assert_eq!(seen("2026-06-01").unwrap().notes, [""; 0]);
        let notes = seen("2026-12-31").unwrap().notes;
        assert!(notes[0].contains("Q1 was applied on 2026-12-31"), "{notes:?}");
        let error = seen("2027-01-01").unwrap_err().to_string();
        assert!(error.contains("2026-12-31") && error.contains("it is 2027-01-01 or later"), "{error}");
    }

    #[test]
    fn a_product_asks_for_more_and_for_certain_keys_and_never_for_less() {
        let rule = |text: &str| format!("[[product]]\nname = \"Mail\"\n{text}");
        let ring_of = |threshold: usize, text: &str| {
            ring(&format!("threshold = {threshold}"), "", "", &rule(text)).unwrap()
        };
        let by_ann = |ring: &KeyRing, product: &str| {
            let parse = |_: &[u8]| Ok::<_, TrustError>(product.to_owned());
            let signed = signed(b"test", &[SIGNATURE]);
            ring.clone().verify(&signed, day("2026-01-01"), parse, |product| product).map(drop)
        };
        let more = ring_of(1, "threshold = 2");
        assert!(by_ann(&more, "Other").is_ok());
        let error = by_ann(&more, "mail").unwrap_err().to_string();
        assert!(error.starts_with("1 key of the rule for product \"Mail\" signed it, 2 must"), "{error}");
        assert!(judged(&more, "Mail", "2026-01-01").is_ok());
        let only_bob = ring_of(1, "threshold = 1\nkeys = [\"Bob\"]");
        assert!(by_ann(&only_bob, "Mail").is_err());
        assert!(judged(&only_bob, "Mail", "2026-01-01").is_ok());
        assert!(by_ann(&ring_of(2, "threshold = 1"), "Mail").is_err());
        for text in ["threshold = 3", "threshold = 2\nkeys = [\"Bob\"]"] {
            let error = ring("threshold = 1", "", "", &rule(text)).unwrap_err();
            assert!(matches!(error, KeyRingError::Threshold { .. }), "{error}");
        }
        let error = ring("threshold = 1", "", "", &rule("threshold = 1\nkeys = [\"Eve\"]")).unwrap_err();
        assert!(error.to_string().contains("names a key \"Eve\", which is not there"), "{error}");
    }

    #[test]
    fn nothing_is_parsed_before_enough_keys_signed() {
        let parse = |_: &[u8]| -> Result<(), TrustError> { panic!("it was parsed") };
        let signed = signed(b"test", &[SIGNATURE]);
        assert!(two_of_two().verify(&signed, day("2026-01-01"), parse, |()| "p").is_err());
    }

    #[test]
    fn a_signature_file_with_anything_behind_it_is_refused() {
        let ring = KeyRing::new([("a.pub", PUBLIC)], None).unwrap();
        let result = verify(&ring, &signed(b"test", &[&format!("{SIGNATURE}more\n")]));
        assert!(matches!(result, Err(TrustError::NotASignature { .. })), "{result:?}");
    }

    #[test]
    fn a_floor_is_of_one_update_whatever_its_case() {
        let ring = ring("threshold = 1", "", "", "[[floor]]\nupdate = \"Q1\"\nrevision = 2").unwrap();
        assert_eq!(ring.floor(&"q1".parse().unwrap()), Some(2));
        assert_eq!(ring.floor(&"Q2".parse().unwrap()), None);
    }
}
