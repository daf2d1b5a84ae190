//! The cheapest path.

use qfe_delta::isa::Reference;
use qfe_delta::source::Segment;

use super::index::{Index, LENGTHS};
use super::units::Unit;
use super::{Moved, Side};

/// Costs in hundredths of a bit.
type Cost = i64;

/// An item that agrees, where things agree and where they have just begun to.
const HIT: Cost = 3;
const UNSTEADY_HIT: Cost = 50;
/// More than a disagreeing reference costs where it is plausible.
const DISAGREEING: Cost = 500;
/// A new item, without its bytes; and each of its bytes.
const NEW_ITEM: Cost = 1000;
const NEW_BYTE: Cost = 400;
/// What remains of that, in hundredths, if another item is given up for it; and what the operations cost.
const SHARE: Cost = 70;
const SUBSTITUTED: Cost = 300;
const INSERTED: Cost = 350;
/// The most that a jump costs.
const MAX_JUMP: Cost = 3000;
/// How much dearer than the best a diagonal may be.
const PATIENCE: Cost = 4500;
/// Diagonals that are followed at a time.
const MOST_DIAGONALS: usize = 24;
/// Places that are tried of each sequence, on both sides of the nearest; and of those whose references agree.
const NEARBY: usize = 6;
const AGREEING: usize = 4;
const SEARCHED: usize = 400;
/// How many units on a skip is sought.
const SKIPS: u32 = 24;
/// How unsteady a diagonal is after a disagreement: it takes so many hits to be steady again.
const UNSTEADY: u32 = 6;
/// Bends that are kept before those of given-up paths are thrown away.
const MANY_BENDS: usize = 1 << 20;

/// A bend of a path: from the new unit on, it goes on at the old unit.
#[derive(Clone, Copy)]
struct Bend {
    new: u32,
    old: u32,
    before: u32,
}

/// The first bend of all has none before it.
const NONE: u32 = u32::MAX;

/// A path that ends at the present new unit.
#[derive(Clone, Copy)]
struct Diagonal {
    /// The old unit that comes next.
    old: u32,
    cost: Cost,
    bend: u32,
    unsteady: u32,
}

/// The search.
pub(super) struct Path<'a> {
    old: &'a Side<'a>,
    new: &'a Side<'a>,
    index: &'a Index,
    /// Of each target of the old file; or empty.
    moved: &'a [Moved],
    bends: Vec<Bend>,
    most_bends: usize,
    diagonals: Vec<Diagonal>,
    spare: Vec<Diagonal>,
}

impl<'a> Path<'a> {
    /// Finds the segments of the cheapest path; `moved` is what an earlier path told, or empty.
    pub(super) fn find(
        old: &'a Side<'a>,
        new: &'a Side<'a>,
        index: &'a Index,
        moved: &'a [Moved],
    ) -> Vec<Segment> {
        let mut path = Self {
            old,
            new,
            index,
            moved,
            bends: vec![Bend { new: 0, old: 0, before: NONE }],
            most_bends: MANY_BENDS,
            diagonals: vec![Diagonal { old: 0, cost: 0, bend: 0, unsteady: 0 }],
            spare: Vec::new(),
        };
        let mut number = 0;
        for region in &new.file.regions {
            path.enter(number, region.section);
            let mut at = region.start;
            while at < region.end
                && let Some(unit) = new.units.get(number)
            {
                path.step(number, unit);
                at += u32::from(unit.len);
                number += 1;
            }
        }
        path.segments()
    }

    /// At the beginning of a section, its twin in the old file costs nothing.
    fn enter(&mut self, number: u32, section: Option<usize>) {
        let sections = self.old.file.image.as_ref().map(|image| &image.sections);
        let Some(twin) = section.and_then(|section| sections?.get(section)) else { return };
        let old = self.old.units.first_from(twin.offset);
        let best = self.best();
        self.diagonals.retain(|diagonal| diagonal.old != old);
        self.bend_to(number, old, best.cost, best.bend);
    }

    fn best(&self) -> Diagonal {
        let first = Diagonal { old: 0, cost: 0, bend: 0, unsteady: 0 };
        self.diagonals.iter().copied().min_by_key(|diagonal| diagonal.cost).unwrap_or(first)
    }

    /// Adds a diagonal, unless it is followed already.
    fn bend_to(&mut self, new: u32, old: u32, cost: Cost, before: u32) {
        if !self.diagonals.iter().any(|diagonal| diagonal.old == old) {
            let bend = self.bend(new, old, before);
            self.diagonals.push(Diagonal { old, cost, bend, unsteady: 0 });
        }
    }

