//! Instruction sets: what a file's bytes are cut into, and the references in it.
//!
//! A file is a sequence of *items*: instructions, words, pointers, single bytes. An item has up to two *references*,
//! fields that name a place of the image, a *target*; what remains of its bytes is its *body*. Bodies are compared and
//! coded first, targets afterwards, when it is known where everything went.
//!
//! This is the one seam for processors. All else asks a [`Reference`] how wide it is, what it is relative to, and
//! how a target is read and written; which items there are is decided by [`crate::file::File::item`].

pub mod alpha;
pub mod i386;

use crate::bytes::{byte, put, put_u16, put_u32, u16_at, u32_at};
use crate::image::Rva;
use i386::Instruction;

/// How a region of a file is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Not code.
    Data,
    /// Instructions of 1 to 15 bytes.
    I386,
    /// Words of four bytes.
    Alpha,
}

impl Isa {
    /// Returns its number in contexts.
    #[inline]
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Data => 0,
            Self::I386 => 1,
            Self::Alpha => 2,
        }
    }
}

/// The forms of references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// 32 bits: an address, relocated when the image is loaded elsewhere.
    Absolute,
    /// 32 bits: the distance from the next instruction.
    Relative32,
    /// 8 bits: the distance from the next instruction.
    Relative8,
    /// 32 bits of data: what may be an address relative to the image.
    Rva,
    /// The low 21 bits of a word: the distance from the next word, in words.
    Branch,
    /// The low 16 bits of a word: the high half of an address, rounded for a signed low half.
    High,
    /// The low 16 bits of a word: the low half of an address whose high half is some words before.
    Low,
}

impl Reference {
    /// Returns its number in contexts and in the list of references.
    #[inline]
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Absolute => 1,
            Self::Relative32 => 2,
            Self::Relative8 => 3,
            Self::Rva => 4,
            Self::Branch => 5,
            Self::High => 6,
            Self::Low => 7,
        }
    }

    /// Returns the reference with a number.
    #[must_use]
    pub fn numbered(number: u32) -> Option<Self> {
        let all = [
            Self::Absolute,
            Self::Relative32,
            Self::Relative8,
            Self::Rva,
            Self::Branch,
            Self::High,
            Self::Low,
        ];
        all.into_iter().find(|reference| reference.number() == number)
    }

    /// Returns how many bytes from the field's position on hold it, whole or in part.
    #[inline]
    #[must_use]
    pub fn width(self) -> u32 {
        match self {
            Self::Relative8 => 1,
            Self::High | Self::Low => 2,
            Self::Absolute | Self::Relative32 | Self::Rva | Self::Branch => 4,
        }
    }

    /// Returns which bits of the little-endian number at its position are its own.
    #[inline]
    #[must_use]
    fn mask(self) -> u128 {
        match self {
            Self::Relative8 => 0xff,
            Self::High | Self::Low => 0xffff,
            Self::Branch => 0x1f_ffff,
            Self::Absolute | Self::Relative32 | Self::Rva => 0xffff_ffff,
        }
    }

    /// Tells whether it holds a distance: it changes when it moves alone.
    #[inline]
    #[must_use]
    pub fn is_relative(self) -> bool {
        matches!(self, Self::Relative32 | Self::Relative8 | Self::Branch)
    }

    /// Reads the target of a reference that needs nothing but its own bytes: all but [`Self::High`] and [`Self::Low`].
    ///
    /// `here` is the address of the field, `base` that of the image.
    #[inline]
    #[must_use]
    pub fn target(self, bytes: &[u8], at: u32, here: Rva, base: u32) -> Rva {
        let next = here.plus(self.width());
        match self {
            Self::Absolute => Rva(u32_at(bytes, at).wrapping_sub(base)),
            Self::Relative32 => next.plus(u32_at(bytes, at)),
            Self::Relative8 => {
                let distance = byte(bytes, at).unwrap_or(0).cast_signed();
                next.plus(i32::from(distance).cast_unsigned())
            }
            Self::Branch => next.plus(alpha::branch_distance(u32_at(bytes, at))),
            Self::Rva => Rva(u32_at(bytes, at)),
            Self::High | Self::Low => Rva(u32::from(u16_at(bytes, at))),
        }
    }

    /// Writes a target into the field at `at`.
    pub fn write(self, bytes: &mut [u8], at: u32, here: Rva, base: u32, target: Rva) {
        let distance = target.minus(here.plus(self.width()));
        let address = target.0.wrapping_add(base);
        let half = |number: u32| u16::try_from(number & 0xffff).unwrap_or(0);
        match self {
            Self::Absolute => put_u32(bytes, at, address),
            Self::Relative32 => put_u32(bytes, at, distance),
            Self::Relative8 => put(bytes, at, &distance.to_le_bytes()[..1]),
            Self::Branch => {
                let word = u32_at(bytes, at) & !0x1f_ffff | distance >> 2 & 0x1f_ffff;
                put_u32(bytes, at, word);
            }
            Self::Rva => put_u32(bytes, at, target.0),
            Self::High => put_u16(bytes, at, half(address.wrapping_add(0x8000) >> 16)),
            Self::Low => put_u16(bytes, at, half(address)),
        }
    }
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A byte.
    Byte,
    /// A relocated pointer outside an instruction.
    Pointer,
    /// An instruction.
    Instruction,
    /// An aligned 32-bit number of data that may be an address.
    Rva,
    /// A copy of the image's time stamp: the new one is known from the headers.
    TimeStamp,
}

