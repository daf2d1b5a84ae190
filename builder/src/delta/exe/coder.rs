//! The arithmetic encoder, the counterpart of [`qfe_delta::coder::Decoder`].

use qfe_delta::coder::{Coder, Interval, Probability};

/// Writes decisions to a stream.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    stream: Vec<u8>,
    interval: Interval,
}

impl Encoder {
    /// Begins a stream behind what stands before it.
    pub(super) fn after(head: &[u8]) -> Self {
        Self { stream: head.to_vec(), interval: Interval::default() }
    }

    /// Ends the stream; zeros at its end are left out, but not those of a head of `head` bytes.
    pub(super) fn finish(mut self, head: usize) -> Vec<u8> {
        self.stream.extend(self.interval.ending());
        while self.stream.len() > head && self.stream.last() == Some(&0) {
            self.stream.pop();
        }
        self.stream
    }
}

impl Coder for Encoder {
    const ENCODES: bool = true;

    #[inline]
    fn decide(&mut self, wish: bool, probability: Probability) -> bool {
        let split = self.interval.split(probability);
        self.interval.keep(wish, split);
        while let Some(byte) = self.interval.shift() {
            self.stream.push(byte);
        }
        wish
    }
}
