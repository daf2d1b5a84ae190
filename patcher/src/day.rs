//! Days, as key rings and records state them.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use crate::chain::debug_as_shown;
use crate::timestamp::utc;

/// A day of the calendar in UTC, written `2000-01-28` (ISO 8601).
///
/// Held as the number that its digits make, so days compare as they follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u32);

/// A text that is no day.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no day: one such as 2000-01-28 is wanted")]
pub struct InvalidDay {
    found: String,
}

debug_as_shown!(InvalidDay);

impl Day {
    /// Returns the day of a time; the first of all where that has no year of four digits.
    pub fn of(time: SystemTime) -> Self {
        Self::of_text(&utc(time)).unwrap_or(Self(101))
    }

    /// Returns the day with which the text of a time begins, as [`utc`] writes it.
    pub fn of_text(time: &str) -> Option<Self> {
        time.get(..10)?.parse().ok()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0 / 10_000, self.0 / 100 % 100, self.0 % 100)
    }
}

impl FromStr for Day {
    type Err = InvalidDay;

    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        let digits = |from: usize, to: usize| {
            let digits = text.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
            digits.parse::<u32>().ok()
        };
        let day = || {
            let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + u32::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let is_day = text.len() == 10
                && text.bytes().filter(|byte| *byte == b'-').count() == 2
                && (1..=12).contains(&month)
                && (1..=last).contains(&day);
            is_day.then_some(Self(year * 10_000 + month * 100 + day))
        };
        day().ok_or_else(|| InvalidDay { found: text.chars().take(80).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_they_are_written_and_follow_one_another() {
        let days = ["0001-01-01", "2000-01-28", "2000-02-29", "2023-12-31", "2024-02-29", "9999-12-31"];
        let read: Vec<Day> = days.iter().map(|text| text.parse().unwrap()).collect();
        assert!(read.is_sorted());
        assert!(read.iter().map(ToString::to_string).eq(days));
        assert_eq!(Day::of(SystemTime::UNIX_EPOCH).to_string(), "1970-01-01");
        assert_eq!(Day::of_text("2000-01-28T10:49:00Z"), "2000-01-28".parse().ok());
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2000",
            "2000-1-28",
            "2000-01-28 ",
            "2000-13-01",
            "2000-00-01",
            "2000-01-00",
            "2000-01-32",
            "2023-02-29",
            "1900-02-29",
            "2000-04-31",
            "2000/01/28",
            "20000-01-2",
            "2000-01-2a",
            "+200-01-28",
            "2000-01é28",
            "2000-01-280",
        ] {
            assert!(text.parse::<Day>().is_err(), "{text:?}");
        }
    }
}
