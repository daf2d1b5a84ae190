//! Where a table begins: with a heading, or with a row that a sentence announces.

use super::super::cell::{Kind, likeness};
use super::super::heading::{Column, Heading};
use super::super::row::without_heading;
use super::super::source::{Content, Line, MAX_WORDS, Word, words};
use super::around::{is_announced, is_rule};

/// How the lines of a table tell their columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// By blanks.
    Words,
    /// By `|`.
    Bars,
    /// By tabs.
    Tabs,
    /// By the cells of a page.
    Cells,
}

/// The beginning of one or, side by side, several tables.
pub(super) struct Begun {
    /// How its lines tell their columns.
    pub(super) form: Form,
    /// One for each of them.
    pub(super) headings: Vec<Heading>,
    /// The line behind the heading.
    pub(super) next: usize,
    /// Whether no heading says that rows follow.
    pub(super) is_bare: bool,
}

impl Begun {
    /// Reads the heading that stands in a line, or in it and the next.
    pub(super) fn with_heading(lines: &[Line], at: usize) -> Option<Self> {
        let line = lines.get(at)?;
        let begun = |form, heading: Heading, next| Self {
            form,
            headings: heading.side_by_side(),
            next,
            is_bare: false,
        };
        if let Content::Cells(cells) = &line.content {
            return Some(begun(Form::Cells, Heading::of_cells(cells)?, at + 1));
        }
        let text = line.text()?;
        if let Some(cells) = bars(text) {
            return Some(begun(Form::Bars, Heading::of_cells(&cells)?, at + 1));
        }
        if let Some(cells) = tabs(text).filter(|cells| cells.iter().all(|cell| !cell.is_empty()))
            && let Some(heading) = Heading::of_cells(&cells)
        {
            return Some(begun(Form::Tabs, heading, at + 1));
        }
        let first = words(text);
        if let Some(heading) = Heading::of_words(&first) {
            let above = at.checked_sub(1).and_then(|above| lines.get(above)?.text()).unwrap_or_default();
            return Some(begun(Form::Words, heading.under(&words(above)), at + 1));
        }
        // `File` above `Name`: only where a rule says that these are headings.
        let below = words(lines.get(at + 1)?.text()?);
        let is_ruled = lines.get(at + 2).and_then(Line::text).is_some_and(is_rule);
        if !is_ruled || is_rule(text) || first.is_empty() || below.is_empty() {
            return None;
        }
        let stacked = stack(&first, &below);
        let stacked: Vec<Word<'_>> =
            stacked.iter().map(|(text, start, end)| Word { text, start: *start, end: *end }).collect();
        let heading = Heading::of_words(&stacked)?;
        // A title above a heading that is whole without it is none of its words.
        let is_whole = Heading::of_words(&below).is_some_and(|alone| !alone.is_like(&heading));
        (!is_whole).then(|| begun(Form::Words, heading, at + 2))
    }

    /// Takes a row for the beginning of a table, where a sentence announces one.
    pub(super) fn without_heading(lines: &[Line], at: usize) -> Option<Self> {
        let line = lines.get(at)?;
        if line.is_blank() || !is_announced(lines, at) {
            return None;
        }
        let (form, heading) = match &line.content {
            Content::Cells(cells) => (Form::Cells, columns_of(cells)?),
            Content::Text(text) => {
                without_heading(&words(text))?;
                (Form::Words, Heading { columns: Vec::new(), takes_bare_names: false })
            }
            Content::Heading(_) | Content::Edge => return None,
        };
        Some(Self { form, headings: vec![heading], next: at, is_bare: true })
    }
}

/// Puts the words of two lines together that stand above one another.
fn stack(above: &[Word<'_>], below: &[Word<'_>]) -> Vec<(String, usize, usize)> {
    let mut stacked: Vec<(String, usize, usize)> =
        below.iter().map(|word| (word.text.to_owned(), word.start, word.end)).collect();
    for word in above {
        let under = stacked.iter_mut().find(|(_, start, end)| word.start < *end + 1 && *start < word.end + 1);
        match under {
            Some((text, start, end)) => {
                *text = format!("{} {text}", word.text);
                (*start, *end) = (word.start.min(*start), word.end.max(*end));
            }
            None => stacked.push((word.text.to_owned(), word.start, word.end)),
        }
    }
    stacked.sort_by_key(|(_, start, _)| *start);
    stacked
}

/// Returns the columns that the cells of a row look like.
fn columns_of(cells: &[String]) -> Option<Heading> {
    const KINDS: [Kind; 6] = [Kind::Date, Kind::Time, Kind::Version, Kind::Size, Kind::File, Kind::Platform];
    let mut columns: Vec<Column> = Vec::new();
    for cell in cells {
        let worth = |kind: &Kind| likeness(*kind, cell.trim()).filter(|score| *score >= 60);
        let free = |kind: &&Kind| worth(kind).is_some() && columns.iter().all(|column| column.kind != **kind);
        let kind = KINDS.iter().filter(free).max_by_key(|kind| worth(kind)).copied();
        columns.push(Column { kind: kind.unwrap_or(Kind::Other), platform: None, span: None });
    }
    let heading = Heading { columns, takes_bare_names: false };
    let values = heading.fit_cells(cells)?;
    (values.evidence() >= 2).then_some(heading)
}

/// Returns the cells of a line that has bars between them.
pub(super) fn bars(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    if !text.contains('|') || text.len() > 2000 {
        return None;
    }
    let text = text.strip_prefix('|').unwrap_or(text);
    let text = text.strip_suffix('|').unwrap_or(text);
    let cells: Vec<String> = text.split('|').map(|cell| cell.trim().to_owned()).collect();
    (cells.len() > 1 && cells.len() <= MAX_WORDS).then_some(cells)
}

/// Returns the cells of a line that has tabs between them.
pub(super) fn tabs(text: &str) -> Option<Vec<String>> {
    let text = text.trim_start_matches(' ').trim_end();
    if text.len() > 2000 {
        return None;
    }
    let text = text.strip_prefix('\t').unwrap_or(text);
    let cells: Vec<String> = text.split('\t').map(|cell| cell.trim().to_owned()).collect();
    (cells.len() > 1 && cells.len() <= MAX_WORDS).then_some(cells)
}
