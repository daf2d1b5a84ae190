//! New items, coded symbol by symbol.
//!
//! First the item's kind: 0 a byte, 1 a pointer, 2 an instruction; then its bytes or fields, each with the old item
//! under the pointer and the text at the match pointer as expectations, and the text before as context. Which fields are
//! references is coded, too; their targets come in the second pass.

pub(crate) mod alpha;
mod i386;
mod prime;

use crate::DeltaError;
use crate::bytes::{byte, put};
use crate::coder::Coder;
use crate::file::Region;
use crate::image::FIRST_OUTSIDE_HEADERS;
use crate::isa::{Body, Isa, Item, ItemKind, Reference};
use crate::list::Association;
use crate::matcher::Place;
use crate::model::hash;
use crate::models::Class;
use crate::walk::Walk;

/// Stands for a byte that is not there in contexts.
const NO_BYTE: u32 = 256;
/// Marks what an item was in contexts: a pointer, a byte, an Alpha word.
const POINTER: u32 = 0x1000;
const BYTE: u32 = 0x2000;
const WORD: u32 = 0x4000;

/// Returns the eight bytes before a position, the nearest highest; zeros before the file's beginning.
#[inline]
fn before(bytes: &[u8], at: u32) -> u64 {
    let text = bytes.get(..at as usize).unwrap_or_default();
    match text.last_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => text.iter().fold(0, |text, byte| text >> 8 | u64::from(*byte) << 56),
    }
}

/// Returns the nearest `count` bytes of those, up to four, as one number.
#[inline]
fn nearest(before: u64, count: u32) -> u32 {
    u32::try_from(before >> (64 - 8 * count)).unwrap_or(0)
}

