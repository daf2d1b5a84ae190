//! Adaptive probabilities.
//!
//! A counter holds a probability of 22 bits and, in the low 10 bits, how often it has learned. Each time it moves
//! towards what happened by the fraction `1 / (n + 1.6)`, where `n` stops at a limit: fast at first, then slowly and for
//! ever. `recip[n] = 655360 / (10 n + 16)`, and the step is `(target - p) * recip[n] >> 16` with a shift that rounds
//! down.

use super::table::Table;
use crate::coder::Probability;

/// `2^22 - 1`: certainty.
const ONE: i32 = (1 << 22) - 1;

/// A probability that learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counter(u32);

impl Counter {
    /// Begins with a probability, as if it had been learned `count` times.
    pub(crate) fn new(probability: Probability, count: u32) -> Self {
        Self(probability << 16 | count)
    }

    /// Returns the probability of *yes*.
    #[inline]
    pub(crate) fn probability(self) -> Probability {
        (self.0 >> 16).max(1)
    }

    /// Returns how often it has learned, up to the limit.
    pub(crate) fn count(self) -> u32 {
        self.0 & 1023
    }

    /// Learns what happened; `limit` (below 1024) sets how slow it becomes.
    #[inline]
    pub(crate) fn learn(&mut self, rates: &Rates, happened: bool, limit: u32) {
        let count = self.0 & 1023;
        let now = (self.0 >> 10).cast_signed();
        let target = if happened { ONE } else { 0 };
        let step = (i64::from(target.wrapping_sub(now)) * i64::from(*rates.reciprocals.at(count))) >> 16;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a fraction of the way to the target, below 2^22"
        )]
        let moved = now.wrapping_add(step as i32).clamp(0, ONE).cast_unsigned();
        self.0 = moved << 10 | if count < limit { count + 1 } else { count };
    }
}

/// How far counters move.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    reciprocals: Table<u16>,
}

impl Rates {
    pub(crate) fn new() -> Self {
        let reciprocal = |n: u32| u16::try_from(655_360 / (10 * n + 16)).unwrap_or(u16::MAX);
        Self { reciprocals: Table::from_fn(1024, reciprocal) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_nears_what_happens_and_stays_a_probability() {
        let rates = Rates::new();
        for (happened, wanted) in [(true, 65_000..65_536), (false, 1..600)] {
            let mut counter = Counter::new(32_768, 0);
            for _ in 0..5000 {
                counter.learn(&rates, happened, 250);
                assert!((1..65_536).contains(&counter.probability()));
            }
            assert!(wanted.contains(&counter.probability()), "{}", counter.probability());
        }
    }

    #[test]
    fn the_first_step_is_the_largest() {
        let rates = Rates::new();
        let mut counter = Counter::new(32_768, 0);
        counter.learn(&rates, true, 250);
        assert_eq!(counter.probability(), 53_247);
        counter.learn(&rates, false, 250);
        assert_eq!(counter.probability(), 32_768);
    }
}
