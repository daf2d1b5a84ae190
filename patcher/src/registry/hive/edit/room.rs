//! Room in a hive: cells are taken, written and given back.
//!
//! A write that misses its cell is remembered, and spoils the edit at its end: cells of a damaged hive may overlap.

use super::super::cell::offset;
use super::super::{BASE, NONE};
use super::{Edit, count, full};
use crate::registry::Result;

/// Most bytes in all bins.
const MAX_BINS: usize = 0x7fff_f000;

impl Edit {
    /// Replaces the contents of a cell: there if they fit, else in another one. None without contents, which is freed.
    pub(super) fn store(&mut self, old: u32, contents: &[u8]) -> Result<u32> {
        let room = if old == NONE { 0 } else { self.hive.cell(old, "a cell in use", 0)?.bytes.len() };
        let cell = if contents.is_empty() {
            NONE
        } else if contents.len() <= room {
            self.put(old, contents.len(), &vec![0; room - contents.len()]);
            old
        } else {
            self.allocate(contents.len())?
        };
        if cell != NONE {
            self.put(cell, 0, contents);
        }
        if old != NONE && cell != old {
            self.free(old);
        }
        Ok(cell)
    }

    /// Takes a cell of zeros, from a free one or a new bin.
    fn allocate(&mut self, length: usize) -> Result<u32> {
        let size = (length + 4).next_multiple_of(8);
        let (at, found) = match self.hive.free_cell(size)? {
            Some(found) => found,
            None => self.add_bin(size)?,
        };
        if let Some(cell) = self.hive.bytes.get_mut(at..at + size) {
            cell.fill(0);
        }
        self.put_size(at, size, true);
        if found > size {
            self.put_size(at + size, found - size, false);
        }
        Ok(offset(at))
    }

    /// Adds a bin with one free cell, whose place and size are returned. What stands behind the bins belongs to none and
    /// goes.
    fn add_bin(&mut self, cell: usize) -> Result<(usize, usize)> {
        let bin = self.hive.end;
        let size = (cell + 32).next_multiple_of(4096);
        self.hive.end += size;
        if self.hive.end - BASE > MAX_BINS {
            return Err(full("the bins of a hive", self.hive.end - BASE, MAX_BINS));
        }
        self.hive.bytes.truncate(bin);
        self.hive.bytes.resize(self.hive.end, 0);
        self.put_place(bin, &[*b"hbin", offset(bin).to_le_bytes(), count(size)].concat());
        self.put_size(bin + 32, size - 32, false);
        Ok((bin + 32, size - 32))
    }

    /// Gives a cell back, with its contents as they are, as Windows does.
    pub(super) fn free(&mut self, cell: u32) {
        match self.hive.range(cell) {
            Some(range) => self.put_size(range.start - 4, range.len() + 4, false),
            None => self.missed = Some(cell),
        }
    }

    fn put_size(&mut self, at: usize, size: usize, is_used: bool) {
        let size = u32::from_le_bytes(count(size));
        let size = if is_used { size.wrapping_neg() } else { size };
        self.put_place(at, &size.to_le_bytes());
    }

    /// Writes into a cell in use.
    pub(super) fn put(&mut self, cell: u32, at: usize, bytes: &[u8]) {
        match self.hive.range(cell).filter(|range| at + bytes.len() <= range.len()) {
            Some(range) => self.put_place(range.start + at, bytes),
            None => self.missed = Some(cell),
        }
    }

    pub(super) fn put_place(&mut self, at: usize, bytes: &[u8]) {
        match self.hive.bytes.get_mut(at..at + bytes.len()) {
            Some(place) => place.copy_from_slice(bytes),
            None => self.missed = Some(offset(at)),
        }
    }
}
