//! The part of TOML in which `keyring.toml` is written.
//!
//! Line by line: `key = value`, `[[table]]`, comments, empty lines. A key is bare; a value is a text in double quotes, a
//! whole number or an array of such on one line, all as JSON has them too: that reader is used. Every text
//! that is read here means the same to any reader of TOML; much of TOML is refused.

use crate::json::Json;

/// What a line says.
#[derive(Debug)]
pub(super) enum Line<'t> {
    /// A table of this name begins.
    Table(&'t str),
    /// A key of the table that began last, or of none, and its value.
    Entry(&'t str, Json),
}

/// Gives every line that says something to `take`; names the line where that, or the text itself, is wrong.
///
/// `take` refuses keys that it does not know, which bounds what is remembered here.
pub(super) fn read(text: &str, take: &mut dyn FnMut(Line<'_>) -> Result<(), String>) -> Result<(), String> {
    let mut keys: Vec<&str> = Vec::new();
    for (index, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
        let line = trim(line);
        if is_end(line) {
            continue;
        }
        let taken = match parse(line) {
            Some(Line::Entry(key, _)) if keys.contains(&key) => Err(format!("`{key}` is there twice")),
            Some(said) => {
                match &said {
                    Line::Table(_) => keys.clear(),
                    Line::Entry(..) => keys.extend(line.split('=').next().map(trim)),
                }
                take(said)
            }
            None => Err(format!("`key = value` or `[[table]]` is wanted, found `{line}`")),
        };
        taken.map_err(|what| format!("line {}: {what}", index + 1))?;
    }
    Ok(())
}

/// Reads a line that is neither empty nor a comment alone.
fn parse(line: &str) -> Option<Line<'_>> {
    if let Some(rest) = line.strip_prefix("[[") {
        let (name, end) = rest.split_once("]]")?;
        return (is_bare(name) && is_end(end)).then_some(Line::Table(name));
    }
    let (key, value) = line.split_once('=')?;
    let (key, value) = (trim(key), trim(value));
    let (json, end) = Json::parse_first(value.as_bytes()).ok()?;
    (is_bare(key) && is_end(value.get(end..)?)).then_some(Line::Entry(key, json))
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Tells whether nothing but a comment stands there.
fn is_end(rest: &str) -> bool {
    let rest = trim(rest);
    rest.is_empty() || rest.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut said = Vec::new();
        let mut take = |line: Line<'_>| {
            said.push(match line {
                Line::Table(name) => format!("[{name}]"),
                Line::Entry(key, value) => format!("{key}:{value}"),
            });
            Ok(())
        };
        read(text, &mut take).map_or_else(|error| error, |()| said.join(" "))
    }

    #[test]
    fn keys_tables_and_comments_are_read() {
        let text = "\u{feff}# Ring.\r\n\r\n a = 2 # two\r\n\tb=\"x # = \\u00e4\"#\r\n[[t]] # one\r\nc = [\"1\", \"2\"]\r\n\
                    [[u]]\n[[t]]\nc = \"\"";
        assert_eq!(shown(text), r#"a:2 b:"x # = ä" [t] c:["1","2"] [u] [t] c:"""#);
    }

    #[test]
    fn whatever_else_is_written_is_refused_with_its_line() {
        for line in [
            "a",
            "= 1",
            "a.b = 1",
            "\"a\" = 1",
            "[t]",
            "[[t]",
            "[[t]] a",
            "[[a.b]]",
            "[[]]",
            "a =",
            "a = 'x'",
            "a = [\"x\",",
            "a = 1 2",
            "a = 01",
            "a = +1",
            "a = 2027-01-31",
            "a = \"x",
            "a = 0x1",
            "a = 1_000",
            "ä = 1",
        ] {
            let wanted = format!("line 2: `key = value` or `[[table]]` is wanted, found `{line}`");
            assert_eq!(shown(&format!("b = 1\n{line}")), wanted);
        }
        assert_eq!(shown("a = 1\na = 2"), "line 2: `a` is there twice");
        assert_eq!(shown("[[t]]\na = 1\nb = 1\na = 1"), "line 4: `a` is there twice");
    }
}
