//! File tables: where they are in an article, and their rows.
//!
//! A table begins with a heading that names columns, or with a row below a sentence that announces files, and ends
//! with the first line that is none of: a row, a rule, nothing, the furniture of a page (its number, the heading again), a line
//! that names the platform of the rows below, the rest of a row that did not fit into its line. What stands
//! between two runs of rows under one heading is the heading of another table.

mod around;
mod begin;

use qfe_patcher::platform::Platform;

use super::block::blocks;
use super::cell::{Kind, is_file_name};
use super::heading::Heading;
use super::platform::{platform_alone, platform_of_heading, platforms};
use super::row::{Place, Row, Values, join};
use super::source::{Content, Line, MAX_ROWS, SourceError, Word, words};
use around::{
    MAX_INTRODUCTION, announces_files, begins_with_day, introduction, is_example, is_furniture, is_rule,
    plain, title,
};
use begin::{Begun, Form, bars, tabs};

/// A file table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The line of its heading.
    pub line: usize,
    /// What stands above it: which files these are.
    pub heading: Option<String>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// Lines that were meant to be rows and could not be read.
    pub(super) lost: Vec<usize>,
}

impl Table {
    /// Makes a table of rows, as if it had been read.
    pub fn of(rows: Vec<Row>) -> Self {
        Self { line: 0, heading: None, rows, lost: Vec::new() }
    }

    /// Returns the platforms that one of its rows is for: as that prints them, or what stands above the table, or all; none
    /// where bundles are not made for them.
    pub(super) fn platforms(&self, row: &Row) -> Vec<Platform> {
        let of_heading = || self.heading.as_deref().and_then(platform_of_heading);
        let printed = row.platform.as_deref().or_else(of_heading);
        printed.map_or_else(|| Platform::ALL.to_vec(), platforms)
    }
}

/// Finds the file tables of an article.
pub(super) fn tables(lines: &[Line]) -> Result<Vec<Table>, SourceError> {
    let mut found: Vec<Table> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let (tables, next) = at_line(lines, at).unwrap_or_else(|| (Vec::new(), at + 1));
        at = next.max(at + 1);
        found.extend(tables);
        if found.iter().map(|table| table.rows.len()).sum::<usize>() > MAX_ROWS {
            return Err(SourceError::TooManyRows);
        }
    }
    Ok(found)
}

/// Reads the tables that begin at a line, and returns them and the line behind them.
fn at_line(lines: &[Line], at: usize) -> Option<(Vec<Table>, usize)> {
    if let Some(begun) = Begun::with_heading(lines, at).or_else(|| Begun::without_heading(lines, at)) {
        return (!is_example(&introduction(lines, at))).then(|| Reader::new(lines, at, begun).read());
    }
    let (rows, next) = blocks(lines, at)?;
    let above = introduction(lines, at);
    if is_example(&above) {
        return None;
    }
    let line = lines.get(at)?.number;
    Some((vec![Table { line, heading: title(above), rows, lost: Vec::new() }], next))
}

