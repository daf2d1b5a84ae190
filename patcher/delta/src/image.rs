//! PE images: where their sections lie, and what the linker wrote that can be written again.
//!
//! Reads what the codec needs of a 32-bit image (PE32): headers, section table, the directories of base relocations
//! and of Alpha's function table. Only bytes within `SizeOfHeaders` count, since a decoder knows no more when it cuts
//! the new file into regions. An image that does not hold what its headers say (sections that overlap each other or
//! the headers) is no image to this codec; its file is coded as plain bytes.
//!
//! Sources: Microsoft PE/COFF specification ("Optional Header", "Section Table", "The .reloc Section").

mod marks;
mod relocations;
pub mod rich;

pub(crate) use marks::FIRST_OUTSIDE_HEADERS;
pub use marks::{Mark, marks};
pub use relocations::{Relocation, RelocationKind, RelocationWriter, Relocations};

use crate::bytes::{len, try_u32, u16_at, u32_at};

/// An address relative to where the image is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rva(pub u32);

impl Rva {
    /// Returns the address `distance` bytes on, around the end of the address space.
    #[inline]
    #[must_use]
    pub fn plus(self, distance: u32) -> Self {
        Self(self.0.wrapping_add(distance))
    }

    /// Returns how far this address is behind `start`, around the end of the address space.
    #[inline]
    #[must_use]
    pub fn minus(self, start: Self) -> u32 {
        self.0.wrapping_sub(start.0)
    }
}

/// The processors whose instructions are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// Intel 386 and later, 32 bits.
    I386,
    /// Digital Alpha, 32-bit addresses.
    Alpha,
    /// Any other: only its data is understood.
    Other,
}

/// A section that has bytes in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Where it is loaded.
    pub address: Rva,
    /// Its size in memory; that in the file if the headers say 0.
    pub virtual_size: u32,
    /// Where it begins in the file.
    pub offset: u32,
    /// Its size in the file, not beyond the file's end.
    pub size: u32,
    /// Whether it holds code.
    pub code: bool,
}

impl Section {
    /// Tells whether an address lies in the section's bytes or in the zeros behind them.
    #[inline]
    #[must_use]
    pub fn holds(&self, address: Rva) -> bool {
        address.minus(self.address) < self.size.max(self.virtual_size)
    }

    /// Tells whether the section's bytes begin before `offset` and end behind it.
    #[inline]
    #[must_use]
    pub fn spans(&self, offset: u32) -> bool {
        offset.wrapping_sub(self.offset) < self.size
    }

    /// Returns the end of its bytes in the file.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.offset.saturating_add(self.size)
    }
}

/// A data directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Where it lies.
    pub address: Rva,
    /// How long it is.
    pub size: u32,
}

/// The headers of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The processor.
    pub machine: Machine,
    /// Where the image wants to be loaded.
    pub base: u32,
    /// Its size in memory.
    pub size: u32,
    /// The size of the headers in the file.
    pub headers: u32,
    /// When it was linked.
    pub time_stamp: u32,
    /// Where the PE header begins.
    pub header_at: u32,
    /// In ascending order of offset, none overlapping.
    pub sections: Vec<Section>,
    /// The base relocations.
    pub relocations: Directory,
    /// Alpha's table of functions.
    pub functions: Directory,
}

/// Characteristics of sections that hold code: `IMAGE_SCN_CNT_CODE` and `IMAGE_SCN_MEM_EXECUTE`.
const CODE: u32 = 0x2000_0020;
/// More sections than the loader takes.
const MAX_SECTIONS: u32 = 96;
/// Where the optional header begins behind the PE header.
const OPTIONAL: u32 = 24;

