//! Where an old target may be in the new file.
//!
//! | quality | the candidate is |
//! |---|---|
//! | 4, 5 | what the target became before: once, more often |
//! | 6, 7 | the same, and the run that holds it says so, too |
//! | 3, 2 | where the run went that holds the target: of 32 bytes or more, shorter |
//! | 1 | as far from the nearest known target as before |
//! | 0 | as far from the nearest long run as before; if nothing else, as far into its section |

use std::collections::BTreeMap;

use crate::image::{Image, Rva};
use crate::runs::Run;

use super::CANDIDATES;

/// A place where a target may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) target: Rva,
    /// Why it is one.
    pub(super) quality: u32,
}

/// Candidates for one reference, the likeliest first, no target twice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Candidates {
    all: [Candidate; CANDIDATES],
    len: usize,
}

/// Most candidates from the map.
const FROM_MAP: usize = 3;

impl Candidates {
    pub(super) fn as_slice(&self) -> &[Candidate] {
        self.all.get(..self.len).unwrap_or_default()
    }

    fn holds(&self, target: Rva) -> bool {
        self.as_slice().iter().any(|candidate| candidate.target == target)
    }

    /// Adds one at the end, if there is room and its target is new.
    pub(super) fn push(&mut self, candidate: Candidate) {
        if !self.holds(candidate.target)
            && let Some(place) = self.all.get_mut(self.len)
        {
            *place = candidate;
            self.len += 1;
        }
    }

    fn push_from_map(&mut self, target: Rva, quality: u32) {
        if self.len < FROM_MAP {
            self.push(Candidate { target, quality });
        }
    }

    /// Adds one behind the first, if its target is new; of those from the map, as many remain as have room.
    pub(super) fn insert_second(&mut self, candidate: Candidate) {
        if self.holds(candidate.target) {
            return;
        }
        let [first, second, ..] = self.all;
        let kept = self.len.min(2);
        self.len = 0;
        for (index, candidate) in [first, candidate, second].into_iter().enumerate() {
            if index < 1.min(kept) || index == 1 || (index == 2 && kept > 1) {
                self.push(candidate);
            }
        }
    }
}

/// A learned target: what it became, and how often that was confirmed.
#[derive(Clone, Copy, Debug)]
struct Learned {
    target: Rva,
    confirmed: u32,
}

/// Most learned targets that are remembered.
const MOST_LEARNED: usize = 1 << 17;
/// The length from which a run counts as long, for the candidates around it.
const LONG: u32 = 24;
/// The length from which a run is trusted more.
const TRUSTED: u32 = 32;
/// How many runs that begin before a target are looked at.
const OVERLAPS: usize = 4;
/// How far a known target may be to help another: within the image, and behind it, where no section says more.
const NEAR: u32 = 1024;
const NEAR_OUTSIDE: u32 = 4096;

/// Where the old file's places went.
#[derive(Debug)]
pub(super) struct AddressMap<'a> {
    runs: Vec<Run>,
    /// Which of the runs are long.
    long: Vec<u32>,
    learned: BTreeMap<Rva, Learned>,
    old: Option<&'a Image>,
    new: &'a Image,
}

impl<'a> AddressMap<'a> {
    /// Begins with runs in the order of the old file.
    pub(super) fn new(runs: Vec<Run>, old: Option<&'a Image>, new: &'a Image) -> Self {
        let long = (0..).zip(&runs).filter(|(_, run)| run.len >= LONG).map(|(index, _)| index).collect();
        Self { runs, long, learned: BTreeMap::new(), old, new }
    }

    /// Remembers what a target became.
    pub(super) fn learn(&mut self, old: Rva, target: Rva) {
        let full = self.learned.len() >= MOST_LEARNED;
        match self.learned.get_mut(&old) {
            Some(learned) if learned.target == target => {
                learned.confirmed = learned.confirmed.saturating_add(1)
            }
            Some(learned) => *learned = Learned { target, confirmed: 0 },
            None if full => {}
            None => {
                self.learned.insert(old, Learned { target, confirmed: 1 });
            }
        }
    }

    /// Returns the likeliest place of a target.
    pub(super) fn best(&self, old: Rva) -> Rva {
        let mut candidates = Candidates::default();
        self.candidates(old, false, &mut candidates);
        candidates.as_slice().first().map_or(old, |candidate| candidate.target)
    }

