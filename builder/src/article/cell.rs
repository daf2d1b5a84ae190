//! Cells: what a value of a file table looks like, and what it says.
//!
//! A table's values are kept as printed; these readers tell which column a value can stand in, and what is wrong with
//! it. Every article is American: `1/2/00` is the second of January.

mod date;
mod size;
mod time;

pub(crate) use date::Date;
pub(crate) use size::Size;
use size::are_thousands;
pub(super) use time::Time;

use super::platform::{is_platform, is_processor};

/// What a column of a file table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The day of the file.
    Date,
    /// Its time of day.
    Time,
    /// Its version.
    Version,
    /// Its size.
    Size,
    /// Its name.
    File,
    /// The platform it is for.
    Platform,
    /// Anything else, which is read and forgotten.
    Other,
}

/// Most words that a value of the kind has.
pub(super) const fn most_words(kind: Kind) -> usize {
    match kind {
        Kind::Date => 5,
        Kind::Time | Kind::Version | Kind::File => 3,
        Kind::Size => 2,
        Kind::Platform => 6,
        Kind::Other => 16,
    }
}

/// How much of its kind a value looks: nothing, where it cannot be one. The scale is that of [`super::row`].
pub(super) fn likeness(kind: Kind, text: &str) -> Option<i32> {
    match kind {
        Kind::Date => Date::read(text).map(|date| match date {
            Date::Day { .. } => 120,
            Date::Broken(_) if text.matches(['/', '-']).count() == 2 => 90,
            Date::Broken(_) => 40,
        }),
        Kind::Time => Time::read(text).map(|_| 100),
        Kind::Version => version_likeness(text),
        Kind::Size => Size::read(text).map(|size| if size.is_marked { 90 } else { 60 }),
        Kind::File => file_likeness(text),
        Kind::Platform => is_platform(text).then_some(90),
        Kind::Other => Some(5),
    }
}

/// Tells whether a text stands for a missing value.
pub(super) fn is_blank(text: &str) -> bool {
    let text = text.trim();
    text.chars().all(|c| matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '.' | '_'))
        || ["n/a", "na", "none", "(none)", "not applicable", "not available", "?"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word))
}

