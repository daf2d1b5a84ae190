//! An index of short sequences of old units.

use super::Unit;

/// Units of the sequences that are found, the longer first.
pub(super) const LENGTHS: [usize; 2] = [12, 4];

/// For each length, the places of each sequence.
#[derive(Debug)]
pub(super) struct Index {
    places: [Vec<(u32, u32)>; 2],
}

impl Index {
    /// Indexes a file.
    pub(super) fn new(units: &[Unit]) -> Self {
        let places = LENGTHS.map(|len| {
            let windows = units.windows(len).zip(0..);
            let mut places: Vec<(u32, u32)> = windows.map(|(window, place)| (key(window), place)).collect();
            places.sort_unstable();
            places
        });
        Self { places }
    }

    /// Finds where the sequence at the beginning of `units` stands, for one of the lengths; in ascending order.
    pub(super) fn find(&self, which: usize, units: &[Unit]) -> &[(u32, u32)] {
        let len = LENGTHS.get(which).copied().unwrap_or(usize::MAX);
        let (Some(window), Some(places)) = (units.get(..len), self.places.get(which)) else { return &[] };
        let key = key(window);
        let start = places.partition_point(|(found, _)| *found < key);
        let tail = places.get(start..).unwrap_or_default();
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