impl ItemKind {
    /// Returns its number in contexts and in the stream.
    #[inline]
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Byte => 0,
            Self::Pointer => 1,
            Self::Instruction => 2,
            Self::Rva => 3,
            Self::TimeStamp => 4,
        }
    }
}

/// A reference and its place in its item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where it begins in the item.
    pub at: u8,
    /// What it is.
    pub reference: Reference,
}

/// A piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// How many bytes it has, 1 to 15.
    pub len: u8,
    /// The layout, if it is an i386 instruction; of an Alpha word, only the opcode is set.
    pub instruction: Instruction,
    first: Option<Field>,
    second: Option<Field>,
}

/// An item's bytes with zeros in place of references, and behind its end.
pub type Body = [u8; 16];

impl Item {
    /// A byte.
    pub const BYTE: Self = Self {
        kind: ItemKind::Byte,
        len: 1,
        instruction: Instruction {
            len: 0,
            opcode: 0,
            map: 0,
            modrm_at: 0,
            displacement: i386::Span { at: 0, len: 0 },
            immediate: i386::Span { at: 0, len: 0 },
            relative: false,
        },
        first: None,
        second: None,
    };

    /// A relocated pointer.
    pub const POINTER: Self = Self {
        kind: ItemKind::Pointer,
        len: 4,
        first: Some(Field { at: 0, reference: Reference::Absolute }),
        ..Self::BYTE
    };

    /// A number that may be an address.
    pub const RVA: Self = Self {
        kind: ItemKind::Rva,
        len: 4,
        first: Some(Field { at: 0, reference: Reference::Rva }),
        ..Self::BYTE
    };

    /// A copy of the time stamp.
    pub const TIME_STAMP: Self = Self { kind: ItemKind::TimeStamp, len: 4, ..Self::BYTE };

    /// An i386 instruction, without references yet.
    #[inline]
    #[must_use]
    pub fn instruction(instruction: Instruction) -> Self {
        Self { kind: ItemKind::Instruction, len: instruction.len, instruction, ..Self::BYTE }
    }

    /// An Alpha word.
    #[inline]
    #[must_use]
    pub fn word(word: u32, reference: Option<Reference>) -> Self {
        let opcode = u8::try_from(alpha::opcode(word)).unwrap_or(0);
        let instruction = Instruction { len: 4, opcode, ..Self::BYTE.instruction };
        let first = reference.map(|reference| Field { at: 0, reference });
        Self { first, ..Self::instruction(instruction) }
    }

    /// Adds a reference; an item has at most two.
    #[inline]
    pub fn add(&mut self, field: Field) {
        if self.first.is_none() {
            self.first = Some(field);
        } else {
            self.second = Some(field);
        }
    }

    /// Returns the references, in the order of their fields.
    #[inline]
    pub fn fields(&self) -> impl Iterator<Item = Field> + use<> {
        self.first.into_iter().chain(self.second)
    }

