//! One row of a file table: the words of a line given to the columns of its heading.
//!
//! Articles align their columns badly, leave values out and print others in several words (`October 6, 2000`, `1.33 MB`,
//! `Windows 95 OSR2`). So all ways to cut the line into values, in the order of the columns, are weighed: by how much
//! each looks like a value of its column, and by how near it stands to the heading. All words must be used up, which no
//! sentence survives.

use super::cell::{Kind, is_blank, likeness, most_words};
use super::heading::{Column, Heading};
use super::platform::is_processor;
use super::source::Word;

/// A row as printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The line where it stands.
    pub line: usize,
    /// The file's name, perhaps with a path.
    pub file: String,
    /// Its version.
    pub version: Option<String>,
    /// Its size.
    pub size: Option<String>,
    /// The platform it is for.
    pub platform: Option<String>,
    /// Its date.
    pub date: Option<String>,
    /// Its time of day.
    pub time: Option<String>,
}

/// Values by kind, each perhaps of one platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Values(Vec<(Kind, Option<String>, String)>);

impl Values {
    fn set(&mut self, column: &Column, text: String) {
        if column.kind != Kind::Other && !is_blank(&text) {
            self.0.push((column.kind, column.platform.clone(), text));
        }
    }

    pub(super) fn has(&self, kind: Kind) -> bool {
        self.0.iter().any(|(other, ..)| *other == kind)
    }

    /// Counts the values that are surely of a table: days, times, versions of several numbers, sizes.
    pub(super) fn evidence(&self) -> usize {
        let is_sure = |(kind, _, text): &&(Kind, Option<String>, String)| match kind {
            Kind::Date | Kind::Time | Kind::Version => likeness(*kind, text).is_some_and(|score| score >= 60),
            Kind::Size => likeness(*kind, text).is_some(),
            Kind::File | Kind::Platform | Kind::Other => false,
        };
        self.0.iter().filter(is_sure).count()
    }

    /// Tells whether these are a row though no heading says so: a file with two such values, or with its size on a platform.
    pub(super) fn stand_alone(&self) -> bool {
        let is_of_platform = self.has(Kind::Platform) && self.has(Kind::Size);
        self.has(Kind::File) && (self.evidence() >= 2 || is_of_platform)
    }

    /// Returns the platform if there is nothing else.
    pub(super) fn platform_alone(&self) -> Option<&str> {
        match self.0.as_slice() {
            [(Kind::Platform, None, text)] => Some(text),
            _ => None,
        }
    }

    /// Tells whether these are `before` and `added`, each value as it was.
    pub(super) fn extends(&self, before: &Self, added: &Self) -> bool {
        let both = before.0.iter().chain(&added.0);
        self.has(Kind::File)
            && self.0.len() == before.0.len() + added.0.len()
            && both.clone().all(|value| self.0.contains(value))
    }

    /// Returns the rows: one, or one for each platform that columns are of.
    pub(super) fn rows(&self, line: usize) -> Vec<Row> {
        let mut platforms: Vec<Option<&str>> = Vec::new();
        for (_, platform, _) in &self.0 {
            if platform.is_some() && !platforms.contains(&platform.as_deref()) {
                platforms.push(platform.as_deref());
            }
        }
        if platforms.is_empty() {
            platforms.push(None);
        }
        let row = |platform: Option<&str>| {
            let value = |kind: Kind| {
                let is_it = |(other, of, _): &&(Kind, Option<String>, String)| {
                    *other == kind && (of.is_none() || of.as_deref() == platform)
                };
                self.0.iter().find(is_it).map(|(_, _, text)| text.clone())
            };
            Some(Row {
                line,
                file: value(Kind::File)?,
                version: value(Kind::Version),
                size: value(Kind::Size),
                platform: platform.map(str::to_owned).or_else(|| value(Kind::Platform)),
                date: value(Kind::Date),
                time: value(Kind::Time),
            })
        };
        platforms.into_iter().filter_map(row).collect()
    }
}

/// Whether words stand below the headings that they belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// As printed.
    Printed,
    /// They come from several lines: where they stand says nothing.
    Joined,
}

/// Whether a column takes what does not look like its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taste {
    /// It does not.
    Strict,
    /// It takes one word that stands right below its heading.
    Lenient,
}

/// What a column is worth that nothing was found for, and what a blank (`-`) is.
const LEFT_OUT: i32 = -4;
const BLANK: i32 = 30;

