//! Others at the target: another run, and programs that have its files open.

use std::thread::sleep;
use std::time::Duration;

use qfe_patcher::exit::ExitCode;
use qfe_tests::wine::{Machine, end};

use crate::site::{CCM, Site, TARGET, ends};

#[test]
fn a_file_that_is_open_or_loaded_refuses_the_run_and_its_holder_is_named() {
    for site in Site::each() {
        for hold in [Machine::open, Machine::load] {
            let held = hold(&site.machine, CCM);
            ends(site.apply(&["--wait", "0"]), ExitCode::InUse).says(&["Ccm.dll", "in use by"]);
            site.is_old();
            drop(held);
        }
        ends(site.apply(&[]), ExitCode::Success);
        site.is_new();
        let held = site.machine.open(CCM);
        let refused = site.machine.patcher(["rollback", "--target", TARGET, "--json", "--wait", "0"]);
        assert_ne!(refused.status, 0, "{refused:?}");
        refused.says(&["Ccm.dll", "in use by"]);
        site.is_new();
        drop(held);
        ends(site.run("rollback"), ExitCode::Success);
        site.is_old();
    }
}

#[test]
fn a_second_run_is_refused_while_the_first_waits_and_hears_who_it_is() {
    for site in Site::each() {
        let held = site.machine.open(CCM);
        let first = site.machine.start_patcher(site.apply_words(TARGET, &["--wait", "60"]));
        while !site.machine.disk("Sms/$NtUninstall.lock").exists() {
            sleep(Duration::from_millis(10));
        }
        ends(site.apply(&["--wait", "0"]), ExitCode::Busy).says(&["process"]);
        site.is_old();
        drop(held);
        ends(end(first), ExitCode::Success);
        site.is_new();
    }
}
