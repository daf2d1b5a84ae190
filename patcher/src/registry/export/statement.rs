//! The statements of an export: sections and values, each with the lines it takes up.

use std::ops::Range;

use super::encoding::{self, MARK};
use super::{BACKSLASH, CARRIAGE_RETURN, LINE_FEED, QUOTE, Version};
use crate::registry::{BINARY, BadFile, EXPAND_SZ, MULTI_SZ, RegistryValue, Result, SZ};

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
        /// Its name as it stands between the quotes; none for `@`. There is one way only to write each name.
        name: &'t [u16],
        /// Where its data stand, behind `=`.
        data: Range<usize>,
        /// Its data; none for `-`.
        value: Option<RegistryValue>,
    },
}

/// Reads the statements of a text from a place on, one by one, in one pass.
pub(super) struct Statements<'t> {
    text: &'t [u16],
    version: Version,
    at: usize,
}

impl<'t> Statements<'t> {
    /// Reads the header; the statements behind it are next.
    pub(super) fn read_header(text: &'t [u16]) -> Result<(Version, Self)> {
        let at = usize::from(text.first() == Some(&MARK));
        let mut statements = Self { text, version: Version::Four, at };
        statements.skip_blank_lines();
        let line = statements.line();
        statements.at += line.len();
        let line = String::from_utf16_lossy(line);
        statements.version = match line.trim() {
            "REGEDIT4" => Version::Four,
            "Windows Registry Editor Version 5.00" => Version::Five,
            _ => return Err(Box::new(BadFile::Header { found: line.chars().take(40).collect() })),
        };
        Ok((statements.version, statements))
    }

    /// Starts where a statement does.
    pub(super) fn new(text: &'t [u16], version: Version, at: usize) -> Self {
        Self { text, version, at }
    }

