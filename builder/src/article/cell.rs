//! Cells: what a value of a file table looks like, and what it says.
//!
//! A table's values are kept as printed; these readers tell which column a value can stand in, and what is wrong with
//! it. Every article is American: `1/2/00` is the second of January.

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

/// A day as a table prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Date {
    /// A day of the calendar.
    Day {
        /// Four digits.
        year: u16,
        /// From 1.
        month: u8,
        /// From 1.
        day: u8,
    },
    /// The form of a day, but none of the calendar: why.
    Broken(String),
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl Date {
    /// Reads `1/28/2000`, `01-28-00`, `28-Jan-2000`, `January 28, 2000`, `28 January 2000`, `2000-01-28` and their like.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.len() > 40 || !text.is_ascii() {
            return None;
        }
        let parts: Vec<&str> =
            text.split(['/', '-', '.', ',', ' ']).filter(|part| !part.is_empty()).collect();
        let parts = match parts.split_first() {
            Some((first, rest)) if rest.len() >= 3 && names(&WEEKDAYS, first).is_some() => rest,
            _ => parts.as_slice(),
        };
        let [a, b, c] = parts else { return compact(text) };
        let words = [a, b, c].map(|part| names(&MONTHS, part));
        let has_slashes = |separators: &[char]| text.matches(separators).count() == 2;
        match words {
            [None, None, None] if has_slashes(&['/']) || has_slashes(&['-']) || has_slashes(&['.']) => {
                let [a, b, c] = [number(a)?, number(b)?, number(c)?];
                let date = if a.1 == 4 { Self::of(a, b.0, c.0) } else { Self::of(c, a.0, b.0) };
                // A dotted number is a version, unless it is a day with its whole year.
                let is_version = text.contains('.') && (c.1 != 4 || matches!(date, Self::Broken(_)));
                (!is_version).then_some(date)
            }
            [Some(month), None, None] => Some(Self::of(number(c)?, month, number(ordinal(b))?.0)),
            [None, Some(month), None] => {
                let (a, c) = (number(ordinal(a))?, number(c)?);
                if a.1 == 4 { Some(Self::of(a, month, c.0)) } else { Some(Self::of(c, month, a.0)) }
            }
            _ => None,
        }
    }

    /// Makes a day of a year with its count of digits, a month and a day.
    fn of((year, digits): (u32, usize), month: u32, day: u32) -> Self {
        let year = match digits {
            4 => year,
            2 if year < 70 => 2000 + year,
            2 => 1900 + year,
            _ => return Self::Broken(format!("the year has {digits} digits")),
        };
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            _ => return Self::Broken(format!("there is no month {month}")),
        };
        if !(1..=days).contains(&day) {
            return Self::Broken(format!("month {month} of {year} has {days} days"));
        }
        match (u16::try_from(year), u8::try_from(month), u8::try_from(day)) {
            (Ok(year), Ok(month), Ok(day)) => Self::Day { year, month, day },
            _ => Self::Broken("no calendar has that day".to_owned()),
        }
    }
}

/// Reads `20000128`.
fn compact(text: &str) -> Option<Date> {
    let (year, month, day) = (text.get(..4)?, text.get(4..6)?, text.get(6..)?);
    let is_day = text.len() == 8 && (year.starts_with("19") || year.starts_with("20"));
    if !is_day {
        return None;
    }
    Some(Date::of(number(year)?, number(month)?.0, number(day)?.0))
        .filter(|date| matches!(date, Date::Day { .. }))
}

/// Returns which of the names a word is, or its first letters are, counted from 1.
fn names(names: &[&str], word: &str) -> Option<u32> {
    let word = word.to_ascii_lowercase();
    let at = names.iter().position(|name| word.len() >= 3 && name.starts_with(&word))?;
    // `Sept` is in use; so are whole names and three letters, `Janu` is not.
    let is_short = matches!(word.len(), 3 | 4) || names.get(at).is_some_and(|name| name.len() == word.len());
    is_short.then(|| u32::try_from(at + 1).ok()).flatten()
}

fn ordinal(text: &str) -> &str {
    text.strip_suffix("st")
        .or_else(|| text.strip_suffix("nd"))
        .or_else(|| text.strip_suffix("rd"))
        .or_else(|| text.strip_suffix("th"))
        .unwrap_or(text)
}

/// Returns a number of at most four digits, and how many it has.
fn number(text: &str) -> Option<(u32, usize)> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Some((text.parse().ok()?, text.len())) } else { None }
}

