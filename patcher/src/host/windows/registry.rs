//! The registry that Windows has open, of this machine or another one, as a 32-bit program sees it.

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_QUERY_VALUE, KEY_SET_VALUE, KEY_WOW64_32KEY, REG_OPTION_NON_VOLATILE,
    REG_SAM_FLAGS, RegCloseKey, RegConnectRegistryW, RegCreateKeyExW, RegDeleteKeyExW, RegDeleteKeyW,
    RegDeleteValueW, RegFlushKey, RegOpenKeyExW, RegQueryInfoKeyW, RegQueryValueExW, RegSetValueExW,
};

use super::{done, fill, is_code, wide};
use crate::host::{HostError, HostErrorKind, Registry, Server, processor};
use crate::registry::{RegistryKey, RegistryValue};

/// Longest value that is read: many times what belongs into a registry ("Registry Element Size Limits": 2,048 bytes).
const MAX_VALUE: u32 = 1 << 20;
/// What is said of a key or value that is not there.
const ABSENT: [u32; 2] = [ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND];

/// A registry in use.
pub(super) struct Live {
    /// `HKEY_LOCAL_MACHINE` of the other machine; none: of this one.
    remote: Option<Key>,
    /// What stands before the name of a key.
    machine: String,
    /// The flag that asks for the keys of 32-bit programs.
    view: REG_SAM_FLAGS,
}

/// An open key.
struct Key(HKEY);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody else's.
        #[expect(unsafe_code, reason = "the standard library knows no registry")]
        unsafe {
            RegCloseKey(self.0);
        }
    }
}

/// Makes the error of a machine whose registry is not reached.
pub(super) fn unreachable(server: &Server) -> impl FnOnce(io::Error) -> HostError {
    move |source| {
        let what = format!(r"keys on \\{}", server.as_str());
        HostErrorKind::Registry { action: "open", what, source }.into()
    }
}

impl Live {
    /// Is that of this machine.
    pub(super) fn local() -> Self {
        Self { remote: None, machine: String::new(), view: KEY_WOW64_32KEY }
    }

    /// Connects to that of another machine.
    pub(super) fn remote(server: &Server) -> Result<Self, HostError> {
        let machine = format!(r"\\{}", server.as_str());
        let name = wide(&machine);
        let mut root = ptr::null_mut();
        // SAFETY: the name ends in a zero; it and the handle outlive the call.
        #[expect(unsafe_code, reason = "the standard library knows no registry")]
        let code = unsafe { RegConnectRegistryW(name.as_ptr(), HKEY_LOCAL_MACHINE, &raw mut root) };
        done(code).map_err(unreachable(server))?;
        let mut live = Self { remote: Some(Key(root)), machine: machine + "\\", view: 0 };
        if !live.is_32_bit() {
            live.view = KEY_WOW64_32KEY;
        }
        Ok(live)
    }

    /// Tells whether the machine says that it has one view only. A Windows before XP denies access to who asks for another.
    fn is_32_bit(&self) -> bool {
        let processor = processor(self).ok().flatten().unwrap_or_default();
        ["x86", "ALPHA"].iter().any(|name| processor.eq_ignore_ascii_case(name))
    }

    fn root(&self) -> HKEY {
        self.remote.as_ref().map_or(HKEY_LOCAL_MACHINE, |key| key.0)
    }

    fn error(&self, action: &'static str, key: &RegistryKey, name: &str) -> impl Fn(io::Error) -> HostError {
        let value = if name.is_empty() { String::new() } else { format!(", value {name}") };
        let what = format!("{}{key}{value}", self.machine);
        move |source| HostErrorKind::Registry { action, what: what.clone(), source }.into()
    }

    /// Opens a key; none if there is none.
    fn open(&self, key: &RegistryKey, rights: REG_SAM_FLAGS) -> io::Result<Option<Key>> {
        let path = wide(key.path());
        let mut open = ptr::null_mut();
        // SAFETY: the root is open and the path ends in a zero; it and the handle outlive the call.
        #[expect(unsafe_code, reason = "the standard library knows no registry")]
        let code = unsafe { RegOpenKeyExW(self.root(), path.as_ptr(), 0, rights | self.view, &raw mut open) };
        unless_absent(done(code).map(|()| Key(open)))
    }

