//! Base relocations: reading a table and writing one as linkers do.
//!
//! ```text
//! block   4  address of a page     each entry   2  kind << 12 | offset in the page
//!         4  size of the block                 (2  parameter, after kind 4 only)
//!       ...  entries, padded to a multiple of four bytes by one of kind 0
//! ```

use super::{Image, Rva};
use crate::bytes::{put_u16, put_u32, u16_at, u32_at};

/// The kind of a relocation; those without a name here are carried as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelocationKind(pub u8);

impl RelocationKind {
    /// Padding.
    pub const PAD: Self = Self(0);
    /// The low half of a 32-bit address.
    pub const LOW: Self = Self(2);
    /// A 32-bit address.
    pub const HIGHLOW: Self = Self(3);
    /// The high half, rounded for a signed low half, which follows as the parameter.
    pub const HIGHADJ: Self = Self(4);
}

/// One relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relocation {
    /// What is relocated.
    pub address: Rva,
    /// How.
    pub kind: RelocationKind,
    /// The low half that belongs to a [`RelocationKind::HIGHADJ`]; 0 for all others.
    pub parameter: u16,
}

/// The relocations of a table, in its order; ends where the table is damaged.
#[derive(Clone, Debug)]
pub struct Relocations<'a> {
    table: &'a [u8],
    page: Rva,
    at: u32,
    block_end: u32,
}

impl<'a> Relocations<'a> {
    /// Reads the table of an image.
    #[must_use]
    pub fn of(file: &'a [u8], image: &Image) -> Self {
        let start = image.offset(image.relocations.address);
        let table = start.and_then(|start| file.get(start as usize..)).unwrap_or_default();
        let size = table.len().min(image.relocations.size as usize);
        Self { table: table.get(..size).unwrap_or_default(), page: Rva(0), at: 0, block_end: 0 }
    }

    fn next_block(&mut self) -> Option<()> {
        let rest = self.table.get(self.block_end as usize..)?;
        let size = u32_at(rest, 4);
        if rest.len() < 8 || size < 8 || size as usize > rest.len() {
            return None;
        }
        self.page = Rva(u32_at(rest, 0));
        self.at = self.block_end + 8;
        self.block_end += size;
        Some(())
    }
}

impl Iterator for Relocations<'_> {
    type Item = Relocation;

    fn next(&mut self) -> Option<Relocation> {
        loop {
            while self.at + 2 > self.block_end {
                self.next_block()?;
            }
            let entry = u16_at(self.table, self.at);
            self.at += 2;
            let [kind, _] = (entry >> 12).to_le_bytes();
            let kind = RelocationKind(kind);
            if kind == RelocationKind::PAD {
                continue;
            }
            let mut parameter = 0;
            if kind == RelocationKind::HIGHADJ && self.at + 2 <= self.block_end {
                parameter = u16_at(self.table, self.at);
                self.at += 2;
            }
            return Some(Relocation { address: self.page.plus(u32::from(entry & 0xfff)), kind, parameter });
        }
    }
}

/// Writes a table into a file, relocation by relocation.
#[derive(Debug)]
pub struct RelocationWriter {
    /// Where the open block begins.
    block: u32,
    at: u32,
    page: Option<Rva>,
}

impl RelocationWriter {
    /// Begins a table at an offset of the file.
    #[must_use]
    pub fn new(offset: u32) -> Self {
        Self { block: offset, at: offset, page: None }
    }

    /// Appends a relocation; they come in ascending order of address.
    pub fn push(&mut self, file: &mut [u8], relocation: Relocation) {
        let page = Rva(relocation.address.0 & !0xfff);
        if self.page != Some(page) {
            self.close(file);
            self.page = Some(page);
            put_u32(file, self.at, page.0);
            self.at = self.at.saturating_add(8);
        }
        let entry = u32::from(relocation.kind.0) << 12 | relocation.address.minus(page);
        self.put(file, u16::try_from(entry & 0xffff).unwrap_or(0));
        if relocation.kind == RelocationKind::HIGHADJ {
            self.put(file, relocation.parameter);
        }
    }

    /// Pads the open block and writes its size; returns the end of what was written.
    pub fn close(&mut self, file: &mut [u8]) -> u32 {
        if self.page.take().is_some() {
            if !self.at.wrapping_sub(self.block).is_multiple_of(4) {
                self.put(file, 0);
            }
            put_u32(file, self.block.saturating_add(4), self.at.wrapping_sub(self.block));
        }
        self.block = self.at;
        self.at
    }

    fn put(&mut self, file: &mut [u8], entry: u16) {
        put_u16(file, self.at, entry);
        self.at = self.at.saturating_add(2);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Directory, Machine};
    use super::*;

    fn image(size: u32) -> Image {
        Image {
            machine: Machine::Alpha,
            base: 0x1000_0000,
            size: 0x1_0000,
            headers: 0x1000,
            time_stamp: 0,
            header_at: 0,
            sections: Vec::new(),
            relocations: Directory { address: Rva(0), size },
            functions: Directory::default(),
        }
    }

    fn relocation(address: u32, kind: RelocationKind, parameter: u16) -> Relocation {
        Relocation { address: Rva(address), kind, parameter }
    }

    #[test]
    fn a_table_that_is_written_is_read_back() {
        let all = [
            relocation(0x1004, RelocationKind::HIGHLOW, 0),
            relocation(0x1ffc, RelocationKind::HIGHADJ, 0x8001),
            relocation(0x5000, RelocationKind::LOW, 0),
            relocation(0x5004, RelocationKind(10), 0),
        ];
        let mut file = [0xee; 64];
        let mut writer = RelocationWriter::new(0);
        for relocation in all {
            writer.push(&mut file, relocation);
        }
        let end = writer.close(&mut file);
        let wanted = [
            0, 0x10, 0, 0, 16, 0, 0, 0, 0x04, 0x30, 0xfc, 0x4f, 0x01, 0x80, 0,
            0, // the first page, padded
            0, 0x50, 0, 0, 12, 0, 0, 0, 0x00, 0x20, 0x04, 0xa0,
        ];
        assert_eq!(file[..end as usize], wanted);
        assert_eq!(Relocations::of(&file, &image(end)).collect::<Vec<_>>(), all);
    }

    #[test]
    fn a_damaged_table_ends_where_it_is_damaged() {
        let table =
            |size: u8| [0, 0x10, 0, 0, 10, 0, 0, 0, 0x04, 0x30, 0, 0x20, 0, 0, size, 0, 0, 0, 0x04, 0x30];
        for (size, found) in [(10, 2), (11, 1), (7, 1), (0, 1), (9, 1)] {
            let table = table(size);
            assert_eq!(Relocations::of(&table, &image(20)).count(), found, "second block of {size} bytes");
        }
        assert_eq!(Relocations::of(&table(10), &image(9)).count(), 0);
        assert_eq!(Relocations::of(&[], &image(20)).count(), 0);
    }
}
