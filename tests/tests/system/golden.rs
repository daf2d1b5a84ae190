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
