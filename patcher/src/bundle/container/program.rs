//! What stands before the zip of a self-extracting bundle: the patcher's program, and perhaps a key ring.
//!
//! ```text
//! program, a PE image to the end of its last section
//! "QFE-RING", length n (4, little-endian), n bytes of a keyring.toml     or nothing
//! zip, all positions in which count from the file's beginning
//! ```
//!
//! Nothing signs these bytes, and readers of the bundle pass over them. The ring is believed by the program that it stands behind
//! while that is running, and by no other: who can change the one can change the other.

use std::io::SeekFrom;

use super::{ContainerError, ContainerKind, Source, zip};
use crate::bundle::keyring::MAX_RING;
use crate::image::end_of_sections;

/// The mark of a key ring.
pub const RING_MARK: &[u8; 8] = b"QFE-RING";
/// Bytes before the ring's text.
const RING_HEAD: usize = RING_MARK.len() + 4;
/// The headers of a program lie in so many bytes.
const HEAD: u64 = 4096;

/// A program, and what it carries.
#[derive(Clone, Debug)]
pub struct Program {
    /// How many bytes the program itself has.
    pub size: u64,
    /// The text of the key ring behind it, unread.
    pub ring: Option<Vec<u8>>,
}

impl Program {
    /// Reads the headers of the program with which a file begins, and the key ring behind it.
    pub fn read(source: &mut dyn Source) -> Result<Self, ContainerError> {
        let irregular = |what| Err(ContainerError::Irregular { kind: ContainerKind::Exe, what });
        let Some(size) = end_of_sections(&part(source, 0, HEAD)?) else {
            return irregular("no whole headers of a program (MZ, PE)".to_owned());
        };
        let block = part(source, size, RING_HEAD as u64 + MAX_RING)?;
        // In the program the mark stands in one piece: by it the builder knows a patcher.
        let Some(behind) = block.strip_prefix(std::hint::black_box(RING_MARK)) else {
            return Ok(Self { size, ring: None });
        };
        let (length, text) = behind.split_first_chunk().unwrap_or((&[0xff; 4], &[]));
        let length = u32::from_le_bytes(*length);
        let text = usize::try_from(length).ok().and_then(|length| text.get(..length));
        match text {
            Some(text) => Ok(Self { size, ring: Some(text.to_vec()) }),
            None => irregular(format!("a key ring of {length} bytes, more than follow or than {MAX_RING}")),
        }
    }

    /// Returns where the zip begins.
    pub fn archive_at(&self) -> u64 {
        self.size + self.ring.as_ref().map_or(0, |text| (RING_HEAD + text.len()) as u64)
    }
}

/// Reads so many bytes from a position, or those that there are.
fn part(source: &mut dyn Source, at: u64, len: u64) -> Result<Vec<u8>, ContainerError> {
    let size = source.seek(SeekFrom::End(0)).map_err(ContainerError::Read)?;
    let len = size.saturating_sub(at).min(len);
    zip::read_at(source, at, usize::try_from(len).unwrap_or(0))
}

#[cfg(test)]
pub(super) mod fixture;
