//! How the small values that formats share are written: as texts by their own rules, or as names.

use super::value::name_from_json;
use super::{Fields, FromJson, Json, JsonError};
use crate::delta::Codec;
use crate::digest::Digest;
use crate::host::{RegistryAt, ServiceStart, ServiceState, ServicesAt};
use crate::name::{Role, UpdateId};
use crate::platform::Platform;
use crate::registry::{RegistryKey, RegistryValue};
use crate::target_path::TargetPath;
use crate::version::FileVersion;

/// Reads what is written as a text by its own rules.
macro_rules! text_from_json {
    ($($text:ty),* $(,)?) => {$(
        impl FromJson for $text {
            fn from_json(json: &Json) -> Result<Self, JsonError> {
                json.parsed()
            }
        }
    )*};
}

text_from_json!(Digest, RegistryAt, ServicesAt, Role, UpdateId, RegistryKey, TargetPath, FileVersion,);
name_from_json!(Codec, ServiceStart, ServiceState, Platform,);

impl FromJson for RegistryValue {
    fn from_json(json: &Json) -> Result<Self, JsonError> {
        let fields = Fields::of(json, &["kind", "data"])?;
        let (kind, text) = (fields.take("kind")?, fields.take::<String>("data")?);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let data = pairs.iter().map(|pair| byte(pair)).collect::<Option<Vec<u8>>>();
        let data = data.filter(|_| rest.is_empty() && !text.contains('+'));
        let wrong = || JsonError::new("data", "pairs of hexadecimal digits are wanted");
        Ok(Self { kind, data: data.ok_or_else(wrong)? })
    }
}
