//! Others at the target: another run, and programs that have its files open.
//!
//! Wine has no Restart Manager, by which Windows names who has a file merely open; and it tells a program of 64 bits
//! nothing of the libraries in one of 32, as Windows does.

use qfe_patcher::exit::ExitCode;
use qfe_tests::wine::{Bits, Machine};

use crate::site::{CCM, Site, TARGET, ends, until};

#[test]
fn a_file_that_is_open_or_loaded_refuses_the_run_and_its_holder_is_named() {
    for site in Site::each() {
        for hold in [Machine::open, Machine::load] {
            let held = hold(&site.machine, CCM);
            let refused = ends(site.apply(&["--wait", "0"]), ExitCode::InUse);
            refused.says(&["Ccm.dll", "in use by"]);
            site.is_old();
            drop(held);
        }
        ends(site.apply(&[]), ExitCode::Success);
        site.is_new();
        let held = site.machine.load(CCM);
        let refused = site.machine.patcher(["rollback", "--target", TARGET, "--json", "--wait", "0"]);
        let holder = if site.machine.bits() == Bits::B32 { "in use by hold.exe" } else { "in use by" };
        ends(refused, ExitCode::InUse).says(&["Ccm.dll", holder]);
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
        until("held", || site.machine.disk("Sms/$NtUninstall.lock").exists());
        ends(site.apply(&["--wait", "0"]), ExitCode::Busy).says(&["process"]);
        site.is_old();
        drop(held);
        ends(first.end(), ExitCode::Success);
        site.is_new();
    }
}

#[test]
fn an_open_console_refuses_the_run_with_its_remedy_before_anything_is_done() {
    let Some(site) = Site::new(Bits::B32, "i386") else { return };
    let console = site.machine.load_into("mmc.exe", r"C:\Sms\Bin\i386\Baseobj.dll");
    let refused = ends(site.apply(&["--wait", "0"]), ExitCode::InUse);
    assert_eq!(refused.json()["findings"][0]["wanted"], "none of mmc.exe");
    refused.says(&["mmc.exe (process", "remedy: Close the SMS Administrator console"]);
    assert!(!site.machine.disk("Sms/$NtUninstallQ252717$").exists());
    drop(console);
    ends(site.apply(&[]), ExitCode::Success);
}
