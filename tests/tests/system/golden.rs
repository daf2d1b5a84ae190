//! What earlier versions of the patcher left is recovered by this one, whatever changes: `golden/` is never made again.

use std::fs;
use std::path::{Path, PathBuf};

use qfe_patcher::exit::ExitCode;
use qfe_patcher::update::journal::{Journal, Phase};
use qfe_tests::programs::{patcher, workspace};
use qfe_tests::samples::{apply_args, tiny};
use qfe_tests::{args, tree};

fn golden(folder: &str) -> PathBuf {
    workspace().join("tests/golden").join(folder)
}

/// Returns whether the product's files are those before the update (or after it).
fn product(target: &Path) -> &'static str {
    let found = tree::read(&target.join("Bin/i386"));
    let is = |files: &qfe_tests::samples::Files| {
        found.len() == files.len()
            && files.iter().all(|(name, bytes)| found.get(*name).is_some_and(|f| f.0 == *bytes))
    };
    match () {
        () if is(&tiny().old) => "old",
        () if is(&tiny().new) => "new",
        () => "mixed",
    }
}

#[test]
fn targets_left_before_services_were_recorded_are_recovered_and_go_on_from_there() {
    let expected = [
        ("staged", "discarded", "old"),
        ("begun", "discarded", "old"),
        ("first-file-intended", "rolled-back", "old"),
        ("second-file-intended", "rolled-back", "old"),
        ("two-files-done", "rolled-back", "old"),
        ("all-files-done", "rolled-back", "old"),
        ("committed-not-finished", "completed", "new"),
        ("installed", "", "new"),
        ("being-undone", "rolled-back", "old"),
        ("rolled-back", "", "old"),
        ("failing-run-being-undone", "rolled-back", "old"),
    ];
    let names: Vec<String> = fs::read_dir(golden("targets"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), expected.len(), "{names:?}");
    for (name, did, files) in expected {
        let target = tempfile::tempdir().unwrap();
        tree::copy(&golden("targets").join(name), target.path());
        let run = |command: &str| patcher(args![command, "--target", target.path(), "--json"]);
        let recovered = run("recover").succeeds().json();
        assert_eq!(recovered["recovered"][0]["did"].as_str().unwrap_or_default(), did, "{name}");
        assert_eq!(product(target.path()), files, "{name}");
        patcher(apply_args(&tiny().bundle, target.path())).succeeds();
        assert_eq!(product(target.path()), "new", "{name}");
        run("rollback").succeeds();
        assert_eq!(product(target.path()), "old", "{name}");
        run("rollback").ends(ExitCode::NotInstalled);
    }
}

#[test]
fn journals_with_services_and_restarts_keep_their_meaning() {
    let expected = [
        ("scheduled", Phase::Scheduled, &[][..]),
        ("services-stopped", Phase::Open, &["SMS_EXECUTIVE", "SMS_SITE_COMPONENT_MANAGER"][..]),
        ("committed", Phase::Committed, &[]),
        ("undone", Phase::RolledBack, &["SMS_EXECUTIVE", "SMS_SITE_COMPONENT_MANAGER"]),
    ];
    for (name, phase, stopped) in expected {
        let journal = Journal::read(&fs::read(golden("journals").join(name)).unwrap()).unwrap();
        assert_eq!(journal.phase(), phase, "{name}");
        assert_eq!(journal.stopped(), stopped, "{name}");
    }
}

#[test]
fn a_record_of_files_that_were_there_keeps_its_meaning() {
    let target = tempfile::tempdir().unwrap();
    tree::copy(&golden("recorded"), target.path());
    let run = |command: &str| patcher(args![command, "--target", target.path(), "--json"]);
    let status = run("status").succeeds().json();
    let files = status["updates"][0]["files"].as_array().unwrap();
    assert!(files.len() == 3 && files.iter().all(|file| file["state"] == "as-installed"), "{status}");
    let again = patcher(apply_args(&tiny().bundle, target.path())).succeeds().json();
    assert_eq!((&again["outcome"], &again["recorded"]), (&"already-current".into(), &false.into()));
    run("rollback").succeeds();
    assert_eq!(product(target.path()), "new");
    run("rollback").ends(ExitCode::NotInstalled);

    // Killed before its commit it leaves nothing.
    let target = tempfile::tempdir().unwrap();
    tree::copy(&golden("recorded"), target.path());
    let folder = target.path().join("$NtUninstallT1$");
    let journal = fs::read_to_string(folder.join("0001/journal")).unwrap();
    fs::write(folder.join("0001/journal"), journal.split_inclusive('\n').next().unwrap()).unwrap();
    fs::create_dir(folder.join("0001/stage")).unwrap();
    fs::remove_file(folder.join("receipt.json")).unwrap();
    let recovered = patcher(args!["recover", "--target", target.path(), "--json"]).succeeds().json();
    assert_eq!(recovered["recovered"][0]["did"], "discarded");
    assert!(!folder.exists() && product(target.path()) == "new");
}
