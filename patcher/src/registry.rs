//! Keys and values of a Windows registry: the small values that ports, manifests and journals share, and the formats of
//! files that hold a registry.

use std::fmt;
use std::str::FromStr;

use crate::chain::debug_as_shown;
use crate::json::{FromJson, Json, JsonError, ToJson, object};

mod bad_file;
pub mod export;
pub mod hive;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod model;

pub use bad_file::BadFile;
pub(crate) use bad_file::Result;

/// The only root that updates know, as people abbreviate it.
const ROOT: &str = "HKLM";
/// The same, as exports write it.
const LONG_ROOT: &str = "HKEY_LOCAL_MACHINE";
/// Longest name of a key in characters ("Registry Element Size Limits").
const MAX_NAME: usize = 255;
/// Most keys below one another (likewise).
const MAX_DEPTH: usize = 512;

/// `REG_SZ`: text.
pub const SZ: u32 = 1;
/// `REG_EXPAND_SZ`: text with `%VARIABLES%`.
pub const EXPAND_SZ: u32 = 2;
/// `REG_BINARY`: bytes.
pub const BINARY: u32 = 3;
/// `REG_DWORD`: a number of 32 bits.
pub const DWORD: u32 = 4;
/// `REG_MULTI_SZ`: texts.
pub const MULTI_SZ: u32 = 7;

/// A key below `HKEY_LOCAL_MACHINE`, such as `HKLM\SOFTWARE\Microsoft\SMS\Setup`.
///
/// Case is kept and has no meaning. At least one name stands below the root.
#[derive(Clone, Debug, Eq)]
pub struct RegistryKey(Vec<String>);

/// A text that is no such key.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no registry key: HKLM\\ and names of 1 to {MAX_NAME} characters are wanted")]
pub struct InvalidKey {
    found: String,
}

debug_as_shown!(InvalidKey);

impl RegistryKey {
    /// Returns the names below the root, outermost first.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Returns the path below the root: `SOFTWARE\Microsoft\SMS\Setup`.
    pub fn path(&self) -> String {
        self.0.join("\\")
    }

    /// Returns the key that holds it; none directly below the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        (!above.is_empty()).then(|| Self(above.to_vec()))
    }

    /// Returns the key that its `count` outermost names make; itself if it has no more, or none are asked for.
    pub fn up_to(&self, count: usize) -> Self {
        match self.0.get(..count) {
            Some(names) if count > 0 => Self(names.to_vec()),
            _ => self.clone(),
        }
    }

    /// Returns the key as a 64-bit Windows keeps it of a 32-bit program: `SOFTWARE\Wow6432Node\...`.
    ///
    /// None outside of `SOFTWARE`, and where it says so already: there is one for all programs.
    pub fn redirected(&self) -> Option<Self> {
        let node = "Wow6432Node";
        let is = |at, wanted| self.0.get(at).is_some_and(|name: &String| name.eq_ignore_ascii_case(wanted));
        if !is(0, "SOFTWARE") || is(1, node) {
            return None;
        }
        let mut names = self.0.clone();
        names.insert(1, node.to_owned());
        Some(Self(names))
    }
}

impl PartialEq for RegistryKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.names().zip(other.names()).all(|(one, other)| one.eq_ignore_ascii_case(other))
    }
}

impl FromStr for RegistryKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let mut names = text.split('\\');
        let root = names.next().unwrap_or_default();
        let names: Vec<String> = names.map(str::to_owned).collect();
        let is_name = |name: &String| {
            (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control)
        };
        let is_root = root.eq_ignore_ascii_case(ROOT) || root.eq_ignore_ascii_case(LONG_ROOT);
        if is_root && (1..=MAX_DEPTH).contains(&names.len()) && names.iter().all(is_name) {
            return Ok(Self(names));
        }
        Err(InvalidKey { found: text.chars().take(80).collect() })
    }
}

impl fmt::Display for RegistryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ROOT}\\{}", self.path())
    }
}

/// What a registry value holds: its type and its bytes, exactly as the registry has them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RegistryValue {
    /// Its type: [`SZ`], [`DWORD`] ...
    pub kind: u32,
    /// Its bytes: text as UTF-16, little-endian, with a zero at its end.
    pub data: Vec<u8>,
}

impl RegistryValue {
    /// Makes a text.
    pub fn text(text: &str) -> Self {
        Self { kind: SZ, data: utf16(text) }
    }

    /// Makes a number.
    pub fn number(number: u32) -> Self {
        Self { kind: DWORD, data: number.to_le_bytes().to_vec() }
    }

