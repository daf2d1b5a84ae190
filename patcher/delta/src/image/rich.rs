//! The Rich header: what Microsoft's linker notes of the tools that made the parts of an image.
//!
//! It stands between the MS-DOS stub and the PE header, and all of it is masked with a key that is a checksum of the
//! stub and of the notes: so that one number more makes other bytes of everything. It is coded unmasked, and masked again.
//!
//! ```text
//! offset    size   what
//!      0       4   "DanS", masked
//!      4      12   zeros, masked
//!     16     8*n   for each tool its number and how many objects it made, masked
//!      -       4   "Rich"
//!      -       4   the key; 0 while it is unmasked
//! key = offset of "DanS"
//!     + every byte before it, but for the four at 0x3c, rotated left by its offset
//!     + every tool's number, rotated left by how many objects it made
//! ```
//!
//! Microsoft does not document it; the key was taken from images, all of which agree.

use crate::bytes::{put_u32, try_u32, u32_at};

/// `DanS`.
const START: u32 = 0x536e_6144;
/// `Rich`.
const END: u32 = 0x6863_6952;
/// Where the MS-DOS header says where the PE header begins.
const HEADER_AT: u32 = 0x3c;
/// The largest PE header's offset that is looked at: tools number a few dozen.
const FARTHEST: u32 = 0x1000;

/// Where a Rich header lies, and the key that it states.
#[derive(Clone, Copy, Debug)]
struct Rich {
    start: u32,
    end: u32,
    key: u32,
}

impl Rich {
    /// Finds the header of an image.
    fn find(bytes: &[u8]) -> Option<Self> {
        let header_at = try_u32(bytes, HEADER_AT).filter(|at| bytes.starts_with(b"MZ") && *at <= FARTHEST)?;
        let words = || (0x40..header_at.saturating_sub(4)).step_by(4);
        let end = words().rev().find(|at| u32_at(bytes, *at) == END)?;
        let key = u32_at(bytes, end + 4);
        let start = words().find(|at| u32_at(bytes, *at) ^ key == START && *at < end)?;
        Some(Self { start, end, key })
    }

    /// Computes the key of an unmasked header.
    fn right_key(&self, bytes: &[u8]) -> u32 {
        let stub = (0..self.start).zip(bytes).filter(|(at, _)| *at & !3 != HEADER_AT);
        let stub =
            stub.fold(self.start, |sum, (at, byte)| sum.wrapping_add(u32::from(*byte).rotate_left(at)));
        let tools = (self.start + 16..self.end).step_by(8);
        tools.fold(stub, |sum, at| sum.wrapping_add(u32_at(bytes, at).rotate_left(u32_at(bytes, at + 4))))
    }

    /// Masks the header with a key, or unmasks it, and states another.
    fn mask(&self, bytes: &mut [u8], key: u32, stated: u32) {
        for at in (self.start..self.end).step_by(4) {
            let word = u32_at(bytes, at);
            put_u32(bytes, at, word ^ key);
        }
        put_u32(bytes, self.end + 4, stated);
    }
}

/// Unmasks the Rich header of an image, if it has one that a decoder can mask again; tells whether.
pub fn unmask(bytes: &mut [u8]) -> bool {
    let Some(rich) = Rich::find(bytes).filter(|rich| rich.key != 0) else { return false };
    rich.mask(bytes, rich.key, 0);
    let right = rich.right_key(bytes) == rich.key;
    if !right {
        rich.mask(bytes, rich.key, rich.key);
    }
    right
}

/// Masks the Rich header of an image with its key.
pub fn mask(bytes: &mut [u8]) {
    if let Some(rich) = Rich::find(bytes) {
        let key = rich.right_key(bytes);
        rich.mask(bytes, rich.key ^ key, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image's beginning with a header of one tool.
    fn image() -> Vec<u8> {
        let mut bytes = vec![0; 0x100];
        bytes[..2].copy_from_slice(b"MZ");
        put_u32(&mut bytes, HEADER_AT, 0xc0);
        bytes[0x41] = 7;
        for (at, word) in [(0x80, START), (0x90, 0x0104_5e97), (0x94, 3), (0x98, END)] {
            put_u32(&mut bytes, at, word);
        }
        bytes
    }

    #[test]
    fn what_is_masked_is_unmasked() {
        let plain = image();
        let mut bytes = plain.clone();
        mask(&mut bytes);
        let key = 0x80 + u32::from(b'M') + (u32::from(b'Z') << 1) + (7 << 1) + (0x0104_5e97 << 3);
        assert_eq!((u32_at(&bytes, 0x9c), u32_at(&bytes, 0x84)), (key, key));
        assert!(unmask(&mut bytes));
        assert_eq!(bytes, plain);
    }

    #[test]
    fn another_key_is_left_alone() {
        let mut bytes = image();
        mask(&mut bytes);
        bytes[0x41] = 8;
        let masked = bytes.clone();
        assert!(!unmask(&mut bytes));
        assert_eq!(bytes, masked);
        for at in 0..bytes.len() {
            let mut cut = masked[..at].to_vec();
            assert!(!unmask(&mut cut));
        }
    }
}
