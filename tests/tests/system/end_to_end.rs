//! The main job, on both platforms and in both containers: applied, seen, taken back.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;

use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::programs::patcher;
use qfe_tests::samples::{Server, workshop};
use qfe_tests::tree;

const FILES: [&str; 3] = ["Baseobj.dll", "Ccm.dll", "Ccmbtldr.exe"];

#[track_caller]
fn assert_updated(server: &Server, platform: &str) {
    for file in FILES {
        let wanted = fs::read(workshop().sample("Q252717").join("update").join(platform).join(file)).unwrap();
        assert!(fs::read(server.bin().join(file)).unwrap() == wanted, "{file} is not the update's");
    }
}

#[test]
fn a_server_of_each_platform_is_updated_and_rolled_back_from_each_container() {
    for platform in ["i386", "alpha"] {
        for container in ["Q252717.zip", "Q252717.cab"] {
            let server = Server::new(platform);
            let before = tree::read_product(server.root());
            let applied = server.apply(&workshop().path(container)).succeeds().json();
            assert_eq!(applied["outcome"], "changed");
            assert_eq!(applied["platform"], platform);
            assert_updated(&server, platform);

            let status = server.run("status").succeeds().json();
            assert_eq!(status["updates"][0]["state"], "installed");
            assert!(
                status["updates"][0]["files"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|f| f["state"] == "as-installed")
            );

            let again = server.apply(&workshop().path(container)).succeeds().json();
            assert_eq!(again["outcome"], "already-current");

            server.run("rollback").succeeds();
            assert!(tree::read_product(server.root()) == before, "{platform} {container}: not as before");
            let status = server.run("status").succeeds().json();
            assert_eq!(status["updates"][0]["state"], "rolled-back");
            server.run("rollback").ends(ExitCode::NotInstalled);
        }
    }
}

#[test]
fn a_rollback_tells_its_own_log_too_also_where_it_is_refused() {
    let server = Server::new("i386");
    let log = server.path("undo.log");
    patcher(args!["rollback", "--target", server.root(), "--log", &log]).ends(ExitCode::NotInstalled);
    assert!(fs::read_to_string(&log).unwrap().starts_with("Rollback aborted. "));
    server.apply(&workshop().path("Q252717.zip")).succeeds();
    patcher(args!["rollback", "--target", server.root(), "--log", &log]).succeeds();
    assert!(fs::read_to_string(&log).unwrap().contains("File Restore: Bin/i386/Ccm.dll"));
}

#[test]
fn a_run_leaves_its_folder_and_its_log_and_nothing_else() {
    let server = Server::new("i386");
    let names = |server: &Server| tree::read(server.root()).into_keys().collect::<Vec<_>>();
    let mut wanted = names(&server);
    server.apply(&workshop().bundle()).succeeds();
    wanted.extend(
        [
            "",
            "receipt.json",
            "0001/",
            "0001/journal",
            "0001/backup/",
            "0001/backup/Bin/",
            "0001/backup/Bin/i386/",
        ]
        .map(|name| format!("$NtUninstallQ252717$/{name}")),
    );
    wanted.extend(FILES.map(|name| format!("$NtUninstallQ252717$/0001/backup/Bin/i386/{name}")));
    wanted.push("LOGS/Q252717.log".to_owned());
    wanted.sort();
    assert_eq!(names(&server), wanted);
    let log = fs::read_to_string(server.path("LOGS/Q252717.log")).unwrap();
    let overwritten = format!("File Overwrite: {}", server.bin().join("Ccm.dll").display());
    for line in ["*** Installation Started ", "Title: ", "Source: /", &overwritten] {
        assert!(log.contains(line), "{line:?} is not in {log}");
    }
}

#[test]
fn times_of_the_articles_are_on_the_new_files_and_the_old_ones_come_back() {
    let server = Server::new("alpha");
    let before = tree::read_product(server.root());
    server.apply(&workshop().bundle()).succeeds();
    let modified = fs::metadata(server.bin().join("Ccm.dll")).unwrap().modified().unwrap();
    let seconds = modified.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_secs();
    // 1/28/2000 10:54AM, as the article prints it.
    assert_eq!(seconds, 949_056_840);
    server.run("rollback").succeeds();
    assert!(tree::read_product(server.root()) == before);
}

