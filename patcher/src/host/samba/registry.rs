//! The registry, by `net rpc registry`.
//!
//! | type | read by | written |
//! |---|---|---|
//! | `REG_SZ`, `REG_DWORD` | `getvalue` | yes |
//! | `REG_EXPAND_SZ`, `REG_MULTI_SZ` | `getvalue` | refused: `net` cannot |
//! | all others | `export` of their key, which `getvalue` does not show | refused: `net` cannot |
//!
//! What could not be put back is neither replaced nor removed. Texts are read as Windows writes them, with one zero at
//! the end. `net` cannot flush a hive either: a Windows does that by itself within some seconds.

use std::io;
use std::sync::OnceLock;

use super::{Net, Refusal, invalid};
use crate::host::{HostError, HostErrorKind, Registry};
use crate::registry::{DWORD, EXPAND_SZ, RegistryKey, RegistryValue, SZ};

/// Where a 64-bit Windows keeps what 32-bit programs see in `SOFTWARE`.
const REDIRECTED: &str = r"HKLM\SOFTWARE\Wow6432Node";

/// The registry of a machine.
#[derive(Debug)]
pub(super) struct NetRegistry {
    net: Net,
    /// Whether the machine keeps 32-bit programs apart.
    redirects: OnceLock<bool>,
}

/// What `getvalue` shows of a value.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    /// All of it.
    Value(RegistryValue),
    /// No more than that it is there.
    Existence,
}

/// What a missing key or value is missed by.
#[derive(Debug, PartialEq, Eq)]
enum Missing {
    Key,
    Value,
}

impl NetRegistry {
    pub(super) fn new(net: Net) -> Self {
        Self { net, redirects: OnceLock::new() }
    }

    /// Returns the key as `net` takes it, in the place where 32-bit programs see it.
    fn place(&self, key: &RegistryKey) -> Result<String, Refusal> {
        if key.names().any(|name| name.contains('/')) {
            let words = "net takes a slash in the name of a key for a backslash";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words).into());
        }
        match key.redirected() {
            Some(redirected) if self.redirects()? => Ok(redirected.to_string()),
            Some(_) | None => Ok(key.to_string()),
        }
    }

    fn redirects(&self) -> Result<bool, Refusal> {
        if let Some(redirects) = self.redirects.get() {
            return Ok(*redirects);
        }
        let redirects = self.has(REDIRECTED)?;
        Ok(*self.redirects.get_or_init(|| redirects))
    }

    fn call(&self, command: &str, args: &[&str]) -> Result<String, Refusal> {
        let words: Vec<&str> = ["registry", command].into_iter().chain(args.iter().copied()).collect();
        self.net.rpc(&words)
    }

    /// Looks for the key's default value: unlike `enumerate` that costs the same whatever the key holds.
    fn has(&self, key: &str) -> Result<bool, Refusal> {
        match self.call("getvalue", &[key, ""]) {
            Ok(_) => Ok(true),
            Err(refusal) => match missing(&refusal) {
                Some(Missing::Value) => Ok(true),
                Some(Missing::Key) => Ok(false),
                None => Err(refusal),
            },
        }
    }

    fn read(&self, key: &str, name: &str) -> Result<Option<RegistryValue>, Refusal> {
        let text = match self.call("getvalue", &[key, name]) {
            Ok(text) => text,
            Err(refusal) if missing(&refusal).is_some() => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        match parse_value(&text).ok_or_else(|| invalid(&text))? {
            Shown::Value(value) => Ok(Some(value)),
            Shown::Existence => {
                let export = self.call("export", &[key, "/dev/stdout"])?;
                let value = parse_export(&export, key, name);
                Ok(Some(value.ok_or_else(|| invalid("an export without a value that exists"))?))
            }
        }
    }

    /// Refuses to touch a value that could not be put back.
    fn require_restorable(&self, key: &str, name: &str) -> Result<(), Refusal> {
        self.read(key, name)?.map_or(Ok(()), |value| spelling(&value).map(drop))
    }

    fn set(&self, key: &str, name: &str, value: &RegistryValue) -> Result<(), Refusal> {
        let (kind, text) = spelling(value)?;
        self.require_restorable(key, name)?;
        let args = [key, name, kind, &text];
        match self.call("setvalue", &args) {
            Err(refusal) if missing(&refusal) == Some(Missing::Key) => {
                // With those above it.
                self.call("createkey", &[key])?;
                self.call("setvalue", &args)?;
            }
            other => drop(other?),
        }
        let found = self.read(key, name)?;
        if found.as_ref() == Some(value) {
            return Ok(());
        }
        let words = format!("{value:?} was set and reads back as {found:?}");
        Err(io::Error::new(io::ErrorKind::InvalidData, words).into())
    }

    fn remove(&self, key: &str, name: &str) -> Result<(), Refusal> {
        self.require_restorable(key, name)?;
        accept_missing(self.call("deletevalue", &[key, name]))
    }

    fn remove_if_empty(&self, key: &str) -> Result<(), Refusal> {
        match self.call("enumerate", &[key]) {
            Ok(content) if content.trim().is_empty() => accept_missing(self.call("deletekey", &[key])),
            Ok(_) => Ok(()),
            Err(refusal) => accept_missing(Err(refusal)),
        }
    }
}

