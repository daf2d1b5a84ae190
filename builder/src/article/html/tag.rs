//! Tags: what begins with `<`, and what stands for one character.

use super::super::source::windows_1252;

/// Tags that end the line before and behind them.
pub(super) const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "title",
    "ul",
    "xmp",
    "listing",
    "caption",
    "legend",
    "option",
];
/// Tags that do not.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "b", "base", "basefont", "bdo", "big", "br", "button", "cite", "code", "col",
    "colgroup", "del", "dfn", "em", "embed", "font", "i", "iframe", "img", "input", "ins", "kbd", "label",
    "link", "map", "area", "mark", "meta", "nobr", "noscript", "object", "param", "q", "s", "samp", "select",
    "small", "span", "strike", "strong", "sub", "sup", "svg", "path", "tbody", "textarea", "tfoot", "thead",
    "time", "tt", "u", "var", "wbr", "table", "tr", "td", "th", "script", "style", "frame", "frameset",
    "noframes", "dir", "isindex",
];
/// Returns how much behind an opening tag is not shown.
pub(super) fn hidden_end(name: &str, rest: &str) -> Option<usize> {
    if !matches!(name, "script" | "style" | "noscript") {
        return None;
    }
    let end = format!("</{name}");
    let at = rest
        .char_indices()
        .filter(|(_, c)| *c == '<')
        .find(|(at, _)| rest.get(*at..at + end.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(&end)));
    Some(at.map_or(rest.len(), |(at, _)| at))
}

/// What begins with `<`.
pub(super) enum Tag<'a> {
    Open {
        name: String,
        attributes: &'a str,
    },
    Close {
        name: String,
    },
    /// A comment, a declaration.
    Ignored,
    /// No tag, but text.
    Text,
}

impl<'a> Tag<'a> {
    /// Reads what a text begins with, which is `<`, and returns how long it is.
    pub(super) fn read(text: &'a str) -> (Self, usize) {
        if text.starts_with("<!--") {
            return (Self::Ignored, text.find("-->").map_or(text.len(), |at| at + 3));
        }
        let inner = text.get(1..).unwrap_or_default();
        if inner.starts_with(['!', '?']) {
            return (Self::Ignored, text.find('>').map_or(text.len(), |at| at + 1));
        }
        let (closes, inner) = match inner.strip_prefix('/') {
            Some(inner) => (true, inner),
            None => (false, inner),
        };
        let end = inner.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inner.len());
        let (name, behind) = inner.split_at(end);
        let name = name.to_ascii_lowercase();
        let is_known = BLOCKS.contains(&name.as_str()) || INLINE.contains(&name.as_str());
        let is_end = |c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/');
        if !is_known || !behind.starts_with(is_end) {
            return (Self::Text, 1);
        }
        let mut quote = None;
        for (at, c) in behind.char_indices() {
            match (quote, c) {
                (None, '>') => {
                    let length = text.len() - behind.len() + at + 1;
                    let attributes = behind.get(..at).unwrap_or_default();
                    let tag = if closes { Self::Close { name } } else { Self::Open { name, attributes } };
                    return (tag, length);
                }
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), c) if open == c => quote = None,
                // A quote that is not closed within the tag, and a tag that is none.
                (_, '<') => break,
                _ => {}
            }
            if at > 8192 {
                break;
            }
        }
        (Self::Text, 1)
    }
}

/// Returns the number that an attribute has, at least 1.
pub(super) fn span(attributes: &str, name: &str) -> usize {
    let lower = attributes.to_ascii_lowercase();
    let value = lower.split_once(name).and_then(|(_, behind)| behind.trim_start().strip_prefix('='));
    let digits: String = value
        .unwrap_or_default()
        .chars()
        .skip_while(|c| c.is_ascii_whitespace() || matches!(c, '"' | '\''))
        .take_while(char::is_ascii_digit)
        .take(6)
        .collect();
    digits.parse().unwrap_or(1).max(1)
}

/// Replaces what stands for characters; what is no such thing stays.
pub(in crate::article) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, behind) = rest.split_at(at);
        plain.push_str(before);
        let name = behind.get(1..).unwrap_or_default();
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '#').unwrap_or(name.len());
        let (name, after) = name.split_at(end);
        match character(name) {
            Some(c) => {
                plain.push(c);
                rest = after.strip_prefix(';').unwrap_or(after);
            }
            None => {
                plain.push('&');
                rest = behind.get(1..).unwrap_or_default();
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return match u8::try_from(code) {
            Ok(byte @ 0x80..=0x9f) => Some(windows_1252(byte)),
            Ok(0) => None,
            _ => char::from_u32(code),
        };
    }
    Some(match name {
        "amp" | "AMP" => '&',
        "lt" | "LT" => '<',
        "gt" | "GT" => '>',
        "quot" | "QUOT" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "ensp" | "emsp" | "thinsp" => '\u{a0}',
        "copy" => '\u{a9}',
        "reg" => '\u{ae}',
        "trade" => '\u{2122}',
        "ndash" => '\u{2013}',
        "mdash" => '\u{2014}',
        "minus" => '\u{2212}',
        "hellip" => '\u{2026}',
        "lsquo" => '\u{2018}',
        "rsquo" => '\u{2019}',
        "ldquo" => '\u{201c}',
        "rdquo" => '\u{201d}',
        "bull" => '\u{2022}',
        "middot" => '\u{b7}',
        "shy" => '\u{ad}',
        _ => return None,
    })
}