    /// Opens a key to write to it, making it and those above it where they are missing.
    fn make(&self, key: &RegistryKey) -> io::Result<Key> {
        let path = wide(key.path());
        let mut open = ptr::null_mut();
        let rights = KEY_QUERY_VALUE | KEY_SET_VALUE | self.view;
        // SAFETY: the root is open and the path ends in a zero; it and the handle outlive the call. Nothing else is given
        // or asked for.
        #[expect(unsafe_code, reason = "the standard library knows no registry")]
        let code = unsafe {
            RegCreateKeyExW(
                self.root(),
                path.as_ptr(),
                0,
                ptr::null(),
                REG_OPTION_NON_VOLATILE,
                rights,
                ptr::null(),
                &raw mut open,
                ptr::null_mut(),
            )
        };
        done(code).map(|()| Key(open))
    }

    /// Removes a key without keys below it, with its values.
    fn delete(&self, key: &RegistryKey) -> io::Result<()> {
        let path = wide(key.path());
        // SAFETY: the root is open, and the path ends in a zero and outlives the call.
        #[expect(unsafe_code, reason = "the standard library knows no registry")]
        let code = unsafe {
            match self.view {
                // Only this one is there where there is one view only.
                0 => RegDeleteKeyW(self.root(), path.as_ptr()),
                view => RegDeleteKeyExW(self.root(), path.as_ptr(), view, 0),
            }
        };
        unless_absent(done(code)).map(drop)
    }

    fn write(&self, key: &RegistryKey, name: &str, value: &RegistryValue) -> io::Result<()> {
        let open = self.make(key)?;
        open.set(name, value)?;
        open.flush()?;
        match open.value(name)? {
            Some(found) if found == *value => Ok(()),
            found => Err(io::Error::other(format!("it reads {found:?} after {value:?} was written"))),
        }
    }

    fn remove(&self, key: &RegistryKey, name: &str) -> io::Result<()> {
        let Some(open) = self.open(key, KEY_QUERY_VALUE | KEY_SET_VALUE)? else { return Ok(()) };
        open.remove(name)?;
        open.flush()
    }

    fn remove_empty(&self, key: &RegistryKey) -> io::Result<()> {
        let Some(open) = self.open(key, KEY_QUERY_VALUE)? else { return Ok(()) };
        if !open.is_empty()? {
            return Ok(());
        }
        drop(open);
        self.delete(key)?;
        // That of a key directly below the root is flushed with any other.
        match key.parent().map(|parent| self.open(&parent, KEY_QUERY_VALUE)) {
            Some(parent) => parent?.map_or(Ok(()), |parent| parent.flush()),
            None => Ok(()),
        }
    }
}

impl Key {
    fn value(&self, name: &str) -> io::Result<Option<RegistryValue>> {
        let name = wide(name);
        let mut kind = 0;
        let filled = fill(MAX_VALUE, |data, length| {
            // SAFETY: the key is open and the name ends in a zero; `data` has as many bytes as `length` says, and all of
            // it outlives the call.
            #[expect(unsafe_code, reason = "the standard library knows no registry")]
            unsafe {
                RegQueryValueExW(self.0, name.as_ptr(), ptr::null(), &raw mut kind, data, length)
            }
        });
        let Some(filled) = unless_absent(filled)? else { return Ok(None) };
        let data = filled.words.iter().flat_map(|word| word.to_ne_bytes()).take(filled.bytes).collect();
        Ok(Some(RegistryValue { kind, data }))
    }

    fn set(&self, name: &str, value: &RegistryValue) -> io::Result<()> {
        let name = wide(name);
        let length = u32::try_from(value.data.len()).map_err(io::Error::other)?;
        let framed = framed(&value.data);
        // Of no bytes there is no address that the system may look at.
        let data = framed.get(FRAME..).filter(|_| length > 0).map_or(ptr::null(), <[u8]>::as_ptr);
        // SAFETY: the key is open and the name ends in a zero; the data has as many bytes as is said, with others that are
        // ours before and behind them, and all of it outlives the call.
        #[expect(unsafe_code, reason = "the standard library knows no registry")]
        let code = unsafe { RegSetValueExW(self.0, name.as_ptr(), 0, value.kind, data, length) };
        done(code)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let name = wide(name);
        // SAFETY: the key is open, and the name ends in a zero and outlives the call.
        #[expect(unsafe_code, reason = "the standard library knows no registry")]
        let code = unsafe { RegDeleteValueW(self.0, name.as_ptr()) };
        unless_absent(done(code)).map(drop)
    }

