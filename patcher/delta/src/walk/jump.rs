//! Jumps: the pointer into the old file goes elsewhere.
//!
//! | way | where it goes |
//! |---|---|
//! | 0 | to the match pointer |
//! | 1, 2 | so many bytes on, or back; words in Alpha code |
//! | 3 | a few items on |
//! | 4, 5, 6 | so far from the place that was left by the last jump, the one before, or the one before that |

use super::Walk;
use crate::DeltaError;
use crate::coder::Coder;
use crate::file::Region;
use crate::history::range;
use crate::isa::Isa;
use crate::models::Class;

/// How many items a jump may count; farther ones are measured in bytes.
const MAX_STEPS: u32 = 40;
/// The largest distance that numbers can carry.
const MAX_DISTANCE: u32 = u32::MAX >> 1;
/// What it costs more to name one of the last places that were left, in bits.
const DEPARTURE_BITS: u32 = 2;

impl<C: Coder> Walk<'_, C> {
    /// Codes where the pointer goes, and takes over the item there.
    pub(super) fn jump(&mut self, region: &Region, wish: Option<u32>) -> Result<(), DeltaError> {
        let to = self.jump_target(region, wish.unwrap_or(0))?;
        let outside = DeltaError::OutOfBounds { field: "jump", found: i64::from(to), bound: "old file" };
        let item = self.old.item(to, self.at, region).ok_or(outside)?;
        let [last, second, _] = self.departures;
        (self.departures, self.old_at) = ([self.old_at, last, second], to);
        let body = item.body(self.old.file.bytes, to);
        self.copy(&item, &body, &body, region.isa);
        self.history.run = 1;
        self.history.hits = self.history.hits << 1 | 1;
        self.matcher.let_go();
        Ok(())
    }

    /// Codes a place of the old file.
    fn jump_target(&mut self, region: &Region, wish: u32) -> Result<u32, DeltaError> {
        let (isa, here) = (region.isa.number(), self.old_at);
        let unit = if region.isa == Isa::Alpha { 2 } else { 0 };
        let matched = self.matcher.old();
        let way = if C::ENCODES { self.way(region.isa, unit, wish) } else { 0 };
        let good = match matched {
            None => 0,
            Some(_) => 1 + u32::from(self.matcher.length > 5),
        };
        let operations = self.history.operations;
        let mut evidence = Class::Jump.evidence();
        evidence.context(good, 0);
        evidence.context(good, operations & 15);
        evidence.context(good, operations & 255);
        evidence.context(isa, range(self.matcher.length));
        evidence.context(7, u32::from(matched.is_some_and(|matched| matched > here)));
        evidence.select(good + 4 * isa);
        evidence.count(good + 4 * isa + 16 * (operations & 3));
        let outside = |found: u32| DeltaError::OutOfBounds {
            field: "distance of a jump",
            found: i64::from(found),
            bound: "old file",
        };
        let way = self.models.code(Class::Jump, &evidence, way, 3);
        match way {
            0 => matched.ok_or(outside(0)),
            3 => {
                let steps = self.steps(region.isa, wish).unwrap_or(1);
                let steps = self.models.number(6 + 8 * isa, operations, steps - 1) + 1;
                if steps > MAX_STEPS {
                    return Err(outside(steps));
                }
                Ok((0..steps).fold(here, |at, _| at + self.old.step(at, region.isa).unwrap_or(1)))
            }
            1 => {
                let distance = (wish.wrapping_sub(here) >> unit).wrapping_sub(1);
                let distance = self.models.number(2 + 8 * isa, operations, distance & MAX_DISTANCE);
                let distance = distance.checked_add(1).and_then(|distance| distance.checked_mul(1 << unit));
                distance.and_then(|distance| here.checked_add(distance)).ok_or(outside(u32::MAX))
            }
            2 => {
                let distance = here.wrapping_sub(wish) >> unit;
                let distance = self.models.number(3 + 8 * isa, operations, distance & MAX_DISTANCE);
                let to = distance.checked_mul(1 << unit).and_then(|distance| here.checked_sub(distance));
                to.ok_or(outside(distance))
            }
            _ => {
                let left = self.departures.get(way as usize - 4).ok_or(outside(way))? >> unit << unit;
                let distance = self.models.number(4 + 8 * isa, operations, signed(wish, left, unit));
                let back = (distance & 1).wrapping_neg();
                Ok(left.wrapping_add((distance >> 1 ^ back) << unit))
            }
        }
    }

    /// Returns in which of those ways an encoder tells a place.
    fn way(&self, isa: Isa, unit: u32, wish: u32) -> u32 {
        if self.matcher.old() == Some(wish) {
            return 0;
        }
        if isa != Isa::Data && self.steps(isa, wish).is_some() {
            return 3;
        }
        let direct = (1 + u32::from(wish <= self.old_at), wish.abs_diff(self.old_at) >> unit);
        let cost = |distance: u32| (u64::from(distance) + 1).ilog2();
        let near = (4..).zip(self.departures).map(|(way, left)| (way, signed(wish, left, unit)));
        let best = near.min_by_key(|(_, distance)| cost(*distance)).unwrap_or(direct);
        if cost(best.1) + DEPARTURE_BITS < cost(direct.1) { best.0 } else { direct.0 }
    }

    /// Returns how many items on a place is, if it is that near.
    fn steps(&self, isa: Isa, to: u32) -> Option<u32> {
        let mut at = self.old_at;
        for steps in 0..MAX_STEPS {
            if at >= to {
                return (at == to && steps > 0).then_some(steps);
            }
            at += self.old.step(at, isa)?;
        }
        None
    }
}

/// Returns how far a place is from where the pointer was, in units, with the sign in the lowest bit.
fn signed(to: u32, from: u32, unit: u32) -> u32 {
    let distance = to.wrapping_sub(from >> unit << unit).cast_signed() >> unit;
    (distance << 1 ^ distance >> 31).cast_unsigned() & MAX_DISTANCE
}
