//! What is doubtful about the tables of an article.

use std::fmt;

use qfe_patcher::version::FileVersion;

use super::cell::{Date, Size, Time};
use super::row::Row;
use super::table::Table;

/// Something that a reader of the article should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The line.
    pub line: usize,
    /// What is wrong there.
    pub text: String,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

/// Looks at every value, and at rows of one table that contradict each other.
pub(super) fn doubts(tables: &[Table]) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for table in tables {
        for line in &table.lost {
            let text = "this was meant to be a row and cannot be read: it is left out".to_owned();
            doubts.push(Doubt { line: *line, text });
        }
        for (at, row) in table.rows.iter().enumerate() {
            doubts.extend(of_values(row).into_iter().map(|text| Doubt { line: row.line, text }));
            let before = table.rows.get(..at).unwrap_or_default();
            if let Some(other) = before.iter().rev().find(|other| is_same_file(other, row)) {
                doubts.extend(between(other, row).map(|text| Doubt { line: row.line, text }));
            }
        }
    }
    doubts.sort_by_key(|doubt| doubt.line);
    doubts
}

fn of_values(row: &Row) -> Vec<String> {
    let mut found = Vec::new();
    let Row { file, version, size, date, time, .. } = row;
    if let Some(date) = date {
        match Date::read(date) {
            Some(Date::Broken(why)) => found.push(format!("{file}: the date {date:?} is broken: {why}")),
            None => found.push(format!("{file}: {date:?} is no date")),
            Some(Date::Day { .. }) => {}
        }
    }
    if let Some(time) = time {
        match Time::read(time) {
            Some(Time::Broken(why)) => found.push(format!("{file}: the time {time:?} is broken: {why}")),
            None => found.push(format!("{file}: {time:?} is no time")),
            Some(Time::Minute(..)) => {}
        }
    }
    if let Some(size) = size {
        match Size::read(size) {
            Some(Size { doubt: Some(why), .. }) => {
                found.push(format!("{file}: the size {size:?} is broken: {why}"))
            }
            None => found.push(format!("{file}: {size:?} is no size")),
            Some(_) => {}
        }
    }
    if let Some(version) = version
        && version.parse::<FileVersion>().is_err()
    {
        found.push(format!("{file}: the version {version:?} is not four numbers"));
    }
    found
}

fn is_same_file(a: &Row, b: &Row) -> bool {
    let platform = |row: &Row| row.platform.as_ref().map(|name| name.to_lowercase());
    a.file.eq_ignore_ascii_case(&b.file) && platform(a) == platform(b)
}

/// Says what two rows for one file and platform disagree about.
fn between(first: &Row, second: &Row) -> Option<String> {
    let Row { line, file, platform, .. } = second;
    let of =
        platform.as_ref().map_or_else(|| " without a platform".to_owned(), |name| format!(" for {name}"));
    let differs = |what: &str, a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) if a != b => Some(format!("{what} {a} and {b}")),
        _ => None,
    };
    let what = differs("versions", &first.version, &second.version)
        .or_else(|| differs("sizes", &first.size, &second.size));
    let others = if first.line == *line { String::new() } else { format!(" (line {} too)", first.line) };
    what.map(|what| format!("{file} stands there twice{of}{others}, with {what}"))
}

#[cfg(test)]
mod tests {
    use super::super::Article;

    #[test]
    fn broken_values_and_contradictions_are_told_with_their_line() {
        let text = "   Date        Time    Version    Size     File name    Platform\n   -----\n   13/1/2000   3:04p   1.2.3.4    0        Abc.dll      \
                    Intel\n   2/30/2000   25:04   1.2.3.5    8,1012   Abc.dll      Intel\n   1/2/2000    3:04p   1.2        67       Abc.ini\n   1/2/2000    \
                    3:04p   no one can 67 Abc.ini\n   1/2/2000    3:04p   1.2        68       Abc.ini\n";
        let doubts = Article::read(text.as_bytes()).unwrap().doubts;
        let found: Vec<String> = doubts.iter().map(ToString::to_string).collect();
        for (line, words) in [
            (3, "\"13/1/2000\" is broken: there is no month 13"),
            (3, "size \"0\" is broken"),
            (4, "month 2 of 2000 has 29 days"),
            (4, "time \"25:04\" is broken"),
            (4, "size \"8,1012\" is broken"),
            (4, "stands there twice for Intel (line 3 too), with versions 1.2.3.4 and 1.2.3.5"),
            (5, "\"1.2\" is not four numbers"),
            (6, "cannot be read"),
            (7, "twice without a platform (line 5 too), with sizes 67 and 68"),
        ] {
            let start = format!("line {line}: ");
            assert!(
                found.iter().any(|doubt| doubt.starts_with(&start) && doubt.contains(words)),
                "{words}: {found:#?}"
            );
        }
        assert_eq!(found.len(), 10, "{found:#?}");
    }
}
