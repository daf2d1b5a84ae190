//! Codes symbols of one class, each bit by a mix of what all evidence says.
//!
//! A symbol of up to eight bits is coded from its highest bit down. For each bit the inputs of the mix are, in order:
//!
//! | from | first input | second input |
//! |---|---|---|
//! | each context: the counter of its bit history | `stretch(p)` | `(p - 32768) >> 5` |
//! | each expectation: the counter of its circumstances (one for the first bit, one for the others), the sign that of the expected bit | `±stretch(p)` | ±256 |
//! | a constant | 256 | |
//! | the hint, in predictors that have one | as given | as given |
//! | each direct counter of the bits so far | `stretch(p)` | `(p - 32768) >> 6` |
//!
//! A context that has seen nothing, and an expectation that is absent or already refuted, give 0. Each selector's set of
//! weights makes a prediction of all inputs; the predictions are added with final weights (16 fractional bits, at first
//! equal, `weight += (prediction * error * 2 + 8192) >> 14`), refined, and held within 24 and 65512.

use super::Shared;
use super::counter::Counter;
use super::evidence::{
    Evidence, Expectation, Few, MAX_CONTEXTS, MAX_DIRECT, MAX_EXPECTATIONS, MAX_SELECTORS,
};
use super::logistic::LIMIT;
use super::refinement::Refinement;
use super::slots::hash;
use super::table::Table;
use super::weights::{Chosen, ONE, Weights};
use crate::coder::Coder;
use crate::start::{Notes, USES, Wish};

/// Most inputs of a mix, padding included.
const MAX_INPUTS: usize = 64;
/// How slow the counters of states, circumstances and direct counters become.
const LAST: u32 = 250;
/// How many kinds of bits differ in what the first expectation says: *no*, *yes*, nothing.
const KINDS: u32 = 3;
/// The least likely that anything is held to be.
const LEAST: u32 = 24;

/// What evidence a predictor takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Most bits of a symbol.
    pub(crate) bits: u32,
    /// How many contexts.
    pub(crate) contexts: usize,
    /// How many expectations.
    pub(crate) expectations: usize,
    /// For each selector how many values it has; powers of two.
    pub(crate) selectors: &'static [u32],
    /// For each direct counter how many values it has; powers of two.
    pub(crate) direct: &'static [u32],
    /// How many rows refine; 0 if nothing does.
    pub(crate) refinements: u32,
    /// Whether there is a hint.
    pub(crate) hinted: bool,
}

/// Codes symbols of one class.
#[derive(Clone, Debug)]
pub(crate) struct Predictor {
    bits: u32,
    hinted: bool,
    inputs: usize,
    meanings: Vec<Table<Counter>>,
    trust: Vec<Table<Counter>>,
    direct: Vec<Table<Counter>>,
    weights: Vec<Weights>,
    /// The final weights, by the bit's number and what is expected.
    last: Table<[i32; MAX_SELECTORS]>,
    refinement: Option<Refinement>,
}

/// The inputs of one bit.
struct Inputs {
    values: [i16; MAX_INPUTS],
    len: usize,
}

impl Inputs {
    #[inline]
    fn push(&mut self, first: i16, second: i16) {
        if let Some([a, b]) = self.values.get_mut(self.len..self.len + 2) {
            (*a, *b) = (first, second);
        }
        self.len += 2;
    }
}

/// How far a probability is from even, in units that suit an input.
#[inline]
fn lean(probability: u32, shift: u32) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "16 bits with a sign, shifted right")]
    let lean = (probability.cast_signed().wrapping_sub(32_768) >> shift) as i16;
    lean
}

impl Predictor {
    pub(crate) fn new(shape: &Shape, shared: &Shared) -> Self {
        debug_assert!(shape.contexts <= MAX_CONTEXTS && shape.expectations <= MAX_EXPECTATIONS);
        debug_assert!(shape.selectors.len() <= MAX_SELECTORS && shape.direct.len() <= MAX_DIRECT);
        let whole = ONE * 3 / 10;
        let mut initial = Vec::new();
        for (count, pair) in [(shape.contexts, [whole * 6 / 10, whole / 6]), (shape.expectations, [whole, 0])]
        {
            initial.extend(pair.repeat(count));
        }
        initial.extend([0, 0]);
        if shape.hinted {
            initial.extend([whole, 0]);
        }
        initial.extend([whole, 0].repeat(shape.direct.len()));
        let weights: Vec<_> = shape.selectors.iter().map(|sets| Weights::new(*sets, &initial)).collect();
        let share = ONE / i32::try_from(weights.len()).unwrap_or(1).max(1);
        let rows = shape.refinements * shape.bits * KINDS;
        let counters = |values: &u32| Table::new(values << shape.bits, Counter::new(32_768, 0));
        Self {
            bits: shape.bits,
            hinted: shape.hinted,
            inputs: initial.len().next_multiple_of(8),
            meanings: vec![shared.histories.counters(); shape.contexts],
            trust: vec![Table::new(2048, Counter::new(60_000, 2)); shape.expectations],
            direct: shape.direct.iter().map(counters).collect(),
            weights,
            last: Table::new(shape.bits * KINDS, [share; MAX_SELECTORS]),
            refinement: (rows > 0).then(|| Refinement::new(rows, &shared.logistic)),
        }
    }

