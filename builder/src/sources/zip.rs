//! A zip archive, as it was shipped.
//!
//! Unlike a bundle it was made by any tool of its time: folder entries and `\` between components are taken.

use std::fmt;
use std::io::Read;

use ::zip::ZipArchive;
use ::zip::result::ZipError;

use qfe_patcher::bundle::manifest::MAX_MEMBER;

use super::archive::{Bytes, Entry};
use super::{MAX_FILES, SourceError, read_limited};

/// An opened archive.
pub(super) struct Zip {
    archive: ZipArchive<Box<dyn Bytes>>,
    /// Position in the archive of each entry that is no folder.
    indices: Vec<usize>,
}

impl fmt::Debug for Zip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zip").field("indices", &self.indices).finish_non_exhaustive()
    }
}

/// Opens an archive and lists what is no folder.
pub(super) fn open(bytes: Box<dyn Bytes>, shown: &str) -> Result<(Zip, Vec<Entry>), SourceError> {
    let fault = |error: ZipError| fault(shown, error);
    let mut archive = ZipArchive::new(bytes).map_err(fault)?;
    if archive.has_duplicate_names() {
        let (path, source) = (shown.to_owned(), "one name stands there twice".into());
        return Err(SourceError::Archive { path, kind: "zip", source });
    }
    if archive.len() > MAX_FILES {
        return Err(SourceError::TooMany { path: shown.to_owned(), what: "files", limit: MAX_FILES });
    }
    let (mut indices, mut entries) = (Vec::new(), Vec::new());
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(fault)?;
        let name = entry.name().map_err(fault)?.replace('\\', "/");
        if entry.is_dir() || name.ends_with('/') {
            continue;
        }
        let fault = match (entry.encrypted(), entry.is_file()) {
            (true, _) => Some("encrypted"),
            (false, false) => Some("a link"),
            (false, true) => None,
        };
        indices.push(index);
        entries.push(Entry { name, size: entry.size(), fault });
    }
    Ok((Zip { archive, indices }, entries))
}

impl Zip {
    /// Reads the entry at `index` of the list, which is to have `size` bytes.
    pub(super) fn read(&mut self, index: usize, size: u64, shown: &str) -> Result<Vec<u8>, SourceError> {
        let index = self.indices.get(index).ok_or_else(|| SourceError::Absent { path: shown.to_owned() })?;
        let entry = self.archive.by_index(*index).map_err(|error| fault(shown, error))?;
        let bytes = read_limited(entry.take(size.saturating_add(1)), MAX_MEMBER, shown)?;
        if bytes.len() as u64 == size {
            return Ok(bytes);
        }
        let source = format!("it does not unpack to the {size} bytes that the directory says").into();
        Err(SourceError::Archive { path: shown.to_owned(), kind: "zip", source })
    }
}

fn fault(shown: &str, error: ZipError) -> SourceError {
    SourceError::Archive { path: shown.to_owned(), kind: "zip", source: error.into() }
}
