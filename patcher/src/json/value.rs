//! From tree to values and back.
//!
//! An object's definition is one list of its fields, by [`object_json`]: compiled once and in one form, where derived code
//! is several times as large.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Json, JsonError};

/// A value that is read from JSON.
pub trait FromJson: Sized {
    /// Takes the value from a tree.
    fn from_json(json: &Json) -> Result<Self, JsonError>;

    /// Returns what the value is where its key is missing; none: it must be there.
    fn absent() -> Option<Self> {
        None
    }
}

/// A value that is written as JSON.
pub trait ToJson {
    /// Makes a tree of the value.
    fn to_json(&self) -> Json;

    /// Tells whether the value is the default, for which a definition may leave out its key.
    fn is_default(&self) -> bool {
        false
    }

    /// Returns the value for such a definition; none: its key is left out.
    fn unless_default(&self) -> Option<&dyn ToJson>
    where
        Self: Sized,
    {
        if self.is_default() { None } else { Some(self) }
    }
}

#[cold]
fn missing(key: &str) -> JsonError {
    JsonError::new("", format!("the key {key:?} is missing"))
}

/// Makes a tree of keys and values: `object!({"id": id, "files": files})`.
#[macro_export]
macro_rules! object {
    ({ $($key:literal: $value:expr),* $(,)? }) => {
        $crate::json::Json::object(&[$(($key, ::core::option::Option::Some(&$value))),*])
    };
}

/// Writes a struct as an object with the names of its fields; those marked `or default` are left out where they are that.
#[macro_export]
macro_rules! object_to_json {
    ($object:ident { $($field:ident $(or $default:ident)?),* $(,)? }) => {
        impl $crate::json::ToJson for $object {
            fn to_json(&self) -> $crate::json::Json {
                $crate::json::Json::object(&[
                    $((stringify!($field), $crate::object_to_json!(@ &self.$field $(, $default)?))),*
                ])
            }
        }
    };
    (@ $value:expr) => { ::core::option::Option::Some($value) };
    (@ $value:expr, default) => { $crate::json::ToJson::unless_default($value) };
}

/// Writes a struct likewise, and reads it; fields marked `or default` may be missing.
macro_rules! object_json {
    ($object:ident { $($field:ident $(or $default:ident)?),* $(,)? }) => {
        crate::json::object_to_json!($object { $($field $(or $default)?),* });

        impl crate::json::FromJson for $object {
            fn from_json(json: &crate::json::Json) -> Result<Self, crate::json::JsonError> {
                json.require_only(&[$(stringify!($field)),*])?;
                Ok(Self { $($field: crate::json::object_json!(@ json $field $($default)?)),* })
            }
        }
    };
    (@ $json:ident $field:ident) => { $json.take(stringify!($field))? };
    (@ $json:ident $field:ident default) => { $json.take_or_default(stringify!($field))? };
}
pub(crate) use object_json;

/// Writes and reads an enum as objects of their own fields, told apart by a word that comes first.
///
/// A variant behind `and` is a box of a struct, whose fields are the object's.
macro_rules! tagged_json {
    ($name:ident by $tag:literal {
        $($word:literal = $value:ident { $($field:ident $(or $default:ident)?),* }),* $(,)?
    } $(and $boxed_word:literal = $boxed:ident)?) => {
        impl crate::json::ToJson for $name {
            fn to_json(&self) -> crate::json::Json {
                match self {
                    $(Self::$boxed(fields) => fields.to_json().with($tag, &$boxed_word),)?
                    $(Self::$value { $($field),* } => crate::json::Json::object(&[
                        ($tag, Some(&$word)),
                        $((stringify!($field), crate::json::object_to_json!(@ $field $(, $default)?))),*
                    ]),)*
                }
            }
        }

        impl crate::json::FromJson for $name {
            fn from_json(json: &crate::json::Json) -> Result<Self, crate::json::JsonError> {
                match json.tag($tag)? {
                    $($boxed_word => crate::json::FromJson::from_json(&json.without($tag)).map(Box::new).map(Self::$boxed),)?
                    $($word => {
                        json.require_only(&[$tag, $(stringify!($field)),*])?;
                        Ok(Self::$value { $($field: crate::json::object_json!(@ json $field $($default)?)),* })
                    })*
                    word => Err(crate::json::JsonError::unknown($tag, word)),
                }
            }
        }
    };
}
pub(crate) use tagged_json;

