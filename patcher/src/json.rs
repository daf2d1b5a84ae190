//! JSON as our formats have it (RFC 8259), read strictly and written.
//!
//! A text is first parsed into a tree, [`Json`], then taken from the tree into values; they are written the same way back.
//! One definition of a type serves both ([`FromJson`], [`ToJson`]). More is refused than by other readers, so that no two
//! can see different things in one text: a key that stands twice in an object. Nesting and numbers are bounded. A refusal
//! says where: at which byte of the text, or at which key.
//!
//! A key that is missing or unknown is refused, unless a definition says otherwise.

use std::fmt;

use crate::chain::debug_as_shown;
use crate::plain_text::is_line;

mod ours;
mod parse;
mod value;
mod write;

pub use crate::{object, object_to_json};
pub use value::{FromJson, ToJson};
pub(crate) use value::{object_json, tagged_json, words_json};

/// A parsed text.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number from 0.
    Number(u64),
    /// Any other number: no value of ours is one. Written as `null`.
    OtherNumber,
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object, in the order of its text.
    Object(Vec<(String, Json)>),
}

/// What is wrong with a text, and where.
///
/// One pointer: a value of many fields may fail at each.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub struct JsonError(Box<Wrong>);

#[derive(Clone, PartialEq, Eq)]
struct Wrong {
    /// The byte of the text, or the keys that lead there; empty: the whole.
    place: String,
    what: String,
}

debug_as_shown!(JsonError);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wrong { place, what } = &*self.0;
        if place.is_empty() { f.write_str(what) } else { write!(f, "{place}: {what}") }
    }
}

impl JsonError {
    /// Makes the error of a value at these keys.
    #[cold]
    pub fn new(place: &str, what: impl Into<String>) -> Self {
        Self(Box::new(Wrong { place: place.to_owned(), what: what.into() }))
    }

    /// Makes the error of a word that is not known at a key.
    pub fn unknown(key: &str, word: &str) -> Self {
        Self::new(key, format!("{word:?} is not known"))
    }
}

/// Reads a value from a text that holds nothing else.
pub fn read<T: FromJson>(text: &[u8]) -> Result<T, JsonError> {
    T::from_json(&Json::parse(text)?)
}

impl Json {
    /// Parses a text that holds one value and nothing else but white space.
    pub fn parse(text: &[u8]) -> Result<Self, JsonError> {
        let (json, end) = Self::parse_first(text)?;
        let rest = text.get(end..).unwrap_or_default();
        match rest.iter().position(|byte| !parse::is_space(*byte)) {
            None => Ok(json),
            Some(at) => Err(parse::error(end + at, "the end is wanted".to_owned())),
        }
    }

    /// Parses the value with which a text begins, and returns also where it ends.
    pub fn parse_first(text: &[u8]) -> Result<(Self, usize), JsonError> {
        parse::value(text)
    }

    /// Returns what stands in an object at a key.
    pub fn at(&self, key: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        entries.iter().find(|(other, _)| other == key).map(|(_, value)| value)
    }

    /// Returns the elements of the array that stands in an object at a key; none of anything else.
    pub fn elements(&self, key: &str) -> &[Self] {
        match self.at(key) {
            Some(Self::List(elements)) => elements,
            _ => &[],
        }
    }

    /// Refuses a string, at any depth, that cannot be shown as a part of a line (see [`crate::plain_text`]).
    pub fn require_lines(&self) -> Result<(), JsonError> {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::OtherNumber => Ok(()),
            Self::Text(text) if is_line(text) => Ok(()),
            Self::Text(text) => Err(JsonError::new(
                "",
                format!(
                    "{:?} is to be one line without control characters",
                    text.chars().take(80).collect::<String>()
                ),
            )),
            Self::List(elements) => elements.iter().enumerate().try_for_each(|(index, element)| {
                element.require_lines().map_err(|error| error.within(&format!("[{index}]")))
            }),
            Self::Object(entries) => entries
                .iter()
                .try_for_each(|(key, value)| value.require_lines().map_err(|error| error.within(key))),
        }
    }

    /// Returns a string.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Names the kind of value.
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::OtherNumber => "a negative, broken or huge number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

#[cfg(test)]
mod tests;
