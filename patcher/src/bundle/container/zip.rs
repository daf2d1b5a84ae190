//! Zip archives (PKWARE APPNOTE 6.3), as strictly as two readers must agree on what is in them.
//!
//! ```text
//! [ program, key ring ]  local header, data, [ descriptor ]  ...  central headers  [ zip64 end, locator ]  end [ comment ]
//! ```
//!
//! Every byte of the archive belongs to exactly one of these: entries that overlap, and bytes between them that belong to
//! nothing, are refused. Positions count from the file's beginning, also behind a program (see [`super::program`]), where
//! other readers find them without a warning. All numbers are little-endian; columns are offset, size.
//!
//! | end | | central header | | local header | | descriptor | |
//! |---|---|---|---|---|---|---|---|
//! | 0, 4 | `PK\5\6` | 0, 4 | `PK\1\2` | 0, 4 | `PK\3\4` | 0, 4 | `PK\7\8`, or absent |
//! | 4, 2 | this disk: 0 | 4, 2 | made by (its high byte is 3 on Unix) | 4, 2 | version: not read | +0, 4 | CRC-32 |
//! | 6, 2 | disk of the directory: 0 | 6, 2 | version: not read | 6, 2 | flags | +4, 4 or 8 | packed size |
//! | 8, 2 | entries on this disk | 8, 2 | flags | 8, 2 | method | then 4 or 8 | size |
//! | 10, 2 | entries | 10, 2 | method: 0 stored, 8 deflated | 10, 4 | time: not read | | |
//! | 12, 4 | size of all central headers | 12, 4 | time: not read | 14, 4 | CRC-32 | | |
//! | 16, 4 | position of the first | 16, 4 | CRC-32 | 18, 4 | packed size | | |
//! | 20, 2 | length of the comment | 20, 4 | packed size | 22, 4 | size | | |
//! | | | 24, 4 | size | 26, 2 | length of the name | | |
//! | | | 28, 2 | length of the name | 28, 2 | length of the extra field | | |
//! | | | 30, 2 | length of the extra field | 30 | name, extra field, data | | |
//! | | | 32, 2 | length of the comment | | | | |
//! | | | 34, 2 | disk: 0 | | | | |
//! | | | 36, 2 | not read | | | | |
//! | | | 38, 4 | attributes; on Unix the high half is the mode | | | | |
//! | | | 42, 4 | position of the local header | | | | |
//! | | | 46 | name, extra field, comment | | | | |
//!
//! | zip64 locator | | zip64 end | |
//! |---|---|---|---|
//! | 0, 4 | `PK\6\7` | 0, 4 | `PK\6\6` |
//! | 4, 4 | disk: 0 | 4, 8 | bytes that follow: 44 |
//! | 8, 8 | position of the zip64 end | 12, 4 | versions: not read |
//! | 16, 4 | disks: 1 | 16, 4; 20, 4 | disks: 0 |
//! | | | 24, 8; 32, 8 | entries on this disk, entries |
//! | | | 40, 8; 48, 8 | size of all central headers, position of the first |
//!
//! **Zip64.** A field that is all ones stands for one in the zip64 end, or in the extra field with id 1: size, packed size,
//! position, each 8 bytes, those that are needed. Where the zip64 end is there, what is not all ones must agree with it.
//!
//! **Flags.** 1 and 2 (how hard it was deflated), 3 (a descriptor follows, and CRC and sizes of the local header are 0),
//! 11 (the name is UTF-8). Any other is refused, of which 0 means encrypted.
//!
//! **Refused as well:** folders, links and devices; names that the central and the local header give differently; the
//! extra field 0x7075, which gives another name; a comment that holds the mark of another end.
//!
//! Not its business: whether names are safe and unique, which [`super::Container`] sees to.

use std::io::{ErrorKind, SeekFrom};

use self::bytes::{Bytes, crc32};
use self::directory::{Directory, Header};
use self::inflate::inflate;
use super::{ContainerError, ContainerKind, Source};
use crate::target_path::TargetPath;

mod bytes;
mod directory;
mod inflate;

/// An opened archive.
pub(super) struct Zip {
    source: Box<dyn Source>,
    entries: Vec<Entry>,
}

/// Where the data of an entry is, and what they are.
#[derive(Clone, Copy, Debug)]
struct Entry {
    method: Method,
    at: u64,
    packed: u64,
    size: u64,
    crc: u32,
}

/// How data are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Stored,
    Deflated,
}