    fn bend(&mut self, new: u32, old: u32, before: u32) -> u32 {
        self.bends.push(Bend { new, old, before });
        u32::try_from(self.bends.len() - 1).unwrap_or(NONE)
    }

    /// Tells whether an old unit and a new one are the same but for targets.
    fn agrees(&self, old: u32, new: Unit) -> bool {
        self.old.units.hashes().get(old as usize).is_some_and(|old| *old == new.hash)
    }

    /// Returns what a hit costs for its reference.
    fn reference_cost(&self, old: u32, new: Unit) -> Cost {
        let Some(target) = new.target.filter(|_| !self.moved.is_empty()) else { return 0 };
        let Some(twin) = self.old.units.target_number(old) else { return 0 };
        let Some(moved) = self.moved.get(twin) else { return 0 };
        let unchanged =
            || self.old.units.targets().get(twin).is_some_and(|old| old.address == target.address);
        let agrees =
            moved.target == Some(target.address) || target.reference == Reference::Rva && unchanged();
        if agrees { 0 } else { moved.penalty }
    }

    fn step(&mut self, number: u32, unit: Unit) {
        if self.goes_on(unit) {
            return;
        }
        let best = self.best();
        let steady = best.unsteady == 0
            && self.agrees(best.old, unit)
            && self.reference_cost(best.old, unit) < DISAGREEING;
        if !steady {
            self.seek(number, unit, best);
        }
        self.advance(number, unit);
        if self.bends.len() > self.most_bends {
            self.forget();
        }
    }

    /// Where nothing but one steady diagonal is followed and the unit agrees, that is all: nearly always.
    fn goes_on(&mut self, unit: Unit) -> bool {
        let [only] = self.diagonals.as_slice() else { return false };
        let steady = only.unsteady == 0 && self.agrees(only.old, unit);
        if !steady || self.reference_cost(only.old, unit) > 0 {
            return false;
        }
        for only in &mut self.diagonals {
            only.old += 1;
            only.cost += HIT;
        }
        true
    }

    /// Adds diagonals on which the next units agree.
    fn seek(&mut self, number: u32, unit: Unit, best: Diagonal) {
        let ahead = self.new.units.hashes().get(number as usize..).unwrap_or_default();
        for which in 0..LENGTHS.len() {
            let places = self.index.find(which, ahead);
            let nearest = places.partition_point(|place| *place < best.old);
            let around = nearest.saturating_sub(NEARBY)..(nearest + NEARBY).min(places.len());
            for place in places.get(around).unwrap_or_default() {
                self.jump(number, *place, best);
            }
            if let Some(target) = unit.target
                && !self.moved.is_empty()
                && places.len() > 2 * NEARBY
            {
                let agreeing = |place: &u32| {
                    let moved = self.old.units.target_number(*place).and_then(|twin| self.moved.get(twin));
                    moved.is_some_and(|moved| moved.target == Some(target.address))
                };
                let places = places.iter().copied().take(SEARCHED);
                let places: Vec<u32> = places.filter(agreeing).take(AGREEING).collect();
                for place in places {
                    self.jump(number, place, best);
                }
            }
        }
        let after = self.new.units.get(number + 1);
        let skip = (1..SKIPS).find(|skip| {
            let old = best.old + skip;
            self.agrees(old, unit)
                && (old as usize + 1) < self.old.units.len()
                && self.reference_cost(old, unit) < DISAGREEING
                && after.is_none_or(|after| self.agrees(old + 1, after))
                && !self.diagonals.iter().any(|diagonal| diagonal.old == old)
        });
        if let Some(skip) = skip {
            self.bend_to(number, best.old + skip, best.cost + 700 + log2(skip), best.bend);
        }
    }

    fn jump(&mut self, number: u32, place: u32, best: Diagonal) {
        let distance = log2(place.abs_diff(best.old) + 1);
        let cost = if place >= best.old { 800 + distance * 3 / 2 } else { 1000 + distance * 17 / 10 };
        self.bend_to(number, place, best.cost + cost.min(MAX_JUMP), best.bend);
    }

