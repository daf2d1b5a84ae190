//! Writes a PE image: headers around finished sections, the bytes behind them, the checksum.
//!
//! ```text
//! 0x000  DOS header, e_lfanew = 0x80     0x098  optional header, PE32, 224 bytes
//! 0x040  DOS stub                        0x178  section headers, 40 bytes each
//! 0x080  "PE\0\0"                               zeros to a multiple of 0x200
//! 0x084  file header, 20 bytes                  sections, then the debug records
//! ```
//! Names and numbers are those of the Microsoft PE/COFF specification. The contents of the sections, tables
//! included, are the linker's business; see [`directory`] for the tables' forms.

pub(crate) mod directory;

use crate::bytes::{Bytes, count};

/// Sections begin and end on multiples of this in the file.
pub(crate) const FILE_ALIGNMENT: u32 = 0x200;

/// Where `CheckSum` lies in the file: in the optional header.
const CHECKSUM: u32 = 0x98 + 64;

const STUB: &[u8] =
    b"\x0e\x1f\xba\x0e\x00\xb4\x09\xcd\x21\xb8\x01\x4c\xcd\x21This program cannot be run in DOS mode.\r\r\n$";

/// Whether an image is a program or a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Executable,
    Library,
}

/// A section, with its bytes and its place in memory.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) rva: u32,
    /// May exceed the bytes: the rest is zero in memory.
    pub(crate) virtual_size: u32,
    pub(crate) bytes: Bytes,
    pub(crate) characteristics: u32,
}

/// Section characteristics.
pub(crate) const CODE: u32 = 0x6000_0020;
pub(crate) const READ_ONLY: u32 = 0x4000_0040;
pub(crate) const WRITABLE: u32 = 0xc000_0040;
pub(crate) const DISCARDABLE: u32 = 0x4200_0040;

/// A data directory: a place and a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Directory {
    pub(crate) rva: u32,
    pub(crate) size: u32,
}

/// The data directories that sample images have.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Directories {
    pub(crate) exports: Directory,
    pub(crate) imports: Directory,
    pub(crate) resources: Directory,
    pub(crate) exceptions: Directory,
    pub(crate) relocations: Directory,
    pub(crate) debug: Directory,
    pub(crate) import_addresses: Directory,
}

/// All that makes an image.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) machine: u16,
    pub(crate) kind: Kind,
    pub(crate) time_stamp: u32,
    pub(crate) image_base: u32,
    pub(crate) section_alignment: u32,
    /// The RVA of the first function to run.
    pub(crate) entry: u32,
    /// In ascending order of RVA.
    pub(crate) sections: Vec<Section>,
    pub(crate) directories: Directories,
    /// Bytes behind the last section.
    pub(crate) overlay: Bytes,
}

/// The size of the headers in the file, for that many sections.
pub(crate) fn headers_size(sections: u32) -> u32 {
    (0x178 + sections * 40).next_multiple_of(FILE_ALIGNMENT)
}

impl Image {
    /// Writes the image's file.
    pub(crate) fn write(&self) -> Vec<u8> {
        let headers = headers_size(count(&self.sections));
        let mut file = Bytes::new();
        dos_header(&mut file);
        self.file_header(&mut file);
        self.optional_header(&mut file, headers);
        let mut raw = headers;
        for section in &self.sections {
            let size = section.bytes.len().next_multiple_of(FILE_ALIGNMENT);
            file.put(section.name.as_bytes());
            file.zeros_to(file.len() + 8 - count(section.name.as_bytes()));
            for field in [section.virtual_size, section.rva, size, raw, 0, 0, 0, section.characteristics] {
                file.u32(field);
            }
            raw += size;
        }
        file.zeros_to(headers);
        for section in &self.sections {
            file.put(section.bytes.as_slice());
            file.align(FILE_ALIGNMENT);
        }
        file.put(self.overlay.as_slice());
        file.set_u32(CHECKSUM, checksum(file.as_slice()));
        file.into_vec()
    }

    fn file_header(&self, file: &mut Bytes) {
        file.put(b"PE\0\0");
        file.u16(self.machine);
        file.u16(u16::try_from(self.sections.len()).expect("a handful of sections"));
        file.u32(self.time_stamp);
        file.u32(0); // symbol table
        file.u32(0); // symbols
        file.u16(224);
        // Executable, line numbers, local symbols and debug information stripped, 32-bit.
        file.u16(0x030e | if self.kind == Kind::Library { 0x2000 } else { 0 });
    }

    fn optional_header(&self, file: &mut Bytes, headers: u32) {
        let sum = |characteristics: u32| -> u32 {
            let sections =
                self.sections.iter().filter(|section| section.characteristics & characteristics != 0);
            sections.map(|section| section.bytes.len().next_multiple_of(FILE_ALIGNMENT)).sum()
        };
        let base = |characteristics: u32| {
            self.sections
                .iter()
                .find(|section| section.characteristics & characteristics != 0)
                .map_or(0, |section| section.rva)
        };
        let end =
            self.sections.iter().map(|section| section.rva + section.virtual_size).max().unwrap_or(headers);
        let (code, data) = (0x20, 0x40);
        file.u16(0x10b); // PE32
        file.u8(6); // linker 6.0
        file.u8(0);
        for field in [sum(code), sum(data), 0, self.entry, base(code), base(data)] {
            file.u32(field);
        }
        file.u32(self.image_base);
        file.u32(self.section_alignment);
        file.u32(FILE_ALIGNMENT);
        for version in [4, 0, 0, 0, 4, 0] {
            file.u16(version); // system, image, subsystem
        }
        file.u32(0); // Win32VersionValue
        file.u32(end.next_multiple_of(self.section_alignment));
        file.u32(headers);
        file.u32(0); // CheckSum, set last
        file.u16(2); // windows
        file.u16(0); // DllCharacteristics
        for field in [0x10_0000, 0x1000, 0x10_0000, 0x1000, 0] {
            file.u32(field); // stack and heap: reserve, commit; loader flags
        }
        file.u32(16);
        let none = Directory::default();
        let all = &self.directories;
        for directory in [
            all.exports,
            all.imports,
            all.resources,
            all.exceptions,
            none, // certificates
            all.relocations,
            all.debug,
            none, // architecture
            none, // global pointer
            none, // thread-local storage
            none, // load configuration
            none, // bound imports
            all.import_addresses,
            none,
            none,
            none,
        ] {
            file.u32(directory.rva);
            file.u32(directory.size);
        }
    }
}

fn dos_header(file: &mut Bytes) {
    // e_magic, e_cblp, e_cp, e_crlc, e_cparhdr, e_minalloc, e_maxalloc, e_ss, e_sp, e_csum, e_ip, e_cs,
    // e_lfarlc
    for field in [0x5a4d, 0x90, 3, 0, 4, 0, 0xffff, 0, 0xb8, 0, 0, 0, 0x40] {
        file.u16(field);
    }
    file.zeros_to(0x3c);
    file.u32(0x80);
    file.put(STUB);
    file.zeros_to(0x80);
}

/// The PE checksum: 16-bit words added with carry, without the field itself, and the length.
pub(crate) fn checksum(file: &[u8]) -> u32 {
    let field = usize::try_from(CHECKSUM).expect("u32 fits usize");
    let mut sum = 0_u32;
    for (index, pair) in file.chunks(2).enumerate() {
        if index * 2 == field || index * 2 == field + 2 {
            continue;
        }
        let word = match pair {
            [low, high] => u16::from_le_bytes([*low, *high]),
            [low] => u16::from(*low),
            _ => 0,
        };
        sum += u32::from(word);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum + count(file)
}
