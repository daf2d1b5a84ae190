//! A cabinet (Microsoft Cabinet Format), as it was shipped: stored, MSZIP and LZX, any number of folders.
//!
//! ```text
//! CFHEADER [ reserved ]   CFFOLDER [ reserved ] ...   CFFILE name\0 ...   CFDATA [ reserved ] data ...   [ a signature ]
//! ```
//!
//! A folder is one compressed stream, and files are stretches of it. It is unpacked once, when the first of its files is
//! asked for, and kept. The `cab` crate unpacks it, as the one file of a cabinet that is made for it here: by itself it would
//! begin again for each file, and it panics on some damage that is found here before.
//!
//! Unlike in a bundle, there may be something behind the cabinet, and bytes of a folder that belong to no file.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom};

use ::cab::Cabinet;

use super::archive::{Bytes, Entry, MAX_UNPACKED};
use super::{MAX_FILES, SourceError};

/// Largest folder that is unpacked: it stands in memory.
const MAX_FOLDER: u64 = 1 << 30;
/// Longest name of a file, and of another cabinet of the set, with the zero behind it.
const MAX_NAME: usize = 257;

/// Flags of `CFHEADER`.
const PREVIOUS: u16 = 1;
const NEXT: u16 = 2;
const RESERVED: u16 = 4;
/// Kinds of `typeCompress`, in its lowest bits.
const KIND: u16 = 0xf;
const STORED: u16 = 0;
const MSZIP: u16 = 1;
const QUANTUM: u16 = 2;
const LZX: u16 = 3;
/// Bytes of `CFDATA` before what is reserved in it.
const BLOCK: u64 = 8;

/// An opened cabinet.
pub(super) struct Cab {
    bytes: Box<dyn Bytes>,
    folders: Vec<Folder>,
    files: Vec<File>,
    /// Bytes that are reserved in each `CFDATA`.
    reserved: u8,
    /// Folders that were unpacked.
    unpacked: BTreeMap<u16, Vec<u8>>,
    /// Most bytes that these may have together.
    limit: u64,
}

impl fmt::Debug for Cab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cab")
            .field("folders", &self.folders)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// A `CFFOLDER`, and what its blocks say.
#[derive(Clone, Copy, Debug)]
struct Folder {
    /// Where its first block begins, and how many bytes all of them take.
    at: u64,
    packed: u64,
    blocks: u16,
    packing: u16,
    /// How many bytes it unpacks to.
    size: u64,
}

/// Where a file is: a stretch of a folder.
#[derive(Clone, Copy, Debug)]
struct File {
    folder: u16,
    start: u32,
    size: u32,
}

/// Opens a cabinet and lists its files.
pub(super) fn open(mut bytes: Box<dyn Bytes>, shown: &str) -> Result<(Cab, Vec<Entry>), SourceError> {
    let fault = |error| fault(shown, error);
    let there = bytes.seek(SeekFrom::End(0)).map_err(fault)?;
    bytes.seek(SeekFrom::Start(0)).map_err(fault)?;
    let header = Fields::<36>::read(&mut bytes).map_err(fault)?;
    let (size, files_at, flags) = (u64::from(header.u32(8)), header.u32(16), header.u16(30));
    if size > there {
        return Err(fault(damaged(format!("it has {there} bytes, its header says {size}: it is cut off"))));
    }
    let reserved =
        if flags & RESERVED == 0 { Fields([0; 4]) } else { Fields::read(&mut bytes).map_err(fault)? };
    let [_, _, per_folder, per_block] = reserved.0;
    skip(&mut bytes, reserved.u16(0).into()).map_err(fault)?;
    for flag in [PREVIOUS, NEXT] {
        if flags & flag != 0 {
            let other = name(&mut bytes).map_err(fault)?;
            return Err(SourceError::PartOfSet { path: shown.to_owned(), other });
        }
    }
    let mut folders = Vec::new();
    for _ in 0..header.u16(26) {
        let folder = Fields::<8>::read(&mut bytes).map_err(fault)?;
        skip(&mut bytes, per_folder.into()).map_err(fault)?;
        let (at, blocks, packing) = (folder.u32(0).into(), folder.u16(4), folder.u16(6));
        folders.push(Folder { at, packed: 0, blocks, packing, size: 0 });
    }
    let blocks: u64 = folders.iter().map(|folder| u64::from(folder.blocks)).sum();
    if blocks > size / BLOCK {
        return Err(fault(damaged(format!("{blocks} data blocks, for which {size} bytes have no room"))));
    }
    for folder in &mut folders {
        folder.measure(&mut bytes, size, per_block).map_err(fault)?;
    }
    let count = usize::from(header.u16(28));
    if count > MAX_FILES {
        return Err(SourceError::TooMany { path: shown.to_owned(), what: "files", limit: MAX_FILES });
    }
    bytes.seek(SeekFrom::Start(files_at.into())).map_err(fault)?;
    let (mut files, mut entries) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (file, entry) = file(&mut bytes, &folders).map_err(fault)?;
        files.push(file);
        entries.push(entry);
    }
    let cab =
        Cab { bytes, folders, files, reserved: per_block, unpacked: BTreeMap::new(), limit: MAX_UNPACKED };
    Ok((cab, entries))
}

