//! Edits of a hive, as Windows would make them but for time stamps, which stay.

use super::{
    BASE, BadHive, Hive, INLINE, KEY_SIZE, NONE, SEGMENT, VALUE_SIZE, damaged, folded, offset, word,
};
use crate::registry::{RegistryKey, RegistryValue};

/// Most units in the name of a value ("Registry Element Size Limits").
const MAX_VALUE_NAME: usize = 16383;
/// Most bytes in all bins.
const MAX_BINS: usize = 0x7fff_f000;

/// The place that names a cell: whoever moves that cell writes there.
#[derive(Clone, Copy)]
struct Link {
    /// The cell in which it is.
    cell: u32,
    /// Where in there.
    at: usize,
}

/// Edits take the hive and give it back: of one that failed nothing is left.
impl Hive {
    /// Sets a value, making its key and those above it where they are missing: with the security of the key above.
    ///
    /// Refused are names of new keys with other characters than ASCII, whose order and hash Windows decides by its own table,
    /// and data of more than 16344 bytes.
    pub fn set_value(
        mut self,
        key: &RegistryKey,
        name: &str,
        value: &RegistryValue,
    ) -> Result<Self, BadHive> {
        if value.data.len() > SEGMENT {
            return Err(BadHive::DataSize { size: value.data.len(), limit: SEGMENT });
        }
        let mut cell = self.root()?;
        for name in self.below_root(key)? {
            cell = match self.find_child(cell, &name)? {
                Some(child) => child,
                None => self.add_key(cell, &name)?,
            };
        }
        let found = match self.find_value(cell, name)? {
            Some((_, found)) => found,
            None => self.add_value(cell, name)?,
        };
        self.put_data(found, value)?;
        self.raise(cell, 64, value.data.len())?;
        self.seal()
    }

    /// Removes a value; one that is absent is no error, and changes nothing.
    pub fn remove_value(mut self, key: &RegistryKey, name: &str) -> Result<Self, BadHive> {
        let Some(key) = self.find(&self.below_root(key)?)? else { return Ok(self) };
        let Some((place, value)) = self.find_value(key, name)? else { return Ok(self) };
        self.free_data(value)?;
        self.free(value)?;
        let mut values = self.values(key)?;
        values.remove(place);
        let list = self.word(key, 40)?;
        self.put(key, 36, &count(values.len()))?;
        if values.is_empty() {
            self.free(list)?;
            self.put(key, 40, &NONE.to_le_bytes())?;
        } else {
            let cells: Vec<u8> = values.iter().flat_map(|cell| cell.to_le_bytes()).collect();
            self.put(list, 0, &cells)?;
        }
        self.seal()
    }

    /// Removes a key in which nothing is; one that is absent or holds something, and the root, are left alone.
    pub fn remove_key(mut self, key: &RegistryKey) -> Result<Self, BadHive> {
        let names = self.below_root(key)?;
        let Some((_, above)) = names.split_last() else { return Ok(self) };
        let (Some(parent), Some(key)) = (self.find(above)?, self.find(&names)?) else { return Ok(self) };
        if !self.children(key)?.is_empty() || !self.values(key)?.is_empty() {
            return Ok(self);
        }
        self.unlist(parent, key)?;
        self.release_security(self.word(key, 44)?)?;
        let class = self.word(key, 48)?;
        if class != NONE && self.half(key, 74)? > 0 {
            self.free(class)?;
        }
        self.free(key)?;
        self.seal()
    }

    /// Marks the hive as written to its end, once more.
    fn seal(mut self) -> Result<Self, BadHive> {
        let sequence = word(&self.bytes, 4).unwrap_or_default().wrapping_add(1);
        self.put_base(4, sequence);
        self.put_base(8, sequence);
        self.put_base(40, offset(self.end));
        let checksum = super::checksum(&self.bytes);
        self.put_base(508, checksum);
        Ok(self)
    }

