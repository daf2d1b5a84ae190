//! Where a target may be, and what its files may be marked with.
//!
//! Wine cannot prove that Windows takes long paths from us: it takes all of them, whoever wrote them how. Nor that a read-only file is replaced
//! where Windows refuses it: it never does; what is seen here is that the mark is there before and afterwards.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use qfe_patcher::exit::ExitCode;
use qfe_tests::tree;
use qfe_tests::wine::Bits;

use crate::site::{CCM, Site, TARGET, ends};

#[test]
fn a_target_far_down_has_its_files_replaced_and_put_back() {
    for site in Site::each() {
        let deep = ["A folder with a long name, as they are made by people"; 6].join("/");
        tree::copy(&site.machine.disk("Sms"), &site.machine.disk(&deep).join("Sms"));
        let target = format!(r"C:\{}\Sms", deep.replace('/', r"\"));
        assert!(target.len() > 300);
        let ccm = || fs::read(site.machine.disk(&deep).join("Sms/Bin/i386/Ccm.dll")).unwrap();
        let old = ccm();
        ends(site.apply_to(&target, &[]), ExitCode::Success);
        assert!(ccm() != old);
        let status = ends(site.machine.run("status", &target), ExitCode::Success).json();
        assert_eq!(status["updates"][0]["state"], "installed");
        ends(site.machine.run("rollback", &target), ExitCode::Success);
        assert!(ccm() == old);
    }
}

#[test]
fn a_file_that_is_read_only_is_replaced_and_stays_so() {
    for site in Site::each() {
        let ccm = site.machine.disk("Sms/Bin/i386/Ccm.dll");
        fs::set_permissions(&ccm, Permissions::from_mode(0o444)).unwrap();
        let marks = || {
            let run = site.machine.program("cmd", ["/c", "attrib", CCM]);
            run.stdout.split(r"C:\").next().unwrap_or_default().replace(' ', "")
        };
        let before = marks();
        assert!(before.contains('R'), "{before}");
        ends(site.apply(&[]), ExitCode::Success);
        site.is_new();
        assert_eq!(marks(), before);
        ends(site.run("rollback"), ExitCode::Success);
        site.is_old();
        assert_eq!(marks(), before);
    }
}

/// Its registry and its services are those of the machine that has the folder, though the path looks like one of here.
#[test]
fn a_drive_that_stands_for_a_share_is_of_another_machine() {
    for site in Site::each() {
        let shared = site.machine.disk("Sms");
        std::os::unix::fs::symlink(&shared, site.machine.disk("../dosdevices/s:")).unwrap();
        let drives = "[HKEY_LOCAL_MACHINE\\Software\\Wine\\Drives]\n\"s:\"=\"network\"";
        site.machine.write_registry(Bits::B64, drives);
        site.machine.restart();
        let words = site.update_words(&site.bundle, &["--dry-run"]);
        let mapped = words.into_iter().map(|word| if word == TARGET { r"S:\".into() } else { word });
        let run = ends(site.machine.patcher(mapped), ExitCode::BadCommandLine);
        assert!(run.json()["error"].as_str().unwrap().contains("services"), "{run:?}");
    }
}
