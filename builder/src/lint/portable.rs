//! What a reviewer asks of a PE image beyond what the patcher decides by: sections, checksum, certificate, exports and the
//! flags of its version.
//!
//! Everything is bounds-checked, counts meet limits, and what cannot be followed is simply not known: whether a file is
//! an image at all is the business of [`qfe_patcher::image`].
//!
//! Sources: Microsoft PE/COFF specification ("Optional Header", "Section Table", "Export Directory Table", "The .rsrc
//! Section", "Appendix A: Calculating Authenticode PE Image Hash" for where the checksum lies), and the documentation
//! of `VS_FIXEDFILEINFO`.

use std::collections::BTreeSet;

/// More sections than the loader takes.
const MAX_SECTIONS: usize = 96;
/// More names than any library of the product exports.
const MAX_EXPORTS: usize = 65_536;
/// Longest exported name that is read: decorated C++ names reach some hundred bytes.
const MAX_NAME: usize = 1024;

/// Optional header magic of PE32 and PE32+.
const PE32: u16 = 0x10b;
const PE32_PLUS: u16 = 0x20b;
/// Positions among the data directories.
const EXPORT_TABLE: usize = 0;
const RESOURCE_TABLE: usize = 2;
const CERTIFICATE_TABLE: usize = 4;
/// `RT_VERSION`.
const VERSION_TYPE: u32 = 16;
/// `IMAGE_SCN_CNT_CODE` and `IMAGE_SCN_MEM_EXECUTE`.
const CODE: u32 = 0x2000_0020;
/// Signature of `VS_FIXEDFILEINFO`.
const FIXED_INFO: u32 = 0xfeef_04bd;
/// Flags of `VS_FIXEDFILEINFO` that no release has.
const FLAGS: [(u32, &str); 3] = [(0x01, "debug"), (0x02, "pre-release"), (0x08, "private build")];

/// An image as far as it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Portable {
    /// Its sections, in the order of the table.
    pub(super) sections: Vec<Section>,
    /// The checksum of its header; 0 where the linker wrote none.
    pub(super) stated_checksum: u32,
    /// The checksum that belongs there.
    pub(super) checksum: u32,
    /// Whether it has an Authenticode certificate table.
    pub(super) signed: bool,
    /// The names that it exports.
    pub(super) exports: BTreeSet<String>,
    /// Flags of its version that no release has, in words.
    pub(super) flags: Vec<&'static str>,
    /// Where the last section ends in the file.
    pub(super) end: u64,
}

/// A section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// Its name, as far as it is ASCII.
    pub(super) name: String,
    /// Whether it holds code.
    pub(super) code: bool,
    address: usize,
    virtual_size: usize,
    offset: usize,
    /// Its size in the file.
    pub(super) size: usize,
}

impl Section {
    /// Returns its bytes, as far as the file has them.
    pub(super) fn bytes<'a>(&self, file: &'a [u8]) -> &'a [u8] {
        let end = self.offset.saturating_add(self.size).min(file.len());
        file.get(self.offset..end).unwrap_or_default()
    }

    /// Tells whether it takes memory and no byte of the file: room for what a packer unpacks, where it holds code.
    pub(super) fn is_room(&self) -> bool {
        self.size == 0 && self.virtual_size > 0
    }
}

/// Little-endian reads that end with the slice.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn u16(self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.0.get(at..at.checked_add(2)?)?.try_into().ok()?))
    }

    fn u32(self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.0.get(at..at.checked_add(4)?)?.try_into().ok()?))
    }

    /// Reads a 32-bit value that is an offset or a count.
    fn size(self, at: usize) -> Option<usize> {
        usize::try_from(self.u32(at)?).ok()
    }

    fn from(self, at: usize) -> Option<Self> {
        Some(Self(self.0.get(at..)?))
    }

    fn text(self, at: usize) -> Option<String> {
        let bytes = self.from(at)?.0;
        let end = bytes.iter().take(MAX_NAME).position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(bytes.get(..end)?).into_owned())
    }
}

