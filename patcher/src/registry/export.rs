//! Exports of a registry (`.reg`), as `regedit /E` writes them: what they say of a key, and edits that keep every other byte.
//!
//! An export is read as its import would act: statements in sequence, so that a later one outweighs an earlier one and
//! `[-key]` takes back what stands above it. Sections of other roots than `HKEY_LOCAL_MACHINE` are read and have no
//! meaning here. Names ignore case as far as it is that of ASCII.
//!
//! | version | header | encoding | bytes of `hex(1)`, `hex(2)`, `hex(7)` |
//! |---|---|---|---|
//! | 4 | `REGEDIT4` | Windows-1252; any of those below that its first bytes tell | Windows-1252 |
//! | 5 | `Windows Registry Editor Version 5.00` | UTF-16 of either order by its mark, else UTF-8 with or without mark | UTF-16, little-endian |
//!
//! Text is kept as UTF-16 units, which every byte of these encodings comes back from; one that does not is refused.
//!
//! Sources: Microsoft KB 310516 (".reg File Syntax"), and Wine's `regedit`, which reads the same files.

use std::collections::BinaryHeap;
use std::ops::Range;

use super::{BINARY, BadFile, Change, DWORD, EXPAND_SZ, MULTI_SZ, RegistryKey, RegistryValue, Result, SZ};

mod encoding;
mod found;
mod statement;
#[cfg(test)]
mod tests;

use encoding::Encoding;
use found::{Found, Relation, Thing, is_name, split};
use statement::{Meaning, Statement, Statements};

/// The export of a registry.
#[derive(Clone)]
pub struct Export {
    encoding: Encoding,
    version: Version,
    text: Vec<u16>,
    /// Where the sections start: a look at a key passes over the values of others.
    sections: Vec<usize>,
}

/// Which header it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Four,
    Five,
}

