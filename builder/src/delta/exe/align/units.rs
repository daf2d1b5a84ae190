//! A file's items, as far as alignment is concerned.
//!
//! Plain data has an item for each of its bytes, and 64 MB of it are to be aligned in memory that builders have: so there are no
//! more than five bytes for each item, and what can be counted is not kept.

use qfe_delta::file::File;
use qfe_delta::isa::Reference;

/// Units whose sums are kept together.
const BLOCK: usize = u64::BITS as usize;

/// The first reference of a unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) address: u32,
    pub(super) reference: Reference,
}

/// A unit of a file: an item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    /// Of all but targets.
    pub(super) hash: u32,
    pub(super) len: u8,
    pub(super) target: Option<Target>,
}

/// All units of a file, in order.
#[derive(Debug, Default)]
pub(super) struct Units {
    hashes: Vec<u32>,
    lens: Vec<u8>,
    blocks: Vec<Block>,
    /// Of those units that have one.
    targets: Vec<Target>,
}

/// What is known of [`BLOCK`] units.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Where the first one begins.
    at: u32,
    /// How many targets there are before it.
    targets: u32,
    /// Which of them have a target, the first one in the lowest bit.
    with_target: u64,
}

impl Units {
    /// Cuts a file into units.
    pub(super) fn of(file: &File<'_>) -> Self {
        let mut units = Self::default();
        for region in &file.regions {
            let mut at = region.start;
            while at < region.end {
                let item = file.item(at, region);
                let target = item.fields().next().map(|field| Target {
                    address: file.target(at + u32::from(field.at), field.reference, region).0,
                    reference: field.reference,
                });
                units.push(at, Unit { hash: item.hash(&item.body(file.bytes, at)), len: item.len, target });
                at += item.size();
            }
        }
        units
    }

    fn push(&mut self, at: u32, unit: Unit) {
        let bit = self.len() % BLOCK;
        if bit == 0 {
            let targets = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
            self.blocks.push(Block { at, targets, with_target: 0 });
        }
        if let (Some(target), Some(block)) = (unit.target, self.blocks.last_mut()) {
            block.with_target |= 1 << bit;
            self.targets.push(target);
        }
        self.hashes.push(unit.hash);
        self.lens.push(unit.len);
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Returns what units are told apart by, all but targets, in order.
    pub(super) fn hashes(&self) -> &[u32] {
        &self.hashes
    }

    /// Returns all targets, in the order of their units.
    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Returns the number, among all targets, of a unit's target.
    pub(super) fn target_number(&self, number: u32) -> Option<usize> {
        let (block, bit) = (self.blocks.get(number as usize / BLOCK)?, number as usize % BLOCK);
        let before = block.with_target & ((1 << bit) - 1);
        (block.with_target >> bit & 1 == 1).then_some((block.targets + before.count_ones()) as usize)
    }

    /// Returns a unit.
    pub(super) fn get(&self, number: u32) -> Option<Unit> {
        let (hash, len) = (*self.hashes.get(number as usize)?, *self.lens.get(number as usize)?);
        let target = self.target_number(number).and_then(|target| self.targets.get(target)).copied();
        Some(Unit { hash, len, target })
    }

    /// Returns where a unit begins; where the file ends for the number behind the last.
    pub(super) fn at(&self, number: u32) -> Option<u32> {
        let number = number as usize;
        if number > 0 && number == self.len() {
            let last = number - 1;
            return Some(self.at(u32::try_from(last).ok()?)? + u32::from(*self.lens.get(last)?));
        }
        let before = self.lens.get(number / BLOCK * BLOCK..number)?;
        let block = self.blocks.get(number / BLOCK)?;
        Some(block.at + before.iter().map(|len| u32::from(*len)).sum::<u32>())
    }

    /// Returns the number of the first unit that begins at `at` or behind.
    pub(super) fn first_from(&self, at: u32) -> u32 {
        let block = self.blocks.partition_point(|block| block.at < at).saturating_sub(1);
        let mut number = block * BLOCK;
        let mut begin = self.blocks.get(block).map_or(0, |block| block.at);
        while begin < at
            && let Some(len) = self.lens.get(number)
        {
            begin += u32::from(*len);
            number += 1;
        }
        u32::try_from(number).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_counted_is_what_was_pushed(shapes in prop::collection::vec((1_u8..16, any::<bool>()), 1..300)) {
            let (mut units, mut starts, mut numbers, mut at) = (Units::default(), Vec::new(), Vec::new(), 0);
            for (number, (len, refers)) in (0_u32..).zip(&shapes) {
                let target = refers.then_some(Target { address: number, reference: Reference::Rva });
                units.push(at, Unit { hash: !number, len: *len, target });
                starts.push(at);
                numbers.push(number);
                at += u32::from(*len);
            }
            for (number, start) in numbers.iter().zip(&starts) {
                let unit = units.get(*number).unwrap();
                prop_assert_eq!(unit.hash, !number);
                prop_assert_eq!(unit.target.map(|target| target.address), shapes[*number as usize].1.then_some(*number));
                prop_assert_eq!(units.at(*number), Some(*start));
            }
            let count = u32::try_from(shapes.len()).unwrap();
            prop_assert_eq!(units.at(count), Some(at));
            prop_assert!(units.get(count).is_none() && units.at(count + 1).is_none());
            for position in 0..at + 2 {
                let first = starts.partition_point(|start| *start < position);
                prop_assert_eq!(units.first_from(position) as usize, first);
            }
        }
    }

    #[test]
    fn a_file_without_bytes_has_no_units() {
        let units = Units::of(&File::plain(&[]));
        assert_eq!((units.len(), units.at(0), units.first_from(0)), (0, None, 0));
    }
}
