//! Edits of a hive, as Windows would make them but for time stamps, which stay.

use super::cell::offset;
use super::{Hive, INLINE, Listed, NONE, SEGMENT, checksum, damaged, folded};
use crate::registry::{BadFile, Change, RegistryKey, RegistryValue, Result, utf16};

mod room;

/// Most units in the name of a value ("Registry Element Size Limits").
const MAX_VALUE_NAME: usize = 16383;

impl Hive {
    /// Changes a key: the hive is taken and given back, so that of a change that failed nothing is left.
    ///
    /// A value is set with its key and those above it where they are missing, with the security of the key above. Refused are
    /// names of new keys with other characters than ASCII, whose order and hash Windows decides by its own table, and data
    /// of more than 16344 bytes.
    pub fn changed(self, key: &RegistryKey, change: &Change<'_>) -> Result<Self> {
        let names = self.below_root(key)?;
        let mut edit = Edit { hive: self, missed: None };
        let is_changed = match change {
            Change::SetValue(name, value) => edit.set_value(&names, name, value)?,
            Change::RemoveValue(name) => edit.remove_value(&names, name)?,
            Change::RemoveKey => edit.remove_key(&names)?,
        };
        if !is_changed {
            return Ok(edit.hive);
        }
        edit.seal();
        let missed = edit.missed;
        // Whatever a damaged hive made of it, what comes out can be read, and says so.
        let hive = Self::read(edit.hive.bytes)?;
        let is_so = match change {
            Change::SetValue(name, value) => hive.value(key, name)?.as_ref() == Some(value),
            Change::RemoveValue(name) => hive.value(key, name)?.is_none(),
            Change::RemoveKey => !hive.has_key(key)?,
        };
        if is_so && missed.is_none() {
            return Ok(hive);
        }
        Err(damaged(
            missed.unwrap_or_default(),
            "a cell that overlaps with no other, and one entry of each name",
        ))
    }
}

/// A hive while it is edited.
struct Edit {
    hive: Hive,
    /// A cell that a write missed.
    missed: Option<u32>,
}

/// The edits tell whether they changed anything.
impl Edit {
    fn set_value(&mut self, names: &[String], name: &str, value: &RegistryValue) -> Result<bool> {
        let size = value.data.len();
        if size > SEGMENT {
            return Err(full("the data of a value in a hive", size, SEGMENT));
        }
        let mut key = self.hive.root()?;
        for name in names {
            key = match self.hive.find_child(key, name)? {
                Some(child) => child.key,
                None => self.add_key(key, name)?,
            };
        }
        let found = match self.hive.find_value(key, name)? {
            Some((_, found)) => found,
            None => self.add_value(key, name)?,
        };
        self.put_data(found, value)?;
        self.raise(key, 64, size)?;
        Ok(true)
    }

    fn remove_value(&mut self, names: &[String], name: &str) -> Result<bool> {
        let Some(key) = self.hive.find(names)? else { return Ok(false) };
        let Some((place, value)) = self.hive.find_value(key, name)? else { return Ok(false) };
        let mut values = self.hive.values(key)?;
        values.remove(place);
        self.put_data(value, &RegistryValue { kind: 0, data: Vec::new() })?;
        self.free(value);
        self.put_values(key, &values)?;
        Ok(true)
    }

    /// Removes a key that has a parent and nothing below it.
    fn remove_key(&mut self, names: &[String]) -> Result<bool> {
        let Some((name, above)) = names.split_last() else { return Ok(false) };
        let Some(parent) = self.hive.find(above)? else { return Ok(false) };
        let Some(listed) = self.hive.find_child(parent, name)? else { return Ok(false) };
        if !self.hive.children(listed.key)?.is_empty() || !self.hive.values(listed.key)?.is_empty() {
            return Ok(false);
        }
        let cell = self.hive.key(listed.key)?;
        let (security, class, class_size) = (cell.word(44), cell.word(48), cell.half(74));
        self.relist(parent, &listed, None)?;
        self.release_security(security)?;
        if class != NONE && class_size > 0 {
            self.free(class);
        }
        self.free(listed.key);
        Ok(true)
    }

    /// Marks the hive as written to its end, once more.
    fn seal(&mut self) {
        let sequence = self.hive.base(4).wrapping_add(1);
        let end = offset(self.hive.end);
        for (at, word) in [(4, sequence), (8, sequence), (40, end)] {
            self.put_place(at, &word.to_le_bytes());
        }
        let checksum = checksum(&self.hive.bytes);
        self.put_place(508, &checksum.to_le_bytes());
    }

