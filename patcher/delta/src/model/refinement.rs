//! The last correction of a prediction, by what became of earlier ones like it.
//!
//! A row has 33 counters along the logistic domain, 176 units apart; a prediction lies between two, is replaced by
//! five eighths of itself and three of their weighted mean, and teaches the nearer one.

use super::counter::{self, Counter};
use super::logistic::{LIMIT, Logistic};
use super::table::Table;
use crate::coder::Probability;

/// Counters in a row.
const POINTS: u32 = 33;

/// Units of the logistic domain from one to the next.
const STEP: u32 = 176;

/// How slow the counters become.
const LAST: u32 = 120;

/// Rows of counters.
#[derive(Clone, Debug)]
pub(crate) struct Refinement {
    counters: Table<Counter>,
}

/// Where a prediction was refined.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refined {
    nearer: u32,
    pub(crate) probability: Probability,
}

impl Refinement {
    pub(crate) fn new(rows: u32, logistic: &Logistic) -> Self {
        let mut counters = Table::new(rows * POINTS, Counter::new(0, 0));
        for index in 0..rows * POINTS {
            let x = (index % POINTS * STEP).cast_signed() - 16 * STEP.cast_signed();
            *counters.at_mut(index) = Counter::new(logistic.squash(x), 0);
        }
        Self { counters }
    }

    /// Refines a prediction of the logistic domain.
    #[inline]
    pub(crate) fn refine(&self, row: u32, x: i32, probability: Probability) -> Refined {
        let along = x.wrapping_add(LIMIT).cast_unsigned();
        let (point, past) = (along / STEP, along % STEP * 256 / STEP);
        let below = row.wrapping_mul(POINTS).wrapping_add(point);
        let (low, high) = (self.counters.at(below), self.counters.at(below.wrapping_add(1)));
        let mean = (low.probability() * (256 - past) + high.probability() * past) >> 8;
        Refined {
            nearer: below.wrapping_add(u32::from(past > 128)),
            probability: (probability * 5 + mean * 3) >> 3,
        }
    }

    /// Learns what happened.
    #[inline]
    pub(crate) fn learn(&mut self, rates: &counter::Rates, refined: Refined, happened: bool) {
        self.counters.at_mut(refined.nearer).learn(rates, happened, LAST);
    }
}
