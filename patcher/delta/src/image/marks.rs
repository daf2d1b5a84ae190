//! Places of an image whose meaning is known: what stands there changes by rules of its own.
//!
//! A mark only gives a name, a *class*, to a range of the old file; the model learns what happens in each class. A mark
//! in a wrong place costs a few bits.

use std::ops::Range;

use super::{Image, OPTIONAL, Rva};
use crate::bytes::{len, u16_at, u32_at};

/// A range with a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Its first byte.
    pub start: u32,
    /// The byte behind its last.
    pub end: u32,
    /// What it is.
    pub class: u32,
}

impl Mark {
    /// Tells whether what stands there is new in every build.
    pub(crate) fn is_unique(&self) -> bool {
        matches!(self.class, GUID | BUILD_HASH)
    }
}

/// 16-bit words of the PE header: this, plus the number of the word up to 125.
const HEADER: u32 = 1;
/// 32-bit words of section headers: this, plus the number of the word.
const SECTION: u32 = 128;
/// The first class outside the headers: those get weights of their own.
pub(crate) const FIRST_OUTSIDE_HEADERS: u32 = TIME_STAMP;
/// Copies of the time stamp, or what linkers of today put there.
const TIME_STAMP: u32 = 140;
/// `SizeOfData` of a debug directory entry.
const DEBUG_SIZE: u32 = 141;
/// `AddressOfRawData` and `PointerToRawData` of one.
const DEBUG_PLACE: u32 = 142;
/// The GUID of a CodeView record.
const GUID: u32 = 143;
/// The age of a CodeView record.
const AGE: u32 = 144;
/// The name of the program database.
const DATABASE: u32 = 145;
/// The hash of a reproducible build.
const BUILD_HASH: u32 = 146;
/// File and product version of a version resource.
const VERSION: u32 = 150;
/// The file's date in one.
const VERSION_DATE: u32 = 151;
/// The strings of one.
const VERSION_STRINGS: u32 = 152;

/// `IMAGE_DEBUG_TYPE_CODEVIEW`.
const CODEVIEW: u32 = 2;
/// `IMAGE_DEBUG_TYPE_REPRO`.
const REPRO: u32 = 16;
/// `RSDS`: a CodeView record with a GUID.
const RSDS: u32 = 0x5344_5352;
/// The signature of `VS_FIXEDFILEINFO`.
const FIXED_FILE_INFO: [u8; 4] = [0xbd, 0x04, 0xef, 0xfe];
/// Where the strings of a version resource are taken to end.
const STRINGS_END: u32 = 1500;

/// Finds the marks of an image, in order and disjoint.
#[must_use]
pub fn marks(file: &[u8], image: &Image) -> Vec<Mark> {
    let mut marks = Vec::new();
    headers(&mut marks, file, image);
    debug_directory(&mut marks, file, image);
    if let Some((exports, _)) = directory(file, image, 0) {
        add(&mut marks, exports, 4..8, TIME_STAMP);
    }
    version_resource(&mut marks, file, image);
    marks.retain(|mark| mark.start < mark.end && mark.end <= len(file));
    marks.sort_unstable();
    let mut end = 0;
    marks.retain(|mark| {
        let free = mark.start >= end;
        if free {
            end = mark.end;
        }
        free
    });
    marks
}

fn add(marks: &mut Vec<Mark>, at: u32, range: Range<u32>, class: u32) {
    marks.push(Mark { start: at.saturating_add(range.start), end: at.saturating_add(range.end), class });
}

/// Returns where a directory lies in the file, and its size.
fn directory(file: &[u8], image: &Image, number: u32) -> Option<(u32, u32)> {
    let at = image.header_at + OPTIONAL + 96 + 8 * number;
    let address = u32_at(file, at);
    if address == 0 {
        return None;
    }
    Some((image.offset(Rva(address))?, u32_at(file, at + 4)))
}

fn headers(marks: &mut Vec<Mark>, file: &[u8], image: &Image) {
    let at = image.header_at;
    let optional = u32::from(u16_at(file, at + 20));
    for word in 0..(OPTIONAL + optional) / 2 {
        add(marks, at, 2 * word..2 * word + 2, HEADER + word.min(125));
    }
    let table = at + OPTIONAL + optional;
    for section in 0..u32::from(u16_at(file, at + 6)) {
        for word in 0..10 {
            add(marks, table + 40 * section, 4 * word..4 * word + 4, SECTION + word);
        }
    }
}

fn debug_directory(marks: &mut Vec<Mark>, file: &[u8], image: &Image) {
    let Some((start, size)) = directory(file, image, 6) else { return };
    for entry in 0..(size / 28).min(8) {
        let at = start.saturating_add(28 * entry);
        add(marks, at, 4..8, TIME_STAMP);
        add(marks, at, 16..20, DEBUG_SIZE);
        add(marks, at, 20..28, DEBUG_PLACE);
        let field = |offset: u32| u32_at(file, at.saturating_add(offset));
        let (kind, record_size, record) = (field(12), field(16), field(24));
        match kind {
            CODEVIEW if u32_at(file, record) == RSDS => {
                add(marks, record, 4..20, GUID);
                add(marks, record, 20..24, AGE);
                add(marks, record, 24..record_size, DATABASE);
            }
            CODEVIEW => {
                add(marks, record, 8..12, TIME_STAMP);
                add(marks, record, 12..16, AGE);
                add(marks, record, 24..record_size, DATABASE);
            }
            REPRO => add(marks, record, 0..record_size, BUILD_HASH),
            _ => {}
        }
    }
}

fn version_resource(marks: &mut Vec<Mark>, file: &[u8], image: &Image) {
    let Some((start, size)) = directory(file, image, 2) else { return };
    let end = start.saturating_add(size).min(len(file));
    let resources = file.get(start as usize..end as usize).unwrap_or_default();
    let found = resources.chunks_exact(4).position(|word| word == FIXED_FILE_INFO);
    let Some(word) = found.and_then(|word| u32::try_from(word).ok()) else { return };
    let at = start + 4 * word;
    if at + 52 <= end {
        add(marks, at, 8..24, VERSION);
        add(marks, at, 44..52, VERSION_DATE);
        add(marks, at, 52..STRINGS_END.min(end - at), VERSION_STRINGS);
    }
}