    /// Makes an empty key.
    fn add_key(&mut self, parent: u32, name: &str) -> Result<u32, BadHive> {
        if !name.is_ascii() {
            let wanted = "a new key of ASCII characters is wanted";
            return Err(BadHive::Name { name: name.to_owned(), wanted });
        }
        let security = self.word(parent, 44)?;
        if self.signature(security)? != *b"sk" {
            return Err(damaged(security, "sk"));
        }
        let users = self.word(security, 12)?.checked_add(1);
        let users = users.ok_or_else(|| damaged(security, "fewer keys of this security"))?;
        self.put(security, 12, &users.to_le_bytes())?;
        let key = self.allocate(KEY_SIZE + name.len())?;
        let time = self.cell(parent)?.get(4..12).unwrap_or_default().to_vec();
        self.put(key, 0, b"nk\x20\0")?;
        self.put(key, 4, &time)?;
        self.put(key, 16, &parent.to_le_bytes())?;
        self.put(key, 28, &[0xff; 8])?;
        self.put(key, 40, &NONE.to_le_bytes())?;
        self.put(key, 44, &security.to_le_bytes())?;
        self.put(key, 48, &NONE.to_le_bytes())?;
        self.put(key, 72, &half(name.len()))?;
        self.put(key, KEY_SIZE, name.as_bytes())?;
        self.list(parent, key, name)?;
        // The upper half holds flags.
        let longest = self.half(parent, 52)?.max(u16::from_le_bytes(half(2 * name.len())));
        self.put(parent, 52, &longest.to_le_bytes())?;
        Ok(key)
    }

    /// Puts a key into its parent's lists, which are sorted.
    fn list(&mut self, parent: u32, key: u32, name: &str) -> Result<(), BadHive> {
        let keys = self.children(parent)?.len();
        let link = Link { cell: parent, at: 28 };
        if keys == 0 {
            let list = self.allocate(4 + 8)?;
            let has_hashes = word(&self.bytes, 24) > Some(4);
            self.put(list, 0, if has_hashes { b"lh" } else { b"lf" })?;
            self.put(parent, 28, &list.to_le_bytes())?;
            self.insert(link, 0, key, name)?;
        } else {
            let list = self.word(parent, 28)?;
            let leaves = self.leaves(list)?;
            let mut place = None;
            for (number, leaf) in leaves.iter().enumerate() {
                let link = if *leaf == list { link } else { Link { cell: list, at: 4 + 4 * number } };
                let before = self.count_before(*leaf, name)?;
                place = Some((link, before));
                if before < self.leaf(*leaf)?.len() {
                    break;
                }
            }
            let (link, before) = place.ok_or_else(|| damaged(list, "a list of lists"))?;
            self.insert(link, before, key, name)?;
        }
        self.put(parent, 20, &count(keys + 1))
    }

    /// Counts the keys of a list that stand before a name.
    fn count_before(&self, leaf: u32, name: &str) -> Result<usize, BadHive> {
        let name = folded(name);
        let mut before = 0;
        for key in self.leaf(leaf)? {
            before += usize::from(self.key_name(key)?.folded() < name);
        }
        Ok(before)
    }

    /// Adds an entry to the list that a link leads to.
    fn insert(&mut self, link: Link, place: usize, key: u32, name: &str) -> Result<(), BadHive> {
        let list = self.word(link.cell, link.at)?;
        let (width, hash) = match &self.signature(list)? {
            b"lf" => {
                let mut start = [0; 4];
                start.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
                (8, start.to_vec())
            }
            b"lh" => (8, hash(name).to_le_bytes().to_vec()),
            _ => (4, Vec::new()),
        };
        let entries = usize::from(self.half(list, 2)?);
        let limit = usize::from(u16::MAX);
        if entries == limit {
            return Err(BadHive::Full { what: "a list of keys", limit });
        }
        let mut contents = self.cell(list)?.get(..4 + width * entries).unwrap_or_default().to_vec();
        let at = 4 + width * place;
        if at > contents.len() {
            return Err(damaged(list, "a whole list"));
        }
        contents.splice(at..at, key.to_le_bytes().into_iter().chain(hash));
        contents.splice(2..4, half(entries + 1));
        self.replace(link, &contents)
    }

    /// Takes a key out of its parent's lists, and a list out of its own that is empty then.
    fn unlist(&mut self, parent: u32, key: u32) -> Result<(), BadHive> {
        let keys = self.children(parent)?.len();
        let list = self.word(parent, 28)?;
        for (number, leaf) in self.leaves(list)?.into_iter().enumerate() {
            let Some(place) = self.leaf(leaf)?.iter().position(|cell| *cell == key) else { continue };
            if !self.cut(leaf, place)? && (leaf == list || !self.cut(list, number)?) {
                self.put(parent, 28, &NONE.to_le_bytes())?;
            }
            break;
        }
        self.put(parent, 20, &count(keys.saturating_sub(1)))
    }