    /// Makes a list of texts.
    pub fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let data = texts.into_iter().flat_map(utf16).chain([0, 0]).collect();
        Self { kind: MULTI_SZ, data }
    }

    /// Returns what people read in it: a text up to its first zero, or a number in decimal; none of other types.
    pub fn as_text(&self) -> Option<String> {
        match self.kind {
            SZ | EXPAND_SZ => self.as_texts().into_iter().next().or(Some(String::new())),
            DWORD => Some(u32::from_le_bytes(self.data.as_slice().try_into().ok()?).to_string()),
            _ => None,
        }
    }

    /// Returns the texts in it, each up to a zero; the end of a list is no text. A broken character is replaced.
    pub fn as_texts(&self) -> Vec<String> {
        let units = units(&self.data);
        let texts = units.split(|unit| *unit == 0);
        texts.filter(|text| self.kind != MULTI_SZ || !text.is_empty()).map(String::from_utf16_lossy).collect()
    }
}

impl fmt::Debug for RegistryValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_text() {
            Some(text) => write!(f, "RegistryValue({}, {text:?})", self.kind),
            None => write!(f, "RegistryValue({}, {} bytes)", self.kind, self.data.len()),
        }
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// Reads UTF-16, little-endian, up to a byte that is left over.
fn units(data: &[u8]) -> Vec<u16> {
    data.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect()
}

/// Takes the case from a unit of a name, as far as it is that of ASCII.
fn fold_unit(unit: u16) -> u16 {
    u8::try_from(unit).map_or(unit, |byte| u16::from(byte.to_ascii_uppercase()))
}

/// A change of a key in a file that holds a registry.
#[derive(Debug, Clone, Copy)]
pub enum Change<'c> {
    /// The value of this name is this, whatever it was; the key is there.
    SetValue(&'c str, &'c RegistryValue),
    /// There is no value of this name. One that is absent is no error.
    RemoveValue(&'c str),
    /// There is no such key, unless something is in it. One that is absent is no error.
    RemoveKey,
}

/// Adds the two hexadecimal digits of a byte to a text.
fn push_hex(text: &mut String, byte: u8) {
    text.extend([byte >> 4, byte & 0xf].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
}

/// Reads pairs of hexadecimal digits; none if there is anything else.
fn read_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

impl ToJson for RegistryValue {
    fn to_json(&self) -> Json {
        let mut data = String::new();
        self.data.iter().for_each(|byte| push_hex(&mut data, *byte));
        object!({"kind": self.kind, "data": data})
    }
}

impl FromJson for RegistryValue {
    fn from_json(json: &Json) -> Result<Self, JsonError> {
        json.require_only(&["kind", "data"])?;
        let (kind, text) = (json.take("kind")?, json.take::<String>("data")?);
        let data = read_hex(&text);
        let wrong = || JsonError::new("data", "pairs of hexadecimal digits are wanted");
        Ok(Self { kind, data: data.ok_or_else(wrong)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn keys_ignore_case_and_take_both_names_of_the_root() {
        let key: RegistryKey = r"HKLM\SOFTWARE\Microsoft\SMS\Setup".parse().unwrap();
        assert_eq!(r"hkey_local_machine\software\microsoft\sms\setup".parse(), Ok(key.clone()));
        assert_eq!(key.to_string(), r"HKLM\SOFTWARE\Microsoft\SMS\Setup");
        assert_eq!(key.parent().unwrap().to_string(), r"HKLM\SOFTWARE\Microsoft\SMS");
        assert_eq!(key.redirected().unwrap().to_string(), r"HKLM\SOFTWARE\Wow6432Node\Microsoft\SMS\Setup");
        assert_eq!(key.redirected().unwrap().redirected(), None);
        for text in [
            "",
            "HKLM",
            r"HKLM\",
            r"HKCU\x",
            r"HKLM\a\\b",
            "HKLM\\a\nb",
            &format!("HKLM\\{}", "k".repeat(256)),
        ] {
            assert!(text.parse::<RegistryKey>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn values_read_as_people_see_them_and_come_back_from_json() {
        let values = [
            (RegistryValue::text("2.00.1380.1000"), Some("2.00.1380.1000")),
            (RegistryValue::text(""), Some("")),
            (RegistryValue::number(6), Some("6")),
            (RegistryValue { kind: SZ, data: Vec::new() }, Some("")),
            (RegistryValue { kind: DWORD, data: vec![1] }, None),
            (RegistryValue { kind: 3, data: vec![1, 2] }, None),
        ];
        for (value, text) in values {
            assert_eq!(value.as_text().as_deref(), text, "{value:?}");
            assert_eq!(RegistryValue::from_json(&value.to_json()), Ok(value));
        }
        assert_eq!(RegistryValue::texts(["a", "b"]).as_texts(), ["a", "b"]);
        for data in ["4", "+1", "0g", "é", " 1"] {
            let error = json::read::<RegistryValue>(format!("{{\"kind\":1,\"data\":{data:?}}}").as_bytes());
            let wanted = "data: pairs of hexadecimal digits are wanted";
            assert_eq!(error.unwrap_err().to_string(), wanted, "{data}");
        }
    }
}
