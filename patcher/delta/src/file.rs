//! A file, cut into regions and items.
//!
//! Regions follow from the headers alone: the headers themselves, each section, and what lies between and behind. Items
//! follow from the region's instruction set, the base relocations and the bytes. A file that is no image is one region
//! of data.
//!
//! | region | items |
//! |---|---|
//! | any | a 32-bit number with a base relocation is a pointer, if it points into the image |
//! | i386 code | instructions; a byte where none begins, or where a relocation is not at one of its fields |
//! | Alpha code | words; bytes that are no whole word |
//! | sections of data | an aligned number from 0x1000 up to the image's size may be an address; other bytes stand alone |
//! | the rest | bytes |

use crate::bits::Bits;
use crate::bytes::{len, u16_at, u32_at};
use crate::image::{Image, Machine, Mark, RelocationKind, Relocations, Rva, marks};
use crate::isa::alpha::{self, LDAH};
use crate::isa::i386::{Decoded, Instruction, MAX_LEN, decode};
use crate::isa::{Field, Isa, Item, Reference};

/// Addresses below this are in the first page, which holds the headers and is the target of nothing.
const FIRST_PAGE: u32 = 0x1000;

/// A stretch of a file whose items are cut by the same rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its first byte.
    pub start: u32,
    /// The byte behind its last.
    pub end: u32,
    /// How it is cut.
    pub isa: Isa,
    /// The number of its section, if it is one.
    pub section: Option<usize>,
}

/// Cuts a file of `size` bytes into regions: in order, none empty, without gaps.
#[must_use]
pub fn regions(image: Option<&Image>, size: u32) -> Vec<Region> {
    let rest = |start, end| Region { start, end, isa: Isa::Data, section: None };
    let mut regions = Vec::new();
    let mut at = 0;
    if let Some(image) = image {
        at = image.headers;
        regions.push(rest(0, at));
        for (number, section) in image.sections.iter().enumerate() {
            regions.push(rest(at, section.offset));
            at = section.end();
            let aligned = (section.offset | section.address.0).is_multiple_of(4);
            let isa = match image.machine {
                Machine::I386 if section.code => Isa::I386,
                Machine::Alpha if section.code && aligned => Isa::Alpha,
                Machine::I386 | Machine::Alpha | Machine::Other => Isa::Data,
            };
            regions.push(Region { start: section.offset, end: at, isa, section: Some(number) });
        }
    }
    regions.push(rest(at, size));
    regions.retain(|region| region.start < region.end);
    regions
}

/// Finds the region in which a position lies.
#[inline]
#[must_use]
pub fn region_at(regions: &[Region], at: u32) -> Option<Region> {
    let index = regions.partition_point(|region| region.end <= at);
    regions.get(index).copied().filter(|region| region.start <= at)
}

/// A file that is known: the old one, or to an encoder the new one.
#[derive(Debug)]
pub struct File<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its headers, if it is an image.
    pub image: Option<Image>,
    /// Its regions, see [`regions`].
    pub regions: Vec<Region>,
    marks: Vec<Mark>,
    /// Where relocated 32-bit addresses begin.
    pointers: Bits,
    halves: Halves,
}

/// The halves of addresses in Alpha code.
#[derive(Debug, Default)]
struct Halves {
    /// Numbers of words with a high half.
    high: Bits,
    /// Numbers of words with a low half.
    low: Bits,
    /// The low half that the relocation of each high half states, in order.
    parameters: Vec<u16>,
    /// For every 4096 words how many high halves come before.
    ranks: Vec<u32>,
    /// Whether low halves have relocations of their own.
    low_relocated: bool,
}

/// Words between two ranks.
const RANK_STEP: u32 = 4096;

impl<'a> File<'a> {
    /// Takes a file as plain bytes, whatever it is.
    #[must_use]
    pub fn plain(bytes: &'a [u8]) -> Self {
        let regions = regions(None, len(bytes));
        Self {
            bytes,
            image: None,
            regions,
            marks: Vec::new(),
            pointers: Bits::default(),
            halves: Halves::default(),
        }
    }

