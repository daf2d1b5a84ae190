//! The reader of PE images: which machine a file is for, when it was linked, which version and language it states.
//!
//! Reads only what decides something: headers, section table and the version resource. Everything is
//! bounds-checked, nothing is executed or mapped, and no table is followed deeper than the format's
//! three levels, so hostile input costs at most one pass over a few small tables.
//!
//! Sources: Microsoft PE/COFF specification ("COFF File Header", "Optional Header", "The .rsrc Section"),
//! and the documentation of `VS_VERSIONINFO` and `VS_FIXEDFILEINFO`.

use crate::chain::debug_as_shown;
use crate::platform::Machine;
use crate::version::FileVersion;

/// What an image says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// The processor it is for.
    pub machine: Machine,
    /// When it was linked: seconds since 1970-01-01 UTC by the linker's clock. Shown, never decided on.
    pub time_stamp: u32,
    /// The file version of its version resource; none if it has no readable one.
    pub version: Option<FileVersion>,
    /// The language of its version resource, by the first `Translation`: a Windows language id, such as 0x0407; none if
    /// it states none.
    pub language: Option<u16>,
}

/// Why bytes are no PE image.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnImage {
    /// No `MZ` at the start.
    #[error("no MZ signature")]
    NoDosHeader,
    /// The DOS header does not lead to a `PE\0\0` signature: a program for DOS or 16-bit Windows, or damaged.
    #[error("no PE signature where the DOS header points")]
    NoPeSignature,
    /// The file ends inside its headers.
    #[error("cut off inside its headers")]
    Truncated,
}

debug_as_shown!(NotAnImage);

impl Image {
    /// Reads the headers and the version resource of `bytes`.
    pub fn read(bytes: &[u8]) -> Result<Self, NotAnImage> {
        if bytes.get(..2) != Some(b"MZ") {
            return Err(NotAnImage::NoDosHeader);
        }
        let pe = Reader(bytes).u32(0x3c).ok_or(NotAnImage::Truncated)?;
        let pe = usize::try_from(pe).map_err(|_| NotAnImage::NoPeSignature)?;
        let headers = Reader(bytes.get(pe..).ok_or(NotAnImage::NoPeSignature)?);
        if headers.0.get(..4) != Some(b"PE\0\0") {
            return Err(NotAnImage::NoPeSignature);
        }
        let machine = headers.u16(4).ok_or(NotAnImage::Truncated)?;
        let time_stamp = headers.u32(8).ok_or(NotAnImage::Truncated)?;
        let info = version_info(bytes, headers);
        Ok(Self {
            machine: Machine(machine),
            time_stamp,
            version: info.and_then(fixed_version),
            language: info.and_then(language),
        })
    }
}

/// Returns where the last section of an image ends in its file, by headers that lie in `head`, the file's first bytes; none if
/// they are no headers, or cut off.
pub fn end_of_sections(head: &[u8]) -> Option<u64> {
    let file = Reader(head);
    let headers = file.from(file.size(0x3c)?)?;
    if file.slice(0, 2)? != b"MZ" || headers.slice(0, 4)? != b"PE\0\0" {
        return None;
    }
    let sections = headers.from(24 + usize::from(headers.u16(20)?))?;
    (0..usize::from(headers.u16(6)?)).try_fold(0, |end, index| {
        let section = sections.from(40 * index)?;
        let (size, at) = (section.u32(16)?, section.u32(20)?);
        // What has no bytes in the file has no place there.
        Some(if at == 0 { end } else { end.max(u64::from(at) + u64::from(size)) })
    })
}

/// Little-endian reads that end with the slice.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn u16(self, at: usize) -> Option<u16> {
        let bytes = self.0.get(at..at.checked_add(2)?)?;
        Some(u16::from_le_bytes(bytes.try_into().ok()?))
    }

    fn u32(self, at: usize) -> Option<u32> {
        let bytes = self.0.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// Reads a 32-bit value that is an offset or a count.
    fn size(self, at: usize) -> Option<usize> {
        usize::try_from(self.u32(at)?).ok()
    }

    fn from(self, at: usize) -> Option<Self> {
        Some(Self(self.0.get(at..)?))
    }

    fn slice(self, at: usize, len: usize) -> Option<&'a [u8]> {
        self.0.get(at..at.checked_add(len)?)
    }
}

/// Optional header magic of PE32 and PE32+.
const PE32: u16 = 0x10b;
const PE32_PLUS: u16 = 0x20b;
/// Index of the resource table among the data directories.
const RESOURCE_TABLE: usize = 2;
/// `RT_VERSION`.
const VERSION_TYPE: u32 = 16;
/// Signature of `VS_FIXEDFILEINFO`.
const FIXED_INFO: u32 = 0xfeef_04bd;

