//! The statistical model: what is likely to come next, by what came before.
//!
//! Context mixing, in integers only, so that it is the same on every machine: many small predictions of each bit, each
//! from another piece of evidence, are weighed against each other, and everything learns from what came. This part knows
//! nothing of files. All state is made in one place, [`crate::models`].
//!
//! | module | is responsible for |
//! |---|---|
//! | `logistic` | the domain in which predictions are mixed |
//! | `counter` | probabilities that adapt |
//! | `history` | what a context has seen, in a byte |
//! | `slots` | where histories are kept |
//! | `weights` | mixing |
//! | `refinement` | the last correction |
//! | `evidence` | what a caller says about a symbol |
//! | `predictor` | one class of symbols |
//! | `teacher` | what is learned without being coded |

pub(crate) mod counter;
mod evidence;
mod history;
mod logistic;
mod predictor;
mod refinement;
mod slots;
mod table;
mod teacher;
mod weights;

pub(crate) use evidence::Evidence;
pub(crate) use predictor::{Predictor, Shape};
pub(crate) use slots::hash;
pub(crate) use table::Table;
pub(crate) use teacher::Teacher;

use history::Histories;
use logistic::Logistic;
use slots::Slots;

/// What all predictors share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    logistic: Logistic,
    histories: Histories,
    pub(crate) rates: counter::Rates,
    weight_rates: weights::Rates,
    slots: Slots,
}

impl Shared {
    /// Begins with `1 << bits` bytes of slots.
    pub(crate) fn new(bits: u32) -> Self {
        Self {
            logistic: Logistic::new(),
            histories: Histories::new(),
            rates: counter::Rates::new(),
            weight_rates: weights::Rates::new(),
            slots: Slots::new(bits),
        }
    }

    /// Makes a new table of `1 << bits` bytes of slots.
    pub(crate) fn set_slots(&mut self, bits: u32) {
        self.slots = Slots::new(bits);
    }

    /// Returns the probability of a number of the logistic domain.
    pub(crate) fn squash(&self, x: i32) -> u32 {
        self.logistic.squash(x)
    }

    /// Returns the place of a probability in the logistic domain.
    pub(crate) fn stretch(&self, probability: u32) -> i16 {
        self.logistic.stretch(probability)
    }
}
