//! The statements of an export: sections and values, each with the lines it takes up.

use std::ops::Range;

use super::encoding::{self, MARK};
use super::{BACKSLASH, BadExport, CARRIAGE_RETURN, LINE_FEED, Version};
use crate::registry::{BINARY, EXPAND_SZ, MULTI_SZ, RegistryValue, SZ};

/// A section or a value.
pub(super) struct Statement<'t> {
    /// Its lines, with their ends, as units of the text.
    pub(super) lines: Range<usize>,
    /// What it says.
    pub(super) meaning: Meaning<'t>,
}

/// What a statement says.
pub(super) enum Meaning<'t> {
    /// `[path]`: such a key is there, and the values below are in it.
    Key(&'t [u16]),
    /// `[-path]`: neither it nor what is below it is there.
    RemoveKey(&'t [u16]),
    /// `"name"=data`.
    Value {
        /// Its name; none for `@`.
        name: Vec<u16>,
        /// Where its data stand, behind `=`.
        data: Range<usize>,
        /// Its data; none for `-`.
        value: Option<RegistryValue>,
    },
}

/// The statements of a text. Ends with the first that is wrong.
pub(super) struct Statements<'t> {
    cursor: Cursor<'t>,
    version: Version,
}

impl<'t> Statements<'t> {
    /// Starts behind the header.
    pub(super) fn new(text: &'t [u16], version: Version) -> Self {
        let at = header(text).map_or(text.len(), |(_, end)| end);
        Self { cursor: Cursor { text, at }, version }
    }
}

impl<'t> Iterator for Statements<'t> {
    type Item = Result<Statement<'t>, BadExport>;

    fn next(&mut self) -> Option<Self::Item> {
        self.cursor.skip_blank_lines();
        self.cursor.peek()?;
        let statement = self.cursor.statement(self.version);
        if statement.is_err() {
            self.cursor.at = self.cursor.text.len();
        }
        Some(statement)
    }
}

/// Returns the version that the first line tells, and where that line ends.
pub(super) fn header(text: &[u16]) -> Result<(Version, usize), BadExport> {
    let mut cursor = Cursor { text, at: usize::from(text.first() == Some(&MARK)) };
    cursor.skip_blank_lines();
    let line = String::from_utf16_lossy(cursor.line());
    let version = match line.trim() {
        "REGEDIT4" => Version::Four,
        "Windows Registry Editor Version 5.00" => Version::Five,
        _ => return Err(BadExport::Header { found: line.chars().take(40).collect() }),
    };
    cursor.at += cursor.line().len();
    Ok((version, cursor.at))
}

/// Tells whether it is white, line ends among it.
pub(super) fn is_space(unit: u16) -> bool {
    matches!(unit, 0x20 | 0x09 | CARRIAGE_RETURN | LINE_FEED)
}

struct Cursor<'t> {
    text: &'t [u16],
    at: usize,
}

