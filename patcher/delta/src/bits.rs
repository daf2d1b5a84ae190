//! A set of positions, one bit each.

/// A set of numbers below a bound.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// Makes an empty set of numbers below `bound`.
    #[must_use]
    pub(crate) fn new(bound: u32) -> Self {
        Self { words: vec![0; (bound / 64) as usize + 1] }
    }

    /// Tells whether a number is in the set.
    #[inline]
    #[must_use]
    pub(crate) fn contains(&self, number: u32) -> bool {
        self.words.get((number / 64) as usize).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// Adds a number; one beyond the bound is ignored.
    #[inline]
    pub(crate) fn insert(&mut self, number: u32) {
        if let Some(word) = self.words.get_mut((number / 64) as usize) {
            *word |= 1 << (number % 64);
        }
    }

    /// Takes a number out.
    #[inline]
    pub(crate) fn remove(&mut self, number: u32) {
        if let Some(word) = self.words.get_mut((number / 64) as usize) {
            *word &= !(1 << (number % 64));
        }
    }

    /// Returns which of the 64 numbers from `first` on are in the set, the first in the lowest bit.
    #[inline]
    #[must_use]
    pub(crate) fn window(&self, first: u32) -> u64 {
        let (index, shift) = ((first / 64) as usize, first % 64);
        let word = |index: usize| self.words.get(index).copied().unwrap_or(0);
        let low = word(index) >> shift;
        if shift == 0 { low } else { low | word(index + 1) << (64 - shift) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_what_is_in_the_set() {
        let mut bits = Bits::new(200);
        for number in [0, 63, 64, 130, 199, 5000] {
            bits.insert(number);
        }
        bits.remove(0);
        assert_eq!(bits.window(62), 0b110);
        assert_eq!(bits.window(64), 1);
        assert_eq!(bits.window(130), 1);
        assert_eq!(bits.window(190), 1 << 9);
        assert_eq!(bits.window(100_000), 0);
        assert!(bits.contains(199) && !bits.contains(5000) && !bits.contains(0));
    }
}