    /// Returns all counters but those that refine.
    pub(crate) fn counters(&mut self) -> impl Iterator<Item = &mut Table<Counter>> {
        self.meanings.iter_mut().chain(&mut self.trust).chain(&mut self.direct)
    }

    /// Returns the sets of weights of each selector.
    pub(crate) fn weights(&self) -> &[Weights] {
        &self.weights
    }

    /// Returns the final weights.
    pub(crate) fn last(&self) -> &[[i32; MAX_SELECTORS]] {
        self.last.as_slice()
    }

    /// Carries the initial state out of notes or into them.
    pub(crate) fn begin<C: Coder>(&mut self, notes: &mut Notes<C>, shared: &Shared, wish: &impl Wish) {
        for (number, table) in self.counters().enumerate() {
            notes.counters(table, |x| shared.logistic.squash(x), |index| wish.counter(number, index));
        }
        let mut initial = vec![0; self.inputs];
        for (number, weights) in self.weights.iter_mut().enumerate() {
            if notes.weights(&mut initial, wish.weights(number)) {
                weights.begin(&initial, USES);
            }
        }
        for (number, last) in self.last.as_mut_slice().iter_mut().enumerate() {
            notes.weights(last, wish.last(number));
        }
    }

    /// Codes a symbol with a hint for each bit: `hint` gets the bits so far below a leading one, and their number.
    pub(crate) fn code_hinted<C: Coder>(
        &mut self,
        shared: &mut Shared,
        coder: &mut C,
        evidence: &Evidence,
        wish: u32,
        bits: u32,
        hint: impl Fn(&Shared, u32, u32) -> [i16; 2],
    ) -> u32 {
        debug_assert_eq!(evidence.contexts.as_slice().len(), self.meanings.len());
        debug_assert_eq!(evidence.expectations.as_slice().len(), self.trust.len());
        debug_assert_eq!(evidence.selectors.as_slice().len(), self.weights.len());
        debug_assert_eq!(evidence.direct.as_slice().len(), self.direct.len());
        debug_assert!(bits <= self.bits);
        let mut symbol = Partial::new(evidence);
        for left in (0..bits).rev() {
            symbol.left = left;
            if symbol.done == 0 || left & 3 == 3 {
                symbol.find_slots(shared);
            }
            let hint = if self.hinted { hint(shared, symbol.node, symbol.done) } else { [0, 0] };
            let inputs = self.inputs(shared, &symbol, hint);
            let values = inputs.values.get(..self.inputs).unwrap_or_default();

            let kind = symbol.kind();
            let last = self.last.at_mut(symbol.done * KINDS + kind);
            let mut chosen = [Chosen::default(); MAX_SELECTORS];
            let mut sum = 0_i64;
            for (((chosen, weights), selector), last) in
                chosen.iter_mut().zip(&self.weights).zip(evidence.selectors.as_slice()).zip(&*last)
            {
                *chosen = weights.choose(*selector, values);
                sum = sum.wrapping_add(i64::from(chosen.dot).wrapping_mul(i64::from(*last)));
            }
            let limit = i64::from(LIMIT);
            #[expect(clippy::cast_possible_truncation, reason = "held within the limits")]
            let mixed = (sum >> 16).clamp(-limit, limit) as i32;
            let plain = shared.logistic.squash(mixed);
            let row = (evidence.refinement.wrapping_mul(KINDS).wrapping_add(kind))
                .wrapping_mul(self.bits)
                .wrapping_add(symbol.done);
            let refined = self.refinement.as_ref().map(|refinement| refinement.refine(row, mixed, plain));
            let probability = refined.map_or(plain, |refined| refined.probability);
            let decision = coder.decide(bit(wish, left), probability.clamp(LEAST, 65_536 - LEAST));

            let error = (i32::from(decision) << 16).wrapping_sub(plain.cast_signed()) >> 4;
            for ((chosen, weights), last) in chosen.iter().zip(&mut self.weights).zip(last) {
                weights.learn(&shared.weight_rates, &shared.logistic, *chosen, values, decision);
                let step = chosen.dot.wrapping_mul(error).wrapping_mul(2).wrapping_add(8192) >> 14;
                *last = last.wrapping_add(step).clamp(-4 * ONE, 4 * ONE);
            }
            if let (Some(refinement), Some(refined)) = (&mut self.refinement, refined) {
                refinement.learn(&shared.rates, refined, decision);
            }
            self.learn(shared, &symbol, decision);
            symbol.append(decision);
        }
        symbol.node & ((1 << bits) - 1)
    }

