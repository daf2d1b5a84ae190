//! What stands around the rows of a table: rules, the furniture of a page, the paragraph that says which files these are.

use super::super::cell::{Kind, likeness};
use super::super::platform::platform_alone;
use super::super::source::Line;

/// Most lines of a paragraph that is taken for what stands above a table.
pub(super) const MAX_INTRODUCTION: usize = 8;

/// Tells whether a line is drawn and not written.
pub(super) fn is_rule(text: &str) -> bool {
    let mut drawn = 0;
    let is_drawing = |c: char| match c {
        '-' | '=' | '_' | '*' | '~' | '\u{2500}'..='\u{257f}' | '\u{2010}'..='\u{2015}' => {
            drawn += 1;
            true
        }
        '+' | '|' | ':' | ' ' | '\t' | '\u{a0}' => true,
        _ => false,
    };
    text.chars().all(is_drawing) && drawn >= 3
}

/// Tells whether a line belongs to the page and not to the article: `Page 3 of 7`, `- 3 -`, an address.
pub(super) fn is_furniture(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let parts: Vec<&str> = text.split_whitespace().collect();
    let is_number = |part: &&str| {
        let digits = part.trim_matches(|c: char| !c.is_ascii_digit());
        !digits.is_empty()
            && digits.len() <= 4
            && part.chars().all(|c| c.is_ascii_digit() || "-[]()/.,".contains(c))
    };
    match parts.as_slice() {
        [.., "page", number] | [.., "page", number, "of" | "/", _] if parts.len() <= 12 => is_number(number),
        [open, number, close] if *open == *close && matches!(*open, "-" | "--" | "\u{2013}") => {
            is_number(number)
        }
        [address, rest @ ..] if rest.len() <= 3 => {
            ["http://", "https://", "file://"].iter().any(|start| address.starts_with(start))
        }
        _ => matches!(
            text.as_str(),
            "(continued)" | "continued" | "[continued]" | "more" | "-more-" | "--more--"
        ),
    }
}

/// Returns what a text is without the marks of headings and emphasis.
pub(super) fn plain(text: &str) -> String {
    let text = text.trim().trim_start_matches('#').trim();
    text.trim_matches(['*', '_', '`']).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the paragraph above a line.
pub(super) fn introduction(lines: &[Line], at: usize) -> Option<String> {
    paragraph_above(lines, at).map(|(_, text)| text)
}

/// Tells whether the paragraph above a line says that files of the fix follow, or the one above a platform that stands between.
pub(super) fn is_announced(lines: &[Line], at: usize) -> bool {
    let Some((first, text)) = paragraph_above(lines, at) else { return false };
    announces_files(&text)
        || (platform_alone(&text).is_some()
            && introduction(lines, first).is_some_and(|text| announces_files(&text)))
}

/// Returns the paragraph above a line, and where it begins.
fn paragraph_above(lines: &[Line], at: usize) -> Option<(usize, String)> {
    let is_gap = |line: &Line| line.is_blank() || line.text().is_some_and(is_rule);
    let end = lines.get(..at)?.iter().rposition(|line| !is_gap(line))? + 1;
    let mut first = end;
    for line in lines.get(..end)?.iter().rev() {
        let Some(text) = line.text().filter(|text| !text.trim().is_empty() && !is_rule(text)) else { break };
        // What begins with a day is a row of another table.
        if end - first >= MAX_INTRODUCTION || begins_with_day(text) {
            break;
        }
        first -= 1;
    }
    let texts = lines.get(first..end)?.iter().filter_map(Line::text);
    let text = texts.map(plain).collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some((first, text))
}

/// Tells whether the first word of a line is a day in numbers.
pub(super) fn begins_with_day(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    first.starts_with(|c: char| c.is_ascii_digit())
        && likeness(Kind::Date, first).is_some_and(|score| score >= 90)
}

/// Returns the paragraph if it says of which files a table is.
pub(super) fn title(paragraph: Option<String>) -> Option<String> {
    paragraph.filter(|text| {
        text.ends_with(':') || announces_files(text) || (text.len() <= 100 && !text.ends_with('.'))
    })
}

/// Tells whether a paragraph says that files of the fix follow.
pub(super) fn announces_files(paragraph: &str) -> bool {
    let text = paragraph.to_lowercase();
    [
        "file attributes",
        "attributes or later",
        "following attributes",
        "time stamp",
        "timestamp",
        "should have the following",
        "must have the following",
        "has the following file",
        "had the following file",
        "following file",
        "following list shows the file",
        "following fix",
        "following hotfix",
        "following versions of",
        "file information",
        "file versions",
        "files are available",
        "or later:",
        "version of this fix",
        "version of the fix",
        "this hotfix",
        "this update",
    ]
    .iter()
    .any(|cue| text.contains(cue))
}

/// Tells whether a paragraph says that what follows is no table of the fix.
pub(super) fn is_example(paragraph: &Option<String>) -> bool {
    let Some(text) = paragraph.as_ref().map(|text| text.to_lowercase()) else { return false };
    let cues = [
        "for example",
        "an example",
        "example of",
        "sample output",
        "directory listing",
        "output of",
        "similar to the following",
        "looks like",
        "look like",
        "log file",
        "may appear as",
        "directory of ",
        "volume in drive",
    ];
    !announces_files(&text) && cues.iter().any(|cue| text.contains(cue))
}