impl Registry for NetRegistry {
    fn value(&self, key: &RegistryKey, name: &str) -> Result<Option<RegistryValue>, HostError> {
        let value = || self.read(&self.place(key)?, name);
        value().map_err(error("read", format!("{key} {name}")))
    }

    fn has_key(&self, key: &RegistryKey) -> Result<bool, HostError> {
        let has = || self.has(&self.place(key)?);
        has().map_err(error("look for", key.to_string()))
    }

    fn set_value(&self, key: &RegistryKey, name: &str, value: &RegistryValue) -> Result<(), HostError> {
        let set = || self.set(&self.place(key)?, name, value);
        set().map_err(error("write", format!("{key} {name}")))
    }

    fn remove_value(&self, key: &RegistryKey, name: &str) -> Result<(), HostError> {
        let remove = || self.remove(&self.place(key)?, name);
        remove().map_err(error("remove", format!("{key} {name}")))
    }

    fn remove_key(&self, key: &RegistryKey) -> Result<(), HostError> {
        let remove = || self.remove_if_empty(&self.place(key)?);
        remove().map_err(error("remove", key.to_string()))
    }
}

fn error(action: &'static str, what: String) -> impl FnOnce(Refusal) -> HostError {
    move |refusal| HostErrorKind::Registry { action, what, source: refusal.into_error() }.into()
}

/// Tells whether a refusal means that something is missing; none if it means anything else.
///
/// That the machine does not offer its registry at all has one of these codes too, in other words.
fn missing(refusal: &Refusal) -> Option<Missing> {
    // 2, as versions of `net` put it.
    let codes = [
        "WERR_FILE_NOT_FOUND",
        "WERR_BADFILE",
        "NT_STATUS_NO_SUCH_DEVICE",
        "NT_STATUS_NO_SUCH_FILE",
        "NT_STATUS_OBJECT_NAME_NOT_FOUND",
    ];
    let words = [
        ("registry_openkey failed: ", Missing::Key),
        ("deletekey returned ", Missing::Key),
        ("registry_queryvalue failed: ", Missing::Value),
        ("registry_deletevalue failed: ", Missing::Value),
    ];
    if !codes.contains(&refusal.code()) {
        return None;
    }
    words.into_iter().find(|(words, _)| refusal.words.starts_with(words)).map(|(_, missing)| missing)
}

