//! Power lost at every call: nothing more is done, and what was not synced is gone.

use crate::case::{Case, Cases, every, recoveries_of_apply, recoveries_of_rollback};
use crate::findings::Findings;
use crate::inject::{Call, Ending, Fault};
use crate::lab::{FileSystem, Lab, Volume};
use crate::site::{Site, State, require_documented};

/// Explores these cases of a site on a volume.
fn explore(file_system: FileSystem, what: &str, cases: Cases, explore: fn(&Case<'_>, &mut Findings)) {
    Lab::open(&file_system.tools(), |lab| {
        let Some(volume) = Volume::new(lab, file_system) else { return };
        let site = Site::on(volume);
        let mut findings = Findings::default();
        for case in cases(lab, &site) {
            explore(&case, &mut findings);
        }
        findings.end(&format!("power losses {what} on {file_system:?}"));
    });
}

/// Loses power everywhere in these cases.
fn sweep(file_system: FileSystem, what: &str, cases: Cases) {
    explore(file_system, what, cases, |case, findings| case.kill_everywhere(findings));
}

/// Lets every sync fail, of which nothing is durable then, and loses power after the end.
fn fail_syncs(case: &Case<'_>, findings: &mut Findings) {
    for call in case.changes().filter(|call| ["fsync", "fdatasync"].contains(&call.name.as_str())) {
        case.begin();
        findings.note(&case.story("with power lost after EIO", call), fail_sync(case, call));
    }
}

fn fail_sync(case: &Case<'_>, call: &Call) -> Result<State, String> {
    let Ending::Ended(run) = case.run_with(&call.name, call.number, Fault::Fail("EIO")) else {
        return Err("was killed".to_owned());
    };
    case.site.lose_power();
    case.keep(case.promised(require_documented(&run)?))
}

#[test]
fn power_lost_at_any_call_of_any_command_on_ext4_leaves_old_or_new() {
    sweep(FileSystem::Ext4, "in every command", every);
}

#[test]
fn power_lost_at_any_call_of_any_command_on_xfs_leaves_old_or_new() {
    sweep(FileSystem::Xfs, "in every command", every);
}

#[test]
fn power_lost_at_any_call_of_the_recovery_of_an_apply_on_ext4_leaves_old_or_new() {
    sweep(FileSystem::Ext4, "in the recovery of an apply", recoveries_of_apply);
}

#[test]
fn power_lost_at_any_call_of_the_recovery_of_an_apply_on_xfs_leaves_old_or_new() {
    sweep(FileSystem::Xfs, "in the recovery of an apply", recoveries_of_apply);
}

#[test]
fn power_lost_at_any_call_of_the_recovery_of_a_rollback_on_ext4_leaves_old_or_new() {
    sweep(FileSystem::Ext4, "in the recovery of a rollback", recoveries_of_rollback);
}

#[test]
fn power_lost_at_any_call_of_the_recovery_of_a_rollback_on_xfs_leaves_old_or_new() {
    sweep(FileSystem::Xfs, "in the recovery of a rollback", recoveries_of_rollback);
}

#[test]
fn power_lost_after_a_sync_failed_on_ext4_leaves_what_the_exit_code_says() {
    explore(FileSystem::Ext4, "after failed syncs", every, fail_syncs);
}

#[test]
fn power_lost_after_a_sync_failed_on_xfs_leaves_what_the_exit_code_says() {
    explore(FileSystem::Xfs, "after failed syncs", every, fail_syncs);
}