    /// Makes an empty key.
    fn add_key(&mut self, parent: u32, name: &str) -> Result<u32> {
        if !name.is_ascii() {
            let wanted = "a new key of ASCII characters in a hive";
            return Err(Box::new(BadFile::Unwritable { text: name.to_owned(), wanted }));
        }
        let above = self.hive.key(parent)?;
        let (time, security) = (above.bytes.get(4..12).unwrap_or_default(), above.word(44));
        let contents = [
            b"nk\x20\0",
            time,
            &[0; 4],
            &parent.to_le_bytes(),
            // No keys, nor volatile ones.
            &[0; 8],
            &[0xff; 8],
            // No values.
            &[0; 4],
            &[0xff; 4],
            &security.to_le_bytes(),
            // No class name.
            &[0xff; 4],
            &[0; 20],
            &half(name.len()),
            &[0; 2],
            name.as_bytes(),
        ]
        .concat();
        let (longest, size) = (above.half(52), half(2 * name.len()));
        let users = self.users(security)?.checked_add(1);
        let users = users.ok_or_else(|| damaged(security, "fewer keys of this security"))?;
        self.put(security, 12, &users.to_le_bytes());
        let key = self.store(NONE, &contents)?;
        let place = self.place_for(parent, name)?;
        self.relist(parent, &place, Some((key, name)))?;
        // The upper half holds flags.
        self.put(parent, 52, &longest.max(u16::from_le_bytes(size)).to_le_bytes());
        Ok(key)
    }

    /// Finds the place of a new key in its parent's lists, which are sorted; makes a list if there is none.
    fn place_for(&mut self, parent: u32, name: &str) -> Result<Listed> {
        let name = folded(name);
        let mut last = None;
        for child in self.hive.children(parent)? {
            if self.hive.key(child.key)?.name().compare(&name).is_gt() {
                return Ok(child);
            }
            last = Some(child);
        }
        if let Some(last) = last {
            return Ok(Listed { place: last.place + 1, ..last });
        }
        let has_hashes = self.hive.base(24) > 4;
        let list =
            self.store(NONE, if has_hashes { b"lh\0\0\0\0\0\0\0\0\0\0" } else { b"lf\0\0\0\0\0\0\0\0\0\0" })?;
        self.put(parent, 28, &list.to_le_bytes());
        Ok(Listed { key: NONE, list, place: 0, list_place: 0 })
    }

    /// Adds a key to its parent's lists, or takes the one at this place out, and a list out of its own that is empty then.
    fn relist(&mut self, parent: u32, place: &Listed, added: Option<(u32, &str)>) -> Result<()> {
        let above = self.hive.key(parent)?;
        let (keys, lists) = (above.word(20), above.word(28));
        let list = self.splice(place.list, place.place, added)?;
        if place.list == lists {
            self.put(parent, 28, &list.to_le_bytes());
        } else if list == NONE {
            let lists = self.splice(lists, place.list_place, None)?;
            self.put(parent, 28, &lists.to_le_bytes());
        } else {
            self.put(lists, 4 + 4 * place.list_place, &list.to_le_bytes());
        }
        let keys = if added.is_some() { keys.saturating_add(1) } else { keys.saturating_sub(1) };
        self.put(parent, 20, &keys.to_le_bytes());
        Ok(())
    }

    /// Adds a key to a list, or takes the entry at this place out; returns the list's cell, none of one that is empty then.
    fn splice(&mut self, at: u32, place: usize, added: Option<(u32, &str)>) -> Result<u32> {
        let list = self.hive.list(at)?;
        let (before, rest) = (4 + list.width * place, 4 + list.width * list.count);
        let (mut entry, mut behind, mut count) =
            (Vec::new(), before + list.width, list.count.saturating_sub(1));
        if let Some((key, name)) = added {
            (behind, count) = (before, list.count + 1);
            entry.extend_from_slice(&key.to_le_bytes());
            entry.extend_from_slice(&if list.has_hashes() { hash(name) } else { start(name) });
            entry.truncate(list.width);
        }
        let limit = usize::from(u16::MAX);
        if count > limit {
            return Err(full("a list of keys in a hive", count, limit));
        }
        let part = |range: std::ops::Range<usize>| list.cell.bytes.get(range).unwrap_or_default();
        let mut contents = [part(0..2), &half(count), part(4..before), &entry, part(behind..rest)].concat();
        if count == 0 {
            contents.clear();
        }
        self.store(at, &contents)
    }

