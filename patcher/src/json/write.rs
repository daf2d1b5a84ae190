//! From tree to text.

use std::fmt::{self, Write as _};

use super::Json;

impl fmt::Display for Json {
    /// Writes the tree as one line without a space; by `{:#}` a value a line, two spaces deeper in each array and object.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, f.alternate().then_some(0))
    }
}

impl Json {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: Option<usize>) -> fmt::Result {
        match self {
            Self::Null | Self::OtherNumber => f.write_str("null"),
            Self::Bool(value) => f.write_str(if *value { "true" } else { "false" }),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => quote(f, text),
            Self::List(elements) => {
                enclose(f, depth, ['[', ']'], &mut elements.iter().map(|element| (None, element)))
            }
            Self::Object(entries) => {
                enclose(f, depth, ['{', '}'], &mut entries.iter().map(|(key, value)| (Some(key), value)))
            }
        }
    }
}

/// Writes what an array or object holds between its brackets.
fn enclose<'j>(
    f: &mut fmt::Formatter<'_>,
    depth: Option<usize>,
    [open, close]: [char; 2],
    values: &mut dyn Iterator<Item = (Option<&'j String>, &'j Json)>,
) -> fmt::Result {
    let inner = depth.map(|depth| depth + 1);
    let mut before = open;
    for (key, value) in values {
        f.write_char(before)?;
        before = ',';
        next_line(f, inner)?;
        if let Some(key) = key {
            quote(f, key)?;
            f.write_str(if inner.is_some() { ": " } else { ":" })?;
        }
        value.write(f, inner)?;
    }
    if before == open {
        f.write_char(open)?;
    } else {
        next_line(f, depth)?;
    }
    f.write_char(close)
}

fn next_line(f: &mut fmt::Formatter<'_>, depth: Option<usize>) -> fmt::Result {
    match depth {
        Some(depth) => write!(f, "\n{:1$}", "", 2 * depth),
        None => Ok(()),
    }
}

/// Writes a string: escaped is what must be, by the short form where there is one.
fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        let short = match character {
            '"' | '\\' => character,
            '\x08' => 'b',
            '\x0c' => 'f',
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            '\0'..' ' => {
                write!(f, "\\u{:04x}", u32::from(character))?;
                continue;
            }
            _ => {
                f.write_char(character)?;
                continue;
            }
        };
        f.write_char('\\')?;
        f.write_char(short)?;
    }
    f.write_char('"')
}
