//! Decoder of BSDIFF40 (Colin Percival, bsdiff 4.x, `bspatch.c`).
//!
//! ```text
//! offset  size  what
//!      0     8  "BSDIFF40"
//!      8     8  length of the compressed control block, c
//!     16     8  length of the compressed diff block, d
//!     24     8  size of the new file
//!     32     c  control block, bzip2: triples (add, copy, seek) of 8 bytes each
//!   32+c     d  diff block, bzip2: bytes added to the old file's
//! 32+c+d   ...  extra block, bzip2: bytes copied as they are, to the end of the file
//! ```
//!
//! Numbers are 64-bit little-endian sign and magnitude. Stricter than `bspatch`: all three streams must end
//! exactly where the new file does, nothing may follow them, and no byte outside the old file is read.

use std::io::Read;

use bzip2::bufread::BzDecoder;

use super::DeltaError;

/// The first eight bytes.
pub(super) const MAGIC: &[u8] = b"BSDIFF40";
/// Bytes before the control block.
const HEADER: usize = 32;
/// Triples that may make no byte of the new file, beside one for every 16 bytes of it: an encoder needs some to
/// seek (stock bsdiff made 50 among 1,961); the bound ends endless streams.
const MAX_IDLE_TRIPLES: usize = 1024;

/// Makes the new file; see the module's table.
pub(super) fn decode(old: &[u8], delta: &[u8], limit: u64) -> Result<Vec<u8>, DeltaError> {
    if !delta.starts_with(MAGIC) {
        return Err(DeltaError::UnknownFormat);
    }
    let header = delta.get(..HEADER).ok_or(DeltaError::Truncated { part: "header" })?;
    let mut fields = header.chunks_exact(8).skip(1).map(number);
    let mut field = |name| length(name, fields.next().unwrap_or(-1), "delta");
    let (control_len, diff_len, new_len) =
        (field("control block length")?, field("diff block length")?, field("new file size")?);
    if new_len as u64 > limit {
        return Err(DeltaError::TooLarge { found: new_len as u64, limit });
    }
    let body = delta.get(HEADER..).unwrap_or_default();
    let (control, rest) =
        body.split_at_checked(control_len).ok_or(DeltaError::Truncated { part: "control block" })?;
    let (diff, extra) =
        rest.split_at_checked(diff_len).ok_or(DeltaError::Truncated { part: "diff block" })?;
    let mut control = Stream::new("control block", control);
    let mut diff = Stream::new("diff block", diff);
    let mut extra = Stream::new("extra block", extra);

    let mut new = Vec::new();
    let mut old_at: i64 = 0;
    let mut idle = 0;
    while new.len() < new_len {
        let mut triple = [0; 24];
        control.fill(&mut triple)?;
        let mut triple = triple.chunks_exact(8).map(number);
        let mut next = || triple.next().unwrap_or(-1);
        let add = length("length to add", next(), "new file")?;
        let copy = length("length to copy", next(), "new file")?;
        let seek = next();
        if add == 0 && copy == 0 {
            idle += 1;
            if idle > MAX_IDLE_TRIPLES + new_len / 16 {
                return Err(outside("number of empty control triples", triple_len(idle), "decoder's limit"));
            }
        }
        let start = new.len();
        let room = new_len - start;
        if add > room || copy > room - add {
            return Err(outside("length to add or copy", triple_len(add.max(copy)), "new file"));
        }
        diff.append(&mut new, add)?;
        if add > 0 {
            let from = length("position in the old file", old_at, "old file")?;
            let source = old.get(from..).and_then(|tail| tail.get(..add));
            let source = source.ok_or_else(|| outside("end of a copied range", old_at, "old file"))?;
            for (byte, old) in new.iter_mut().skip(start).zip(source) {
                *byte = byte.wrapping_add(*old);
            }
        }
        extra.append(&mut new, copy)?;
        old_at = old_at
            .checked_add(triple_len(add))
            .and_then(|at| at.checked_add(seek))
            .ok_or_else(|| outside("seek", seek, "old file"))?;
    }
    control.end()?;
    diff.end()?;
    extra.end()?;
    Ok(new)
}