/// Writes and reads an enum as one of a few words.
macro_rules! words_json {
    ($name:ident { $($value:ident = $word:literal),* $(,)? }) => {
        impl crate::json::ToJson for $name {
            fn to_json(&self) -> crate::json::Json {
                match self {
                    $(Self::$value => $word,)*
                }
                .to_json()
            }
        }

        impl crate::json::FromJson for $name {
            fn from_json(json: &crate::json::Json) -> Result<Self, crate::json::JsonError> {
                match json.text()? {
                    $($word => Ok(Self::$value),)*
                    word => Err(crate::json::JsonError::unknown("", word)),
                }
            }
        }
    };
}
pub(crate) use words_json;

impl Json {
    /// Parses a string by the rules of its type.
    pub fn parsed<T: FromStr<Err: Display>>(&self) -> Result<T, JsonError> {
        self.text()?.parse().map_err(|error: T::Err| JsonError::new("", error.to_string()))
    }

    /// Requires an object that has no other keys than these.
    pub fn require_only(&self, keys: &[&str]) -> Result<(), JsonError> {
        let Self::Object(entries) = self else { return Err(self.is_not("an object")) };
        match entries.iter().find(|(key, _)| !keys.contains(&key.as_str())) {
            Some((key, _)) => Err(JsonError::new("", format!("the key {key:?} is not known"))),
            None => Ok(()),
        }
    }

    /// Takes the value that stands in an object at a key.
    pub fn take<T: FromJson>(&self, key: &str) -> Result<T, JsonError> {
        match self.at(key) {
            Some(json) => T::from_json(json).map_err(|error| error.within(key)),
            None => T::absent().ok_or_else(|| missing(key)),
        }
    }

    /// Takes the value at a key, or the default where the key is missing.
    pub fn take_or_default<T: FromJson + Default>(&self, key: &str) -> Result<T, JsonError> {
        if self.at(key).is_some() { self.take(key) } else { Ok(T::default()) }
    }

    /// Makes an object; what is none is left out.
    pub fn object(fields: &[(&str, Option<&dyn ToJson>)]) -> Self {
        let entry =
            |(key, value): &(&str, Option<&dyn ToJson>)| Some(((*key).to_owned(), (*value)?.to_json()));
        Self::Object(fields.iter().filter_map(entry).collect())
    }

    /// Makes a list.
    pub fn list<T: ToJson>(values: impl IntoIterator<Item = T>) -> Self {
        Self::List(values.into_iter().map(|value| value.to_json()).collect())
    }

    /// Puts the keys of all objects in order.
    #[must_use]
    pub fn sorted(self) -> Self {
        match self {
            Self::List(elements) => Self::List(elements.into_iter().map(Self::sorted).collect()),
            Self::Object(entries) => {
                let mut entries: Vec<_> =
                    entries.into_iter().map(|(key, value)| (key, value.sorted())).collect();
                entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
                Self::Object(entries)
            }
            other => other,
        }
    }

    /// Returns the word by which objects are told apart.
    pub(crate) fn tag(&self, key: &str) -> Result<&str, JsonError> {
        self.at(key).and_then(Self::as_text).ok_or_else(|| JsonError::new(key, "a string is wanted"))
    }

    /// Puts an entry before those of an object.
    #[must_use]
    pub fn with(mut self, key: &str, value: &dyn ToJson) -> Self {
        if let Self::Object(entries) = &mut self {
            entries.insert(0, (key.to_owned(), value.to_json()));
        }
        self
    }

    /// Returns the object without a key.
    pub(crate) fn without(&self, key: &str) -> Self {
        let mut rest = self.clone();
        if let Self::Object(entries) = &mut rest {
            entries.retain(|(other, _)| other != key);
        }
        rest
    }

