//! How the small values that formats share are written: as texts by their own rules, or as names.

use super::value::name_from_json;
use super::{FromJson, Json, JsonError};
use crate::delta::Codec;
use crate::digest::Digest;
use crate::host::{RegistryAt, ServiceStart, ServiceState, ServicesAt};
use crate::name::{Role, UpdateId};
use crate::platform::Platform;
use crate::registry::RegistryKey;
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
