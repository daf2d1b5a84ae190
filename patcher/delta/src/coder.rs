//! The arithmetic coder: one binary decision at a time, in either direction.
//!
//! Everything above is written once, over the [`Coder`] trait: where it codes a decision it names what it wants, and
//! goes on with what it gets. An encoder writes the wish and returns it; a decoder ignores the wish and returns
//! what it reads. So both sides are the same code and cannot drift apart.
//!
//! # The stream
//!
//! A stream is a binary fraction, most significant byte first, with endless zeros behind its last byte. The coder
//! keeps an [`Interval`] of 32-bit numbers, at first all of them. A decision with probability `p / 65536` of *yes*
//! splits `low..=high` after `low + ((high - low) * p >> 16)`: *yes* keeps the lower part, *no* the upper. While the
//! leading bytes of `low` and `high` are equal, that byte is shifted out; `low` takes up 0x00, `high` 0xff.
//!
//! At the end the stream is the shortest sequence of one to four bytes that names a number of the interval, and trailing
//! zeros are left out. There is no other ending: [`Decoder::finish`] refuses one.

use crate::DeltaError;

/// A probability in units of 1/65536; never 0 and never 65536.
pub type Probability = u32;

/// Codes decisions.
pub trait Coder {
    /// Whether wishes count: true of encoders.
    const ENCODES: bool;

    /// Codes one decision, of which `probability` is that of *yes*; `wish` is ignored by decoders.
    fn decide(&mut self, wish: bool, probability: Probability) -> bool;
}

/// The numbers that a stream may still name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    low: u32,
    high: u32,
}

impl Default for Interval {
    fn default() -> Self {
        Self { low: 0, high: u32::MAX }
    }
}

impl Interval {
    /// Returns the last number of the part that *yes* keeps.
    #[inline]
    #[must_use]
    pub fn split(self, probability: Probability) -> u32 {
        let width = u64::from(self.high.wrapping_sub(self.low));
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a part of a 32-bit width, as the probability is below 1"
        )]
        let part = ((width * u64::from(probability & 0xffff)) >> 16) as u32;
        self.low.wrapping_add(part)
    }

    /// Keeps one part.
    #[inline]
    pub fn keep(&mut self, decision: bool, split: u32) {
        if decision {
            self.high = split;
        } else {
            self.low = split.wrapping_add(1);
        }
    }

    /// Shifts out the leading byte if it is settled.
    #[inline]
    pub fn shift(&mut self) -> Option<u8> {
        let [low, ..] = self.low.to_be_bytes();
        let [high, ..] = self.high.to_be_bytes();
        if low != high {
            return None;
        }
        self.low <<= 8;
        self.high = self.high << 8 | 0xff;
        Some(low)
    }

    /// Returns the bytes that end the stream: the number in the interval with the most trailing zero bytes.
    #[must_use]
    pub fn ending(self) -> [u8; 4] {
        for zeros in [24, 16, 8] {
            let mask = (1_u64 << zeros) - 1;
            let rounded = (u64::from(self.low) + mask) & !mask;
            if rounded <= u64::from(self.high) {
                return u32::try_from(rounded).unwrap_or(self.high).to_be_bytes();
            }
        }
        self.low.to_be_bytes()
    }
}

/// Reads decisions from a stream.
#[derive(Debug)]
pub struct Decoder<'a> {
    stream: &'a [u8],
    /// How many bytes have been taken into `number`, those behind the end included.
    taken: usize,
    interval: Interval,
    number: u32,
}

impl<'a> Decoder<'a> {
    /// Starts at the beginning of `stream`.
    #[must_use]
    pub fn new(stream: &'a [u8]) -> Self {
        let mut decoder = Self { stream, taken: 0, interval: Interval::default(), number: 0 };
        for _ in 0..4 {
            decoder.take();
        }
        decoder
    }

    fn take(&mut self) {
        let byte = self.stream.get(self.taken).copied().unwrap_or(0);
        self.number = self.number << 8 | u32::from(byte);
        self.taken = self.taken.saturating_add(1);
    }

