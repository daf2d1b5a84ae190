//! Files that hold a registry.

use qfe_patcher::registry::export::Export;
use qfe_patcher::registry::hive::Hive;
use qfe_patcher::registry::{BINARY, Change, RegistryKey, RegistryValue, SZ};

use super::Target;
use fixture::{Cells, Key};

#[path = "../../../patcher/src/registry/hive/fixture.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it is written for the unit tests of the patcher"
)]
mod fixture;

/// The reader and writer of exports.
pub(super) const EXPORT: Target = Target {
    name: "export",
    reads: "an export of a registry (.reg), to look at and to change",
    run: export,
    seeds: exports,
    words: &[
        b"REGEDIT4\n",
        b"Windows Registry Editor Version 5.00\r\n",
        b"[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SMS\\Setup]\r\n",
        b"[-HKEY_LOCAL_MACHINE\\SOFTWARE",
        b"HKLM\\",
        b"\"Full Version\"=",
        b"@=",
        b"\"=-\r\n",
        b"dword:",
        b"hex:",
        b"hex(2):",
        b"hex(7):",
        b",\\\r\n  ",
        b"\\\\",
        b"\\\"",
        b"; ",
        b"\r\n",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
    ],
    largest: 16 << 10,
};

/// The reader and writer of hives.
pub(super) const HIVE: Target = Target {
    name: "hive",
    reads: "the bins of a hive behind the first words of its base block, to look at and to change",
    run: hive,
    seeds: || hives().iter().map(|hive| without_zeros(hive)).collect(),
    words: &[
        b"regf",
        b"hbin",
        b"nk",
        b"vk",
        b"sk",
        b"lf\x01\0",
        b"lh\x01\0",
        b"li\x01\0",
        b"ri\x01\0",
        b"db\x02\0",
        &[255; 4],
        &[0; 4],
        b"\x00\x10\0\0",
        b"\x20\0\0\0",
        b"\xf8\xff\xff\xff",
        b"Microsoft",
        b"Classes",
        b"Select",
        b"Current",
        b"Setup",
        b"SMS",
    ],
    largest: 64 << 10,
};

/// Keys that are looked at and changed.
const KEYS: [&str; 4] = [
    r"HKLM\SOFTWARE\Microsoft\SMS\Setup",
    r"HKLM\SOFTWARE\Microsoft",
    r"HKLM\SOFTWARE\New\Below",
    r"HKLM\SYSTEM\CurrentControlSet\Services",
];
/// Names of values that are.
const NAMES: [&str; 3] = ["Full Version", "Type", ""];

/// A registry in a file.
trait Registry: Sized {
    fn value(&self, key: &RegistryKey, name: &str) -> Option<Option<RegistryValue>>;
    fn has_key(&self, key: &RegistryKey) -> Option<bool>;
    fn changed(&self, key: &RegistryKey, change: &Change<'_>) -> Option<Self>;
    fn again(&self) -> Option<Self>;
}

impl Registry for Export {
    fn value(&self, key: &RegistryKey, name: &str) -> Option<Option<RegistryValue>> {
        Self::value(self, key, name).ok()
    }

    fn has_key(&self, key: &RegistryKey) -> Option<bool> {
        Self::has_key(self, key).ok()
    }

    fn changed(&self, key: &RegistryKey, change: &Change<'_>) -> Option<Self> {
        let mut changed = self.clone();
        changed.change(key, change).ok().map(|()| changed)
    }

    fn again(&self) -> Option<Self> {
        Self::read(&self.to_bytes()).ok()
    }
}

impl Registry for Hive {
    fn value(&self, key: &RegistryKey, name: &str) -> Option<Option<RegistryValue>> {
        Self::value(self, key, name).ok()
    }

    fn has_key(&self, key: &RegistryKey) -> Option<bool> {
        Self::has_key(self, key).ok()
    }

    fn changed(&self, key: &RegistryKey, change: &Change<'_>) -> Option<Self> {
        self.clone().changed(key, change).ok()
    }

