//! New i386 instructions: a byte at a time, each by what it is for.

use super::{NO_BYTE, before, nearest, outside};
use crate::DeltaError;
use crate::bytes::{byte, put};
use crate::coder::Coder;
use crate::file::Region;
use crate::isa::i386::{Decoded, Instruction, MAX_LEN, Role, Span, decode};
use crate::isa::{Body, Field, Item, ItemKind, Reference};
use crate::list::Association;
use crate::matcher::Place;
use crate::model::{Evidence, hash};
use crate::models::Class;
use crate::walk::Walk;

impl Role {
    fn number(self) -> u32 {
        match self {
            Self::Opcode => 0,
            Self::ModRm => 1,
            Self::Sib => 2,
            Self::Displacement => 3,
            Self::Immediate => 4,
            Self::Relative => 5,
        }
    }
}

/// A byte of an instruction that is to come.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    role: Role,
    /// Its number within its field.
    index: u8,
    known: Instruction,
    /// The ModR/M byte; [`NO_BYTE`] if there is none yet.
    modrm: u32,
    /// A hash of the instruction so far.
    start: u32,
}

impl Spot {
    pub(super) fn new(role: Role, index: u8, known: Instruction, item: &[u8], start: u32) -> Self {
        let modrm = match known.modrm_at {
            0 => NO_BYTE,
            at => item.get(usize::from(at)).map_or(NO_BYTE, |byte| u32::from(*byte)),
        };
        Self { role, index, known, modrm, start }
    }

    fn number(&self) -> u32 {
        self.role.number() | u32::from(self.index) << 3
    }

    fn opcode(&self) -> u32 {
        u32::from(self.known.opcode) | u32::from(self.known.map) << 8
    }

    /// Begins the evidence for the byte, with the contexts that are taught.
    pub(super) fn evidence(&self, form: u32) -> Evidence {
        let number = self.number();
        let mut evidence = Class::Instruction.evidence();
        evidence.context(number, self.opcode());
        evidence.context(number, self.start);
        evidence.context(hash(number, self.start), form);
        evidence
    }
}

/// Extends the hash of an instruction by a byte, or by a reference.
pub(super) fn extend(start: u32, byte: Option<u32>) -> u32 {
    hash(start, byte.map_or(0x999, |byte| byte + 1))
}

/// Returns what instructions are to those that follow.
pub(super) fn form(instruction: &Instruction, item: &[u8]) -> u32 {
    let modrm = match instruction.modrm_at {
        0 => 0,
        at => item.get(usize::from(at)).map_or(0, |byte| u32::from(*byte)),
    };
    u32::from(instruction.opcode) | u32::from(instruction.map) << 8 | (modrm & 0xf8) << 12
}

/// The old item that gives expectations.
#[derive(Clone, Copy)]
struct Twin<'a> {
    item: &'a Item,
    at: u32,
    bytes: &'a [u8],
    /// Whether the same byte of both items is for the same.
    in_step: bool,
}

impl Twin<'_> {
    /// Returns the byte that is expected at a spot, the item's byte number `place`.
    fn expects(&self, spot: &Spot, place: u32) -> Option<u32> {
        let old = &self.item.instruction;
        let same =
            |old: Span, new: Span| (old.len == new.len).then(|| u32::from(old.at) + u32::from(spot.index));
        let place = if self.in_step {
            Some(place)
        } else {
            match spot.role {
                Role::Displacement => same(old.displacement, spot.known.displacement),
                Role::Immediate if !old.relative => same(old.immediate, spot.known.immediate),
                Role::ModRm if old.modrm_at > 0 => Some(u32::from(old.modrm_at)),
                Role::Opcode if place == 0 => Some(0),
                _ => None,
            }
        };
        byte(self.bytes, self.at + place?).map(u32::from)
    }
}