/// Reads the next `CFFILE`.
fn file(bytes: &mut impl Read, folders: &[Folder]) -> io::Result<(File, Entry)> {
    let fields = Fields::<16>::read(bytes)?;
    let file = File { folder: fields.u16(8), start: fields.u32(4), size: fields.u32(0) };
    let name = name(bytes)?.replace('\\', "/");
    let end = u64::from(file.start) + u64::from(file.size);
    match folders.get(usize::from(file.folder)) {
        Some(folder) if end <= folder.size => Ok((file, Entry { name, size: file.size.into(), fault: None })),
        Some(folder) => {
            let size = folder.size;
            Err(damaged(format!("{name} ends at byte {end} of a folder that has {size}")))
        }
        None => Err(damaged(format!("{name} is in folder {}, there are {}", file.folder, folders.len()))),
    }
}

impl Folder {
    /// Adds up what the blocks say, all of which lie within the cabinet's `end`.
    fn measure(&mut self, bytes: &mut (impl Read + Seek), end: u64, reserved: u8) -> io::Result<()> {
        bytes.seek(SeekFrom::Start(self.at))?;
        for _ in 0..self.blocks {
            let block = Fields::<8>::read(bytes)?;
            let (packed, size) = (block.u16(4), block.u16(6));
            // What is not as long as it says the crate counts twice.
            if self.packing & KIND == STORED && packed != size {
                return Err(damaged(format!("a stored block of {packed} bytes that are to be {size}")));
            }
            let data = u64::from(reserved) + u64::from(packed);
            self.packed += BLOCK + data;
            self.size += u64::from(size);
            skip(bytes, data)?;
        }
        if self.at.saturating_add(self.packed) > end {
            return Err(damaged(format!("a folder at byte {} that goes beyond its end at {end}", self.at)));
        }
        Ok(())
    }

    /// Makes a cabinet in which this folder is one file.
    fn alone(&self, bytes: &mut (impl Read + Seek), reserved: u8) -> io::Result<Vec<u8>> {
        const NAME: &[u8] = b"f\0";
        let data_at: u32 = 36 + 4 + 8 + 16 + 2;
        let fits =
            |number: u64| u32::try_from(number).map_err(|_| damaged(format!("{number} bytes in a folder")));
        let mut alone = b"MSCF\0\0\0\0".to_vec();
        alone.extend(fits(u64::from(data_at) + self.packed)?.to_le_bytes());
        alone.extend([0; 4]);
        alone.extend((data_at - 16 - 2).to_le_bytes());
        alone.extend(b"\0\0\0\0\x03\x01");
        for number in [1, 1, RESERVED, 0, 0, 0, u16::from(reserved) << 8] {
            alone.extend(number.to_le_bytes());
        }
        alone.extend(data_at.to_le_bytes());
        alone.extend([self.blocks.to_le_bytes(), self.packing.to_le_bytes()].concat());
        alone.extend(fits(self.size)?.to_le_bytes());
        alone.extend([0; 12]);
        alone.extend(NAME);
        bytes.seek(SeekFrom::Start(self.at))?;
        bytes.take(self.packed).read_to_end(&mut alone)?;
        Ok(alone)
    }
}

impl Cab {
    /// Reads the file at `index` of the list.
    pub(super) fn read(&mut self, index: usize, shown: &str) -> Result<Vec<u8>, SourceError> {
        let absent = || SourceError::Absent { path: shown.to_owned() };
        let file = *self.files.get(index).ok_or_else(absent)?;
        if !self.unpacked.contains_key(&file.folder) {
            let unpacked = self.unpack(file.folder, shown)?;
            self.unpacked.insert(file.folder, unpacked);
        }
        let folder = self.unpacked.get(&file.folder).ok_or_else(absent)?;
        let whole = |number: u32| usize::try_from(number).ok();
        let bytes = whole(file.start).and_then(|start| folder.get(start..)?.get(..whole(file.size)?));
        bytes.map(<[u8]>::to_vec).ok_or_else(absent)
    }