/// A time of day as a table prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// Hour and minute.
    Minute(u8, u8),
    /// The form of a time, but none of the clock: why.
    Broken(String),
}

impl Time {
    /// Reads `10:49AM`, `10:49a`, `03:45 P.M.`, `22:49`, `22:49:07 UTC` and their like.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.len() > 24 || !text.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let text: String = text.to_ascii_lowercase().replace(' ', "");
        let text = text.strip_suffix("utc").or_else(|| text.strip_suffix("gmt")).unwrap_or(&text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(text.len());
        let (clock, half) = text.split_at(end);
        let half = match half {
            "" => None,
            "a" | "am" | "a.m." | "a.m" => Some(false),
            "p" | "pm" | "p.m." | "p.m" => Some(true),
            _ => return None,
        };
        let separator = if clock.contains(':') { ':' } else { '.' };
        if separator == '.' && half.is_none() {
            return None;
        }
        let parts: Vec<&str> = clock.split(separator).collect();
        let (hour, minute) = match parts.as_slice() {
            [hour, minute] => (hour, minute),
            [hour, minute, second] if two_digits(second) => (hour, minute),
            _ => return None,
        };
        if !(1..=2).contains(&hour.len()) || !two_digits(minute) {
            return None;
        }
        let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
        let hours = match half {
            None => 0..=23,
            // `13:05p` and `00:12a` are printed at times, and plain.
            Some(true) => 1..=23,
            Some(false) => 0..=12,
        };
        if !hours.contains(&hour) || minute > 59 {
            return Some(Self::Broken("no clock shows it".to_owned()));
        }
        let hour = match half {
            Some(true) if hour < 12 => hour + 12,
            Some(false) if hour == 12 => 0,
            _ => hour,
        };
        Some(Self::Minute(hour, minute))
    }
}

fn two_digits(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A size as a table prints it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Size {
    /// Bytes, from and to: a size in KB stands for a thousand of them.
    pub(crate) bytes: (f64, f64),
    /// Whether it says that it is one: by commas or a unit.
    pub(super) is_marked: bool,
    /// Why it is doubtful, if it is.
    pub(super) doubt: Option<String>,
}

impl Size {
    /// Reads `174,960`, `67`, `143 KB`, `1.33 MB`, `29K`, `283,104 bytes` and their like.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != ',' && c != '.').unwrap_or(text.len());
        let (digits, unit) = (text.get(..end)?, text.get(end..)?.trim().trim_end_matches('.'));
        let scale = match unit.to_ascii_lowercase().trim_matches(['(', ')']) {
            "" => None,
            "b" | "byte" | "bytes" => Some(1.0),
            "k" | "kb" | "kbytes" | "kilobytes" => Some(1024.0),
            "m" | "mb" | "mbytes" | "megabytes" => Some(1_048_576.0),
            "g" | "gb" => Some(1_073_741_824.0),
            _ => return None,
        };
        let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.ends_with(|c: char| c.is_ascii_digit())
            && digits.len() <= 24;
        if !is_number || digits.matches('.').count() > 1 {
            return None;
        }
        let fraction = digits.split_once('.').map(|(_, fraction)| fraction.len());
        if fraction.is_some() && scale.is_none_or(|scale| scale < 1024.0) {
            return None;
        }
        let value: f64 = digits.replace(',', "").parse().ok()?;
        let step = fraction.map_or(1.0, |places| 0.1_f64.powi(i32::try_from(places).unwrap_or(15)));
        let scale_or_one = scale.unwrap_or(1.0);
        let slack = if scale_or_one > 1.0 { step * scale_or_one } else { 0.0 };
        let bytes = value * scale_or_one;
        let whole = digits.split('.').next().unwrap_or_default();
        let mut groups = whole.split(',');
        let first = groups.next().unwrap_or_default();
        let is_grouped = !whole.contains(',') || (first.len() <= 3 && groups.all(|group| group.len() == 3));
        let doubt = if value == 0.0 {
            Some("no file is that small".to_owned())
        } else {
            (!is_grouped).then(|| "its commas are not where thousands are".to_owned())
        };
        let is_marked = scale.is_some() || digits.contains(',');
        Some(Self { bytes: ((bytes - slack).max(0.0), bytes + slack), is_marked, doubt })
    }
}