fn accept_missing(answer: Result<String, Refusal>) -> Result<(), Refusal> {
    match answer {
        Err(refusal) if missing(&refusal).is_none() => Err(refusal),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Returns a value as `setvalue` takes it: its type and its text.
fn spelling(value: &RegistryValue) -> Result<(&'static str, String), Refusal> {
    let kind = match value.kind {
        SZ => "sz",
        DWORD => "dword",
        _ => "",
    };
    let text = value.as_text().unwrap_or_default();
    let is_exact = match value.kind {
        SZ => RegistryValue::text(&text) == *value,
        DWORD => value.data.len() == 4,
        _ => false,
    };
    if is_exact {
        return Ok((kind, text));
    }
    let words = format!("net can write texts (REG_SZ) and numbers (REG_DWORD) only, not {value:?}");
    Err(io::Error::new(io::ErrorKind::Unsupported, words).into())
}

/// Takes the answer of `getvalue` apart; texts in it are not escaped.
fn parse_value(text: &str) -> Option<Shown> {
    let (kind, rest) = text.strip_prefix("Type       = ")?.split_once('\n')?;
    let shown = |rest: &str| rest.strip_prefix("Value      = ")?.strip_suffix('\n').map(str::to_owned);
    let value = match kind {
        "REG_SZ" => one_text(SZ, rest)?,
        "REG_EXPAND_SZ" => one_text(EXPAND_SZ, rest)?,
        "REG_DWORD" => RegistryValue::number(shown(rest)?.parse().ok()?),
        "REG_MULTI_SZ" => RegistryValue::texts(texts(rest)?),
        _ => return Some(Shown::Existence),
    };
    Some(Shown::Value(value))
}

fn one_text(kind: u32, rest: &str) -> Option<RegistryValue> {
    if rest.is_empty() {
        return Some(RegistryValue { kind, data: Vec::new() });
    }
    let text = rest.strip_prefix("Value      = \"")?.strip_suffix("\"\n")?;
    Some(RegistryValue { kind, data: RegistryValue::text(text).data })
}

/// Takes `Value[000] = "..."` and so on apart.
fn texts(rest: &str) -> Option<Vec<&str>> {
    if rest.is_empty() {
        return Some(Vec::new());
    }
    let mut rest = rest.strip_prefix("Value[000] = \"")?;
    let mut texts = Vec::new();
    while let Some((text, more)) = rest.split_once(&format!("\"\nValue[{:03}] = \"", texts.len() + 1)) {
        texts.push(text);
        rest = more;
    }
    texts.push(rest.strip_suffix("\"\n")?);
    Some(texts)
}

/// Finds a value that is written as bytes in an export of its key.
///
/// Quotes within texts are escaped there, so that no line of a text looks like a value with a name.
fn parse_export(export: &str, key: &str, name: &str) -> Option<RegistryValue> {
    let (_, section) = export.split_once(&format!("\n[{key}]\n"))?;
    let section = section.split("\n[").next()?;
    let name = match name {
        "" => "@=".to_owned(),
        name => format!("\"{}\"=", name.replace('\\', "\\\\").replace('"', "\\\"")),
    };
    let is_it =
        |line: &&str| line.get(..name.len()).is_some_and(|start| start.to_lowercase() == name.to_lowercase());
    // A long value goes on after a backslash at the end of a line.
    let section = section.replace("\\\n", "");
    let value = section.lines().find(is_it)?.get(name.len()..)?.strip_prefix("hex")?;
    let (kind, digits) = match value.strip_prefix('(') {
        Some(value) => value.split_once("):")?,
        None => ("3", value.strip_prefix(':')?),
    };
    let bytes = digits.split(',').map(str::trim).filter(|byte| !byte.is_empty());
    let data: Option<_> = bytes.map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    Some(RegistryValue { kind: u32::from_str_radix(kind, 16).ok()?, data: data? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: &str, rest: &str) -> Option<RegistryValue> {
        match parse_value(&format!("Type       = {kind}\n{rest}"))? {
            Shown::Value(value) => Some(value),
            Shown::Existence => None,
        }
    }

    #[test]
    fn texts_numbers_and_lists_are_read_with_quotes_and_line_breaks_in_them() {
        let text = "a\n\"ü\"\nValue      = \"";
        let long = format!("Value      = \"{text}\"\n");
        assert_eq!(shown("REG_SZ", &long), Some(RegistryValue::text(text)));
        assert_eq!(shown("REG_SZ", "Value      = \"\"\n"), Some(RegistryValue::text("")));
        assert_eq!(shown("REG_SZ", ""), Some(RegistryValue { kind: SZ, data: Vec::new() }));
        let expand = RegistryValue { kind: EXPAND_SZ, data: RegistryValue::text("%A%").data };
        assert_eq!(shown("REG_EXPAND_SZ", "Value      = \"%A%\"\n"), Some(expand));
        assert_eq!(shown("REG_DWORD", "Value      = 4294967295\n"), Some(RegistryValue::number(u32::MAX)));
        let list = "Value[000] = \"a\"\n\"\nValue[001] = \"b\"\n";
        assert_eq!(shown("REG_MULTI_SZ", list), Some(RegistryValue::texts(["a\"\n", "b"])));
        assert_eq!(shown("REG_MULTI_SZ", ""), Some(RegistryValue::texts([])));
    }

    #[test]
    fn an_answer_that_is_cut_is_not_understood() {
        for whole in [
            "Type       = REG_SZ\nValue      = \"ab\"\n",
            "Type       = REG_DWORD\nValue      = 12\n",
            // The next text may be missing: only the exit status tells that.
            "Type       = REG_MULTI_SZ\nValue[000] = \"ab\"\n",
        ] {
            let first = whole.find('\n').unwrap();
            for end in (0..=first).chain(first + 2..whole.len()) {
                assert_eq!(parse_value(&whole[..end]), None, "{:?}", &whole[..end]);
            }
        }
    }

    #[test]
    fn bytes_are_read_from_an_export() {
        let export = "Windows Registry Editor Version 5.00\n\n[HKLM\\A\\B]\n\"Text\"=\"x\n\\\"Bin\\\"=hex:00\"\n\
            \"Bin\"=hex:01,\\\n  02,ff\n\"Q\\\"w\"=hex(b):01,02\n@=hex(0):\n\n[HKLM\\A\\B\\C]\n\"Other\"=hex:07\n;End:\n";
        let read = |name: &str| parse_export(export, r"HKLM\A\B", name).map(|value| (value.kind, value.data));
        assert_eq!(read("bin"), Some((3, vec![1, 2, 255])));
        assert_eq!(read("Q\"w"), Some((11, vec![1, 2])));
        assert_eq!(read(""), Some((0, Vec::new())));
        assert_eq!(read("Text"), None);
        assert_eq!(read("Other"), None);
    }

    #[test]
    fn only_what_can_be_expressed_is_written() {
        assert_eq!(spelling(&RegistryValue::text("a b")).unwrap(), ("sz", "a b".to_owned()));
        assert_eq!(spelling(&RegistryValue::number(7)).unwrap(), ("dword", "7".to_owned()));
        let unterminated = RegistryValue { kind: SZ, data: vec![b'a', 0] };
        let with_zero = RegistryValue::text("a\0b");
        let short = RegistryValue { kind: DWORD, data: vec![7] };
        let expand = RegistryValue { kind: EXPAND_SZ, data: RegistryValue::text("a").data };
        for value in [unterminated, with_zero, short, expand, RegistryValue::texts(["a"])] {
            assert_eq!(spelling(&value).unwrap_err().kind, io::ErrorKind::Unsupported, "{value:?}");
        }
    }

    #[test]
    fn a_refusal_or_a_registry_that_is_not_offered_is_nothing_missing() {
        for (words, what) in [
            ("registry_openkey failed: NT_STATUS_NO_SUCH_DEVICE", Some(Missing::Key)),
            ("registry_queryvalue failed: NT_STATUS_NO_SUCH_DEVICE", Some(Missing::Value)),
            ("registry_deletevalue failed: WERR_FILE_NOT_FOUND", Some(Missing::Value)),
            ("registry_openkey failed: WERR_ACCESS_DENIED", None),
            ("Could not initialise pipe winreg. Error was NT_STATUS_OBJECT_NAME_NOT_FOUND", None),
        ] {
            assert_eq!(missing(&Refusal::of_words(words, "")), what, "{words}");
        }
    }
}
