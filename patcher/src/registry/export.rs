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

use std::collections::BTreeSet;
use std::ops::Range;

use super::{BINARY, DWORD, EXPAND_SZ, MULTI_SZ, RegistryKey, RegistryValue, SZ};

mod encoding;
mod statement;

use encoding::Encoding;
use statement::{Meaning, Statement, Statements};

/// The export of a registry.
#[derive(Clone)]
pub struct Export {
    encoding: Encoding,
    version: Version,
    text: Vec<u16>,
}

/// Which header it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Four,
    Five,
}

/// Why bytes are no export, or an edit cannot be written in one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadExport {
    /// It begins otherwise.
    #[error(
        "it begins with {found:?}; wanted is REGEDIT4 or Windows Registry Editor Version 5.00 of an export, or regf of a hive"
    )]
    Header {
        /// How it begins.
        found: String,
    },
    /// A byte that its encoding does not have.
    #[error("line {line}: the byte {byte:#04x} at {offset} is not {encoding}")]
    Encoding {
        /// Its line, from 1.
        line: usize,
        /// The byte.
        byte: u8,
        /// Where it is.
        offset: usize,
        /// The encoding that the first bytes tell.
        encoding: &'static str,
    },
    /// A statement that is none.
    #[error("line {line}: found {found:?}, wanted is {wanted}")]
    Syntax {
        /// Its line, from 1.
        line: usize,
        /// What stands there.
        found: String,
        /// What could stand there.
        wanted: &'static str,
    },
    /// A name or text that the file's encoding or syntax does not have.
    #[error("{text:?} cannot be written in {encoding}")]
    Unwritable {
        /// The text.
        text: String,
        /// The file's encoding.
        encoding: &'static str,
    },
}

impl Export {
    /// Reads an export, all of it: one that is wrong anywhere is refused.
    pub fn read(bytes: &[u8]) -> Result<Self, BadExport> {
        let (encoding, text) = encoding::decode(bytes)?;
        let (version, _) = statement::header(&text)?;
        let export = Self { encoding, version, text };
        for statement in export.statements() {
            statement?;
        }
        Ok(export)
    }

