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

use super::{DWORD, RegistryKey, RegistryValue};

mod edit;
#[cfg(test)]
pub(crate) mod fixture;

/// Size of the base block.
const BASE: usize = 4096;
/// No cell.
const NONE: u32 = u32::MAX;
/// Size of what is fixed in a key, and in a value.
const KEY_SIZE: usize = 76;
const VALUE_SIZE: usize = 20;
/// Most bytes in one segment of data, and in data without segments from version 1.4 on.
const SEGMENT: usize = 16344;
/// The bit in a data size that says that they stand in the value.
const INLINE: u32 = 0x8000_0000;

/// A hive.
#[derive(Clone)]
pub struct Hive {
    bytes: Vec<u8>,
    /// Where the bins end.
    end: usize,
    part: Part,
}

/// Which part of `HKEY_LOCAL_MACHINE` a hive is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Software,
    System,
}

/// Why bytes are no hive that can be read, or an edit cannot be written in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHive {
    /// It ends early.
    #[error("the hive is cut off: it has {size} bytes, {wanted} are wanted")]
    Truncated {
        /// Its size.
        size: usize,
        /// What its base block says.
        wanted: usize,
    },
    /// The base block is damaged, or it is none.
    #[error("the checksum of the hive's base block is {found:#010x}, its contents make {wanted:#010x}")]
    Checksum {
        /// What it says.
        found: u32,
        /// What it should say.
        wanted: u32,
    },
    /// A version that is not known.
    #[error("the hive has version {major}.{minor}, known are 1.3 to 1.6")]
    Version {
        /// Before the point.
        major: u32,
        /// Behind it.
        minor: u32,
    },
    /// It was not written to its end.
    #[error(
        "the hive was not closed cleanly (sequence numbers {primary} and {secondary}): its logs must be \
         replayed first, which Windows does when it loads the hive"
    )]
    Dirty {
        /// The number before writing.
        primary: u32,
        /// The number after it.
        secondary: u32,
    },
    /// Something is not what leads there says.
    #[error("the hive is damaged: at {at:#x}, {wanted} is wanted")]
    Damaged {
        /// The offset.
        at: u32,
        /// What should be there.
        wanted: &'static str,
    },
    /// Another hive than these two.
    #[error("the hive is neither that of HKLM\\SOFTWARE nor that of HKLM\\SYSTEM")]
    UnknownPart,
    /// A key of another hive.
    #[error("the hive holds HKLM\\{part}, and not {key}")]
    Elsewhere {
        /// What it holds.
        part: &'static str,
        /// What is asked for.
        key: String,
    },
    /// Data too large to be written by this program.
    #[error("{size} bytes of data are more than the {limit} this program writes to a hive")]
    DataSize {
        /// Their size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A name that cannot be written.
    #[error("the name {name:?} cannot be written to a hive: {wanted}")]
    Name {
        /// The name.
        name: String,
        /// What is wanted.
        wanted: &'static str,
    },
    /// No room in a list, or in the file.
    #[error("the hive is full: {what} is at its limit of {limit}")]
    Full {
        /// What is full.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl Hive {
    /// Tells whether bytes are meant as a hive.
    pub fn is_hive(bytes: &[u8]) -> bool {
        bytes.starts_with(b"regf")
    }

    /// Reads the base block and the sizes of all bins and cells.
    pub fn read(bytes: Vec<u8>) -> Result<Self, BadHive> {
        let size = bytes.len();
        let word = |at| word(&bytes, at).ok_or(BadHive::Truncated { size, wanted: BASE });
        let (found, wanted) = (word(508)?, checksum(&bytes));
        if found != wanted {
            return Err(BadHive::Checksum { found, wanted });
        }
        let (major, minor) = (word(20)?, word(24)?);
        if major != 1 || !(3..=6).contains(&minor) {
            return Err(BadHive::Version { major, minor });
        }
        let (primary, secondary) = (word(4)?, word(8)?);
        if primary != secondary {
            return Err(BadHive::Dirty { primary, secondary });
        }
        let end = usize::try_from(word(40)?).unwrap_or(usize::MAX).saturating_add(BASE);
        if end > size {
            return Err(BadHive::Truncated { size, wanted: end });
        }
        let mut hive = Self { bytes, end, part: Part::Software };
        hive.cells(|_, _| false)?;
        hive.part = hive.told_part()?;
        Ok(hive)
    }

    /// Returns the bytes of the file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Returns a value; none if there is none, or no such key. The default value has no name.
    pub fn value(&self, key: &RegistryKey, name: &str) -> Result<Option<RegistryValue>, BadHive> {
        let Some(key) = self.find(&self.below_root(key)?)? else { return Ok(None) };
        let Some((_, value)) = self.find_value(key, name)? else { return Ok(None) };
        self.data(value).map(Some)
    }

    /// Tells whether there is such a key.
    pub fn has_key(&self, key: &RegistryKey) -> Result<bool, BadHive> {
        Ok(self.find(&self.below_root(key)?)?.is_some())
    }

    /// Tells which part it is; see the module's documentation.
    fn told_part(&self) -> Result<Part, BadHive> {
        let root = self.root()?;
        if self.find_child(root, "Select")?.is_some() {
            return Ok(Part::System);
        }
        if self.find_child(root, "Microsoft")?.is_some() || self.find_child(root, "Classes")?.is_some() {
            return Ok(Part::Software);
        }
        let path = super::units(self.bytes.get(48..48 + 64).unwrap_or_default());
        let path = String::from_utf16_lossy(&path);
        let path = path.split('\0').next().unwrap_or_default();
        match path.rsplit(['\\', '/']).next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "SOFTWARE" => Ok(Part::Software),
            "SYSTEM" => Ok(Part::System),
            _ => Err(BadHive::UnknownPart),
        }
    }

    /// Returns the names of a key below the root.
    fn below_root(&self, key: &RegistryKey) -> Result<Vec<String>, BadHive> {
        let part = match self.part {
            Part::Software => "SOFTWARE",
            Part::System => "SYSTEM",
        };
        let mut names = key.names().map(str::to_owned);
        if !names.next().is_some_and(|name| name.eq_ignore_ascii_case(part)) {
            return Err(BadHive::Elsewhere { part, key: key.to_string() });
        }
        let mut names: Vec<String> = names.collect();
        if let (Part::System, Some(first)) = (&self.part, names.first_mut())
            && first.eq_ignore_ascii_case("CurrentControlSet")
        {
            *first = format!("ControlSet{:03}", self.current_control_set()?);
        }
        Ok(names)
    }

    fn current_control_set(&self) -> Result<u32, BadHive> {
        let root = self.root()?;
        let current = match self.find_child(root, "Select")? {
            Some(select) => self.find_value(select, "Current")?,
            None => None,
        };
        let current = match current {
            Some((_, value)) => self.data(value)?,
            None => return Err(damaged(root, "a value Current in Select")),
        };
        word(&current.data, 0)
            .filter(|_| current.kind == DWORD)
            .ok_or_else(|| damaged(root, "a number Current in Select"))
    }

    /// Returns the cell of the root key.
    fn root(&self) -> Result<u32, BadHive> {
        self.key(word(&self.bytes, 36).unwrap_or(NONE))
    }

    /// Finds the cell of a key by its names below the root.
    fn find(&self, names: &[String]) -> Result<Option<u32>, BadHive> {
        let mut key = self.root()?;
        for name in names {
            match self.find_child(key, name)? {
                Some(child) => key = child,
                None => return Ok(None),
            }
        }
        Ok(Some(key))
    }

    fn find_child(&self, key: u32, name: &str) -> Result<Option<u32>, BadHive> {
        for child in self.children(key)? {
            if self.key_name(child)?.is(name) {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    /// Finds a value of a key: its place in the list, and its cell.
    fn find_value(&self, key: u32, name: &str) -> Result<Option<(usize, u32)>, BadHive> {
        for (place, value) in self.values(key)?.into_iter().enumerate() {
            if self.value_name(value)?.is(name) {
                return Ok(Some((place, value)));
            }
        }
        Ok(None)
    }

    /// Returns the cells of the keys below a key, in the order of their lists.
    fn children(&self, key: u32) -> Result<Vec<u32>, BadHive> {
        let count = self.word(key, 20)?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut children = Vec::new();
        for leaf in self.leaves(self.word(key, 28)?)? {
            children.extend(self.leaf(leaf)?);
            // Lists that are listed over and over would fill the memory.
            if children.len() > self.bytes.len() / KEY_SIZE {
                return Err(damaged(leaf, "a list of fewer keys than there can be"));
            }
        }
        if u32::try_from(children.len()) != Ok(count) {
            return Err(damaged(key, "the count of keys in its lists"));
        }
        Ok(children)
    }

    /// Returns the lists that a list of keys consists of: itself, unless it is a list of lists.
    fn leaves(&self, list: u32) -> Result<Vec<u32>, BadHive> {
        if self.signature(list)? == *b"ri" { self.entries(list, 4) } else { Ok(vec![list]) }
    }

    /// Returns the keys in a list that is none of lists.
    fn leaf(&self, list: u32) -> Result<Vec<u32>, BadHive> {
        match &self.signature(list)? {
            b"lf" | b"lh" => self.entries(list, 8),
            b"li" => self.entries(list, 4),
            _ => Err(damaged(list, "lf, lh or li")),
        }
    }

    /// Returns the cells in a list whose entries begin with one and take `width` bytes.
    fn entries(&self, list: u32, width: usize) -> Result<Vec<u32>, BadHive> {
        let count = usize::from(self.half(list, 2)?);
        (0..count).map(|at| self.word(list, 4 + width * at)).collect()
    }

    /// Returns the cells of the values of a key.
    fn values(&self, key: u32) -> Result<Vec<u32>, BadHive> {
        let count = self.word(key, 36)?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let list = self.word(key, 40)?;
        let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(4));
        let cells = length.and_then(|length| self.cell(list).ok()?.get(..length));
        let (cells, _) = cells.ok_or_else(|| damaged(list, "a list of all values"))?.as_chunks::<4>();
        Ok(cells.iter().map(|cell| u32::from_le_bytes(*cell)).collect())
    }

    /// Reads a value's type and data.
    fn data(&self, value: u32) -> Result<RegistryValue, BadHive> {
        let (size, cell, kind) = (self.word(value, 4)?, self.word(value, 8)?, self.word(value, 12)?);
        let data = if size & INLINE != 0 {
            let size = usize::try_from(size ^ INLINE).ok();
            let data = size.and_then(|size| cell.to_le_bytes().get(..size).map(<[u8]>::to_vec));
            data.ok_or_else(|| damaged(value, "at most 4 bytes of data"))?
        } else if size == 0 {
            Vec::new()
        } else {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if self.is_segmented(size, cell)? {
                self.segments(cell, size)?
            } else {
                let data = self.cell(cell)?.get(..size);
                data.ok_or_else(|| damaged(cell, "all data of a value"))?.to_vec()
            }
        };
        Ok(RegistryValue { kind, data })
    }

    fn is_segmented(&self, size: usize, cell: u32) -> Result<bool, BadHive> {
        Ok(size > SEGMENT && word(&self.bytes, 24) > Some(3) && self.signature(cell)? == *b"db")
    }

    fn segments(&self, cell: u32, size: usize) -> Result<Vec<u8>, BadHive> {
        // Segments that are listed over and over would fill the memory.
        if size > self.bytes.len() {
            return Err(damaged(cell, "less data than the file"));
        }
        let mut data = Vec::new();
        for segment in self.segment_cells(cell)? {
            let bytes = self.cell(segment)?;
            let length = bytes.len().min(SEGMENT).min(size.saturating_sub(data.len()));
            data.extend(bytes.get(..length).unwrap_or_default());
        }
        if data.len() == size { Ok(data) } else { Err(damaged(cell, "segments of all data")) }
    }

    fn segment_cells(&self, cell: u32) -> Result<Vec<u32>, BadHive> {
        let (count, list) = (usize::from(self.half(cell, 2)?), self.word(cell, 4)?);
        (0..count).map(|at| self.word(list, 4 * at)).collect()
    }

    fn key_name(&self, key: u32) -> Result<Name<'_>, BadHive> {
        let key = self.key(key)?;
        let length = usize::from(self.half(key, 72)?);
        self.name(key, KEY_SIZE, length, self.half(key, 2)? & 0x20 != 0)
    }

    fn value_name(&self, value: u32) -> Result<Name<'_>, BadHive> {
        if self.signature(value)? != *b"vk" {
            return Err(damaged(value, "vk"));
        }
        let length = usize::from(self.half(value, 2)?);
        self.name(value, VALUE_SIZE, length, self.half(value, 16)? & 1 != 0)
    }

    fn name(&self, cell: u32, at: usize, length: usize, is_latin: bool) -> Result<Name<'_>, BadHive> {
        let bytes = self.cell(cell)?.get(at..at + length).ok_or_else(|| damaged(cell, "a whole name"))?;
        Ok(Name { bytes, is_latin })
    }

    /// Takes a cell for that of a key.
    fn key(&self, cell: u32) -> Result<u32, BadHive> {
        if self.signature(cell)? == *b"nk" { Ok(cell) } else { Err(damaged(cell, "nk")) }
    }

    fn signature(&self, cell: u32) -> Result<[u8; 2], BadHive> {
        self.half(cell, 0).map(u16::to_le_bytes)
    }

    fn half(&self, cell: u32, at: usize) -> Result<u16, BadHive> {
        let bytes = self.cell(cell)?.get(at..).and_then(|bytes| bytes.first_chunk());
        bytes.map(|bytes| u16::from_le_bytes(*bytes)).ok_or_else(|| damaged(cell, "a larger cell"))
    }

    fn word(&self, cell: u32, at: usize) -> Result<u32, BadHive> {
        word(self.cell(cell)?, at).ok_or_else(|| damaged(cell, "a larger cell"))
    }

    /// Returns the contents of a cell that is in use.
    fn cell(&self, cell: u32) -> Result<&[u8], BadHive> {
        let range = self.range(cell).ok_or_else(|| damaged(cell, "a cell in use"))?;
        Ok(self.bytes.get(range).unwrap_or_default())
    }

    fn range(&self, cell: u32) -> Option<std::ops::Range<usize>> {
        let start = usize::try_from(cell).ok()?.checked_add(BASE)?;
        let size = word(self.bytes.get(..self.end)?, start)?;
        let size = usize::try_from(size.wrapping_neg()).ok().filter(|_| size & 0x8000_0000 != 0)?;
        let end = start.checked_add(size)?;
        (size >= 8 && end <= self.end).then_some(start + 4..end)
    }

    /// Visits the cells that are free, with their sizes, up to the first that is chosen; checks all bins up to it.
    fn cells(&self, mut is_chosen: impl FnMut(usize, usize) -> bool) -> Result<Option<usize>, BadHive> {
        let mut bin = BASE;
        while bin < self.end {
            let bad_bin = |wanted| damaged(offset(bin), wanted);
            if self.bytes.get(bin..bin + 4) != Some(b"hbin")
                || word(&self.bytes, bin + 4) != Some(offset(bin))
            {
                return Err(bad_bin("hbin and this offset"));
            }
            let size = word(&self.bytes, bin + 8).and_then(|size| usize::try_from(size).ok());
            let size = size.filter(|size| *size >= 4096 && size % 4096 == 0 && *size <= self.end - bin);
            let end = bin + size.ok_or_else(|| bad_bin("a size of whole 4096 bytes within the file"))?;
            let mut at = bin + 32;
            while at < end {
                let size = word(&self.bytes, at).unwrap_or_default();
                let is_free = size & 0x8000_0000 == 0;
                let size = if is_free { size } else { size.wrapping_neg() };
                let size =
                    usize::try_from(size).ok().filter(|size| size % 8 == 0 && (8..=end - at).contains(size));
                let size = size.ok_or_else(|| damaged(offset(at), "a cell within its bin"))?;
                if is_free && is_chosen(at, size) {
                    return Ok(Some(at));
                }
                at += size;
            }
            bin = end;
        }
        Ok(None)
    }
}

