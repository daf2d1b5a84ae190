//! COM servers around a run: a real one (`component.c`), registered by Wine's `regsvr32` as it writes into the registry.
//!
//! It is of 32 bits, as the product is; a patcher of 64 bits must have it registered by the other `regsvr32`.

use std::fs;
use std::path::{Path, PathBuf};

use qfe_patcher::exit::ExitCode;
use qfe_tests::updates::Fix;
use qfe_tests::wine::{Bits, Machine, compiled};

use crate::site::{Site, ends};

const KEY: &str = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SMS\qfe component";
const REGSVR32: &str = r"C:\windows\syswow64\regsvr32.exe";
const PATH: &str = r"C:\Sms\Bin\i386\Component.dll";

/// Returns a version of the COM server: the third cannot be registered.
fn component(version: usize) -> PathBuf {
    let define = format!("-DVERSION={version}");
    let fails = if version == 3 { "-DFAILS" } else { "-UFAILS" };
    let flags = ["-shared", "-Wl,--kill-at", &define, fails];
    compiled(&format!("component{version}.dll"), include_str!("../../src/wine/component.c"), &flags)
}

/// Builds an update of the first version to another one.
fn update_to(version: usize) -> (Fix, PathBuf) {
    let fix = Fix::new("C1", 1380, "").image("Other.dll", "2.0.1380.1000", "2.0.1380.1100", "");
    for (tree, version) in [("baseline", 1), ("update", version)] {
        fs::copy(component(version), fix.path(tree).join("i386/Component.dll")).unwrap();
    }
    let fix = fix.with("[[file]]\nname = 'Component.dll'\nplatforms = ['i386']\nregister = true\n");
    let bundle = fix.build();
    (fix, bundle)
}

/// Furnishes a site with the first version, registered.
fn site(bits: Bits, fix: &Fix) -> Option<Site> {
    let site = Site::live(bits)?;
    for name in ["Component.dll", "Other.dll"] {
        fs::write(place(&site.machine, name), fix.file("baseline", "i386", name)).unwrap();
    }
    assert_eq!(site.machine.program(REGSVR32, ["/s", PATH]).status, 0);
    assert_eq!(events(&site.machine), ["+1"]);
    Some(site)
}

fn place(machine: &Machine, name: &str) -> PathBuf {
    machine.disk("Sms/Bin/i386").join(name)
}

/// Returns what happened to the COM server since this was asked last: by version, registered (+) or no more (-).
fn events(machine: &Machine) -> Vec<String> {
    let log = machine.disk("components.log");
    let text = fs::read_to_string(&log).unwrap_or_default();
    // There is none where nothing happened.
    drop(fs::remove_file(log));
    text.lines().map(str::to_owned).collect()
}

/// Requires that this version is there, and the one that is registered.
#[track_caller]
fn is_version(site: &Site, version: usize) {
    let found = fs::read(place(&site.machine, "Component.dll")).unwrap();
    assert!(found == fs::read(component(version)).unwrap(), "version {version} is not there");
    let registered = site.machine.registry_value(Bits::B32, KEY, "Version");
    assert_eq!(registered, Some(("REG_DWORD".to_owned(), format!("0x{version:x}"))));
}

#[track_caller]
fn other_is(site: &Site, fix: &Fix, tree: &str) {
    let found = fs::read(place(&site.machine, "Other.dll")).unwrap();
    assert!(found == fix.file(tree, "i386", "Other.dll"), "the other file is not of the {tree}");
}

#[track_caller]
fn apply(site: &Site, bundle: &Path, code: ExitCode) -> qfe_tests::programs::Run {
    ends(site.update_by(bundle), code)
}

#[test]
fn the_old_one_is_unregistered_before_and_the_new_one_registered_after_the_swap_and_back() {
    let (fix, bundle) = update_to(2);
    for bits in Bits::ALL {
        let Some(site) = site(bits, &fix) else { return };
        apply(&site, &bundle, ExitCode::Success);
        assert_eq!(events(&site.machine), ["-1", "+2"]);
        is_version(&site, 2);
        other_is(&site, &fix, "update");
        ends(site.run("rollback"), ExitCode::Success);
        assert_eq!(events(&site.machine), ["-2", "+1"]);
        is_version(&site, 1);
        other_is(&site, &fix, "baseline");
    }
}

#[test]
fn one_that_cannot_be_registered_fails_the_run_which_is_rolled_back() {
    let (fix, bundle) = update_to(3);
    for bits in Bits::ALL {
        let Some(site) = site(bits, &fix) else { return };
        apply(&site, &bundle, ExitCode::Failed).says(&["Component.dll", "the COM server refused"]);
        assert_eq!(events(&site.machine), ["-1", "-3", "+1"]);
        is_version(&site, 1);
        other_is(&site, &fix, "baseline");
        let status = ends(site.run("status"), ExitCode::Success).json();
        assert_eq!(status["updates"][0]["state"], "rolled-back", "{status}");
    }
}

#[test]
fn one_in_use_is_left_registered_and_with_the_restart_nothing_is_registered_before() {
    let (fix, bundle) = update_to(2);
    let Some(site) = site(Bits::B32, &fix) else { return };
    let held = site.machine.load(PATH);
    let mut words = site.update_words(&bundle, &["--wait", "0"]);
    ends(site.machine.patcher(&words), ExitCode::InUse);
    assert!(events(&site.machine).is_empty());
    is_version(&site, 1);
    words.push("--on-restart".into());
    ends(site.machine.patcher(&words), ExitCode::RestartNeeded);
    is_version(&site, 1);
    drop(held);
    site.machine.restart();
    ends(site.run("recover"), ExitCode::Success);
    is_version(&site, 2);
    assert_eq!(events(&site.machine), ["+2"]);
}
