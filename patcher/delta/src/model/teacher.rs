//! Teaching contexts what symbols came, without coding them.
//!
//! One lesson waits until the next is known: meanwhile the processor fetches its slots. What is learned is the same.

use super::Shared;
use super::evidence::Evidence;
use super::predictor::bit;
use super::slots::hash;

/// How many contexts are taught: the first of each symbol's.
pub(crate) const TAUGHT: usize = 3;

/// A symbol that contexts are taught.
#[derive(Debug)]
struct Lesson {
    /// For each context the hash of its first nibble, and of its second.
    keys: [[u32; 2]; TAUGHT],
    symbol: u32,
    bits: u32,
}

impl Lesson {
    fn learn(&self, shared: &mut Shared) {
        let Shared { slots, histories, .. } = shared;
        for keys in &self.keys {
            let mut left = self.bits;
            for key in keys {
                let taken = left.min(4);
                if taken == 0 {
                    break;
                }
                let slot = slots.find(histories, *key);
                let mut node = 1;
                for place in (left - taken..left).rev() {
                    let decision = bit(self.symbol, place);
                    let state = slots.state(slot, node);
                    *state = histories.next(*state, decision);
                    node = node << 1 | u32::from(decision);
                }
                left -= taken;
            }
        }
    }
}

/// Teaches lessons in order.
#[derive(Debug, Default)]
pub(crate) struct Teacher {
    waiting: Option<Lesson>,
}

impl Teacher {
    /// Teaches the first contexts a symbol of `bits` bits, at most eight.
    pub(crate) fn teach(&mut self, shared: &mut Shared, evidence: &Evidence, symbol: u32, bits: u32) {
        let mut lesson = Lesson { keys: [[0; 2]; TAUGHT], symbol, bits };
        let first = 1 << 4 | symbol >> bits.saturating_sub(4);
        for (keys, context) in lesson.keys.iter_mut().zip(evidence.contexts.as_slice()) {
            *keys = [*context, hash(*context, first)];
        }
        shared.slots.touch(lesson.keys.as_flattened());
        if let Some(before) = self.waiting.replace(lesson) {
            before.learn(shared);
        }
    }

    /// Teaches what waits.
    pub(crate) fn finish(self, shared: &mut Shared) {
        if let Some(last) = self.waiting {
            last.learn(shared);
        }
    }
}