impl Image {
    /// Reads the headers of a file of `size` bytes, of which `bytes` are the first; none if it is no image.
    #[must_use]
    pub fn read(bytes: &[u8], size: u32) -> Option<Self> {
        if !bytes.starts_with(b"MZ") {
            return None;
        }
        let header_at = try_u32(bytes, 0x3c).filter(|at| *at < size && *at < 1 << 30)?;
        let headers = try_u32(bytes, header_at + 84)?.min(size);
        let bytes = bytes.get(..headers as usize)?;
        if u32_at(bytes, header_at) != 0x4550 || u16_at(bytes, header_at + OPTIONAL) != 0x10b {
            return None;
        }
        let field = |at: u32| try_u32(bytes, header_at + at);
        let machine = match u16_at(bytes, header_at + 4) {
            0x14c => Machine::I386,
            0x184 => Machine::Alpha,
            _ => Machine::Other,
        };
        let directories = field(OPTIONAL + 92)?;
        let directory = |number: u32| {
            let at = OPTIONAL + 96 + 8 * number;
            let directory = || Some(Directory { address: Rva(field(at)?), size: field(at + 4)? });
            if number < directories { directory().unwrap_or_default() } else { Directory::default() }
        };
        let table = header_at + OPTIONAL + u32::from(u16_at(bytes, header_at + 20));
        let count = u32::from(u16_at(bytes, header_at + 6));
        if count > MAX_SECTIONS || table + count * 40 > headers {
            return None;
        }
        let section = |number: u32| section(bytes, table + number * 40, size);
        let mut sections: Vec<Section> = (0..count).filter_map(section).collect();
        sections.sort_by_key(|section| section.offset);
        let mut end = headers;
        for section in &sections {
            if section.offset < end {
                return None;
            }
            end = section.end();
        }
        Some(Self {
            machine,
            base: field(52)?,
            size: field(80)?,
            headers,
            time_stamp: field(8)?,
            header_at,
            sections,
            relocations: directory(5),
            functions: directory(3),
        })
    }

    /// Returns where the `CheckSum` field lies.
    #[must_use]
    pub fn checksum_at(&self) -> u32 {
        self.header_at + 88
    }

    /// Returns where the byte at an address lies in the file, if it does.
    #[inline]
    #[must_use]
    pub fn offset(&self, address: Rva) -> Option<u32> {
        let holds = |section: &&Section| address.minus(section.address) < section.size;
        match self.sections.iter().find(holds) {
            Some(section) => Some(section.offset + address.minus(section.address)),
            None => (address.0 < self.headers).then_some(address.0),
        }
    }

    /// Returns the address of a byte of the file, if it is loaded.
    #[inline]
    #[must_use]
    pub fn address(&self, offset: u32) -> Option<Rva> {
        match self.sections.iter().find(|section| section.spans(offset)) {
            Some(section) => Some(section.address.plus(offset - section.offset)),
            None => (offset < self.headers).then_some(Rva(offset)),
        }
    }

    /// Returns the number of the section in which an address lies.
    #[inline]
    #[must_use]
    pub fn section_of(&self, address: Rva) -> Option<usize> {
        self.sections.iter().position(|section| section.holds(address))
    }
}

/// Reads a section header; none if the section has no bytes in the file.
fn section(bytes: &[u8], at: u32, file: u32) -> Option<Section> {
    let field = |offset: u32| u32_at(bytes, at + offset);
    let (virtual_size, address, size, offset) = (field(8), Rva(field(12)), field(16), field(20));
    if size == 0 || offset >= file {
        return None;
    }
    let size = size.min(file - offset);
    let virtual_size = if virtual_size == 0 { size } else { virtual_size };
    Some(Section { address, virtual_size, offset, size, code: field(36) & CODE != 0 })
}

/// Computes the checksum of an image whose `CheckSum` field is at `field`: 16-bit words added with carry, without the
/// field itself, and the length.
#[must_use]
pub fn checksum(file: &[u8], field: u32) -> u32 {
    // Without carry first: 2^30 words of 16 bits fit easily.
    let mut sum = 0_u64;
    for pair in file.chunks(2) {
        sum += match pair {
            [low, high] => u64::from(u16::from_le_bytes([*low, *high])),
            [low] => u64::from(*low),
            _ => 0,
        };
    }
    for half in [field, field.saturating_add(2)] {
        sum = sum.saturating_sub(u64::from(u16_at(file, half)));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u32::try_from(sum).unwrap_or(0).wrapping_add(len(file))
}
