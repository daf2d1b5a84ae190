//! The tables that data directories point to: imports, exports, debug records, base relocations.
//!
//! Each function gets the RVA at which its table will lie and returns the table's bytes; sizes do not depend
//! on where that is.

use crate::bytes::{Bytes, count};
use crate::program::Import;

/// A base relocation; the field's RVA and what the loader adds to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Relocation {
    pub(crate) rva: u32,
    pub(crate) kind: RelocationKind,
}

/// The kinds of base relocation that sample images have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RelocationKind {
    /// Four bytes hold an address.
    HighLow,
    /// The upper half of an address whose lower half, given here, is added with its sign.
    HighAdjusted { low: u16 },
    /// The lower half of an address.
    Low,
}

/// The base relocation table; `relocations` in ascending order of RVA.
pub(crate) fn relocations(relocations: &[Relocation]) -> Bytes {
    let mut table = Bytes::new();
    for page in relocations.chunk_by(|a, b| a.rva & !0xfff == b.rva & !0xfff) {
        let Some(first) = page.first() else { continue };
        let start = table.len();
        table.u32(first.rva & !0xfff);
        table.u32(0);
        for relocation in page {
            let offset = u16::try_from(relocation.rva & 0xfff).expect("twelve bits");
            match relocation.kind {
                RelocationKind::HighLow => table.u16(3 << 12 | offset),
                RelocationKind::Low => table.u16(2 << 12 | offset),
                RelocationKind::HighAdjusted { low } => {
                    table.u16(4 << 12 | offset);
                    table.u16(low);
                }
            }
        }
        table.align(4);
        table.set_u32(start + 4, table.len() - start);
    }
    table
}

/// The size of the import address table: a slot for each import and a zero behind each library's.
pub(crate) fn import_addresses_size(imports: &[Import]) -> u32 {
    (count(imports) + libraries(imports)) * 4
}

fn libraries(imports: &[Import]) -> u32 {
    let libraries = imports.chunk_by(|a, b| a.library == b.library).count();
    u32::try_from(libraries).expect("a handful of libraries")
}

/// The imports' parts of a section.
#[derive(Debug, Clone)]
pub(crate) struct Imports {
    /// The import address table as it is in the file: the RVAs of the names.
    pub(crate) addresses: Bytes,
    /// Descriptors, name tables and names.
    pub(crate) table: Bytes,
    /// The size of the descriptors, which come first.
    pub(crate) descriptors: u32,
}

/// The import table, to lie at `rva`, for an address table at `addresses_rva`.
pub(crate) fn imports(imports: &[Import], rva: u32, addresses_rva: u32) -> Imports {
    let groups = || imports.chunk_by(|a, b| a.library == b.library);
    let descriptors = (libraries(imports) + 1) * 20;
    let slots = import_addresses_size(imports);

    let mut names = Bytes::new();
    let names_rva = rva + descriptors + slots;
    let mut lookups = Bytes::new();
    let mut table = Bytes::new();
    for group in groups() {
        let first = lookups.len();
        for import in group {
            lookups.u32(names_rva + names.len());
            names.u16(0); // hint
            names.put_z(import.name.as_bytes());
            names.align(2);
        }
        lookups.u32(0);
        let library = names_rva + names.len();
        names.put_z(group.first().map_or(b"", |import| import.library.as_bytes()));
        names.align(2);
        for field in [rva + descriptors + first, 0, 0, library, addresses_rva + first] {
            table.u32(field);
        }
    }
    table.zeros_to(descriptors);
    table.put(lookups.as_slice());
    table.put(names.as_slice());
    Imports { addresses: lookups, table, descriptors }
}

