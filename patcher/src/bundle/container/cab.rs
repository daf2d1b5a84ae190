//! Cabinets, read through the `cab` crate and held to what bundles need.
//!
//! Names in a cabinet are separated by `\`; they are taken with `/`, as everywhere here.

use std::io::{Error, ErrorKind, SeekFrom};

use ::cab::Cabinet;

use super::{ContainerError, ContainerKind, Source, check_count, read_limited};
use crate::target_path::TargetPath;

/// An opened cabinet, with the names as they are spelled in it.
pub(super) struct Cab {
    cabinet: Cabinet<Box<dyn Source>>,
    spelled: Vec<String>,
}

/// Reads the directory and returns the cabinet with the names of its files in order.
pub(super) fn open(mut source: Box<dyn Source>) -> Result<(Cab, Vec<String>), ContainerError> {
    check_layout(&mut source)?;
    let cabinet = Cabinet::new(source).map_err(directory)?;
    check_count(cabinet.folder_entries().map(|folder| folder.file_entries().len()).sum())?;
    let spelled: Vec<String> = cabinet
        .folder_entries()
        .flat_map(|folder| folder.file_entries())
        .map(|file| file.name().to_owned())
        .collect();
    let names = spelled.iter().map(|name| name.replace('\\', "/")).collect();
    Ok((Cab { cabinet, spelled }, names))
}

impl Cab {
    /// Reads the file at `index`.
    pub(super) fn read(
        &mut self,
        index: usize,
        name: &TargetPath,
        limit: u64,
    ) -> Result<Vec<u8>, ContainerError> {
        let missing = || ContainerError::Missing { name: name.clone() };
        let spelled = self.spelled.get(index).ok_or_else(missing)?;
        let stream = self
            .cabinet
            .read_file(spelled)
            .map_err(|source| ContainerError::Damaged { name: name.clone(), source: source.into() })?;
        read_limited(stream, name, limit)
    }
}

/// What the `cab` crate does not check of a cabinet, by its own header (Microsoft Cabinet Format, `CFHEADER` ...).
///
/// A cut at the end would not show in the directory. A file that lies beyond the data of its folder makes the
/// crate panic; a cabinet that goes on in another one can be no bundle.
fn check_layout(source: &mut dyn Source) -> Result<(), ContainerError> {
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
        folders.push((folder.u32(0), folder.u16(4)));
    }
    let mut sizes = Vec::new();
    for (data_at, blocks) in folders {
        sizes.push(folder_size(source, data_at.into(), blocks, per_block.into())?);
    }
    source.seek(SeekFrom::Start(files_at.into())).map_err(ContainerError::Read)?;
    for _ in 0..header.u16(28) {
        let file = Fields::<16>::read(source)?;
        let end = u64::from(file.u32(0)) + u64::from(file.u32(4));
        if sizes.get(usize::from(file.u16(8))).is_none_or(|size| end > *size) {
            return Err(irregular(format!("a file that ends at byte {end} of a folder that is shorter")));
        }
        // The name, to its end.
        while Fields::<1>::read(source)?.0 != [0] {}
    }
    source.seek(SeekFrom::Start(0)).map_err(ContainerError::Read).map(drop)
}

/// Flags of a cabinet's header.
const PREVIOUS: u16 = 1;
const NEXT: u16 = 2;
const RESERVED: u16 = 4;

/// Adds up the unpacked sizes of a folder's data blocks.
fn folder_size(
    source: &mut dyn Source,
    data_at: u64,
    blocks: u16,
    reserved: i64,
) -> Result<u64, ContainerError> {
    source.seek(SeekFrom::Start(data_at)).map_err(ContainerError::Read)?;
    let mut size = 0;
    for _ in 0..blocks {
        let block = Fields::<8>::read(source)?;
        size += u64::from(block.u16(6));
        skip(source, reserved + i64::from(block.u16(4)))?;
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