impl<C: Coder> Walk<'_, C> {
    /// Codes an instruction.
    pub(super) fn instruction(
        &mut self,
        region: &Region,
        old: Option<&Item>,
        substituted: bool,
        wish: &Item,
    ) -> Result<(Item, Body), DeltaError> {
        let room = (region.end - self.at).min(MAX_LEN);
        let bytes = self.old.file.bytes;
        let mut twin = old.filter(|old| old.kind == ItemKind::Instruction).map(|item| Twin {
            item,
            at: self.old_at,
            bytes,
            in_step: substituted,
        });
        let mut fields = Vec::new();
        let (mut len, mut start, mut surprises) = (0_u32, 0, 0);
        let instruction = loop {
            let so_far = self.new.get(self.at as usize..(self.at + len) as usize).unwrap_or_default();
            let (role, index, known) = match decode(so_far) {
                Decoded::Whole(instruction) => break instruction,
                Decoded::Partial { role, index, known } => (role, index, known),
                Decoded::Invalid => return Err(outside("byte of an instruction", len, "instruction set")),
            };
            let spot = Spot::new(role, index, known, so_far, start);
            if let Some((reference, size)) = possible_reference(&spot)
                && self.is_reference(&spot, reference, twin.as_ref(), wish.refers_at(u8_of(len)))
            {
                if len + size > room {
                    return Err(outside("end of an item", len + size, "region"));
                }
                let association = self.association(reference, twin.as_ref(), substituted);
                self.refer(self.at + len, reference, association);
                fields.push(Field { at: u8_of(len), reference });
                len += size;
                start = extend(start, None);
                self.matcher.skip(size);
                continue;
            }
            if len >= room {
                return Err(outside("end of an item", len + 1, "region"));
            }
            let expected = twin.as_ref().and_then(|twin| twin.expects(&spot, len));
            let symbol = self.instruction_byte(&spot, twin.as_ref(), expected, substituted, surprises, len);
            put(&mut self.new, self.at + len, &[u8_of(symbol)]);
            if expected.is_some_and(|expected| expected != symbol) {
                surprises += 1;
                if let Some(twin) = &mut twin
                    && matches!(role, Role::Opcode | Role::ModRm | Role::Sib)
                {
                    twin.in_step = false;
                }
            }
            start = extend(start, Some(symbol));
            len += 1;
        };
        let item_bytes = self.new.get(self.at as usize..(self.at + len) as usize).unwrap_or_default();
        self.history.step(form(&instruction, item_bytes));
        let mut item = Item::instruction(instruction);
        for field in fields {
            item.add(field);
        }
        let body = item.body(&self.new, self.at);
        if let Some(twin) = twin.filter(|_| substituted) {
            let old_body = twin.item.body(bytes, twin.at);
            self.renames.learn(twin.item, &old_body, &body, &instruction, region.isa);
        }
        Ok((item, body))
    }

    /// Codes whether a field is a reference.
    fn is_reference(
        &mut self,
        spot: &Spot,
        reference: Reference,
        twin: Option<&Twin<'_>>,
        wish: bool,
    ) -> bool {
        let role = spot.role.number();
        let matched = match self.matcher.at {
            Some(Place::Old(at)) => 1 + u32::from(self.old.file.is_pointer(at)),
            Some(Place::New(_)) | None => 0,
        };
        let old = twin.map_or(0, |twin| 1 + u32::from(twin.item.find(reference).is_some()));
        let [last, ..] = self.history.forms;
        let mut evidence = Class::Form.evidence();
        evidence.context(role, spot.opcode() | spot.modrm << 16);
        evidence.context(role, spot.opcode());
        evidence.context(role | 64, matched * 3 + old);
        evidence.context(last, spot.opcode() | role << 8);
        evidence.select(32 + role);
        evidence.count(32 + role);
        let map = u32::from(spot.known.map & 1);
        evidence.count(256 + u32::from(spot.known.opcode) + 256 * map);
        self.models.decide(Class::Form, &evidence, wish)
    }

    /// Returns the old reference that a new one likely is.
    fn association(&self, reference: Reference, twin: Option<&Twin<'_>>, substituted: bool) -> Association {
        if let Some(twin) = twin.filter(|_| substituted) {
            return match twin.item.find(reference) {
                Some(place) => Association::Twin(twin.at + u32::from(place)),
                None => Association::None,
            };
        }
        match (self.matcher.old(), reference) {
            (Some(at), Reference::Relative32) => Association::Likeness(at),
            (Some(at), Reference::Absolute) if self.old.file.is_pointer(at) => Association::Likeness(at),
            _ => Association::None,
        }
    }

    /// Codes a byte of an instruction.
    fn instruction_byte(
        &mut self,
        spot: &Spot,
        twin: Option<&Twin<'_>>,
        expected: Option<u32>,
        substituted: bool,
        surprises: u32,
        place: u32,
    ) -> u32 {
        let matched = self.matcher.byte(self.old.file.bytes, &self.new);
        let next = twin.and_then(|twin| byte(twin.bytes, twin.at + place + 1)).map_or(NO_BYTE, u32::from);
        let (number, opcode) = (spot.number(), spot.opcode());
        let length = self.matcher.length.min(15);
        let hits = self.history.hits;
        let substituted = u32::from(substituted);
        let known = |byte: Option<u32>| byte.unwrap_or(NO_BYTE);
        let old = known(expected) | number << 10;
        let before = before(&self.new, self.at + place);
        let last = nearest(before, 1);
        let both = u32::from(matched == expected);
        let old_opcode = twin.map_or(0, |twin| u32::from(twin.item.instruction.opcode));
        let [form, second, third] = self.history.forms;
        let forms = hash(form, second);
        let here = hash(number, spot.start);
        let mut evidence = spot.evidence(form);
        evidence.context(here, forms);
        evidence.context(here, hash(forms, third));
        evidence.context(last, 1);
        evidence.context(nearest(before, 2), 1);
        evidence.context(nearest(before, 3), 1);
        evidence.context(hash(number, spot.modrm & 0xc7), opcode >> 1);
        evidence.context(hash(self.history.last(), spot.start), number);
        evidence.context(old, hits & 7 | substituted << 3 | surprises << 4);
        evidence.context(hash(known(expected) | next << 9, last), substituted);
        evidence.context(known(matched) | length << 10, number);
        evidence.context(hash(hash(known(expected), old_opcode), number), opcode);
        let spot_number = number.min(31);
        evidence.expect(expected, spot_number * 16 + substituted * 8 + (hits & 1) * 4 + surprises.min(3));
        evidence.expect(matched, length * 8 + both * 4 + spot.role.number().min(3));
        evidence.select(spot_number * 64 + substituted * 32 + length * 2 + both);
        evidence.select(opcode & 1023);
        evidence.select(
            surprises.min(3) * 64
                + u32::from(expected.is_none()) * 32
                + u32::from(matched.is_none()) * 16
                + (hits & 15),
        );
        evidence.refine(spot_number * 4 + substituted * 2 + both);
        evidence.count(spot_number);
        let at = self.at + place;
        let wish = self.source.as_ref().and_then(|source| byte(source.file.bytes, at)).unwrap_or(0);
        let symbol = self.models.code(Class::Instruction, &evidence, u32::from(wish), 8);
        match matched {
            None => {}
            Some(matched) if matched == symbol => self.matcher.hit(1),
            // A number alone does not end what is alike, nor does a later byte of an instruction.
            Some(_) if place > 0 || matches!(spot.role, Role::Displacement | Role::Immediate) => {
                self.matcher.miss(1);
            }
            Some(_) => self.matcher.lose(),
        }
        symbol
    }
}

/// Returns the reference that may begin at a spot, and its size.
pub(super) fn possible_reference(spot: &Spot) -> Option<(Reference, u32)> {
    if spot.index != 0 {
        return None;
    }
    match (spot.role, spot.known.displacement.len, spot.known.immediate.len) {
        (Role::Displacement, 4, _) | (Role::Immediate, _, 4) => Some((Reference::Absolute, 4)),
        (Role::Relative, _, 4) => Some((Reference::Relative32, 4)),
        (Role::Relative, _, 1) => Some((Reference::Relative8, 1)),
        _ => None,
    }
}

/// Returns a number below 256 as a byte.
fn u8_of(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}
