//! The main job on a share: applied, seen, taken back.

use std::fs;

use qfe_patcher::exit::ExitCode;
use qfe_tests::samples::apply_args;
use qfe_tests::share::Share;

use crate::site::{PLATFORMS, Site};

fn does_the_main_job(site: &Site) {
    let machine = site.machine();
    let applied = site.apply(&machine).succeeds().json();
    assert_eq!(applied["outcome"], "changed");
    site.is(&[&site.new], "applied");

    let status = machine.run("status").succeeds().json();
    assert_eq!(status["updates"][0]["state"], "installed");
    let files = status["updates"][0]["files"].as_array().unwrap();
    assert!(files.len() == 3 && files.iter().all(|file| file["state"] == "as-installed"), "{status}");
    let again = site.apply(&machine).succeeds().json();
    assert_eq!(again["outcome"], "already-current");

    machine.run("rollback").succeeds();
    site.is(&[&site.old], "rolled back");
    let status = machine.run("status").succeeds().json();
    assert_eq!(status["updates"][0]["state"], "rolled-back");
    machine.run("rollback").ends(ExitCode::NotInstalled);
}

#[test]
fn a_small_update_is_applied_seen_and_rolled_back_and_names_keep_the_servers_spelling() {
    for platform in PLATFORMS {
        let Some(share) = Share::start() else { return };
        does_the_main_job(&Site::tiny(share, platform));
    }
}

#[test]
fn a_real_sized_update_is_applied_seen_and_rolled_back_and_names_keep_the_servers_spelling() {
    for platform in PLATFORMS {
        let Some(share) = Share::start() else { return };
        does_the_main_job(&Site::sample(share, platform));
    }
}

#[test]
fn a_bundle_is_read_from_the_share() {
    let Some(share) = Share::start() else { return };
    let mut site = Site::sample(share, "alpha");
    fs::copy(&site.bundle, site.share.disk().join("UPDATE.ZIP")).unwrap();
    for product in [&mut site.old, &mut site.new] {
        product.insert("UPDATE.ZIP".to_owned(), fs::read(&site.bundle).unwrap());
    }
    let machine = site.machine();
    let bundle = machine.mount().join("update.zip");
    machine.patcher(apply_args(&bundle, &machine.mount())).succeeds();
    site.is(&[&site.new], "applied");
}
