//! The heading of a file table: which columns there are, in which order and where.

use super::cell::Kind;
use super::platform::{is_processor, platform_alone};
use super::source::Word;

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// What it holds.
    pub(super) kind: Kind,
    /// The platform that its heading names, as in `Alpha size`.
    pub(super) platform: Option<String>,
    /// Where its heading begins, and ends; nowhere, where cells tell the columns.
    pub(super) span: Option<(usize, usize)>,
}

/// The heading of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heading {
    /// Its columns, from left to right.
    pub(super) columns: Vec<Column>,
    /// Whether names without an ending are taken: `File name` says that names stand there, `Name` does not.
    pub(super) takes_bare_names: bool,
}

/// Labels of columns, in lower case; of several words with one blank between.
const LABELS: &[(&str, Kind)] = &[
    ("date", Kind::Date),
    ("date stamp", Kind::Date),
    ("datestamp", Kind::Date),
    ("file date", Kind::Date),
    ("date modified", Kind::Date),
    ("modified date", Kind::Date),
    ("creation date", Kind::Date),
    ("modified", Kind::Date),
    ("time/date", Kind::Date),
    ("date/time", Kind::Date),
    ("date and time", Kind::Date),
    ("time", Kind::Time),
    ("time stamp", Kind::Time),
    ("timestamp", Kind::Time),
    ("file time", Kind::Time),
    ("time utc", Kind::Time),
    ("version", Kind::Version),
    ("file version", Kind::Version),
    ("version number", Kind::Version),
    ("version no", Kind::Version),
    ("current version", Kind::Version),
    ("new version", Kind::Version),
    ("updated version", Kind::Version),
    ("ver", Kind::Version),
    ("size", Kind::Size),
    ("file size", Kind::Size),
    ("size bytes", Kind::Size),
    ("size in bytes", Kind::Size),
    ("size kb", Kind::Size),
    ("bytes", Kind::Size),
    ("length", Kind::Size),
    ("file name", Kind::File),
    ("file names", Kind::File),
    ("file", Kind::File),
    ("files", Kind::File),
    ("name", Kind::File),
    ("name of file", Kind::File),
    ("file name and path", Kind::File),
    ("file name/path", Kind::File),
    ("path and file name", Kind::File),
    ("module", Kind::File),
    ("binary", Kind::File),
    ("platform", Kind::Platform),
    ("platforms", Kind::Platform),
    ("processor", Kind::Platform),
    ("processor type", Kind::Platform),
    ("cpu", Kind::Platform),
    ("hardware", Kind::Platform),
    ("architecture", Kind::Platform),
    ("machine", Kind::Platform),
    ("operating system", Kind::Platform),
    ("os", Kind::Platform),
    ("path", Kind::Other),
    ("folder", Kind::Other),
    ("location", Kind::Other),
    ("directory", Kind::Other),
    ("destination", Kind::Other),
    ("language", Kind::Other),
    ("component", Kind::Other),
    ("checksum", Kind::Other),
    ("crc", Kind::Other),
    ("description", Kind::Other),
    ("build", Kind::Other),
    ("type", Kind::Other),
    ("attributes", Kind::Other),
    ("comment", Kind::Other),
    ("comments", Kind::Other),
    ("notes", Kind::Other),
    ("encryption", Kind::Other),
    ("product version", Kind::Other),
    ("internal version", Kind::Other),
    ("service pack", Kind::Other),
];
/// Labels that other tables have too.
const COMMON: &[&str] = &["name", "module", "binary", "file", "files"];

/// Returns what a label says; nothing where it is none.
pub(super) fn kind_of(label: &str) -> Option<(Kind, &'static str)> {
    let plain: String = label
        .to_lowercase()
        .replace("filename", "file name")
        .replace("filesize", "file size")
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '/'))
        .collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    LABELS.iter().find(|(known, _)| *known == plain).map(|(known, kind)| (*kind, *known))
}

/// Tells whether a word may be one of those above names.
fn may_head_names(word: &str) -> bool {
    let lower = word.to_lowercase();
    ["file", "name", "module", "binary"].iter().any(|label| lower.contains(label))
}

/// A label as it was understood.
struct Label {
    column: Column,
    word: &'static str,
}

/// Returns what a text means as the whole heading of a column.
fn label(text: &str, span: Option<(usize, usize)>) -> Option<Label> {
    let found = |kind: Kind, platform: Option<&str>, word: &'static str| {
        let platform = platform.map(|name| name.trim_matches(['(', ')', ',', ':']).to_owned());
        Some(Label { column: Column { kind, platform, span }, word })
    };
    if let Some((kind, word)) = kind_of(text) {
        return found(kind, None, word);
    }
    // `Alpha size`, `Size (Alpha)`.
    for (at, _) in text.match_indices(' ') {
        let (front, back) = (text.get(..at)?, text.get(at + 1..)?);
        for (platform, label) in [(front, back), (back, front)] {
            if let Some((kind @ (Kind::Size | Kind::Version | Kind::Date | Kind::Time), word)) =
                kind_of(label)
                && is_processor(platform)
            {
                return found(kind, Some(platform), word);
            }
        }
    }
    None
}

