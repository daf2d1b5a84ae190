//! Where models begin: initial state that was found by training on other files.
//!
//! The file `trained.bin` *is part of the format*. It is made by the trainer of the builder, and says for each class of symbols
//! how its counters and weights begin; what it does not tell begins as the model's own documentation says.
//!
//! ```text
//! offset  size  what
//!      0     4  fingerprint of the shapes that were trained, little-endian; see `Class::fingerprint`
//!      4    24  for each class, and behind them for the flags and blocks, the size of its stream, little-endian
//!     28   ...  the streams
//! ```
//!
//! A stream is one of [`crate::coder`]: for each table of counters each counter, for each selector its weights, for each
//! final weight. First of each comes a flag, whether it is told; after that the numbers, highest bit first. A counter has
//! two: six bits of its probability, 88 units of the logistic domain each, 32 being even; and two bits for how often it is
//! taken to have learned, `CONFIDENCE`. A weight has eight bits, 128 being zero, in units of 1/64. Told weights begin as
//! if used 30 times.

use std::borrow::Cow;

use crate::coder::{Coder, Decoder};
use crate::model::Table;
use crate::model::counter::{Counter, Rates};
use crate::models::Class;

/// Bytes before the streams: a fingerprint, and their sizes.
pub(crate) const HEAD: usize = 4 + 2 * STREAMS;
/// Streams: one for each class, one for flags and blocks.
pub(crate) const STREAMS: usize = Class::COUNT + 1;

/// How often told counters have learned.
pub(crate) const CONFIDENCE: [u32; 4] = [2, 6, 14, 30];
/// How often told weights have been used.
pub(crate) const USES: u16 = 30;
/// Units of the logistic domain from one level of a counter to the next.
pub(crate) const LEVEL: i32 = 88;
/// The level of an even probability.
pub(crate) const EVEN: u32 = 32;
/// Fractional bits of learned weights that are not told, and what stands for zero.
pub(crate) const WEIGHT_SHIFT: u32 = 10;
pub(crate) const ZERO: i32 = 128;

/// What models begin with.
#[derive(Clone, Debug, Default)]
pub struct Start(Cow<'static, [u8]>);

impl Start {
    /// What was trained: part of the format.
    pub const TRAINED: Self = Self(Cow::Borrowed(include_bytes!("trained.bin")));

    /// Begins with the contents of such a file; none at all is an untrained start.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(Cow::Owned(bytes))
    }

    /// Returns the notes of a stream, if there are any, and for the present shapes.
    pub(crate) fn notes(&self, number: usize) -> Option<Notes<Decoder<'_>>> {
        if crate::bytes::u32_at(&self.0, 0) != Class::fingerprint() {
            return None;
        }
        let sizes =
            self.0.get(4..HEAD)?.chunks_exact(2).map(|size| usize::from(crate::bytes::u16_at(size, 0)));
        let start = HEAD + sizes.clone().take(number).sum::<usize>();
        let stream = self.0.get(start..)?.get(..sizes.clone().nth(number)?)?;
        Some(Notes::new(Decoder::new(stream)))
    }
}

/// What a trainer wants to be told; a decoder wants nothing.
pub(crate) trait Wish {
    /// Returns level and confidence of a counter.
    fn counter(&self, table: usize, index: u32) -> Option<[u32; 2]>;
    /// Returns the weights of a selector.
    fn weights(&self, selector: usize) -> Option<&[u32]>;
    /// Returns final weights.
    fn last(&self, row: usize) -> Option<&[u32]>;
}

impl Wish for () {
    fn counter(&self, _: usize, _: u32) -> Option<[u32; 2]> {
        None
    }

    fn weights(&self, _: usize) -> Option<&[u32]> {
        None
    }

    fn last(&self, _: usize) -> Option<&[u32]> {
        None
    }
}

/// Initial state on its way out of a file or into one.
#[derive(Debug)]
pub(crate) struct Notes<C> {
    coder: C,
    rates: Rates,
    numbers: Table<Counter>,
}

impl<C: Coder> Notes<C> {
    /// Begins a stream.
    pub(crate) fn new(coder: C) -> Self {
        Self { coder, rates: Rates::new(), numbers: Table::new(1024, Counter::new(32_768, 0)) }
    }

    /// Ends it.
    pub(crate) fn into_coder(self) -> C {
        self.coder
    }

    fn decide(&mut self, place: u32, wish: bool) -> bool {
        let counter = self.numbers.at_mut(place);
        let decision = self.coder.decide(wish, counter.probability().clamp(16, 65_520));
        counter.learn(&self.rates, decision, 500);
        decision
    }

    /// Carries a number of `bits` bits, below 256; one that is not told is none. `kind` is 0, 1 or 2.
    fn number(&mut self, kind: u32, bits: u32, wish: u32) -> u32 {
        let node = (0..bits).rev().fold(1, |node, bit| {
            node << 1 | u32::from(self.decide(256 * (kind + 1) + node, wish >> bit & 1 == 1))
        });
        node & ((1 << bits) - 1)
    }

    /// Carries a table of counters, as level and confidence each.
    pub(crate) fn counters(
        &mut self,
        table: &mut Table<Counter>,
        squash: impl Fn(i32) -> u32,
        wish: impl Fn(u32) -> Option<[u32; 2]>,
    ) {
        let mut before = 0;
        for (index, counter) in (0..).zip(table.as_mut_slice()) {
            let wish = wish(index);
            let told = self.decide(before, wish.is_some());
            before = (before << 1 | u32::from(told)) & 3;
            if told {
                let [level, confidence] = wish.unwrap_or_default();
                let level = self.number(0, 6, level);
                let confidence = self.number(1, 2, confidence);
                let count = CONFIDENCE.get(confidence as usize).copied().unwrap_or(0);
                *counter = Counter::new(squash((level.cast_signed() - EVEN.cast_signed()) * LEVEL), count);
            }
        }
        for place in 0..4 {
            *self.numbers.at_mut(place) = Counter::new(32_768, 0);
        }
    }

    /// Carries weights; returns whether they are told.
    pub(crate) fn weights(&mut self, weights: &mut [i32], wish: Option<&[u32]>) -> bool {
        let told = self.decide(4, wish.is_some());
        if told {
            for (index, weight) in weights.iter_mut().enumerate() {
                let wish = wish.and_then(|wish| wish.get(index)).copied().unwrap_or(0);
                *weight = (self.number(2, 8, wish).cast_signed() - ZERO) << WEIGHT_SHIFT;
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_trained_for_other_shapes_is_left_aside() {
        let of = |fingerprint: u32| {
            let sizes = [1, 0].repeat(STREAMS);
            let head = fingerprint.to_le_bytes();
            Start::new([&head[..], &sizes, &[0; STREAMS]].concat())
        };
        assert!(of(Class::fingerprint()).notes(0).is_some());
        assert!(of(Class::fingerprint() ^ 1).notes(0).is_none());
        assert!(Start::default().notes(0).is_none());
    }

    #[test]
    fn what_was_trained_is_of_the_present_shapes() {
        let trained = Start::TRAINED.0;
        let found = crate::bytes::u32_at(&trained, 0);
        assert!(
            trained.is_empty() || found == Class::fingerprint(),
            "the shapes have changed: train again, as the README says"
        );
    }
}
