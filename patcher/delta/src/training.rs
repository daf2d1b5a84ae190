//! Finds initial state for models in what they have learned: see [`crate::start`]. For trainers only.
//!
//! Each pair of files counts about alike: what a counter or a set of weights has learned of one pair weighs no more than
//! `MOST` decisions. A counter that learns is, as long as it is fast, the estimate of Bayes from a beta distribution, so
//! it is known what decisions cost from any beginning. Each pair is held against what the others say alone: a counter is
//! told, and with the confidence, by which that saves most; not if it saves little.

use crate::coder::Coder;
use crate::model::counter::Counter;
use crate::model::{Predictor, Shared, Table};
use crate::models::{Class, Models};
use crate::start::{CONFIDENCE, EVEN, LEVEL, Notes, STREAMS, Start, WEIGHT_SHIFT, Wish, ZERO};

/// What a counter's experience in one pair weighs at most.
const MOST: f64 = 60.0;
/// What that of a set of weights does.
const MOST_USES: f64 = 500.0;
/// Bits in all pairs that a counter must save to be told.
const WORTHWHILE: f64 = 13.0;
/// Uses before a set of weights has learned anything.
const FEW_USES: u16 = 24;

/// What pairs have shown of one counter: of each how often *yes*, and how many decisions.
#[derive(Clone, Debug, Default)]
struct Seen(Vec<[f64; 2]>);

impl Seen {
    /// Returns level and confidence of a counter that would otherwise begin as `without`.
    fn counter(&self, without: Counter) -> Option<[u32; 2]> {
        if self.0.len() < 2 {
            return None;
        }
        let before = probability(without);
        let untold: f64 = self.0.iter().map(|pair| cost(before, without.count(), *pair)).sum();
        let told = (0..).zip(CONFIDENCE).map(|(confidence, count)| {
            // What many decisions of one pair say is bounded by how much pairs differ.
            let share = |[yes, all]: [f64; 2]| {
                let weight = 1.0 / (1.0 + all / f64::from(count));
                [yes * weight, all * weight]
            };
            let sums = self.0.iter().fold([before, 1.0], |[yes, all], pair| {
                let [more_yes, more] = share(*pair);
                [yes + more_yes, all + more]
            });
            let others = self.0.iter().map(|pair| {
                let [yes, all] = share(*pair);
                let [sum_yes, sum] = sums;
                cost(squashed(level((sum_yes - yes) / (sum - all))), count, *pair)
            });
            (others.sum::<f64>(), [level(sums[0] / sums[1]), confidence])
        });
        let (cost, best) = told.min_by(|(one, _), (other, _)| one.total_cmp(other))?;
        (untold - cost > WORTHWHILE).then_some(best)
    }
}

/// Returns the level of a probability.
fn level(probability: f64) -> u32 {
    let probability = probability.clamp(0.000_02, 0.999_98);
    let place = (probability / (1.0 - probability)).ln() * 256.0 / f64::from(LEVEL);
    number(place + f64::from(EVEN), 63)
}

/// Returns the probability of a level.
fn squashed(level: u32) -> f64 {
    let x = (f64::from(level) - f64::from(EVEN)) * f64::from(LEVEL) / 256.0;
    1.0 / (1.0 + (-x).exp())
}

/// Returns what decisions cost, in bits, by a counter that begins with a probability, `count` times learned.
fn cost(probability: f64, count: u32, [yes, all]: [f64; 2]) -> f64 {
    let whole = f64::from(count) + 0.6;
    let rise = |from: f64, by: f64| ln_gamma(from + by) - ln_gamma(from);
    let no = (1.0 - probability) * whole;
    (rise(whole, all) - rise(probability * whole, yes) - rise(no, all - yes)) / std::f64::consts::LN_2
}

/// Returns the logarithm of the gamma function of a positive number, by Stirling's series above seven.
fn ln_gamma(mut x: f64) -> f64 {
    let mut product = 1.0;
    while x < 7.0 {
        product *= x;
        x += 1.0;
    }
    let series = (1.0 / 12.0 - 1.0 / (360.0 * x * x)) / x;
    (x - 0.5) * x.ln() - x + 0.918_938_533_204_672_7 + series - f64::ln(product)
}

/// What pairs have shown of one weight.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    weight: f64,
    sum: f64,
}

impl Sum {
    fn add(&mut self, value: f64, weight: f64) {
        self.weight += weight;
        self.sum += value * weight;
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
    counters: Vec<Vec<Seen>>,
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
        sums.resize(learned.as_slice().len(), Seen::default());
        for ((sum, begun), learned) in sums.iter_mut().zip(begun.as_slice()).zip(learned.as_slice()) {
            let uses = f64::from(learned.count().saturating_sub(begun.count()));
            if uses > 0.0 {
                // Without what it began with.
                let (first, now) = (probability(*begun), probability(*learned));
                let own = now + (now - first) * (f64::from(begun.count()) + 0.6) / uses;
                let all = uses.min(MOST);
                sum.0.push([own.clamp(0.0, 1.0) * all, all]);
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
    fn add_counters(&mut self, found: Option<&Vec<Seen>>, without: &Table<Counter>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_those_of_a_counter_that_learns() {
        // Untold a counter begins with 0.6 of a decision: the first costs a bit, the second less.
        assert!((cost(0.5, 0, [1.0, 1.0]) - 1.0).abs() < 1e-6);
        let second = cost(0.5, 0, [2.0, 2.0]) - 1.0;
        assert!((second + (1.3_f64 / 1.6).log2()).abs() < 1e-6, "{second}");
    }

    #[test]
    fn what_only_one_pair_says_is_not_told() {
        assert_eq!(Seen(vec![[60.0, 60.0]]).counter(Counter::new(32_768, 0)), None);
        let halves = [[60.0, 60.0], [0.0, 60.0]].repeat(20);
        assert_eq!(Seen(halves).counter(Counter::new(32_768, 0)), None);
    }

    #[test]
    fn what_all_pairs_say_is_told_confidently() {
        let told = Seen(vec![[59.0, 60.0]; 40]).counter(Counter::new(32_768, 0)).unwrap();
        assert_eq!(told, [level(59.0 / 60.0), 3]);
    }
}