#[test]
fn names_on_the_disk_are_found_ignoring_case_and_keep_their_spelling() {
    let server = Server::new("i386");
    fs::rename(server.path("Bin"), server.path("BIN")).unwrap();
    fs::rename(server.path("BIN/i386"), server.path("BIN/I386")).unwrap();
    fs::rename(server.path("BIN/I386/Ccm.dll"), server.path("BIN/I386/CCM.DLL")).unwrap();
    fs::rename(server.path("LOGS"), server.path("Logs")).unwrap();
    let before = tree::read_product(server.root());
    server.apply(&workshop().bundle()).succeeds();
    assert!(server.path("Logs/Q252717.log").exists() && !server.path("LOGS").exists());
    assert_eq!(fs::read_dir(server.path("BIN/I386")).unwrap().count(), 5);
    let updated = fs::read(workshop().sample("Q252717").join("update/i386/Ccm.dll")).unwrap();
    assert!(fs::read(server.path("BIN/I386/CCM.DLL")).unwrap() == updated);
    server.run("rollback").succeeds();
    assert!(tree::read_product(server.root()) == before);
}

#[test]
fn a_dry_run_changes_nothing() {
    let server = Server::new("i386");
    let before = tree::read(server.root());
    let mut args = server.apply_args(&workshop().bundle());
    args.push("--dry-run".into());
    let result = patcher(args).succeeds().json();
    assert_eq!(result["outcome"], "would-change");
    assert_eq!(result["dry_run"], true);
    assert!(tree::read(server.root()) == before);
    server.apply(&workshop().bundle()).succeeds();
    let before = tree::read(server.root());
    patcher(args!["rollback", "--target", server.root(), "--dry-run"]).succeeds();
    assert!(tree::read(server.root()) == before);
}

#[test]
fn or_later_leaves_newer_files_alone_and_updates_the_rest() {
    let server = Server::new("i386");
    // The release's own newer fix stands in: any image with a higher version.
    let newer = newer_image(&fs::read(server.bin().join("Ccm.dll")).unwrap());
    fs::write(server.bin().join("Ccm.dll"), &newer).unwrap();
    fs::copy(workshop().sample("Q252717").join("update/i386/Baseobj.dll"), server.bin().join("Baseobj.dll"))
        .unwrap();
    let result = server.apply(&workshop().bundle()).succeeds().json();
    let decisions: BTreeMap<&str, &str> = result["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["path"].as_str().unwrap(), file["decision"].as_str().unwrap()))
        .collect();
    assert_eq!(decisions["Bin/i386/Ccm.dll"], "newer-on-target");
    assert_eq!(decisions["Bin/i386/Baseobj.dll"], "already-current");
    assert_eq!(decisions["Bin/i386/Ccmbtldr.exe"], "install");
    assert!(fs::read(server.bin().join("Ccm.dll")).unwrap() == newer);
}

/// Raises the last number of the version in an image's `VS_FIXEDFILEINFO`.
fn newer_image(image: &[u8]) -> Vec<u8> {
    let mut image = image.to_vec();
    let at = image.windows(4).position(|bytes| bytes == [0xbd, 0x04, 0xef, 0xfe]).unwrap();
    // dwFileVersionLS: the low word is the fourth number.
    image[at + 12..at + 14].copy_from_slice(&9999_u16.to_le_bytes());
    image
}

#[test]
fn remote_roles_take_the_files_that_are_there_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let old = workshop().sample("Q252717").join("baseline/alpha/Baseobj.dll");
    fs::copy(&old, folder.path().join("BASEOBJ.DLL")).unwrap();
    let apply = |more: &[OsString]| {
        let args = args![
            "apply",
            workshop().bundle(),
            "--role",
            "sql-monitor",
            "--target",
            folder.path(),
            "--keys",
            workshop().public_key(),
            "--services",
            "manual",
            "--registry",
            "none",
            "--json"
        ];
        patcher(args.into_iter().chain(more.iter().cloned()))
    };
    let site = Server::new("i386");
    apply(&[]).ends(ExitCode::WrongTarget).says(&["no proof", "--site-receipt"]);
    apply(&args!["--site-server", site.root()]).ends(ExitCode::WrongTarget).says(&["Bin/i386/Ccm.dll"]);
    site.apply(&workshop().bundle()).succeeds();
    let receipt = site.path("$NtUninstallQ252717$/receipt.json");
    apply(&args!["--site-receipt", receipt, "--dry-run"]).succeeds();
    let result = apply(&args!["--site-server", site.root()]).succeeds().json();
    assert_eq!(result["platform"], "alpha");
    let count = |word| result["files"].as_array().unwrap().iter().filter(|f| f["decision"] == word).count();
    assert_eq!((count("install"), count("absent-not-wanted")), (1, 2));
    assert!(result["before"].to_string().contains("SMS_SQL_MONITOR"));
    assert!(!folder.path().join("Ccm.dll").exists());
    let new = fs::read(workshop().sample("Q252717").join("update/alpha/Baseobj.dll")).unwrap();
    assert!(fs::read(folder.path().join("BASEOBJ.DLL")).unwrap() == new);
}

