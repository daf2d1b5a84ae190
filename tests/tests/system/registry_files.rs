//! Registries in files, held against hivex: what it writes is read, and what is written here it reads.

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