impl Heading {
    /// Reads the heading of a table of text from the words of its line.
    pub(super) fn of_words(words: &[Word<'_>]) -> Option<Self> {
        // Most lines are none: told before anything is tried.
        if !words.iter().any(|word| may_head_names(word.text)) {
            return None;
        }
        let mut labels: Vec<Option<Label>> = Vec::new();
        let mut rest = words;
        // Where the last label ended, and of how many words it was if nobody knows it.
        let mut before: Option<(usize, usize)> = None;
        while !rest.is_empty() {
            let longest = (1..=rest.len().min(4)).rev().find_map(|count| {
                let group = rest.get(..count)?;
                let is_close = group.windows(2).all(|pair| match pair {
                    [a, b] => b.start.saturating_sub(a.end) <= 1,
                    _ => true,
                });
                let text = group.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
                let span = (group.first()?.start, group.last()?.end);
                is_close.then(|| label(&text, Some(span))).flatten().map(|label| (label, count))
            });
            let (label, count) = match longest {
                Some((label, count)) => (Some(label), count),
                None => (None, 1),
            };
            let gap = before.map_or(usize::MAX, |(end, _)| first(rest).saturating_sub(end));
            // `Folder installed in`: what is said of a column that is forgotten, is forgotten with it.
            let is_of_other = labels
                .last()
                .is_some_and(|last| last.as_ref().is_some_and(|last| last.column.kind == Kind::Other));
            let goes_on = label.is_none() && gap <= 1 && is_of_other;
            let unknown = match (&label, before) {
                (None, Some((_, unknown))) if (unknown > 0 || goes_on) && gap <= 1 => unknown.max(1) + 1,
                (None, _) => 1,
                (Some(_), _) => 0,
            };
            // What nobody knows stands apart, or this is a sentence.
            let is_beside = before.is_some_and(|(_, words)| (words > 0) != (unknown > 0)) && gap <= 1;
            if unknown > 3 || (is_beside && !goes_on) {
                return None;
            }
            if unknown < 2 {
                labels.push(label);
            }
            let (group, behind) = rest.split_at_checked(count)?;
            before = Some((group.last()?.end, unknown));
            rest = behind;
        }
        Self::of_labels(labels)
    }

    /// Reads the heading of a table of cells.
    pub(super) fn of_cells(cells: &[String]) -> Option<Self> {
        let labels = cells.iter().map(|cell| {
            let text = cell.trim().trim_matches(['*', '_', '`']);
            if text.is_empty() || text.len() > 40 {
                return Some(Label { column: other(), word: "" });
            }
            label(text, None)
        });
        Self::of_labels(labels.collect())
    }

    /// Takes labels for a heading if enough of them are known: a name, and something that it has.
    fn of_labels(labels: Vec<Option<Label>>) -> Option<Self> {
        let known = labels.iter().flatten().filter(|label| label.column.kind != Kind::Other);
        let names: Vec<&str> =
            known.clone().filter(|label| label.column.kind == Kind::File).map(|label| label.word).collect();
        let others = known.clone().filter(|label| label.column.kind != Kind::File).count();
        let unknown = labels.iter().filter(|label| label.is_none()).count();
        if names.is_empty() || others == 0 || unknown > known.count() || labels.len() > 24 {
            return None;
        }
        // `Start  Length  Name  Class` is no table of files.
        if names.iter().all(|name| COMMON.contains(name)) && unknown > others {
            return None;
        }
        let takes_bare_names = !names.iter().all(|name| COMMON.contains(name)) || others > 1;
        let mut columns = Vec::new();
        for label in labels {
            let Some(Label { column, word }) = label else {
                columns.push(other());
                continue;
            };
            // One heading of two columns, where no cells keep them together.
            let time = (matches!(word, "date/time" | "time/date" | "date and time"))
                .then(|| Column { kind: Kind::Time, ..column.clone() });
            let is_of_words = column.span.is_some();
            columns.push(column);
            columns.extend(time.filter(|_| is_of_words));
        }
        Some(Self { columns, takes_bare_names })
    }

    /// Gives columns that repeat the platforms that stand above them: `Intel` above `Version  Size`, `Alpha` above the same.
    pub(super) fn under(mut self, above: &[Word<'_>]) -> Self {
        let mut names: Vec<(String, usize)> = Vec::new();
        for word in above {
            match names.last_mut() {
                Some((name, end)) if word.start.saturating_sub(*end) <= 1 => {
                    name.push(' ');
                    name.push_str(word.text);
                    *end = word.end;
                }
                _ => names.push((word.text.to_owned(), word.end)),
            }
        }
        let names: Vec<String> = names.iter().filter_map(|(name, _)| platform_alone(name)).collect();
        let repeats = [Kind::Version, Kind::Size].map(|kind| count_of(&self.columns, kind));
        let fits = repeats.iter().any(|count| *count > 1)
            && repeats.iter().all(|count| *count < 2 || *count == names.len())
            && count_of(&self.columns, Kind::File) == 1;
        if fits {
            for kind in [Kind::Date, Kind::Time, Kind::Version, Kind::Size] {
                if count_of(&self.columns, kind) == names.len() {
                    let columns = self.columns.iter_mut().filter(|column| column.kind == kind);
                    columns.zip(&names).for_each(|(column, name)| column.platform = Some(name.clone()));
                }
            }
        }
        self
    }

    /// Returns the headings of tables that stand side by side: as many as there are equal runs of columns.
    pub(super) fn side_by_side(self) -> Vec<Self> {
        let names = self.columns.iter().filter(|column| column.kind == Kind::File).count();
        let kinds: Vec<Kind> = self.columns.iter().map(|column| column.kind).collect();
        let width = kinds.len() / names.max(1);
        let repeats = names > 1
            && width * names == kinds.len()
            && kinds.chunks(width.max(1)).all(|run| Some(run) == kinds.get(..width));
        if !repeats {
            return vec![self.without_repetition()];
        }
        let takes_bare_names = self.takes_bare_names;
        let part =
            |columns: &[Column]| Self { columns: columns.to_vec(), takes_bare_names }.without_repetition();
        self.columns.chunks(width).map(part).collect()
    }

    /// Keeps the first column of each kind: `Size` before `Size on disk`. Columns of platforms are all kept.
    fn without_repetition(mut self) -> Self {
        let mut seen: Vec<(Kind, Option<String>)> = Vec::new();
        for column in &mut self.columns {
            let key = (column.kind, column.platform.clone());
            if column.kind != Kind::Other && seen.contains(&key) {
                column.kind = Kind::Other;
            }
            seen.push(key);
        }
        self
    }

    /// Returns where the table begins and ends.
    pub(super) fn span(&self) -> Option<(usize, usize)> {
        let mut spans = self.columns.iter().filter_map(|column| column.span);
        let first = spans.next()?;
        Some(spans.fold(first, |whole, span| (whole.0.min(span.0), whole.1.max(span.1))))
    }

    /// Tells whether it has a column of a kind.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.columns.iter().any(|column| column.kind == kind)
    }

    /// Tells whether it has a column of what only tables of files have.
    pub(super) fn says_more(&self) -> bool {
        [Kind::Date, Kind::Version, Kind::Size].iter().any(|kind| self.has(*kind))
    }

    /// Tells whether another heading names the same columns.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let kinds = |heading: &Self| -> Vec<(Kind, Option<String>)> {
            heading.columns.iter().map(|column| (column.kind, column.platform.clone())).collect()
        };
        kinds(self) == kinds(other)
    }
}

