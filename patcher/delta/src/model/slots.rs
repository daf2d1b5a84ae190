//! Where bit histories live: a hash table of nibbles.
//!
//! A symbol is coded four bits at a time; where its length is no multiple, the first nibble is the short one. A *slot*
//! holds the bit histories of one context and one nibble: a check byte and 15 states, one for each prefix of the nibble
//! (index 1, then 2..=3, 4..=7, 8..=15). It is found by a hash: the low bits name its place, the highest byte is the
//! check (0 counts as 1). Three places are tried, `i`, `i ^ 1` and `i ^ 2`; if none has the check and none is free, the
//! one whose first state has seen least is given up, the first of equals.

use super::history::{Histories, State};
use super::table::Table;

/// A slot.
type Slot = [State; 16];

/// Slots that are tried together: a line of the processor's cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line([Slot; 4]);

/// The hash table.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    lines: Table<Line>,
    mask: u32,
}

impl Slots {
    /// Makes an empty table of `1 << bits` bytes.
    pub(crate) fn new(bits: u32) -> Self {
        let count = (1_u32 << bits) / 16;
        Self { lines: Table::new(count / 4, Line([[0; 16]; 4])), mask: count - 1 }
    }

    /// Has the processor fetch the slots of hashes all at once, before they are found one after the other.
    #[inline]
    pub(crate) fn touch(&self, hashes: &[u32]) {
        let touched = hashes.iter().fold(0, |touched, hash| {
            let Line([[check, ..], ..]) = self.lines.at((hash & self.mask) >> 2);
            touched ^ check
        });
        std::hint::black_box(touched);
    }

    /// Finds the slot of a hash, or makes one; returns its number.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "masked to the length of the array")]
    pub(crate) fn find(&mut self, histories: &Histories, hash: u32) -> u32 {
        let [check, ..] = hash.to_be_bytes();
        let check = check.max(1);
        let place = hash & self.mask;
        let Line(line) = self.lines.at_mut(place >> 2);
        let (mut best, mut least) = (place, u8::MAX);
        for other in [place, place ^ 1, place ^ 2] {
            let [found, first, ..] = line[(other & 3) as usize];
            if found == check {
                return other;
            }
            if found == 0 {
                best = other;
                break;
            }
            let weight = histories.weight(first);
            if weight < least {
                (best, least) = (other, weight);
            }
        }
        let slot = &mut line[(best & 3) as usize];
        *slot = [0; 16];
        slot[0] = check;
        best
    }

    /// Returns the state of a prefix, from 1 to 15.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "masked to the length of the arrays")]
    pub(crate) fn state(&mut self, slot: u32, prefix: u32) -> &mut State {
        let Line(line) = self.lines.at_mut(slot >> 2);
        &mut line[(slot & 3) as usize][(prefix & 15) as usize]
    }
}

/// Mixes two numbers into a hash.
#[inline]
pub(crate) fn hash(a: u32, b: u32) -> u32 {
    let mixed = a.wrapping_mul(0x9e37_79b1) ^ b.wrapping_mul(0x85eb_ca6b).rotate_left(13);
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0xc2b2_ae35);
    mixed ^ (mixed >> 13)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_found_again_until_it_is_given_up() {
        let histories = Histories::new();
        let mut slots = Slots::new(16);
        let slot = slots.find(&histories, 0x1200_0040);
        *slots.state(slot, 1) = 7;
        assert_eq!(slots.find(&histories, 0x1200_0040), slot);
        for check in 0x20..0x40_u32 {
            slots.find(&histories, check << 24 | 0x40);
        }
        let slot = slots.find(&histories, 0x1200_0040);
        let kept = *slots.state(slot, 1);
        assert_eq!(kept, 7, "what has seen more stays");
    }
}
