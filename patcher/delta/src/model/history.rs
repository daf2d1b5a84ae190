//! Bit histories: what a context has seen, in one byte.
//!
//! A state is how often *no* and *yes* were seen, and which was last if both were. Counts are bounded: a state `(a, b)`
//! exists if `a <= CAP[b]` and `b <= CAP[a]`, where `CAP` ends with 0: of two that are not 0, none is above 6. Seeing a
//! bit adds one to its count; if the other count is above two, it is cut down by [`FORGET`]; then, while the pair does not
//! exist, its own count is lowered as far as it alone is too high, else the other. State 0 has seen nothing. States are
//! numbered in the order in which a breadth-first search from state 0 finds them, *no* before *yes*.

use super::counter::Counter;
use super::table::Table;
use crate::coder::Probability;

/// A bit history. Zero has seen nothing.
pub(crate) type State = u8;

/// The largest count beside each other count.
const CAP: [u32; 7] = [48, 16, 9, 7, 6, 6, 6];

/// What remains of the other count when a bit contradicts it, by that count up to 16.
const FORGET: [u32; 17] = [0, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5, 6, 6];

/// How often each decision was seen, and whether *yes* was last; false unless both were seen.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    no: u32,
    yes: u32,
    yes_last: bool,
}

impl Seen {
    fn after(self, decision: bool) -> Self {
        let (mut same, mut other) = if decision { (self.yes, self.no) } else { (self.no, self.yes) };
        same += 1;
        if other > 2 {
            other = FORGET.get(other as usize).copied().unwrap_or(6);
        }
        let cap = |count: u32| CAP.get(count as usize).copied().unwrap_or(0);
        while same > cap(other) || other > cap(same) {
            if same > cap(other) { same -= 1 } else { other -= 1 }
        }
        let (no, yes) = if decision { (other, same) } else { (same, other) };
        Self { no, yes, yes_last: decision && no > 0 }
    }
}

/// The transitions, and what states mean before anything is known.
#[derive(Clone, Debug)]
pub(crate) struct Histories {
    next: Table<[State; 2]>,
    weight: Table<u8>,
    first: Table<Probability>,
}

impl Histories {
    pub(crate) fn new() -> Self {
        let mut all = vec![Seen { no: 0, yes: 0, yes_last: false }];
        let mut next = Table::new(256, [0; 2]);
        let mut number = 0;
        while let Some(seen) = all.get(number).copied() {
            let mut find = |wanted: Seen| {
                let found = all.iter().position(|seen| *seen == wanted).unwrap_or_else(|| {
                    all.push(wanted);
                    all.len() - 1
                });
                State::try_from(found).unwrap_or(0)
            };
            *next.at_mut(u32::try_from(number).unwrap_or(0)) =
                [find(seen.after(false)), find(seen.after(true))];
            number += 1;
        }
        let (mut weight, mut first) = (Table::new(256, 0), Table::new(256, 32_768));
        for (number, seen) in (0..).zip(&all) {
            *weight.at_mut(number) = u8::try_from(seen.no + seen.yes).unwrap_or(u8::MAX);
            let probability = (10 * seen.yes + 3) * 65_536 / (10 * (seen.no + seen.yes) + 6);
            *first.at_mut(number) = probability.clamp(64, 65_472);
        }
        Self { next, weight, first }
    }

    /// Returns the state after a decision.
    #[inline]
    pub(crate) fn next(&self, state: State, decision: bool) -> State {
        let [no, yes] = *self.next.at(u32::from(state));
        if decision { yes } else { no }
    }

    /// Returns how much a state has seen, for choosing what is worth keeping.
    #[inline]
    pub(crate) fn weight(&self, state: State) -> u8 {
        *self.weight.at(u32::from(state))
    }

    /// Makes the counters that learn what each state means: `(yes + 0.3) / (no + yes + 0.6)`, six times learned.
    pub(crate) fn counters(&self) -> Table<Counter> {
        Table::from_fn(256, |state| Counter::new(*self.first.at(state), 6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_fits_a_byte_and_is_reachable() {
        let histories = Histories::new();
        let mut reached = vec![false; 256];
        let mut open = vec![0_u8];
        while let Some(state) = open.pop() {
            if !std::mem::replace(&mut reached[usize::from(state)], true) {
                open.extend([false, true].map(|decision| histories.next(state, decision)));
            }
        }
        let count = reached.iter().filter(|reached| **reached).count();
        assert_eq!(count, 139);
    }

    #[test]
    fn a_surprise_forgets_most_of_a_long_run() {
        let seen = (0..40).fold(Seen { no: 0, yes: 0, yes_last: false }, |seen, _| seen.after(true));
        assert_eq!((seen.no, seen.yes), (0, 40));
        let surprised = seen.after(false);
        assert_eq!((surprised.no, surprised.yes, surprised.yes_last), (1, 6, false));
    }
}
