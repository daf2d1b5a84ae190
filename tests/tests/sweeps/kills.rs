//! Kills at every call: what the program has done so far stays, and it does nothing more.

use crate::case::{Cases, every, recoveries_of_apply, recoveries_of_rollback};
use crate::findings::Findings;
use crate::lab::Lab;
use crate::site::Site;

/// Kills everywhere in these cases.
fn sweep(what: &str, cases: Cases) {
    Lab::open(&["strace"], |lab| {
        let site = Site::tiny(lab.path("server"));
        let mut findings = Findings::default();
        for case in cases(lab, &site) {
            case.kill_everywhere(&mut findings);
        }
        findings.end(&format!("kills in {what}"));
    });
}

#[test]
fn a_kill_at_any_call_of_any_command_leaves_old_or_new() {
    sweep("every command", every);
}

#[test]
fn a_kill_at_any_call_of_the_recovery_of_an_apply_leaves_old_or_new() {
    sweep("the recovery of an apply", recoveries_of_apply);
}

#[test]
fn a_kill_at_any_call_of_the_recovery_of_a_rollback_leaves_old_or_new() {
    sweep("the recovery of a rollback", recoveries_of_rollback);
}
