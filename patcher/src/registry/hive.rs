//! Hives (`regf`), the files in which Windows NT keeps its registry: values and keys of one, and edits of them.
//!
//! A hive is a base block of 4096 bytes and bins behind it; offsets count from the first bin. Bins are full of cells. The
//! size before a cell counts itself and is negative where the cell is in use.
//!
//! | base block | | bin | | cell |
//! |---|---|---|---|---|
//! | 0 | `regf` | 0 | `hbin` | 0: size; 4: contents |
//! | 4, 8 | sequence numbers | 4 | its offset | |
//! | 20, 24 | version: 1, 3 to 6 | 8 | its size, of whole 4096 | |
//! | 36 | the root key's cell | 32 | cells | |
//! | 40 | size of all bins | | | |
//! | 48 | its path's end, UTF-16 | | | |
//! | 508 | XOR of the words before it | | | |
//!
//! | key (`nk`) | | value (`vk`) | |
//! |---|---|---|---|
//! | 2 | flags: 0x20 the name is Latin-1 | 2 | length of the name; 0: the default value |
//! | 16 | the parent's cell | 4 | size of the data; high bit: they stand at 8 |
//! | 20, 28 | count and list of keys below | 8 | the data's cell |
//! | 36, 40 | count and list of values | 12 | type |
//! | 44 | security descriptor (`sk`) | 16 | flags: 1 the name is Latin-1 |
//! | 48, 74 | class name and its length | 20 | name |
//! | 52, 60, 64 | longest name of keys and values below, most data | | |
//! | 72, 76 | length of the name, name | | |
//!
//! Keys below are listed by name in `lf` and `lh` (cell and hash), `li` (cell), or `ri` (lists of these). Data of more than
//! 16344 bytes stand in segments (`db`) from version 1.4 on.
//!
//! A hive whose sequence numbers differ was not written to its end; what is missing is in its logs, which are not read
//! here. Such a hive is refused, to look at as well: a value of it may be an old one.
//!
//! The root stands for `HKLM\SYSTEM` if it holds a key `Select`, for `HKLM\SOFTWARE` if it holds `Microsoft` or `Classes`;
//! where it tells neither, the path in the base block does, which `reg save` leaves empty. Others are refused. In a
//! `SYSTEM` hive, `CurrentControlSet` is the one that `Current` in `Select` says. What is asked of the other of the two is
//! an error: a hive does not know.
//!
//! Nothing read here is trusted: each cell is bounded by the bins, each count by its cell or the size of the file, and no list
//! leads to another that deep again.
//!
//! Sources: Maxim Suhanov, "Windows registry file format specification"; hivex, against which the tests hold it.

use super::{BadFile, DWORD, RegistryKey, RegistryValue, Result};

mod cell;
mod edit;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

/// Size of the base block.
const BASE: usize = 4096;
/// No cell.
const NONE: u32 = u32::MAX;
/// Most bytes in one segment of data, and in data without segments from version 1.4 on.
const SEGMENT: usize = 16344;
/// The bit in a data size that says that they stand in the value.
const INLINE: u32 = 0x8000_0000;

const SOFTWARE: &str = "SOFTWARE";
const SYSTEM: &str = "SYSTEM";

/// A hive.
#[derive(Clone)]
pub struct Hive {
    bytes: Vec<u8>,
    /// Where the bins end.
    end: usize,
    /// Which part of `HKEY_LOCAL_MACHINE` it is.
    part: &'static str,
}

/// A key in the lists of the key above it.
struct Listed {
    key: u32,
    /// The list in which it is, and its place there.
    list: u32,
    place: usize,
    /// The place of that list in the list of lists.
    list_place: usize,
}

impl Hive {
    /// Tells whether bytes are meant as a hive.
    pub fn is_hive(bytes: &[u8]) -> bool {
        bytes.starts_with(b"regf")
    }

    /// Reads the base block and the sizes of all bins and cells.
    pub fn read(bytes: Vec<u8>) -> Result<Self> {
        let mut hive = Self { end: bytes.len(), bytes, part: SOFTWARE };
        hive.end = hive.require_base()?;
        // None is that large: all are looked at.
        hive.free_cell(usize::MAX)?;
        hive.part = hive.told_part()?;
        Ok(hive)
    }

