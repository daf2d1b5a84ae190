//! What became of registers and numbers: renames that were seen are expected again.
//!
//! Where a program was changed and compiled anew, the same function has other registers, other frame offsets, other
//! offsets of fields. A rename is learned from an item that was substituted by one of the same form, and applied to
//! all old items that follow. Whether renamed or unchanged items prove right is counted for each kind of item, and
//! decides which of the two is tried first.

use crate::bytes::{u16_at, u32_at};
use crate::isa::alpha::{self, Format, ZERO};
use crate::isa::i386::{Instruction, Span, registers};
use crate::isa::{Body, Isa, Item, ItemKind};
use crate::model::hash;

/// How far renames must have proved right before they come first.
const TRUSTED: i8 = 2;
/// The bounds of trust.
const MOST: i8 = 3;

/// What an old item is expected to become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prediction {
    /// What comes first.
    pub(crate) body: Body,
    /// The other possibility, where renames change the item.
    pub(crate) other: Option<Body>,
    /// Whether the first is the renamed one.
    pub(crate) renamed_first: bool,
    kind: u8,
}

impl Prediction {
    /// Predicts that nothing changes.
    #[inline]
    pub(crate) fn plain(body: Body) -> Self {
        Self { body, other: None, renamed_first: false, kind: 0 }
    }
}

/// How a number changed.
#[derive(Clone, Copy, Debug, Default)]
struct Shift {
    /// What it was.
    from: u32,
    /// By how much it changed; 0 if it did not.
    by: u32,
}

/// How far from a number that changed the same change is expected, in immediate operands.
const REACH: u32 = 8000;

/// All renames.
#[derive(Debug)]
pub(crate) struct Renames {
    numbers: Numbers,
    /// i386: for each kind of number how it last changed.
    shifts: [Shift; 256],
    /// Whether an i386 number or register ever changed.
    changed: bool,
    /// The integer registers, then the floating-point or vector registers.
    registers: [u32; 64],
    trust: [i8; 128],
}

impl Default for Renames {
    fn default() -> Self {
        let registers = std::array::from_fn(|index| u32::try_from(index).unwrap_or(0) & 31);
        Self {
            numbers: Numbers::default(),
            shifts: [Shift::default(); 256],
            changed: false,
            registers,
            trust: [0; 128],
        }
    }
}

impl Renames {
    /// Returns what the old item with this body is expected to become in a region of the new file.
    #[inline]
    pub(crate) fn predict(&self, item: &Item, body: Body, isa: Isa) -> Prediction {
        let plain = Prediction::plain(body);
        if item.kind != ItemKind::Instruction {
            return plain;
        }
        let (renamed, kind) = match isa {
            Isa::Data => return plain,
            Isa::I386 if !self.changed => return plain,
            Isa::I386 => {
                let registers = self.with_registers(item, body);
                let kind = if registers == body { number_kind(item) } else { register_kind(item) };
                (self.with_numbers(item, body, registers), kind)
            }
            Isa::Alpha => {
                let word = self.renamed_word(u32_at(&body, 0), item.references() > 0);
                (with_word(body, word), item.instruction.opcode & 63)
            }
        };
        if renamed == body {
            return plain;
        }
        if self.trust.get(usize::from(kind)).is_some_and(|trust| *trust >= TRUSTED) {
            Prediction { body: renamed, other: Some(body), renamed_first: true, kind }
        } else {
            Prediction { body, other: Some(renamed), renamed_first: false, kind }
        }
    }

    /// Learns which of two possibilities was right.
    #[inline]
    pub(crate) fn judge(&mut self, prediction: &Prediction, first: bool) {
        if prediction.other.is_none() {
            return;
        }
        if let Some(trust) = self.trust.get_mut(usize::from(prediction.kind)) {
            let renamed = first == prediction.renamed_first;
            *trust = if renamed { (*trust + 1).min(MOST) } else { (*trust - 2).max(-MOST) };
        }
    }