    /// Collects the places of a target, three at most and at least one; `learned` is whether what was learned counts.
    pub(super) fn candidates(&self, old: Rva, learned: bool, candidates: &mut Candidates) {
        let offset = self.old.and_then(|image| image.offset(old));
        let in_run = offset.and_then(|offset| self.in_run(offset));
        if let Some(known) = self.learned.get(&old).filter(|_| learned) {
            let agrees = in_run.is_some_and(|(target, _)| target == known.target);
            let quality = 4 + u32::from(known.confirmed > 1) + 2 * u32::from(agrees);
            candidates.push_from_map(known.target, quality);
        }
        if let Some((target, quality)) = in_run {
            candidates.push_from_map(target, quality);
        }
        if candidates.len < FROM_MAP && learned {
            for target in self.beside_learned(old).into_iter().flatten() {
                candidates.push_from_map(target, 1);
            }
        }
        if candidates.len < FROM_MAP
            && let Some(offset) = offset
        {
            for target in self.beside_long(offset).into_iter().flatten() {
                candidates.push_from_map(target, 0);
            }
        }
        if candidates.len == 0 {
            candidates.push_from_map(self.in_section(old), 0);
        }
    }

    /// Returns where the run went that holds an offset, and how good that is.
    fn in_run(&self, offset: u32) -> Option<(Rva, u32)> {
        let end = self.runs.partition_point(|run| run.old <= offset);
        let mut best = None;
        for run in self.runs.get(end.saturating_sub(OVERLAPS)..end).unwrap_or_default() {
            let Some(target) = run.map(offset).and_then(|new| self.new.address(new)) else { continue };
            let quality = if run.len >= TRUSTED { 3 } else { 2 };
            if best.is_none_or(|(_, found)| found < quality) {
                best = Some((target, quality));
            }
        }
        best
    }

    /// Returns the places as far from the known targets on both sides as before, that of the nearer first.
    fn beside_learned(&self, old: Rva) -> [Option<Rva>; 2] {
        let inside = self.old.is_some_and(|image| old.0 < image.size);
        let reach = if inside { NEAR } else { NEAR_OUTSIDE };
        let moved = |(known, learned): (&Rva, &Learned)| {
            let distance = known.minus(old).min(old.minus(*known));
            (distance < reach).then(|| (distance, old.plus(learned.target.minus(*known))))
        };
        let below = self.learned.range(..old).next_back().and_then(moved);
        let above = self.learned.range(old.plus(1)..).next().and_then(moved);
        let target = |found: Option<(u32, Rva)>| found.map(|(_, target)| target);
        match (below, above) {
            (Some((to_below, _)), Some((to_above, _))) if to_above < to_below => {
                [target(above), target(below)]
            }
            _ => [target(below), target(above)],
        }
    }

    /// Returns the places as far from the long runs on both sides as before, that of the nearer first.
    fn beside_long(&self, offset: u32) -> [Option<Rva>; 2] {
        let sections = self.old.map_or(&[][..], |image| &image.sections);
        let section = sections.iter().find(|section| section.spans(offset));
        let run = |index: usize| {
            let run = self.runs.get(*self.long.get(index)? as usize)?;
            section.is_some_and(|section| section.spans(run.old)).then_some(run)
        };
        let next = self
            .long
            .partition_point(|index| self.runs.get(*index as usize).is_some_and(|run| run.old <= offset));
        let before = next.checked_sub(1).and_then(run);
        let after = run(next);
        let target = |run: Option<&Run>| {
            let run = run?;
            Some(self.new.address(run.new)?.plus(offset.wrapping_sub(run.old)))
        };
        match (before, after) {
            (Some(run_before), Some(run_after))
                if run_after.old - offset < offset.saturating_sub(run_before.old_end()) =>
            {
                [target(after), target(before)]
            }
            _ => [target(before), target(after)],
        }
    }

    /// Returns the place as far into the same section as before.
    fn in_section(&self, old: Rva) -> Rva {
        let sections = self.old.and_then(|image| {
            let number = image.section_of(old)?;
            Some((image.sections.get(number)?, self.new.sections.get(number)?))
        });
        sections.map_or(old, |(before, after)| old.plus(after.address.minus(before.address)))
    }
}