    /// Returns where the bins end by a base block that is whole.
    fn require_base(&self) -> Result<usize> {
        let size = self.bytes.len();
        if size < BASE {
            return Err(Box::new(BadFile::Truncated { size, wanted: BASE }));
        }
        let (found, wanted) = (self.base(508), checksum(&self.bytes));
        if found != wanted {
            return Err(Box::new(BadFile::Checksum { found, wanted }));
        }
        let (major, minor) = (self.base(20), self.base(24));
        if major != 1 || !(3..=6).contains(&minor) {
            return Err(Box::new(BadFile::Version { major, minor }));
        }
        let (primary, secondary) = (self.base(4), self.base(8));
        if primary != secondary {
            return Err(Box::new(BadFile::Dirty { primary, secondary }));
        }
        let end = usize::try_from(self.base(40)).unwrap_or(usize::MAX).saturating_add(BASE);
        if end > size { Err(Box::new(BadFile::Truncated { size, wanted: end })) } else { Ok(end) }
    }

    /// Returns the bytes of the file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Returns a value; none if there is none, or no such key. The default value has no name.
    pub fn value(&self, key: &RegistryKey, name: &str) -> Result<Option<RegistryValue>> {
        let Some(key) = self.find(&self.below_root(key)?)? else { return Ok(None) };
        let Some((_, value)) = self.find_value(key, name)? else { return Ok(None) };
        self.data(value).map(Some)
    }

    /// Tells whether there is such a key.
    pub fn has_key(&self, key: &RegistryKey) -> Result<bool> {
        Ok(self.find(&self.below_root(key)?)?.is_some())
    }