    /// Learns what an old item became: an item with this body, and this layout if it is an i386 instruction.
    #[inline]
    pub(crate) fn learn(&mut self, old: &Item, before: &Body, after: &Body, layout: &Instruction, isa: Isa) {
        if old.kind != ItemKind::Instruction {
            return;
        }
        match isa {
            Isa::Data => {}
            Isa::I386 => {
                if self.changed || before != after {
                    self.learn_i386(old, before, after, layout);
                }
            }
            Isa::Alpha => self.learn_word(u32_at(before, 0), u32_at(after, 0), old.references() > 0),
        }
    }

    fn with_registers(&self, item: &Item, body: Body) -> Body {
        let mut renamed = body;
        for register in registers(&item.instruction, &body) {
            let number = self.registers.get(register.place(&body)).copied().unwrap_or(0);
            register.rename(&mut renamed, u8::try_from(number & 7).unwrap_or(0));
        }
        renamed
    }

    /// Renames the numbers of an old body in the one that it becomes.
    fn with_numbers(&self, item: &Item, body: Body, mut renamed: Body) -> Body {
        for number in numbers(item, &body) {
            let old = number.read(&body);
            let shift = self.shifts.get(number.kind as usize).copied().unwrap_or_default();
            if let Some(new) = self.numbers.find(hash(number.kind, old)) {
                number.write(&mut renamed, new);
            } else if shift.by != 0 && number.shifts(old, shift.from) {
                number.write(&mut renamed, old.wrapping_add(shift.by));
            }
        }
        renamed
    }

    fn learn_i386(&mut self, item: &Item, before: &Body, after: &Body, layout: &Instruction) {
        if layout.relative {
            return;
        }
        if item.instruction.opcode == layout.opcode && item.instruction.map == layout.map {
            let pairs = registers(&item.instruction, before).zip(registers(layout, after));
            for (old, new) in pairs {
                let (from, to) = (old.place(before), new.place(after));
                if let Some(name) = self.registers.get_mut(from)
                    && from / 32 == to / 32
                {
                    self.changed |= from != to;
                    *name = u32::try_from(to & 31).unwrap_or(0);
                }
            }
        }
        for number in numbers(item, before) {
            let old = number.read(before);
            let span = if number.is_displacement { layout.displacement } else { layout.immediate };
            if span.len != number.span.len {
                continue;
            }
            let new = Number { span, ..number }.read(after);
            let Some(shift) = self.shifts.get_mut(number.kind as usize) else { continue };
            let key = hash(number.kind, old);
            if new != old {
                self.changed = true;
                self.numbers.insert(key, new);
                *shift = Shift { from: old, by: new.wrapping_sub(old) };
            } else if shift.by != 0 || self.numbers.find(key).is_some() {
                self.numbers.insert(key, old);
            }
        }
    }

    fn learn_word(&mut self, old: u32, new: u32, is_reference: bool) {
        if alpha::opcode(old) != alpha::opcode(new) {
            return;
        }
        let format = alpha::format(new);
        let mut rename = |from: u32, to: u32| {
            if let Some(register) = self.registers.get_mut(register(format, from)) {
                *register = to;
            }
        };
        match format {
            Format::Memory => {
                rename(alpha::ra(old), alpha::ra(new));
                rename(alpha::rb(old), alpha::rb(new));
                if !is_reference && alpha::opcode(new) != alpha::JMP {
                    self.numbers.replace(displacement_key(old), old & 0xffff, new & 0xffff);
                }
            }
            Format::Branch => {
                if !links(new) {
                    rename(alpha::ra(old), alpha::ra(new));
                }
            }
            Format::Operate => {
                rename(alpha::ra(old), alpha::ra(new));
                rename(alpha::rc(old), alpha::rc(new));
                match (alpha::has_literal(old), alpha::has_literal(new)) {
                    (false, false) => rename(alpha::rb(old), alpha::rb(new)),
                    (true, true) => {
                        self.numbers.replace(literal_key(old), alpha::literal(old), alpha::literal(new));
                    }
                    _ => {}
                }
            }
            Format::Float => {
                rename(alpha::ra(old), alpha::ra(new));
                rename(alpha::rb(old), alpha::rb(new));
                rename(alpha::rc(old), alpha::rc(new));
            }
            Format::Other => {}
        }
    }