/// Versions: `2.0.1380.1125`, `1380.1082`, `6.00.8165.0a`, `786`, `5.5 (2652.80)`, `1.2(build 786)`, `5.0:2195.2194`,
/// `3,1,0,2124`, `5.0.2195.3649 shp`.
fn version_likeness(text: &str) -> Option<i32> {
    let (first, rest) = text.split_at(text.find([' ', '(']).unwrap_or(text.len()));
    let rest = rest.trim();
    let is_in_brackets = rest.starts_with('(') && rest.ends_with(')') && !is_processor(rest);
    let digits = first.strip_prefix(['v', 'V']).unwrap_or(first).trim_end_matches('*');
    if !rest.is_empty() && !is_in_brackets {
        // A short word that tells how it was built: only behind a whole version.
        let is_mark = (2..=4).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_whole = digits.split('.').count() == 4 && version_likeness(digits) == Some(100);
        return (is_mark && is_whole && !is_platform(rest)).then_some(50);
    }
    if digits.matches(',').count() == 3 && !digits.contains('.') && !are_thousands(digits, ',') {
        return version_likeness(&digits.replace(',', ".")).map(|_| 60);
    }
    let digits = match digits.matches('.').count() {
        2.. => digits.replacen(':', ".", 1),
        _ => digits.to_owned(),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.len() > 32 {
        return None;
    }
    let parts: Vec<&str> = digits.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let plain = parts.iter().all(is_number);
    match (parts.len(), plain) {
        (1, true) if digits.len() <= 6 => Some(20),
        (1, _) => None,
        (2.., true) => Some(100),
        // A letter or two behind a number, or one for the whole: `1.2.3b`, `8.00.x`.
        (2.., false) => {
            let is_lettered = |part: &&str| {
                let letters = part.trim_start_matches(|c: char| c.is_ascii_digit());
                letters.len() <= 2
                    && letters.bytes().all(|byte| byte.is_ascii_alphabetic())
                    && !part.is_empty()
            };
            let has_numbers = parts.iter().filter(|part| is_number(part)).count() >= 2;
            (has_numbers && parts.iter().all(is_lettered)).then_some(60)
        }
        _ => None,
    }
}

/// File names: with an ending, perhaps with a path, perhaps with blanks; without an ending only just.
fn file_likeness(text: &str) -> Option<i32> {
    let text = text.trim_end_matches('*').trim_matches('"');
    let name = text.rsplit(['\\', '/']).next().unwrap_or_default();
    let is_safe = |c: char| c.is_alphanumeric() || " _$~!#%&'()-@^{}`+=.[]:\\/<>;,*".contains(c);
    if text.is_empty()
        || text.len() > 120
        || !text.chars().all(is_safe)
        || text.contains("://")
        || text.contains(", ")
    {
        return None;
    }
    // Some other value: never a name.
    let is_value = |word: &str| {
        [Kind::Date, Kind::Time, Kind::Size, Kind::Version].iter().any(|kind| likeness(*kind, word).is_some())
    };
    if is_value(text) || is_blank(text) || text.ends_with(['.', ',', ';', ':']) {
        return None;
    }
    if text.split_once(' ').is_some_and(|(first, _)| is_value(first) || is_platform(first)) {
        return None;
    }
    // Nor does one have a value among its words: two columns are no name.
    let is_sure = |word: &str| {
        let is_sure = |kind: Kind, least: i32| likeness(kind, word).is_some_and(|score| score >= least);
        is_sure(Kind::Date, 90)
            || is_sure(Kind::Time, 0)
            || is_sure(Kind::Size, 90)
            || is_sure(Kind::Version, 60)
    };
    if text.contains(' ') && text.split(' ').any(|word| is_blank(word) || is_sure(word)) {
        return None;
    }
    let blanks = i32::try_from(text.matches(' ').count()).unwrap_or(i32::MAX);
    match name.rsplit_once('.') {
        Some((stem, ending)) => {
            let is_ending = (1..=12).contains(&ending.len())
                && ending.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '~'))
                && (ending.bytes().any(|byte| byte.is_ascii_alphabetic()) || ending.len() <= 3);
            let is_stem = stem.chars().any(char::is_alphabetic)
                || (stem.chars().any(char::is_alphanumeric)
                    && ending.bytes().any(|b| b.is_ascii_alphabetic()));
            let is_numbered = ending.bytes().all(|byte| byte.is_ascii_digit());
            (is_ending && is_stem && !(is_numbered && blanks > 0)).then_some(120 - 30 * blanks.min(3))
        }
        None => {
            let is_word = |c: char| c.is_alphanumeric() || "_-$~&".contains(c);
            (blanks == 0 && name.chars().any(char::is_alphabetic) && name.chars().all(is_word)).then_some(15)
        }
    }
}

/// Tells whether a file name has the likeness of one by itself, wherever it stands.
pub(super) fn is_file_name(text: &str) -> bool {
    likeness(Kind::File, text).is_some_and(|score| score >= 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_told_apart() {
        for text in [
            "Ccm.dll",
            "95Getdsk.exe",
            "Smsinst.dl_",
            "Pcm.mac",
            "Invmac.hcomp",
            r"Bin\i386\Ccm.dll",
            "Q1.000",
        ] {
            assert!(is_file_name(text), "{text}");
        }
        for text in [
            "2.0.1380.1125",
            "174,960",
            "1.33MB",
            "P.M.",
            "10:49a",
            "Invmac",
            "Intel",
            "e.g.",
            "1/28/2000",
            "-",
            "5.0:2195.2194 357,136 W3svc.dll",
            "---- 111,104 Bin\\Graph8.olb",
            "OSR 2-2.5",
            "(Compressed)",
            "Abc.dll, Def.dll",
        ] {
            assert!(!is_file_name(text), "{text}");
        }
        for (text, score) in [
            ("2.0.1380.1125", 100),
            ("1380.1082", 100),
            ("786", 20),
            ("4.0.1a", 60),
            ("5.5 (2652.80)", 100),
            ("1.2(build 786)", 100),
            ("1.2 (build 786)", 100),
            ("5.0:2195.2194", 100),
            ("3,1,0,2124", 60),
            ("5.0.2195.3649 shp", 50),
            ("05.00.4319 (SP2)", 100),
        ] {
            assert_eq!(version_likeness(text), Some(score), "{text}");
        }
        for text in [
            "Ccm.dll",
            "174,960",
            "1,174,960,000",
            "x86",
            "95Getdsk.exe",
            "10:49",
            "1.",
            "",
            "1.2 (Alpha)",
            "1.2 x86",
            "4.0.1381 of",
        ] {
            assert_eq!(version_likeness(text), None, "{text}");
        }
        assert!(is_blank("-") && is_blank("--") && is_blank("\u{2014}") && is_blank("N/A") && is_blank(""));
        assert!(!is_blank("0") && !is_blank("x"));
    }
}
