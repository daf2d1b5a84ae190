//! Registries in files, held against hivex: what it writes is read, and what is written here it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use qfe_patcher::host::Registry;
use qfe_patcher::host::RegistryAt;
use qfe_patcher::registry::{BINARY, EXPAND_SZ, RegistryKey, RegistryValue};
use qfe_tests::args;
use qfe_tests::programs::{has_tool, tool};

#[path = "../../../patcher/src/registry/hive/fixture.rs"]
#[allow(dead_code, unreachable_pub, reason = "the unit tests of the patcher use the rest")]
mod fixture;

const PREFIX: &str = r"HKEY_LOCAL_MACHINE\SOFTWARE";
const SETUP: &str = r"Microsoft\SMS\Setup";

const EXPORT: &str = "Windows Registry Editor Version 5.00\n\n\
    [HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft]\n\n\
    [HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SMS]\n\n\
    [HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SMS\\Setup]\n\
    \"Full Version\"=\"2.00.1239.0000\"\n\
    \"Type\"=dword:00000001\n\
    @=\"default\"\n\
    \"Path\"=hex(2):25,00,53,00,25,00,00,00\n\
    \"Binary\"=hex:01,02,03,04,05\n";

fn key(below: &str) -> RegistryKey {
    format!(r"HKLM\SOFTWARE\{below}").parse().unwrap()
}

fn open(path: &Path) -> Box<dyn Registry> {
    RegistryAt::File(path.to_owned()).open(&None).unwrap()
}

/// What `EXPORT` says.
fn require_exported_values(registry: &dyn Registry) {
    let values = [
        ("full version", RegistryValue::text("2.00.1239.0000")),
        ("Type", RegistryValue::number(1)),
        ("", RegistryValue::text("default")),
        ("Path", RegistryValue { kind: EXPAND_SZ, data: RegistryValue::text("%S%").data }),
        ("Binary", RegistryValue { kind: BINARY, data: vec![1, 2, 3, 4, 5] }),
    ];
    for (name, value) in values {
        assert_eq!(registry.value(&key(SETUP), name).unwrap(), Some(value), "{name}");
    }
    assert!(registry.has_key(&key("Microsoft")).unwrap());
    assert!(!registry.has_key(&key(r"Microsoft\SMS\Setup\Below")).unwrap());
}

/// Makes a hive of `EXPORT`, by hivex but for the empty one.
fn merged(folder: &Path) -> PathBuf {
    let (hive, export) = (folder.join("SOFTWARE"), folder.join("setup.reg"));
    fs::write(&hive, fixture::minimal(5, "SOFTWARE")).unwrap();
    fs::write(&export, EXPORT).unwrap();
    tool("hivexregedit", folder, args!["--merge", "--prefix", PREFIX, &hive, &export]);
    hive
}

#[test]
fn a_hive_that_hivex_wrote_is_read() {
    if !has_tool("hivexregedit") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    require_exported_values(&*open(&merged(folder.path())));
}