    /// Returns an old word under its new names.
    pub(crate) fn renamed_word(&self, old: u32, is_reference: bool) -> u32 {
        let format = alpha::format(old);
        let renamed = |from: u32| self.registers.get(register(format, from)).copied().unwrap_or(ZERO) & 31;
        let ra = old & !(31 << 21) | renamed(alpha::ra(old)) << 21;
        let with_rb = |word: u32| word & !(31 << 16) | renamed(alpha::rb(old)) << 16;
        let with_rc = |word: u32| word & !31 | renamed(alpha::rc(old));
        match format {
            Format::Memory => {
                let word = with_rb(ra);
                match self.numbers.find(displacement_key(old)).filter(|_| !is_reference) {
                    Some(displacement) => word & !0xffff | displacement & 0xffff,
                    None => word,
                }
            }
            Format::Branch if links(old) => old,
            Format::Branch => ra,
            Format::Operate if alpha::has_literal(old) => match self.numbers.find(literal_key(old)) {
                Some(literal) => with_rc(ra) & !(0xff << 13) | (literal & 0xff) << 13,
                None => with_rc(ra),
            },
            Format::Operate | Format::Float => with_rc(with_rb(ra)),
            Format::Other => old,
        }
    }
}

/// Returns a body with another word.
#[inline]
fn with_word(mut body: Body, word: u32) -> Body {
    crate::bytes::put_u32(&mut body, 0, word);
    body
}

/// Whether a branch keeps the return address: its register is no variable.
fn links(word: u32) -> bool {
    matches!(alpha::opcode(word), alpha::BR | alpha::BSR)
}

/// Returns the place of a register among those of its format.
fn register(format: Format, number: u32) -> usize {
    let first = if format == Format::Float { 32 } else { 0 };
    (first + (number & 31)) as usize
}

/// Displacements are renamed together with their base.
fn displacement_key(word: u32) -> u32 {
    word & 0xffff | alpha::rb(word) << 16
}

/// Literals are renamed together with their function.
fn literal_key(word: u32) -> u32 {
    0x8000_0000 | alpha::literal(word) | (word & 0xfe0) << 8
}

/// Returns the kind of an i386 instruction with renamed numbers, from 64 to 127: for each, trust is counted.
fn number_kind(item: &Item) -> u8 {
    64 + item.instruction.immediate.len.min(7) + 8 * item.instruction.displacement.len.min(4)
}

/// Returns the kind of one with renamed registers, below 64.
fn register_kind(item: &Item) -> u8 {
    u8::from(item.instruction.modrm_at > 0)
}

/// A number in an i386 instruction.
#[derive(Clone, Copy)]
struct Number {
    span: Span,
    /// What it belongs to, below 256.
    kind: u32,
    is_displacement: bool,
}

impl Number {
    /// Tells whether it is likely that a number changes as another of its kind did.
    fn shifts(self, old: u32, other: u32) -> bool {
        if self.is_displacement { self.span.len == 1 || old > 0xff } else { old.abs_diff(other) < REACH }
    }

    fn read(self, body: &Body) -> u32 {
        let at = u32::from(self.span.at);
        match self.span.len {
            1 => i32::from(body.get(at as usize).copied().unwrap_or(0).cast_signed()).cast_unsigned(),
            2 => u32::from(u16_at(body, at)),
            _ => u32_at(body, at),
        }
    }

    fn write(self, body: &mut Body, value: u32) {
        let bytes = value.to_le_bytes();
        let len = usize::from(self.span.len).min(bytes.len());
        crate::bytes::put(body, u32::from(self.span.at), bytes.get(..len).unwrap_or_default());
    }
}

/// Returns the numbers of an instruction that may be renamed: those that are no references.
fn numbers(item: &Item, body: &Body) -> impl Iterator<Item = Number> {
    let instruction = item.instruction;
    let base = match instruction.modrm_at {
        0 => 9,
        at => u32::from(body.get(usize::from(at)).copied().unwrap_or(0) & 7),
    };
    let (displacement, immediate) = (instruction.displacement, instruction.immediate);
    let offset = (displacement.len > 0 && !item.refers_at(displacement.at)).then(|| Number {
        span: displacement,
        kind: (16 + base + 16 * u32::from(displacement.len)) & 127,
        is_displacement: true,
    });
    let operand = (matches!(immediate.len, 2 | 4) && !instruction.relative && !item.refers_at(immediate.at))
        .then(|| Number {
            span: immediate,
            kind: 128 | (u32::from(instruction.opcode) ^ u32::from(immediate.len) << 4) & 127,
            is_displacement: false,
        });
    offset.into_iter().chain(operand)
}