/// Finds the version resource; none if anything on the way is missing or out of bounds.
///
/// `headers` starts at the PE signature: 4 bytes of it, 20 of the file header, then the optional header.
fn version_info<'a>(bytes: &'a [u8], headers: Reader<'_>) -> Option<&'a [u8]> {
    let optional = headers.from(24)?;
    let directories = match optional.u16(0)? {
        PE32 => 96,
        PE32_PLUS => 112,
        _ => return None,
    };
    if optional.size(directories - 4)? <= RESOURCE_TABLE {
        return None;
    }
    let table_rva = optional.size(directories + 8 * RESOURCE_TABLE)?;
    let sections = headers.from(24 + usize::from(headers.u16(20)?))?;
    let section_count = usize::from(headers.u16(6)?);
    let offset_of = |rva: usize| file_offset(sections, section_count, rva);

    let resources = Reader(bytes.get(offset_of(table_rva)?..)?);
    let names = subdirectory(resources, find_entry(resources, 0, Some(VERSION_TYPE))?)?;
    let languages = subdirectory(resources, find_entry(resources, names, None)?)?;
    // The high bit would make it a fourth level, which the format does not have.
    let leaf = usize::try_from(find_entry(resources, languages, None)?).ok()?;
    let data_rva = resources.size(leaf)?;
    let data_size = resources.size(leaf.checked_add(4)?)?;
    Reader(bytes).slice(offset_of(data_rva)?, data_size)
}

/// Translates a relative virtual address into a file offset by the section table.
fn file_offset(sections: Reader<'_>, count: usize, rva: usize) -> Option<usize> {
    (0..count).find_map(|index| {
        let section = sections.from(index.checked_mul(40)?)?;
        let (start, raw_size, raw) = (section.size(12)?, section.size(16)?, section.size(20)?);
        // VirtualSize may be 0 (old linkers); what can be read from the file is the raw size either way.
        let within = rva.checked_sub(start)?;
        (within < raw_size).then_some(raw.checked_add(within)?)
    })
}

/// Finds the entry with `id` (or the first entry) of the resource directory at `at` and returns its offset field.
fn find_entry(resources: Reader<'_>, at: usize, id: Option<u32>) -> Option<u32> {
    let directory = resources.from(at)?;
    let count = usize::from(directory.u16(12)?) + usize::from(directory.u16(14)?);
    (0..count).find_map(|index| {
        let entry = directory.from(16 + 8 * index)?;
        let matches = id.is_none_or(|id| entry.u32(0) == Some(id));
        if matches { entry.u32(4) } else { None }
    })
}

/// Returns where the subdirectory starts that an entry's offset field names.
fn subdirectory(resources: Reader<'_>, offset: u32) -> Option<usize> {
    let at = usize::try_from(offset ^ 0x8000_0000).ok()?;
    (offset & 0x8000_0000 != 0 && at < resources.0.len()).then_some(at)
}

/// Reads the file version of a `VS_VERSIONINFO`: length, value length, type, key, padding, `VS_FIXEDFILEINFO`.
fn fixed_version(info: &[u8]) -> Option<FileVersion> {
    // Key "VS_VERSION_INFO" with its end is 32 bytes after the 6 of the head; 38 is padded to 40.
    const FIXED_AT: usize = 40;
    let info = Reader(info);
    let key = in_utf16("VS_VERSION_INFO\0");
    if info.slice(6, key.len())? != key || info.u32(FIXED_AT)? != FIXED_INFO {
        return None;
    }
    let high = |at| info.u16(at + 2);
    Some(FileVersion([
        high(FIXED_AT + 8)?,
        info.u16(FIXED_AT + 8)?,
        high(FIXED_AT + 12)?,
        info.u16(FIXED_AT + 12)?,
    ]))
}

/// Reads the first language of a `VS_VERSIONINFO`: the value of its `Var`, which comes behind the key on a multiple of four.
fn language(info: &[u8]) -> Option<u16> {
    let key = in_utf16("Translation\0");
    let at = info.windows(key.len()).position(|bytes| bytes == key)?;
    Reader(info).u16((at + key.len()).next_multiple_of(4))
}

fn in_utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_image_are_told_apart() {
        assert_eq!(Image::read(b""), Err(NotAnImage::NoDosHeader));
        assert_eq!(Image::read(b"MZ"), Err(NotAnImage::Truncated));
        let mut dos = vec![0; 64];
        dos[..2].copy_from_slice(b"MZ");
        assert_eq!(Image::read(&dos), Err(NotAnImage::NoPeSignature));
        dos[0x3c] = 64;
        dos.extend(b"PE\0\0\x4c\x01");
        assert_eq!(Image::read(&dos), Err(NotAnImage::Truncated));
    }

    #[test]
    fn an_image_without_optional_header_has_machine_and_time_but_no_version() {
        let mut image = vec![0; 64];
        image[..2].copy_from_slice(b"MZ");
        image[0x3c] = 64;
        image.extend(b"PE\0\0\x84\x01\x00\x00\x01\x02\x03\x04");
        let read = Image::read(&image).unwrap();
        assert_eq!((read.machine, read.time_stamp, read.version), (Machine::ALPHA, 0x0403_0201, None));
    }
}
