//! Why keys, key rings and signatures are refused.

use super::KeyId;
use crate::chain::debug_as_shown;
use crate::day::Day;
use crate::name::UpdateId;

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
