//! Teaching contexts what symbols came, without coding them.
//!
//! Lessons wait until there are some, so that the processor can fetch the slots of all at once: far more time goes into
//! waiting for memory than into learning. What is learned is the same.

use super::Shared;
use super::evidence::Evidence;
use super::predictor::bit;
use super::slots::hash;

/// How many contexts are taught: the first of each symbol's.
const TAUGHT: usize = 3;

/// How many lessons wait at most.
const WAITING: usize = 32;

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
                if left == 0 {
                    break;
                }
                let slot = slots.find(histories, *key);
                let rest = after_nibble(left);
                let mut node = 1;
                for place in (rest..left).rev() {
                    let decision = bit(self.symbol, place);
                    let state = slots.state(slot, node);
                    *state = histories.next(*state, decision);
                    node = node << 1 | u32::from(decision);
                }
                left = rest;
            }
        }
    }
}

/// Returns how many of the bits that are left follow the nibble that begins with them.
fn after_nibble(left: u32) -> u32 {
    left.saturating_sub(1) & !3
}

/// Teaches lessons in order.
#[derive(Debug, Default)]
pub(crate) struct Teacher {
    waiting: Vec<Lesson>,
}

impl Teacher {
    /// Teaches the first contexts a symbol of `bits` bits, at most eight.
    pub(crate) fn teach(&mut self, shared: &mut Shared, evidence: &Evidence, symbol: u32, bits: u32) {
        let mut lesson = Lesson { keys: [[0; 2]; TAUGHT], symbol, bits };
        let rest = after_nibble(bits);
        let first = 1 << (bits - rest) | symbol >> rest;
        for (keys, context) in lesson.keys.iter_mut().zip(evidence.contexts.as_slice()) {
            *keys = [*context, hash(*context, first)];
        }
        self.waiting.push(lesson);
        if self.waiting.len() >= WAITING {
            self.finish(shared);
        }
    }

    /// Teaches what waits.
    pub(crate) fn finish(&mut self, shared: &mut Shared) {
        for lesson in &self.waiting {
            shared.slots.touch(lesson.keys.as_flattened());
        }
        for lesson in self.waiting.drain(..) {
            lesson.learn(shared);
        }
    }
}