    /// Tells which part it is; see the module's documentation.
    fn told_part(&self) -> Result<&'static str> {
        let root = self.root()?;
        for (name, part) in [("Select", SYSTEM), ("Microsoft", SOFTWARE), ("Classes", SOFTWARE)] {
            if self.find_child(root, name)?.is_some() {
                return Ok(part);
            }
        }
        let path = super::units(self.bytes.get(48..48 + 64).unwrap_or_default());
        let path = String::from_utf16_lossy(&path);
        let path = path.split('\0').next().unwrap_or_default();
        let name = path.rsplit(['\\', '/']).next().unwrap_or_default();
        let part = [SOFTWARE, SYSTEM].into_iter().find(|part| name.eq_ignore_ascii_case(part));
        part.ok_or_else(|| Box::new(BadFile::UnknownPart))
    }

    /// Returns the names of a key below the root.
    fn below_root(&self, key: &RegistryKey) -> Result<Vec<String>> {
        let mut names: Vec<String> = key.names().map(str::to_owned).collect();
        if !names.first().is_some_and(|name| name.eq_ignore_ascii_case(self.part)) {
            return Err(Box::new(BadFile::Elsewhere { part: self.part, key: key.to_string() }));
        }
        names.remove(0);
        if let Some(first) = names.first_mut()
            && self.part == SYSTEM
            && first.eq_ignore_ascii_case("CurrentControlSet")
        {
            *first = format!("ControlSet{:03}", self.current_control_set()?);
        }
        Ok(names)
    }

    fn current_control_set(&self) -> Result<u32> {
        let root = self.root()?;
        if let Some(select) = self.find_child(root, "Select")?
            && let Some((_, current)) = self.find_value(select.key, "Current")?
            && let RegistryValue { kind: DWORD, data } = self.data(current)?
            && let Some(number) = word(&data, 0)
        {
            return Ok(number);
        }
        Err(damaged(root, "a number Current in Select"))
    }

    fn root(&self) -> Result<u32> {
        let root = self.base(36);
        self.key(root).map(|_| root)
    }

    /// Finds a key by its names below the root.
    fn find(&self, names: &[String]) -> Result<Option<u32>> {
        let mut key = self.root()?;
        for name in names {
            match self.find_child(key, name)? {
                Some(child) => key = child.key,
                None => return Ok(None),
            }
        }
        Ok(Some(key))
    }

    fn find_child(&self, key: u32, name: &str) -> Result<Option<Listed>> {
        let name = folded(name);
        for child in self.children(key)? {
            if self.key(child.key)?.name().is(&name) {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    /// Finds a value of a key: its place in the list, and its cell.
    fn find_value(&self, key: u32, name: &str) -> Result<Option<(usize, u32)>> {
        let name = folded(name);
        for (place, value) in self.values(key)?.into_iter().enumerate() {
            if self.value_cell(value)?.name().is(&name) {
                return Ok(Some((place, value)));
            }
        }
        Ok(None)
    }

    /// Returns the keys below a key, in the order of their lists.
    fn children(&self, key: u32) -> Result<Vec<Listed>> {
        let cell = self.key(key)?;
        let count = usize::try_from(cell.word(20)).unwrap_or(usize::MAX);
        if count == 0 {
            return Ok(Vec::new());
        }
        // Lists that are listed over and over would fill the memory.
        if count > self.bytes.len() / cell::KEY_SIZE {
            return Err(damaged(key, "a count of keys that the file has room for"));
        }
        let list = cell.word(28);
        let lists = self.list(list)?;
        let lists = if lists.is_of_lists() { lists.entries() } else { vec![list] };
        let mut children = Vec::new();
        for (list_place, list) in lists.into_iter().enumerate() {
            let leaf = self.list(list)?;
            if leaf.is_of_lists() {
                return Err(damaged(list, "lf, lh or li"));
            }
            for (place, key) in leaf.entries().into_iter().enumerate() {
                children.push(Listed { key, list, place, list_place });
            }
            if children.len() > count {
                break;
            }
        }
        if children.len() == count {
            Ok(children)
        } else {
            Err(damaged(key, "the count of keys in its lists"))
        }
    }

    /// Returns the cells of the values of a key.
    fn values(&self, key: u32) -> Result<Vec<u32>> {
        let key = self.key(key)?;
        let count = usize::try_from(key.word(36)).unwrap_or(usize::MAX);
        if count == 0 {
            return Ok(Vec::new());
        }
        Ok(self.cell(key.word(40), "a list of all values", count.saturating_mul(4))?.words(0, count, 4))
    }

    /// Reads a value's type and data.
    fn data(&self, value: u32) -> Result<RegistryValue> {
        let cell = self.value_cell(value)?;
        let (size, place, kind) = (cell.word(4), cell.word(8), cell.word(12));
        let bytes = usize::try_from(size & !INLINE).unwrap_or(usize::MAX);
        let data = if size & INLINE != 0 {
            let place = place.to_le_bytes();
            place.get(..bytes).ok_or_else(|| damaged(value, "at most 4 bytes of data"))?.to_vec()
        } else if size == 0 {
            Vec::new()
        } else if let Some(segments) = self.segments(bytes, place)? {
            // Segments that are listed over and over would fill the memory.
            if bytes > self.bytes.len() {
                return Err(damaged(place, "less data than the file"));
            }
            let mut data = Vec::new();
            for segment in segments {
                let segment = self.cell(segment, "a segment of data", 0)?.bytes;
                let length = segment.len().min(SEGMENT).min(bytes - data.len());
                data.extend_from_slice(segment.get(..length).unwrap_or_default());
            }
            if data.len() < bytes {
                return Err(damaged(place, "segments of all data"));
            }
            data
        } else {
            let cell = self.cell(place, "all data of a value", bytes)?;
            cell.bytes.get(..bytes).unwrap_or_default().to_vec()
        };
        Ok(RegistryValue { kind, data })
    }

    /// Returns the segments in which data stand; none if they do not.
    fn segments(&self, size: usize, place: u32) -> Result<Option<Vec<u32>>> {
        if size <= SEGMENT || self.base(24) == 3 {
            return Ok(None);
        }
        let cell = self.cell(place, "data", 8)?;
        if !cell.bytes.starts_with(b"db") {
            return Ok(None);
        }
        let count = usize::from(cell.half(2));
        Ok(Some(self.cell(cell.word(4), "a list of all segments", 4 * count)?.words(0, count, 4)))
    }

    /// Returns a word of the base block.
    fn base(&self, at: usize) -> u32 {
        word(&self.bytes, at).unwrap_or_default()
    }
}

impl std::fmt::Debug for Hive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hive({}, {} bytes)", self.part, self.bytes.len())
    }
}

/// Returns a name as it is compared.
fn folded(name: &str) -> Vec<u16> {
    name.encode_utf16().map(super::fold_unit).collect()
}

fn damaged(at: u32, wanted: &'static str) -> Box<BadFile> {
    Box::new(BadFile::Damaged { at, wanted })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Returns the checksum of a base block.
fn checksum(bytes: &[u8]) -> u32 {
    let words = bytes.get(..508).unwrap_or_default().as_chunks::<4>().0;
    match words.iter().fold(0, |sum, word| sum ^ u32::from_le_bytes(*word)) {
        // Both would look like none.
        0 => 1,
        u32::MAX => u32::MAX - 1,
        sum => sum,
    }
}
