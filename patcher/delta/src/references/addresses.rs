//! Targets that no candidate names.
//!
//! | target | how it is coded |
//! |---|---|
//! | of an 8-bit distance | the distance, by the old one and the mapped one |
//! | within a function | the distance, as a number with its sign before it; on Alpha in words |
//! | any other | its four bytes, the highest first, by the pool of old targets and by what was coded before |

use crate::bytes::byte;
use crate::coder::Coder;
use crate::history::range;
use crate::image::Rva;
use crate::isa::Reference;
use crate::model::{Evidence, hash};
use crate::models::{Class, Flag};

use super::{Open, Resolver};

/// Kinds of numbers: distances on, and back; on Alpha, two more.
const NEAR: u32 = 20;

impl<C: Coder> Resolver<'_, '_, C> {
    /// Codes a target; `best` is the first candidate, which it is not.
    pub(super) fn address(&mut self, open: &Open, best: Option<Rva>, wish: Rva) -> Rva {
        let next = open.here.plus(open.reference().width());
        if open.reference() == Reference::Relative8 {
            return self.short(open, next, best, wish);
        }
        if open.is_near() {
            return self.near(open, next, wish);
        }
        self.far(open, best, wish)
    }

    fn short(&mut self, open: &Open, next: Rva, best: Option<Rva>, wish: Rva) -> Rva {
        let low = |distance: u32| distance & 0xff;
        let old =
            open.listed.association.position().and_then(|at| byte(self.old.file.bytes, at)).map(u32::from);
        let mapped = best.map(|best| low(best.minus(next)));
        let known = |distance: Option<u32>| distance.unwrap_or(256);
        let mut evidence = Class::Distance.evidence();
        evidence.context(open.opcode, 0);
        evidence.context(known(old), known(mapped));
        evidence.context(known(old), 1);
        evidence.context(known(mapped), 2);
        evidence.context(0, 3);
        evidence.context(self.distance, 4);
        let following = byte(self.new, open.listed.at.wrapping_add(1)).unwrap_or(0);
        evidence.context(open.opcode, u32::from(following));
        evidence.expect(old, 0);
        evidence.expect(mapped, 0);
        evidence.select(u32::from(old.is_some()));
        evidence.count(u32::from(old.is_some()));
        let distance = self.models.code(Class::Distance, &evidence, low(wish.minus(next)), 8);
        self.distance = distance;
        let signed = u8::try_from(distance).unwrap_or(0).cast_signed();
        next.plus(i32::from(signed).cast_unsigned())
    }

    fn near(&mut self, open: &Open, next: Rva, wish: Rva) -> Rva {
        let alpha = open.reference() == Reference::Branch;
        let unit = if alpha { 2 } else { 0 };
        let distance = wish.minus(next);
        let backward = self.models.flag(Flag::Backward { alpha }, distance >> 31 == 1);
        let kind = NEAR + u32::from(backward) + 2 * u32::from(alpha);
        let size = if backward { !distance } else { distance } >> unit;
        let size = self.models.number(kind, 0, size & (u32::MAX >> 1));
        // Back is one's complement: of units, so that the lowest bits are ones.
        let size = if backward { !(size << unit | ((1 << unit) - 1)) } else { size << unit };
        next.plus(size)
    }

    fn far(&mut self, open: &Open, best: Option<Rva>, wish: Rva) -> Rva {
        let kind = open.reference().number() * 4 + u32::from(open.is_call());
        let last = self.addresses.get(kind as usize).copied().unwrap_or_default();
        let pool = self.pools.of(open.is_call());
        let mut range_of_pool = 0..pool.len();
        let mut target = 0;
        for index in 0..4 {
            let shift = 24 - 8 * index;
            // The byte of a number that begins as the target does.
            let part = |number: u32| {
                let alike = index == 0 || number >> (shift + 8) == target;
                alike.then_some(number >> shift & 0xff)
            };
            let here = pool.get(range_of_pool.clone()).unwrap_or_default();
            let middle = here.get(here.len() / 2).map(|number| number >> shift & 0xff);
            let expected = [best.and_then(|best| part(best.0)), middle, part(last.0), part(self.previous.0)];
            let count = range(u32::try_from(here.len()).unwrap_or(u32::MAX));
            let evidence = far_evidence(kind, index, target, [last.0, self.previous.0], expected, count);
            let symbol = self.models.code_hinted(
                Class::Address,
                &evidence,
                wish.0 >> shift & 0xff,
                8,
                |shared, node, done| {
                    let [zeros, ones] = split(here, target, node, done, shift);
                    if zeros + ones == 0 {
                        return [0, 0];
                    }
                    let probability =
                        (100 * u64::from(ones) + 8) * 65_536 / (100 * u64::from(zeros + ones) + 16);
                    let probability = u32::try_from(probability.clamp(16, 65_520)).unwrap_or(32_768);
                    let certain = match (zeros, ones) {
                        (0, _) => 256,
                        (_, 0) => -256,
                        _ => 0,
                    };
                    [shared.stretch(probability), certain]
                },
            );
            target = target << 8 | symbol;
            let below = here.partition_point(|number| number >> shift < target);
            let upto = here.partition_point(|number| number >> shift <= target);
            range_of_pool = range_of_pool.start + below..range_of_pool.start + upto;
        }
        Rva(target)
    }
}

fn far_evidence(
    kind: u32,
    index: u32,
    target: u32,
    [last, previous]: [u32; 2],
    expected: [Option<u32>; 4],
    count: u32,
) -> Evidence {
    let [mapped, middle, as_last, as_previous] = expected;
    let known = |byte: Option<u32>| byte.unwrap_or(256);
    let place = kind << 2 | index;
    let mut evidence = Class::Address.evidence();
    evidence.context(place, target);
    evidence.context(hash(place, target), last);
    evidence.context(hash(place, target), previous);
    evidence.context(place, known(mapped));
    evidence.context(place, known(middle));
    evidence.context(hash(target, index), 77);
    evidence.context(index, 0);
    evidence.expect(mapped, index);
    evidence.expect(middle, index * 16 + count);
    evidence.expect(as_last, index);
    evidence.expect(as_previous, index);
    evidence.select(kind * 4 + index);
    evidence.select(count * 4 + index);
    evidence.count(kind * 4 + index);
    evidence
}

/// Counts the targets of a pool that begin as the target so far does and go on with a zero, and with a one.
fn split(pool: &[u32], target: u32, node: u32, done: u32, shift: u32) -> [u32; 2] {
    let known = u64::from(node & ((1 << done) - 1));
    let start = (u64::from(target) << 8 | known << (8 - done)) << shift;
    let half = 1_u64 << (7 - done) << shift;
    let below = |bound: u64| pool.partition_point(|number| u64::from(*number) < bound);
    let (first, second, third) = (below(start), below(start + half), below(start + 2 * half));
    [second - first, third - second].map(|count| u32::try_from(count).unwrap_or(u32::MAX / 2))
}