    /// Returns the bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encoding.encode(&self.text)
    }

    /// Returns a value; none if there is none, or no such key. The default value has no name.
    pub fn value(&self, key: &RegistryKey, name: &str) -> Result<Option<RegistryValue>, BadExport> {
        let mut found = None;
        self.walk(key, |relation, statement| match (statement.meaning, relation) {
            (Meaning::RemoveKey(_), Relation::Same | Relation::Above) => found = None,
            (Meaning::Value { name: other, value, .. }, Relation::Same) if is_name(&other, name) => {
                found = value;
            }
            _ => {}
        })?;
        Ok(found)
    }

    /// Tells whether there is such a key: one that a section names, or that is above one.
    pub fn has_key(&self, key: &RegistryKey) -> Result<bool, BadExport> {
        let mut found = false;
        self.walk(key, |relation, statement| match (statement.meaning, relation) {
            (Meaning::RemoveKey(_), Relation::Same | Relation::Above) => found = false,
            (Meaning::Key(_), Relation::Same | Relation::Below(_)) => found = true,
            _ => {}
        })?;
        Ok(found)
    }

    /// Sets a value: where it stands, else below its section, else in a new section at the end.
    pub fn set_value(
        &mut self,
        key: &RegistryKey,
        name: &str,
        value: &RegistryValue,
    ) -> Result<(), BadExport> {
        let (mut data, mut section_end) = (None, None);
        self.walk(key, |relation, statement| match (statement.meaning, relation) {
            (Meaning::RemoveKey(_), Relation::Same | Relation::Above) => (data, section_end) = (None, None),
            (Meaning::Key(_), Relation::Same) => section_end = Some(statement.lines.end),
            (Meaning::Value { name: other, data: place, .. }, Relation::Same) => {
                section_end = Some(statement.lines.end);
                data = if is_name(&other, name) { Some(place) } else { data.take() };
            }
            _ => {}
        })?;
        let written = self.written(value)?;
        if let Some(place) = data {
            self.text.splice(place, written.encode_utf16());
            return Ok(());
        }
        let line = format!("{}={written}", self.written_name(name)?);
        match section_end {
            Some(at) => self.insert(at, &[&line]),
            None => self.append(&[&self.section("", key)?, &line]),
        }
        Ok(())
    }

    /// Removes a value: every line that speaks of it.
    pub fn remove_value(&mut self, key: &RegistryKey, name: &str) -> Result<(), BadExport> {
        let mut lines = Vec::new();
        self.walk(key, |relation, statement| match (statement.meaning, relation) {
            (Meaning::Value { name: other, .. }, Relation::Same) if is_name(&other, name) => {
                lines.push(statement.lines);
            }
            _ => {}
        })?;
        self.cut(lines);
        Ok(())
    }

    /// Removes a key in which nothing is, with the empty lines behind it; one that is absent or holds something is left
    /// alone.
    pub fn remove_key(&mut self, key: &RegistryKey) -> Result<(), BadExport> {
        let (mut values, mut keys, mut lines) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        self.walk(key, |relation, statement| match (statement.meaning, relation) {
            (Meaning::RemoveKey(_), Relation::Same | Relation::Above) => {
                values.clear();
                keys.clear();
            }
            (Meaning::RemoveKey(_), Relation::Below(below)) => {
                keys.remove(&fold(below));
            }
            (Meaning::Key(_), Relation::Below(below)) => {
                let child = below.split(|unit| *unit == BACKSLASH).next().unwrap_or(below);
                keys.insert(fold(child));
            }
            (Meaning::Key(_), Relation::Same) => {
                lines.push(statement.lines.start..self.after_blank_lines(statement.lines.end));
            }
            (Meaning::Value { name, value, .. }, Relation::Same) => {
                lines.push(statement.lines);
                match value {
                    Some(_) => values.insert(fold(&name)),
                    None => values.remove(&fold(&name)),
                };
            }
            _ => {}
        })?;
        if !values.is_empty() || !keys.is_empty() {
            return Ok(());
        }
        self.cut(lines);
        // What was below it is taken back further down, which leaves it.
        if self.has_key(key)? {
            self.append(&[&self.section("-", key)?]);
        }
        Ok(())
    }

    fn statements(&self) -> Statements<'_> {
        Statements::new(&self.text, self.version)
    }

    /// Shows every statement with how its key stands to `key`; a value's key is that of its section.
    fn walk<'t>(
        &'t self,
        key: &RegistryKey,
        mut visit: impl FnMut(Relation<'t>, Statement<'t>),
    ) -> Result<(), BadExport> {
        let mut section = Relation::Apart;
        for statement in self.statements() {
            let statement = statement?;
            let relation = match &statement.meaning {
                Meaning::Key(path) => {
                    section = Relation::of(path, key);
                    section
                }
                Meaning::RemoveKey(path) => {
                    section = Relation::Apart;
                    Relation::of(path, key)
                }
                Meaning::Value { .. } => section,
            };
            visit(relation, statement);
        }
        Ok(())
    }

    /// Adds lines where one ends.
    fn insert(&mut self, at: usize, lines: &[&str]) {
        let end = self.line_end();
        let mut added = String::new();
        if at == self.text.len() && self.text.last() != Some(&LINE_FEED) {
            added.push_str(end);
        }
        for line in lines {
            added.push_str(line);
            added.push_str(end);
        }
        self.text.splice(at..at, added.encode_utf16());
    }

    /// Adds a section at the end of the text, between empty lines.
    fn append(&mut self, lines: &[&str]) {
        let is_blank = |unit: &u16| statement::is_space(*unit);
        let last = self.text.iter().rev().take_while(|unit| is_blank(unit));
        let line_ends = last.filter(|unit| **unit == LINE_FEED).count();
        let gap = if line_ends > 1 { [].as_slice() } else { [""].as_slice() };
        self.insert(self.text.len(), &[gap, lines, [""].as_slice()].concat());
    }

    fn cut(&mut self, places: Vec<Range<usize>>) {
        for place in places.into_iter().rev() {
            self.text.drain(place);
        }
    }

    /// Returns where the empty lines from `at` on end.
    fn after_blank_lines(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let blank = rest.iter().take_while(|unit| statement::is_space(**unit));
        let lines = blank.enumerate().filter(|(_, unit)| **unit == LINE_FEED);
        lines.last().map_or(at, |(last, _)| at + last + 1)
    }

    fn line_end(&self) -> &'static str {
        match self.text.iter().position(|unit| *unit == LINE_FEED) {
            Some(at) if at.checked_sub(1).and_then(|at| self.text.get(at)) != Some(&CARRIAGE_RETURN) => "\n",
            _ => "\r\n",
        }
    }

    fn section(&self, sign: &str, key: &RegistryKey) -> Result<String, BadExport> {
        let section = format!("[{sign}{}\\{}]", super::LONG_ROOT, key.path());
        self.writable(&section)?;
        Ok(section)
    }

    fn written_name(&self, name: &str) -> Result<String, BadExport> {
        self.writable(name)?;
        Ok(if name.is_empty() { "@".to_owned() } else { quoted(name) })
    }

    fn writable(&self, text: &str) -> Result<(), BadExport> {
        if self.encoding.has(text) && !text.chars().any(char::is_control) {
            return Ok(());
        }
        Err(BadExport::Unwritable { text: text.to_owned(), encoding: self.encoding.name() })
    }

    /// Writes what stands behind `=`: as people read it where that comes back as the same bytes, else in hexadecimal.
    fn written(&self, value: &RegistryValue) -> Result<String, BadExport> {
        let text = value.as_text().filter(|text| self.writable(text).is_ok());
        match (value.kind, text) {
            (SZ, Some(text)) if RegistryValue::text(&text) == *value => return Ok(quoted(&text)),
            (DWORD, Some(_)) => {
                let digits = value.data.iter().rev().map(|byte| format!("{byte:02x}"));
                return Ok(format!("dword:{}", digits.collect::<String>()));
            }
            _ => {}
        }
        let data = match value.kind {
            SZ | EXPAND_SZ | MULTI_SZ if self.version == Version::Four => {
                let narrow = encoding::narrow(&value.data);
                let text =
                    || String::from_utf16_lossy(&super::units(&value.data)).trim_end_matches('\0').to_owned();
                narrow.ok_or_else(|| BadExport::Unwritable { text: text(), encoding: "REGEDIT4" })?
            }
            _ => value.data.clone(),
        };
        let bytes: Vec<String> = data.iter().map(|byte| format!("{byte:02x}")).collect();
        let kind = if value.kind == BINARY { String::new() } else { format!("({:x})", value.kind) };
        Ok(format!("hex{kind}:{}", bytes.join(",")))
    }
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Export({:?}, {:?}, {} units)", self.version, self.encoding, self.text.len())
    }
}