impl Export {
    /// Reads an export, all of it: one that is wrong anywhere is refused.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let (encoding, text) = encoding::decode(bytes)?;
        Self::of(encoding, text)
    }

    /// Reads all statements of a text.
    fn of(encoding: Encoding, text: Vec<u16>) -> Result<Self> {
        let (version, mut statements) = Statements::read_header(&text)?;
        let mut sections = Vec::new();
        while let Some(statement) = statements.next()? {
            if !matches!(statement.meaning, Meaning::Value { .. }) {
                sections.push(statement.lines.start);
            }
        }
        Ok(Self { encoding, version, text, sections })
    }

    /// Returns the bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encoding.encode(&self.text)
    }

    /// Returns a value; none if there is none, or no such key. The default value has no name.
    pub fn value(&self, key: &RegistryKey, name: &str) -> Result<Option<RegistryValue>> {
        Ok(self.find(key, Some(name))?.value)
    }

    /// Tells whether there is such a key: one that a section names, or that is above one.
    pub fn has_key(&self, key: &RegistryKey) -> Result<bool> {
        Ok(self.find(key, None)?.has_key)
    }

    /// Changes a key. An export whose change failed may be changed in part.
    ///
    /// A value is set where it stands, else below its section, else in a new section at the end. It is removed with every line
    /// that speaks of it, a key with the empty lines behind it.
    pub fn change(&mut self, key: &RegistryKey, change: &Change<'_>) -> Result<()> {
        match change {
            Change::SetValue(name, value) => self.set_value(key, name, value),
            Change::RemoveValue(name) => {
                let Found { lines, .. } = self.find(key, Some(name))?;
                self.replace(&lines, "")
            }
            Change::RemoveKey => self.remove_key(key),
        }
    }

    fn set_value(&mut self, key: &RegistryKey, name: &str, value: &RegistryValue) -> Result<()> {
        let Found { data, end, .. } = self.find(key, Some(name))?;
        let written = self.written(value)?;
        if let Some(place) = data {
            return self.replace(&[place], &written);
        }
        self.require_writable(name)?;
        let name = if name.is_empty() { "@".to_owned() } else { quoted(name) };
        let line = [&name, "=", &written].concat();
        match end {
            Some(at) => self.insert(at, &[&line]),
            None => self.append(&[&self.section("[", key)?, &line]),
        }
    }

    fn remove_key(&mut self, key: &RegistryKey) -> Result<()> {
        let Found { has_key, things, lines, .. } = self.find(key, None)?;
        if !has_key {
            return Ok(());
        }
        // What was said last of a thing counts, and comes out first.
        let mut things = BinaryHeap::from(things);
        let mut later = None;
        while let Some((thing, _, is_there)) = things.pop() {
            if is_there && later != Some(thing) {
                return Ok(());
            }
            later = Some(thing);
        }
        self.replace(&lines, "")?;
        // What was below it is taken back further down, which leaves it.
        if self.has_key(key)? {
            self.append(&[&self.section("[-", key)?])?;
        }
        Ok(())
    }

    /// Lets all sections act, for a value of a key or for the key.
    fn find(&self, key: &RegistryKey, name: Option<&str>) -> Result<Found<'_>> {
        let name = name.map(escaped);
        let mut found = Found::default();
        for at in &self.sections {
            let mut statements = Statements::new(&self.text, self.version, *at);
            let Some(Statement { lines, meaning }) = statements.next()? else { break };
            match meaning {
                Meaning::RemoveKey(path) => match Relation::of(path, key) {
                    Relation::Same | Relation::Above => found = Found::default(),
                    Relation::Below(path) if name.is_none() => found.say(Thing::Key(path), false),
                    Relation::Below(_) | Relation::Apart => {}
                },
                Meaning::Key(path) => match Relation::of(path, key) {
                    Relation::Same => {
                        (found.has_key, found.end) = (true, Some(lines.end));
                        if name.is_none() {
                            found.lines.push(lines.start..self.after_blank_lines(lines.end));
                        }
                        self.find_values(statements, name.as_deref(), &mut found)?;
                    }
                    Relation::Below(path) => {
                        found.has_key = true;
                        if name.is_none() {
                            found.say(Thing::Key(split(path).0), true);
                        }
                    }
                    Relation::Above | Relation::Apart => {}
                },
                Meaning::Value { .. } => {}
            }
        }
        Ok(found)
    }

    /// Lets the values of a section of the key act.
    fn find_values<'t>(
        &self,
        mut statements: Statements<'t>,
        name: Option<&str>,
        found: &mut Found<'t>,
    ) -> Result<()> {
        while let Some(Statement { lines, meaning: Meaning::Value { name: other, data, value } }) =
            statements.next()?
        {
            found.end = Some(lines.end);
            match name {
                None => found.say(Thing::Value(other), value.is_some()),
                Some(name) if is_name(other, name) => (found.data, found.value) = (Some(data), value),
                Some(_) => continue,
            }
            found.lines.push(lines);
        }
        Ok(())
    }

    /// Puts a text in place of each of some places, which follow one another.
    fn replace(&mut self, places: &[Range<usize>], new: &str) -> Result<()> {
        let new: Vec<u16> = new.encode_utf16().collect();
        let mut text = Vec::with_capacity(self.text.len() + new.len());
        let mut kept = 0;
        for place in places {
            text.extend_from_slice(self.text.get(kept..place.start).unwrap_or_default());
            text.extend_from_slice(&new);
            kept = place.end;
        }
        text.extend_from_slice(self.text.get(kept..).unwrap_or_default());
        *self = Self::of(self.encoding, text)?;
        Ok(())
    }

    /// Adds lines where one ends.
    fn insert(&mut self, at: usize, lines: &[&str]) -> Result<()> {
        let end = self.line_end();
        let mut added = String::new();
        if at == self.text.len() && self.text.last() != Some(&LINE_FEED) {
            added.push_str(end);
        }
        for line in lines {
            added.push_str(line);
            added.push_str(end);
        }
        self.replace(std::slice::from_ref(&(at..at)), &added)
    }

    /// Adds a section at the end of the text, between empty lines.
    fn append(&mut self, lines: &[&str]) -> Result<()> {
        let last = self.text.iter().rev().take_while(|unit| statement::is_space(**unit));
        let line_ends = last.filter(|unit| **unit == LINE_FEED).count();
        let gap: &[&str] = if line_ends > 1 { &[] } else { &[""] };
        self.insert(self.text.len(), &[gap, lines, &[""]].concat())
    }

    /// Returns where the empty lines from `at` on end.
    fn after_blank_lines(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let blank = rest.iter().take_while(|unit| statement::is_space(**unit)).count();
        let blank = rest.get(..blank).unwrap_or_default();
        at + blank.iter().rposition(|unit| *unit == LINE_FEED).map_or(0, |last| last + 1)
    }

    fn line_end(&self) -> &'static str {
        match self.text.iter().position(|unit| *unit == LINE_FEED) {
            Some(at) if at.checked_sub(1).and_then(|at| self.text.get(at)) != Some(&CARRIAGE_RETURN) => "\n",
            _ => "\r\n",
        }
    }

    fn section(&self, start: &str, key: &RegistryKey) -> Result<String> {
        let section = [start, super::LONG_ROOT, "\\", &key.path(), "]"].concat();
        self.require_writable(&section)?;
        Ok(section)
    }

    fn is_writable(&self, text: &str) -> bool {
        self.encoding.has(text) && !text.chars().any(char::is_control)
    }

    fn require_writable(&self, text: &str) -> Result<()> {
        if self.is_writable(text) { Ok(()) } else { Err(self.unwritable(text)) }
    }

    fn unwritable(&self, text: &str) -> Box<BadFile> {
        Box::new(BadFile::Unwritable { text: text.to_owned(), wanted: self.encoding.name() })
    }

    /// Writes what stands behind `=`: as people read it where that comes back as the same bytes, else in hexadecimal.
    fn written(&self, value: &RegistryValue) -> Result<String> {
        match (value.kind, value.as_text()) {
            (SZ, Some(text)) if self.is_writable(&text) && RegistryValue::text(&text) == *value => {
                return Ok(quoted(&text));
            }
            (DWORD, Some(_)) => {
                let mut written = "dword:".to_owned();
                value.data.iter().rev().for_each(|byte| super::push_hex(&mut written, *byte));
                return Ok(written);
            }
            _ => {}
        }
        let narrow = match value.kind {
            SZ | EXPAND_SZ | MULTI_SZ if self.version == Version::Four => {
                let narrow = encoding::narrow(&value.data);
                Some(narrow.ok_or_else(|| {
                    self.unwritable(
                        String::from_utf16_lossy(&super::units(&value.data)).trim_end_matches('\0'),
                    )
                })?)
            }
            _ => None,
        };
        let mut written = match value.kind {
            BINARY => "hex:".to_owned(),
            kind => format!("hex({kind:x}):"),
        };
        for (number, byte) in narrow.as_ref().unwrap_or(&value.data).iter().enumerate() {
            if number > 0 {
                written.push(',');
            }
            super::push_hex(&mut written, *byte);
        }
        Ok(written)
    }
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Export({:?}, {:?}, {} units)", self.version, self.encoding, self.text.len())
    }
}

const BACKSLASH: u16 = b'\\' as u16;
const QUOTE: u16 = b'"' as u16;
const LINE_FEED: u16 = b'\n' as u16;
const CARRIAGE_RETURN: u16 = b'\r' as u16;

/// Writes a name or text as it stands between quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if matches!(letter, '\\' | '"') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

fn quoted(text: &str) -> String {
    ["\"", &escaped(text), "\""].concat()
}