    /// Tells whether there is neither a key nor a value in it.
    fn is_empty(&self) -> io::Result<bool> {
        let (mut keys, mut values) = (0, 0);
        let (number, text, time) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: the key is open, and both numbers are ours and outlive the call. Nothing else is asked for.
        #[expect(unsafe_code, reason = "the standard library knows no registry")]
        let code = unsafe {
            RegQueryInfoKeyW(
                self.0,
                text,
                number,
                ptr::null(),
                &raw mut keys,
                number,
                number,
                &raw mut values,
                number,
                number,
                number,
                time,
            )
        };
        done(code).map(|()| (keys, values) == (0, 0))
    }

    /// Makes what was done in its hive durable.
    fn flush(&self) -> io::Result<()> {
        // SAFETY: the key is open.
        #[expect(unsafe_code, reason = "the standard library knows no registry")]
        let code = unsafe { RegFlushKey(self.0) };
        done(code)
    }
}

/// How many bytes the system may look at before and behind those of a text.
const FRAME: usize = 2;

/// Puts a zero before data and what is none behind it.
///
/// Where a text does not end in a zero, and one happens to follow in memory, Windows takes that for a part of it: what was
/// forgotten. Such a value is to be written as it was found. Of a text of one byte it looks at what stands before.
fn framed(data: &[u8]) -> Vec<u8> {
    [&[0; FRAME], data, &[0xff; FRAME]].concat()
}