impl<'t> Cursor<'t> {
    fn rest(&self) -> &'t [u16] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u16> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(u16::from(wanted));
        self.at += usize::from(found);
        found
    }

    /// Returns what is left of the line, without its end.
    fn line(&self) -> &'t [u16] {
        let rest = self.rest();
        let end = rest.iter().position(|unit| *unit == LINE_FEED).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default();
        line.strip_suffix(&[CARRIAGE_RETURN]).unwrap_or(line)
    }

    fn skip(&mut self, is_skipped: impl Fn(u16) -> bool) {
        self.at += self.rest().iter().take_while(|unit| is_skipped(**unit)).count();
    }

    fn skip_spaces(&mut self) {
        self.skip(|unit| unit == 0x20 || unit == 0x09);
    }

    /// Skips empty lines and those that are comments.
    fn skip_blank_lines(&mut self) {
        self.skip(is_space);
        while self.peek() == Some(u16::from(b';')) {
            self.at += self.line().len();
            self.skip(is_space);
        }
    }

    fn error(&self, wanted: &'static str) -> BadExport {
        let above = self.text.iter().take(self.at);
        let line = 1 + above.filter(|unit| **unit == LINE_FEED).count();
        let found = String::from_utf16_lossy(self.line());
        BadExport::Syntax { line, found: found.chars().take(40).collect(), wanted }
    }

    fn expect(&mut self, wanted: u8, name: &'static str) -> Result<(), BadExport> {
        if self.take(wanted) { Ok(()) } else { Err(self.error(name)) }
    }

    /// Reads the statement that starts here, spaces before it left out.
    fn statement(&mut self, version: Version) -> Result<Statement<'t>, BadExport> {
        let before = self.text.get(..self.at).unwrap_or_default();
        let start = before.iter().rposition(|unit| *unit == LINE_FEED).map_or(0, |end| end + 1);
        let meaning =
            if self.peek() == Some(u16::from(b'[')) { self.section()? } else { self.value(version)? };
        self.skip_spaces();
        if self.peek() == Some(u16::from(b';')) || matches!(meaning, Meaning::Key(_) | Meaning::RemoveKey(_))
        {
            self.at += self.line().len();
        }
        self.skip(|unit| unit == CARRIAGE_RETURN);
        if self.peek().is_some() {
            self.expect(b'\n', "the end of the line")?;
        }
        Ok(Statement { lines: start..self.at, meaning })
    }

    /// Reads a section up to the last bracket of the line: names may have some, too.
    fn section(&mut self) -> Result<Meaning<'t>, BadExport> {
        let line = self.line();
        let end = line.iter().rposition(|unit| *unit == u16::from(b']'));
        let Some(path) = end.and_then(|end| line.get(1..end)) else {
            return Err(self.error("] at the end of a key"));
        };
        self.at += path.len() + 2;
        let path = path.strip_suffix(&[BACKSLASH]).unwrap_or(path);
        Ok(match path.strip_prefix(&[u16::from(b'-')]) {
            Some(path) => Meaning::RemoveKey(path),
            None => Meaning::Key(path),
        })
    }

    fn value(&mut self, version: Version) -> Result<Meaning<'t>, BadExport> {
        let name = match self.peek().and_then(|unit| u8::try_from(unit).ok()) {
            Some(b'"') => self.string()?,
            Some(b'@') => {
                self.at += 1;
                Vec::new()
            }
            _ => return Err(self.error("[key], \"name\"=, @= or a comment")),
        };
        self.skip_spaces();
        self.expect(b'=', "=")?;
        self.skip_spaces();
        let start = self.at;
        let value = match self.peek().and_then(|unit| u8::try_from(unit).ok()) {
            Some(b'-') => {
                self.at += 1;
                None
            }
            Some(b'"') => {
                let text = self.string()?;
                Some(RegistryValue { kind: SZ, data: bytes(text.into_iter().chain([0])) })
            }
            _ => Some(self.data(version)?),
        };
        Ok(Meaning::Value { name, data: start..self.at, value })
    }

    /// Reads a text in quotes, which may go on over several lines.
    fn string(&mut self) -> Result<Vec<u16>, BadExport> {
        let start = self.at;
        self.at += 1;
        let mut text = Vec::new();
        while let Some(unit) = self.peek() {
            self.at += 1;
            match unit {
                0x22 => return Ok(text),
                BACKSLASH => match self.peek() {
                    Some(escaped @ (0x22 | BACKSLASH)) => {
                        self.at += 1;
                        text.push(escaped);
                    }
                    _ => return Err(self.error("\\ or \" behind a \\")),
                },
                unit => text.push(unit),
            }
        }
        self.at = start;
        Err(self.error("\" at the end of a text"))
    }

    /// Reads `dword:`, `hex:` or `hex(kind):` and what follows.
    fn data(&mut self, version: Version) -> Result<RegistryValue, BadExport> {
        const WANTED: &str = "a text in quotes, dword:, hex:, hex(kind): or -";
        let line = self.line();
        let end = line.iter().position(|unit| *unit == u16::from(b':')).ok_or_else(|| self.error(WANTED))?;
        let tag = String::from_utf16_lossy(line.get(..end).unwrap_or_default()).to_ascii_lowercase();
        if tag == "dword" {
            self.at += end + 1;
            return self
                .number(8)
                .map(RegistryValue::number)
                .ok_or_else(|| self.error("1 to 8 hexadecimal digits"));
        }
        let kind = match tag.strip_prefix("hex") {
            Some("") => Some(BINARY),
            Some(kind) => {
                kind.strip_prefix('(').and_then(|kind| u32::from_str_radix(kind.strip_suffix(')')?, 16).ok())
            }
            None => None,
        };
        let kind = kind.ok_or_else(|| self.error(WANTED))?;
        self.at += end + 1;
        let data = self.bytes()?;
        Ok(match (version, kind) {
            (Version::Four, SZ | EXPAND_SZ | MULTI_SZ) => {
                RegistryValue { kind, data: bytes(data.into_iter().map(encoding::wide)) }
            }
            _ => RegistryValue { kind, data },
        })
    }

    /// Reads up to `most` hexadecimal digits; none if there is none.
    fn number(&mut self, most: usize) -> Option<u32> {
        let digit = |unit: &u16| char::from_u32(u32::from(*unit)).and_then(|digit| digit.to_digit(16));
        let digits: Vec<u32> = self.rest().iter().map_while(digit).take(most).collect();
        self.at += digits.len();
        digits.into_iter().reduce(|number, digit| number << 4 | digit)
    }

    /// Reads bytes between commas, over several lines where a `\` ends one.
    fn bytes(&mut self) -> Result<Vec<u8>, BadExport> {
        let mut data = Vec::new();
        loop {
            self.skip_spaces();
            if self.take(b'\\') {
                self.skip_spaces();
                self.skip(|unit| unit == CARRIAGE_RETURN);
                self.expect(b'\n', "the end of the line behind a \\")?;
                continue;
            }
            // None may be left out but the last.
            let Some(byte) = self.number(2) else { return Ok(data) };
            data.extend(u8::try_from(byte));
            self.skip_spaces();
            if !self.take(b',') {
                return Ok(data);
            }
        }
    }
}

fn bytes(units: impl Iterator<Item = u16>) -> Vec<u8> {
    units.flat_map(u16::to_le_bytes).collect()
}