    /// Gathers what all evidence says about the next bit.
    #[inline]
    fn inputs(&self, shared: &mut Shared, symbol: &Partial<'_>, hint: [i16; 2]) -> Inputs {
        let Shared { slots, logistic, .. } = shared;
        let mut inputs = Inputs { values: [0; MAX_INPUTS], len: 0 };
        let prefix = symbol.prefix();
        for (meaning, slot) in self.meanings.iter().zip(&symbol.slots) {
            match *slots.state(*slot, prefix) {
                0 => inputs.push(0, 0),
                state => {
                    let probability = meaning.at(u32::from(state)).probability();
                    inputs.push(logistic.stretch(probability), lean(probability, 5));
                }
            }
        }
        for (trust, expectation) in self.trust.iter().zip(symbol.expected.as_slice()) {
            match expectation.symbol {
                None => inputs.push(0, 0),
                Some(expected) => {
                    let probability = trust.at(symbol.circumstances(*expectation)).probability();
                    let stretched = logistic.stretch(probability);
                    if bit(expected, symbol.left) {
                        inputs.push(stretched, 256);
                    } else {
                        inputs.push(-stretched, -256);
                    }
                }
            }
        }
        inputs.push(256, 0);
        if self.hinted {
            let [first, second] = hint;
            inputs.push(first, second);
        }
        for (direct, counter) in self.direct.iter().zip(symbol.evidence.direct.as_slice()) {
            let probability = direct.at(self.direct_index(symbol, *counter)).probability();
            inputs.push(logistic.stretch(probability), lean(probability, 6));
        }
        inputs
    }

    /// Teaches everything but the weights what the next bit was.
    #[inline]
    fn learn(&mut self, shared: &mut Shared, symbol: &Partial<'_>, decision: bool) {
        let Shared { slots, rates, histories, .. } = shared;
        let prefix = symbol.prefix();
        for (meaning, slot) in self.meanings.iter_mut().zip(&symbol.slots) {
            let state = slots.state(*slot, prefix);
            if *state != 0 {
                meaning.at_mut(u32::from(*state)).learn(rates, decision, LAST);
            }
            *state = histories.next(*state, decision);
        }
        for (trust, expectation) in self.trust.iter_mut().zip(symbol.expected.as_slice()) {
            if let Some(expected) = expectation.symbol {
                let right = bit(expected, symbol.left) == decision;
                trust.at_mut(symbol.circumstances(*expectation)).learn(rates, right, LAST);
            }
        }
        for index in 0..self.direct.len() {
            let counter = symbol.evidence.direct.as_slice().get(index).copied().unwrap_or(0);
            let at = self.direct_index(symbol, counter);
            if let Some(direct) = self.direct.get_mut(index) {
                direct.at_mut(at).learn(rates, decision, LAST);
            }
        }
    }

    #[inline]
    fn direct_index(&self, symbol: &Partial<'_>, counter: u32) -> u32 {
        (counter << self.bits).wrapping_add(symbol.node).wrapping_sub(1)
    }
}

/// A symbol of which some bits are known.
struct Partial<'a> {
    evidence: &'a Evidence,
    slots: [u32; MAX_CONTEXTS],
    /// The expectations that are not refuted.
    expected: Few<Expectation, MAX_EXPECTATIONS>,
    /// The known bits, below a leading one.
    node: u32,
    /// How many bits are known.
    done: u32,
    /// How many were known when the nibble began.
    nibble: u32,
    /// How many bits follow the next.
    left: u32,
}

impl<'a> Partial<'a> {
    fn new(evidence: &'a Evidence) -> Self {
        let expected = evidence.expectations;
        Self { evidence, slots: [0; MAX_CONTEXTS], expected, node: 1, done: 0, nibble: 0, left: 0 }
    }

    /// Finds the slots of the nibble that begins.
    #[inline]
    fn find_slots(&mut self, shared: &mut Shared) {
        self.nibble = self.done;
        let contexts = self.evidence.contexts.as_slice();
        let mut keys = [0; MAX_CONTEXTS];
        for (key, context) in keys.iter_mut().zip(contexts) {
            *key = if self.done == 0 { *context } else { hash(*context, self.node) };
        }
        let keys = keys.get(..contexts.len()).unwrap_or_default();
        shared.slots.touch(keys);
        for (slot, key) in self.slots.iter_mut().zip(keys) {
            *slot = shared.slots.find(&shared.histories, *key);
        }
    }

