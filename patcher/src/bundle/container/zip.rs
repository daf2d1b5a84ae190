//! Zip archives, read through the `zip` crate and held to what bundles need.
//!
//! The crate finds entries by the central directory; the checks here refuse archives that another reader
//! could see differently: prefixed or overlapping entries, duplicate names, local headers that disagree.

use ::zip::result::ZipError;
use ::zip::{CompressionMethod, ZipArchive};

use super::{ContainerError, ContainerKind, Source, check_count, read_limited};
use crate::target_path::TargetPath;

/// An opened zip archive.
pub(super) struct Zip(ZipArchive<Box<dyn Source>>);

/// Reads the directory and returns the archive with the names of its entries in order.
pub(super) fn open(source: Box<dyn Source>) -> Result<(Zip, Vec<String>), ContainerError> {
    let mut archive = ZipArchive::new(source).map_err(directory)?;
    check_count(archive.len())?;
    if archive.has_duplicate_names() {
        return Err(irregular("one name twice".to_owned()));
    }
    if archive.offset() != 0 {
        return Err(irregular(format!("{} bytes before its first entry", archive.offset())));
    }
    if archive.has_overlapping_entries().map_err(directory)? {
        return Err(irregular("entries that overlap".to_owned()));
    }
    archive.validate_header_consistency().map_err(directory)?;
    let mut names = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(directory)?;
        let name = entry.name().map_err(directory)?.into_owned();
        if !entry.is_file() {
            return Err(irregular(format!("{name:?}, which is a folder or a link")));
        }
        if entry.encrypted() {
            return Err(irregular(format!("{name:?}, which is encrypted")));
        }
        match entry.compression() {
            CompressionMethod::Stored | CompressionMethod::Deflated => {}
            other => return Err(irregular(format!("{name:?} compressed by {other:?}"))),
        }
        names.push(name);
    }
    Ok((Zip(archive), names))
}

impl Zip {
    /// Reads the entry at `index`.
    pub(super) fn read(
        &mut self,
        index: usize,
        name: &TargetPath,
        limit: u64,
    ) -> Result<Vec<u8>, ContainerError> {
        let entry = self
            .0
            .by_index(index)
            .map_err(|source| ContainerError::Damaged { name: name.clone(), source: source.into() })?;
        read_limited(entry, name, limit)
    }
}

fn directory(error: ZipError) -> ContainerError {
    match error {
        ZipError::Io(source) if source.kind() != std::io::ErrorKind::UnexpectedEof => {
            ContainerError::Read(source)
        }
        other => ContainerError::Directory { kind: ContainerKind::Zip, source: other.into() },
    }
}

fn irregular(what: String) -> ContainerError {
    ContainerError::Irregular { kind: ContainerKind::Zip, what }
}
