//! Changes of both formats, held against a model.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::export::Export;
use super::hive::{Hive, fixture};
use super::{Change, RegistryKey, RegistryValue};

const KEYS: [&str; 6] = [
    r"HKLM\SOFTWARE\a",
    r"HKLM\SOFTWARE\A\b",
    r"HKLM\software\a\B\c",
    r"HKLM\SOFTWARE\Microsoft\SMS",
    r"HKLM\SOFTWARE\a]\[-b",
    r"HKLM\SOFTWARE\aa",
];
const NAMES: [&str; 5] = ["", "Full Version", "full VERSION 2", r#"q"\"#, "Größe"];

/// Keys that are there of themselves, and the values in each, without case.
struct Model {
    /// Whether those above a key are made with it.
    makes_parents: bool,
    keys: BTreeSet<String>,
    values: BTreeMap<(String, String), RegistryValue>,
}

fn folded(text: &str) -> String {
    text.to_ascii_uppercase()
}

impl Model {
    fn is_below(&self, key: &str) -> bool {
        let start = format!("{key}\\");
        self.keys.iter().any(|other| other.starts_with(&start))
    }

    fn has_key(&self, key: &RegistryKey) -> bool {
        let key = folded(&key.path());
        self.keys.contains(&key) || self.is_below(&key)
    }

    fn value(&self, key: &RegistryKey, name: &str) -> Option<RegistryValue> {
        self.values.get(&(folded(&key.path()), folded(name))).cloned()
    }

    fn change(&mut self, key: &RegistryKey, change: &Change<'_>) {
        let path = folded(&key.path());
        match change {
            Change::SetValue(name, value) => {
                let mut made = Some(key.clone());
                while let Some(key) = made {
                    self.keys.insert(folded(&key.path()));
                    made = key.parent().filter(|_| self.makes_parents);
                }
                self.values.insert((path, folded(name)), (*value).clone());
            }
            Change::RemoveValue(name) => drop(self.values.remove(&(path, folded(name)))),
            Change::RemoveKey => {
                if !self.is_below(&path) && !self.values.keys().any(|(key, _)| *key == path) {
                    self.keys.remove(&path);
                }
            }
        }
    }
}

/// What is done in one step: a key, a name, and a value that is set; else it is removed, or the key.
type Step = (usize, usize, Option<(u32, Vec<u8>)>, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let data = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        "[a-z\"\\\\]{0,12}".prop_map(|text| RegistryValue::text(&text).data),
    ];
    let value = proptest::option::of((0..12_u32, data));
    proptest::collection::vec((0..KEYS.len(), 0..NAMES.len(), value, any::<bool>()), 1..40)
}

/// Takes the steps; after each one everything is as in the model.
fn hold<F>(
    mut model: Model,
    mut file: F,
    steps: &[Step],
    change: impl Fn(F, &RegistryKey, &Change<'_>) -> F,
    look: impl Fn(&F, &RegistryKey, &str) -> (bool, Option<RegistryValue>),
) -> Result<(), TestCaseError> {
    for (key, name, value, is_key) in steps {
        let (key, name): (RegistryKey, _) = (KEYS[*key].parse().unwrap(), NAMES[*name]);
        let value = value.clone().map(|(kind, data)| RegistryValue { kind, data });
        let step = match &value {
            Some(value) => Change::SetValue(name, value),
            None if *is_key => Change::RemoveKey,
            None => Change::RemoveValue(name),
        };
        model.change(&key, &step);
        file = change(file, &key, &step);
        for key in KEYS {
            let key: RegistryKey = key.parse().unwrap();
            for key in [key.clone(), key.parent().unwrap()] {
                for name in NAMES {
                    let wanted = (model.has_key(&key), model.value(&key, name));
                    prop_assert_eq!(look(&file, &key, name), wanted, "{} {} {:?}", key, name, step);
                }
            }
        }
    }
    Ok(())
}

// SOFTWARE has a section of its own: what makes a key below it and takes that back leaves it, what is struck out does not.
const EXPORT: &str = "Windows Registry Editor Version 5.00\r\n\r\n\
    [HKEY_LOCAL_MACHINE\\SOFTWARE]\r\n\r\n\
    [HKEY_LOCAL_MACHINE\\SOFTWARE\\a\\b]\r\n\"Full Version\"=\"old\"\r\n\r\n\
    [-HKEY_LOCAL_MACHINE\\SOFTWARE\\a\\b]\r\n\
    [HKEY_LOCAL_MACHINE\\SOFTWARE\\aa]\r\n\"Full Version\"=dword:1\r\n\"Full Version\"=-\r\n\
    [-HKEY_LOCAL_MACHINE\\SOFTWARE\\aa\\b]\r\n\
    [HKEY_LOCAL_MACHINE\\SOFTWARE\\aa]\r\n\"full version\"=\"x\"\r\n; end";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_export_is_as_its_changes_say(steps in steps(), is_wide: bool) {
        let mut model = Model { makes_parents: false, keys: BTreeSet::new(), values: BTreeMap::new() };
        model.keys.extend(["SOFTWARE", r"SOFTWARE\A", r"SOFTWARE\AA"].map(str::to_owned));
        let value = (r"SOFTWARE\AA".to_owned(), "FULL VERSION".to_owned());
        model.values.insert(value, RegistryValue::text("x"));
        let mut bytes = EXPORT.as_bytes().to_vec();
        if is_wide {
            bytes = ['\u{feff}'].into_iter().chain(EXPORT.chars()).collect::<String>()
                .encode_utf16().flat_map(u16::to_le_bytes).collect();
        }
        hold(
            model,
            bytes,
            &steps,
            |bytes, key, change| {
                let mut export = Export::read(&bytes).unwrap();
                export.change(key, change).unwrap();
                export.to_bytes()
            },
            |bytes, key, name| {
                let export = Export::read(bytes).unwrap();
                (export.has_key(key).unwrap(), export.value(key, name).unwrap())
            },
        )?;
    }

    #[test]
    fn a_hive_is_as_its_changes_say(steps in steps(), minor in 3..=6_u32) {
        let mut model = Model { makes_parents: true, keys: BTreeSet::new(), values: BTreeMap::new() };
        model.keys.insert("SOFTWARE".to_owned());
        hold(
            model,
            Hive::read(fixture::minimal(minor, "SOFTWARE")).unwrap(),
            &steps,
            |hive, key, change| hive.changed(key, change).unwrap(),
            |hive, key, name| (hive.has_key(key).unwrap(), hive.value(key, name).unwrap()),
        )?;
    }
}
