//! Chains of key rings, as the one who issues them sees them: every step from the oldest to the newest.

use std::collections::BTreeMap;

use qfe_patcher::bundle::keyring::{Chain, ChainError, KeyRing, RING_FOLDER};

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
