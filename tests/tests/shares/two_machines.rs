//! Two field admins at one share: the lock is on the server, and says who holds it.
//!
//! A machine knows of its own processes whether they are still there; of another machine's it cannot.

use std::fs;
use std::time::Duration;

use qfe_patcher::exit::ExitCode;
use qfe_tests::share::{Machine, Running, Share, until};

use crate::site::Site;

const FIRST: &str = "ADMIN1";
const SECOND: &str = "ADMIN2";
const LOCK: &str = "$NtUninstall.lock";
const JOURNAL: &str = "$NtUninstallQ252717$/0001/journal";

/// Lets a run go on until there is something in a file on the server, and stops it there.
#[track_caller]
fn stop_at(site: &Site, running: &mut Running, file: &str) {
    let path = site.share.disk().join(file);
    running.thaw();
    let is_written = || fs::metadata(&path).is_ok_and(|found| found.len() > 0);
    assert!(running.goes_on_until(is_written), "it has ended without {file}");
    running.freeze();
    assert!(site.share.disk().join(LOCK).exists(), "it has ended meanwhile");
}

/// Starts an apply on a machine, and kills it while it holds the target.
#[track_caller]
fn killed_in_the_middle(site: &Site, machine: &Machine<'_>) {
    let mut running = machine.start(site.apply_args(machine));
    stop_at(site, &mut running, JOURNAL);
    running.kill();
    running.end();
}

/// Requires that nobody holds the target.
#[track_caller]
fn is_released(site: &Site) {
    let lock = site.share.disk().join(LOCK);
    assert!(until(Duration::from_secs(5), || !lock.exists()), "a run that has ended has left its lock");
}

#[test]
fn a_second_machine_is_refused_while_the_first_holds_the_target_and_hears_who_it_is() {
    let Some(share) = Share::start() else { return };
    let site = Site::sample(share, "i386");
    let (first, second) = (site.share.machine(FIRST), site.share.machine(SECOND));
    let mut running = first.start(site.apply_args(&first));
    stop_at(&site, &mut running, LOCK);
    site.apply(&second).ends(ExitCode::Busy).says(&[FIRST]);
    stop_at(&site, &mut running, JOURNAL);
    for run in [site.apply(&second), second.run("recover"), second.run("rollback")] {
        run.ends(ExitCode::Busy).says(&[FIRST]);
    }
    running.thaw();
    running.end().succeeds();
    site.is(&[&site.new], "the first came to its end");
    is_released(&site);
    let again = site.apply(&second).succeeds().json();
    assert_eq!(again["outcome"], "already-current");
}

#[test]
fn a_killed_holder_is_followed_by_a_run_on_the_same_machine() {
    let Some(share) = Share::start() else { return };
    let site = Site::sample(share, "i386");
    let machine = site.share.machine(FIRST);
    killed_in_the_middle(&site, &machine);
    site.apply(&machine).succeeds();
    site.is(&[&site.new], "taken over");
    is_released(&site);
}

#[test]
fn a_killed_holder_on_another_machine_is_named_and_its_lock_is_broken_on_demand_only() {
    let Some(share) = Share::start() else { return };
    let site = Site::sample(share, "alpha");
    let (first, second) = (site.share.machine(FIRST), site.share.machine(SECOND));
    killed_in_the_middle(&site, &first);
    for run in [site.apply(&second), second.run("recover")] {
        run.ends(ExitCode::Busy).says(&[FIRST, "--break-lock"]);
    }
    let mut args = site.apply_args(&second);
    args.push("--break-lock".into());
    second.patcher(args).succeeds();
    site.is(&[&site.new], "broken on demand");
    is_released(&site);
}