    pub(crate) fn text(&self) -> Result<&str, JsonError> {
        self.as_text().ok_or_else(|| self.is_not("a string"))
    }

    /// Makes the error of another kind of value than is wanted.
    #[cold]
    pub(super) fn is_not(&self, wanted: &str) -> JsonError {
        JsonError::new("", format!("{wanted} is wanted, found {}", self.kind()))
    }
}

impl JsonError {
    /// Puts what leads there before the place.
    #[cold]
    pub(super) fn within(mut self, step: &str) -> Self {
        let place = &mut self.0.place;
        let joint = if place.is_empty() || place.starts_with('[') { "" } else { "." };
        *place = format!("{step}{joint}{place}");
        self
    }
}

impl FromJson for bool {
    fn from_json(json: &Json) -> Result<Self, JsonError> {
        match json {
            Json::Bool(value) => Ok(*value),
            _ => Err(json.is_not("true or false")),
        }
    }
}

impl ToJson for bool {
    fn to_json(&self) -> Json {
        Json::Bool(*self)
    }

    fn is_default(&self) -> bool {
        !self
    }
}

impl FromJson for u64 {
    fn from_json(json: &Json) -> Result<Self, JsonError> {
        match json {
            Json::Number(number) => Ok(*number),
            _ => Err(json.is_not("a whole number from 0")),
        }
    }
}

impl ToJson for u64 {
    fn to_json(&self) -> Json {
        Json::Number(*self)
    }
}

/// Writes and reads narrower numbers.
macro_rules! number_json {
    ($($number:ty)*) => {$(
        impl ToJson for $number {
            fn to_json(&self) -> Json {
                Json::Number(*self as u64)
            }
        }

        impl FromJson for $number {
            fn from_json(json: &Json) -> Result<Self, JsonError> {
                let wide = u64::from_json(json)?;
                Self::try_from(wide).map_err(|_| too_large(wide, Self::MAX.to_string()))
            }
        }
    )*};
}
number_json!(u16 u32 usize);

#[cold]
fn too_large(number: u64, most: String) -> JsonError {
    JsonError::new("", format!("{number} is more than {most}"))
}

impl FromJson for String {
    fn from_json(json: &Json) -> Result<Self, JsonError> {
        json.text().map(str::to_owned)
    }
}

impl ToJson for String {
    fn to_json(&self) -> Json {
        Json::Text(self.clone())
    }
}

impl ToJson for &str {
    fn to_json(&self) -> Json {
        Json::Text((*self).to_owned())
    }
}

impl FromJson for PathBuf {
    fn from_json(json: &Json) -> Result<Self, JsonError> {
        json.text().map(Self::from)
    }
}

impl ToJson for PathBuf {
    /// What is no Unicode text in a path is replaced.
    fn to_json(&self) -> Json {
        Json::Text(self.display().to_string())
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(json: &Json) -> Result<Self, JsonError> {
        if *json == Json::Null { Ok(None) } else { T::from_json(json).map(Some) }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self) -> Json {
        self.as_ref().map_or(Json::Null, T::to_json)
    }

    fn is_default(&self) -> bool {
        self.is_none()
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(json: &Json) -> Result<Self, JsonError> {
        let Json::List(elements) = json else { return Err(json.is_not("an array")) };
        let mut values = Self::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            values.push(T::from_json(element).map_err(|error| error.within(&format!("[{index}]")))?);
        }
        Ok(values)
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self) -> Json {
        Json::list(self)
    }

    fn is_default(&self) -> bool {
        self.is_empty()
    }
}

impl<T: ToJson> ToJson for BTreeSet<T> {
    fn to_json(&self) -> Json {
        Json::list(self)
    }
}

impl<T: ToJson> ToJson for &T {
    fn to_json(&self) -> Json {
        T::to_json(self)
    }
}

impl ToJson for Json {
    fn to_json(&self) -> Json {
        self.clone()
    }
}
