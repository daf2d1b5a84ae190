//! Key rings that follow one another: how a ring is replaced by a later one without anybody's word but its keys'.
//!
//! ```text
//! keyring/<version>.toml                a ring of that version
//! keyring/<version>.<key id>.minisig    a signature of its exact bytes, one for each signer
//! ```
//!
//! They are members of a bundle, or files beside a ring. From the ring that is trusted, of version *v*, the next is *v* + 1, if
//! enough keys of *v* and enough of *v* + 1 signed it, each by its own threshold; and so on to the newest, which verifies the
//! manifest. No step is left out: where one is missing the chain ends. Dates count for nothing here, for who comes late
//! must be able to catch up; revoked keys never count. (The Update Framework's rule for its root, section 5.3.)

use super::{Edition, KeyRing, KeyRingError, Signed, TrustError};
use crate::bundle::{MAX_SIGNATURES, SIGNATURE_ENDING};
use crate::chain::debug_as_shown;

/// The folder of the chain, in a bundle and beside a ring.
pub const RING_FOLDER: &str = "keyring/";
/// Most rings of a chain: decades of a new one every half year.
pub const MAX_RINGS: usize = 64;

/// Why a chain is not followed.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A member that can be no part of a chain.
    #[error("{name} is no part of a chain of key rings: VERSION.toml and VERSION.KEY-ID.minisig are")]
    Name {
        /// Its name.
        name: String,
    },
    /// More than any chain has.
    #[error("more than {MAX_RINGS} key rings, or {MAX_SIGNATURES} signatures of one, at {name}")]
    TooMany {
        /// The first that is too many.
        name: String,
    },
    /// A ring that the one before, or it itself, does not believe.
    #[error("key ring version {version} is not signed as version {by} asks for")]
    Untrusted {
        /// Its version.
        version: u32,
        /// The version of the ring that asks: the one before, or its own.
        by: u32,
        /// Why.
        source: TrustError,
    },
    /// A ring that cannot be read.
    #[error("a key ring of the chain cannot be read")]
    Ring(#[from] KeyRingError),
    /// A ring that is another one than its place says.
    #[error("{found} stands where {wanted} is wanted")]
    Other {
        /// What it is.
        found: String,
        /// What is wanted.
        wanted: String,
    },
    /// Two rings of one version.
    #[error("there are two different texts of {edition}, the trusted one and that of the chain")]
    Fork {
        /// What both say they are.
        edition: Edition,
    },
}

debug_as_shown!(ChainError);

/// Rings and their signatures: nothing of them is believed yet.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    links: Vec<Link>,
}

/// A ring of a chain.
#[derive(Clone, Debug)]
pub struct Link {
    /// The version that its name states.
    pub version: u32,
    /// Whether the ring itself is there, and not signatures alone.
    pub is_there: bool,
    /// Its text and signatures.
    pub signed: Signed,
}

/// Tells which version a name in the folder of a chain is of, and whether it is that of the ring itself.
pub fn part_of_chain(name: &str) -> Option<(u32, bool)> {
    let (digits, rest) = name.split_once('.')?;
    let version: u32 = digits.parse().ok()?;
    let is_plain =
        version > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let is_signature = rest.strip_suffix(SIGNATURE_ENDING).is_some_and(|id| !id.is_empty());
    (is_plain && (rest == "toml" || is_signature)).then_some((version, rest == "toml"))
}

impl Chain {
    /// Returns the rings, in no order.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Adds a file of this name, which is without the folder.
    pub fn add(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), ChainError> {
        let wrong = || ChainError::Name { name: name.to_owned() };
        let (version, is_ring) = part_of_chain(name).ok_or_else(wrong)?;
        let at = self.links.iter().position(|link| link.version == version).unwrap_or(self.links.len());
        if at == self.links.len() {
            let signed = Signed { bytes: Vec::new(), signatures: Default::default() };
            self.links.push(Link { version, is_there: false, signed });
        }
        let count = self.links.len();
        let Some(link) = self.links.get_mut(at) else { return Ok(()) };
        if is_ring {
            (link.is_there, link.signed.bytes) = (true, bytes);
        } else {
            let text = String::from_utf8(bytes).map_err(|_| wrong())?;
            link.signed.signatures.insert(format!("{RING_FOLDER}{name}"), text);
        }
        if count > MAX_RINGS || link.signed.signatures.len() > MAX_SIGNATURES {
            return Err(ChainError::TooMany { name: name.to_owned() });
        }
        Ok(())
    }

    /// Returns the ring of a version, unbelieved.
    pub fn link(&self, version: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.version == version && link.is_there)
    }
}

impl Link {
    /// Reads the ring, believing nothing of it; it must be what its name says.
    pub fn read(&self) -> Result<KeyRing, ChainError> {
        let name = format!("{RING_FOLDER}{}.toml", self.version);
        let text = str::from_utf8(&self.signed.bytes).unwrap_or("it is no text");
        let ring = KeyRing::named(&name, &[], Some(text))?;
        match &ring.edition {
            Some(edition) if edition.version == self.version => Ok(ring),
            _ => Err(ChainError::Other { found: ring.shown(), wanted: name }),
        }
    }
}

impl KeyRing {
    /// Follows a chain to the newest ring that it leads to, with those of the chain before that a missing one kept from
    /// being reached. A ring without a version stays what it is.
    pub fn follow(mut self, chain: &Chain) -> Result<Self, ChainError> {
        let Some(edition) = self.edition.clone() else { return Ok(self) };
        if let Some(link) = chain.link(edition.version) {
            // Ends of lines may have been changed on the trusted one's way; nothing else may.
            let text = str::from_utf8(&link.signed.bytes).unwrap_or_default();
            if !text.lines().eq(self.text.lines()) {
                return Err(ChainError::Fork { edition });
            }
        }
        let mut reached = edition.version;
        let spare = std::mem::take(&mut self.spare);
        let next = |version: u32| chain.link(version).or_else(|| spare.link(version));
        while let Some(link) = next(reached.saturating_add(1)).filter(|link| link.version > reached) {
            let version = link.version;
            let untrusted = |by| move |source| ChainError::Untrusted { version, by, source };
            self.check(&link.signed).map_err(untrusted(reached))?;
            // Only now is it parsed: the one before believes it.
            let next = link.read()?;
            let wanted = Edition { name: edition.name.clone(), version };
            if next.edition.as_ref() != Some(&wanted) {
                return Err(ChainError::Other { found: next.shown(), wanted: wanted.to_string() });
            }
            next.check(&link.signed).map_err(untrusted(version))?;
            let before = std::mem::replace(&mut self, next);
            self.is_own = before.is_own;
            self.first = before.first.or(before.edition);
            reached = version;
        }
        let newest = chain.links.iter().chain(&spare.links).map(|link| link.version).max().unwrap_or(0);
        self.gap = (newest > reached).then(|| (reached + 1, newest));
        if self.gap.is_some() {
            self.spare = chain.clone();
        }
        Ok(self)
    }

    /// Returns the ring from which this one was reached; none if it is that itself.
    pub fn first(&self) -> Option<&Edition> {
        self.first.as_ref()
    }

    /// Returns the version that is missing in a chain, and its newest.
    pub fn gap(&self) -> Option<(u32, u32)> {
        self.gap
    }
}