/// Versions: `2.0.1380.1125`, `1380.1082`, `6.00.8165.0a`, `786`, `5.5 (2652.80)`.
fn version_likeness(text: &str) -> Option<i32> {
    let first = text.split(' ').next().unwrap_or_default();
    let rest = text.get(first.len()..).unwrap_or_default().trim();
    let is_in_brackets = rest.starts_with('(') && rest.ends_with(')');
    if !rest.is_empty() && !is_in_brackets {
        return None;
    }
    let digits = first.strip_prefix(['v', 'V']).unwrap_or(first).trim_end_matches('*');
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
    if text.is_empty() || text.len() > 120 || !text.chars().all(is_safe) || text.contains("://") {
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
    let blanks = i32::try_from(text.matches(' ').count()).unwrap_or(i32::MAX);
    match name.rsplit_once('.') {
        Some((stem, ending)) => {
            let is_ending = (1..=12).contains(&ending.len())
                && ending.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '~'))
                && (ending.bytes().any(|byte| byte.is_ascii_alphabetic()) || ending.len() <= 3);
            let is_stem = stem.chars().any(char::is_alphabetic)
                || (stem.chars().any(char::is_alphanumeric)
                    && ending.bytes().any(|b| b.is_ascii_alphabetic()));
            (is_ending && is_stem).then_some(120 - 30 * blanks.min(3))
        }
        None => (blanks == 0 && name.chars().any(char::is_alphabetic)).then_some(15),
    }
}

/// Tells whether a file name has the likeness of one by itself, wherever it stands.
pub(super) fn is_file_name(text: &str) -> bool {
    likeness(Kind::File, text).is_some_and(|score| score >= 60)
}

/// Words that only names of processors are made of.
const PROCESSORS: &[&str] = &[
    "intel",
    "x86",
    "i386",
    "i486",
    "i586",
    "386",
    "486",
    "80386",
    "ia32",
    "ia-32",
    "alpha",
    "axp",
    "axp64",
    "mips",
    "ppc",
    "powerpc",
    "ia64",
    "ia-64",
    "itanium",
    "x64",
    "amd64",
    "x86-64",
    "nec98",
    "pc98",
    "pc-98",
    "macintosh",
    "mac",
    "68k",
    "m68k",
];
/// Words that stand beside them.
const SYSTEMS: &[&str] = &[
    "dec",
    "windows",
    "win",
    "win16",
    "win32",
    "win95",
    "win98",
    "win9x",
    "winnt",
    "nt",
    "95",
    "98",
    "me",
    "2000",
    "xp",
    "3.1",
    "3.11",
    "3.51",
    "4.0",
    "osr1",
    "osr2",
    "osr2.1",
    "osr2.5",
    "sp1",
    "sp2",
    "sp3",
    "sp4",
    "sp5",
    "sp6",
    "sp6a",
    "os/2",
    "os2",
    "ms-dos",
    "dos",
    "16-bit",
    "32-bit",
    "64-bit",
    "nec",
    "motorola",
    "server",
    "workstation",
    "professional",
    "edition",
    "all",
    "any",
    "both",
    "neutral",
    "netware",
    "novell",
    "unix",
    "r4000",
    "os",
    "multi",
    "x",
];
/// Words between them.
const LINKS: &[&str] = &["and", "or", "&", "+", "/", ",", "platform", "platforms"];

/// Tells whether a text names a platform.
pub(super) fn is_platform(text: &str) -> bool {
    let text = text.trim_matches(|c| matches!(c, '(' | ')' | '[' | ']' | '*')).to_ascii_lowercase();
    let mut names = 0;
    let words: Vec<&str> = text.split([' ', ',', '/']).filter(|word| !word.is_empty()).collect();
    let is_known = words.len() <= 6
        && (SYSTEMS.contains(&text.as_str())
            || words.iter().all(|word| {
                let word = word.trim_matches(['(', ')']);
                let word = word.strip_suffix("-based").unwrap_or(word);
                let is_name = PROCESSORS.contains(&word) || SYSTEMS.contains(&word);
                names += usize::from(is_name);
                is_name || LINKS.contains(&word)
            }));
    // A number alone is none, though it may be part of one.
    is_known && text.chars().any(char::is_alphabetic) && (names > 0 || SYSTEMS.contains(&text.as_str()))
}