/// Reads the directory and all local headers, and returns the archive, which begins at byte `start`, with the names of its entries
/// in order.
pub(super) fn open(mut source: Box<dyn Source>, start: u64) -> Result<(Zip, Vec<String>), ContainerError> {
    let directory = Directory::read(source.as_mut())?;
    let headers = &directory.headers;
    let mut order: Vec<usize> = (0..headers.len()).collect();
    let position = |index: &usize| headers.get(*index).map_or(0, |header| header.position);
    order.sort_by_key(position);
    let first = order.first().map_or(directory.start, position);
    require_place(source.as_mut(), &directory, first, start)?;
    match first.checked_sub(start) {
        Some(0) => {}
        Some(more) => return Err(ContainerError::Before { more }),
        None => return Err(irregular(format!("an entry at byte {first}, in the program before it"))),
    }
    let mut entries = vec![None; headers.len()];
    for (turn, index) in order.iter().enumerate() {
        let end = order.get(turn + 1).map_or(directory.start, position);
        if let (Some(header), Some(entry)) = (headers.get(*index), entries.get_mut(*index)) {
            *entry = Some(locate(source.as_mut(), header, end)?);
        }
    }
    let entries = entries.into_iter().flatten().collect();
    let names = headers.iter().map(|header| String::from_utf8_lossy(&header.name).into_owned()).collect();
    Ok((Zip { source, entries }, names))
}

/// Requires that the directory is where its end says, and finds out why it is not: what was put before an archive later moves
/// all of it, and so its first entry.
fn require_place(
    source: &mut dyn Source,
    directory: &Directory,
    first: u64,
    start: u64,
) -> Result<(), ContainerError> {
    let Directory { start: found, stated, .. } = directory;
    if found == stated {
        return Ok(());
    }
    let moved = found.checked_sub(*stated).and_then(|by| first.checked_add(by));
    if let Some(moved) = moved.filter(|moved| *moved < *found)
        && read_at(source, moved, LOCAL.len())? == LOCAL
        && let Some(more) = moved.checked_sub(start)
    {
        return Err(match more {
            0 => ContainerError::Moved { by: start },
            more => ContainerError::Before { more },
        });
    }
    Err(damaged(format!("the directory is at byte {found}, its end says at {stated}")))
}

/// Flags of an entry that are understood.
const DEFLATE_LEVEL: u16 = 0b110;
const DESCRIPTOR: u16 = 1 << 3;
const UTF8: u16 = 1 << 11;

const LOCAL: &[u8; 4] = b"PK\x03\x04";
const LOCAL_SIZE: usize = 30;
const DESCRIPTOR_MARK: &[u8; 4] = b"PK\x07\x08";

/// Finds the data of an entry, and holds its local header and descriptor against the central one. They fill all bytes up to
/// `end`, where the next entry or the directory begins.
fn locate(source: &mut dyn Source, header: &Header, end: u64) -> Result<Entry, ContainerError> {
    let name = String::from_utf8_lossy(&header.name);
    let start = read_at(source, header.position, LOCAL_SIZE)?;
    let mut fields = Bytes(&start);
    if fields.take(4) != Some(LOCAL) {
        return Err(damaged(format!(
            "at byte {} is no local header, where {name:?} should be",
            header.position
        )));
    }
    let local = Local::read(&mut fields).ok_or_else(cut)?;
    let (name_len, extra_len) = (local.name_len, local.extra_len);
    let rest_at = header.position.saturating_add(LOCAL_SIZE as u64);
    let rest = read_at(source, rest_at, name_len + extra_len)?;
    let (local_name, extra) = rest.split_at_checked(name_len).ok_or_else(cut)?;
    let disagrees = |what: &str, local: &dyn std::fmt::Debug, central: &dyn std::fmt::Debug| {
        irregular(format!(
            "{name:?}, of which the local header has {what} {local:?} and the directory {central:?}"
        ))
    };
    if local_name != header.name {
        return Err(disagrees("the name", &String::from_utf8_lossy(local_name), &name));
    }
    if local.flags != header.flags {
        return Err(disagrees("flags", &local.flags, &header.flags));
    }
    if local.method != header.method_number {
        return Err(disagrees("method", &local.method, &header.method_number));
    }
    let mut wide = directory::zip64(extra, &name)?;
    let is_wide = wide.is_some();
    let size = directory::widen(local.size, &mut wide).ok_or_else(cut)?;
    let packed = directory::widen(local.packed, &mut wide).ok_or_else(cut)?;
    let has_descriptor = header.flags & DESCRIPTOR != 0;
    for (what, local, central) in [
        ("CRC-32", u64::from(local.crc), u64::from(header.crc)),
        ("packed size", packed, header.packed),
        ("size", size, header.size),
    ] {
        if local != central && !(has_descriptor && local == 0) {
            return Err(disagrees(what, &local, &central));
        }
    }
    let at = rest_at.saturating_add(rest.len() as u64);
    let behind = at.saturating_add(header.packed);
    let Some(gap) = end.checked_sub(behind) else {
        return Err(irregular(format!(
            "{name:?}, which ends at byte {behind} where something else begins at {end}"
        )));
    };
    if has_descriptor {
        check_descriptor(source, header, &name, behind, gap, is_wide)?;
    } else if gap > 0 {
        return Err(irregular(format!("{gap} bytes behind {name:?} that belong to nothing")));
    }
    Ok(Entry { method: header.method, at, packed: header.packed, size: header.size, crc: header.crc })
}

