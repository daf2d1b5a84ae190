//! Finds initial state for models in what they have learned: see [`crate::start`]. For trainers only.
//!
//! Each pair of files counts about alike: what a counter or a set of weights has learned of one pair weighs no more than
//! [`MOST`] decisions. A counter is told if it was used in two pairs at least and would save bits; it is the more confident
//! the less pairs contradict each other.

use crate::coder::Coder;
use crate::model::counter::Counter;
use crate::model::{Predictor, Shared, Table};
use crate::models::{Class, Models};
use crate::start::{CONFIDENCE, EVEN, LEVEL, Notes, STREAMS, Start, WEIGHT_SHIFT, Wish, ZERO};

/// What a counter's experience in one pair weighs at most.
const MOST: f64 = 30.0;
/// What that of a set of weights does.
const MOST_USES: f64 = 500.0;
/// Bits in all pairs that a counter must save to be told.
const WORTHWHILE: f64 = 6.0;
/// Uses before a set of weights has learned anything.
const FEW_USES: u16 = 24;

/// What pairs have shown of one number.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    weight: f64,
    sum: f64,
    squares: f64,
    pairs: u32,
}

impl Sum {
    fn add(&mut self, value: f64, weight: f64) {
        self.weight += weight;
        self.sum += value * weight;
        self.squares += value * value * weight;
        self.pairs += 1;
    }

    /// Returns level and confidence of a counter that would otherwise begin as `without`.
    fn counter(&self, without: Counter) -> Option<[u32; 2]> {
        if self.pairs < 2 {
            return None;
        }
        let before = probability(without);
        let mean = ((self.sum + before) / (self.weight + 1.0)).clamp(0.000_02, 0.999_98);
        let spread = mean * (1.0 - mean);
        let variance = (self.squares / self.weight - (self.sum / self.weight).powi(2)).max(0.0);
        let strength = (spread / variance.max(1e-9)).min(self.weight / 2.0);
        let surprise = mean * (mean / before).log2() + (1.0 - mean) * ((1.0 - mean) / (1.0 - before)).log2();
        if surprise * self.weight.min(8.0 * f64::from(self.pairs)) < WORTHWHILE {
            return None;
        }
        let confidence = (0..).zip(CONFIDENCE).filter(|(_, count)| f64::from(*count) <= strength);
        let place = (mean / (1.0 - mean)).ln() * 256.0 / f64::from(LEVEL);
        Some([number(place + f64::from(EVEN), 63), confidence.last().map_or(0, |(level, _)| level)])
    }

    fn weight(&self) -> u32 {
        number(self.sum / self.weight / f64::from(1 << WEIGHT_SHIFT) + f64::from(ZERO), 255)
    }
}

fn probability(counter: Counter) -> f64 {
    f64::from(counter.probability()) / 65_536.0
}

/// Returns the nearest number from 0 to `most`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held within 0 and `most`")]
fn number(value: f64, most: u32) -> u32 {
    value.round().clamp(0.0, f64::from(most)) as u32
}

/// What was found of one class.
#[derive(Clone, Debug, Default)]
struct Found {
    counters: Vec<Vec<Sum>>,
    weights: Vec<Vec<Sum>>,
    last: Vec<Vec<Sum>>,
}

/// Returns an element, made if it is not there.
fn entry<T: Clone + Default>(list: &mut Vec<T>, index: usize) -> &mut T {
    if list.len() <= index {
        list.resize(index + 1, T::default());
    }
    #[expect(clippy::indexing_slicing, reason = "made above")]
    &mut list[index]
}

impl Found {
    fn add_counters(&mut self, number: usize, begun: &Table<Counter>, learned: &Table<Counter>) {
        let sums = entry(&mut self.counters, number);
        sums.resize(learned.as_slice().len(), Sum::default());
        for ((sum, begun), learned) in sums.iter_mut().zip(begun.as_slice()).zip(learned.as_slice()) {
            let uses = f64::from(learned.count().saturating_sub(begun.count()));
            if uses > 0.0 {
                // Without what it began with.
                let (first, now) = (probability(*begun), probability(*learned));
                let own = now + (now - first) * (f64::from(begun.count()) + 0.6) / uses;
                sum.add(own.clamp(0.0, 1.0), uses.min(MOST));
            }
        }
    }