    /// Goes on by one new unit, on every diagonal in every way.
    fn advance(&mut self, number: u32, unit: Unit) {
        let size = Cost::from(unit.len) * 100;
        let size = match unit.target.map(|target| target.reference) {
            None | Some(Reference::Relative8) => size,
            // What a reference takes up is coded in any case.
            Some(_) => size - 250,
        };
        let literal = NEW_ITEM + NEW_BYTE * size / 100;
        let mut next = std::mem::take(&mut self.spare);
        next.clear();
        let diagonals = std::mem::take(&mut self.diagonals);
        for Diagonal { old, cost, bend, unsteady } in diagonals.iter().copied() {
            let hit = self.agrees(old, unit);
            let disagreement = if hit { self.reference_cost(old, unit) } else { 0 };
            if hit {
                let step = if unsteady > 0 { UNSTEADY_HIT } else { HIT };
                let unsteady =
                    if disagreement > DISAGREEING { UNSTEADY / 2 } else { unsteady.saturating_sub(1) };
                next.push(Diagonal { old: old + 1, cost: cost + disagreement + step, bend, unsteady });
                if disagreement <= DISAGREEING {
                    continue;
                }
            } else if (old as usize) < self.old.units.len() {
                let cost = cost + literal * SHARE / 100 + SUBSTITUTED;
                next.push(Diagonal { old: old + 1, cost, bend, unsteady: UNSTEADY });
            }
            // Of several insertions in a row only the last bend counts.
            let before = match self.bends.get(bend as usize) {
                Some(last) if (last.new, last.old) == (number, old) && last.before != NONE => last.before,
                _ => bend,
            };
            let bend = self.bend(number + 1, old, before);
            next.push(Diagonal { old, cost: cost + literal + INSERTED, bend, unsteady: UNSTEADY });
        }
        next.sort_by_key(|diagonal| (diagonal.old, diagonal.cost));
        next.dedup_by_key(|diagonal| diagonal.old);
        let best = next.iter().map(|diagonal| diagonal.cost).min().unwrap_or(0);
        next.retain(|diagonal| diagonal.cost < best + PATIENCE);
        if next.len() > MOST_DIAGONALS {
            next.sort_by_key(|diagonal| diagonal.cost);
            next.truncate(MOST_DIAGONALS);
        }
        self.diagonals = next;
        self.spare = diagonals;
    }

    /// Throws away the bends of paths that were given up.
    fn forget(&mut self) {
        let mut places = vec![NONE; self.bends.len()];
        for diagonal in &self.diagonals {
            let mut bend = diagonal.bend;
            while let Some(place) = places.get_mut(bend as usize)
                && *place == NONE
            {
                *place = 0;
                bend = self.bends.get(bend as usize).map_or(NONE, |bend| bend.before);
            }
        }
        let mut kept = Vec::new();
        for (bend, place) in self.bends.iter().zip(&mut places) {
            if *place != NONE {
                *place = u32::try_from(kept.len()).unwrap_or(NONE);
                kept.push(*bend);
            }
        }
        let moved = |bend: u32| places.get(bend as usize).copied().unwrap_or(NONE);
        for bend in &mut kept {
            bend.before = moved(bend.before);
        }
        for diagonal in &mut self.diagonals {
            diagonal.bend = moved(diagonal.bend);
        }
        self.most_bends = MANY_BENDS + 2 * kept.len();
        self.bends = kept;
    }

    /// Follows the cheapest path back, and turns its stretches into segments without disagreement at their ends.
    fn segments(&self) -> Vec<Segment> {
        let mut bends = Vec::new();
        let mut bend = self.best().bend;
        while let Some(found) = self.bends.get(bend as usize) {
            bends.push(*found);
            bend = found.before;
        }
        bends.reverse();
        let position = |side: &Side<'_>, number: u32| side.units.at(number).unwrap_or(side.file.size());
        let count = u32::try_from(self.new.units.len()).unwrap_or(u32::MAX);
        let ends = bends.iter().skip(1).map(|bend| bend.new).chain([count]);
        let mut segments = Vec::new();
        for (bend, end) in bends.iter().zip(ends) {
            let agrees = |at: &u32| {
                let unit = self.new.units.get(*at);
                unit.is_some_and(|unit| self.agrees(bend.old + (at - bend.new), unit))
            };
            let Some(start) = (bend.new..end).find(agrees) else { continue };
            let last = (start..end).rev().find(agrees).unwrap_or(start);
            segments.push(Segment {
                new_start: position(self.new, start),
                new_end: position(self.new, last + 1),
                old_start: position(self.old, bend.old + (start - bend.new)),
            });
        }
        segments
    }
}

/// Returns a hundred times the binary logarithm, roughly.
fn log2(number: u32) -> Cost {
    let whole = number.max(1).ilog2();
    let fraction = ((u64::from(number) * 100) >> whole).saturating_sub(100);
    Cost::from(whole) * 100 + Cost::try_from(fraction).unwrap_or(0)
}
