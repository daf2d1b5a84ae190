//! File versions: four numbers, compared as numbers.

use std::fmt;
use std::str::FromStr;

use crate::chain::debug_as_shown;

/// A version of four numbers, each 0 to 65,535, as `VS_FIXEDFILEINFO` holds it.
///
/// Articles write it unevenly (`2.0.1380.1125`, `2.00.1380.1025`): leading zeros mean nothing, and
/// versions are ordered number by number, never as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileVersion(pub [u16; 4]);

/// A text that is no file version.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no file version: four numbers up to 65535 are wanted, such as 2.0.1380.1125")]
pub struct InvalidVersion {
    found: String,
}

debug_as_shown!(InvalidVersion);

impl FileVersion {
    /// Returns the third number, by which the product's build lines are told apart (1239, 1380 ...).
    pub fn build(self) -> u16 {
        let [_, _, build, _] = self.0;
        build
    }

    /// Tells whether a file with version `found` is later than one with version `wanted`, so that an update which brings
    /// that one leaves it alone. Of a file without a version nobody can say it, nor that another is later than it.
    pub fn is_later(found: Option<Self>, wanted: Option<Self>) -> bool {
        found.zip(wanted).is_some_and(|(found, wanted)| found > wanted)
    }
}

impl fmt::Display for FileVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{a}.{b}.{c}.{d}")
    }
}

impl fmt::Debug for FileVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileVersion({self})")
    }
}

impl FromStr for FileVersion {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let invalid = || InvalidVersion { found: text.chars().take(80).collect() };
        let mut numbers = [0; 4];
        let mut parts = text.trim().split('.');
        for number in &mut numbers {
            let part = parts.next().ok_or_else(invalid)?;
            // `u16::from_str` would take a sign.
            if part.is_empty() || part.len() > 8 || !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(invalid());
            }
            *number = part.parse().map_err(|_| invalid())?;
        }
        if parts.next().is_some() { Err(invalid()) } else { Ok(Self(numbers)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> FileVersion {
        text.parse().unwrap()
    }

    #[test]
    fn leading_zeros_mean_nothing() {
        assert_eq!(version("2.00.1380.1025"), version("2.0.1380.1025"));
        assert_eq!(version("2.000.01380.1000").to_string(), "2.0.1380.1000");
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert!(version("2.0.92.9") < version("2.0.1239.64"));
        assert!(version("2.0.1380.1125") > version("2.0.1380.999"));
    }

    #[test]
    fn only_a_higher_version_is_later_and_without_one_nothing_is() {
        let (low, high) = (Some(version("2.0.1380.1000")), Some(version("2.0.1380.1125")));
        assert!(FileVersion::is_later(high, low));
        for (found, wanted) in [(low, high), (low, low), (low, None), (None, low), (None, None)] {
            assert!(!FileVersion::is_later(found, wanted), "{found:?}, {wanted:?}");
        }
    }

    #[test]
    fn what_is_not_four_numbers_is_refused() {
        for text in
            ["", "000", "2.0.1380", "2.0.1380.1125.1", "2.0.1380.x", "2.0.+1.2", "2.0.65536.0", "2..0.1"]
        {
            assert!(text.parse::<FileVersion>().is_err(), "{text:?}");
        }
    }
}
