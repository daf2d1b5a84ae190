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

use crate::day::Day;
use crate::digest::Digest;
use crate::json::object_json;
use crate::name::UpdateId;
use document::{Document, FloorEntry, KeyEntry};

mod chain;
mod document;
mod error;
mod toml;

pub use chain::{Chain, ChainError, Link, MAX_RINGS, RING_FOLDER, part_of_chain};
pub use document::{Expiry, Floor, RING_FILE, Rule};
pub use error::{KeyRingError, TrustError, Withdrawn};

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

    /// Returns those bytes.
    pub fn to_le_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
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

impl Key {
    /// Returns the Ed25519 key alone.
    pub fn ed25519(&self) -> &[u8] {
        &self.ed25519
    }
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
    /// The chain of which that is so: another chain may hold what it misses.
    spare: Chain,
    /// Whether it, or the one that led to it, stands in the running program.
    is_own: bool,
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
            spare: Chain::default(),
            is_own: false,
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

    /// Marks it as the one in the running program.
    pub fn own(self) -> Self {
        Self { is_own: true, ..self }
    }

    /// Tells whether it, or the one that led to it, stands in the running program.
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// Tells how it was come by, one sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.is_own {
            notes.push(
                "the key ring is this program's own, as trustworthy as the place that the program came from; --keys names \
                 another"
                    .to_owned(),
            );
        }
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
mod tests;
