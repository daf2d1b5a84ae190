//! Days as tables print them.

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
}