    /// Unpacks a folder, of which a file is wanted.
    fn unpack(&mut self, index: u16, shown: &str) -> Result<Vec<u8>, SourceError> {
        let absent = || SourceError::Absent { path: shown.to_owned() };
        let folder = *self.folders.get(usize::from(index)).ok_or_else(absent)?;
        let found = match folder.packing & KIND {
            STORED | MSZIP | LZX => None,
            QUANTUM => Some("Quantum".to_owned()),
            other => Some(format!("an unknown method, {other}")),
        };
        if let Some(found) = found {
            return Err(SourceError::Packing { path: shown.to_owned(), found });
        }
        if folder.size > MAX_FOLDER {
            let with = " with the other files of its folder";
            return Err(SourceError::TooLarge { path: shown.to_owned(), limit: MAX_FOLDER, with });
        }
        let before: u64 = self.unpacked.values().map(|folder| folder.len() as u64).sum();
        if before + folder.size > self.limit {
            let with = " with its folder and those that were unpacked before it";
            return Err(SourceError::TooLarge { path: shown.to_owned(), limit: self.limit, with });
        }
        if folder.size == 0 {
            return Ok(Vec::new());
        }
        let unpack = |folder: Folder, bytes: &mut Box<dyn Bytes>, reserved| -> io::Result<Vec<u8>> {
            let mut cabinet = Cabinet::new(Cursor::new(folder.alone(bytes, reserved)?))?;
            let mut unpacked = Vec::new();
            cabinet.read_file("f")?.take(folder.size).read_to_end(&mut unpacked)?;
            Ok(unpacked)
        };
        let unpacked = unpack(folder, &mut self.bytes, self.reserved).map_err(|error| fault(shown, error))?;
        if unpacked.len() as u64 == folder.size {
            return Ok(unpacked);
        }
        let what = format!("its folder unpacks to {} bytes, its blocks say {}", unpacked.len(), folder.size);
        Err(fault(shown, damaged(what)))
    }
}

/// Reads text to the zero behind it.
fn name(bytes: &mut impl Read) -> io::Result<String> {
    let mut name = Vec::new();
    loop {
        match Fields::<1>::read(bytes)?.0 {
            [0] => return Ok(String::from_utf8_lossy(&name).into_owned()),
            [byte] => name.push(byte),
        }
        if name.len() >= MAX_NAME {
            return Err(damaged(format!("a name of more than {MAX_NAME} bytes")));
        }
    }
}

fn skip(bytes: &mut impl Seek, count: u64) -> io::Result<()> {
    bytes.seek_relative(i64::try_from(count).map_err(io::Error::other)?)
}

fn damaged(what: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

fn fault(shown: &str, error: io::Error) -> SourceError {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Other => {
            SourceError::Archive { path: shown.to_owned(), kind: "cabinet", source: error.into() }
        }
        // The disk or share failed, not the cabinet.
        _ => SourceError::Read { path: shown.to_owned(), source: error },
    }
}

/// A structure of fixed size whose fields are read little-endian; an offset is a constant within it.
struct Fields<const N: usize>([u8; N]);

impl<const N: usize> Fields<N> {
    fn read(bytes: &mut impl Read) -> io::Result<Self> {
        let mut fields = [0; N];
        bytes.read_exact(&mut fields)?;
        Ok(Self(fields))
    }

    fn u16(&self, at: usize) -> u16 {
        let bytes = self.0.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
        u16::from_le_bytes(bytes.expect("the field lies in the structure"))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from(self.u16(at)) | u32::from(self.u16(at + 2)) << 16
    }
}

#[cfg(test)]
#[path = "../../../patcher/src/bundle/container/cab/fixture.rs"]
#[expect(dead_code, reason = "it is written for the tests of the patcher too")]
mod fixture;

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of one byte may be in a folder of a gigabyte, all of which stands in memory.
    #[test]
    fn folders_count_as_what_they_take_and_not_as_what_is_wanted_of_them() {
        let files = [("a", 0, 1), ("b", 0, 1), ("c", 0, 1)];
        let mut cabinet = fixture::cabinet_of(STORED, &[(b"contents", 8)], 3, &files);
        for (at, folder) in [(60, 0), (78, 1), (96, 2)] {
            cabinet[at + 8] = folder;
        }
        let (mut cab, _) = open(Box::new(Cursor::new(cabinet)), "Q1.cab").unwrap();
        cab.limit = 16;
        for index in [0, 1, 0] {
            assert_eq!(cab.read(index, "Q1.cab").unwrap(), b"c");
        }
        let error = cab.read(2, "Q1.cab/c").unwrap_err().to_string();
        assert!(error.contains("Q1.cab/c is larger than 16 bytes with its folder"), "{error}");
    }
}