const BACKSLASH: u16 = b'\\' as u16;
const LINE_FEED: u16 = b'\n' as u16;
const CARRIAGE_RETURN: u16 = b'\r' as u16;

/// How the key of a section stands to the one that is asked for.
#[derive(Clone, Copy)]
enum Relation<'t> {
    Same,
    Above,
    /// Below it, by this path.
    Below(&'t [u16]),
    Apart,
}

impl<'t> Relation<'t> {
    fn of(path: &'t [u16], key: &RegistryKey) -> Self {
        let (root, mut rest) = split(path);
        if !is_name(root, super::LONG_ROOT) && !is_name(root, super::ROOT) {
            return Self::Apart;
        }
        for wanted in key.names() {
            let (name, below) = split(rest);
            if rest.is_empty() {
                return Self::Above;
            }
            if !is_name(name, wanted) {
                return Self::Apart;
            }
            rest = below;
        }
        if rest.is_empty() { Self::Same } else { Self::Below(rest) }
    }
}

/// Cuts a path at its first backslash.
fn split(path: &[u16]) -> (&[u16], &[u16]) {
    let end = path.iter().position(|unit| *unit == BACKSLASH).unwrap_or(path.len());
    (path.get(..end).unwrap_or_default(), path.get(end + 1..).unwrap_or_default())
}

fn is_name(units: &[u16], name: &str) -> bool {
    units.iter().copied().map(super::fold_unit).eq(name.encode_utf16().map(super::fold_unit))
}