/// How many renamed numbers are remembered.
const NUMBERS: u32 = 1 << 12;

/// Renamed numbers; a new one takes the place of an older one with the same hash.
#[derive(Debug)]
struct Numbers {
    entries: Vec<Option<(u32, u32)>>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { entries: vec![None; NUMBERS as usize] }
    }
}

impl Numbers {
    fn slot(key: u32) -> usize {
        (key.wrapping_mul(0x9e37_79b1) >> (32 - NUMBERS.ilog2())) as usize
    }

    fn find(&self, key: u32) -> Option<u32> {
        let entry = self.entries.get(Self::slot(key)).copied().flatten();
        entry.filter(|(found, _)| *found == key).map(|(_, value)| value)
    }

    fn insert(&mut self, key: u32, value: u32) {
        if let Some(entry) = self.entries.get_mut(Self::slot(key)) {
            *entry = Some((key, value));
        }
    }

    /// Remembers that one number became another; forgets it if it is the same.
    fn replace(&mut self, key: u32, old: u32, new: u32) {
        if old != new {
            self.insert(key, new);
        } else if self.find(key).is_some()
            && let Some(entry) = self.entries.get_mut(Self::slot(key))
        {
            *entry = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::i386::{Decoded, decode};

    fn instruction(bytes: &[u8]) -> (Item, Body) {
        let Decoded::Whole(instruction) = decode(bytes) else { panic!("no instruction") };
        let item = Item::instruction(instruction);
        (item, item.body(bytes, 0))
    }

    #[test]
    fn a_renamed_displacement_is_expected_again_and_then_first() {
        let mut renames = Renames::default();
        let (old, before) = instruction(&[0x8b, 0x45, 0xf8]);
        let (new, after) = instruction(&[0x8b, 0x45, 0xf4]);
        assert!(renames.predict(&old, before, Isa::I386).other.is_none());
        renames.learn(&old, &before, &after, &new.instruction, Isa::I386);
        let (other, body) = instruction(&[0x89, 0x4d, 0xf8]);
        for turn in 0..3 {
            let prediction = renames.predict(&other, body, Isa::I386);
            assert_eq!(prediction.renamed_first, turn == 2);
            let renamed = if turn == 2 { prediction.body } else { prediction.other.unwrap() };
            assert_eq!(renamed[..4], [0x89, 0x4d, 0xf4, 0]);
            renames.judge(&prediction, turn == 2);
        }
        renames.learn(&old, &before, &before, &old.instruction, Isa::I386);
        let unchanged = renames.predict(&other, body, Isa::I386);
        assert!(unchanged.other.is_none(), "it is as it was");
    }

    #[test]
    fn a_renamed_register_is_expected_wherever_it_is_used() {
        let mut renames = Renames::default();
        // addq $1, $2, $3 became addq $1, $2, $4; then subq $3, $3, $5.
        let (old, new, next) = (0x4022_0403, 0x4022_0404, 0x4063_0525);
        renames.learn_word(old, new, false);
        assert_eq!(renames.renamed_word(next, false), 0x4084_0525);
    }

    #[test]
    fn a_displacement_keeps_its_base() {
        let mut renames = Renames::default();
        // ldl $1, 8($2) became ldl $1, 12($2); ldl $1, 8($3) did not.
        renames.learn_word(0xa022_0008, 0xa022_000c, false);
        assert_eq!(renames.renamed_word(0xa022_0008, false), 0xa022_000c);
        assert_eq!(renames.renamed_word(0xa022_0008, true), 0xa022_0008);
        assert_eq!(renames.renamed_word(0xa023_0008, false), 0xa023_0008);
        renames.learn_word(0xa022_0008, 0xa022_0008, false);
        assert_eq!(renames.renamed_word(0xa022_0008, false), 0xa022_0008);
    }
}