fn unless_absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_code(&error, &ABSENT) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Registry for Live {
    fn value(&self, key: &RegistryKey, name: &str) -> Result<Option<RegistryValue>, HostError> {
        let value = self.open(key, KEY_QUERY_VALUE).and_then(|open| match open {
            Some(open) => open.value(name),
            None => Ok(None),
        });
        value.map_err(self.error("read", key, name))
    }

    fn has_key(&self, key: &RegistryKey) -> Result<bool, HostError> {
        self.open(key, KEY_QUERY_VALUE).map(|open| open.is_some()).map_err(self.error("look at", key, ""))
    }

    fn set_value(&self, key: &RegistryKey, name: &str, value: &RegistryValue) -> Result<(), HostError> {
        self.write(key, name, value).map_err(self.error("write to", key, name))
    }

    fn remove_value(&self, key: &RegistryKey, name: &str) -> Result<(), HostError> {
        self.remove(key, name).map_err(self.error("remove from", key, name))
    }

    fn remove_key(&self, key: &RegistryKey) -> Result<(), HostError> {
        self.remove_empty(key).map_err(self.error("remove", key, ""))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::host::{Credentials, RegistryAt};
    use crate::registry::{DWORD, EXPAND_SZ, MULTI_SZ, SZ};

    /// A key of one test, gone with all below it when this is dropped.
    struct Own(RegistryKey);

    impl Own {
        fn new(name: &str) -> Self {
            Self(format!(r"HKLM\SOFTWARE\qfe-{name}-{}", std::process::id()).parse().unwrap())
        }

        fn below(&self, path: &str) -> RegistryKey {
            format!(r"{}\{path}", self.0).parse().unwrap()
        }
    }

    impl Drop for Own {
        fn drop(&mut self) {
            reg(&["delete", &self.0.to_string(), "/f", "/reg:32"]);
        }
    }

    /// Runs Windows' own program.
    fn reg(args: &[&str]) -> String {
        String::from_utf8_lossy(&Command::new("reg").args(args).output().unwrap().stdout).into_owned()
    }

    #[test]
    fn every_kind_comes_back_as_it_was_written() {
        let own = Own::new("kinds");
        let odd = |kind, data: &[u8]| RegistryValue { kind, data: data.to_vec() };
        let values = [
            RegistryValue::text("2.00.1380.1000"),
            RegistryValue::text(""),
            RegistryValue::text("Stra\u{df}e \u{1f600}"),
            RegistryValue { kind: EXPAND_SZ, ..RegistryValue::text(r"%SystemRoot%\x") },
            RegistryValue::number(0xffff_fffe),
            RegistryValue::texts(["one", "two"]),
            RegistryValue::texts([]),
            odd(0, b""),
            odd(3, &[0, 1, 2, 255]),
            odd(5, &[0, 0, 0, 1]),
            odd(11, &[1, 2, 3, 4, 5, 6, 7, 8]),
            odd(8, b"resource list"),
            // What others leave: text without its zero, or of half a character, a short number, a kind of nobody's.
            odd(SZ, b"a\0b\0"),
            odd(SZ, b"a"),
            odd(SZ, b""),
            odd(MULTI_SZ, b"a\0"),
            odd(DWORD, &[1]),
            odd(0x1234, &[7]),
            odd(3, &vec![0x5a; 100_000]),
        ];
        for (number, value) in values.iter().enumerate() {
            let name = format!("value {number}");
            Live::local().set_value(&own.0, &name, value).unwrap();
            assert_eq!(Live::local().value(&own.0, &name).unwrap().as_ref(), Some(value));
            assert_eq!(Live::local().value(&own.0, &name.to_uppercase()).unwrap().as_ref(), Some(value));
        }
        Live::local().set_value(&own.0, "", &values[0]).unwrap();
        Live::local().set_value(&own.0, "", &values[4]).unwrap();
        assert_eq!(Live::local().value(&own.0, "").unwrap().as_ref(), Some(&values[4]));
        let shown = reg(&["query", &own.0.to_string(), "/v", "value 0", "/reg:32"]);
        assert!(shown.contains("REG_SZ") && shown.contains("2.00.1380.1000"), "{shown}");
    }

    #[test]
    fn a_value_longer_than_what_is_read_is_an_error() {
        let own = Own::new("long");
        let open = Live::local().make(&own.0).unwrap();
        open.set("long", &RegistryValue { kind: 3, data: vec![1; MAX_VALUE as usize + 1] }).unwrap();
        let refused = Live::local().value(&own.0, "long").unwrap_err();
        assert!(refused.to_string().contains("value long"), "{refused}");
    }

    #[test]
    fn keys_are_those_of_32_bit_programs() {
        let own = Own::new("view");
        Live::local().set_value(&own.0, "view", &RegistryValue::text("32")).unwrap();
        let redirected = own.0.redirected().unwrap();
        let native = Live { view: 0x100, ..Live::local() };
        let found = native.value(&redirected, "view").unwrap();
        assert_eq!(found.and_then(|value| value.as_text()).as_deref(), Some("32"));
        assert!(!native.has_key(&own.0).unwrap());
    }

    #[test]
    fn what_is_absent_is_none_and_removing_it_no_error() {
        let own = Own::new("absent");
        let live = Live::local();
        assert!(!live.has_key(&own.0).unwrap());
        assert_eq!(live.value(&own.0, "x").unwrap(), None);
        live.remove_value(&own.0, "x").unwrap();
        live.remove_key(&own.0).unwrap();
        live.set_value(&own.0, "y", &RegistryValue::number(1)).unwrap();
        assert!(live.has_key(&own.0).unwrap());
        assert_eq!(live.value(&own.0, "x").unwrap(), None);
        assert_eq!(live.value(&own.below(r"a\b"), "x").unwrap(), None);
        live.remove_value(&own.0, "x").unwrap();
        live.remove_value(&own.0, "Y").unwrap();
        assert_eq!(live.value(&own.0, "y").unwrap(), None);
    }

    #[test]
    fn a_key_is_removed_only_once_nothing_is_in_it() {
        let own = Own::new("empty");
        let live = Live::local();
        let below = own.below(r"a\b");
        live.set_value(&below, "x", &RegistryValue::text("x")).unwrap();
        // The first holds a key, the last a value.
        for key in [&own.0, &below.parent().unwrap(), &below] {
            live.remove_key(key).unwrap();
            assert!(live.has_key(key).unwrap(), "{key}");
        }
        live.remove_value(&below, "x").unwrap();
        for key in [&below, &below.parent().unwrap(), &own.0] {
            live.remove_key(key).unwrap();
            assert!(!live.has_key(key).unwrap(), "{key}");
        }
    }

    #[test]
    fn a_machine_that_is_not_reached_is_named() {
        let at: RegistryAt = "rpc:qfe-no-machine".parse().unwrap();
        let credentials: Credentials = None;
        let refused = at.open(&credentials).err().unwrap();
        assert_eq!(refused.to_string(), r"cannot open the registry's keys on \\qfe-no-machine");
        assert!(
            matches!(refused.kind(), HostErrorKind::Registry { source, .. } if is_code(source, &[53, 1722]))
        );
    }
}