impl std::fmt::Debug for Hive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hive({:?}, {} bytes)", self.part, self.bytes.len())
    }
}

/// The name of a key or value.
struct Name<'h> {
    bytes: &'h [u8],
    is_latin: bool,
}

impl Name<'_> {
    /// Returns it as it is compared.
    fn folded(&self) -> Vec<u16> {
        if self.is_latin {
            return self.bytes.iter().map(|byte| super::fold_unit(u16::from(*byte))).collect();
        }
        super::units(self.bytes).into_iter().map(super::fold_unit).collect()
    }

    fn is(&self, name: &str) -> bool {
        // Keys may have thousands below them.
        let units = if self.is_latin { self.bytes.len() } else { self.bytes.len() / 2 };
        units <= name.len() && self.folded() == folded(name)
    }
}

fn folded(name: &str) -> Vec<u16> {
    name.encode_utf16().map(super::fold_unit).collect()
}

fn damaged(at: u32, wanted: &'static str) -> BadHive {
    BadHive::Damaged { at, wanted }
}

/// Returns the offset that a place in the file has.
fn offset(place: usize) -> u32 {
    u32::try_from(place.saturating_sub(BASE)).unwrap_or(NONE)
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

#[cfg(test)]
mod tests {
    use super::fixture::{Cells, Key, minimal};
    use super::*;
    use crate::registry::{BINARY, SZ};

    fn key(text: &str) -> RegistryKey {
        text.parse().unwrap()
    }

    fn setup() -> RegistryKey {
        key(r"HKLM\SOFTWARE\Microsoft\SMS\Setup")
    }

    /// A hive with two values and keys three deep.
    fn small() -> Vec<u8> {
        let hive = Hive::read(minimal(5, "SOFTWARE")).unwrap();
        let hive = hive.set_value(&setup(), "Full Version", &RegistryValue::text("2.00.1239.0000")).unwrap();
        hive.set_value(&setup(), "Type", &RegistryValue::number(1)).unwrap().into_bytes()
    }

    #[test]
    fn lists_of_every_kind_and_both_kinds_of_names_are_read() {
        for list in ["lf", "lh", "li", "ri"] {
            let mut cells = Cells::default();
            let text = cells.value("Text", false, SZ, &RegistryValue::text("hallo").data);
            let inline = cells.value("", true, BINARY, &[1, 2, 3]);
            let values = cells.list(b"", &[text, inline], 4);
            let leaves: Vec<u32> = [("Microsoft", true), ("Ünder", false)]
                .into_iter()
                .map(|(name, is_latin)| {
                    cells.key(&Key { name, is_latin, values: (2, values), ..Key::default() })
                })
                .collect();
            let list = match list {
                "ri" => {
                    let lists: Vec<u32> = leaves.iter().map(|leaf| cells.list(b"li", &[*leaf], 4)).collect();
                    cells.list(b"ri", &lists, 4)
                }
                "li" => cells.list(b"li", &leaves, 4),
                list => cells.list(list.as_bytes(), &leaves, 8),
            };
            let root = cells.key(&Key { name: "$$$", keys: (2, list), ..Key::default() });
            let hive = Hive::read(cells.hive(root, 3, "")).unwrap();
            for name in [r"HKLM\software\MICROSOFT", r"HKLM\SOFTWARE\Ünder"] {
                assert_eq!(hive.value(&key(name), "TEXT").unwrap(), Some(RegistryValue::text("hallo")));
                let inline = RegistryValue { kind: BINARY, data: vec![1, 2, 3] };
                assert_eq!(hive.value(&key(name), "").unwrap(), Some(inline));
                assert_eq!(hive.value(&key(name), "absent").unwrap(), None);
            }
            assert!(!hive.has_key(&key(r"HKLM\SOFTWARE\Micro")).unwrap());
            assert_eq!(hive.value(&key(r"HKLM\SOFTWARE\Micro\soft"), "").unwrap(), None);
        }
    }

    #[test]
    fn large_data_are_read_from_their_segments_and_given_way_to_small_ones() {
        let data: Vec<u8> = (0..SEGMENT + 100).map(|at| at.to_le_bytes()[0]).collect();
        let mut cells = Cells::default();
        // Windows leaves four bytes at the end of a segment's cell.
        let first = cells.add(&[&data[..SEGMENT], &[0; 4]].concat());
        let last = cells.add(&data[SEGMENT..]);
        let segments = cells.add(&[first.to_le_bytes(), last.to_le_bytes()].concat());
        let big = cells.add(&[b"db\x02\0".as_slice(), &segments.to_le_bytes()].concat());
        let value = cells.value_at("Big", BINARY, data.len(), big);
        let values = cells.list(b"", &[value], 4);
        let microsoft = cells.key(&Key { name: "Microsoft", values: (1, values), ..Key::default() });
        let list = cells.list(b"lh", &[microsoft], 8);
        let root = cells.key(&Key { name: "$$$", keys: (1, list), ..Key::default() });
        let hive = Hive::read(cells.hive(root, 5, "")).unwrap();
        let microsoft = key(r"HKLM\SOFTWARE\Microsoft");
        assert_eq!(hive.value(&microsoft, "big").unwrap(), Some(RegistryValue { kind: BINARY, data }));
        let small = RegistryValue::text("small");
        let hive = hive.set_value(&microsoft, "Big", &small).unwrap();
        assert_eq!(hive.value(&microsoft, "big").unwrap(), Some(small));
        // The first of them is the first that is free: it took the text.
        assert_eq!((hive.range(last), hive.range(segments), hive.range(big)), (None, None, None));
    }

    #[test]
    fn what_is_set_is_read_and_what_is_removed_is_gone() {
        for minor in 3..=6 {
            let mut hive = Hive::read(minimal(minor, r"emRoot\System32\Config\SOFTWARE")).unwrap();
            let values = [
                ("Full Version", RegistryValue::text("2.00.1239.0000")),
                ("Full Version", RegistryValue::text("2.00.1380.1000 and more than fits")),
                ("Full Version", RegistryValue::text("2")),
                ("Full Version", RegistryValue { kind: SZ, data: Vec::new() }),
                ("", RegistryValue::number(7)),
                ("", RegistryValue::text("default")),
                ("Größe €", RegistryValue { kind: 0x1_0000, data: vec![9; SEGMENT] }),
            ];
            for (name, value) in &values {
                hive = hive.set_value(&setup(), name, value).unwrap();
                hive = Hive::read(hive.into_bytes()).unwrap();
                assert_eq!(hive.value(&setup(), name).unwrap().as_ref(), Some(value));
            }
            for name in ["", "Größe €", "absent", "FULL VERSION"] {
                hive = hive.remove_key(&setup()).unwrap().remove_value(&setup(), name).unwrap();
                assert_eq!(hive.value(&setup(), name).unwrap(), None);
            }
            let above = key(r"HKLM\SOFTWARE\Microsoft\SMS");
            hive = hive.remove_key(&above).unwrap();
            assert!(hive.has_key(&setup()).unwrap());
            hive = hive.remove_key(&setup()).unwrap().remove_key(&above).unwrap();
            hive = Hive::read(hive.into_bytes()).unwrap();
            assert!(!hive.has_key(&above).unwrap());
            assert!(hive.has_key(&above.parent().unwrap()).unwrap());
        }
    }

    #[test]
    fn keys_are_listed_in_order_and_many_take_many_bins() {
        let mut hive = Hive::read(minimal(5, "SOFTWARE")).unwrap();
        let name = |number: u32| format!(r"HKLM\SOFTWARE\Key{:03}", number * 7 % 500);
        for number in 0..500 {
            hive = hive.set_value(&key(&name(number)), "Number", &RegistryValue::number(number)).unwrap();
        }
        let hive = Hive::read(hive.into_bytes()).unwrap();
        let names: Vec<_> = hive.children(hive.root().unwrap()).unwrap();
        let names: Vec<_> = names.iter().map(|key| hive.key_name(*key).unwrap().folded()).collect();
        assert!(names.is_sorted());
        for number in 0..500 {
            let value = hive.value(&key(&name(number)), "number").unwrap();
            assert_eq!(value, Some(RegistryValue::number(number)));
        }
        let mut hive = hive;
        for number in 0..500 {
            hive = hive.remove_value(&key(&name(number)), "Number").unwrap();
            hive = hive.remove_key(&key(&name(number))).unwrap();
        }
        assert_eq!(hive.children(hive.root().unwrap()), Ok(Vec::new()));
    }

    #[test]
    fn keys_go_into_and_out_of_lists_of_lists() {
        let mut cells = Cells::default();
        let security = cells.security(2);
        let leaves: Vec<u32> = ["Classes", "Microsoft"]
            .into_iter()
            .map(|name| {
                let key = cells.key(&Key { name, is_latin: true, security, ..Key::default() });
                cells.list(b"lf", &[key], 8)
            })
            .collect();
        let list = cells.list(b"ri", &leaves, 4);
        let root = cells.key(&Key { name: "$$$", keys: (2, list), security, ..Key::default() });
        let mut hive = Hive::read(cells.hive(root, 3, "")).unwrap();
        for name in ["Zebra", "Intel", "Acme"] {
            let key = key(&format!(r"HKLM\SOFTWARE\{name}"));
            hive = hive.set_value(&key, "", &RegistryValue::number(1)).unwrap();
        }
        let names = |hive: &Hive| -> Vec<String> {
            let keys = hive.children(hive.root().unwrap()).unwrap();
            keys.iter()
                .map(|key| String::from_utf16(&hive.key_name(*key).unwrap().folded()).unwrap())
                .collect()
        };
        assert_eq!(names(&hive), ["ACME", "CLASSES", "INTEL", "MICROSOFT", "ZEBRA"]);
        for name in ["Acme", "Classes", "Intel", "Zebra"] {
            let key = key(&format!(r"HKLM\SOFTWARE\{name}"));
            hive = hive.remove_value(&key, "").unwrap().remove_key(&key).unwrap();
        }
        assert_eq!(names(&hive), ["MICROSOFT"]);
    }

    #[test]
    fn the_part_is_told_by_contents_then_by_path() {
        let mut cells = Cells::default();
        let current = cells.value("Current", true, DWORD, &[3, 0, 0, 0]);
        let values = cells.list(b"", &[current], 4);
        let value = cells.value("Start", true, DWORD, &[2, 0, 0, 0]);
        let set_values = cells.list(b"", &[value], 4);
        let keys = [("ControlSet003", set_values), ("Select", values)];
        let keys = keys.map(|(name, list)| {
            cells.key(&Key { name, is_latin: true, values: (1, list), ..Key::default() })
        });
        let list = cells.list(b"lh", &keys, 8);
        let root = cells.key(&Key { name: "$$$", keys: (2, list), ..Key::default() });
        let hive = Hive::read(cells.hive(root, 5, "SOFTWARE")).unwrap();
        let value = hive.value(&key(r"HKLM\System\CurrentControlSet"), "Start").unwrap();
        assert_eq!(value, Some(RegistryValue::number(2)));
        let error = hive.has_key(&key(r"HKLM\SOFTWARE\Microsoft")).unwrap_err();
        assert!(matches!(error, BadHive::Elsewhere { part: "SYSTEM", .. }));
        assert_eq!(Hive::read(minimal(5, r"C:\ntuser.dat")).unwrap_err(), BadHive::UnknownPart);
        assert!(Hive::read(minimal(5, r"emRoot\System32\Config\system")).is_ok());
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let hive = Hive::read(small()).unwrap();
        let error = hive.clone().set_value(&key(r"HKLM\SOFTWARE\Größe"), "", &RegistryValue::number(1));
        assert!(matches!(error, Err(BadHive::Name { .. })));
        let value = RegistryValue { kind: BINARY, data: vec![0; SEGMENT + 1] };
        let error = hive.clone().set_value(&setup(), "", &value);
        assert_eq!(error.unwrap_err(), BadHive::DataSize { size: SEGMENT + 1, limit: SEGMENT });
        let root = hive.clone().remove_key(&key(r"HKLM\SOFTWARE")).unwrap();
        assert_eq!(root.into_bytes(), hive.into_bytes());
    }

    #[test]
    fn damage_to_the_base_block_is_named() {
        let damage = |at: usize, byte: u8, is_summed: bool| {
            let mut bytes = small();
            bytes[at] ^= byte;
            if is_summed {
                let sum = checksum(&bytes);
                bytes[508..512].copy_from_slice(&sum.to_le_bytes());
            }
            Hive::read(bytes).unwrap_err()
        };
        assert!(matches!(damage(4, 1, false), BadHive::Checksum { .. }));
        assert_eq!(damage(4, 1, true), BadHive::Dirty { primary: 2, secondary: 3 });
        assert_eq!(damage(24, 7, true), BadHive::Version { major: 1, minor: 2 });
        assert!(matches!(damage(42, 1, true), BadHive::Truncated { .. }));
        assert!(matches!(damage(BASE, 1, false), BadHive::Damaged { at: 0, .. }));
    }

    #[test]
    fn no_hive_that_is_cut_off_or_has_a_byte_changed_is_trouble() {
        let whole = small();
        for length in 0..whole.len() {
            assert!(Hive::read(whole[..length].to_vec()).is_err());
        }
        for at in 0..whole.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= bits;
                let sum = checksum(&bytes);
                bytes[508..512].copy_from_slice(&sum.to_le_bytes());
                let Ok(hive) = Hive::read(bytes) else { continue };
                // Whatever they say.
                drop(hive.value(&setup(), "Type"));
                let deeper = key(r"HKLM\SOFTWARE\Microsoft\SMS\Setup\New");
                drop(hive.clone().set_value(&deeper, "Text", &RegistryValue::text("quite a long text")));
                let removed = hive.remove_value(&setup(), "Type");
                let removed = removed.and_then(|hive| hive.remove_value(&setup(), "Full Version"));
                drop(removed.and_then(|hive| hive.remove_key(&setup())));
            }
        }
    }
}
