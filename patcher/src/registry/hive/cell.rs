//! The cells of a hive: each kind is read once its fixed part is known to be there.

use std::cmp::Ordering;
use std::ops::Range;

use super::{BASE, Hive, NONE, damaged, word};
use crate::registry::{Result, fold_unit};

/// Size of what is fixed in a key, and in a value.
pub(super) const KEY_SIZE: usize = 76;
pub(super) const VALUE_SIZE: usize = 20;

/// The contents of a cell that is in use.
#[derive(Clone, Copy)]
pub(super) struct Cell<'h> {
    pub(super) bytes: &'h [u8],
}

impl<'h> Cell<'h> {
    /// Returns a word of the fixed part.
    pub(super) fn word(self, at: usize) -> u32 {
        word(self.bytes, at).unwrap_or_default()
    }

    /// Returns half a word of the fixed part.
    pub(super) fn half(self, at: usize) -> u16 {
        let bytes = self.bytes.get(at..).and_then(|bytes| bytes.first_chunk());
        bytes.copied().map(u16::from_le_bytes).unwrap_or_default()
    }

    /// Returns `count` words that stand `width` bytes apart.
    pub(super) fn words(self, at: usize, count: usize, width: usize) -> Vec<u32> {
        (0..count).map(|number| self.word(at + width * number)).collect()
    }

    /// Returns the name of a key or value.
    pub(super) fn name(self) -> Name<'h> {
        let (at, length, is_latin) = if self.bytes.starts_with(b"nk") {
            (KEY_SIZE, self.half(72), self.half(2) & 0x20 != 0)
        } else {
            (VALUE_SIZE, self.half(2), self.half(16) & 1 != 0)
        };
        Name { bytes: self.bytes.get(at..at + usize::from(length)).unwrap_or_default(), is_latin }
    }
}

/// The name of a key or value.
#[derive(Clone, Copy)]
pub(super) struct Name<'h> {
    bytes: &'h [u8],
    is_latin: bool,
}

impl<'h> Name<'h> {
    /// Returns one of its units as they are compared.
    fn unit(self, at: usize) -> Option<u16> {
        if self.is_latin {
            return self.bytes.get(at).map(|byte| fold_unit(u16::from(*byte)));
        }
        let pair = self.bytes.get(2 * at..)?.first_chunk()?;
        Some(fold_unit(u16::from_le_bytes(*pair)))
    }

    /// Returns it as it is compared.
    pub(super) fn folded(self) -> impl Iterator<Item = u16> + 'h {
        (0..).map_while(move |at| self.unit(at))
    }

    /// Compares it with one that is folded.
    pub(super) fn compare(self, name: &[u16]) -> Ordering {
        self.folded().cmp(name.iter().copied())
    }

    pub(super) fn is(self, name: &[u16]) -> bool {
        self.compare(name).is_eq()
    }
}

/// A list of keys, or of such lists.
#[derive(Clone, Copy)]
pub(super) struct List<'h> {
    pub(super) cell: Cell<'h>,
    /// How many bytes one of its entries takes, which begins with a cell.
    pub(super) width: usize,
    pub(super) count: usize,
}

impl List<'_> {
    pub(super) fn is_of_lists(self) -> bool {
        self.cell.bytes.starts_with(b"ri")
    }

    pub(super) fn has_hashes(self) -> bool {
        self.cell.bytes.starts_with(b"lh")
    }

    pub(super) fn entries(self) -> Vec<u32> {
        self.cell.words(4, self.count, self.width)
    }
}

impl Hive {
    pub(super) fn key(&self, at: u32) -> Result<Cell<'_>> {
        self.named(at, "nk", KEY_SIZE)
    }

    pub(super) fn value_cell(&self, at: u32) -> Result<Cell<'_>> {
        self.named(at, "vk", VALUE_SIZE)
    }

    /// Returns a cell with a signature, a fixed part and a whole name.
    fn named(&self, at: u32, signature: &'static str, size: usize) -> Result<Cell<'_>> {
        let cell = self.cell(at, signature, size)?;
        let length = usize::from(cell.half(if signature == "nk" { 72 } else { 2 }));
        if cell.bytes.starts_with(signature.as_bytes()) && cell.bytes.len() >= size + length {
            return Ok(cell);
        }
        Err(damaged(at, signature))
    }

    /// Returns a list of keys or lists.
    pub(super) fn list(&self, at: u32) -> Result<List<'_>> {
        const WANTED: &str = "a whole list: lf, lh, li or ri";
        let cell = self.cell(at, WANTED, 4)?;
        let width = match cell.bytes.first_chunk() {
            Some(b"lf" | b"lh") => 8,
            Some(b"li" | b"ri") => 4,
            _ => return Err(damaged(at, WANTED)),
        };
        let count = usize::from(cell.half(2));
        self.cell(at, WANTED, 4 + width * count)?;
        Ok(List { cell, width, count })
    }

    /// Returns a cell in use with so many bytes.
    pub(super) fn cell(&self, at: u32, wanted: &'static str, size: usize) -> Result<Cell<'_>> {
        let bytes = self.range(at).and_then(|range| self.bytes.get(range));
        let bytes = bytes.filter(|bytes| bytes.len() >= size);
        bytes.map(|bytes| Cell { bytes }).ok_or_else(|| damaged(at, wanted))
    }

    /// Returns where the contents of a cell in use stand.
    pub(super) fn range(&self, cell: u32) -> Option<Range<usize>> {
        let start = usize::try_from(cell).ok()?.checked_add(BASE)?;
        let size = word(self.bytes.get(..self.end)?, start)?;
        let size = usize::try_from(size.wrapping_neg()).ok().filter(|_| size & 0x8000_0000 != 0)?;
        let end = start.checked_add(size)?;
        (size >= 8 && end <= self.end).then_some(start + 4..end)
    }

    /// Finds the first free cell of a size, and its size; checks all bins and cells up to it.
    pub(super) fn free_cell(&self, wanted: usize) -> Result<Option<(usize, usize)>> {
        let size_at = |at| word(&self.bytes, at).unwrap_or_default();
        let mut bin = BASE;
        while bin < self.end {
            let size = usize::try_from(size_at(bin + 8)).unwrap_or(usize::MAX);
            if self.bytes.get(bin..bin + 4) != Some(b"hbin")
                || size_at(bin + 4) != offset(bin)
                || size < 4096
                || size % 4096 != 0
                || size > self.end - bin
            {
                return Err(damaged(
                    offset(bin),
                    "hbin, this offset, and a size of whole 4096 bytes within the file",
                ));
            }
            let mut at = bin + 32;
            bin += size;
            while at < bin {
                let size = size_at(at);
                let is_free = size & 0x8000_0000 == 0;
                let size = if is_free { size } else { size.wrapping_neg() };
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                if size < 8 || size % 8 != 0 || size > bin - at {
                    return Err(damaged(offset(at), "a cell within its bin"));
                }
                if is_free && size >= wanted {
                    return Ok(Some((at, size)));
                }
                at += size;
            }
        }
        Ok(None)
    }
}

/// Returns the offset that a place in the file has.
pub(super) fn offset(place: usize) -> u32 {
    u32::try_from(place.saturating_sub(BASE)).unwrap_or(NONE)
}
