//! Files in use that are replaced when Windows restarts.

use qfe_patcher::exit::ExitCode;

use crate::site::{CCM, Site, ends};

#[test]
fn files_in_use_are_all_replaced_at_the_restart_and_none_before() {
    for site in Site::each() {
        let _held = site.machine.load(CCM);
        let applied = ends(site.apply(&["--wait", "0", "--on-restart"]), ExitCode::RestartNeeded).json();
        assert_eq!(applied["outcome"], "awaits-restart");
        site.is_old();
        let status = ends(site.run("status"), ExitCode::Success).json();
        assert_eq!(status["updates"][0]["state"], "awaits-restart", "{status}");
        ends(site.apply(&["--wait", "0"]), ExitCode::Busy);

        site.machine.restart();
        ends(site.run("recover"), ExitCode::Success);
        site.is_new();
        let status = ends(site.run("status"), ExitCode::Success).json();
        assert_eq!(status["updates"][0]["state"], "installed", "{status}");
        ends(site.run("rollback"), ExitCode::Success);
        site.is_old();
    }
}

#[test]
fn a_rollback_takes_back_what_awaits_the_restart() {
    for site in Site::each() {
        let held = site.machine.load(CCM);
        ends(site.apply(&["--wait", "0", "--on-restart"]), ExitCode::RestartNeeded);
        ends(site.run("rollback"), ExitCode::Success);
        drop(held);
        site.machine.restart();
        site.is_old();
        ends(site.run("recover"), ExitCode::Success);
        site.is_old();
    }
}
