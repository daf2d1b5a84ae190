//! An index of short sequences of old units.

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
    len: usize,
    /// How far a key is shifted to leave its beginning: by no more bits than an ending has.
    shift: u32,
    /// For each beginning of a key, its highest bits, where the places whose keys begin so start.
    starts: Vec<u32>,
    /// The endings of keys, all bits behind their beginnings; in the order of keys, and of places where these are equal.
    endings: Vec<u16>,
    /// The place of each.
    places: Vec<u32>,
}

impl Index {
    /// Indexes a file by its units' hashes.
    pub(super) fn new(hashes: &[u32]) -> Self {
        Self { by_length: LENGTHS.map(|len| Places::new(hashes, len)) }
    }

    /// Finds where the sequence at the beginning of `hashes` stands, for one of the lengths; in ascending order.
    pub(super) fn find(&self, which: usize, hashes: &[u32]) -> &[u32] {
        let places = self.by_length.get(which);
        let sequence = places.and_then(|places| hashes.get(..places.len));
        places.zip(sequence).map_or(&[], |(places, sequence)| places.find(key(sequence)))
    }
}

impl Places {
    fn new(hashes: &[u32], len: usize) -> Self {
        let count = (hashes.len() + 1).saturating_sub(len);
        // About one key for each beginning.
        let bits = count.max(1).ilog2().clamp(u16::BITS, 24);
        let shift = u32::BITS - bits;
        let starts = vec![0; (1 << bits) + 1];
        let mut places = Self { len, shift, starts, endings: vec![0; count], places: vec![0; count] };
        places.put(hashes);
        places.sort();
        places
    }

    /// Puts each place where those with its key's beginning stand, in ascending order.
    fn put(&mut self, hashes: &[u32]) {
        let keys = || hashes.windows(self.len).map(key);
        for key in keys() {
            if let Some(count) = self.starts.get_mut((key >> self.shift) as usize) {
                *count += 1;
            }
        }
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        // From the last place on: each start moves from the end of its places to where they start.
        for (place, key) in (0..self.places.len()).zip(keys()).rev() {
            let Some(start) = self.starts.get_mut((key >> self.shift) as usize) else { continue };
            *start -= 1;
            let at = *start as usize;
            if let (Some(put), Some(ending)) = (self.places.get_mut(at), self.endings.get_mut(at)) {
                (*put, *ending) = (u32::try_from(place).unwrap_or(u32::MAX), ending_of(key, self.shift));
            }
        }
    }

    /// Sorts the places of each beginning by their endings.
    fn sort(&mut self) {
        let mut sorted = Vec::new();
        for bounds in self.starts.windows(2) {
            let &[start, end] = bounds else { continue };
            let alike = start as usize..end as usize;
            let endings = self.endings.get_mut(alike.clone()).unwrap_or_default();
            let places = self.places.get_mut(alike).unwrap_or_default();
            if endings.is_sorted() {
                continue;
            }
            sorted.clear();
            sorted.extend(endings.iter().copied().zip(places.iter().copied()));
            sorted.sort_unstable();
            for ((ending, place), (to_ending, to_place)) in sorted.iter().zip(endings.iter_mut().zip(places))
            {
                (*to_ending, *to_place) = (*ending, *place);
            }
        }
    }

    fn find(&self, key: u32) -> &[u32] {
        let (beginning, ending) = ((key >> self.shift) as usize, ending_of(key, self.shift));
        let Some([start, end]) = self.starts.get(beginning..beginning + 2) else { return &[] };
        let (start, end) = (*start as usize, *end as usize);
        let endings = self.endings.get(start..end).unwrap_or_default();
        let first = endings.partition_point(|found| *found < ending);
        let count = endings.get(first..).unwrap_or_default().partition_point(|found| *found == ending);
        self.places.get(start + first..start + first + count).unwrap_or_default()
    }
}

/// Returns the bits of a key behind its beginning: at most 16.
fn ending_of(key: u32, shift: u32) -> u16 {
    let [low, high, ..] = (key & ((1 << shift) - 1)).to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// Returns the key of a sequence.
fn key(hashes: &[u32]) -> u32 {
    let hash = hashes.iter().fold(0_u64, |hash, unit| {
        (hash ^ u64::from(*unit)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
    });
    let [a, b, c, d, ..] = (hash ^ hash >> 29).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_place_of_a_sequence_is_found(hashes in prop::collection::vec(0_u32..4, 0..400)) {
            let index = Index::new(&hashes);
            for at in 0..=hashes.len() {
                for (which, len) in LENGTHS.into_iter().enumerate() {
                    let sequence = hashes.get(at..at + len);
                    let windows = (0_u32..).zip(hashes.windows(len));
                    let places = windows.filter(|(_, window)| Some(*window) == sequence).map(|(place, _)| place);
                    prop_assert_eq!(index.find(which, &hashes[at..]), places.collect::<Vec<_>>());
                }
            }
        }
    }
}