    /// Reads the next statement.
    pub(super) fn next(&mut self) -> Result<Option<Statement<'t>>> {
        self.skip_blank_lines();
        let Some(first) = self.peek() else { return Ok(None) };
        // Spaces before it are of its line.
        let before = self.text.get(..self.at).unwrap_or_default();
        let start = before.iter().rposition(|unit| *unit == LINE_FEED).map_or(0, |end| end + 1);
        let is_section = first == u16::from(b'[');
        let meaning = if is_section { self.section()? } else { self.value()? };
        self.skip_spaces();
        if is_section || self.peek() == Some(u16::from(b';')) {
            self.at += self.line().len();
        }
        if self.peek().is_some() {
            self.end_line("the end of the line")?;
        }
        Ok(Some(Statement { lines: start..self.at, meaning }))
    }

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

    /// Skips what is white; line ends count as that or not.
    fn skip_white(&mut self, is_white: fn(u16) -> bool) {
        self.at += self.rest().iter().take_while(|unit| is_white(**unit)).count();
    }

    fn skip_spaces(&mut self) {
        self.skip_white(|unit| unit == 0x20 || unit == 0x09);
    }

    /// Skips empty lines and those that are comments.
    fn skip_blank_lines(&mut self) {
        self.skip_white(is_space);
        while self.peek() == Some(u16::from(b';')) {
            self.at += self.line().len();
            self.skip_white(is_space);
        }
    }

    fn end_line(&mut self, wanted: &'static str) -> Result<()> {
        self.skip_white(|unit| unit == CARRIAGE_RETURN);
        if self.take(b'\n') { Ok(()) } else { Err(self.error(wanted)) }
    }

    fn error(&self, wanted: &'static str) -> Box<BadFile> {
        let above = self.text.iter().take(self.at);
        let line = 1 + above.filter(|unit| **unit == LINE_FEED).count();
        let found = self.line();
        let found = String::from_utf16_lossy(found.get(..40).unwrap_or(found));
        Box::new(BadFile::Line { line, found: format!("{found:?}"), wanted })
    }

    /// Reads a section up to the last bracket of the line: names may have some, too.
    fn section(&mut self) -> Result<Meaning<'t>> {
        let line = self.line();
        let end = line.iter().rposition(|unit| *unit == u16::from(b']'));
        let Some(path) = end.and_then(|end| line.get(1..end)) else {
            return Err(self.error("] at the end of a key"));
        };
        let path = path.strip_suffix(&[BACKSLASH]).unwrap_or(path);
        Ok(match path.strip_prefix(&[u16::from(b'-')]) {
            Some(path) => Meaning::RemoveKey(path),
            None => Meaning::Key(path),
        })
    }

    fn value(&mut self) -> Result<Meaning<'t>> {
        let name = if self.take(b'@') {
            &[]
        } else if self.take(b'"') {
            self.string()?
        } else {
            return Err(self.error("[key], \"name\"=, @= or a comment"));
        };
        self.skip_spaces();
        if !self.take(b'=') {
            return Err(self.error("="));
        }
        self.skip_spaces();
        let start = self.at;
        let value = if self.take(b'-') {
            None
        } else if self.take(b'"') {
            let mut units = self.string()?.iter();
            let mut data = Vec::new();
            while let Some(mut unit) = units.next() {
                if *unit == BACKSLASH {
                    unit = units.next().unwrap_or(unit);
                }
                data.extend_from_slice(&unit.to_le_bytes());
            }
            data.extend_from_slice(&[0; 2]);
            Some(RegistryValue { kind: SZ, data })
        } else {
            Some(self.data()?)
        };
        Ok(Meaning::Value { name, data: start..self.at, value })
    }

    /// Reads a text up to the quotes at its end, which may be on another line. Each `\` in it stands before `\` or `"`.
    fn string(&mut self) -> Result<&'t [u16]> {
        let start = self.at;
        while let Some(unit) = self.peek() {
            self.at += 1;
            if unit == QUOTE {
                return Ok(self.text.get(start..self.at - 1).unwrap_or_default());
            }
            if unit == BACKSLASH && !self.take(b'"') && !self.take(b'\\') {
                return Err(self.error("\\ or \" behind a \\"));
            }
        }
        self.at = start - 1;
        Err(self.error("\" at the end of a text"))
    }

    /// Reads `dword:`, `hex:` or `hex(kind):` and what follows.
    fn data(&mut self) -> Result<RegistryValue> {
        let line = self.line();
        // None of them is longer.
        let start = String::from_utf16_lossy(line.get(..16).unwrap_or(line));
        let tag = start.split_once(':').map(|(tag, _)| tag.to_ascii_lowercase()).unwrap_or_default();
        let kind = match tag.strip_prefix("hex") {
            _ if tag == "dword" => None,
            Some("") => Some(BINARY),
            Some(kind) => kind
                .strip_prefix('(')
                .and_then(|kind| kind.strip_suffix(')'))
                .and_then(|kind| u32::from_str_radix(kind, 16).ok())
                .map(Some)
                .ok_or_else(|| self.error(DATA))?,
            None => return Err(self.error(DATA)),
        };
        self.at += tag.len() + 1;
        let Some(kind) = kind else {
            let number = self.number(8).map(RegistryValue::number);
            return number.ok_or_else(|| self.error("1 to 8 hexadecimal digits"));
        };
        let mut data = self.bytes()?;
        if self.version == Version::Four && matches!(kind, SZ | EXPAND_SZ | MULTI_SZ) {
            data = data.into_iter().flat_map(|byte| encoding::wide(byte).to_le_bytes()).collect();
        }
        Ok(RegistryValue { kind, data })
    }

    /// Reads up to `most` hexadecimal digits; none if there is none.
    fn number(&mut self, most: usize) -> Option<u32> {
        let start = self.at;
        let mut number = 0;
        while let Some(digit) = self.peek().and_then(|unit| char::from_u32(unit.into())?.to_digit(16))
            && self.at - start < most
        {
            number = number << 4 | digit;
            self.at += 1;
        }
        (self.at > start).then_some(number)
    }

    /// Reads bytes between commas, over several lines where a `\` ends one.
    fn bytes(&mut self) -> Result<Vec<u8>> {
        let mut data = Vec::new();
        loop {
            self.skip_spaces();
            if self.take(b'\\') {
                self.skip_spaces();
                self.end_line("the end of the line behind a \\")?;
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

const DATA: &str = "a text in quotes, dword:, hex:, hex(kind): or -";

/// Tells whether it is white, line ends among it.
pub(super) fn is_space(unit: u16) -> bool {
    matches!(unit, 0x20 | 0x09 | CARRIAGE_RETURN | LINE_FEED)
}
