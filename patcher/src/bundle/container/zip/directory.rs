//! The end of a zip archive, and the directory before it.

use std::io::SeekFrom;

use super::super::{ContainerError, Source, check_count};
use super::bytes::Bytes;
use super::{DEFLATE_LEVEL, DESCRIPTOR, Method, UTF8, cut, damaged, irregular, read_at, to_usize};

const END: &[u8; 4] = b"PK\x05\x06";
const END_SIZE: u64 = 22;
const MAX_COMMENT: u64 = 0xffff;
const LOCATOR: &[u8; 4] = b"PK\x06\x07";
const LOCATOR_SIZE: u64 = 20;
const END64: &[u8; 4] = b"PK\x06\x06";
const END64_SIZE: u64 = 56;
const CENTRAL: &[u8; 4] = b"PK\x01\x02";
/// Extra fields.
const ZIP64: u16 = 1;
const UNICODE_PATH: u16 = 0x7075;
/// Largest directory that is read: it stands in memory. It is several times that of the most members with the longest
/// names.
const MAX_DIRECTORY: u64 = 16 << 20;

/// The directory of an archive.
pub(super) struct Directory {
    /// Where it begins in the file: the last entry ends there.
    pub(super) start: u64,
    /// Where its end says that it begins.
    pub(super) stated: u64,
    pub(super) headers: Vec<Header>,
}

/// What the directory says of an entry.
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) method: Method,
    pub(super) method_number: u16,
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) size: u64,
    /// Where its local header is in the file.
    pub(super) position: u64,
}

impl Directory {
    /// Finds the end of an archive and reads the directory before it.
    pub(super) fn read(source: &mut dyn Source) -> Result<Self, ContainerError> {
        let file_size = source.seek(SeekFrom::End(0)).map_err(ContainerError::Read)?;
        let (end_at, end) = find_end(source, file_size)?;
        let (end_at, end) = widened(source, end_at, end)?;
        if end.disks != (0, 0) || end.entries_here != end.entries {
            return Err(irregular("entries on another disk".to_owned()));
        }
        check_count(to_usize(end.entries)?)?;
        if end.size > MAX_DIRECTORY {
            return Err(irregular(format!("a directory of {} bytes, more than {MAX_DIRECTORY}", end.size)));
        }
        let start = end_at.checked_sub(end.size).ok_or_else(|| {
            damaged(format!("the directory is to have {} bytes, and ends at byte {end_at}", end.size))
        })?;
        let bytes = read_at(source, start, to_usize(end.size)?)?;
        let mut rest = Bytes(&bytes);
        let mut headers = Vec::new();
        for _ in 0..end.entries {
            headers.push(Header::read(&mut rest)?);
        }
        if !rest.0.is_empty() {
            let count = end.entries;
            return Err(irregular(format!(
                "{} bytes behind the {count} entries of its directory",
                rest.0.len()
            )));
        }
        Ok(Self { start, stated: end.position, headers })
    }
}

/// What the end of an archive says of its directory.
#[derive(Clone, Copy)]
struct End {
    disks: (u32, u32),
    entries_here: u64,
    entries: u64,
    size: u64,
    position: u64,
}

impl End {
    /// Reads an end behind its mark, and how long its comment is to be.
    fn read(fields: &mut Bytes<'_>) -> Option<(Self, usize)> {
        let disks = (fields.u16()?.into(), fields.u16()?.into());
        let (entries_here, entries) = (fields.u16()?.into(), fields.u16()?.into());
        let (size, position) = (fields.u32()?.into(), fields.u32()?.into());
        Some((Self { disks, entries_here, entries, size, position }, fields.u16()?.into()))
    }

    /// Reads a zip64 end behind its mark.
    fn read64(fields: &mut Bytes<'_>) -> Option<Self> {
        // How many bytes follow, without which the structure would be another one; then versions.
        if fields.u64()? != END64_SIZE - 12 {
            return None;
        }
        fields.u32()?;
        let disks = (fields.u32()?, fields.u32()?);
        let (entries_here, entries) = (fields.u64()?, fields.u64()?);
        let (size, position) = (fields.u64()?, fields.u64()?);
        Some(Self { disks, entries_here, entries, size, position })
    }