    /// Makes a value without data.
    fn add_value(&mut self, key: u32, name: &str) -> Result<u32> {
        let mut bytes = utf16(name);
        bytes.truncate(bytes.len() - 2);
        let size = bytes.len();
        if size > 2 * MAX_VALUE_NAME {
            return Err(full("the name of a value", size / 2, MAX_VALUE_NAME));
        }
        let is_latin = bytes.iter().skip(1).step_by(2).all(|high| *high == 0);
        if is_latin {
            let mut is_high = true;
            bytes.retain(|_| {
                is_high = !is_high;
                !is_high
            });
        }
        let flags = u32::from(is_latin).to_le_bytes();
        let length = half(bytes.len());
        let contents = [b"vk", &length[..], &INLINE.to_le_bytes(), &[0; 8], &flags, &bytes].concat();
        let value = self.store(NONE, &contents)?;
        let mut values = self.hive.values(key)?;
        values.push(value);
        self.put_values(key, &values)?;
        self.raise(key, 60, size)?;
        Ok(value)
    }

    /// Gives a key its list of values.
    fn put_values(&mut self, key: u32, values: &[u32]) -> Result<()> {
        let cell = self.hive.key(key)?;
        let old = if cell.word(36) == 0 { NONE } else { cell.word(40) };
        let mut list = Vec::new();
        values.iter().for_each(|value| list.extend_from_slice(&value.to_le_bytes()));
        let list = self.store(old, &list)?;
        self.put(key, 36, &count(values.len()));
        self.put(key, 40, &list.to_le_bytes());
        Ok(())
    }

    /// Gives a value its type and data: in the same cell if they fit.
    fn put_data(&mut self, value: u32, new: &RegistryValue) -> Result<()> {
        let cell = self.hive.value_cell(value)?;
        let (size, place) = (cell.word(4), cell.word(8));
        let mut old = if size == 0 || size & INLINE != 0 { NONE } else { place };
        if old != NONE
            && let Some(segments) = self.hive.segments(usize::try_from(size).unwrap_or(usize::MAX), place)?
        {
            let list = self.hive.cell(place, "db", 8)?.word(4);
            segments.into_iter().chain([list, place]).for_each(|cell| self.free(cell));
            old = NONE;
        }
        let size = new.data.len();
        let is_inline = size <= 4;
        let mut place = self.store(old, if is_inline { &[] } else { &new.data })?.to_le_bytes();
        if is_inline {
            place = [0; 4];
            place.iter_mut().zip(&new.data).for_each(|(to, from)| *to = *from);
        }
        let size = u32::from_le_bytes(count(size)) | if is_inline { INLINE } else { 0 };
        self.put(value, 4, &[size.to_le_bytes(), place, new.kind.to_le_bytes()].concat());
        Ok(())
    }

    /// Returns how many keys have a security descriptor.
    fn users(&self, security: u32) -> Result<u32> {
        let cell = self.hive.cell(security, "sk", 20)?;
        if cell.bytes.starts_with(b"sk") { Ok(cell.word(12)) } else { Err(damaged(security, "sk")) }
    }

    /// Counts one key fewer with a security descriptor, which leaves the ring of all with the last.
    fn release_security(&mut self, security: u32) -> Result<()> {
        let users = self.users(security)?;
        if users > 1 {
            self.put(security, 12, &(users - 1).to_le_bytes());
            return Ok(());
        }
        let cell = self.hive.cell(security, "sk", 20)?;
        let (next, previous) = (cell.word(4), cell.word(8));
        self.put(previous, 4, &next.to_le_bytes());
        self.put(next, 8, &previous.to_le_bytes());
        self.free(security);
        Ok(())
    }

    /// Raises a size that a key keeps of its values.
    fn raise(&mut self, key: u32, at: usize, size: usize) -> Result<()> {
        let largest = self.hive.key(key)?.word(at).max(u32::from_le_bytes(count(size)));
        self.put(key, at, &largest.to_le_bytes());
        Ok(())
    }
}

fn full(what: &'static str, size: usize, limit: usize) -> Box<BadFile> {
    Box::new(BadFile::Full { what, size, limit })
}

/// Returns a size, which bins bound, as it is stored.
fn count(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()
}

fn half(size: usize) -> [u8; 2] {
    u16::try_from(size).unwrap_or(u16::MAX).to_le_bytes()
}

/// Returns the hash of a name in `lh`.
fn hash(name: &str) -> [u8; 4] {
    let hash = |sum: u32, unit: u16| sum.wrapping_mul(37).wrapping_add(u32::from(unit));
    folded(name).into_iter().fold(0, hash).to_le_bytes()
}

/// Returns what `lf` has of a name.
fn start(name: &str) -> [u8; 4] {
    let mut start = [0; 4];
    start.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    start
}
