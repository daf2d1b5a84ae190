//! The only source of variety: SplitMix64, seeded from words.
//!
//! Nothing here reads a clock or the system, so equal seeds give equal programs on every machine. It is no
//! source of secrets.

/// A small deterministic number generator.
#[derive(Debug, Clone)]
pub struct Prng(u64);

impl Prng {
    /// Seeds from the words, in order; `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn seeded(words: &[&str]) -> Self {
        // FNV-1a, 64 bits.
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for word in words {
            for byte in word.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Self(hash)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound - 1`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        let scaled = ((self.next() >> 32) * u64::from(bound)) >> 32;
        u32::try_from(scaled).expect("a product of two 32-bit numbers, shifted, has 32 bits")
    }

    /// A number from 0 to `bound - 1`, small ones more often.
    pub(crate) fn skewed(&mut self, bound: u32) -> u32 {
        let limit = self.below(bound) + 1;
        self.below(limit)
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of the choices, each as likely as the next.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let bound = u32::try_from(choices.len()).expect("choice lists are short");
        self.at(choices, Self::below, bound)
    }

    /// One of the choices, the first ones more often.
    pub(crate) fn pick_skewed<T: Copy>(&mut self, choices: &[T]) -> T {
        let bound = u32::try_from(choices.len()).expect("choice lists are short");
        self.at(choices, Self::skewed, bound)
    }

    fn at<T: Copy>(&mut self, choices: &[T], draw: fn(&mut Self, u32) -> u32, bound: u32) -> T {
        let index = usize::try_from(draw(self, bound)).expect("an index of a list");
        *choices.get(index).expect("choice lists are not empty")
    }

    /// An index of a list of `length` elements; 0 for an empty list.
    pub fn index(&mut self, length: usize) -> usize {
        let bound = u32::try_from(length).expect("lists are far shorter than 4 G");
        usize::try_from(self.below(bound)).expect("an index of a list")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_splitmix64() {
        // First outputs of the reference implementation for seed 0.
        let mut prng = Prng(0);
        assert_eq!(prng.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(prng.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn word_borders_count() {
        assert_ne!(Prng::seeded(&["ab", "c"]).next(), Prng::seeded(&["a", "bc"]).next());
    }

    #[test]
    fn below_stays_below() {
        let mut prng = Prng::seeded(&["bounds"]);
        for bound in [1, 2, 7, 1000] {
            assert!((0..1000).all(|_| prng.below(bound) < bound));
            assert!((0..1000).all(|_| prng.skewed(bound) < bound));
        }
        assert_eq!(prng.below(0), 0);
    }
}
