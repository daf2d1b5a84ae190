//! Archives as they were shipped, of whatever kind: a listing, and the bytes of each entry.
//!
//! ```text
//! update.zip/i386                the folder i386 of a zip, cabinet or self-extracting program
//! update.zip/Q252717.exe/i386    the same, of an archive in an archive
//! ```
//!
//! What a file is, its first bytes say, not its name. A program stands for the archive that it carries. A file in an archive
//! may be an archive again, once; where a folder and a file could be meant, it is the folder.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use qfe_patcher::bundle::manifest::MAX_MEMBER;

use super::{SourceError, cab, program, read_limited, zip};

/// Most bytes that are unpacked of one archive: all that is read of it may stand in memory at once.
pub(super) const MAX_UNPACKED: u64 = 2 << 30;

/// What an archive is read from: a file, or bytes in memory.
pub(super) trait Bytes: Read + Seek {}
impl<T: Read + Seek> Bytes for T {}

/// What an archive says of an entry that is no folder.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name, with `/` between components.
    pub(super) name: String,
    /// How many bytes it is to have.
    pub(super) size: u64,
    /// What it is, if that is no plain file.
    pub(super) fault: Option<&'static str>,
}

/// An opened archive, or a folder inside one.
#[derive(Debug)]
pub(super) struct Archive {
    reader: Reader,
    /// Of the files of the folder: their place in the archive, and how many bytes they are to have.
    files: Vec<(usize, u64)>,
    unpacked: u64,
}

#[derive(Debug)]
enum Reader {
    Zip(zip::Zip),
    Cab(cab::Cab),
}

/// Whether an archive may be one in another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Outer,
    Inner,
}

/// Lists the folder `inner` of an archive and returns the names of its files below it.
pub(super) fn open(path: &Path, inner: &Path) -> Result<(Archive, Vec<String>), SourceError> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|source| SourceError::Read { path: shown.clone(), source })?;
    let inner: Vec<String> =
        inner.components().map(|component| component.as_os_str().to_string_lossy().into_owned()).collect();
    open_at(Box::new(BufReader::new(file)), &shown, &inner, Level::Outer)
}

fn open_at(
    bytes: Box<dyn Bytes>,
    shown: &str,
    inner: &[String],
    level: Level,
) -> Result<(Archive, Vec<String>), SourceError> {
    let (mut reader, entries) = Reader::open(bytes, shown)?;
    let folder: String = inner.iter().map(|component| format!("{component}/")).collect();
    let (mut files, mut names) = (Vec::new(), Vec::new());
    for (index, Entry { name, size, fault }) in entries.iter().enumerate() {
        let Some(name) = below(name, &folder) else { continue };
        if let Some(found) = fault {
            return Err(SourceError::NotPlain { path: format!("{shown}/{folder}{name}"), found });
        }
        files.push((index, *size));
        names.push(name.to_owned());
    }
    if !names.is_empty() || folder.is_empty() {
        return Ok((Archive { reader, files, unpacked: 0 }, names));
    }
    for depth in 1..=inner.len() {
        let Some((outer, rest)) = inner.split_at_checked(depth) else { continue };
        let name = outer.join("/");
        let found = entries.iter().position(|entry| entry.name.eq_ignore_ascii_case(&name));
        let Some((index, entry)) = found.and_then(|index| Some((index, entries.get(index)?))) else {
            continue;
        };
        let shown = format!("{shown}/{}", entry.name);
        if let Some(found) = entry.fault {
            return Err(SourceError::NotPlain { path: shown, found });
        }
        let bytes = reader.read(index, entry.size, &shown)?;
        return match (Kind::of(&bytes), level) {
            (None, _) => Err(unknown(shown, bytes.get(..4).unwrap_or(&bytes))),
            (Some(_), Level::Inner) => Err(SourceError::TooDeep { path: shown }),
            (Some(_), Level::Outer) => open_at(Box::new(Cursor::new(bytes)), &shown, rest, Level::Inner),
        };
    }
    Err(SourceError::NoFolder { path: shown.to_owned(), folder: inner.join("/") })
}

/// Returns the rest of `name` below `folder`, ignoring case.
fn below<'a>(name: &'a str, folder: &str) -> Option<&'a str> {
    let start = name.get(..folder.len())?;
    if start.eq_ignore_ascii_case(folder) { name.get(folder.len()..) } else { None }
}

/// What a file is by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Zip,
    Cab,
    Program,
}

impl Kind {
    fn of(start: &[u8]) -> Option<Self> {
        match start {
            [b'P', b'K', ..] => Some(Self::Zip),
            [b'M', b'S', b'C', b'F', ..] => Some(Self::Cab),
            [b'M', b'Z', ..] => Some(Self::Program),
            _ => None,
        }
    }

    /// Returns what it is called in messages.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Cab => "cabinet",
            Self::Program => "program",
        }
    }
}

fn unknown(path: String, found: &[u8]) -> SourceError {
    SourceError::UnknownKind { path, found: found.to_vec() }
}

impl Reader {
    /// Opens an archive of the kind that its first bytes name, and lists it.
    fn open(mut bytes: Box<dyn Bytes>, shown: &str) -> Result<(Self, Vec<Entry>), SourceError> {
        let read = |source| SourceError::Read { path: shown.to_owned(), source };
        let mut start = Vec::new();
        bytes.by_ref().take(4).read_to_end(&mut start).map_err(read)?;
        bytes.seek(SeekFrom::Start(0)).map_err(read)?;
        let kind = Kind::of(&start).ok_or_else(|| unknown(shown.to_owned(), &start))?;
        let (kind, bytes): (Kind, Box<dyn Bytes>) = match kind {
            Kind::Program => {
                let (kind, carried) = program::carried(read_limited(bytes, MAX_MEMBER, shown)?, shown)?;
                (kind, Box::new(Cursor::new(carried)))
            }
            Kind::Zip | Kind::Cab => (kind, bytes),
        };
        if kind == Kind::Cab {
            cab::open(bytes, shown).map(|(cab, entries)| (Self::Cab(cab), entries))
        } else {
            zip::open(bytes, shown).map(|(zip, entries)| (Self::Zip(zip), entries))
        }
    }

    fn read(&mut self, index: usize, size: u64, shown: &str) -> Result<Vec<u8>, SourceError> {
        if size > MAX_MEMBER {
            return Err(SourceError::TooLarge { path: shown.to_owned(), limit: MAX_MEMBER, with: "" });
        }
        match self {
            Self::Zip(zip) => zip.read(index, size, shown),
            Self::Cab(cab) => cab.read(index, shown),
        }
    }
}

impl Archive {
    /// Reads the file at `index` of the list.
    pub(super) fn read(&mut self, index: usize, shown: &str) -> Result<Vec<u8>, SourceError> {
        let (index, size) =
            *self.files.get(index).ok_or_else(|| SourceError::Absent { path: shown.to_owned() })?;
        self.unpacked = self.unpacked.saturating_add(size);
        if self.unpacked > MAX_UNPACKED {
            let with = " with what was unpacked before it";
            return Err(SourceError::TooLarge { path: shown.to_owned(), limit: MAX_UNPACKED, with });
        }
        self.reader.read(index, size, shown)
    }
}