    /// Takes an entry out of a list; tells whether there are others. A list without entries is freed.
    fn cut(&mut self, list: u32, place: usize) -> Result<bool, BadHive> {
        let width = if matches!(&self.signature(list)?, b"lf" | b"lh") { 8 } else { 4 };
        let entries = usize::from(self.half(list, 2)?);
        if entries <= 1 {
            self.free(list)?;
            return Ok(false);
        }
        let behind =
            self.cell(list)?.get(4 + width * (place + 1)..4 + width * entries).unwrap_or_default().to_vec();
        self.put(list, 4 + width * place, &behind)?;
        self.put(list, 2, &half(entries - 1))?;
        Ok(true)
    }

    /// Makes a value without data.
    fn add_value(&mut self, key: u32, name: &str) -> Result<u32, BadHive> {
        let units: Vec<u16> = name.encode_utf16().collect();
        if units.len() > MAX_VALUE_NAME {
            let name = name.chars().take(80).collect();
            return Err(BadHive::Name { name, wanted: "at most 16383 characters are wanted" });
        }
        let latin: Option<Vec<u8>> = units.iter().map(|unit| u8::try_from(*unit).ok()).collect();
        let is_latin = latin.is_some();
        let bytes = latin.unwrap_or_else(|| units.iter().flat_map(|unit| unit.to_le_bytes()).collect());
        let value = self.allocate(VALUE_SIZE + bytes.len())?;
        self.put(value, 0, b"vk")?;
        self.put(value, 2, &half(bytes.len()))?;
        self.put(value, 4, &INLINE.to_le_bytes())?;
        self.put(value, 16, &u16::from(is_latin).to_le_bytes())?;
        self.put(value, VALUE_SIZE, &bytes)?;

        let mut values = self.values(key)?;
        values.push(value);
        let list: Vec<u8> = values.iter().flat_map(|cell| cell.to_le_bytes()).collect();
        if values.len() == 1 {
            let cell = self.allocate(list.len())?;
            self.put(cell, 0, &list)?;
            self.put(key, 40, &cell.to_le_bytes())?;
        } else {
            self.replace(Link { cell: key, at: 40 }, &list)?;
        }
        self.put(key, 36, &count(values.len()))?;
        self.raise(key, 60, 2 * units.len())?;
        Ok(value)
    }

    /// Gives a value its type and data: in the same cell if they fit.
    fn put_data(&mut self, value: u32, new: &RegistryValue) -> Result<(), BadHive> {
        let (old_size, cell) = (self.word(value, 4)?, self.word(value, 8)?);
        let mut size = count(new.data.len());
        let has_cell = old_size & INLINE == 0 && old_size > 0;
        let is_plain =
            has_cell && !self.is_segmented(usize::try_from(old_size).unwrap_or(usize::MAX), cell)?;
        if new.data.len() > 4 && is_plain {
            self.replace(Link { cell: value, at: 8 }, &new.data)?;
        } else {
            self.free_data(value)?;
            if new.data.len() > 4 {
                let cell = self.allocate(new.data.len())?;
                self.put(cell, 0, &new.data)?;
                self.put(value, 8, &cell.to_le_bytes())?;
            } else {
                self.put(value, 8, &[0; 4])?;
                self.put(value, 8, &new.data)?;
                size = (u32::from_le_bytes(size) | INLINE).to_le_bytes();
            }
        }
        self.put(value, 4, &size)?;
        self.put(value, 12, &new.kind.to_le_bytes())
    }

    /// Frees the cells in which a value's data stand.
    fn free_data(&mut self, value: u32) -> Result<(), BadHive> {
        let (size, cell) = (self.word(value, 4)?, self.word(value, 8)?);
        if size & INLINE != 0 || size == 0 {
            return Ok(());
        }
        if self.is_segmented(usize::try_from(size).unwrap_or(usize::MAX), cell)? {
            for segment in self.segment_cells(cell)? {
                self.free(segment)?;
            }
            self.free(self.word(cell, 4)?)?;
        }
        self.free(cell)
    }