fn fold(units: &[u16]) -> Vec<u16> {
    units.iter().copied().map(super::fold_unit).collect()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FIVE: &str = "Windows Registry Editor Version 5.00\r\n\r\n\
        [HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SMS\\Setup]\r\n\
        ; by hand\r\n\
        @=\"default\"\r\n\
        \"Full Version\"=\"2.00.1239.0000\" ; too old\r\n\
        \"Path \\\"x\\\"\"=\"C:\\\\SMS\\\\\"\r\n\
        \"Type\"=dword:0000000A\r\n\
        \"Two lines\"=\"one\r\n[two]\"\r\n\
        \"Gone\"=-\r\n\
        \"Binary\"=hex:01,02,\\\r\n  FF, \\\r\n  10\r\n\
        \"Empty\"=hex:\r\n\
        \"Text\"=hex(1):61,00,00,00\r\n\
        \"Expanded\"=hex(2):25,00,61,00,\\\r\n  25,00,00,00\r\n\
        \"Odd\"=hex(100000):07,\r\n\
        \r\n\
        [HKEY_CURRENT_USER\\Software]\r\n\
        \"Full Version\"=\"of a user\"\r\n\
        \r\n\
        [HKEY_LOCAL_MACHINE\\SOFTWARE\\Old\\Below]\r\n\
        \"x\"=dword:1\r\n\
        [-HKEY_LOCAL_MACHINE\\SOFTWARE\\Old]\r\n\
        [HKEY_LOCAL_MACHINE\\SOFTWARE\\a]b]\r\n\
        \"x\"=dword:1";

    fn key(text: &str) -> RegistryKey {
        text.parse().unwrap()
    }

    fn setup() -> RegistryKey {
        key(r"HKLM\SOFTWARE\Microsoft\SMS\Setup")
    }

    fn in_every_encoding(text: &str) -> Vec<Vec<u8>> {
        let units = || [MARK].into_iter().chain(text.encode_utf16());
        vec![
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            units().flat_map(u16::to_le_bytes).collect(),
            units().flat_map(u16::to_be_bytes).collect(),
        ]
    }

    use encoding::MARK;

    #[test]
    fn every_kind_of_line_is_read_in_every_encoding() {
        for bytes in in_every_encoding(FIVE).into_iter().chain(in_every_encoding(&FIVE.replace("\r\n", "\n")))
        {
            let export = Export::read(&bytes).unwrap();
            assert_eq!(export.to_bytes(), bytes);
            let value = |name: &str| export.value(&setup(), name).unwrap();
            let raw = |kind, data: &[u8]| Some(RegistryValue { kind, data: data.to_vec() });
            assert_eq!(value(""), Some(RegistryValue::text("default")));
            assert_eq!(value("FULL version"), Some(RegistryValue::text("2.00.1239.0000")));
            assert_eq!(value("Path \"x\""), Some(RegistryValue::text("C:\\SMS\\")));
            assert_eq!(value("Type"), Some(RegistryValue::number(10)));
            let two_lines = value("Two lines").unwrap().as_text().unwrap();
            assert_eq!(two_lines.replace("\r\n", "\n"), "one\n[two]");
            assert_eq!(value("Gone"), None);
            assert_eq!(value("Binary"), raw(BINARY, &[1, 2, 0xff, 0x10]));
            assert_eq!(value("Empty"), raw(BINARY, &[]));
            assert_eq!(value("Text"), Some(RegistryValue::text("a")));
            assert_eq!(value("Expanded"), raw(EXPAND_SZ, b"%\0a\0%\0\0\0"));
            assert_eq!(value("Odd"), raw(0x10_0000, &[7]));
            for (name, is_there) in [
                (r"HKLM\SOFTWARE\microsoft", true),
                (r"HKLM\SOFTWARE\Microsoft\SMS\Setup\x", false),
                (r"HKLM\SOFTWARE\Old\Below", false),
                (r"HKLM\SOFTWARE\Old", false),
                (r"HKLM\SOFTWARE\a]b", true),
                (r"HKLM\SYSTEM", false),
            ] {
                assert_eq!(export.has_key(&key(name)), Ok(is_there), "{name}");
            }
        }
    }

    #[test]
    fn version_4_has_texts_in_windows_1252() {
        let bytes = b"\r\nREGEDIT4 \n[HKEY_LOCAL_MACHINE\\SOFTWARE\\x]\n\"\x80\"=\"gr\xf6\xdfer\x81\"\n\"e\"=hex(2):80,00\n\"b\"=hex:80\n";
        let mut export = Export::read(bytes).unwrap();
        assert_eq!(export.to_bytes(), bytes);
        let x = key(r"HKLM\SOFTWARE\x");
        assert_eq!(export.value(&x, "€").unwrap(), Some(RegistryValue::text("größer\u{81}")));
        let expanded = RegistryValue { kind: EXPAND_SZ, data: RegistryValue::text("€").data };
        assert_eq!(export.value(&x, "e").unwrap(), Some(expanded.clone()));
        assert_eq!(export.value(&x, "b").unwrap().unwrap().data, [0x80]);
        export.set_value(&x, "e", &expanded).unwrap();
        assert_eq!(export.to_bytes(), bytes);
        for (name, value) in [("Ω", RegistryValue::number(1)), ("o", RegistryValue::text("Ω"))] {
            let error = export.set_value(&x, name, &value).unwrap_err();
            assert!(error.to_string().starts_with("\"Ω\" cannot be written in "), "{error}");
        }
        assert!(export.set_value(&key(r"HKLM\SOFTWARE\Ω"), "", &expanded).is_err());
        assert!(export.set_value(&x, "line\nline", &expanded).is_err());
        assert_eq!(export.to_bytes(), bytes);
    }

    #[test]
    fn an_edit_keeps_every_other_byte() {
        for bytes in in_every_encoding(FIVE) {
            let mut export = Export::read(&bytes).unwrap();
            let text = |export: &Export| {
                String::from_utf16_lossy(&export.text).trim_start_matches('\u{feff}').to_owned()
            };
            export.set_value(&setup(), "full version", &RegistryValue::text("2.00.1380.1000")).unwrap();
            let wanted = FIVE.replacen("2.00.1239.0000", "2.00.1380.1000", 1);
            assert_eq!(text(&export), wanted);
            export.set_value(&setup(), "Full Version", &RegistryValue::text("2.00.1239.0000")).unwrap();
            assert_eq!(export.to_bytes(), bytes);

            export.set_value(&setup(), "New", &RegistryValue { kind: BINARY, data: vec![1, 0xab] }).unwrap();
            let odd = "\"Odd\"=hex(100000):07,\r\n";
            assert_eq!(text(&export), FIVE.replace(odd, &format!("{odd}\"New\"=hex:01,ab\r\n")));
            export.remove_value(&setup(), "NEW").unwrap();
            assert_eq!(export.to_bytes(), bytes);
            export.remove_value(&setup(), "Binary").unwrap();
            assert_eq!(text(&export), FIVE.replace("\"Binary\"=hex:01,02,\\\r\n  FF, \\\r\n  10\r\n", ""));
        }
    }

    #[test]
    fn a_new_section_is_taken_back_without_a_trace_from_the_end_that_regedit_writes() {
        for (before, kept) in [
            ("REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\a]\n\n", "REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\a]\n\n"),
            ("REGEDIT4", "REGEDIT4\r\n\r\n"),
            ("REGEDIT4\n", "REGEDIT4\n\n"),
        ] {
            let mut export = Export::read(before.as_bytes()).unwrap();
            export.set_value(&setup(), "", &RegistryValue::number(1)).unwrap();
            let end = export.line_end();
            let text = String::from_utf8(export.to_bytes()).unwrap();
            let section = r"[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SMS\Setup]";
            assert_eq!(text, format!("{kept}{section}{end}@=dword:00000001{end}{end}"));
            export.remove_key(&setup()).unwrap();
            assert_eq!(export.value(&setup(), "").unwrap(), Some(RegistryValue::number(1)));
            export.remove_value(&setup(), "").unwrap();
            export.remove_key(&setup()).unwrap();
            assert_eq!(String::from_utf8(export.to_bytes()).unwrap(), kept);
        }
    }

    #[test]
    fn a_later_line_outweighs_an_earlier_one() {
        let a = "[HKEY_LOCAL_MACHINE\\a]\n";
        let text =
            format!("REGEDIT4\n{a}\"x\"=dword:1\n[-HKEY_LOCAL_MACHINE\\A]\n\"y\"=dword:1\n{a}\"x\"=-\n");
        let mut export = Export::read(text.as_bytes()).unwrap();
        let a = key(r"HKLM\a");
        assert_eq!(export.value(&a, "x").unwrap(), None);
        assert_eq!(export.value(&a, "y").unwrap(), None);
        export.set_value(&a, "x", &RegistryValue::number(2)).unwrap();
        assert_eq!(export.value(&a, "x").unwrap(), Some(RegistryValue::number(2)));
        assert!(export.to_bytes().ends_with(b"\"x\"=dword:00000002\n"));
        export.remove_value(&a, "x").unwrap();
        assert_eq!(export.value(&a, "x").unwrap(), None);

        // What is only there by a key below it, which is taken back.
        let text = "REGEDIT4\n[HKLM\\b\\c]\n[-HKLM\\b\\c]\n";
        let mut export = Export::read(text.as_bytes()).unwrap();
        assert!(export.has_key(&key(r"HKLM\b")).unwrap());
        export.remove_key(&key(r"HKLM\b")).unwrap();
        assert!(!export.has_key(&key(r"HKLM\b")).unwrap());
    }

    #[test]
    fn errors_name_the_line_and_what_is_wanted() {
        for (lines, line, wanted) in [
            ("x", 3, "[key]"),
            ("[HKLM\\a", 3, "]"),
            ("\n\"x\" dword:1", 4, "="),
            ("\"x\"=dwrd:1", 3, "dword:"),
            ("\"x\"=dword:g", 3, "hexadecimal"),
            ("\"x\"=dword:123456789", 3, "the end of the line"),
            ("\"x\"=\"a\\b\"", 3, "behind a \\"),
            ("\"x\"=\"a", 3, "\" at the end"),
            ("\"x\"=hex:01,\\ 02", 3, "the end of the line behind"),
            ("\"x\"=hex(x):01", 3, "hex(kind):"),
            ("\"x\"=hex:100", 3, "the end of the line"),
        ] {
            let error = Export::read(format!("REGEDIT4\n\n{lines}\n").as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line {line}: found ")) && error.contains(wanted), "{error}");
        }
        let utf_8 = b"Windows Registry Editor Version 5.00\n;\xff\n";
        let error = Export::read(utf_8).unwrap_err().to_string();
        assert_eq!(error, "line 2: the byte 0xff at 38 is not UTF-8");
        for text in ["", "REGEDIT", "\n[HKLM\\a]", "Windows Registry Editor Version 6.00"] {
            assert!(matches!(Export::read(text.as_bytes()), Err(BadExport::Header { .. })), "{text:?}");
        }
    }

    #[test]
    fn no_export_that_is_cut_off_or_has_a_byte_changed_is_trouble() {
        for whole in in_every_encoding(FIVE) {
            let changed = (0..whole.len()).flat_map(|at| {
                let whole = &whole;
                [0x01_u8, 0x80, 0xff].map(move |bits| {
                    let mut bytes = whole.clone();
                    bytes[at] ^= bits;
                    bytes
                })
            });
            for bytes in (0..whole.len()).map(|length| whole[..length].to_vec()).chain(changed) {
                let Ok(mut export) = Export::read(&bytes) else { continue };
                assert_eq!(export.to_bytes(), bytes);
                export.set_value(&setup(), "Type", &RegistryValue::number(2)).unwrap();
                assert_eq!(export.value(&setup(), "Type"), Ok(Some(RegistryValue::number(2))));
                export.remove_value(&setup(), "Type").unwrap();
                assert_eq!(export.value(&setup(), "Type"), Ok(None));
                export.remove_key(&setup()).unwrap();
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_set_is_read(name in "[^\\p{C}]{0,20}", kind in 0..9_u32, data: Vec<u8>, is_four: bool) {
            let text = if is_four { "REGEDIT4\r\n" } else { FIVE };
            let mut export = Export::read(text.as_bytes()).unwrap();
            let value = RegistryValue { kind, data };
            match export.set_value(&setup(), &name, &value) {
                Err(error) => prop_assert!(is_four, "{error}"),
                Ok(()) => {
                    let export = Export::read(&export.to_bytes()).unwrap();
                    prop_assert_eq!(export.value(&setup(), &name).unwrap(), Some(value));
                }
            }
        }

        #[test]
        fn texts_are_written_as_people_read_them(text in "[^\\p{C}]{0,20}") {
            let mut export = Export::read(FIVE.as_bytes()).unwrap();
            let value = RegistryValue::text(&text);
            export.set_value(&setup(), "Full Version", &value).unwrap();
            let export = Export::read(&export.to_bytes()).unwrap();
            prop_assert_eq!(export.value(&setup(), "Full Version").unwrap(), Some(value));
            let written = String::from_utf8(export.to_bytes()).unwrap();
            prop_assert!(written.contains(&quoted(&text)), "{}", written);
        }
    }
}
