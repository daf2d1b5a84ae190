//! Self-extracting bundles: what stands before the zip, the patcher's program for Windows and a key ring
//! ([`qfe_patcher::bundle::container::program`]).
//!
//! The program's bytes are left as they are, so that anybody can hold them against the patcher that was given away.

use qfe_patcher::bundle::container::ContainerError;
use qfe_patcher::bundle::container::program::{Program, RING_MARK};
use qfe_patcher::bundle::keyring::{KeyRing, KeyRingError, MAX_RING};
use qfe_patcher::image::{Image, NotAnImage};
use qfe_patcher::platform::Machine;

use crate::ring;

/// Why nothing can stand before a bundle.
#[derive(Debug, thiserror::Error)]
pub enum PrefixError {
    /// It is no program.
    #[error("{name} is no program for Windows")]
    NotAProgram {
        /// The file.
        name: String,
        /// Why.
        source: NotAnImage,
    },
    /// A program for another processor.
    #[error("{name} is for {found}, a program for Windows on Intel (0x014c or 0x8664) is wanted")]
    Machine {
        /// The file.
        name: String,
        /// What it is for.
        found: Machine,
    },
    /// Its headers lead nowhere.
    #[error("{name} is no whole program")]
    Headers {
        /// The file.
        name: String,
        /// Why.
        source: ContainerError,
    },
    /// It does not end where its sections do.
    #[error(
        "{name} has {size} bytes, its sections end at {end}: it is cut off, signed by Authenticode, or carries something"
    )]
    Size {
        /// The file.
        name: String,
        /// How many bytes it has.
        size: usize,
        /// Where it should end.
        end: u64,
    },
    /// Some other program.
    #[error("{name} is a program for Windows, and no qfe-patcher that can carry a bundle")]
    NotAPatcher {
        /// The file.
        name: String,
    },
    /// The ring cannot be written down in one text.
    #[error("the key ring cannot be put into the bundle")]
    Ring(#[from] KeyRingError),
    /// The ring is too long.
    #[error("the key ring has {size} bytes as one text, at most {MAX_RING} are read")]
    RingSize {
        /// How many it has.
        size: usize,
    },
}

/// Takes a file for the patcher's program, and requires that it is one that can carry a bundle.
pub fn require_patcher(name: &str, bytes: &[u8]) -> Result<(), PrefixError> {
    let name = || name.to_owned();
    let image = Image::read(bytes).map_err(|source| PrefixError::NotAProgram { name: name(), source })?;
    if ![0x014c, 0x8664].contains(&image.machine.0) {
        return Err(PrefixError::Machine { name: name(), found: image.machine });
    }
    let program = Program::read(&mut std::io::Cursor::new(bytes))
        .map_err(|source| PrefixError::Headers { name: name(), source })?;
    if program.size != bytes.len() as u64 {
        return Err(PrefixError::Size { name: name(), size: bytes.len(), end: program.size });
    }
    if bytes.windows(RING_MARK.len()).any(|window| window == RING_MARK) {
        Ok(())
    } else {
        Err(PrefixError::NotAPatcher { name: name() })
    }
}

/// Returns what stands before the zip: the program, which [`require_patcher`] has seen, and the key ring.
pub fn prefix(program: &[u8], ring: &KeyRing) -> Result<Vec<u8>, PrefixError> {
    let text = ring::text(ring)?;
    let length = u32::try_from(text.len()).ok().filter(|length| u64::from(*length) <= MAX_RING);
    let length = length.ok_or(PrefixError::RingSize { size: text.len() })?;
    Ok([program, RING_MARK, &length.to_le_bytes(), text.as_bytes()].concat())
}

#[cfg(test)]
#[path = "../../../patcher/src/bundle/container/program/fixture.rs"]
#[expect(dead_code, reason = "it is written for the tests of the patcher too")]
mod fixture;

#[cfg(test)]
mod tests {
    use super::fixture::{patcher, program};
    use super::*;
    use crate::sign::{NewKey, SigningKey, key_ring};

    #[test]
    fn only_a_whole_patcher_for_windows_is_taken() {
        require_patcher("p", &patcher()).unwrap();
        let mut alpha = patcher();
        alpha[0x44..0x46].copy_from_slice(&[0x84, 1]);
        for (bytes, words) in [
            (b"\x7fELF".to_vec(), "p is no program for Windows"),
            (alpha, "is for alpha"),
            (program(), "no qfe-patcher that can carry a bundle"),
            (patcher()[..0x3ff].to_vec(), "has 1023 bytes, its sections end at 1024"),
            ([patcher(), b"a signature".to_vec()].concat(), "has 1035 bytes, its sections end at 1024"),
            (patcher()[..0x140].to_vec(), "p is no whole program"),
        ] {
            let message = require_patcher("p", &bytes).unwrap_err().to_string();
            assert!(message.contains(words), "{words}: {message}");
        }
    }

    #[test]
    fn program_and_ring_are_read_as_they_were_written() {
        let keys: Vec<SigningKey> = (0..2)
            .map(|_| SigningKey::read("k", &NewKey::generate(None).unwrap().secret, &[]).unwrap())
            .collect();
        let ring = key_ring(&keys).unwrap();
        let prefix = prefix(&patcher(), &ring).unwrap();
        let read = Program::read(&mut std::io::Cursor::new(&prefix)).unwrap();
        assert_eq!((read.size, read.archive_at()), (patcher().len() as u64, prefix.len() as u64));
        let text = String::from_utf8(read.ring.unwrap()).unwrap();
        let again = KeyRing::new([], Some(&text)).unwrap();
        let ids = |ring: &KeyRing| ring.keys().iter().map(|key| key.id).collect::<Vec<_>>();
        assert_eq!((ids(&again), again.rules()), (ids(&ring), ring.rules()));
    }
}