    /// Reads a file, as an image if it is one.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Self {
        let mut file = Self::plain(bytes);
        if let Some(image) = Image::read(bytes, len(bytes)) {
            file.regions = regions(Some(&image), len(bytes));
            file.marks = marks(bytes, &image);
            file.pointers = Bits::new(len(bytes));
            if image.machine == Machine::Alpha {
                file.halves.high = Bits::new(len(bytes) / 4);
                file.halves.low = Bits::new(len(bytes) / 4);
            }
            file.find_pointers(&image);
            file.pair_halves(&image);
            file.image = Some(image);
        }
        file
    }

    /// Takes what the relocations say.
    fn find_pointers(&mut self, image: &Image) {
        for relocation in Relocations::of(self.bytes, image) {
            self.halves.low_relocated |= relocation.kind == RelocationKind::LOW;
            let Some(at) = image.offset(relocation.address) else { continue };
            // Headers are coded before it is known that they are some.
            let inside = |region: &Region| region.section.is_some() && region.end - at >= 4;
            let Some(region) = self.region(at).filter(inside) else { continue };
            let word = u32_at(self.bytes, at);
            let is_word = region.isa == Isa::Alpha && at.is_multiple_of(4);
            match relocation.kind {
                RelocationKind::HIGHLOW => {
                    let inside = word.wrapping_sub(image.base) < image.size.wrapping_add(FIRST_PAGE);
                    if inside && (is_word || region.isa != Isa::Alpha) {
                        self.pointers.insert(at);
                    }
                }
                RelocationKind::HIGHADJ if is_word && alpha::opcode(word) == LDAH => {
                    self.halves.high.insert(at / 4)
                }
                RelocationKind::LOW if is_word && alpha::has_base(word) => self.halves.low.insert(at / 4),
                _ => {}
            }
        }
        self.rank_halves(image);
    }

    /// Collects the parameters of high halves, in the order of their words.
    fn rank_halves(&mut self, image: &Image) {
        if image.machine != Machine::Alpha {
            return;
        }
        let words = len(self.bytes) / 4;
        let mut count = 0;
        for first in (0..words).step_by(RANK_STEP as usize) {
            self.halves.ranks.push(count);
            count += (first..first.saturating_add(RANK_STEP))
                .step_by(64)
                .map(|word| self.halves.high.window(word).count_ones())
                .sum::<u32>();
        }
        let mut parameters = vec![0; count as usize];
        for relocation in Relocations::of(self.bytes, image) {
            if relocation.kind != RelocationKind::HIGHADJ {
                continue;
            }
            let Some(at) = image.offset(relocation.address).filter(|at| at.is_multiple_of(4)) else {
                continue;
            };
            if let Some(place) = self.halves.rank(at / 4).and_then(|rank| parameters.get_mut(rank as usize)) {
                *place = relocation.parameter;
            }
        }
        self.halves.parameters = parameters;
    }

    /// Finds the low half of each high half, and halves without relocations if the image has none at all.
    fn pair_halves(&mut self, image: &Image) {
        if image.machine != Machine::Alpha {
            return;
        }
        let bare = Relocations::of(self.bytes, image).next().is_none();
        let code: Vec<Region> =
            self.regions.iter().copied().filter(|region| region.isa == Isa::Alpha).collect();
        for region in code {
            let words = || (region.start..region.end.saturating_sub(3)).step_by(4);
            for at in words() {
                let word = u32_at(self.bytes, at);
                let high = if bare {
                    alpha::opcode(word) == LDAH && alpha::rb(word) == alpha::ZERO
                } else {
                    !self.halves.low_relocated && self.halves.high.contains(at / 4)
                };
                let Some(low) = high.then(|| alpha::consumer(self.bytes, at, region.end)).flatten() else {
                    continue;
                };
                if bare {
                    let target = join(u32_at(self.bytes, at), u16_at(self.bytes, low), image.base);
                    if target.0 < FIRST_PAGE || target.0 >= image.size {
                        continue;
                    }
                    self.halves.high.insert(at / 4);
                }
                self.halves.low.insert(low / 4);
            }
            for at in words() {
                let lone = self.halves.low.contains(at / 4)
                    && alpha::producer(self.bytes, at, region.start, &self.halves.high).is_none();
                if lone {
                    self.halves.low.remove(at / 4);
                }
            }
        }
    }

    /// Returns its size.
    #[inline]
    #[must_use]
    pub fn size(&self) -> u32 {
        len(self.bytes)
    }

    /// Finds the region in which a position lies.
    #[inline]
    #[must_use]
    pub fn region(&self, at: u32) -> Option<Region> {
        region_at(&self.regions, at)
    }

    /// Returns the class of the mark over a position; 0 if there is none.
    #[inline]
    #[must_use]
    pub fn class(&self, at: u32) -> u32 {
        let index = self.marks.partition_point(|mark| mark.end <= at);
        self.marks.get(index).filter(|mark| mark.start <= at).map_or(0, |mark| mark.class)
    }

    /// Returns the next position, this one or a later one, where bytes stand that are new in every build; the file's size if
    /// there is none.
    #[must_use]
    pub fn next_unique(&self, at: u32) -> u32 {
        let index = self.marks.partition_point(|mark| mark.end <= at);
        let mut next = self.marks.get(index..).unwrap_or_default().iter();
        next.find(|mark| mark.is_unique()).map_or(self.size(), |mark| mark.start.max(at))
    }

    /// Tells whether a relocated 32-bit address begins at a position.
    #[inline]
    #[must_use]
    pub fn is_pointer(&self, at: u32) -> bool {
        self.pointers.contains(at)
    }

    /// Tells whether low halves have relocations of their own.
    #[must_use]
    pub fn has_low_relocations(&self) -> bool {
        self.halves.low_relocated
    }

    /// Returns the low half that the relocation of the high half at a position states.
    #[must_use]
    pub fn parameter(&self, at: u32) -> Option<u16> {
        let rank = self.halves.rank(at / 4).filter(|_| at.is_multiple_of(4))?;
        self.halves.parameters.get(rank as usize).copied()
    }

    /// Cuts the item at a position of a region.
    #[inline]
    #[must_use]
    pub fn item(&self, at: u32, region: &Region) -> Item {
        let left = region.end.saturating_sub(at);
        match region.isa {
            Isa::Alpha => self.word(at, region, left),
            Isa::I386 => {
                let pointers = self.pointers.window(at);
                if pointers & 1 == 1 && left >= 4 {
                    return Item::POINTER;
                }
                self.instruction(at, region, pointers, left.min(MAX_LEN)).unwrap_or(Item::BYTE)
            }
            Isa::Data => {
                if left < 4 {
                    return Item::BYTE;
                }
                let pointers = self.pointers.window(at);
                if pointers & 1 == 1 {
                    return Item::POINTER;
                }
                let aligned = region.section.is_some() && at.wrapping_sub(region.start).is_multiple_of(4);
                if aligned && pointers & 0b1110 == 0 {
                    let size = self.image.as_ref().map_or(0, |image| image.size);
                    if (FIRST_PAGE..size).contains(&u32_at(self.bytes, at)) {
                        return Item::RVA;
                    }
                }
                Item::BYTE
            }
        }
    }

    fn word(&self, at: u32, region: &Region, left: u32) -> Item {
        if !at.is_multiple_of(4) || left < 4 {
            return Item::BYTE;
        }
        if self.pointers.contains(at) {
            return Item::POINTER;
        }
        let word = u32_at(self.bytes, at);
        let reference = if alpha::format(word) == alpha::Format::Branch {
            self.leads_into_section(region, at, Reference::Branch).then_some(Reference::Branch)
        } else if self.halves.high.contains(at / 4) && alpha::opcode(word) == LDAH {
            Some(Reference::High)
        } else if self.halves.low.contains(at / 4) {
            Some(Reference::Low)
        } else {
            None
        };
        Item::word(word, reference)
    }

    fn instruction(&self, at: u32, region: &Region, pointers: u64, left: u32) -> Option<Item> {
        let bytes = self.bytes.get(at as usize..(at + left) as usize)?;
        let Decoded::Whole(instruction) = decode(bytes) else { return None };
        let mut item = Item::instruction(instruction);
        let mut pointers = pointers & ((1 << instruction.len) - 1);
        while pointers != 0 {
            let place = u8::try_from(pointers.trailing_zeros()).unwrap_or(0);
            pointers &= pointers - 1;
            if !takes_pointer(&instruction, place) {
                return None;
            }
            item.add(Field { at: place, reference: Reference::Absolute });
        }
        if instruction.relative {
            let place = instruction.immediate.at;
            let reference =
                if instruction.immediate.len == 1 { Reference::Relative8 } else { Reference::Relative32 };
            if self.leads_into_section(region, at + u32::from(place), reference) {
                item.add(Field { at: place, reference });
            }
        }
        Some(item)
    }

    /// Tells whether a relative reference leads into the section that it is in.
    #[inline]
    fn leads_into_section(&self, region: &Region, at: u32, reference: Reference) -> bool {
        let section = region.section.and_then(|number| self.image.as_ref()?.sections.get(number));
        section.is_some_and(|section| {
            let here = section.address.plus(at - region.start);
            section.holds(reference.target(self.bytes, at, here, 0))
        })
    }

    /// Returns the target of a reference, of which `at` is the position; `region` is the one it is in.
    #[inline]
    #[must_use]
    pub fn target(&self, at: u32, reference: Reference, region: &Region) -> Rva {
        let Some(image) = &self.image else { return Rva(0) };
        match reference {
            Reference::High => {
                let low = self.parameter(at).or_else(|| {
                    alpha::consumer(self.bytes, at, region.end).map(|consumer| u16_at(self.bytes, consumer))
                });
                join(u32_at(self.bytes, at), low.unwrap_or(0), image.base)
            }
            Reference::Low => {
                let high = alpha::producer(self.bytes, at, region.start, &self.halves.high);
                let high = high.map_or(0, |producer| u32_at(self.bytes, producer));
                join(high, u16_at(self.bytes, at), image.base)
            }
            _ => {
                let here = image.address(at).unwrap_or_default();
                reference.target(self.bytes, at, here, image.base)
            }
        }
    }
}

impl Halves {
    /// Returns how many high halves come before that of a word; none if the word has none.
    fn rank(&self, word: u32) -> Option<u32> {
        if !self.high.contains(word) {
            return None;
        }
        let mut rank = self.ranks.get((word / RANK_STEP) as usize).copied()?;
        let mut at = word / RANK_STEP * RANK_STEP;
        while at + 64 <= word {
            rank += self.high.window(at).count_ones();
            at += 64;
        }
        Some(rank + (self.high.window(at) & ((1 << (word - at)) - 1)).count_ones())
    }
}

/// Tells whether an instruction has a 32-bit field at a place that may hold a pointer.
#[inline]
fn takes_pointer(instruction: &Instruction, place: u8) -> bool {
    let (displacement, immediate) = (instruction.displacement, instruction.immediate);
    place == displacement.at && displacement.len == 4
        || place == immediate.at && immediate.len == 4 && !instruction.relative
}

/// Joins the halves of an address.
fn join(high: u32, low: u16, base: u32) -> Rva {
    let low = i32::from(low.cast_signed()).cast_unsigned();
    Rva((high << 16).wrapping_add(low).wrapping_sub(base))
}