    /// Tells whether a zip64 end says the same; of a field that is all ones only the zip64 end knows.
    fn agrees(&self, wide: &Self) -> bool {
        let agree = |narrow: u64, wide: u64, ones: u64| narrow == ones || narrow == wide;
        let agree_in_16 = |narrow, wide| agree(narrow, wide, u16::MAX.into());
        let agree_in_32 = |narrow, wide| agree(narrow, wide, u32::MAX.into());
        agree_in_16(self.disks.0.into(), wide.disks.0.into())
            && agree_in_16(self.disks.1.into(), wide.disks.1.into())
            && agree_in_16(self.entries_here, wide.entries_here)
            && agree_in_16(self.entries, wide.entries)
            && agree_in_32(self.size, wide.size)
            && agree_in_32(self.position, wide.position)
    }
}

/// Finds the end: the first whose comment reaches to the end of the file. No mark follows it, for readers that take the
/// last mark for the end would find another directory.
fn find_end(source: &mut dyn Source, file_size: u64) -> Result<(u64, End), ContainerError> {
    let tail_at = file_size.saturating_sub(END_SIZE + MAX_COMMENT);
    let tail = read_at(source, tail_at, to_usize(file_size - tail_at)?)?;
    let mut found = None;
    for (at, window) in tail.windows(END.len()).enumerate() {
        if window != END {
            continue;
        }
        if found.is_some() {
            return Err(irregular("the mark of a second end behind its end".to_owned()));
        }
        let mut fields = Bytes(tail.get(at + END.len()..).unwrap_or_default());
        found = End::read(&mut fields)
            .filter(|(_, comment)| *comment == fields.0.len())
            .map(|(end, _)| (tail_at + at as u64, end));
    }
    found.ok_or_else(|| {
        damaged("no end of a zip archive (PK 05 06) reaches to the end of the file".to_owned())
    })
}

/// Takes the zip64 end in place of the end, where there is one, with the position at which the directory ends.
fn widened(source: &mut dyn Source, end_at: u64, end: End) -> Result<(u64, End), ContainerError> {
    let Some(locator_at) = end_at.checked_sub(LOCATOR_SIZE) else { return Ok((end_at, end)) };
    let locator = read_at(source, locator_at, to_usize(LOCATOR_SIZE)?)?;
    let mut locator = Bytes(&locator);
    if locator.take(LOCATOR.len()) != Some(LOCATOR) {
        return Ok((end_at, end));
    }
    let place = (locator.u32(), locator.u64(), locator.u32());
    let at = locator_at.checked_sub(END64_SIZE).ok_or_else(cut)?;
    let bytes = read_at(source, at, to_usize(END64_SIZE)?)?;
    let mut fields = Bytes(&bytes);
    let is_marked = fields.take(END64.len()) == Some(END64);
    let wide = End::read64(&mut fields).filter(|_| is_marked).ok_or_else(|| {
        damaged(format!("at byte {at} is no zip64 end of {END64_SIZE} bytes, which its locator promises"))
    })?;
    let stated = wide.position.checked_add(wide.size);
    if place != (Some(0), stated, Some(1)) || !end.agrees(&wide) {
        return Err(irregular("an end that says something else than its zip64 end".to_owned()));
    }
    Ok((at, wide))
}