#[cfg(unix)]
#[test]
fn all_that_is_not_said_about_the_machine_is_asked_for_at_once() {
    let server = Server::new("i386");
    let (bundle, keys) = (workshop().bundle(), workshop().public_key());
    patcher(args!["apply", bundle, "--role", "site-server", "--target", server.root(), "--keys", keys])
        .ends(ExitCode::BadCommandLine)
        .says(&["services to be stopped", "conditions on the registry"])
        .says(&["--services manual", "--registry rpc:SERVER", "--assume-build", "--registry none"]);
}

#[test]
fn updates_are_undone_in_reverse_order_only() {
    let server = Server::new("i386");
    let before = tree::read_product(server.root());
    let second = workshop().path("order-Q249077.zip");
    workshop().build("Q249077", &second, &[]).succeeds();
    server.apply(&workshop().bundle()).succeeds();
    server.apply(&second).succeeds();
    patcher(args!["rollback", "Q252717", "--target", server.root()])
        .ends(ExitCode::UndoOrder)
        .says(&["Q249077"]);
    server.run("rollback").succeeds();
    server.run("rollback").succeeds();
    assert!(tree::read_product(server.root()) == before);
}

#[test]
fn an_interrupted_run_is_finished_on_the_disk_and_a_rollback_takes_back_no_more_than_it() {
    let second = workshop().path("killed-Q249077.zip");
    workshop().build("Q249077", &second, &[]).succeeds();
    let server = Server::new("i386");
    server.apply(&second).succeeds();
    let between = tree::read_product(server.root());
    server.apply(&workshop().bundle()).succeeds();
    // A rollback of Q252717 that was killed with one file to go.
    let new = fs::read(server.bin().join("Ccm.dll")).unwrap();
    server.run("rollback").succeeds();
    fs::write(server.bin().join("Ccm.dll"), new).unwrap();
    let journal = server.path("$NtUninstallQ252717$/0001/journal");
    let records = fs::read_to_string(&journal).unwrap();
    let (whole, last) = records.trim_end().rsplit_once('\n').unwrap();
    assert!(last.contains("rolled-back"), "{last}");
    fs::write(&journal, format!("{whole}\n")).unwrap();
    assert_eq!(server.run("status").succeeds().json()["updates"][1]["state"], "interrupted");
    let result = server.run("rollback").succeeds().json();
    assert_eq!(result["id"], "Q252717");
    assert!(tree::read_product(server.root()) == between, "Q249077 must still be there");
    let recovered = server.run("recover").succeeds().json();
    assert_eq!(recovered["outcome"], "already-current");
}

#[test]
fn undo_refuses_files_that_were_changed_since() {
    let server = Server::new("i386");
    server.apply(&workshop().bundle()).succeeds();
    fs::write(server.bin().join("Ccm.dll"), "by a service pack").unwrap();
    let before = tree::read(server.root());
    server.run("rollback").ends(ExitCode::UndoOrder).says(&["Bin/i386/Ccm.dll"]);
    assert!(tree::read(server.root()) == before);
}

#[test]
fn a_damaged_installed_file_is_healed_and_rollback_still_gives_the_original() {
    let server = Server::new("alpha");
    let before = tree::read_product(server.root());
    server.apply(&workshop().bundle()).succeeds();
    let damaged = server.bin().join("Baseobj.dll");
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[5000] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let status = server.run("status").succeeds().json();
    assert!(status["updates"][0]["files"].to_string().contains("changed"));
    let healed = server.apply(&workshop().bundle()).succeeds().json();
    assert_eq!(healed["outcome"], "changed");
    assert_updated(&server, "alpha");
    server.run("rollback").succeeds();
    assert!(tree::read_product(server.root()) == before);
}

#[test]
fn a_lean_bundle_is_small_and_makes_the_same_files() {
    let lean = workshop().path("lean.zip");
    workshop().build("Q252717", &lean, &["--lean"]).succeeds();
    let sizes = [&lean, &workshop().bundle()].map(|path| fs::metadata(path).unwrap().len());
    assert!(sizes[0] * 5 < sizes[1], "{sizes:?}");
    let server = Server::new("alpha");
    let said = server.apply(&lean).succeeds();
    assert!(said.stderr.contains("(by delta)") && !said.stderr.contains("(whole file)"), "{}", said.stderr);
    assert_updated(&server, "alpha");
    // A bundle that holds both takes what is quicker.
    let server = Server::new("alpha");
    let said = server.apply(&workshop().bundle()).succeeds();
    assert!(said.stderr.contains("(whole file)") && !said.stderr.contains("(by delta)"), "{}", said.stderr);
}