    /// Ends the stream: it must be just as long as its decisions need, and end as encoders end it.
    pub fn finish(self) -> Result<(), DeltaError> {
        let settled = self.taken.saturating_sub(4);
        let ending = self.interval.ending();
        let rest = self.stream.get(settled..).unwrap_or_default();
        if rest.len() > ending.len() || self.stream.last() == Some(&0) {
            return Err(DeltaError::TrailingBytes { part: "stream" });
        }
        let padded = rest.iter().copied().chain(std::iter::repeat(0));
        if padded.zip(ending).all(|(found, wanted)| found == wanted) {
            Ok(())
        } else {
            Err(DeltaError::Truncated { part: "stream" })
        }
    }
}

impl Coder for Decoder<'_> {
    const ENCODES: bool = false;

    #[inline]
    fn decide(&mut self, _: bool, probability: Probability) -> bool {
        let split = self.interval.split(probability);
        let decision = self.number <= split;
        self.interval.keep(decision, split);
        while self.interval.shift().is_some() {
            self.take();
        }
        decision
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An encoder for this crate's own tests.
    #[derive(Debug, Default)]
    pub(crate) struct Encoder {
        interval: Interval,
        stream: Vec<u8>,
    }

    impl Encoder {
        pub(crate) fn finish(mut self) -> Vec<u8> {
            self.stream.extend(self.interval.ending());
            while self.stream.last() == Some(&0) {
                self.stream.pop();
            }
            self.stream
        }
    }

    impl Coder for Encoder {
        const ENCODES: bool = true;

        fn decide(&mut self, wish: bool, probability: Probability) -> bool {
            self.interval.keep(wish, self.interval.split(probability));
            while let Some(byte) = self.interval.shift() {
                self.stream.push(byte);
            }
            wish
        }
    }

    fn decisions() -> impl Iterator<Item = (bool, Probability)> {
        (0..3000_u32).map(|n| {
            let noise = n.wrapping_mul(0x9e37_79b9) ^ n << 7;
            (noise >> 16 & 7 == 0, [1, 700, 8192, 40_000, 65_535][(noise % 5) as usize])
        })
    }

    #[test]
    fn what_is_written_is_read() {
        let mut encoder = Encoder::default();
        for (wish, probability) in decisions() {
            encoder.decide(wish, probability);
        }
        let stream = encoder.finish();
        let mut decoder = Decoder::new(&stream);
        for (wish, probability) in decisions() {
            assert_eq!(decoder.decide(!wish, probability), wish);
        }
        decoder.finish().unwrap();
    }

    #[test]
    fn a_stream_has_one_ending() {
        let mut encoder = Encoder::default();
        for (wish, probability) in decisions().take(40) {
            encoder.decide(wish, probability);
        }
        let stream = encoder.finish();
        let read = |stream: &[u8]| {
            let mut decoder = Decoder::new(stream);
            let same =
                decisions().take(40).all(|(wish, probability)| decoder.decide(false, probability) == wish);
            decoder.finish().is_ok() && same
        };
        assert!(read(&stream));
        assert!(!read(&stream[..stream.len() - 1]));
        let longer = |byte| [&stream[..], &[byte]].concat();
        assert!(!read(&longer(0)));
        assert!(!read(&longer(1)));
    }

    #[test]
    fn nothing_but_the_likeliest_takes_no_bytes() {
        let mut encoder = Encoder::default();
        for _ in 0..100 {
            encoder.decide(true, 65_535);
        }
        assert!(encoder.finish().is_empty());
    }

    #[test]
    fn the_narrowest_interval_still_splits() {
        let mut interval = Interval { low: 0x00ff_ffff, high: 0x0100_0000 };
        let split = interval.split(1);
        assert_eq!(split, 0x00ff_ffff);
        interval.keep(false, split);
        assert_eq!(interval.ending(), [1, 0, 0, 0]);
    }
}