impl Header {
    /// Reads the next header.
    fn read(rest: &mut Bytes<'_>) -> Result<Self, ContainerError> {
        let raw = Raw::read(rest).ok_or_else(|| {
            damaged("its directory has fewer entries than its end says, or is cut off".to_owned())
        })?;
        let name = String::from_utf8_lossy(raw.name);
        let mut wide = zip64(raw.extra, &name)?;
        let mut number = |field| {
            widen(field, &mut wide)
                .ok_or_else(|| irregular(format!("{name:?}, whose zip64 extra field is too short")))
        };
        let (size, packed, position) = (number(raw.size)?, number(raw.packed)?, number(raw.position)?);
        // The disk stands in 16 bits, and would be all ones where the extra field had it.
        if raw.disk != 0 {
            return Err(irregular(format!("{name:?}, which is on disk {}", raw.disk)));
        }
        if raw.flags & 1 != 0 {
            return Err(irregular(format!("{name:?}, which is encrypted")));
        }
        if raw.flags & !(DEFLATE_LEVEL | DESCRIPTOR | UTF8) != 0 {
            return Err(irregular(format!("{name:?} with flags {:#06x}", raw.flags)));
        }
        let method = match raw.method {
            0 => Method::Stored,
            8 => Method::Deflated,
            other => return Err(irregular(format!("{name:?} packed by method {other}; stored or deflated"))),
        };
        if name.ends_with('/') || raw.is_special() {
            return Err(irregular(format!("{name:?}, which is a folder, a link or a device")));
        }
        let (flags, crc) = (raw.flags, raw.crc);
        Ok(Self {
            name: raw.name.to_vec(),
            flags,
            method,
            method_number: raw.method,
            crc,
            packed,
            size,
            position,
        })
    }
}

/// A central header as it stands there.
struct Raw<'b> {
    made_by: u16,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u32,
    size: u32,
    disk: u16,
    attributes: u32,
    position: u32,
    name: &'b [u8],
    extra: &'b [u8],
}

impl<'b> Raw<'b> {
    fn read(rest: &mut Bytes<'b>) -> Option<Self> {
        if rest.take(CENTRAL.len())? != CENTRAL {
            return None;
        }
        let (made_by, _, flags, method, _) =
            (rest.u16()?, rest.u16()?, rest.u16()?, rest.u16()?, rest.u32()?);
        let (crc, packed, size) = (rest.u32()?, rest.u32()?, rest.u32()?);
        let lengths = (rest.u16()?, rest.u16()?, rest.u16()?);
        let (disk, _, attributes, position) = (rest.u16()?, rest.u16()?, rest.u32()?, rest.u32()?);
        let (name, extra) = (rest.take(lengths.0.into())?, rest.take(lengths.1.into())?);
        rest.take(lengths.2.into())?;
        Some(Self { made_by, flags, method, crc, packed, size, disk, attributes, position, name, extra })
    }

    /// Tells whether it is no plain file, by the attributes of the system that it was made on.
    fn is_special(&self) -> bool {
        let on_unix = self.made_by >> 8 == 3;
        let file_type = self.attributes >> 28;
        let is_folder = self.attributes & 0x10 != 0;
        is_folder || (on_unix && file_type != 0 && file_type != 8)
    }
}

/// Finds the zip64 field in an extra field, which must be whole.
pub(super) fn zip64<'e>(extra: &'e [u8], name: &str) -> Result<Option<Bytes<'e>>, ContainerError> {
    let mut rest = Bytes(extra);
    let mut found = None;
    while !rest.0.is_empty() {
        let field = match (rest.u16(), rest.u16()) {
            (Some(id), Some(len)) => rest.take(len.into()).map(|field| (id, field)),
            _ => None,
        };
        match field {
            Some((ZIP64, field)) if found.is_none() => found = Some(Bytes(field)),
            Some((ZIP64 | UNICODE_PATH, _)) => {
                return Err(irregular(format!(
                    "{name:?} with a second size, place or name in its extra field"
                )));
            }
            Some(_) => {}
            None => return Err(irregular(format!("{name:?}, whose extra field is cut off"))),
        }
    }
    Ok(found)
}

/// Takes a field of 4 bytes, or where it is all ones the next of a zip64 field.
pub(super) fn widen(field: u32, wide: &mut Option<Bytes<'_>>) -> Option<u64> {
    match wide {
        Some(wide) if field == u32::MAX => wide.u64(),
        Some(_) | None => Some(field.into()),
    }
}