impl Portable {
    /// Reads an image; none if `bytes` are none of a kind that has an optional header.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(b"MZ") {
            return None;
        }
        let file = Reader(bytes);
        let header_at = file.size(0x3c)?;
        let headers = file.from(header_at)?;
        if headers.0.get(..4)? != b"PE\0\0" {
            return None;
        }
        let optional = headers.from(24)?;
        let directories = match optional.u16(0)? {
            PE32 => 96,
            PE32_PLUS => 112,
            _ => return None,
        };
        let sections = sections(headers)?;
        let directory_count = optional.size(directories - 4)?;
        let directory = |index: usize| {
            let at = directories + 8 * index;
            let found = (index < directory_count).then(|| Some((optional.size(at)?, optional.size(at + 4)?)));
            found.flatten().filter(|(address, size)| *address > 0 && *size > 0)
        };
        // In both forms the checksum is at byte 64 of the optional header.
        let checksum_at = header_at.checked_add(24 + 64)?;
        let image = Mapped { file, sections: &sections };
        let flags = directory(RESOURCE_TABLE).and_then(|(address, _)| image.flags(address));
        let end = sections.iter().map(|section| section.offset.saturating_add(section.size) as u64).max();
        Some(Self {
            stated_checksum: file.u32(checksum_at)?,
            checksum: checksum(bytes, checksum_at),
            signed: directory(CERTIFICATE_TABLE).is_some(),
            exports: directory(EXPORT_TABLE)
                .and_then(|(address, _)| image.exports(address))
                .unwrap_or_default(),
            flags: flags.unwrap_or_default(),
            end: end.unwrap_or(0),
            sections,
        })
    }
}

/// Reads the section table; `headers` starts at the PE signature.
fn sections(headers: Reader<'_>) -> Option<Vec<Section>> {
    let count = usize::from(headers.u16(6)?).min(MAX_SECTIONS);
    let table = headers.from(24 + usize::from(headers.u16(20)?))?;
    let section = |index: usize| {
        let entry = table.from(40 * index)?;
        let name = entry.0.get(..8)?.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(Section {
            name: String::from_utf8_lossy(name).into_owned(),
            virtual_size: entry.size(8)?,
            address: entry.size(12)?,
            size: entry.size(16)?,
            offset: entry.size(20)?,
            code: entry.u32(36)? & CODE != 0,
        })
    };
    (0..count).map(section).collect()
}

/// The file with the means to find addresses in it.
struct Mapped<'a> {
    file: Reader<'a>,
    sections: &'a [Section],
}

impl<'a> Mapped<'a> {
    fn at(&self, address: usize) -> Option<Reader<'a>> {
        let offset = self.sections.iter().find_map(|section| {
            let within = address.checked_sub(section.address)?;
            (within < section.size).then_some(section.offset.checked_add(within)?)
        });
        self.file.from(offset?)
    }

    fn exports(&self, address: usize) -> Option<BTreeSet<String>> {
        let table = self.at(address)?;
        let count = table.size(24)?.min(MAX_EXPORTS);
        let names = self.at(table.size(32)?)?;
        Some((0..count).filter_map(|index| self.at(names.size(4 * index)?)?.text(0)).collect())
    }

    /// Reads the flags of the first version resource, as far as their mask makes them valid.
    fn flags(&self, address: usize) -> Option<Vec<&'static str>> {
        let resources = self.at(address)?;
        let names = subdirectory(entries(resources, 0).find(|(id, _)| *id == VERSION_TYPE)?.1)?;
        let languages = subdirectory(entries(resources, names).next()?.1)?;
        let leaf = usize::try_from(entries(resources, languages).next()?.1).ok()?;
        // Length, value length and type, the key "VS_VERSION_INFO" with its end, and padding take 40 bytes.
        let fixed = self.at(resources.size(leaf)?)?.from(40)?;
        if fixed.u32(0)? != FIXED_INFO {
            return None;
        }
        let flags = fixed.u32(24)? & fixed.u32(28)?;
        Some(FLAGS.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, word)| *word).collect())
    }
}

