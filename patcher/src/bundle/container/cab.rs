//! Cabinets, read through the `cab` crate and held to what bundles need.
//!
//! Names in a cabinet are separated by `\`; they are taken with `/`, as everywhere here.

use std::io::{Error, ErrorKind, SeekFrom};

use ::cab::Cabinet;

use super::{ContainerError, ContainerKind, Source, check_count, read_limited};
use crate::target_path::TargetPath;

/// An opened cabinet, with its files in order.
pub(super) struct Cab {
    cabinet: Cabinet<Box<dyn Source>>,
    files: Vec<File>,
}

/// A file of a cabinet.
struct File {
    /// The name as it is spelled there.
    name: String,
    /// Where it ends in the unpacked data of its folder.
    end: u64,
}

/// Reads the directory and returns the cabinet with the names of its files in order.
pub(super) fn open(mut source: Box<dyn Source>) -> Result<(Cab, Vec<String>), ContainerError> {
    let stretches = check_layout(&mut source)?;
    let cabinet = Cabinet::new(source).map_err(directory)?;
    check_count(cabinet.folder_entries().map(|folder| folder.file_entries().len()).sum())?;
    let entries = cabinet.folder_entries().flat_map(|folder| folder.file_entries());
    let files: Vec<File> = entries
        .zip(stretches)
        .map(|(file, stretch)| File { name: file.name().to_owned(), end: stretch.end })
        .collect();
    let names = files.iter().map(|file| file.name.replace('\\', "/")).collect();
    Ok((Cab { cabinet, files }, names))
}

impl Cab {
    /// Returns how many bytes are unpacked to read the file at `index`: those before it in its folder as well.
    pub(super) fn depth(&self, index: usize) -> u64 {
        self.files.get(index).map_or(0, |file| file.end)
    }

    /// Reads the file at `index`.
    pub(super) fn read(
        &mut self,
        index: usize,
        name: &TargetPath,
        limit: u64,
    ) -> Result<Vec<u8>, ContainerError> {
        let missing = || ContainerError::Missing { name: name.clone() };
        let file = self.files.get(index).ok_or_else(missing)?;
        let stream = self
            .cabinet
            .read_file(&file.name)
            .map_err(|source| ContainerError::Damaged { name: name.clone(), source: source.into() })?;
        read_limited(stream, name, limit)
    }
}

/// What the `cab` crate does not check of a cabinet, by its own header (Microsoft Cabinet Format, `CFHEADER` ...).
///
/// A cut at the end would not show in the directory. A file that lies beyond the data of its folder makes the
/// crate panic, as does a stored block that is not as long as it says; a cabinet that goes on in another one can be no
/// bundle. Folders share no blocks: many that did would take as many times as long to look at. Each unpacked byte
/// belongs to one file, so that who does not sign cannot add any that would have to be unpacked all the same.
///
/// Returns where the files are, folder by folder.
fn check_layout(source: &mut dyn Source) -> Result<Vec<Stretch>, ContainerError> {
    let size = source.seek(SeekFrom::End(0)).map_err(ContainerError::Read)?;
    source.seek(SeekFrom::Start(0)).map_err(ContainerError::Read)?;
    let header = Fields::<36>::read(source)?;
    let (stated, files_at, flags) = (u64::from(header.u32(8)), header.u32(16), header.u16(30));
    if size != stated {
        let what =
            format!("{size} bytes where its header says {stated}: it is cut off or has something behind it");
        return Err(irregular(what));
    }
    if flags & (PREVIOUS | NEXT) != 0 {
        return Err(irregular("parts in another cabinet".to_owned()));
    }
    let mut reserved = [0; 4];
    if flags & RESERVED != 0 {
        source.read_exact(&mut reserved).map_err(directory)?;
    }
    let [low, high, per_folder, per_block] = reserved;
    skip(source, u16::from_le_bytes([low, high]).into())?;
    let mut folders = Vec::new();
    for _ in 0..header.u16(26) {
        let folder = Fields::<8>::read(source)?;
        skip(source, per_folder.into())?;
        folders.push((folder.u32(0), folder.u16(4), folder.u16(6)));
    }
    let blocks: u64 = folders.iter().map(|(_, blocks, _)| u64::from(*blocks)).sum();
    if blocks > size / BLOCK as u64 {
        return Err(irregular(format!("{blocks} data blocks, for which it has no room")));
    }
    let mut sizes = Vec::new();
    for (data_at, blocks, kind) in folders {
        let packing = if kind & KIND == STORED { Packing::Stored } else { Packing::Compressed };
        sizes.push(folder_size(source, data_at.into(), blocks, packing, per_block.into())?);
    }
    source.seek(SeekFrom::Start(files_at.into())).map_err(ContainerError::Read)?;
    let mut stretches = Vec::new();
    for _ in 0..header.u16(28) {
        let file = Fields::<16>::read(source)?;
        let start = u64::from(file.u32(4));
        let stretch = Stretch { folder: file.u16(8), start, end: start + u64::from(file.u32(0)) };
        if sizes.get(usize::from(stretch.folder)).is_none_or(|size| stretch.end > *size) {
            let end = stretch.end;
            return Err(irregular(format!("a file that ends at byte {end} of a folder that is shorter")));
        }
        stretches.push(stretch);
        // The name, to its end.
        while Fields::<1>::read(source)?.0 != [0] {}
    }
    check_tiling(&stretches, &sizes)?;
    stretches.sort_by_key(|stretch| stretch.folder);
    source.seek(SeekFrom::Start(0)).map_err(ContainerError::Read)?;
    Ok(stretches)
}