/// Tells whether a text names a processor and nothing else.
pub(super) fn is_processor(text: &str) -> bool {
    is_platform(text)
        && text
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .any(|word| PROCESSORS.contains(&word.to_ascii_lowercase().trim_end_matches("-based")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_in_every_way_they_are_printed() {
        let day = |year, month, day| Some(Date::Day { year, month, day });
        for text in [
            "1/28/2000",
            "01/28/00",
            "1-28-2000",
            "28-Jan-2000",
            "28-Jan-00",
            "28 January 2000",
            "January 28, 2000",
            "Jan. 28, 2000",
            "Jan 28 2000",
            "2000-01-28",
            "2000/1/28",
            "Friday, January 28, 2000",
            "January 28th, 2000",
            "20000128",
            "1.28.2000",
            "Jan-28-2000",
            "2000-Jan-28",
        ] {
            assert_eq!(Date::read(text), day(2000, 1, 28), "{text}");
        }
        assert_eq!(Date::read("2/29/00"), day(2000, 2, 29));
        assert_eq!(Date::read("09-SEPT-99"), day(1999, 9, 9));
        for text in ["13/1/00", "2/30/2000", "12/20/199", "0/1/2000", "1/0/2000", "31-Apr-2001", "2/29/1900"]
        {
            assert!(matches!(Date::read(text), Some(Date::Broken(_))), "{text}");
        }
        for text in
            ["2.0.1380", "2.0.1380.1125", "174,960", "10:49AM", "Ccm.dll", "May", "1/28", "31.12.99", ""]
        {
            assert_eq!(Date::read(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_read_in_every_way_they_are_printed() {
        let at = |hour, minute| Some(Time::Minute(hour, minute));
        for text in
            ["10:49pm", "10:49PM", "10:49p", "10:49 P.M.", "22:49", "22:49:07", "22:49 UTC", "10.49pm"]
        {
            assert_eq!(Time::read(text), at(22, 49), "{text}");
        }
        assert_eq!(Time::read("12:05a"), at(0, 5));
        assert_eq!(Time::read("12:05PM"), at(12, 5));
        for text in ["25:00", "10:61pm"] {
            assert!(matches!(Time::read(text), Some(Time::Broken(_))), "{text}");
        }
        for text in ["10", "10:4", "1049a", "2.0", "Ccm.dll", "1/28/00", "10:49x", ""] {
            assert_eq!(Time::read(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_slack() {
        let read =
            |text: &str| Size::read(text).map(|size| (size.bytes, size.is_marked, size.doubt.is_some()));
        assert_eq!(read("174,960"), Some(((174_960.0, 174_960.0), true, false)));
        assert_eq!(read("283,104 bytes"), Some(((283_104.0, 283_104.0), true, false)));
        assert_eq!(read("67"), Some(((67.0, 67.0), false, false)));
        assert_eq!(read("29K"), Some(((28.0 * 1024.0, 30.0 * 1024.0), true, false)));
        assert_eq!(read("143 KB"), Some(((142.0 * 1024.0, 144.0 * 1024.0), true, false)));
        let (bytes, ..) = read("1.33 MB").unwrap();
        assert!(bytes.0 < 1_398_032.0 && 1_398_032.0 < bytes.1);
        assert_eq!(read("8,1012"), Some(((81_012.0, 81_012.0), true, true)));
        assert_eq!(read("0"), Some(((0.0, 0.0), false, true)));
        for text in ["2.0", "2.0.1", "1,", "K", "12 files", "", "1.5"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn names_versions_and_platforms_are_told_apart() {
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
        ] {
            assert!(!is_file_name(text), "{text}");
        }
        for (text, score) in
            [("2.0.1380.1125", 100), ("1380.1082", 100), ("786", 20), ("4.0.1a", 60), ("5.5 (2652.80)", 100)]
        {
            assert_eq!(version_likeness(text), Some(score), "{text}");
        }
        for text in ["Ccm.dll", "174,960", "x86", "95Getdsk.exe", "10:49", "1.", ""] {
            assert_eq!(version_likeness(text), None, "{text}");
        }
        for text in [
            "Intel",
            "(x86)",
            "I386",
            "Alpha",
            "Windows 95 OSR2",
            "Macintosh",
            "Intel and Alpha",
            "x86, Alpha",
            "Intel/Alpha",
            "DEC Alpha",
            "Windows NT 4.0",
            "x86-based",
        ] {
            assert!(is_platform(text), "{text}");
        }
        for text in ["2000", "95", "and", "Ccm.dll", "the Intel version", "", "4.0"] {
            assert!(!is_platform(text), "{text}");
        }
        assert!(is_blank("-") && is_blank("--") && is_blank("\u{2014}") && is_blank("N/A") && is_blank(""));
        assert!(!is_blank("0") && !is_blank("x"));
    }
}
