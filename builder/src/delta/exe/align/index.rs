//! An index of short sequences of old units.

use super::Unit;

/// Units of the sequences that are found, the longer first.
pub(super) const LENGTHS: [usize; 2] = [12, 4];

/// For each length, the places of each sequence.
#[derive(Debug)]
pub(super) struct Index {
    by_length: [Places; 2],
}

/// The places of all sequences of one length.
#[derive(Debug)]
struct Places {
    /// Keys and places, in order.
    sorted: Vec<(u32, u32)>,
    /// For each beginning of a key, its highest bits, where the keys that begin so start.
    starts: Vec<u32>,
    /// How far a key is shifted to leave its beginning.
    shift: u32,
}

impl Index {
    /// Indexes a file.
    pub(super) fn new(units: &[Unit]) -> Self {
        Self { by_length: LENGTHS.map(|len| Places::new(units, len)) }
    }

    /// Finds where the sequence at the beginning of `units` stands, for one of the lengths; in ascending order.
    pub(super) fn find(&self, which: usize, units: &[Unit]) -> &[(u32, u32)] {
        let len = LENGTHS.get(which).copied().unwrap_or(usize::MAX);
        let (Some(window), Some(places)) = (units.get(..len), self.by_length.get(which)) else { return &[] };
        places.find(key(window))
    }
}

impl Places {
    fn new(units: &[Unit], len: usize) -> Self {
        let windows = units.windows(len).zip(0..);
        let mut sorted: Vec<(u32, u32)> = windows.map(|(window, place)| (key(window), place)).collect();
        sorted.sort_unstable();
        // About one key for each beginning.
        let bits = sorted.len().max(2).ilog2().min(24);
        let shift = u32::BITS - bits;
        let mut starts = Vec::with_capacity((1 << bits) + 1);
        for (place, (key, _)) in (0_u32..).zip(&sorted) {
            let known = (key >> shift) as usize + 1;
            if starts.len() < known {
                starts.resize(known, place);
            }
        }
        starts.resize((1 << bits) + 1, u32::try_from(sorted.len()).unwrap_or(u32::MAX));
        Self { sorted, starts, shift }
    }

    fn find(&self, key: u32) -> &[(u32, u32)] {
        let beginning = (key >> self.shift) as usize;
        let Some([start, end]) = self.starts.get(beginning..beginning + 2) else { return &[] };
        let alike = self.sorted.get(*start as usize..*end as usize).unwrap_or_default();
        let start = alike.partition_point(|(found, _)| *found < key);
        let tail = alike.get(start..).unwrap_or_default();
        let len = tail.partition_point(|(found, _)| *found == key);
        tail.get(..len).unwrap_or_default()
    }
}

fn key(units: &[Unit]) -> u32 {
    let hash = units.iter().fold(0_u64, |hash, unit| {
        (hash ^ u64::from(unit.hash)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
    });
    let [a, b, c, d, ..] = (hash ^ hash >> 29).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
