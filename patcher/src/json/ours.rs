//! How the small values that formats share are written: as texts by their own rules, or by their names.

use std::fmt;

use super::{FromJson, Json, JsonError, ToJson, words_json};
use crate::bundle::keyring::KeyId;
use crate::bundle::manifest::Verb;
use crate::bundle::product::Moment;
use crate::day::Day;
use crate::delta::Codec;
use crate::digest::Digest;
use crate::exit::ExitCode;
use crate::host::{RegistryAt, ServiceStart, ServiceState, ServicesAt};
use crate::name::{Role, UpdateId, Variant};
use crate::platform::Platform;
use crate::registry::RegistryKey;
use crate::target_path::TargetPath;
use crate::version::FileVersion;

fn shown(value: &dyn fmt::Display) -> Json {
    Json::Text(value.to_string())
}

/// Writes as a text what people read.
macro_rules! text_to_json {
    ($($text:ty),* $(,)?) => {$(
        impl ToJson for $text {
            fn to_json(&self) -> Json {
                shown(self)
            }
        }
    )*};
}

/// Reads it by its own rules.
macro_rules! text_json {
    ($($text:ty),* $(,)?) => {
        text_to_json!($($text),*);
        $(
            impl FromJson for $text {
                fn from_json(json: &Json) -> Result<Self, JsonError> {
                    json.parsed()
                }
            }
        )*
    };
}

text_json!(
    Day,
    Digest,
    RegistryAt,
    ServicesAt,
    Role,
    UpdateId,
    Variant,
    RegistryKey,
    TargetPath,
    FileVersion
);
text_to_json!(KeyId);

words_json!(Codec { Bsdiff = "bsdiff", Exe = "exe" });
words_json!(Moment { Before = "before", After = "after" });
words_json!(Platform { I386 = "i386", Alpha = "alpha" });
words_json!(ServiceStart { Automatic = "automatic", Manual = "manual", Disabled = "disabled" });
words_json!(ServiceState {
    Running = "running",
    Stopped = "stopped",
    Starting = "starting",
    Stopping = "stopping"
});
words_json!(Verb { ReplaceFile = "replace-file", AddFile = "add-file" });

impl ToJson for ExitCode {
    fn to_json(&self) -> Json {
        self.number().to_json()
    }
}