/// Where a file is in the unpacked data of a folder.
#[derive(Clone, Copy)]
struct Stretch {
    folder: u16,
    start: u64,
    end: u64,
}

/// Refuses folders of these unpacked sizes in which bytes belong to no file, or to several.
fn check_tiling(stretches: &[Stretch], sizes: &[u64]) -> Result<(), ContainerError> {
    let mut sorted = stretches.to_vec();
    sorted.sort_by_key(|stretch| (stretch.folder, stretch.start, stretch.end));
    let mut ends = vec![0; sizes.len()];
    for Stretch { folder, start, end } in sorted {
        let Some(reached) = ends.get_mut(usize::from(folder)) else { continue };
        if start != *reached {
            let what = format!(
                "a file that begins at byte {start} of a folder where the one before ends at {reached}"
            );
            return Err(irregular(what));
        }
        *reached = end;
    }
    match ends.iter().zip(sizes).find(|(end, size)| end != size) {
        Some((end, size)) => {
            Err(irregular(format!("a folder of {size} bytes whose files end at byte {end}")))
        }
        None => Ok(()),
    }
}

/// Flags of a cabinet's header.
const PREVIOUS: u16 = 1;
const NEXT: u16 = 2;
const RESERVED: u16 = 4;
/// Bytes before the data of a block, without those reserved.
const BLOCK: usize = 8;
/// How a folder is compressed, without the parameters; 0: not at all.
const KIND: u16 = 0xf;
const STORED: u16 = 0;

/// Whether blocks are compressed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    Stored,
    Compressed,
}

/// Adds up the unpacked sizes of a folder's data blocks.
fn folder_size(
    source: &mut dyn Source,
    data_at: u64,
    blocks: u16,
    packing: Packing,
    reserved: i64,
) -> Result<u64, ContainerError> {
    source.seek(SeekFrom::Start(data_at)).map_err(ContainerError::Read)?;
    let mut size = 0;
    for _ in 0..blocks {
        let block = Fields::<BLOCK>::read(source)?;
        let (packed, unpacked) = (block.u16(4), block.u16(6));
        if packing == Packing::Stored && packed != unpacked {
            return Err(irregular(format!("a stored block of {packed} bytes that are to be {unpacked}")));
        }
        size += u64::from(unpacked);
        skip(source, reserved + i64::from(packed))?;
    }
    Ok(size)
}

fn skip(source: &mut dyn Source, bytes: i64) -> Result<(), ContainerError> {
    source.seek(SeekFrom::Current(bytes)).map_err(ContainerError::Read).map(drop)
}

/// A structure of fixed size whose fields are read little-endian; an offset is a constant within it.
struct Fields<const N: usize>([u8; N]);

impl<const N: usize> Fields<N> {
    fn read(source: &mut dyn Source) -> Result<Self, ContainerError> {
        let mut bytes = [0; N];
        source.read_exact(&mut bytes).map_err(directory)?;
        Ok(Self(bytes))
    }

