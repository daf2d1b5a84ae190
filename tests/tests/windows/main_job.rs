//! The main job: applied, seen, taken back.

use qfe_patcher::exit::ExitCode;
use qfe_tests::samples::workshop;
use qfe_tests::wine::Bits;

use crate::site::{Site, TARGET, ends};

#[track_caller]
fn does_the_main_job(site: &Site, target: &str) {
    let applied = ends(site.apply_to(target, &[]), ExitCode::Success).json();
    assert_eq!(applied["outcome"], "changed");
    site.is_new();

    let status = ends(site.machine.run("status", target), ExitCode::Success).json();
    assert_eq!(status["updates"][0]["state"], "installed");
    let files = status["updates"][0]["files"].as_array().unwrap();
    assert!(files.len() == 3 && files.iter().all(|file| file["state"] == "as-installed"), "{status}");
    let again = ends(site.apply_to(target, &[]), ExitCode::Success).json();
    assert_eq!(again["outcome"], "already-current");

    ends(site.machine.run("rollback", target), ExitCode::Success);
    site.is_old();
    let status = ends(site.machine.run("status", target), ExitCode::Success).json();
    assert_eq!(status["updates"][0]["state"], "rolled-back");
    ends(site.machine.run("rollback", target), ExitCode::NotInstalled);
}

#[test]
fn an_update_from_each_container_is_applied_seen_and_rolled_back() {
    for (platform, container) in [("i386", "Q252717.zip"), ("alpha", "Q252717.cab")] {
        for bits in Bits::ALL {
            let Some(site) = Site::new(bits, platform) else { return };
            does_the_main_job(&site.with_bundle(workshop().path(container)), TARGET);
        }
    }
}

#[test]
fn deltas_give_on_windows_what_they_were_made_for_elsewhere() {
    let bundle = workshop().path("lean.zip");
    workshop().build("Q252717", &bundle, &["--lean"]).succeeds();
    for platform in ["i386", "alpha"] {
        for bits in Bits::ALL {
            let Some(site) = Site::new(bits, platform) else { return };
            does_the_main_job(&site.with_bundle(bundle.clone()), TARGET);
        }
    }
}

#[test]
fn a_share_is_updated_by_its_own_name() {
    for site in Site::each() {
        does_the_main_job(&site, r"\\localhost\c$\Sms");
    }
}

#[test]
fn names_keep_the_spelling_that_they_have() {
    for mut site in Site::each() {
        for (from, to) in [("Bin/i386/Ccm.dll", "Bin/i386/CCM.DLL"), ("Bin/i386", "Bin/I386"), ("Bin", "BIN")]
        {
            site.respell(from, to);
        }
        does_the_main_job(&site, TARGET);
    }
}
