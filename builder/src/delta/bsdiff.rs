//! Encoder of BSDIFF40 (Colin Percival, bsdiff 4.x); the byte table is in the patcher's `delta::bsdiff`.
//!
//! The `bsdiff` crate finds what the files have in common. Its own format is neither compressed nor that of
//! `bspatch`, so only its alignment is taken, a list of (add, copy, seek), and the three streams are made here.
//! An alignment stays valid when the old file is changed: the bytes to add are computed from the files
//! themselves. That allows to keep the crate's search within bounds, see [`without_long_repeats`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Write};

use bzip2::Compression;
use bzip2::write::BzEncoder;

/// One instruction: add bytes to the old file's, copy bytes of the extra stream, move in the old file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Triple {
    add: u64,
    copy: u64,
    seek: i64,
}

/// Encodes `new` as a delta from `old`.
pub(super) fn encode(old: &[u8], new: &[u8]) -> io::Result<Vec<u8>> {
    let triples = align(old, new)?;
    let mut control = stream();
    let mut diff = stream();
    let mut extra = stream();
    let mut new_rest = new;
    let mut old_at: i64 = 0;
    for Triple { add, copy, seek } in triples {
        control.write_all(&number(as_i64(add)?))?;
        control.write_all(&number(as_i64(copy)?))?;
        control.write_all(&number(seek))?;
        let (added, rest) = cut(new_rest, add)?;
        let from = usize::try_from(old_at).ok().and_then(|at| old.get(at..));
        let from = from
            .filter(|tail| tail.len() >= added.len())
            .ok_or_else(|| invalid("leads outside the old file"))?;
        let differences: Vec<u8> = added.iter().zip(from).map(|(new, old)| new.wrapping_sub(*old)).collect();
        diff.write_all(&differences)?;
        let (copied, rest) = cut(rest, copy)?;
        extra.write_all(copied)?;
        new_rest = rest;
        old_at = old_at
            .checked_add(as_i64(add)?)
            .and_then(|at| at.checked_add(seek))
            .ok_or_else(|| invalid("leads outside the old file"))?;
    }
    if !new_rest.is_empty() {
        return Err(invalid("ends before the new file does"));
    }
    let (control, diff, extra) = (control.finish()?, diff.finish()?, extra.finish()?);
    let mut delta = b"BSDIFF40".to_vec();
    for length in [control.len(), diff.len(), new.len()] {
        delta.extend(number(as_i64(length as u64)?));
    }
    for block in [control, diff, extra] {
        delta.extend(block);
    }
    Ok(delta)
}

fn stream() -> BzEncoder<Vec<u8>> {
    BzEncoder::new(Vec::new(), Compression::best())
}

/// Writes a 64-bit little-endian sign-and-magnitude number.
fn number(value: i64) -> [u8; 8] {
    let sign = if value < 0 { 1 << 63 } else { 0 };
    (value.unsigned_abs() | sign).to_le_bytes()
}

fn as_i64(length: u64) -> io::Result<i64> {
    i64::try_from(length).map_err(|_| invalid("holds a length that no file has"))
}