impl Heading {
    /// Gives the words of a line to the columns; none where they do not fit, or no value is left.
    pub(super) fn fit(&self, words: &[Word<'_>], place: Place) -> Option<Values> {
        let words = without_marks(words);
        if words.is_empty() {
            return None;
        }
        let mut columns: Vec<Column> = self.columns.clone();
        if !self.has(Kind::Platform) {
            // Tables without such a column name processors behind the file.
            columns.push(Column { kind: Kind::Platform, platform: None, span: None });
        }
        let strict =
            self.in_order(&columns, words, place, Taste::Strict).or_else(|| self.in_any_order(words));
        // A value that is none of its column's is better than no row, where all others are sure.
        let lenient = || {
            self.in_order(&columns, words, place, Taste::Lenient)
                .filter(|values| values.has(Kind::File) && values.evidence() >= 2)
        };
        strict.or_else(lenient).filter(|values| !values.0.is_empty())
    }

    fn in_order(&self, columns: &[Column], words: &[Word<'_>], place: Place, taste: Taste) -> Option<Values> {
        // best[i]: the best of ways by which the columns so far take the first i words, with what each took.
        let mut best: Vec<Option<(i32, Vec<usize>)>> = vec![None; words.len() + 1];
        if let Some(first) = best.first_mut() {
            *first = Some((0, Vec::new()));
        }
        for (at, column) in columns.iter().enumerate() {
            let is_virtual = at >= self.columns.len();
            let mut next: Vec<Option<(i32, Vec<usize>)>> = vec![None; words.len() + 1];
            for (from, way) in best.iter().enumerate() {
                let Some((score, taken)) = way else { continue };
                for count in 0..=most_words(column.kind).min(words.len() - from) {
                    let worth = match words.get(from..from + count) {
                        Some([]) => Some(if is_virtual { 0 } else { LEFT_OUT }),
                        Some(group) => self.worth(column, group, place, is_virtual, taste),
                        None => None,
                    };
                    let Some(worth) = worth else { continue };
                    let Some(slot) = next.get_mut(from + count) else { continue };
                    if slot.as_ref().is_none_or(|(other, _)| *other < score + worth) {
                        let mut taken = taken.clone();
                        taken.push(count);
                        *slot = Some((score + worth, taken));
                    }
                }
            }
            best = next;
        }
        let (_, taken) = best.pop()??;
        let mut values = Values::default();
        let mut rest = words;
        for (column, count) in columns.iter().zip(taken) {
            let (group, behind) = rest.split_at_checked(count)?;
            if !group.is_empty() {
                values.set(column, join(group));
            }
            rest = behind;
        }
        Some(values)
    }

    /// Returns what it is worth to give a group of words to a column; nothing if it cannot be.
    fn worth(
        &self,
        column: &Column,
        group: &[Word<'_>],
        place: Place,
        is_virtual: bool,
        taste: Taste,
    ) -> Option<i32> {
        let widest = group.windows(2).map(|pair| match pair {
            [a, b] => b.start.saturating_sub(a.end),
            _ => 0,
        });
        let (start, end) = (group.first()?.start, group.last()?.end);
        let distance = match (column.span, place) {
            (Some((from, to)), Place::Printed) => from.saturating_sub(end) + start.saturating_sub(to),
            _ => 0,
        };
        if widest.max().unwrap_or(0) > 2 && column.kind != Kind::Other {
            return None;
        }
        let text = join(group);
        let off = i32::try_from(distance.min(30)).unwrap_or(30);
        if group.len() == 1 && !is_virtual && is_blank(&text) {
            return Some(BLANK - off);
        }
        let is_below = distance == 0 && place == Place::Printed && column.span.is_some();
        let worth = match (column.kind, likeness(column.kind, &text)) {
            // A platform that nobody has heard of: one or two words below their heading.
            (Kind::Platform, None) if !is_virtual && is_below && group.len() <= 3 => {
                let is_name = text.chars().any(char::is_alphabetic)
                    && !text.ends_with(['.', ',', ':', ';'])
                    && likeness(Kind::File, &text).is_none_or(|score| score < 60);
                is_name.then_some(10)?
            }
            (Kind::Date | Kind::Time | Kind::Version | Kind::Size, None)
                if taste == Taste::Lenient && is_below && group.len() == 1 =>
            {
                likeness(Kind::File, &text).is_none_or(|score| score < 60).then_some(3)?
            }
            (_, None) => return None,
            (Kind::Platform, Some(_)) if is_virtual && !is_processor(&text) => return None,
            (Kind::File, Some(score)) if score < 60 => {
                (self.takes_bare_names && is_below).then_some(score)?
            }
            // Sentences end up in such columns: only what stands below the heading does not.
            (Kind::Other, Some(score)) if column.span.is_some() && place == Place::Printed => {
                (distance <= 8).then_some(score)?
            }
            (_, Some(score)) => score,
        };
        Some(worth - off)
    }

    /// Gives the words to columns by what they look like alone, whatever the heading's order; what is behind them and cannot be
    /// understood is left, if the others are sure.
    fn in_any_order(&self, words: &[Word<'_>]) -> Option<Values> {
        const KINDS: [Kind; 6] =
            [Kind::Date, Kind::Time, Kind::Version, Kind::Size, Kind::File, Kind::Platform];
        let has_heading = !self.columns.is_empty();
        let mut values = Values::default();
        let mut rest = words;
        while !rest.is_empty() {
            let found = (1..=rest.len().min(5)).rev().find_map(|count| {
                let group = rest.get(..count)?;
                let mut text = join(group);
                // `Intel: Abc.dll`, where nothing else says whose file it is.
                if !has_heading && rest.len() > count && is_processor(text.trim_end_matches(':')) {
                    text.truncate(text.trim_end_matches(':').len());
                }
                let worth = |kind: Kind| {
                    let is_free =
                        !values.has(kind) && count <= most_words(kind) && (kind != Kind::File || count == 1);
                    is_free.then(|| likeness(kind, &text)).flatten().filter(|score| *score >= 60)
                };
                let best = KINDS
                    .into_iter()
                    .filter_map(|kind| Some((worth(kind)?, kind)))
                    .max_by_key(|(score, _)| *score);
                best.map(|(_, kind)| (kind, text, count))
            });
            match found {
                Some((kind, text, count)) => {
                    values.set(&Column { kind, platform: None, span: None }, text);
                    rest = rest.get(count..)?;
                }
                // What stands for a value that is missing, or for the attributes of a file.
                None if rest.first().is_some_and(|word| is_blank(word.text)) => rest = rest.get(1..)?,
                None if !has_heading && rest.first().is_some_and(|word| is_label(word.text)) => {
                    rest = rest.get(1..)?;
                }
                None if values.has(Kind::File) && values.evidence() >= 2 && rest.len() <= 4 => break,
                None => return None,
            }
        }
        // A heading that has sizes and no versions tells that what looks like a version is a size, if nothing else is.
        let is_size = self.has(Kind::Size) && !self.has(Kind::Version) && !values.has(Kind::Size);
        let is_sound = !(is_size && values.has(Kind::Version)) && values.evidence() >= 1;
        (values.has(Kind::File) && is_sound).then_some(values)
    }

    /// Gives cells to the columns.
    pub(super) fn fit_cells(&self, cells: &[String]) -> Option<Values> {
        let mut values = Values::default();
        for (column, cell) in self.columns.iter().zip(cells) {
            let text = cell.split_whitespace().collect::<Vec<_>>().join(" ");
            let text = text.trim_matches(['`', '*']);
            if text.is_empty() {
                continue;
            }
            match (column.kind, likeness(column.kind, text)) {
                (Kind::File, None) => return None,
                (Kind::File, Some(score)) if score < 60 && !self.takes_bare_names => return None,
                // Day and time in one cell.
                (Kind::Date, None) => match text.split_once(' ').and_then(|_| date_and_time(text)) {
                    Some((date, time)) => {
                        values.set(column, date);
                        let kind = Kind::Time;
                        values.set(&Column { kind, platform: column.platform.clone(), span: None }, time);
                    }
                    None => values.set(column, text.to_owned()),
                },
                _ => values.set(column, text.to_owned()),
            }
        }
        values.has(Kind::File).then_some(values)
    }
}

/// Cuts `1/28/2000 10:49AM` into its day and its time.
fn date_and_time(text: &str) -> Option<(String, String)> {
    text.match_indices(' ').find_map(|(at, _)| {
        let (date, time) = (text.get(..at)?, text.get(at + 1..)?);
        let fits = likeness(Kind::Date, date).is_some() && likeness(Kind::Time, time).is_some();
        fits.then(|| (date.trim_end_matches(',').to_owned(), time.to_owned()))
    })
}

/// Leaves out the marks of footnotes and lists around a row.
fn without_marks<'w, 'a>(mut words: &'w [Word<'a>]) -> &'w [Word<'a>] {
    let is_mark = |word: &Word<'_>| {
        word.text.chars().all(|c| matches!(c, '*' | '\u{2020}' | '\u{2021}' | '\u{2022}' | '\u{b7}'))
    };
    while let [first, rest @ ..] = words
        && is_mark(first)
    {
        words = rest;
    }
    while let [rest @ .., last] = words
        && is_mark(last)
    {
        words = rest;
    }
    words
}

/// Tells whether a word says which value follows.
fn is_label(word: &str) -> bool {
    let word = word.trim_end_matches([':', '.']);
    ["version", "ver", "v", "dated"].iter().any(|label| word.eq_ignore_ascii_case(label))
}

/// Reads a line as a row without a heading: by what its words look like alone.
pub(super) fn without_heading(words: &[Word<'_>]) -> Option<Values> {
    let heading = Heading { columns: Vec::new(), takes_bare_names: false };
    let values = heading.in_any_order(words)?;
    let begins = values.has(Kind::Date) || values.has(Kind::Platform);
    (begins && values.stand_alone()).then_some(values)
}

/// Returns the text of some words.
pub(super) fn join(group: &[Word<'_>]) -> String {
    group.iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
}