#[test]
fn an_export_that_hivex_wrote_is_read() {
    if !has_tool("hivexregedit") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hive = merged(folder.path());
    let run = tool("hivexregedit", folder.path(), args!["--export", "--prefix", PREFIX, &hive, r"\"]);
    assert!(run.stdout.contains("hex(1):"), "{}", run.stdout);
    let export = folder.path().join("again.reg");
    fs::write(&export, run.stdout).unwrap();
    require_exported_values(&*open(&export));
}

#[test]
fn a_hive_that_is_changed_here_is_read_and_written_by_hivex() {
    if !has_tool("hivexget") || !has_tool("hivexregedit") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hive = merged(folder.path());
    let registry = open(&hive);
    registry.set_value(&key(SETUP), "Full Version", &RegistryValue::text("2.00.1380.1000 (SP1)")).unwrap();
    registry.set_value(&key(SETUP), "Provider Location", &RegistryValue::text("PRIMARY")).unwrap();
    registry.set_value(&key(SETUP), "Type", &RegistryValue::number(2)).unwrap();
    registry.remove_value(&key(SETUP), "Binary").unwrap();
    let mut names: Vec<String> = (0..40).map(|number| format!("Key {}", number * 7 % 40)).collect();
    names.push(r"Microsoft\Updates\SMS 2.0\SP2\Q252717".to_owned());
    for name in &names {
        registry.set_value(&key(name), "Installed", &RegistryValue::text(name)).unwrap();
    }
    registry.remove_value(&key("Key 7"), "Installed").unwrap();
    registry.remove_key(&key("Key 7")).unwrap();

    let hivex = |below: &str, name: &str| {
        tool("hivexget", folder.path(), args![&hive, below, name]).stdout.trim_end().to_owned()
    };
    assert_eq!(hivex(SETUP, "Full Version"), "2.00.1380.1000 (SP1)");
    assert_eq!(hivex(SETUP, "Provider Location"), "PRIMARY");
    assert_eq!(hivex(SETUP, "Type"), "2");
    for name in names.iter().filter(|name| *name != "Key 7") {
        assert_eq!(hivex(name, "Installed"), *name);
    }
    let run = tool("hivexregedit", folder.path(), args!["--export", "--prefix", PREFIX, &hive, r"\"]);
    assert!(!run.stdout.contains("Key 7]") && !run.stdout.contains("Binary"), "{}", run.stdout);

    // It checks every list and cell when it writes.
    let export = folder.path().join("setup.reg");
    tool("hivexregedit", folder.path(), args!["--merge", "--prefix", PREFIX, &hive, &export]);
    require_exported_values(&*open(&hive));
    assert_eq!(open(&hive).value(&key("Key 8"), "Installed").unwrap(), Some(RegistryValue::text("Key 8")));
}

#[test]
fn an_export_that_is_changed_here_is_merged_by_hivex() {
    if !has_tool("hivexget") || !has_tool("hivexregedit") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (hive, export) = (folder.path().join("SOFTWARE"), folder.path().join("setup.reg"));
    fs::write(&hive, fixture::minimal(3, "SOFTWARE")).unwrap();
    fs::write(&export, EXPORT).unwrap();
    let registry = open(&export);
    registry.set_value(&key(SETUP), "Full Version", &RegistryValue::text(r"2.00.1380.1000 \")).unwrap();
    registry.set_value(&key(r"Microsoft\New"), "Text", &RegistryValue::text("new")).unwrap();
    registry
        .set_value(&key(r"Microsoft\New"), "Data", &RegistryValue { kind: 7, data: vec![65, 0, 0, 0, 0, 0] })
        .unwrap();
    tool("hivexregedit", folder.path(), args!["--merge", "--prefix", PREFIX, &hive, &export]);
    let registry = open(&hive);
    assert_eq!(
        registry.value(&key(SETUP), "Full Version").unwrap(),
        Some(RegistryValue::text(r"2.00.1380.1000 \"))
    );
    assert_eq!(registry.value(&key(r"Microsoft\New"), "Text").unwrap(), Some(RegistryValue::text("new")));
    let data = registry.value(&key(r"Microsoft\New"), "Data").unwrap();
    assert_eq!(data, Some(RegistryValue { kind: 7, data: vec![65, 0, 0, 0, 0, 0] }));
}

#[test]
fn an_export_as_regedit_writes_it_is_read_and_keeps_its_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("setup.reg");
    let text = format!("\u{feff}{EXPORT}\n").replace('\n', "\r\n");
    let before: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(&path, &before).unwrap();
    let registry = open(&path);
    require_exported_values(&*registry);
    let new = key(r"Microsoft\New");
    registry.set_value(&new, "Größe", &RegistryValue::text("€")).unwrap();
    let after = fs::read(&path).unwrap();
    let added = "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\New]\r\n\"Größe\"=\"€\"\r\n\r\n";
    let added: Vec<u8> = added.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(after, [before.as_slice(), &added].concat());
    registry.remove_value(&new, "Größe").unwrap();
    registry.remove_key(&new).unwrap();
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// Numbers that look random and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }
}

#[test]
fn hives_after_many_changes_say_the_same_to_hivex_as_a_model() {
    if !has_tool("hivexget") || !has_tool("hivexregedit") {
        return;
    }
    let keys = [r"a", r"A\b", r"a\b\c", r"Microsoft\SMS", r"Zebra", r"Microsoft\SMS\Setup"];
    let names = ["", "Full Version", "Type", "Größe", "Long"];
    let folder = tempfile::tempdir().unwrap();
    for (seed, minor) in [(1, 3), (2, 4), (3, 5), (4, 6)] {
        let mut numbers = Numbers(seed);
        let hive = folder.path().join(format!("SOFTWARE{seed}"));
        fs::write(&hive, fixture::minimal(minor, "SOFTWARE")).unwrap();
        let registry = open(&hive);
        let (mut made, mut values) = (BTreeSet::new(), BTreeMap::new());
        for _ in 0..300 {
            let (name, at) = (names[numbers.next(names.len())], keys[numbers.next(keys.len())]);
            let path = at.to_ascii_uppercase();
            match numbers.next(8) {
                0..5 => {
                    let text: String =
                        (0..numbers.next(60)).map(|_| ['x', 'ß', '€'][numbers.next(3)]).collect();
                    registry.set_value(&key(at), name, &RegistryValue::text(&text)).unwrap();
                    values.insert((path.clone(), name), text);
                    let ends = path.match_indices('\\').map(|(end, _)| end);
                    made.extend(ends.chain([path.len()]).map(|end| path[..end].to_owned()));
                }
                5..7 => {
                    registry.remove_value(&key(at), name).unwrap();
                    values.remove(&(path, name));
                }
                _ => {
                    registry.remove_key(&key(at)).unwrap();
                    let below = format!("{path}\\");
                    if !values.keys().any(|(key, _)| *key == path)
                        && !made.iter().any(|key| key.starts_with(&below))
                    {
                        made.remove(&path);
                    }
                }
            }
        }
        for ((at, name), text) in &values {
            let name = if name.is_empty() { "@" } else { name };
            let found = tool("hivexget", folder.path(), args![&hive, at, name]).stdout;
            assert_eq!(found.trim_end_matches('\n'), text, "{seed} {at} {name}");
        }
        let run = tool("hivexregedit", folder.path(), args!["--export", "--prefix", PREFIX, &hive, r"\"]);
        let export = folder.path().join("all.reg");
        fs::write(&export, &run.stdout).unwrap();
        let sections: BTreeSet<String> = run
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'))
            .map(below_prefix)
            .collect();
        made.insert(String::new());
        assert_eq!(sections, made, "{seed}");
        assert_eq!(run.stdout.lines().filter(|line| line.starts_with(['"', '@'])).count(), values.len());
        // Its export has other names in Latin-1.
        for ((at, name), text) in values.iter().filter(|((_, name), _)| name.is_ascii()) {
            let found = open(&export).value(&key(at), name).unwrap();
            assert_eq!(found, Some(RegistryValue::text(text)), "{seed} {at} {name}");
        }
    }
}

/// Returns the path of a section below that of the hive, without case.
fn below_prefix(section: &str) -> String {
    section.strip_prefix(PREFIX).unwrap().trim_start_matches('\\').to_ascii_uppercase()
}