/// Returns id and offset field of each entry of a resource directory.
fn entries(resources: Reader<'_>, at: usize) -> impl Iterator<Item = (u32, u32)> {
    let directory = resources.from(at);
    let count = directory
        .and_then(|directory| Some(usize::from(directory.u16(12)?) + usize::from(directory.u16(14)?)));
    (0..count.unwrap_or(0)).map_while(move |index| {
        let entry = directory?.from(16 + 8 * index)?;
        Some((entry.u32(0)?, entry.u32(4)?))
    })
}

/// Returns where the subdirectory starts that an entry's offset field names.
fn subdirectory(offset: u32) -> Option<usize> {
    if offset & 0x8000_0000 == 0 { None } else { usize::try_from(offset & 0x7fff_ffff).ok() }
}

/// Computes the checksum of an image whose field for it is at `field`: the sum of all 16-bit words, with the carries
/// added in, and the file's length.
fn checksum(bytes: &[u8], field: usize) -> u32 {
    let mut sum: u32 = 0;
    let skipped = |at: usize| (field..field.saturating_add(4)).contains(&at);
    for (index, chunk) in bytes.chunks(2).enumerate() {
        let byte = |within: usize| {
            let at = 2 * index + within;
            if skipped(at) { 0 } else { u32::from(chunk.get(within).copied().unwrap_or(0)) }
        };
        sum += byte(0) | byte(1) << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum.wrapping_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX))
}

/// Returns how many bits of information a byte has on average, by how often each value occurs: 0 to 8.
pub(super) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let all: f64 = counts.iter().map(|count| f64::from(*count)).sum();
    let part = |count: &u32| {
        let share = f64::from(*count) / all;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(part).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Headers that lead into noise, which holds small numbers more often than large ones.
        #[test]
        fn whatever_the_headers_say_is_read_within_bounds(
            noise in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(16), 0..=255_u8], 0..2000),
            magic in prop_oneof![Just(PE32), Just(PE32_PLUS)],
        ) {
            let mut bytes = vec![0; 64];
            bytes[..2].copy_from_slice(b"MZ");
            bytes[0x3c] = 64;
            bytes.extend(b"PE\0\0\x4c\x01\x03\x00");
            bytes.extend([0; 12]);
            bytes.extend([0xe0, 0, 2, 0x21]);
            bytes.extend(magic.to_le_bytes());
            bytes.extend(noise);
            if let Some(image) = Portable::read(&bytes) {
                prop_assert!(image.sections.iter().all(|section| section.bytes(&bytes).len() <= bytes.len()));
            }
        }
    }

    #[test]
    fn entropy_is_that_of_the_counts() {
        assert!(entropy(b"") == 0.0 && entropy(b"aaaa") == 0.0);
        assert!((entropy(b"abab") - 1.0).abs() < 1e-9);
        let all: Vec<u8> = (0..=255).collect();
        assert!((entropy(&all) - 8.0).abs() < 1e-9);
    }

    #[test]
    fn the_checksum_is_that_of_the_loader() {
        // Words 0x0201 and 0x0403 and the odd byte 5; the field's four bytes count as zeros; 9 bytes.
        assert_eq!(checksum(&[1, 2, 0xff, 0xff, 0xff, 0xff, 3, 4, 5], 2), 0x0201 + 0x0403 + 5 + 9);
        // A carry is added in again.
        assert_eq!(checksum(&[0xff, 0xff, 2, 0], 100), 2 + 4);
    }

    #[test]
    fn what_is_no_image_is_none_and_nothing_panics() {
        assert_eq!(Portable::read(b""), None);
        assert_eq!(Portable::read(b"MZ"), None);
        let mut far = vec![0; 64];
        far[..2].copy_from_slice(b"MZ");
        far[0x3c..0x40].copy_from_slice(&[0xff; 4]);
        assert_eq!(Portable::read(&far), None);
    }
}