    /// Counts one key fewer with a security descriptor, which leaves the ring of all with the last.
    fn release_security(&mut self, cell: u32) -> Result<(), BadHive> {
        if self.signature(cell)? != *b"sk" {
            return Err(damaged(cell, "sk"));
        }
        let users = self.word(cell, 12)?;
        if users > 1 {
            return self.put(cell, 12, &(users - 1).to_le_bytes());
        }
        let (next, previous) = (self.word(cell, 4)?, self.word(cell, 8)?);
        self.put(previous, 4, &next.to_le_bytes())?;
        self.put(next, 8, &previous.to_le_bytes())?;
        self.free(cell)
    }

    /// Raises a size that a key keeps of what is below it.
    fn raise(&mut self, key: u32, at: usize, size: usize) -> Result<(), BadHive> {
        let largest = self.word(key, at)?.max(u32::from_le_bytes(count(size)));
        self.put(key, at, &largest.to_le_bytes())
    }

    /// Replaces the contents of the cell that a link leads to: there if they fit, else in another cell.
    fn replace(&mut self, link: Link, contents: &[u8]) -> Result<(), BadHive> {
        let cell = self.word(link.cell, link.at)?;
        let size = self.cell(cell)?.len();
        if contents.len() <= size {
            let rest = vec![0; size - contents.len()];
            self.put(cell, 0, contents)?;
            return self.put(cell, contents.len(), &rest);
        }
        let new = self.allocate(contents.len())?;
        self.put(new, 0, contents)?;
        self.put(link.cell, link.at, &new.to_le_bytes())?;
        self.free(cell)
    }

    /// Takes a cell of zeros, from a free one or a new bin.
    fn allocate(&mut self, length: usize) -> Result<u32, BadHive> {
        let size = (length + 4).next_multiple_of(8);
        let mut found_size = 0;
        let found = self.cells(|_, free| {
            found_size = free;
            free >= size
        })?;
        let at = match found {
            Some(at) => at,
            None => {
                found_size = self.add_bin(size)?;
                self.end - found_size
            }
        };
        let cell = self.bytes.get_mut(at..at + size).ok_or_else(|| damaged(offset(at), "a free cell"))?;
        cell.fill(0);
        self.put_size(at, size, true);
        if found_size > size {
            self.put_size(at + size, found_size - size, false);
        }
        Ok(offset(at))
    }

    /// Adds a bin with one free cell, whose size is returned. What stands behind the bins belongs to none and goes.
    fn add_bin(&mut self, cell: usize) -> Result<usize, BadHive> {
        let size = (cell + 32).next_multiple_of(4096);
        if self.end - BASE + size > MAX_BINS {
            return Err(BadHive::Full { what: "the size of its bins", limit: MAX_BINS });
        }
        self.bytes.truncate(self.end);
        self.bytes.extend(b"hbin");
        self.bytes.extend(offset(self.end).to_le_bytes());
        self.bytes.extend(count(size));
        self.end += size;
        self.bytes.resize(self.end, 0);
        let free = size - 32;
        self.put_size(self.end - free, free, false);
        Ok(free)
    }

    /// Gives a cell back, with its contents as they are, as Windows does.
    fn free(&mut self, cell: u32) -> Result<(), BadHive> {
        let range = self.range(cell).ok_or_else(|| damaged(cell, "a cell in use"))?;
        self.put_size(range.start - 4, range.len() + 4, false);
        Ok(())
    }

    fn put_size(&mut self, at: usize, size: usize, is_used: bool) {
        let size = u32::from_le_bytes(count(size));
        let size = if is_used { size.wrapping_neg() } else { size };
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&size.to_le_bytes());
        }
    }

    fn put_base(&mut self, at: usize, word: u32) {
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }

    fn put(&mut self, cell: u32, at: usize, bytes: &[u8]) -> Result<(), BadHive> {
        let range = self.range(cell).ok_or_else(|| damaged(cell, "a cell in use"))?;
        let place = self.bytes.get_mut(range).and_then(|cell| cell.get_mut(at..at + bytes.len()));
        place.ok_or_else(|| damaged(cell, "a larger cell"))?.copy_from_slice(bytes);
        Ok(())
    }
}

/// Returns a size, which bins bound, as it is stored.
fn count(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()
}

fn half(size: usize) -> [u8; 2] {
    u16::try_from(size).unwrap_or(u16::MAX).to_le_bytes()
}

/// Returns the hash of a name in `lh`.
fn hash(name: &str) -> u32 {
    folded(name).into_iter().fold(0_u32, |sum, unit| sum.wrapping_mul(37).wrapping_add(u32::from(unit)))
}
