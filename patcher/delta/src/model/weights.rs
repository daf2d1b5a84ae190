//! The weights by which predictions are mixed.
//!
//! A set of weights belongs to a *selector*, a small number that says in what situation a decision is made; a predictor has
//! up to three selectors, each with its own sets. The sum of inputs times weights is a number of the logistic domain. After
//! the decision each chosen set learns by its own error.
//!
//! Weights are kept twice: with 16 fractional bits to learn, and rounded down to 13, within ±4, in 16 bits to be multiplied:
//! eight at a time on any processor of this century.
//!
//! ```text
//! dot    = clamp(sum(input * rounded) >> 13, ±LIMIT)
//! error  = ((decision << 16) - squash(dot)) >> 4, times the rate, >> 3
//! weight = clamp(weight + ((input * error + 4096) >> 13), ±262136)
//! rate   = 14 + 600 / (uses + 15), uses counted from 1 in each set
//! ```

use super::logistic::{LIMIT, Logistic};
use super::table::Table;

/// How many inputs are multiplied at once; sets are padded to a multiple.
const LANES: usize = 8;

/// 1.0 in learned weights.
pub(crate) const ONE: i32 = 1 << 16;

/// The largest learned weight: its rounded twin still fits 16 bits.
const LARGEST: i32 = 32_767 << 3;

/// How fast weights learn in the end.
const SLOWEST: u32 = 14;

/// All sets of one selector.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    width: usize,
    mask: u32,
    learned: Box<[i32]>,
    rounded: Box<[i16]>,
    uses: Table<u16>,
}

/// A chosen set, and what it says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chosen {
    set: u32,
    /// The prediction, in the logistic domain.
    pub(crate) dot: i32,
}

impl Weights {
    /// Makes `sets` sets, a power of two, all alike.
    pub(crate) fn new(sets: u32, initial: &[i32]) -> Self {
        let width = initial.len().next_multiple_of(LANES);
        let mut set = initial.to_vec();
        set.resize(width, 0);
        let learned: Box<[i32]> = set.repeat(sets as usize).into();
        let rounded = learned.iter().map(|weight| round(*weight)).collect();
        Self { width, mask: sets.next_power_of_two() - 1, learned, rounded, uses: Table::new(sets, 0) }
    }

    /// Begins again with all sets alike, as if used so often; `initial` is of the padded width.
    pub(crate) fn begin(&mut self, initial: &[i32], uses: u16) {
        for set in self.learned.chunks_exact_mut(self.width) {
            set.copy_from_slice(initial);
        }
        for (rounded, learned) in self.rounded.iter_mut().zip(&self.learned) {
            *rounded = round(*learned);
        }
        self.uses.as_mut_slice().fill(uses);
    }

    /// Returns each set and how often it was used.
    pub(crate) fn sets(&self) -> impl Iterator<Item = (&[i32], u16)> {
        self.learned.chunks_exact(self.width).zip(self.uses.as_slice().iter().copied())
    }

    /// Predicts by the set of a selector; `inputs` are as many as the padded width.
    #[inline]
    pub(crate) fn choose(&self, selector: u32, inputs: &[i16]) -> Chosen {
        let set = selector & self.mask;
        let at = set as usize * self.width;
        let weights = self.rounded.get(at..at + self.width).unwrap_or_default();
        let mut sums = [0_i32; LANES];
        for (inputs, weights) in inputs.chunks_exact(LANES).zip(weights.chunks_exact(LANES)) {
            for ((sum, input), weight) in sums.iter_mut().zip(inputs).zip(weights) {
                // Below 2^27 each, and not more than eight of them in a lane.
                *sum = sum.wrapping_add(i32::from(*input).wrapping_mul(i32::from(*weight)));
            }
        }
        let sum: i64 = sums.iter().map(|sum| i64::from(*sum)).fold(0, i64::wrapping_add);
        let limit = i64::from(LIMIT);
        #[expect(clippy::cast_possible_truncation, reason = "held within the limits")]
        Chosen { set, dot: (sum >> 13).clamp(-limit, limit) as i32 }
    }

    /// Learns what happened.
    #[inline]
    pub(crate) fn learn(
        &mut self,
        rates: &Rates,
        logistic: &Logistic,
        chosen: Chosen,
        inputs: &[i16],
        happened: bool,
    ) {
        let uses = self.uses.at_mut(chosen.set);
        *uses = uses.saturating_add(1);
        let rate = i32::from(*rates.by_uses.at(u32::from(*uses).min(RATES - 1)));
        let target = i32::from(happened) << 16;
        let error =
            (target.wrapping_sub(logistic.squash(chosen.dot).cast_signed()) >> 4).wrapping_mul(rate) >> 3;
        #[expect(clippy::cast_possible_truncation, reason = "4096 * 51 / 8 fits 16 bits")]
        let error = error as i16;
        let at = chosen.set as usize * self.width;
        let learned = self.learned.get_mut(at..at + self.width).unwrap_or_default();
        let rounded = self.rounded.get_mut(at..at + self.width).unwrap_or_default();
        for ((weight, rounded), input) in learned.iter_mut().zip(rounded).zip(inputs) {
            let step = i32::from(*input).wrapping_mul(i32::from(error)).wrapping_add(4096) >> 13;
            *weight = weight.wrapping_add(step).clamp(-LARGEST, LARGEST);
            *rounded = round(*weight);
        }
    }
}

#[inline]
fn round(weight: i32) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "weights are held within what fits")]
    let rounded = (weight >> 3) as i16;
    rounded
}

/// How many rates differ.
const RATES: u32 = 1024;

/// How fast sets learn, by how often they were used.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    by_uses: Table<u8>,
}

impl Rates {
    pub(crate) fn new() -> Self {
        Self {
            by_uses: Table::from_fn(RATES, |uses| {
                u8::try_from(SLOWEST + 600 / (uses + 15)).unwrap_or(u8::MAX)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_useful_input_gains_weight() {
        let (rates, logistic) = (Rates::new(), Logistic::new());
        let mut weights = Weights::new(1, &[ONE / 4, ONE / 4]);
        for n in 0..2000_u32 {
            let happened = n % 3 == 0;
            let noise = if n % 5 < 2 { 500 } else { -500 };
            let inputs = [if happened { 500 } else { -500 }, noise, 0, 0, 0, 0, 0, 0];
            let chosen = weights.choose(0, &inputs);
            weights.learn(&rates, &logistic, chosen, &inputs, happened);
        }
        assert!(
            weights.learned[0] > ONE && weights.learned[1].abs() < ONE / 4,
            "{:?}",
            &weights.learned[..2]
        );
    }

    #[test]
    fn weights_stay_within_what_fits() {
        let (rates, logistic) = (Rates::new(), Logistic::new());
        let mut weights = Weights::new(1, &[0; 64]);
        let inputs = [2303; 64];
        for n in 0..100_000_u32 {
            let chosen = Chosen { set: 0, dot: if n < 50_000 { -LIMIT } else { LIMIT } };
            weights.learn(&rates, &logistic, chosen, &inputs, n < 50_000);
            assert!(weights.choose(0, &inputs).dot.abs() <= LIMIT);
        }
    }
}