    fn u16(&self, at: usize) -> u16 {
        let bytes = self.0.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
        u16::from_le_bytes(bytes.expect("the field lies in the structure"))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from(self.u16(at)) | u32::from(self.u16(at + 2)) << 16
    }
}

fn irregular(what: String) -> ContainerError {
    ContainerError::Irregular { kind: ContainerKind::Cab, what }
}

fn directory(error: Error) -> ContainerError {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            ContainerError::Directory { kind: ContainerKind::Cab, source: error.into() }
        }
        _ => ContainerError::Read(error),
    }
}

#[cfg(test)]
mod fixture;

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::fixture::{LZX, cabinet, cabinet_of};
    use super::*;
    use crate::bundle::container::Container;

    fn read(cabinet: Vec<u8>) -> Result<Vec<u8>, ContainerError> {
        Container::open(Cursor::new(cabinet))?.read(&"f".parse().unwrap(), 1 << 20)
    }

    #[test]
    fn stored_blocks_and_those_of_lzx_are_read() {
        assert_eq!(read(cabinet(STORED, &[(b"hello ", 6), (b"world", 5)], 1)).unwrap(), b"hello world");
        let lzx = b"\0\x30\x30\0\x01\0\0\0\x01\0\0\0\x01\0\0\0abc\0";
        assert_eq!(read(cabinet(LZX, &[(lzx, 3)], 1)).unwrap(), b"abc");
    }

    /// The `cab` crate gives out what is there, counts what is stated, and panics where they part.
    #[test]
    fn a_stored_block_of_another_size_than_stated_is_refused() {
        for blocks in [&[(&b"hello"[..], 6), (b"world", 5)], &[(b"hello", 4), (b"world", 5)]] {
            let error = read(cabinet(STORED, blocks, 1)).unwrap_err();
            assert!(matches!(error, ContainerError::Irregular { .. }), "{error:?}");
        }
    }

    #[test]
    fn folders_cannot_make_much_of_little_by_sharing_their_blocks() {
        let blocks = vec![(&b""[..], 0); 60_000];
        let error = read(cabinet(STORED, &blocks, 60_000)).unwrap_err();
        assert!(matches!(error, ContainerError::Irregular { .. }), "{error:?}");
    }

    #[test]
    fn every_unpacked_byte_belongs_to_one_file() {
        let with = |files| read(cabinet_of(STORED, &[(b"hello ", 6), (b"world", 5)], 1, files));
        assert_eq!(with(&[("e", 11, 0), ("d", 5, 6), ("f", 0, 5)]).unwrap(), b"hello");
        for (files, words) in [
            (
                &[("f", 0, 11), ("g", 0, 11)][..],
                "begins at byte 0 of a folder where the one before ends at 11",
            ),
            (&[("f", 0, 6), ("g", 5, 6)], "begins at byte 5 of a folder where the one before ends at 6"),
            (&[("f", 1, 10)], "begins at byte 1 of a folder where the one before ends at 0"),
            (&[("f", 0, 5), ("g", 6, 5)], "begins at byte 6 of a folder where the one before ends at 5"),
            (&[("f", 0, 10)], "a folder of 11 bytes whose files end at byte 10"),
            (&[], "a folder of 11 bytes whose files end at byte 0"),
            (&[("f", 0, 12)], "ends at byte 12 of a folder that is shorter"),
        ] {
            let message = with(files).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn not_much_is_unpacked_before_anything_is_believed() {
        let block = vec![0; 0x8000];
        let blocks = vec![(block.as_slice(), 0x8000); 1024];
        let last = 1024 * 0x8000 - 1;
        let cabinet = cabinet_of(STORED, &blocks, 1, &[("f", 0, last), ("g", last, 1)]);
        let mut container = Container::open(Cursor::new(cabinet)).unwrap();
        let name = "g".parse().unwrap();
        for _ in 0..32 {
            assert_eq!(container.read_early(&name, 1).unwrap(), [0]);
        }
        let error = container.read_early(&name, 1).unwrap_err();
        assert!(matches!(error, ContainerError::TooDeep { needed: 0x4200_0000, .. }), "{error}");
        assert_eq!(container.read(&name, 1).unwrap(), [0]);
    }
}