    /// Returns how many references there are.
    #[inline]
    #[must_use]
    pub fn references(&self) -> u32 {
        u32::from(self.first.is_some()) + u32::from(self.second.is_some())
    }

    /// Tells whether a reference begins at a place of the item.
    #[inline]
    #[must_use]
    pub fn refers_at(&self, at: u8) -> bool {
        self.fields().any(|field| field.at == at)
    }

    /// Returns where the item has a reference of this form.
    #[must_use]
    pub fn find(&self, reference: Reference) -> Option<u8> {
        self.fields().find(|field| field.reference == reference).map(|field| field.at)
    }

    /// Tells whether two items have the same form: kind, length and references.
    #[inline]
    #[must_use]
    pub fn is_formed_like(&self, other: &Self) -> bool {
        (self.kind, self.len, self.first, self.second) == (other.kind, other.len, other.first, other.second)
    }

    /// Returns its length as a distance in a file.
    #[inline]
    #[must_use]
    pub fn size(&self) -> u32 {
        u32::from(self.len)
    }

    /// Reads its body.
    #[inline]
    #[must_use]
    pub fn body(&self, bytes: &[u8], at: u32) -> Body {
        let tail = bytes.get(at as usize..).unwrap_or_default();
        let mut body = match tail.first_chunk() {
            Some(chunk) => u128::from_le_bytes(*chunk),
            None => u128::from_le_bytes(std::array::from_fn(|index| tail.get(index).copied().unwrap_or(0))),
        };
        body &= (1 << (8 * u32::from(self.len & 15))) - 1;
        for field in self.fields() {
            body &= !(field.reference.mask() << (8 * u32::from(field.at & 15)));
        }
        body.to_le_bytes()
    }

    /// Hashes form and body.
    #[inline]
    #[must_use]
    pub fn hash(&self, body: &Body) -> u32 {
        let number = u128::from_le_bytes(*body);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of a number")]
        let (low, high) = (number as u64, (number >> 64) as u64);
        let form = u64::from(self.kind.number() * 4 + self.references() + 1);
        let mixed = low.wrapping_add(form << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 29 ^ high).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let here = Rva(0x2000);
        for (reference, target) in [
            (Reference::Absolute, 0x1234_5678),
            (Reference::Relative32, 0x10),
            (Reference::Relative8, 0x1fc0),
            (Reference::Branch, 0x1000),
            (Reference::Branch, 0x2008),
            (Reference::Rva, 0x77),
        ] {
            let mut bytes = [0xff_u8; 12];
            reference.write(&mut bytes, 4, here, 0x40_0000, Rva(target));
            assert_eq!(reference.target(&bytes, 4, here, 0x40_0000), Rva(target), "{reference:?}");
            assert_eq!(bytes[..4], [0xff; 4]);
            assert_eq!(bytes[4 + reference.width() as usize..], [0xff; 8][reference.width() as usize..]);
        }
    }

    #[test]
    fn halves_of_an_address_add_up() {
        for address in [0x1234_7fff_u32, 0x1234_8000, 0xffff_8000] {
            let mut bytes = [0; 8];
            Reference::High.write(&mut bytes, 0, Rva(0), 0, Rva(address));
            Reference::Low.write(&mut bytes, 4, Rva(0), 0, Rva(address));
            let low = i32::from(u16_at(&bytes, 4).cast_signed()).cast_unsigned();
            assert_eq!((u32::from(u16_at(&bytes, 0)) << 16).wrapping_add(low), address);
        }
    }

    #[test]
    fn a_body_has_no_references_and_ends_with_its_item() {
        let bytes: Vec<u8> = (1..=20).collect();
        let mut item = Item::instruction(Instruction { len: 7, ..Instruction::default() });
        item.add(Field { at: 2, reference: Reference::Absolute });
        assert_eq!(item.body(&bytes, 1)[..9], [2, 3, 0, 0, 0, 0, 8, 0, 0]);
        assert_eq!(item.body(&bytes, 16)[..9], [17, 18, 0, 0, 0, 0, 0, 0, 0]);
        let branch = Item::word(0xc3ff_ffff, Some(Reference::Branch));
        assert_eq!(branch.body(&0xc3ff_ffff_u32.to_le_bytes(), 0)[..4], 0xc3e0_0000_u32.to_le_bytes());
    }
}