fn cut(bytes: &[u8], length: u64) -> io::Result<(&[u8], &[u8])> {
    let length = usize::try_from(length).ok();
    length
        .and_then(|length| bytes.split_at_checked(length))
        .ok_or_else(|| invalid("leads outside the new file"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the alignment {what}"))
}

/// Finds what the files have in common.
fn align(old: &[u8], new: &[u8]) -> io::Result<Vec<Triple>> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    if old.is_empty() {
        return Ok(vec![Triple { add: 0, copy: new.len() as u64, seek: 0 }]);
    }
    let mut raw = Vec::new();
    bsdiff::diff(&without_long_repeats(old), new, &mut raw)?;
    let mut triples = triples(&raw)?;
    // Where the last seek leads is never read; a zero costs nothing.
    if let Some(last) = triples.last_mut() {
        last.seek = 0;
    }
    Ok(triples)
}

/// Reads the crate's stream: each triple is followed by the bytes to add and those to copy.
///
/// Triples that make no byte are folded into the one before: the decoder bounds them, and they cost bytes.
fn triples(raw: &[u8]) -> io::Result<Vec<Triple>> {
    let mut triples: Vec<Triple> = Vec::new();
    let mut rest = raw;
    while let Some((head, tail)) = rest.split_first_chunk::<24>() {
        let mut fields = head.chunks_exact(8).map(read_number);
        let mut next = || fields.next().unwrap_or_default();
        let length = |value: i64| u64::try_from(value).map_err(|_| invalid("holds a negative length"));
        let (add, copy, seek) = (length(next())?, length(next())?, next());
        let payload = add.checked_add(copy).ok_or_else(|| invalid("holds a length that no file has"))?;
        (_, rest) = cut(tail, payload)?;
        match triples.last_mut() {
            Some(last) if payload == 0 => {
                last.seek =
                    last.seek.checked_add(seek).ok_or_else(|| invalid("leads outside the old file"))?;
            }
            _ => triples.push(Triple { add, copy, seek }),
        }
    }
    if rest.is_empty() { Ok(triples) } else { Err(invalid("is cut off")) }
}

fn read_number(bytes: &[u8]) -> i64 {
    let raw = bytes.try_into().map_or(0, u64::from_le_bytes);
    let magnitude = (raw & i64::MAX.unsigned_abs()).cast_signed();
    if raw >> 63 == 0 { magnitude } else { -magnitude }
}

/// Length of the blocks by which repeats are found: repeats of twice this length always are.
const BLOCK: usize = 4096;
/// Bytes of the old file that may lie in long repeats before something is done about it.
const REPEATED: usize = 64 << 10;
/// Distance of the changed bytes inside a long repeat.
const SALT_DISTANCE: usize = 256;

/// Returns the old file as it is given to the search: with long repeats broken, if it has many.
///
/// Where two places of the old file are alike over a long stretch but for a few bytes, the search, as the stock
/// program's, weighs one against the other at each byte and compares the whole stretch each time: half a
/// megabyte of zeros with one other byte inside takes 4.5 seconds, 8 megabytes 256 times that. Repeats are
/// recognised by a rolling hash and one byte in 256 of them is changed, differently at each place, so that
/// no comparison gets far: 8 megabytes take 6 seconds. Files whose repeats come to less than 64 KB, nearly all,
/// are searched as they are.
fn without_long_repeats(old: &[u8]) -> Cow<'_, [u8]> {
    let ranges = long_repeats(old);
    let repeated: usize = ranges.iter().map(|(start, end)| end - start).sum();
    if repeated <= REPEATED {
        return Cow::Borrowed(old);
    }
    let mut salted = old.to_vec();
    for (start, end) in ranges {
        let inside = salted.iter_mut().enumerate().take(end).skip(start);
        for (at, byte) in inside.filter(|(at, _)| at % SALT_DISTANCE == 0) {
            *byte ^= salt(at);
        }
    }
    Cow::Owned(salted)
}