    fn add(&mut self, begun: &mut Predictor, learned: &mut Predictor) {
        for (number, (begun, learned)) in begun.counters().zip(learned.counters()).enumerate() {
            self.add_counters(number, begun, learned);
        }
        for (number, (begun, learned)) in begun.weights().iter().zip(learned.weights()).enumerate() {
            let sums = entry(&mut self.weights, number);
            for ((_, first), (set, uses)) in begun.sets().zip(learned.sets()) {
                let uses = uses.saturating_sub(first);
                if uses >= FEW_USES {
                    for (index, weight) in set.iter().enumerate() {
                        entry(sums, index).add(f64::from(*weight), f64::from(uses).min(MOST_USES));
                    }
                }
            }
        }
        for (number, (begun, learned)) in begun.last().iter().zip(learned.last()).enumerate() {
            let sums = entry(&mut self.last, number);
            if begun != learned {
                for (index, weight) in learned.iter().enumerate() {
                    entry(sums, index).add(f64::from(*weight), 1.0);
                }
            }
        }
    }
}

/// What is told of one class.
#[derive(Debug, Default)]
struct Told {
    counters: Vec<Vec<Option<[u32; 2]>>>,
    weights: Vec<Vec<u32>>,
    last: Vec<Vec<u32>>,
}

impl Told {
    fn add_counters(&mut self, found: Option<&Vec<Sum>>, without: &Table<Counter>) {
        let sums = found.map(Vec::as_slice).unwrap_or_default();
        self.counters
            .push(sums.iter().zip(without.as_slice()).map(|(sum, without)| sum.counter(*without)).collect());
    }

    fn of(found: &Found, without: &mut Predictor) -> Self {
        let weights = |sums: &Vec<Sum>| sums.iter().map(Sum::weight).collect();
        let mut told = Self {
            counters: Vec::new(),
            weights: found.weights.iter().map(weights).collect(),
            last: found.last.iter().map(weights).collect(),
        };
        for (number, table) in without.counters().enumerate() {
            told.add_counters(found.counters.get(number), table);
        }
        told
    }
}

impl Wish for Told {
    fn counter(&self, table: usize, index: u32) -> Option<[u32; 2]> {
        *self.counters.get(table)?.get(index as usize)?
    }

    fn weights(&self, selector: usize) -> Option<&[u32]> {
        self.weights.get(selector).map(Vec::as_slice).filter(|weights| !weights.is_empty())
    }

    fn last(&self, row: usize) -> Option<&[u32]> {
        self.last.get(row).map(Vec::as_slice).filter(|weights| !weights.is_empty())
    }
}

/// What was found in pairs that were coded from one start.
#[derive(Clone, Debug, Default)]
pub struct Training {
    start: Start,
    found: [Found; STREAMS],
}

impl Training {
    /// Begins, for pairs coded from that start.
    #[must_use]
    pub fn new(start: Start) -> Self {
        Self { start, found: Default::default() }
    }

    /// Adds what was learned of a pair.
    pub fn add<C: Coder>(&mut self, learned: &mut Models<C>) {
        let shared = Shared::new(4);
        let [found @ .., plain] = &mut self.found;
        for (class, found) in Class::ALL.into_iter().zip(found) {
            if let Some(learned) = learned.predictor(class) {
                found.add(&mut Models::<C>::first(class, &self.start, &shared), learned);
            }
        }
        let mut begun = Models::new(Nothing, self.start.clone());
        for (number, (begun, learned)) in begun.plain().into_iter().zip(learned.plain()).enumerate() {
            plain.add_counters(number, begun, learned);
        }
    }

    /// Writes the file; `finish` ends the stream of a coder.
    #[must_use]
    pub fn write<C: Coder>(&self, begin: impl Fn() -> C, finish: impl Fn(C) -> Vec<u8>) -> Vec<u8> {
        let shared = Shared::new(4);
        let [found @ .., plain] = &self.found;
        let mut streams = Vec::new();
        for (class, found) in Class::ALL.into_iter().zip(found) {
            let mut predictor = Models::<C>::first(class, &Start::default(), &shared);
            let told = Told::of(found, &mut predictor);
            let mut notes = Notes::new(begin());
            predictor.begin(&mut notes, &shared, &told);
            streams.push(finish(notes.into_coder()));
        }
        let mut begun = Models::new(Nothing, Start::default());
        let (mut told, mut notes) = (Told::default(), Notes::new(begin()));
        for (number, table) in begun.plain().into_iter().enumerate() {
            told.add_counters(plain.counters.get(number), table);
            notes.counters(table, |x| shared.squash(x), |index| told.counter(number, index));
        }
        streams.push(finish(notes.into_coder()));
        let mut file = Class::fingerprint().to_le_bytes().to_vec();
        for stream in &streams {
            file.extend(u16::try_from(stream.len()).unwrap_or(u16::MAX).to_le_bytes());
        }
        file.extend(streams.concat());
        file
    }
}

/// Codes nothing.
#[derive(Debug)]
struct Nothing;

impl Coder for Nothing {
    const ENCODES: bool = true;

    fn decide(&mut self, wish: bool, _: u32) -> bool {
        wish
    }
}
