//! Encoder of exe deltas; the format is described in [`qfe_delta`].
//!
//! What a delta says is decided here: which parts of the new file come from where, and which of a few variants is the
//! smallest. How it is said is the business of the model, which is the same on both sides.

mod align;
mod coder;
pub mod training;

use std::io;

use qfe_delta::file::File;
use qfe_delta::image::{Image, checksum, rich};
use qfe_delta::isa::Isa;
use qfe_delta::models::Models;
use qfe_delta::source::{Segment, Source};
use qfe_delta::start::Start;
use qfe_delta::stream::transcode_from;
use qfe_delta::{DeltaError, HEAD, head};

use align::align;
use coder::Encoder;

/// Deltas of at least this many bytes are tried with priming, too: below, there is little that could be primed.
const WORTH_PRIMING: usize = 400;

/// Makes the smallest delta.
///
/// Fails where a file is too large, or what was encoded would decode to something else.
pub fn encode(old: &[u8], new: &[u8]) -> io::Result<Vec<u8>> {
    encode_from(&Start::TRAINED, old, new)
}

/// Makes the smallest delta from a start.
fn encode_from(start: &Start, old: &[u8], new: &[u8]) -> io::Result<Vec<u8>> {
    let understood = Attempt::of_images(old, new);
    let mut best = understood.delta(start, false)?;
    if understood.teachable && best.as_ref().is_some_and(|best| best.len() >= WORTH_PRIMING) {
        best = smaller(best, understood.delta(start, true)?);
    }
    if best.is_none() {
        best = Attempt::of_bytes(old, new).delta(start, false)?;
    }
    best.ok_or_else(|| io::Error::other("what is coded as plain bytes comes out as other bytes"))
}

fn smaller(one: Option<Vec<u8>>, other: Option<Vec<u8>>) -> Option<Vec<u8>> {
    [one, other].into_iter().flatten().min_by_key(Vec::len)
}

/// Returns a file with its Rich header unmasked, if it has one; and whether.
fn unmasked(file: &[u8]) -> (Vec<u8>, bool) {
    let mut file = file.to_vec();
    let rich = rich::unmask(&mut file);
    (file, rich)
}

/// Both files under one reading.
struct Attempt<'a> {
    head: [u8; HEAD],
    new: &'a [u8],
    /// The old file as both sides read it: with its Rich header unmasked.
    old: Vec<u8>,
    /// The new file as it is coded: likewise, and with the old one's checksum, if its own is right and can be computed.
    coded: Vec<u8>,
    rich: bool,
    checksum: bool,
    plain: bool,
    /// Whether the old file has code that contexts can be taught.
    teachable: bool,
    segments: Vec<Segment>,
}

impl<'a> Attempt<'a> {
    /// Reads both as images, if they are.
    fn of_images(old: &[u8], new: &'a [u8]) -> Self {
        let (head, (old, _), (mut coded, rich)) = (head(old, new), unmasked(old), unmasked(new));
        let old_file = File::read(&old);
        let mut computed = false;
        let size = u32::try_from(new.len()).unwrap_or(u32::MAX);
        if let Some(field) = Image::read(new, size).map(|image| image.checksum_at()) {
            let sum = checksum(new, field).to_le_bytes();
            let end = field as usize + sum.len();
            if let Some(own) = coded.get_mut(field as usize..end).filter(|own| **own == sum) {
                let old_field = old_file.image.as_ref().map(|image| image.checksum_at() as usize);
                let old_sum = old_field.and_then(|at| old.get(at..)).and_then(|tail| tail.first_chunk());
                own.copy_from_slice(old_sum.unwrap_or(&[0; 4]));
                computed = true;
            }
        }
        let segments = align(&old_file, &File::read(&coded));
        let teachable = old_file.regions.iter().any(|region| region.isa != Isa::Data);
        Self { head, new, old, coded, rich, checksum: computed, plain: false, teachable, segments }
    }

    /// Takes both as plain bytes.
    fn of_bytes(old: &[u8], new: &'a [u8]) -> Self {
        let (head, (old, _)) = (head(old, new), unmasked(old));
        let segments = align(&File::plain(&old), &File::plain(new));
        let coded = new.to_vec();
        Self { head, new, old, coded, rich: false, checksum: false, plain: true, teachable: false, segments }
    }

    /// Makes a delta; none if another file would come out, as may be of images with contradictory tables.
    fn delta(&self, start: &Start, prime: bool) -> io::Result<Option<Vec<u8>>> {
        let models = self.encode(start, prime)?;
        Ok(models.map(|models| models.into_coder().finish(self.head.len())))
    }

    /// Encodes from a start; returns all that was learned, with the coder.
    fn encode(&self, start: &Start, prime: bool) -> io::Result<Option<Models<Encoder>>> {
        let file = if self.plain { File::plain(&self.coded) } else { File::read(&self.coded) };
        let mut source = Source::new(&file, self.segments.clone());
        source.plain = self.plain;
        source.prime = prime;
        source.rich = self.rich;
        source.checksum = self.checksum;
        let limit = self.new.len() as u64;
        match transcode_from(start.clone(), Encoder::after(&self.head), &self.old, Some(source), limit) {
            Ok((made, models)) => Ok((made == self.new).then_some(models)),
            Err(DeltaError::TooLarge { found, limit }) => {
                Err(io::Error::other(DeltaError::TooLarge { found, limit }))
            }
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes like those of a program: words that recur, with noise.
    fn program(seed: u32, size: usize) -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()
        };
        let words: Vec<[u8; 4]> = (0..64).map(|_| next()).collect();
        (0..size / 4).flat_map(|_| words[usize::from(next()[0] & 63)]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_was_encoded_decodes(seed: u32, at in 0_usize..4000, cut in 0_usize..200, put: Vec<u8>) {
            let old = program(seed, 4096);
            let mut new = old.clone();
            let at = at.min(new.len());
            let end = (at + cut).min(new.len());
            new.splice(at..end, put);
            let delta = encode(&old, &new).unwrap();
            prop_assert_eq!(qfe_delta::decode(old.clone(), &delta, new.len() as u64).unwrap(), new);
        }
    }

    #[test]
    fn empty_and_equal_files_are_files() {
        let some = program(1, 2000);
        for (old, new) in [(&[][..], &[][..]), (&[], &some), (&some, &[]), (&some, &some)] {
            let delta = encode(old, new).unwrap();
            assert_eq!(qfe_delta::decode(old.to_vec(), &delta, new.len() as u64).unwrap(), new);
        }
    }

    #[test]
    fn another_old_file_and_a_damaged_delta_are_refused() {
        let old = program(2, 1000);
        let mut new = old.clone();
        new.splice(300..340, *b"something else");
        let delta = encode(&old, &new).unwrap();
        let limit = new.len() as u64;
        assert!(qfe_delta::decode(program(3, 1000), &delta, limit).is_err());
        assert!(qfe_delta::decode(old.clone(), &delta, limit - 1).is_err());
        for len in 0..delta.len() {
            assert!(qfe_delta::decode(old.clone(), &delta[..len], limit).is_err(), "cut off at {len}");
        }
        for at in 0..delta.len() {
            let mut flipped = delta.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(qfe_delta::decode(old.clone(), &flipped, limit).is_err(), "flipped at {at}");
        }
    }
}
