//! Findings about an update and the file table of its article.
//!
//! The table comes as it is printed: sizes in bytes, KB or MB, uneven versions, broken dates. A value that cannot be
//! understood is a note and decides nothing.

use qfe_patcher::platform::Platform;
use qfe_patcher::version::FileVersion;
use time::{Date, Month, OffsetDateTime};

use super::Finding;
use super::code::Code;
use super::files::about;
use crate::article::{Row, Table, cell, platform};
use crate::build::survey::SurveyedFile;
use crate::recipe::Recipe;
use crate::shown;

/// Holds files against the tables of an article: against all of them if the files come in variants, otherwise against the
/// one that agrees best, for the others are of other service packs.
pub(super) fn check(tables: &[Table], recipe: &Recipe, files: &[SurveyedFile]) -> Vec<Finding> {
    let mut candidates: Vec<Vec<&Row>> = tables.iter().map(|table| table.rows.iter().collect()).collect();
    if !recipe.variants.is_empty() || candidates.is_empty() {
        candidates = vec![candidates.concat()];
    }
    candidates.iter().map(|rows| check_rows(rows, files)).min_by_key(Vec::len).unwrap_or_default()
}

/// Holds files against rows, of which there may be one for each language: of several that are about a file, the one that
/// agrees best counts.
fn check_rows(rows: &[&Row], files: &[SurveyedFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_missing = |row: &&&Row| !files.iter().any(|file| is_about(row, file));
    for row in rows.iter().filter(is_missing) {
        let finding = Finding::new(Code::NotInPayload)
            .of(&row.file)
            .values("in the article only", "the file in the payload")
            .remedy("add the file to the payload, or correct the article");
        match platforms(row).as_slice() {
            [] => {}
            [platform] => findings.push(finding.on(*platform)),
            _ => findings.push(finding),
        }
    }
    for file in files {
        let of_rows = rows.iter().filter(|row| is_about(row, file)).map(|row| held(row, file));
        findings.extend(of_rows.min_by_key(Vec::len).unwrap_or_else(|| {
            vec![
                about(Code::NotInArticle, file)
                    .values("in the payload only", "a row for it in the article")
                    .remedy("add the file to the article, or take it out of the payload"),
            ]
        }));
    }
    findings
}

fn is_about(row: &Row, file: &SurveyedFile) -> bool {
    let name = row.file.rsplit(['\\', '/']).next().unwrap_or_default();
    name.eq_ignore_ascii_case(file.name.name()) && platforms(row).contains(&file.platform)
}

/// Returns the platforms that a row is about: where none is printed, every one; none, where bundles are not made for it.
fn platforms(row: &Row) -> Vec<Platform> {
    row.platform.as_deref().map_or_else(|| Platform::ALL.to_vec(), platform::platforms)
}

fn held(row: &Row, file: &SurveyedFile) -> Vec<Finding> {
    let unclear = |what: &str, text: &str| {
        about(Code::ArticleUnclear, file)
            .values(format!("{what} {text:?}"), format!("a {what} that can be understood"))
            .remedy("correct the article")
    };
    let remedy = "correct the article, or put the right file into the payload";
    let mut findings = Vec::new();
    if let Some(text) = &row.version {
        match text.parse::<FileVersion>() {
            Err(_) => findings.push(unclear("version", text)),
            Ok(stated) if file.version != Some(stated) => {
                let found = shown::version(file.version);
                findings
                    .push(about(Code::ArticleVersion, file).values(found, stated.to_string()).remedy(remedy));
            }
            Ok(_) => {}
        }
    }
    if let Some(text) = &row.size {
        let size = file.bytes.len() as u64;
        match cell::Size::read(text) {
            None => findings.push(unclear("size", text)),
            Some(stated) if !allows(&stated, size) => {
                findings.push(
                    about(Code::ArticleSize, file)
                        .values(format!("{size} bytes"), text.trim())
                        .remedy(remedy),
                );
            }
            Some(_) => {}
        }
    }
    if let (Some(text), Some(stamp)) = (&row.date, file.time_stamp.filter(|stamp| *stamp > 0)) {
        let linked = OffsetDateTime::from_unix_timestamp(stamp.into()).map(OffsetDateTime::date).ok();
        match (day(text), linked) {
            (None, _) => findings.push(unclear("date", text)),
            // The table states local time, and often that of copying.
            (Some(stated), Some(linked)) if (stated - linked).whole_days().abs() > 2 => {
                findings.push(
                    about(Code::ArticleDate, file)
                        .values(format!("linked on {linked}"), format!("{stated}, at most two days off"))
                        .remedy(remedy),
                );
            }
            (Some(_), _) => {}
        }
    }
    findings
}

/// Returns the day that a table prints; none if no calendar has it.
fn day(text: &str) -> Option<Date> {
    match cell::Date::read(text)? {
        cell::Date::Day { year, month, day } => {
            Date::from_calendar_date(year.into(), Month::try_from(month).ok()?, day).ok()
        }
        cell::Date::Broken(_) => None,
    }
}

/// Tells whether a file of this many bytes is printed so: rounded, cut off or rounded up.
fn allows(stated: &cell::Size, size: u64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "no file has 2^53 bytes, members are limited to 2^30")]
    let size = size as f64;
    (stated.bytes.0..=stated.bytes.1).contains(&size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_stand_for_what_they_may_be_rounded_from() {
        for (text, size, is_allowed) in [
            ("143 KB", 146_800, true),
            ("143 KB", 147_300, true),
            ("143KB", 148_000, false),
            ("1.33 MB", 1_398_032, true),
            ("1.33 MB", 1_420_000, false),
            ("174,960", 174_960, true),
            ("174,960 bytes", 174_961, false),
        ] {
            assert_eq!(allows(&cell::Size::read(text).unwrap(), size), is_allowed, "{text}, {size}");
        }
    }

    #[test]
    fn days_of_articles_are_understood_and_broken_ones_are_not() {
        let wanted = Date::from_calendar_date(2000, Month::January, 28).unwrap();
        for text in ["1/28/2000", "01/28/00", "28-Jan-2000", "January 28, 2000", "28-jan-00"] {
            assert_eq!(day(text), Some(wanted), "{text}");
        }
        for text in ["12/20/199", "2000", "13/40/2000", "28-Foo-2000", "", "é/1/2000", "Ja/1/2000"] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn a_row_is_about_every_platform_that_it_prints() {
        let row = |printed: Option<&str>| Row { platform: printed.map(str::to_owned), ..Row::default() };
        for (printed, wanted) in [
            (Some("Intel and Alpha"), &Platform::ALL[..]),
            (Some("Alpha"), &[Platform::Alpha]),
            (Some("Macintosh"), &[]),
            (None, &Platform::ALL),
        ] {
            assert_eq!(platforms(&row(printed)), wanted, "{printed:?}");
        }
    }
}