impl<C: Coder> Walk<'_, C> {
    /// Codes a new item; `old` is the item under the pointer, if there is one, and `substituted` whether it is given up
    /// for the new one.
    pub(crate) fn literal(
        &mut self,
        region: &Region,
        old: Option<&Item>,
        substituted: bool,
    ) -> Result<(), DeltaError> {
        let wish = self.source.as_ref().map_or(Item::BYTE, |source| source.file.item(self.at, region));
        let kind = self.kind(region, old, substituted, &wish);
        let (item, body) = match kind {
            0 => self.byte(region, old, substituted),
            1 => self.pointer(region, old)?,
            2 if region.isa == Isa::I386 => self.instruction(region, old, substituted, &wish)?,
            2 if region.isa == Isa::Alpha => self.word(region, old, substituted, &wish)?,
            _ => return Err(outside("kind of an item", kind, "region's kinds")),
        };
        self.history.push(item.hash(&body));
        let (at, size) = (self.at, item.size());
        self.at += size;
        self.matcher.find_and_insert(&self.history, region.isa, self.at);
        let both = match (item.kind, old) {
            (_, None) => 0,
            (ItemKind::Pointer, Some(old)) => {
                if old.kind == ItemKind::Pointer {
                    size
                } else {
                    0
                }
            }
            (_, Some(_)) if !substituted => 0,
            (ItemKind::Byte, Some(_)) => 1,
            (_, Some(old)) => size.min(old.size()),
        };
        self.runs.add(self.old_at, at, both);
        if let Some(old) = old.filter(|_| substituted) {
            self.old_at += if region.isa == Isa::Data { size } else { old.size() };
        }
        Ok(())
    }

    /// Codes what kind of item comes; where only bytes can, nothing is coded.
    fn kind(&mut self, region: &Region, old: Option<&Item>, substituted: bool, wish: &Item) -> u32 {
        let code = u32::from(region.isa != Isa::Data);
        if region.section.is_none() {
            return 0;
        }
        let old = old.map_or(7, |old| old.kind.number());
        let [last, second, _] = self.history.forms;
        let matched = match self.matcher.at {
            None => 9,
            Some(Place::Old(at)) => u32::from(self.old.file.is_pointer(at)),
            Some(Place::New(_)) => 8,
        };
        let substituted = u32::from(substituted);
        let mut evidence = Class::Form.evidence();
        evidence.context(old, code | substituted << 1);
        evidence.context(last, code);
        evidence.context(last, second);
        evidence.context(matched, code);
        evidence.select(old * 4 + substituted * 2 + code);
        evidence.count(old * 4 + substituted * 2 + code);
        evidence.count(region.isa.number() << 6 | last >> 12 & 7 | old << 3);
        let wish = match wish.kind {
            ItemKind::Pointer | ItemKind::Instruction => wish.kind.number(),
            ItemKind::Byte | ItemKind::Rva | ItemKind::TimeStamp => 0,
        };
        self.models.code(Class::Form, &evidence, wish, 2)
    }

    /// Makes room in the region for what comes.
    fn room(&self, region: &Region, size: u32) -> Result<(), DeltaError> {
        if size <= region.end - self.at { Ok(()) } else { Err(outside("end of an item", size, "region")) }
    }

    fn pointer(&mut self, region: &Region, old: Option<&Item>) -> Result<(Item, Body), DeltaError> {
        self.room(region, 4)?;
        let twin = old.is_some_and(|old| old.kind == ItemKind::Pointer);
        let association = if twin { Association::Twin(self.old_at) } else { Association::None };
        self.refer(self.at, Reference::Absolute, association);
        self.matcher.skip(4);
        self.history.step(POINTER);
        Ok((Item::POINTER, [0; 16]))
    }

    fn byte(&mut self, region: &Region, old: Option<&Item>, substituted: bool) -> (Item, Body) {
        let old_bytes = self.old.file.bytes;
        let around = |offset: u32| {
            let at = (old.is_some()).then(|| self.old_at.wrapping_add(offset));
            at.and_then(|at| byte(old_bytes, at)).map(u32::from)
        };
        let (expected, next, previous) = (around(0), around(1), around(u32::MAX));
        let expected = expected.filter(|_| substituted);
        let matched = self.matcher.byte(old_bytes, &self.new);
        let before = before(&self.new, self.at);
        let last = nearest(before, 1);
        let column = (self.at - region.start) & 3;
        let length = self.matcher.length.min(15);
        let hits = self.history.hits;
        let known = |byte: Option<u32>| byte.unwrap_or(NO_BYTE);
        let back = |count: u32| u32::try_from(before >> (64 - 8 * count) & 0xff).unwrap_or(0);
        let class = if old.is_some() { self.old.file.class(self.old_at) } else { 0 };
        let mut evidence = Class::Byte.evidence();
        evidence.context(0, column);
        evidence.context(last, 0);
        evidence.context(nearest(before, 2), 0);
        evidence.context(nearest(before, 3), 0);
        evidence.context(nearest(before, 4), 0);
        evidence.context(hash(nearest(before, 4), back(5) | back(6) << 8), 0);
        evidence.context(back(4), column | last << 8);
        evidence.context(known(expected), hits & 15);
        evidence.context(known(expected) | known(next) << 9, last);
        evidence.context(known(expected) | known(previous) << 9, last);
        evidence.context(known(matched), length);
        evidence.context(hash(known(expected), known(matched)), 0);
        evidence.context(back(4) | back(8) << 8, column);
        evidence.context(class | 0x1000, known(expected));
        evidence.expect(expected, hits & 15 | u32::from(previous == Some(last)) << 4);
        evidence.expect(matched, length * 4 + u32::from(matched.is_some() && matched == around(0)) * 2);
        if class >= FIRST_OUTSIDE_HEADERS {
            evidence.select(1024 + class);
            evidence.count(4 + class - FIRST_OUTSIDE_HEADERS);
        } else {
            evidence.select(length * 16 + (hits & 7) * 2 + u32::from(substituted));
            evidence.count(column);
        }
        evidence.select(last);
        let wish = self.source.as_ref().and_then(|source| byte(source.file.bytes, self.at)).unwrap_or(0);
        let symbol = self.models.code(Class::Byte, &evidence, u32::from(wish), 8);
        let value = u8::try_from(symbol).unwrap_or(0);
        put(&mut self.new, self.at, &[value]);
        match matched {
            None => {}
            Some(matched) if matched == symbol => self.matcher.hit(1),
            Some(_) => self.matcher.lose(),
        }
        self.history.step(BYTE);
        (Item::BYTE, Item::BYTE.body(&self.new, self.at))
    }
}

/// An error about a number of the stream.
fn outside(field: &'static str, found: u32, bound: &'static str) -> DeltaError {
    DeltaError::OutOfBounds { field, found: i64::from(found), bound }
}