fn other() -> Column {
    Column { kind: Kind::Other, platform: None, span: None }
}

fn count_of(columns: &[Column], kind: Kind) -> usize {
    columns.iter().filter(|column| column.kind == kind).count()
}

/// Returns where the first of some words begins.
fn first(words: &[Word<'_>]) -> usize {
    words.first().map_or(0, |word| word.start)
}

#[cfg(test)]
mod tests {
    use super::super::source::words;
    use super::*;

    fn kinds(line: &str) -> Option<Vec<Kind>> {
        let heading = Heading::of_words(&words(line))?;
        Some(heading.columns.iter().map(|column| column.kind).collect())
    }

    #[test]
    fn labels_are_known_by_many_names() {
        use Kind::{Date, File, Other, Platform, Size, Time, Version};
        for (line, wanted) in [
            (
                "Date      Time   Version  Size   File name   Platform",
                vec![Date, Time, Version, Size, File, Platform],
            ),
            ("Date Time Size File name Platform", vec![Date, Time, Size, File, Platform]),
            ("FILENAME  VERSION  SIZE (bytes)", vec![File, Version, Size]),
            ("File Name:  Date/Time  File size", vec![File, Date, Time, Size]),
            ("Date  Time  Version  Size  File name  Folder", vec![Date, Time, Version, Size, File, Other]),
            ("Date  Time  Size  File name  Install order", vec![Date, Time, Size, File, Other]),
            ("File name    Intel size   Size (Alpha)", vec![File, Size, Size]),
            ("Date  Version  Filesize  File name and path", vec![Date, Version, Size, File]),
            ("File name  Current version", vec![File, Version]),
            ("File name  Time/Date  Size  Folder installed in", vec![File, Date, Time, Size, Other]),
        ] {
            assert_eq!(kinds(line), Some(wanted), "{line}");
        }
        for line in [
            "The file name and the version number",
            "File name",
            "Value Name: Full Version",
            "Date  Time",
            "",
            "Name  Type  Data",
            "Start  Length  Name  Class",
            "Copy the file to the folder of that version",
            "Size of the files: 3",
        ] {
            assert_eq!(kinds(line), None, "{line}");
        }
    }

    #[test]
    fn a_repeated_heading_is_that_of_two_tables() {
        let heading = Heading::of_words(&words("Date  Size  File name    Date  Size  File name")).unwrap();
        assert_eq!(heading.side_by_side().len(), 2);
        let heading = Heading::of_words(&words("File name  Size  Size  Version")).unwrap();
        let [one] = heading.side_by_side().try_into().unwrap();
        assert_eq!(one.columns.iter().filter(|column| column.kind == Kind::Size).count(), 1);
    }
}
