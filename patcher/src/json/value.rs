//! From tree to values.
//!
//! An object's definition is one list of its fields, by [`object_from_json`]: compiled once and in one form, where serde's
//! derived code is several times as large.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::value::Error as NameError;
use serde::de::{DeserializeOwned, IntoDeserializer};

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

/// The fields of an object that is being read.
#[derive(Debug)]
pub struct Fields<'j>(&'j BTreeMap<String, Json>);

impl<'j> Fields<'j> {
    /// Takes an object that has no other keys than these.
    pub fn of(json: &'j Json, keys: &[&str]) -> Result<Self, JsonError> {
        let Json::Object(entries) = json else { return Err(json.is_not("an object")) };
        match entries.keys().find(|key| !keys.contains(&key.as_str())) {
            Some(key) => Err(JsonError::new("", format!("the key {key:?} is not known"))),
            None => Ok(Self(entries)),
        }
    }

    /// Takes the value at a key.
    pub fn take<T: FromJson>(&self, key: &str) -> Result<T, JsonError> {
        match self.0.get(key) {
            Some(json) => T::from_json(json).map_err(|error| error.within(key)),
            None => T::absent().ok_or_else(|| missing(key)),
        }
    }

    /// Takes the value at a key, or the default where the key is missing.
    pub fn take_or_default<T: FromJson + Default>(&self, key: &str) -> Result<T, JsonError> {
        if self.0.contains_key(key) { self.take(key) } else { Ok(T::default()) }
    }
}

#[cold]
fn missing(key: &str) -> JsonError {
    JsonError::new("", format!("the key {key:?} is missing"))
}

/// Reads an object into a struct by the names of its fields; those behind `or default` may be missing.
macro_rules! object_from_json {
    ($object:ident { $($field:ident),* $(,)? } $(or default { $($other:ident),* $(,)? })?) => {
        impl crate::json::FromJson for $object {
            fn from_json(json: &crate::json::Json) -> Result<Self, crate::json::JsonError> {
                let keys = [$(stringify!($field),)* $($(stringify!($other),)*)?];
                let fields = crate::json::Fields::of(json, &keys)?;
                Ok(Self {
                    $($field: fields.take(stringify!($field))?,)*
                    $($($other: fields.take_or_default(stringify!($other))?,)*)?
                })
            }
        }
    };
}
pub(crate) use object_from_json;

/// Reads one of a few names, by serde's definition of them.
macro_rules! name_from_json {
    ($($name:ty),* $(,)?) => {$(
        impl crate::json::FromJson for $name {
            fn from_json(json: &crate::json::Json) -> Result<Self, crate::json::JsonError> {
                json.named()
            }
        }
    )*};
}
pub(crate) use name_from_json;

impl Json {
    /// Parses a string by the rules of its type.
    pub fn parsed<T: FromStr<Err: Display>>(&self) -> Result<T, JsonError> {
        self.text()?.parse().map_err(|error: T::Err| JsonError::new("", error.to_string()))
    }

    /// Takes a string for one of a few names.
    pub fn named<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        let name: serde::de::value::StrDeserializer<'_, NameError> = self.text()?.into_deserializer();
        T::deserialize(name).map_err(|error| JsonError::new("", error.to_string()))
    }

    fn text(&self) -> Result<&str, JsonError> {
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
    fn within(mut self, step: &str) -> Self {
        let joint = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = format!("{step}{joint}{}", self.place);
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

impl FromJson for u64 {
    fn from_json(json: &Json) -> Result<Self, JsonError> {
        match json {
            Json::Number(number) => Ok(*number),
            _ => Err(json.is_not("a whole number from 0")),
        }
    }
}

/// Reads narrower numbers.
macro_rules! number_from_json {
    ($($number:ty)*) => {$(
        impl FromJson for $number {
            fn from_json(json: &Json) -> Result<Self, JsonError> {
                let wide = u64::from_json(json)?;
                Self::try_from(wide).map_err(|_| too_large(wide, Self::MAX.to_string()))
            }
        }
    )*};
}
number_from_json!(u16 u32 usize);

#[cold]
fn too_large(number: u64, most: String) -> JsonError {
    JsonError::new("", format!("{number} is more than {most}"))
}

impl FromJson for String {
    fn from_json(json: &Json) -> Result<Self, JsonError> {
        json.text().map(str::to_owned)
    }
}

impl FromJson for PathBuf {
    fn from_json(json: &Json) -> Result<Self, JsonError> {
        json.text().map(Self::from)
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
