//! A zip archive, as it was shipped.
//!
//! Unlike a bundle it was made by any tool of its time: folder entries and `\` between components are taken.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use ::zip::ZipArchive;
use ::zip::result::ZipError;

use qfe_patcher::bundle::manifest::MAX_MEMBER;

use super::archive::{Bytes, Entry};
use super::{MAX_FILES, SourceError, read_limited};

/// Most bytes that are read of an archive before its files are counted: what the entries of so many files need, and more.
const MAX_DIRECTORY: u64 = 16 << 20;

/// The bytes of an archive, of which no more than a limit are read as long as there is one: the directory of a hundred
/// megabytes is of millions of files, and would stand in memory four times over before anybody had counted them.
struct Limited {
    bytes: Box<dyn Bytes>,
    left: Rc<Cell<Option<u64>>>,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(left) = self.left.get() else { return self.bytes.read(buffer) };
        if left == 0 {
            return Err(io::Error::other(format!("its directory has more than {MAX_DIRECTORY} bytes")));
        }
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.bytes.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left.set(Some(left.saturating_sub(read as u64)));
        Ok(read)
    }
}

impl Seek for Limited {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

/// An opened archive.
pub(super) struct Zip {
    archive: ZipArchive<Limited>,
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
    let left = Rc::new(Cell::new(Some(MAX_DIRECTORY)));
    let mut archive = ZipArchive::new(Limited { bytes, left: Rc::clone(&left) }).map_err(fault)?;
    left.set(None);
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_directory_is_not_read_beyond_what_any_archive_needs() {
        // Entries of 46 bytes without a name, as many as the end of the directory says.
        let entry = [b"PK\x01\x02".as_slice(), &[0; 42]].concat();
        let count = usize::try_from(MAX_DIRECTORY).unwrap() / entry.len() + 1_000;
        let directory = entry.repeat(count);
        let size = u64::try_from(directory.len()).unwrap();
        let end = [
            b"PK\x06\x06".as_slice(),
            &44_u64.to_le_bytes(),
            &[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &(count as u64).to_le_bytes(),
            &(count as u64).to_le_bytes(),
            &size.to_le_bytes(),
            &0_u64.to_le_bytes(),
            b"PK\x06\x07",
            &[0; 4],
            &size.to_le_bytes(),
            &1_u32.to_le_bytes(),
            b"PK\x05\x06",
            &[0; 4],
            &[0xff; 12],
            &[0; 2],
        ]
        .concat();
        let error = open(Box::new(Cursor::new([directory, end].concat())), "a.zip").unwrap_err();
        let shown = qfe_patcher::chain::line(&error);
        assert!(shown.contains("its directory has more than 16777216 bytes"), "{shown}");
    }
}