/// Returns a byte that is not zero and looks unlike that of other positions (the finaliser of SplitMix64).
fn salt(at: usize) -> u8 {
    let mut mixed = (at as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let [byte, ..] = (mixed ^ (mixed >> 31)).to_le_bytes();
    byte | 1
}

/// Finds the ranges, in order and disjoint, that repeat [`BLOCK`] bytes or more of what stands elsewhere.
fn long_repeats(old: &[u8]) -> Vec<(usize, usize)> {
    const BASE: u64 = 0x0100_0000_01b3;
    let push = |hash: u64, byte: u8| hash.wrapping_mul(BASE).wrapping_add(u64::from(byte) + 1);
    let mut first = HashMap::new();
    for (index, block) in old.chunks_exact(BLOCK).enumerate() {
        let hash = block.iter().fold(0, |hash, byte| push(hash, *byte));
        first.entry(hash).or_insert(index * BLOCK);
    }
    let lead = (0..BLOCK).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut hash = old.iter().take(BLOCK).fold(0, |hash, byte| push(hash, *byte));
    // A hash that two different blocks share costs a few bytes of the delta, nothing else.
    let mut visit = |hash: u64, at: usize| {
        if first.get(&hash).is_some_and(|found| *found != at) {
            match ranges.last_mut() {
                Some((_, end)) if *end >= at => *end = at + BLOCK,
                _ => ranges.push((at, at + BLOCK)),
            }
        }
    };
    if old.len() >= BLOCK {
        visit(hash, 0);
    }
    for (at, (out, into)) in old.iter().zip(old.iter().skip(BLOCK)).enumerate() {
        hash = push(hash, *into).wrapping_sub(lead.wrapping_mul(u64::from(*out) + 1));
        visit(hash, at + 1);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use proptest::prelude::*;
    use qfe_patcher::delta::Codec;

    use super::*;

    fn round_trip(old: &[u8], new: &[u8]) -> usize {
        let delta = encode(old, new).unwrap();
        assert_eq!(Codec::Bsdiff.decode(old.to_vec(), &delta, new.len() as u64).unwrap(), new);
        delta.len()
    }

    /// Bytes without repeats (xorshift).
    fn noise(len: usize, seed: u64) -> Vec<u8> {
        let mut state = seed | 1;
        let step = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        (0..len).map(step).collect()
    }

    #[test]
    fn empty_and_identical_files_come_back() {
        for (old, new) in
            [(&b""[..], &b""[..]), (b"", b"new"), (b"old", b""), (b"same", b"same"), (b"a", b"b")]
        {
            round_trip(old, new);
        }
        let file = noise(100_000, 1);
        assert!(round_trip(&file, &file) < 300);
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(old in proptest::collection::vec(0..4_u8, 0..600),
                                   new in proptest::collection::vec(0..4_u8, 0..600)) {
            round_trip(&old, &new);
        }

        #[test]
        fn edited_files_decode(seed: u64, edits in proptest::collection::vec((0..5000_usize, 0..60_usize, 0..60_usize), 0..8)) {
            let old = noise(5000, seed);
            let mut new = old.clone();
            for (at, out, into) in edits {
                let at = at.min(new.len());
                let end = (at + out).min(new.len());
                new.splice(at..end, noise(into, seed ^ 7));
            }
            round_trip(&old, &new);
        }
    }

    #[test]
    fn a_small_change_makes_a_small_delta() {
        let old = noise(50_000, 3);
        let mut new = old.clone();
        new.splice(20_000..20_000, *b"a few bytes more");
        new[40_000] ^= 1;
        let size = round_trip(&old, &new);
        assert!(size < 400, "{size} bytes");
    }

    /// Without the bound the first two take minutes.
    #[test]
    fn long_runs_are_encoded_in_bounded_time() {
        let zeros = vec![0; 4 << 20];
        let mut edited = zeros.clone();
        edited[1 << 20] = 1;
        for (old, new) in [(&edited, &zeros), (&zeros, &edited)] {
            let size = round_trip(old, new);
            assert!(size < 20_000, "{size} bytes");
        }
        let tile = noise(100_000, 5);
        let mut tiles = tile.repeat(8);
        let new = tiles.clone();
        tiles[250_000] ^= 1;
        tiles[550_001] ^= 1;
        let size = round_trip(&tiles, &new);
        assert!(size < 10_000, "{size} bytes");
    }

    #[test]
    fn repeats_are_found_and_ordinary_files_left_alone() {
        let mut file = noise(200_000, 9);
        assert!(matches!(without_long_repeats(&file), Cow::Borrowed(_)));
        let copy = file[10_000..110_000].to_vec();
        file.extend(copy);
        let ranges = long_repeats(&file);
        let repeated: usize = ranges.iter().map(|(start, end)| end - start).sum();
        // Both places, each to within a block.
        assert!((184_000..=216_000).contains(&repeated), "{ranges:?}");
        assert!(matches!(without_long_repeats(&file), Cow::Owned(_)));
    }

    #[test]
    fn empty_triples_are_folded_into_the_one_before() {
        let raw: Vec<u8> = [(1_i64, 0_i64, 5_i64, &b"x"[..]), (0, 0, -9, b""), (0, 1, 0, b"y")]
            .iter()
            .flat_map(|(add, copy, seek, bytes)| {
                [number(*add), number(*copy), number(*seek)].concat().into_iter().chain(bytes.iter().copied())
            })
            .collect();
        let wanted = [Triple { add: 1, copy: 0, seek: -4 }, Triple { add: 0, copy: 1, seek: 0 }];
        assert_eq!(triples(&raw).unwrap(), wanted);
        for end in [1, 23, 24, raw.len() - 1] {
            assert!(triples(&raw[..end]).is_err(), "cut to {end} bytes");
        }
    }

    /// Runs a stock tool; none, with a line that says so, where it is not installed.
    fn stock(tool: &str, arguments: &[&std::path::Path]) -> Option<bool> {
        match Command::new(tool).args(arguments).output() {
            Ok(output) => Some(output.status.success()),
            Err(error) => {
                println!("skipped: {tool} cannot be run ({error})");
                None
            }
        }
    }

    #[test]
    fn stock_bspatch_applies_ours_and_stock_bsdiff_decodes_here() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        let old = noise(30_000, 11);
        let mut new = old[5000..].to_vec();
        new.extend(noise(3000, 12));
        new[777] ^= 0x55;
        for (n, (old, new)) in
            [(&old, &new), (&new, &old), (&old, &Vec::new()), (&Vec::new(), &new)].iter().enumerate()
        {
            fs::write(path("old"), old).unwrap();
            fs::write(path("new"), new).unwrap();
            fs::write(path("ours"), encode(old, new).unwrap()).unwrap();
            let Some(applied) = stock("bspatch", &[&path("old"), &path("made"), &path("ours")]) else {
                return;
            };
            assert!(applied, "bspatch refuses pair {n}");
            assert_eq!(fs::read(path("made")).unwrap(), **new, "pair {n}");
            if old.is_empty() || new.is_empty() {
                // The stock program does not make such a patch, though it applies one.
                continue;
            }
            let Some(made) = stock("bsdiff", &[&path("old"), &path("new"), &path("theirs")]) else { return };
            assert!(made, "bsdiff refuses pair {n}");
            let theirs = fs::read(path("theirs")).unwrap();
            assert_eq!(
                Codec::Bsdiff.decode(old.to_vec(), &theirs, new.len() as u64).unwrap(),
                **new,
                "pair {n}"
            );
        }
    }
}
