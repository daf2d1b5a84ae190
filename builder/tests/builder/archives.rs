//! Archives as installers of the time had them: cabinets made field by field, and programs that carry an archive.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{lzx, pe};

/// How a folder of a cabinet is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Stored,
    MsZip,
    Lzx,
    /// Nothing that can be unpacked.
    Quantum,
}

/// A folder of a cabinet: its packing, its files by name.
pub(crate) type Folder<'a> = (Packing, &'a [(&'a str, &'a [u8])]);

/// Largest block of a cabinet, unpacked.
const BLOCK: usize = 0x8000;

impl Packing {
    /// Returns `typeCompress` of `CFFOLDER`.
    fn number(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::MsZip => 1,
            Self::Quantum => 0x1472,
            Self::Lzx => lzx::KIND,
        }
    }

    /// Packs a folder into blocks, each with its unpacked size.
    fn blocks(self, bytes: &[u8]) -> Vec<(Vec<u8>, u16)> {
        let packed: Vec<Vec<u8>> = match self {
            Self::Stored | Self::Quantum => bytes.chunks(BLOCK).map(<[u8]>::to_vec).collect(),
            Self::MsZip => bytes.chunks(BLOCK).map(mszip).collect(),
            Self::Lzx => lzx::blocks(bytes),
        };
        packed.into_iter().zip(bytes.chunks(BLOCK).map(|chunk| u16::try_from(chunk.len()).unwrap())).collect()
    }
}

fn mszip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(b"CK".to_vec(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Makes a cabinet. With `reserved` bytes in header, folders and blocks, as signed ones have.
pub(crate) fn cabinet(folders: &[Folder<'_>], reserved: u8) -> Vec<u8> {
    let head: Vec<u8> = match reserved {
        0 => Vec::new(),
        some => [&[some, 0, some, some][..], &vec![0x55; some.into()]].concat(),
    };
    let gap = vec![0x55; reserved.into()];
    let mut files = Vec::new();
    let mut data = Vec::new();
    let mut starts = Vec::new();
    for (index, (packing, contents)) in (0_u16..).zip(folders) {
        let mut whole = Vec::new();
        for (name, bytes) in *contents {
            let number = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
            files.extend([number(bytes.len()), number(whole.len())].concat());
            files.extend(index.to_le_bytes());
            files.extend(b"\x21\0\0\0\x20\0");
            files.extend(name.as_bytes());
            files.push(0);
            whole.extend(*bytes);
        }
        let blocks = packing.blocks(&whole);
        starts.push((data.len(), u16::try_from(blocks.len()).unwrap(), packing.number()));
        for (bytes, size) in blocks {
            data.extend([0; 4]);
            data.extend(u16::try_from(bytes.len()).unwrap().to_le_bytes());
            data.extend(size.to_le_bytes());
            data.extend(&gap);
            data.extend(bytes);
        }
    }
    let files_at = 36 + head.len() + folders.len() * (8 + gap.len());
    let data_at = files_at + files.len();
    let count: usize = folders.iter().map(|(_, files)| files.len()).sum();
    let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let mut cabinet = b"MSCF\0\0\0\0".to_vec();
    for field in [data_at + data.len(), 0, files_at, 0] {
        cabinet.extend(number(field));
    }
    cabinet.extend(b"\x03\x01");
    for field in [folders.len(), count, if reserved > 0 { 4 } else { 0 }, 7, 0] {
        cabinet.extend(u16::try_from(field).unwrap().to_le_bytes());
    }
    cabinet.extend(&head);
    for (start, blocks, kind) in starts {
        cabinet.extend(number(data_at + start));
        cabinet.extend([blocks.to_le_bytes(), kind.to_le_bytes()].concat());
        cabinet.extend(&gap);
    }
    [cabinet, files, data].concat()
}

/// Makes a zip.
pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Where a program carries an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the resource `RCDATA` `CABINET`, as IExpress puts it.
    Resource,
    /// In a section of its own.
    Section,
    /// Behind the program.
    Behind,
}

impl Place {
    pub(crate) const ALL: [Self; 3] = [Self::Resource, Self::Section, Self::Behind];
}

/// Makes a program that carries an archive.
pub(crate) fn program(place: Place, archive: &[u8]) -> Vec<u8> {
    match place {
        Place::Resource => pe::with_section(*b".rsrc\0\0\0", &pe::named_resource("CABINET", archive)),
        Place::Section => pe::with_section(*b"_winzip_", archive),
        Place::Behind => [pe::with_section(*b".text\0\0\0", b"\xc3"), archive.to_vec()].concat(),
    }
}
