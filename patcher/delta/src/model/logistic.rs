//! The logistic function and its inverse, in exact integers.
//!
//! Predictions are mixed in the *logistic domain*: `stretch(p) = ln(p / (1 - p))`, in units of 1/256, within
//! ±[`LIMIT`]. `squash` is its inverse. [`POINTS`] gives `squash` at every quarter above zero; between them it is a
//! straight line, rounded; below zero it is mirrored: `squash(-x) = 65536 - squash(x)`. `stretch` is defined by
//! `squash` alone: the smallest `x` for which `squash` is beyond the middle of the sixteen probabilities that share a
//! value. The table *is* the definition; how near it is to the true function matters to compression only.

use super::table::Table;
use crate::coder::Probability;

/// The largest number of the logistic domain: 11, less one unit of 1/256.
pub(crate) const LIMIT: i32 = 2815;

/// Units of the logistic domain from one point to the next.
const STEP: u32 = 64;

/// `round(65536 / (1 + exp(-x / 4)))`, at most 65535, for x = 0 ..= 44.
const POINTS: [u32; 45] = [
    32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565, 61598, 62428, 63090, 63615,
    64030, 64357, 64614, 64816, 64974, 65097, 65194, 65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489,
    65500, 65508, 65514, 65519, 65523, 65526, 65528, 65530, 65531, 65532, 65533, 65534, 65534, 65535, 65535,
];

/// Both functions, as tables.
#[derive(Clone, Debug)]
pub(crate) struct Logistic {
    squash: Table<u16>,
    stretch: Table<i16>,
}

impl Logistic {
    pub(crate) fn new() -> Self {
        let squash = Table::from_fn(8192, |index| squash(index.cast_signed() - 4096));
        let mut x = -LIMIT;
        let stretch = Table::from_fn(4096, |index| {
            let middle = index * 16 + 8;
            while x < LIMIT && u32::from(*squash.at((x + 4096).cast_unsigned())) < middle {
                x += 1;
            }
            i16::try_from(x).unwrap_or(0)
        });
        Self { squash, stretch }
    }

    /// Returns the probability of a number of the logistic domain, which is held within its limits.
    #[inline]
    pub(crate) fn squash(&self, x: i32) -> Probability {
        let x = x.clamp(-LIMIT, LIMIT);
        u32::from(*self.squash.at(x.wrapping_add(4096).cast_unsigned()))
    }

    /// Returns the place of a probability in the logistic domain.
    #[inline]
    pub(crate) fn stretch(&self, probability: Probability) -> i16 {
        *self.stretch.at(probability >> 4)
    }
}

fn squash(x: i32) -> u16 {
    let distance = x.unsigned_abs().min(LIMIT.unsigned_abs());
    let (point, past) = ((distance / STEP) as usize, distance % STEP);
    let at = |point: usize| POINTS.get(point).copied().unwrap_or(65_535);
    let above = (at(point) * (STEP - past) + at(point + 1) * past + STEP / 2) / STEP;
    u16::try_from(if x < 0 { 65_536 - above } else { above }).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squash_rises_and_is_mirrored() {
        let logistic = Logistic::new();
        let all: Vec<u32> = (-LIMIT..=LIMIT).map(|x| logistic.squash(x)).collect();
        assert!(all.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(all.iter().zip(all.iter().rev()).all(|(low, high)| low + high == 65_536));
        assert_eq!((logistic.squash(-9999), logistic.squash(9999)), (1, 65_535));
        assert_eq!(logistic.squash(0), 32_768);
    }

    #[test]
    fn stretch_undoes_squash() {
        let logistic = Logistic::new();
        for x in -1000..1000 {
            let back = i32::from(logistic.stretch(logistic.squash(x)));
            assert!((back - x).abs() <= 12, "{x} comes back as {back}");
        }
    }

    #[test]
    fn the_definition_stays() {
        let logistic = Logistic::new();
        let sum = (0..65_536).step_by(16).fold(0_u32, |sum, p| {
            sum.wrapping_mul(31).wrapping_add(i32::from(logistic.stretch(p)).cast_unsigned())
        });
        let sum = (-LIMIT..=LIMIT).fold(sum, |sum, x| sum.wrapping_mul(31).wrapping_add(logistic.squash(x)));
        assert_eq!(sum, 2_398_819_507);
    }
}
