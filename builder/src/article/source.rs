//! The text of an article: bytes in, numbered lines out.
//!
//! Plain text and saved pages come out alike. What the article looks like on a screen is kept as far as tables need it:
//! columns of text with all their blanks, cells where a page has them. Numbers are those of the file's own lines, for messages.

use super::html;

/// Largest article that is read, in bytes.
pub const MAX_ARTICLE: u64 = 4 << 20;
/// Most lines of an article: each costs more than its bytes.
pub(super) const MAX_LINES: usize = 200_000;

/// Most rows of files: each is held against the others.
pub(super) const MAX_ROWS: usize = 5_000;

/// One line of an article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number in the file, from 1.
    pub(super) number: usize,
    /// What stands there.
    pub(super) content: Content,
}

/// What stands in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Text, with its blanks; none at the end.
    Text(String),
    /// A heading, as the page marks it.
    Heading(String),
    /// A row of a table, as the page marks it.
    Cells(Vec<String>),
    /// Where a table of the page begins or ends.
    Edge,
}

impl Line {
    /// Returns the text of a line that has one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) | Content::Heading(text) => Some(text),
            Content::Cells(_) | Content::Edge => None,
        }
    }

    /// Tells whether nothing stands there.
    pub(super) fn is_blank(&self) -> bool {
        match &self.content {
            Content::Text(text) | Content::Heading(text) => text.trim().is_empty(),
            Content::Cells(_) => false,
            Content::Edge => true,
        }
    }
}

/// Why bytes are no article.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SourceError {
    /// They are more than an article ever is.
    #[error("{found} bytes are more than the {MAX_ARTICLE} that an article may have")]
    TooLarge {
        /// How many they are.
        found: usize,
    },
    /// They are more lines than an article ever has.
    #[error("there are more than {MAX_LINES} lines in it")]
    TooManyLines,
    /// They are more rows of tables than an article ever has.
    #[error("there are more than {MAX_ROWS} rows of files in it")]
    TooManyRows,
    /// They are no text.
    #[error("it is no text: byte {at} is zero")]
    Binary {
        /// Where the first zero stands.
        at: usize,
    },
}

/// Reads the lines of an article.
pub(super) fn lines(bytes: &[u8]) -> Result<Vec<Line>, SourceError> {
    if bytes.len() as u64 > MAX_ARTICLE {
        return Err(SourceError::TooLarge { found: bytes.len() });
    }
    let text = decode(bytes)?;
    if html::is_page(&text) {
        return html::lines(&text);
    }
    let mut lines = Vec::new();
    for (at, line) in text.split('\n').enumerate() {
        if lines.len() >= MAX_LINES {
            return Err(SourceError::TooManyLines);
        }
        // A form feed is the end of a page, whatever stands behind it.
        for part in line.split('\u{c}') {
            let text = part.trim_end().to_owned();
            lines.push(Line { number: at + 1, content: Content::Text(text) });
        }
    }
    Ok(lines)
}

/// Makes text of the bytes: UTF-8, UTF-16 with its mark, or else the Western code page of Windows.
fn decode(bytes: &[u8]) -> Result<String, SourceError> {
    let utf16 = |order: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).skip(1).map(|pair| order(pair.try_into().unwrap_or_default()));
        char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{fffd}')).collect()
    };
    match bytes {
        [0xff, 0xfe, ..] => Ok(utf16(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => Ok(utf16(u16::from_be_bytes)),
        _ => {
            if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
                return Err(SourceError::Binary { at });
            }
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            Ok(match str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => bytes.iter().map(|byte| windows_1252(*byte)).collect(),
            })
        }
    }
}

/// Returns the character that a byte stands for in the Western code page of Windows.
pub(super) fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}',
        '\u{2c6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}',
        '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}',
        '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
    ];
    match byte {
        0x80..=0x9f => HIGH.get(usize::from(byte - 0x80)).copied().unwrap_or('\u{fffd}'),
        _ => char::from(byte),
    }
}

/// A word of a line, and the columns that it takes, counted from 0 with tabs at every eighth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    /// What it is.
    pub(super) text: &'a str,
    /// Its first column.
    pub(super) start: usize,
    /// The column behind its last.
    pub(super) end: usize,
}

/// Most words of a line that may be part of a table.
pub(super) const MAX_WORDS: usize = 64;

/// Returns the words of a line; of one that is too long for any table, none.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    if text.len() > 2000 {
        return words;
    }
    let mut column = 0;
    let mut open: Option<(usize, usize)> = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if c.is_whitespace() {
            if let Some((from, start)) = open.take() {
                words.push(Word { text: text.get(from..at).unwrap_or_default(), start, end: column });
            }
            column = if c == '\t' { (column / 8 + 1) * 8 } else { column + 1 };
        } else {
            open = open.or(Some((at, column)));
            column += 1;
        }
    }
    if words.len() > MAX_WORDS { Vec::new() } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8]) -> Vec<String> {
        lines(bytes).unwrap().iter().map(|line| line.text().unwrap().to_owned()).collect()
    }

    #[test]
    fn text_is_read_in_every_coding_it_comes_in() {
        let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        for bytes in [
            b"a\r\n caf\xe9 \r\n".to_vec(),
            "a\n café\n".into(),
            "\u{feff}a\n café\n".into(),
            utf16("\u{feff}a\r\n café\r\n"),
        ] {
            assert_eq!(texts(&bytes), ["a", " café", ""], "{bytes:?}");
        }
        assert_eq!(texts(b"1 \x96 2"), ["1 \u{2013} 2"]);
    }

    #[test]
    fn what_is_no_article_is_refused() {
        assert_eq!(lines(b"MZ\0"), Err(SourceError::Binary { at: 2 }));
        let large = vec![b'x'; usize::try_from(MAX_ARTICLE).unwrap() + 1];
        assert!(matches!(lines(&large), Err(SourceError::TooLarge { .. })));
        assert_eq!(lines(&vec![b'\n'; MAX_LINES + 1]), Err(SourceError::TooManyLines));
    }

    #[test]
    fn words_know_their_columns() {
        let found = words("\ta\u{a0} bc\t\td");
        let columns: Vec<_> = found.iter().map(|word| (word.text, word.start, word.end)).collect();
        assert_eq!(columns, [("a", 8, 9), ("bc", 11, 13), ("d", 24, 25)]);
        assert!(words(&"a ".repeat(MAX_WORDS + 1)).is_empty());
    }
}