    fn again(&self) -> Option<Self> {
        Self::read(self.clone().into_bytes()).ok()
    }
}

fn export(input: &[u8]) {
    if let Ok(export) = Export::read(input) {
        assert!(export.to_bytes() == input, "an export comes back as it was");
        look_and_change(&export);
    }
}

fn hive(input: &[u8]) {
    drop(Hive::read(input.to_vec()));
    if let Ok(hive) = Hive::read(with_zeros(input)) {
        look_and_change(&hive);
    }
}

/// Looks at every key and makes each change to each; what was changed can be read again and says so.
fn look_and_change(file: &impl Registry) {
    let long = RegistryValue { kind: BINARY, data: vec![7; 20_000] };
    let values = [
        RegistryValue::text("2.00.1239.0000"),
        RegistryValue::number(1),
        RegistryValue::texts(["a", ""]),
        long,
    ];
    for key in KEYS {
        let key: RegistryKey = key.parse().expect("it is a key");
        let has_key = file.has_key(&key);
        for (name, value) in NAMES.iter().zip(&values) {
            let found = file.value(&key, name);
            // Nothing is found below a key that is not there.
            assert!(
                !(has_key == Some(false) && matches!(found, Some(Some(_)))),
                "{key} is not there, {name:?} in it is"
            );
            if let Some(changed) = file.changed(&key, &Change::SetValue(name, value)) {
                let again = changed.again().expect("what was changed can be read");
                assert_eq!(again.value(&key, name), Some(Some(value.clone())), "{key} {name:?} was set");
            }
            if let Some(changed) = file.changed(&key, &Change::RemoveValue(name)) {
                let again = changed.again().expect("what was changed can be read");
                assert_eq!(again.value(&key, name), Some(None), "{key} {name:?} was removed");
            }
        }
        if let Some(changed) = file.changed(&key, &Change::RemoveKey) {
            assert!(changed.again().is_some(), "what was changed can be read");
        }
    }
}

/// Bytes of a base block that say anything, but for its checksum.
const BASE_WORDS: usize = 112;
/// Size of a base block, and what bins are multiples of.
const BLOCK: usize = 4096;
/// Where the checksum of a base block stands.
const CHECKSUM_AT: usize = 508;

/// Makes a hive of an input: fills the base block and the last bin with zeros, and computes the checksum.
fn with_zeros(input: &[u8]) -> Vec<u8> {
    let (base, bins) = input.split_at(input.len().min(BASE_WORDS));
    let mut hive = base.to_vec();
    hive.resize(BLOCK, 0);
    let words = hive.as_chunks::<4>().0.iter().take(CHECKSUM_AT / 4);
    let sum = match words.fold(0, |sum, word| sum ^ u32::from_le_bytes(*word)) {
        0 => 1,
        u32::MAX => u32::MAX - 1,
        sum => sum,
    };
    hive.splice(CHECKSUM_AT..CHECKSUM_AT + 4, sum.to_le_bytes());
    hive.extend(bins);
    hive.resize(hive.len().next_multiple_of(BLOCK), 0);
    hive
}

/// Makes an input of a hive.
fn without_zeros(hive: &[u8]) -> Vec<u8> {
    let end = hive.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let parts = [hive.get(..BASE_WORDS), hive.get(BLOCK..end)];
    parts.map(Option::unwrap_or_default).concat()
}

/// Makes hives with every kind of list, of names and of data.
fn hives() -> Vec<Vec<u8>> {
    let mut hives: Vec<Vec<u8>> = ["lf", "lh", "li", "ri"].into_iter().map(hive_with).collect();
    hives.push(hive_with_segments());
    let mut cells = Cells::default();
    let current = cells.value("Current", true, 4, &[1, 0, 0, 0]);
    let values = cells.list(b"", &[current], 4);
    let services = cells.key(&Key { name: "Services", ..Key::default() });
    let below = cells.list(b"lf", &[services], 8);
    let set = cells.key(&Key { name: "ControlSet001", keys: (1, below), ..Key::default() });
    let select = cells.key(&Key { name: "Select", values: (1, values), ..Key::default() });
    let list = cells.list(b"lh", &[set, select], 8);
    let root = cells.key(&Key { name: "$$$", keys: (2, list), ..Key::default() });
    hives.push(cells.hive(root, 5, ""));
    hives
}

/// Makes a hive with keys in a list of this kind, the values of which have both kinds of names and of data.
fn hive_with(list: &str) -> Vec<u8> {
    let mut cells = Cells::default();
    let security = cells.security(4);
    let text = cells.value("Full Version", false, SZ, &RegistryValue::text("2.0").data);
    let inline = cells.value("", true, BINARY, &[1, 2, 3]);
    let values = cells.list(b"", &[text, inline], 4);
    let setup = cells.key(&Key { name: "Setup", values: (2, values), security, ..Key::default() });
    let setups = cells.list(b"lf", &[setup], 8);
    let sms = cells.key(&Key { name: "SMS", is_latin: false, keys: (1, setups), security, ..Key::default() });
    let products = cells.list(b"li", &[sms], 4);
    let leaves = ["Classes", "Microsoft"].map(|name| {
        let keys = if name == "Classes" { (0, u32::MAX) } else { (1, products) };
        cells.key(&Key { name, keys, security, ..Key::default() })
    });
    let list = match list {
        "ri" => {
            let lists = leaves.map(|leaf| cells.list(b"li", &[leaf], 4));
            cells.list(b"ri", &lists, 4)
        }
        "li" => cells.list(b"li", &leaves, 4),
        list => cells.list(list.as_bytes(), &leaves, 8),
    };
    let root = cells.key(&Key { name: "$$$", keys: (2, list), security, ..Key::default() });
    cells.hive(root, 3, "")
}

/// Makes a hive with data that stand in two segments.
fn hive_with_segments() -> Vec<u8> {
    let mut cells = Cells::default();
    let segments = [16_344, 8].map(|size| cells.add(&vec![7; size]));
    let list = cells.list(b"", &segments, 4);
    let data = cells.add(&[&b"db\x02\0"[..], &list.to_le_bytes()].concat());
    let value = cells.value_at("Type", BINARY, 16_352, data);
    let values = cells.list(b"", &[value], 4);
    let key = cells.key(&Key { name: "Microsoft", values: (1, values), ..Key::default() });
    let list = cells.list(b"lf", &[key], 8);
    let root = cells.key(&Key { name: "$$$", keys: (1, list), ..Key::default() });
    cells.hive(root, 5, "")
}

/// Makes exports of both versions in every encoding.
fn exports() -> Vec<Vec<u8>> {
    let lines = "\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SMS\\Setup]\r\n; by hand\r\n@=\"default\"\r\n\
        \"Full Version\"=\"2.00.1239.0000\" ; old\r\n\"Path \\\"x\\\"\"=\"C:\\\\SMS\\\\\"\r\n\"Type\"=dword:0000000A\r\n\
        \"Lines\"=\"one\r\n[two]\"\r\n\"Gone\"=-\r\n\"Binary\"=hex:01,02,\\\r\n  FF, \\\r\n  10\r\n\"Odd\"=hex(100000):07,\r\n\
        \"Expanded\"=hex(2):25,00,00,00\r\n\"List\"=hex(7):61,00,00,00,00,00\r\n\r\n[HKEY_CURRENT_USER\\Software]\r\n\
        \"x\"=dword:1\r\n[-HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Old]\r\n[HKLM\\SOFTWARE\\a]b]\r\n\"é\"=\"ü\"";
    let five = format!("Windows Registry Editor Version 5.00\r\n{lines}");
    let units = || ['\u{feff}'].into_iter().chain(five.chars()).collect::<String>();
    // One byte each in Windows-1252.
    let four = format!("REGEDIT4\r\n{lines}")
        .chars()
        .map(|letter| u8::try_from(u32::from(letter)).unwrap_or(b'?'))
        .collect();
    vec![
        four,
        five.clone().into_bytes(),
        units().into_bytes(),
        units().encode_utf16().flat_map(u16::to_le_bytes).collect(),
        units().encode_utf16().flat_map(u16::to_be_bytes).collect(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hives_come_back_from_the_inputs_made_of_them() {
        for hive in hives() {
            assert!(with_zeros(&without_zeros(&hive)) == hive);
            Hive::read(hive).unwrap();
        }
        let key = r"HKLM\SOFTWARE\Microsoft".parse().unwrap();
        let value = Hive::read(hive_with_segments()).unwrap().value(&key, "type").unwrap();
        assert_eq!(value.map(|value| value.data.len()), Some(16_352));
        for export in exports() {
            Export::read(&export).unwrap();
        }
    }
}
