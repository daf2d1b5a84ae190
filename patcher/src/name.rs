//! Names that become part of file names and command lines: update numbers, roles and variants.

use std::fmt;
use std::str::FromStr;

use crate::chain::debug_as_shown;

/// The number of an update, such as `Q252717`: 1 to 32 ASCII letters, digits, `-` and `_`.
///
/// Case is kept and has no meaning: `q252717` is the same update.
#[derive(Clone, Debug, Eq)]
pub struct UpdateId(String);

/// A part that a target plays, such as `site-server`: 1 to 32 lower-case ASCII letters, digits and `-`.
///
/// Roles are defined by the product profile, carried in the manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role(String);

/// One of several forms in which an update's files come, such as `german`: spelled as a role is.
///
/// Variants are defined by the update, in its manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variant(String);

/// A text that cannot be such a name.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no {what}: {wanted} are wanted")]
pub struct InvalidName {
    what: &'static str,
    found: String,
    wanted: &'static str,
}

debug_as_shown!(InvalidName);

fn check(
    text: &str,
    what: &'static str,
    wanted: &'static str,
    allowed: impl Fn(u8) -> bool,
) -> Result<String, InvalidName> {
    if (1..=32).contains(&text.len()) && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    Err(InvalidName { what, found: text.chars().take(80).collect(), wanted })
}

impl UpdateId {
    /// Returns the number as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for UpdateId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl FromStr for UpdateId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let wanted = "1 to 32 letters, digits, '-' and '_'";
        check(text, "update number", wanted, |b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            .map(Self)
    }
}

impl Role {
    /// Returns the name of the role.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Role {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        check_word(text, "role").map(Self)
    }
}

impl Variant {
    /// Returns the name of the variant.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what stands behind the name of a file in front of people: ` (german)`, or nothing where it is for all variants.
    pub fn suffix(variant: Option<&Self>) -> String {
        variant.map_or_else(String::new, |variant| format!(" ({variant})"))
    }
}

impl FromStr for Variant {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        check_word(text, "variant").map(Self)
    }
}

fn check_word(text: &str, what: &'static str) -> Result<String, InvalidName> {
    let wanted = "1 to 32 lower-case letters, digits and '-'";
    check(text, what, wanted, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Shows a name as it is.
macro_rules! shown_as_it_is {
    ($name:ty) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

shown_as_it_is!(UpdateId);
shown_as_it_is!(Role);
shown_as_it_is!(Variant);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn update_numbers_ignore_case_and_refuse_path_characters() {
        assert_eq!("Q252717".parse::<UpdateId>(), "q252717".parse());
        for text in ["", "Q/1", "..", "Q 1", "Q1$", &"Q".repeat(33)] {
            assert!(text.parse::<UpdateId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn roles_are_lower_case_words() {
        assert!("sql-monitor".parse::<Role>().is_ok());
        assert!("Site Server".parse::<Role>().is_err());
    }
}