/// What a local header says.
struct Local {
    flags: u16,
    method: u16,
    crc: u32,
    packed: u32,
    size: u32,
    name_len: usize,
    extra_len: usize,
}

impl Local {
    /// Reads what follows the mark.
    fn read(fields: &mut Bytes<'_>) -> Option<Self> {
        fields.u16()?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        fields.u32()?;
        let (crc, packed, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name_len, extra_len) = (fields.u16()?.into(), fields.u16()?.into());
        Some(Self { flags, method, crc, packed, size, name_len, extra_len })
    }
}

/// Holds a descriptor against the directory; how long the space is that it fills says whether it begins with its mark.
fn check_descriptor(
    source: &mut dyn Source,
    header: &Header,
    name: &str,
    at: u64,
    gap: u64,
    is_wide: bool,
) -> Result<(), ContainerError> {
    let plain = if is_wide { 20 } else { 12 };
    if gap != plain && gap != plain + 4 {
        let wanted = format!("{plain} or {} are wanted", plain + 4);
        return Err(irregular(format!("{gap} bytes behind {name:?} for its descriptor, where {wanted}")));
    }
    let bytes = read_at(source, at, to_usize(gap)?)?;
    let mut fields = Bytes(&bytes);
    let is_marked = gap == plain || fields.take(4) == Some(DESCRIPTOR_MARK);
    let crc = fields.u32();
    let mut number = || if is_wide { fields.u64() } else { fields.u32().map(u64::from) };
    let sizes = (number(), number());
    if is_marked && (crc, sizes) == (Some(header.crc), (Some(header.packed), Some(header.size))) {
        return Ok(());
    }
    Err(irregular(format!("a descriptor behind {name:?} that says something else than the directory")))
}

impl Zip {
    /// Reads the entry at `index`.
    pub(super) fn read(
        &mut self,
        index: usize,
        name: &TargetPath,
        limit: u64,
    ) -> Result<Vec<u8>, ContainerError> {
        let missing = || ContainerError::Missing { name: name.clone() };
        let entry = *self.entries.get(index).ok_or_else(missing)?;
        if entry.size > limit {
            return Err(ContainerError::TooLarge { name: name.clone(), limit });
        }
        let wrong = |what: String| ContainerError::Damaged { name: name.clone(), source: what.into() };
        let source = self.source.as_mut();
        source.seek(SeekFrom::Start(entry.at)).map_err(ContainerError::Read)?;
        let bytes = match entry.method {
            Method::Stored if entry.packed == entry.size => read_next(source, to_usize(entry.size)?)?,
            Method::Stored => {
                return Err(wrong(format!("it is stored as {} bytes, and has {}", entry.packed, entry.size)));
            }
            Method::Deflated => inflate(source, entry.packed, entry.size, wrong)?,
        };
        let found = crc32(&bytes);
        if found != entry.crc {
            return Err(wrong(format!("its CRC-32 is {found:08x}, the directory says {:08x}", entry.crc)));
        }
        Ok(bytes)
    }
}

/// Reads so many bytes from a position.
pub(super) fn read_at(source: &mut dyn Source, at: u64, len: usize) -> Result<Vec<u8>, ContainerError> {
    source.seek(SeekFrom::Start(at)).map_err(ContainerError::Read)?;
    read_next(source, len)
}

/// Reads so many bytes; the caller knows that the file has as many.
fn read_next(source: &mut dyn Source, len: usize) -> Result<Vec<u8>, ContainerError> {
    let mut bytes = vec![0; len];
    source.read_exact(&mut bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => cut(),
        _ => ContainerError::Read(error),
    })?;
    Ok(bytes)
}

fn to_usize(number: u64) -> Result<usize, ContainerError> {
    usize::try_from(number).map_err(|_| irregular(format!("{number} bytes in one piece")))
}

fn irregular(what: String) -> ContainerError {
    ContainerError::Irregular { kind: ContainerKind::Zip, what }
}

fn damaged(what: String) -> ContainerError {
    ContainerError::Directory { kind: ContainerKind::Zip, source: what.into() }
}

fn cut() -> ContainerError {
    damaged("it ends within a structure".to_owned())
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