/// The export table, to lie at `rva`; `exports` sorted by name, each with the RVA of its function.
pub(crate) fn exports(image: &str, exports: &[(String, u32)], time_stamp: u32, rva: u32) -> Bytes {
    let number = count(exports);
    let functions = 40;
    let names = functions + number * 4;
    let ordinals = names + number * 4;
    let strings = ordinals + number * 2;
    let mut text = Bytes::new();
    text.put_z(image.as_bytes());
    let mut pointers = Vec::new();
    for (name, _) in exports {
        pointers.push(rva + strings + text.len());
        text.put_z(name.as_bytes());
    }
    let mut table = Bytes::new();
    let fields =
        [0, time_stamp, 0, rva + strings, 1, number, number, rva + functions, rva + names, rva + ordinals];
    fields.into_iter().for_each(|field| table.u32(field));
    exports.iter().for_each(|(_, function)| table.u32(*function));
    pointers.into_iter().for_each(|pointer| table.u32(pointer));
    (0..).zip(exports).for_each(|(ordinal, _)| table.u16(ordinal));
    table.put(text.as_slice());
    table
}

/// The size of one debug directory entry.
pub(crate) const DEBUG_ENTRY: u32 = 28;

/// The size of an `IMAGE_DEBUG_MISC` record.
const MISC: u32 = 0x110;

/// The debug records that lie behind the sections, and their directory.
#[derive(Debug, Clone)]
pub(crate) struct Debug {
    pub(crate) directory: Bytes,
    pub(crate) records: Bytes,
}

/// Debug records of exactly `size` bytes, to lie at `offset` in the file, as linkers of the time left them:
/// the name of the symbol file and, before it, frame records where there is room.
pub(crate) fn debug(
    symbol_file: &str,
    frames: &[(u32, u32)],
    size: u32,
    offset: u32,
    time_stamp: u32,
) -> Debug {
    let mut directory = Bytes::new();
    let mut records = Bytes::new();
    let frame_bytes = size.saturating_sub(MISC) / 16 * 16;
    let mut entry = |kind: u32, size: u32, offset: u32| {
        for field in [0, time_stamp, 0, kind, size, 0, offset] {
            directory.u32(field);
        }
    };
    if size >= MISC {
        if frame_bytes > 0 {
            entry(3, frame_bytes, offset); // IMAGE_DEBUG_TYPE_FPO
            for (start, length) in frames.iter().cycle() {
                if records.len() == frame_bytes {
                    break;
                }
                records.u32(*start);
                records.u32(*length);
                records.u32(0);
                records.u32(0);
            }
        }
        entry(4, MISC, offset + records.len()); // IMAGE_DEBUG_TYPE_MISC
        let start = records.len();
        records.u32(1); // ExeName
        records.u32(MISC);
        records.u32(0); // not Unicode; reserved
        records.put_z(symbol_file.as_bytes());
        records.zeros_to(start + MISC);
    }
    records.zeros_to(size);
    Debug { directory, records }
}

/// How many entries the directory of [`debug`] has for records of `size` bytes.
pub(crate) fn debug_entries(size: u32) -> u32 {
    match size.checked_sub(MISC) {
        None => 0,
        Some(0..16) => 1,
        Some(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relocations_go_into_a_block_for_each_page() {
        let table = relocations(&[
            Relocation { rva: 0x1004, kind: RelocationKind::HighAdjusted { low: 0x8765 } },
            Relocation { rva: 0x100c, kind: RelocationKind::Low },
            Relocation { rva: 0x2ffc, kind: RelocationKind::HighLow },
        ]);
        #[rustfmt::skip]
        assert_eq!(table.as_slice(), [
            0x00, 0x10, 0, 0, 16, 0, 0, 0, 0x04, 0x40, 0x65, 0x87, 0x0c, 0x20, 0, 0,
            0x00, 0x20, 0, 0, 12, 0, 0, 0, 0xfc, 0x3f, 0, 0,
        ]);
    }

    #[test]
    fn debug_records_have_the_size_asked_for() {
        for (size, entries) in [(0, 0), (100, 0), (272, 1), (300, 2), (368, 2)] {
            let debug = debug("release\\sample.dbg", &[(0x1000, 64), (0x1040, 16)], size, 0x4000, 1);
            assert_eq!(debug.records.len(), size);
            assert_eq!(debug.directory.len(), entries * DEBUG_ENTRY);
            assert_eq!(debug_entries(size), entries);
        }
    }
}
