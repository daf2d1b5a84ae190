//! Files that are described one value a line: `File name: Abc.dll`, below it `Version: 1.2.3.4`, `Size: 1,234`.
//!
//! Only a line that names a file begins a block, and only values that look like those of their labels are taken, so that no
//! list of settings becomes a file.

use super::cell::{Kind, is_file_name, likeness};
use super::heading::{Column, Heading, kind_of};
use super::row::Row;
use super::source::{Content, Line};

/// Most words of a label.
const MAX_LABEL: usize = 4;

/// Reads the blocks that begin at a line and follow one another, and returns their rows and the line behind them.
pub(super) fn blocks(lines: &[Line], at: usize) -> Option<(Vec<Row>, usize)> {
    let mut rows = Vec::new();
    let mut end = at;
    let mut next = at;
    while let Some((row, behind)) = block(lines, next) {
        rows.push(row);
        end = behind;
        let gap = lines.get(behind..)?.iter().take_while(|line| line.is_blank()).count();
        next = behind + gap;
    }
    (!rows.is_empty()).then_some((rows, end))
}

/// Reads the block that begins at a line, and returns its row and the line behind it.
fn block(lines: &[Line], at: usize) -> Option<(Row, usize)> {
    let first = lines.get(at)?;
    let begins = |line: &Line| {
        labelled(line).is_some_and(|entry| entry.kind == Some(Kind::File) && is_file_name(&entry.value))
    };
    if !begins(first) {
        return None;
    }
    let is_list = labelled(first).is_some_and(|entry| entry.is_item);
    let mut columns: Vec<Column> = Vec::new();
    let mut cells = Vec::new();
    let mut end = at;
    for (place, line) in lines.iter().enumerate().skip(at) {
        if is_list && line.is_blank() {
            continue;
        }
        let Some(entry) = labelled(line).filter(|entry| entry.is_item == is_list) else { break };
        if place > at && entry.kind == Some(Kind::File) {
            break;
        }
        end = place + 1;
        let Some(kind) = entry.kind else { continue };
        let fits = kind == Kind::Date || likeness(kind, &entry.value).is_some();
        if fits && columns.iter().all(|column| column.kind != kind) {
            columns.push(Column { kind, platform: None, span: None });
            cells.push(entry.value);
        }
    }
    let values = Heading { columns, takes_bare_names: false }.fit_cells(&cells)?;
    let row = values.rows(first.number).into_iter().next()?;
    (values.evidence() >= 1).then_some((row, end))
}

/// A line that says what a value is.
struct Entry {
    /// What kind of value; nothing, where the label is of no column.
    kind: Option<Kind>,
    value: String,
    /// Whether it is an element of a list.
    is_item: bool,
}

/// Reads a line, or two cells, as a label and a value.
fn labelled(line: &Line) -> Option<Entry> {
    let (label, value, is_item) = match &line.content {
        Content::Text(text) => {
            let text = text.trim();
            let inner = text.strip_prefix("- ").or_else(|| text.strip_prefix("* ")).unwrap_or(text);
            let (label, value) = inner.split_once(':')?;
            (label.trim(), value.trim(), inner.len() < text.len())
        }
        Content::Cells(cells) => match cells.as_slice() {
            [label, value] => (label.trim().trim_end_matches(':'), value.trim(), false),
            _ => return None,
        },
        Content::Heading(_) | Content::Edge => return None,
    };
    let is_label = !label.is_empty() && label.split_whitespace().count() <= MAX_LABEL;
    if !is_label || value.is_empty() || value.len() > 120 {
        return None;
    }
    let kind = kind_of(label).and_then(|(kind, word)| match kind {
        // `File` and `Name` alone label other things too.
        Kind::File if word != "file name" => None,
        Kind::Other => None,
        kind => Some(kind),
    });
    Some(Entry { kind, value: value.to_owned(), is_item })
}