/// Reads a 64-bit little-endian sign-and-magnitude number; `bytes` are eight.
fn number(bytes: &[u8]) -> i64 {
    let raw = bytes.try_into().map_or(u64::MAX, u64::from_le_bytes);
    let magnitude = (raw & (u64::MAX >> 1)).cast_signed();
    if raw >> 63 == 0 { magnitude } else { -magnitude }
}

/// Takes a number that must be a length or position that this machine can hold.
fn length(field: &'static str, value: i64, bound: &'static str) -> Result<usize, DeltaError> {
    usize::try_from(value).map_err(|_| outside(field, value, bound))
}

/// Turns back a length that came from a number.
fn triple_len(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

fn outside(field: &'static str, found: i64, bound: &'static str) -> DeltaError {
    DeltaError::OutOfBounds { field, found, bound }
}

/// One of the three bzip2 streams, read to its exact end.
struct Stream<'a> {
    part: &'static str,
    decoder: BzDecoder<&'a [u8]>,
}

impl<'a> Stream<'a> {
    fn new(part: &'static str, bytes: &'a [u8]) -> Self {
        Self { part, decoder: BzDecoder::new(bytes) }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), DeltaError> {
        self.decoder.read_exact(buffer).map_err(|source| self.fault(source))
    }

    /// Appends `len` bytes to `out`; memory grows with what the stream really holds, not with what is claimed.
    fn append(&mut self, out: &mut Vec<u8>, len: usize) -> Result<(), DeltaError> {
        let read = self.decoder.by_ref().take(len as u64).read_to_end(out);
        let read = read.map_err(|source| self.fault(source))?;
        if read == len { Ok(()) } else { Err(DeltaError::Truncated { part: self.part }) }
    }

    fn end(mut self) -> Result<(), DeltaError> {
        let mut byte = [0];
        let more = self.decoder.read(&mut byte).map_err(|source| self.fault(source))?;
        if more == 0 && self.decoder.into_inner().is_empty() {
            Ok(())
        } else {
            Err(DeltaError::TrailingBytes { part: self.part })
        }
    }

    fn fault(&self, source: std::io::Error) -> DeltaError {
        match source.kind() {
            std::io::ErrorKind::UnexpectedEof => DeltaError::Truncated { part: self.part },
            _ => DeltaError::Damaged { part: self.part, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sign_and_magnitude() {
        assert_eq!(number(&[5, 0, 0, 0, 0, 0, 0, 0]), 5);
        assert_eq!(number(&[5, 0, 0, 0, 0, 0, 0, 0x80]), -5);
        assert_eq!(number(&[0, 0, 0, 0, 0, 0, 0, 0x80]), 0);
    }

    #[test]
    fn a_patch_of_stock_bsdiff_is_decoded_and_nothing_shorter() {
        // printf 'hello old world' >o; printf 'hello new world!' >n; bsdiff o n p; xxd -p p
        let patch = include_bytes!("bsdiff/hello.bsdiff");
        let new = decode(b"hello old world", patch, 16).unwrap();
        assert_eq!(new, b"hello new world!");
        for end in 0..patch.len() {
            assert!(decode(b"hello old world", &patch[..end], 16).is_err(), "cut to {end} bytes");
        }
        let mut longer = patch.to_vec();
        longer.push(0);
        assert!(matches!(decode(b"hello old world", &longer, 16), Err(DeltaError::TrailingBytes { .. })));
        assert!(matches!(decode(b"hello old world", patch, 15), Err(DeltaError::TooLarge { found: 16, .. })));
        assert!(matches!(decode(b"hello", patch, 16), Err(DeltaError::OutOfBounds { .. })));
    }

    #[test]
    fn every_flipped_byte_gives_an_error_or_another_file_but_no_panic() {
        let patch = include_bytes!("bsdiff/hello.bsdiff");
        for at in 0..patch.len() {
            for bit in 0..8 {
                let mut flipped = patch.to_vec();
                flipped[at] ^= 1 << bit;
                if let Ok(new) = decode(b"hello old world", &flipped, 1 << 16) {
                    assert!(new.len() <= 1 << 16);
                }
            }
        }
    }
}