/// What is known while a table is read.
struct Reader<'a> {
    lines: &'a [Line],
    form: Form,
    headings: Vec<Heading>,
    is_bare: bool,
    at: usize,
    /// The tables that rows go to: one for each heading.
    open: Vec<Table>,
    /// Of each, the platform that a line above its rows names.
    platforms: Vec<Option<String>>,
    done: Vec<Table>,
    /// The words of the last row, where the next line may go on with it, and how many rows they made.
    last: Option<(Vec<Word<'a>>, usize)>,
    /// The words of a line that begins a row, and its number.
    begun: Option<(Vec<Word<'a>>, usize)>,
}

impl<'a> Reader<'a> {
    fn new(lines: &'a [Line], first: usize, begun: Begun) -> Self {
        let above = introduction(lines, first);
        let number = lines.get(first).map_or(0, |line| line.number);
        let mut reader = Self {
            lines,
            form: begun.form,
            headings: begun.headings,
            is_bare: begun.is_bare,
            at: begun.next,
            open: Vec::new(),
            platforms: Vec::new(),
            done: Vec::new(),
            last: None,
            begun: None,
        };
        reader.start(number, above.clone());
        if reader.headings.len() > 1
            && let Some(titles) = reader.titles(first)
        {
            for ((table, platform), title) in reader.open.iter_mut().zip(&mut reader.platforms).zip(titles) {
                *platform = platform_alone(&title);
                table.heading = Some(title);
            }
        }
        reader
    }

    /// Opens tables below a paragraph.
    fn start(&mut self, line: usize, above: Option<String>) {
        let platform = above.as_deref().and_then(platform_alone);
        let heading = title(above);
        self.done.append(&mut self.open);
        self.open = self
            .headings
            .iter()
            .map(|_| Table { line, heading: heading.clone(), rows: Vec::new(), lost: Vec::new() })
            .collect();
        self.platforms = vec![platform; self.headings.len()];
        self.last = None;
    }

    /// Returns what stands right above each of the tables that are side by side.
    fn titles(&self, first: usize) -> Option<Vec<String>> {
        let above = self.lines.get(..first)?.iter().rev().find(|line| !line.is_blank())?;
        let parts = match &above.content {
            Content::Cells(cells) => {
                let cells: Vec<&String> = cells.iter().filter(|cell| !cell.is_empty()).collect();
                cells.iter().map(|cell| plain(cell)).collect()
            }
            _ => {
                let words = words(above.text()?);
                let parts = self.parts(&words);
                parts.iter().map(|part| plain(&join(part))).collect::<Vec<_>>()
            }
        };
        (parts.len() == self.headings.len() && parts.iter().all(|part| !part.is_empty() && part.len() <= 60))
            .then_some(parts)
    }

    /// Cuts the words of a line for the tables side by side.
    fn parts<'w>(&self, words: &[Word<'w>]) -> Vec<Vec<Word<'w>>> {
        let starts: Vec<usize> =
            self.headings.iter().map(|heading| heading.span().map_or(0, |span| span.0)).collect();
        let mut parts = vec![Vec::new(); self.headings.len()];
        for word in words {
            let at = starts.iter().rposition(|start| word.start + 2 >= *start).unwrap_or(0);
            if let Some(part) = parts.get_mut(at) {
                part.push(word.clone());
            }
        }
        parts
    }

    /// Reads all rows, and returns the tables that have some, and the line behind them.
    fn read(mut self) -> (Vec<Table>, usize) {
        let mut has_furniture = false;
        let mut is_behind_gap = true;
        // Where a table without rows ends nothing was read but gaps, and the heading again.
        let mut end = self.at;
        while let Some(line) = self.lines.get(self.at) {
            if line.is_blank() || line.text().is_some_and(is_rule) {
                // The end of a table of a page is the end of it.
                if self.form == Form::Cells && line.content == Content::Edge {
                    break;
                }
                is_behind_gap = true;
                self.at += 1;
                continue;
            }
            if line.text().is_some_and(is_furniture) {
                has_furniture = true;
                self.at += 1;
                continue;
            }
            if let Some(again) = Begun::with_heading(self.lines, self.at) {
                let is_like = again.form == self.form
                    && again.headings.len() == self.headings.len()
                    && again.headings.iter().zip(&self.headings).all(|(a, b)| a.is_like(b));
                if !is_like || !has_furniture {
                    break;
                }
                (self.headings, self.at) = (again.headings, again.next);
                if self.open.iter().all(|table| table.rows.is_empty()) {
                    end = self.at;
                }
                continue;
            }
            if self.go_on(line, is_behind_gap) {
                self.at += 1;
            } else if self.is_broken_row(line) {
                self.give_up();
                if let Some(table) = self.open.first_mut() {
                    table.lost.push(line.number);
                }
                self.at += 1;
            } else if !self.start_below() {
                break;
            }
            has_furniture = false;
            is_behind_gap = false;
            end = self.at;
        }
        self.give_up();
        self.done.append(&mut self.open);
        // Names alone are no table, if anything else can be expected.
        let says_more = self.headings.iter().any(Heading::says_more);
        let is_bare = |row: &Row| row.version.is_none() && row.size.is_none() && row.date.is_none();
        self.done.retain(|table| match says_more {
            true => !table.rows.iter().all(is_bare),
            false => !table.rows.is_empty(),
        });
        (self.done, end)
    }

    /// Takes a line for a row or a part of one, and tells whether it is.
    fn go_on(&mut self, line: &'a Line, is_behind_gap: bool) -> bool {
        if self.form != Form::Words || self.headings.len() > 1 {
            return self.row(line, is_behind_gap);
        }
        let Some(words) = line.text().map(words).filter(|words| !words.is_empty()) else { return false };
        if let Some((begun, number)) = self.begun.take() {
            let joined: Vec<Word<'a>> = begun.iter().chain(&words).cloned().collect();
            if let Some(values) = self.fit(&joined, Place::Joined).filter(|values| is_row(values, 1)) {
                self.push(0, &values, number);
                self.last = Some((joined, self.rows_of(&values)));
                return true;
            }
            self.begun = Some((begun, number));
            self.give_up();
        }
        if self.row(line, is_behind_gap) {
            return true;
        }
        self.part(line.number, words, is_behind_gap)
    }

    /// Tells whether a line was meant to be a row: a day in front, and a file.
    fn is_broken_row(&self, line: &Line) -> bool {
        let Some(text) = line.text().filter(|text| begins_with_day(text)) else { return false };
        let words = words(text);
        self.form == Form::Words && words.len() <= 12 && words.iter().any(|word| is_file_name(word.text))
    }

    /// Forgets the line that began a row.
    fn give_up(&mut self) {
        if let (Some((_, number)), Some(table)) = (self.begun.take(), self.open.first_mut()) {
            table.lost.push(number);
        }
    }

    /// Takes a line for the rest of the last row, or for the beginning of one.
    fn part(&mut self, number: usize, words: Vec<Word<'a>>, is_behind_gap: bool) -> bool {
        let Some(heading) = self.headings.first() else { return false };
        let Some(values) = self.fit(&words, Place::Joined).filter(|values| !values.has(Kind::File)) else {
            return false;
        };
        let is_platform = values.platform_alone().is_some();
        if is_platform && !heading.has(Kind::Platform) {
            return false;
        }
        if values.evidence() == 0 && !is_platform {
            return false;
        }
        if let (Some((last, rows)), false) = (&self.last, is_behind_gap) {
            let joined: Vec<Word<'a>> = last.iter().chain(&words).cloned().collect();
            let before = self.fit(last, Place::Joined);
            let after = self.fit(&joined, Place::Joined);
            if let (Some(before), Some(after)) = (before, after)
                && after.extends(&before, &values)
            {
                let rows = *rows;
                if let Some(table) = self.open.first_mut() {
                    let line = table.rows.last().map_or(number, |row| row.line);
                    table.rows.truncate(table.rows.len().saturating_sub(rows));
                    self.push(0, &after, line);
                    self.last = Some((joined, self.rows_of(&after)));
                    return true;
                }
            }
        }
        let first = heading.columns.first().map(|column| column.kind);
        let begins = first.is_some_and(|kind| values.has(kind)) && values.evidence() > 0;
        if begins {
            self.begun = Some((words, number));
        }
        begins
    }

    fn fit(&self, words: &[Word<'_>], place: Place) -> Option<Values> {
        self.headings.first()?.fit(words, place)
    }

    fn rows_of(&self, values: &Values) -> usize {
        values.rows(0).len()
    }

    /// Returns what stands in a line for each of the tables side by side.
    fn values(&self, line: &'a Line) -> Option<Vec<Option<Values>>> {
        let cells = match (&line.content, self.form) {
            (Content::Cells(cells), Form::Cells) => Some(cells.clone()),
            (Content::Text(text) | Content::Heading(text), Form::Bars) => Some(bars(text)?),
            (Content::Text(text) | Content::Heading(text), Form::Tabs) => tabs(text),
            (Content::Text(_) | Content::Heading(_), Form::Words) => None,
            (Content::Cells(_) | Content::Edge, _) | (_, Form::Cells) => return None,
        };
        if let Some(cells) = cells {
            let mut rest = cells.as_slice();
            let mut parts = Vec::new();
            for heading in &self.headings {
                let (part, behind) = rest.split_at(heading.columns.len().min(rest.len()));
                let is_empty = part.iter().all(|cell| cell.trim().is_empty());
                parts.push((!is_empty).then(|| heading.fit_cells(part)));
                rest = behind;
            }
            let is_whole = rest.iter().all(|cell| cell.trim().is_empty()) || self.form == Form::Cells;
            if is_whole && parts.iter().all(|part| !matches!(part, Some(None))) {
                return Some(parts.into_iter().map(Option::flatten).collect());
            }
            if self.form == Form::Bars || self.form == Form::Cells {
                return None;
            }
        }
        let words = words(line.text()?);
        if self.headings.len() == 1 {
            return Some(vec![Some(self.fit(&words, Place::Printed)?)]);
        }
        let parts = self.parts(&words);
        let fits = self.headings.iter().zip(&parts).map(|(heading, part)| match part.is_empty() {
            true => Some(None),
            false => heading.fit(part, Place::Printed).map(Some),
        });
        fits.collect()
    }

    /// Takes a line for a row of each table.
    fn row(&mut self, line: &'a Line, is_behind_gap: bool) -> bool {
        let Some(parts) = self.values(line) else { return false };
        let has_rows = self.open.iter().any(|table| !table.rows.is_empty());
        let holds = |values: &Values| {
            // A name without an ending may be any word: more must tell that it is one.
            let is_name = values.rows(0).iter().all(|row| is_file_name(&row.file));
            if self.is_row(values, if is_name { 1 } else { self.most_evidence() }) {
                return true;
            }
            // A name and a platform, or a name with nothing: only in the middle of others.
            let has_platforms = self.headings.iter().any(|heading| heading.has(Kind::Platform));
            let stands_alone = !self.is_bare && (self.form == Form::Cells || !(is_behind_gap && has_rows));
            values.has(Kind::File)
                && stands_alone
                && (has_platforms || values.rows(0).len() == 1)
                && values.rows(0).iter().all(|row| is_file_name(&row.file))
        };
        if !parts.iter().flatten().all(holds) || parts.iter().all(Option::is_none) {
            return false;
        }
        for (at, values) in parts.iter().enumerate() {
            if let Some(values) = values {
                self.push(at, values, line.number);
            }
        }
        self.last = match (parts.as_slice(), line.text()) {
            ([Some(values)], Some(text)) if self.form == Form::Words => {
                Some((words(text), self.rows_of(values)))
            }
            _ => None,
        };
        true
    }

    fn push(&mut self, at: usize, values: &Values, line: usize) {
        let platform = self.platforms.get(at).cloned().flatten();
        if let Some(table) = self.open.get_mut(at) {
            table.rows.extend(values.rows(line).into_iter().map(|mut row| {
                row.platform = row.platform.or_else(|| platform.clone());
                row
            }));
        }
    }

    /// Takes a line, or a paragraph, for what stands above further rows with the same columns.
    fn start_below(&mut self) -> bool {
        self.give_up();
        let from = self.at;
        let number = self.lines.get(from).map_or(0, |line| line.number);
        let mut paragraph: Vec<String> = Vec::new();
        let mut at = from;
        // The paragraph: its lines up to a gap or a row.
        while let Some(line) = self.lines.get(at) {
            let cells = match &line.content {
                Content::Cells(cells) if self.form == Form::Cells && paragraph.is_empty() => {
                    // One cell over the whole width.
                    let mut filled = cells.iter().filter(|cell| !cell.trim().is_empty());
                    filled.next().filter(|_| filled.next().is_none()).map(|cell| plain(cell))
                }
                _ => None,
            };
            let Some(text) = cells.or_else(|| line.text().map(plain)).filter(|text| !text.is_empty()) else {
                break;
            };
            if paragraph.len() >= MAX_INTRODUCTION || (!paragraph.is_empty() && self.is_sure_row(line)) {
                break;
            }
            if line.text().is_some_and(is_rule) || Begun::with_heading(self.lines, at).is_some() {
                break;
            }
            paragraph.push(text);
            at += 1;
        }
        let is_gap = |line: &Line| line.is_blank() || line.text().is_some_and(is_rule);
        while self.lines.get(at).is_some_and(is_gap) {
            if self.form == Form::Cells
                && self.lines.get(at).is_some_and(|line| line.content == Content::Edge)
            {
                return false;
            }
            at += 1;
        }
        let text = paragraph.join(" ");
        let follows = self.lines.get(at).is_some_and(|line| self.is_sure_row(line));
        if paragraph.is_empty() || !follows || is_example(&Some(text.clone())) {
            return false;
        }
        let platform = platform_alone(&text);
        let has_rows = self.open.iter().any(|table| !table.rows.is_empty());
        // Rows of one table may come in parts; a sentence begins another.
        match platform {
            Some(platform) => {
                self.platforms = vec![Some(platform); self.headings.len()];
                self.last = None;
            }
            None if text.len() > 60 && !text.ends_with(':') && !announces_files(&text) && has_rows => {
                return false;
            }
            None => {
                // What is added to the files of a platform is for it too.
                let is_more = text.to_lowercase().starts_with("additional");
                let platforms = std::mem::take(&mut self.platforms);
                self.start(number, Some(text));
                if is_more {
                    self.platforms = platforms;
                }
            }
        }
        self.at = at;
        true
    }

    /// Tells whether a line is a row whatever stands above it.
    fn is_sure_row(&self, line: &'a Line) -> bool {
        let wanted = self.most_evidence();
        self.values(line).is_some_and(|parts| {
            parts.iter().flatten().next().is_some()
                && parts.iter().flatten().all(|values| self.is_row(values, wanted))
        })
    }

    /// Returns how many values a row must have that is one whatever else is said of it: as many as there are columns, and no more
    /// than two.
    fn most_evidence(&self) -> usize {
        let most = self.headings.iter().map(|heading| {
            let counts = |kind: Kind| usize::from(heading.has(kind));
            [Kind::Date, Kind::Time, Kind::Version, Kind::Size].map(counts).iter().sum::<usize>()
        });
        most.max().unwrap_or(0).clamp(1, 2)
    }

    /// Tells whether values are a row of this table: where no heading says that rows follow, they must tell more.
    fn is_row(&self, values: &Values, wanted: usize) -> bool {
        if self.is_bare { values.stand_alone() } else { is_row(values, wanted) }
    }
}

/// Tells whether values are a row: a file, and as many that are surely of a table.
fn is_row(values: &Values, wanted: usize) -> bool {
    values.has(Kind::File) && values.evidence() >= wanted
}