    /// Returns what the first expectation says of the next bit.
    #[inline]
    fn kind(&self) -> u32 {
        let first = self.expected.as_slice().first().and_then(|expectation| expectation.symbol);
        first.map_or(2, |expected| u32::from(bit(expected, self.left)))
    }

    /// Returns the place of the next bit within its slot.
    #[inline]
    fn prefix(&self) -> u32 {
        let known = self.done - self.nibble;
        1 << known | self.node & ((1 << known) - 1)
    }

    #[inline]
    fn circumstances(&self, expectation: Expectation) -> u32 {
        (expectation.circumstances << 1 | u32::from(self.done > 0)) & 2047
    }

    #[inline]
    fn append(&mut self, decision: bool) {
        for expectation in self.expected.as_mut_slice() {
            if expectation.symbol.is_some_and(|expected| bit(expected, self.left) != decision) {
                expectation.symbol = None;
            }
        }
        self.node = self.node << 1 | u32::from(decision);
        self.done += 1;
    }
}

/// Tells whether a bit is set.
#[inline]
pub(super) fn bit(symbol: u32, place: u32) -> bool {
    symbol >> place & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::super::teacher::Teacher;
    use super::*;
    use crate::coder::Decoder;
    use crate::coder::tests::Encoder;

    const SHAPE: Shape = Shape {
        bits: 8,
        contexts: 3,
        expectations: 1,
        selectors: &[4, 256],
        direct: &[2],
        refinements: 2,
        hinted: true,
    };

    /// Codes a text by its last two bytes; returns what came out.
    fn code<C: Coder>(coder: &mut C, text: &[u8]) -> Vec<u8> {
        let mut shared = Shared::new(16);
        let mut predictor = Predictor::new(&SHAPE, &shared);
        let mut made: Vec<u8> = Vec::new();
        for wish in text {
            let back = |n: usize| made.len().checked_sub(n).map_or(0, |at| u32::from(made[at]));
            let mut evidence = Evidence::new(1);
            evidence.context(back(1), 0);
            evidence.context(back(1), back(2));
            evidence.context(back(1) | back(2) << 8, back(3));
            evidence.expect(Some(back(4)), 7);
            evidence.select(1);
            evidence.select(back(1));
            evidence.count(1);
            evidence.refine(1);
            let hint = |_: &Shared, node: u32, done: u32| [if node >> done == 1 { 5 } else { 0 }, 0];
            let symbol = predictor.code_hinted(&mut shared, coder, &evidence, u32::from(*wish), 8, hint);
            made.push(u8::try_from(symbol).unwrap());
        }
        made
    }

    #[test]
    fn what_repeats_is_learned_and_comes_back() {
        let text = b"the same words, the other words, ".repeat(30);
        let mut encoder = Encoder::default();
        code(&mut encoder, &text);
        let stream = encoder.finish();
        assert!(stream.len() < 80, "{} bytes", stream.len());
        let mut decoder = Decoder::new(&stream);
        assert_eq!(code(&mut decoder, &vec![0; text.len()]), text);
        decoder.finish().unwrap();
    }

    #[test]
    fn noise_costs_hardly_more_than_its_size() {
        let noise: Vec<u8> = (0..4000_u32)
            .map(|n| (n.wrapping_mul(0x9e37_79b9) ^ n.wrapping_mul(n) << 9).to_be_bytes()[1])
            .collect();
        let mut encoder = Encoder::default();
        code(&mut encoder, &noise);
        assert!(encoder.finish().len() < 4300);
    }

    #[test]
    fn what_was_taught_is_expected() {
        let cost = |taught: usize| {
            let mut shared = Shared::new(16);
            let shape = Shape { contexts: 1, expectations: 0, hinted: false, ..SHAPE };
            let mut predictor = Predictor::new(&shape, &shared);
            let mut evidence = Evidence::new(1);
            evidence.context(1, 2);
            evidence.select(0);
            evidence.select(0);
            evidence.count(0);
            let mut teacher = Teacher::default();
            for _ in 0..taught {
                teacher.teach(&mut shared, &evidence, 0x5a, 8);
            }
            teacher.finish(&mut shared);
            let mut encoder = Encoder::default();
            for _ in 0..3 {
                predictor.code_hinted(&mut shared, &mut encoder, &evidence, 0x5a, 8, |_, _, _| [0, 0]);
            }
            encoder.finish().len()
        };
        assert!(cost(20) < cost(0));
    }
}
