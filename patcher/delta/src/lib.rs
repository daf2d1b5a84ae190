//! The codec of deltas between executables: what encoder and decoder have in common, and the decoder.
//!
//! A new version of a program differs from the old one mostly in where things are. So both files are cut into items,
//! instructions and data, without the addresses in them; the new file is told item by item by the old one's; addresses
//! follow at the end, when it is known where everything went; what can be computed is not told at all. Each decision on
//! the way is predicted by a model that learns from all before it, and coded in as few bits as it is surprising.
//!
//! Files that are no images of Windows, or for other processors, are coded by the same means as plain data.
//!
//! # The format
//!
//! ```text
//! offset  size  what
//!      0     1  "Q": the codec, in this version of its format
//!      1     2  the lower half of the CRC-32 of the old file followed by the new one, little-endian
//!      3   ...  the stream, see [`coder`] and [`stream`]
//! ```
//!
//! `FORMAT.md` beside this crate's `Cargo.toml` is the specification, and all numbers in it are part of the format; the
//! modules' documentation explains. Everything is computed in integers of stated width, so that every machine decodes
//! the same bytes. What a delta says is decided by its encoder, in the builder; every stream that decodes is valid.
//!
//! | module | is responsible for |
//! |---|---|
//! | [`coder`] | the arithmetic coder |
//! | `model`, [`models`] | what is likely |
//! | [`start`], [`training`] | what is likely before anything was seen |
//! | [`image`] | headers, sections, relocations |
//! | [`isa`] | instructions and references: the seam for processors |
//! | [`file`](mod@file) | regions and items |
//! | [`stream`] | the order of things |
//! | `walk` | the first pass: items |
//! | `literal` | new items |
//! | `rename`, `matcher`, `history` | what items are predicted by |
//! | `references` | the second pass: targets |
//! | `relocations` | the table that follows from the references |
//! | [`source`] | what an encoder wants |
//!
//! # Bounds
//!
//! Nothing of a delta is trusted. Before anything is allocated for it, the new file's size is held against the caller's
//! limit; each step makes at least one byte or fails, so that time is linear in the sizes of both files, whatever a delta
//! says; all else that grows has a bound of its own. At the end the stream must end as encoders end it, and the checksum
//! of both files must be right.

mod bits;
mod bytes;
mod checksum;
pub mod coder;
mod error;
pub mod file;
mod history;
pub mod image;
pub mod isa;
mod list;
mod literal;
mod matcher;
mod model;
pub mod models;
mod references;
mod relocations;
mod rename;
mod runs;
pub mod source;
pub mod start;
pub mod stream;
pub mod training;
mod walk;

pub use error::DeltaError;

use bytes::u16_at;
use checksum::Checksum;
use coder::Decoder;
use image::rich;
use stream::{MAX_SIZE, transcode};

/// The first byte: the codec and the version of its format.
pub const MAGIC: u8 = b'Q';
/// Bytes before the stream.
pub const HEAD: usize = 3;

/// Returns what stands before the stream of a delta.
#[must_use]
pub fn head(old: &[u8], new: &[u8]) -> [u8; HEAD] {
    let [low, high] = Checksum::of(old).and(new).to_le_bytes();
    [MAGIC, low, high]
}

/// Makes the new file from `old` and `delta`; refuses to make more than `limit` bytes.
///
/// Takes the old file to change its headers: files may be too large for another copy.
pub fn decode(mut old: Vec<u8>, delta: &[u8], limit: u64) -> Result<Vec<u8>, DeltaError> {
    if delta.first() != Some(&MAGIC) {
        return Err(DeltaError::UnknownFormat);
    }
    let stream = delta.get(HEAD..).ok_or(DeltaError::Truncated { part: "head" })?;
    if old.len() > MAX_SIZE as usize {
        return Err(DeltaError::TooLarge { found: old.len() as u64, limit: u64::from(MAX_SIZE) });
    }
    let checksum = Checksum::of(&old);
    rich::unmask(&mut old);
    let (new, decoder) = transcode(Decoder::new(stream), &old, None, limit)?;
    decoder.finish()?;
    let (found, wanted) = (checksum.and(&new), u16_at(delta, 1));
    if found == wanted { Ok(new) } else { Err(DeltaError::WrongChecksum { found, wanted }) }
}
