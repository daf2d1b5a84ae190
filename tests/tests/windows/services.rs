//! Services of Windows around a run: real ones, controlled by Wine's service manager.
//!
//! What Wine cannot prove: that Windows refuses to stop a service as long as another one that needs it runs, for it knows
//! nothing of such needs (so the order is seen in what the services log); and what becomes of a service whose process
//! died, which Wine goes on to call running.

use qfe_patcher::exit::ExitCode;
use qfe_tests::wine::Bits;

use crate::live::{RESTING, RUNNING};
use crate::site::{CCM, Site, ends, until};

/// Returns the events of these services that stop and start again, in reverse order.
fn stopped_and_started(names: &[&str]) -> Vec<String> {
    let stops = names.iter().map(|name| format!("-{name}"));
    stops.chain(names.iter().rev().map(|name| format!("+{name}"))).collect()
}

#[test]
fn they_stop_behind_their_dependents_and_start_in_reverse_and_so_for_a_rollback() {
    for site in Site::each_live() {
        site.start_services();
        let services = site.machine.services();
        let applied = ends(site.update(&[]), ExitCode::Success).json();
        assert_eq!(applied["outcome"], "changed");
        let found = applied["services"].as_array().unwrap();
        assert_eq!(found.len(), 5, "{applied}");
        assert_eq!((&found[2]["service"], &found[2]["was"]), (&"SMS_EXECUTIVE".into(), &"running".into()));
        assert_eq!(found[2]["dependents"][0], "SMS_NT_LOGON");
        // Of the executive this is proof that it had rested: it had one of the files loaded.
        site.is_new();
        assert_eq!(services.events(), stopped_and_started(&RUNNING));
        site.services_run();

        ends(site.run("rollback"), ExitCode::Success);
        site.is_old();
        assert_eq!(services.events(), stopped_and_started(&RUNNING));
        site.services_run();
    }
}

#[test]
fn one_that_refuses_to_stop_ends_the_run_before_a_file_is_touched() {
    for site in Site::each_live() {
        let services = site.machine.services();
        services.set_conduct("SMS_EXECUTIVE", "refuses");
        site.start_services();
        ends(site.update(&[]), ExitCode::Failed).says(&["cannot stop", "SMS_EXECUTIVE"]);
        site.is_old();
        assert_eq!(services.events(), stopped_and_started(&RUNNING[..2]));
        site.services_run();
        let status = ends(site.run("status"), ExitCode::Success).json();
        assert_eq!(status["updates"].as_array().map(Vec::len), Some(0), "{status}");
    }
}

#[test]
fn a_rollback_stops_before_it_touches_a_file_where_one_refuses() {
    let Some(site) = Site::live(Bits::B32) else { return };
    ends(site.update(&[]), ExitCode::Success);
    let services = site.machine.services();
    services.set_conduct("SMS_SQL_MONITOR_SITE1", "refuses");
    site.start_services();
    ends(site.run("rollback"), ExitCode::Failed).says(&["cannot stop", "SMS_SQL_MONITOR_SITE1"]);
    site.is_new();
    assert_eq!(services.events(), stopped_and_started(&RUNNING[..3]));
    site.services_run();
    let status = ends(site.run("status"), ExitCode::Success).json();
    assert_eq!(status["updates"][0]["state"], "installed", "{status}");
}

#[test]
fn a_slow_one_is_waited_for_and_one_that_is_too_slow_ends_the_run() {
    for site in Site::each_live() {
        let services = site.machine.services();
        services.set_conduct("SMS_EXECUTIVE", "15000");
        site.start_services();
        services.set_conduct("SMS_EXECUTIVE", "3000");
        ends(site.update(&["--service-wait", "1"]), ExitCode::Failed).says(&["cannot stop", "SMS_EXECUTIVE"]);
        site.is_old();
        // It does stop, after all; then whoever puts the run right starts it.
        until("stopped", || services.states(&["SMS_EXECUTIVE"]) == ["stopped"]);
        ends(site.run("recover"), ExitCode::Success);
        site.services_run();
        site.is_old();

        services.events();
        ends(site.update(&["--service-wait", "30"]), ExitCode::Success);
        site.is_new();
        assert_eq!(services.events(), stopped_and_started(&RUNNING));
        site.services_run();
    }
}

#[test]
fn one_that_could_not_be_started_again_or_is_not_there_forbids_the_run() {
    for site in Site::each_live() {
        let services = site.machine.services();
        site.start_services();
        services.run(&["disable SMS_EXECUTIVE", "disable SMS_SQL_MONITOR"]);
        let refused = ends(site.update(&[]), ExitCode::WrongTarget);
        let findings = refused.json()["findings"].clone();
        assert_eq!(findings.as_array().map(Vec::len), Some(1), "that one rests which may: {findings}");
        assert_eq!(findings[0]["subject"], "service SMS_EXECUTIVE");
        refused.says(&["start type is disabled", "remedy: set its start type"]);

        services.run(&[
            "stop SMS_EXECUTIVE",
            "stop SMS_SITE_COMPONENT_MANAGER",
            "delete SMS_SITE_COMPONENT_MANAGER",
        ]);
        until("gone", || services.states(&["SMS_SITE_COMPONENT_MANAGER"]) == ["missing"]);
        ends(site.update(&[]), ExitCode::WrongTarget)
            .says(&["service SMS_SITE_COMPONENT_MANAGER", "no such service"]);
        site.is_old();
    }
}

#[test]
fn one_that_is_gone_once_it_rests_is_told() {
    for site in Site::each_live() {
        let services = site.machine.services();
        site.start_services();
        services.run(&["delete SMS_SITE_COMPONENT_MANAGER"]);
        // Whether it is gone before it was seen to rest, or behind that, is a matter of milliseconds.
        let run = site.update(&[]);
        if run.json()["code"] == ExitCode::Failed.number() {
            ends(run, ExitCode::Failed)
                .says(&["cannot stop the service SMS_SITE_COMPONENT_MANAGER", "it is not there any more"]);
            site.is_old();
        } else {
            ends(run, ExitCode::Success)
                .says(&["SMS_SITE_COMPONENT_MANAGER ran before and cannot be reached: start it by hand"]);
            site.is_new();
        }
    }
}

#[test]
fn what_a_killed_run_had_stopped_recovery_starts() {
    for site in Site::each_live() {
        site.start_services();
        let services = site.machine.services();
        let held = site.machine.open(CCM);
        let mut run = site.machine.start_patcher(site.update_words(&site.bundle, &["--wait", "60"]));
        let stopped = stopped_and_started(&RUNNING);
        let mut events = Vec::new();
        until("stopped", || {
            events.extend(services.events());
            events == stopped[..RUNNING.len()]
        });
        run.kill();
        run.end();
        drop(held);
        assert_eq!(services.states(&RUNNING), ["stopped"; 4]);
        services.run(&["delete SMS_SQL_MONITOR_SITE1"]);
        let recovered = ends(site.run("recover"), ExitCode::Success);
        assert_eq!(recovered.json()["recovered"][0]["did"], "discarded", "{recovered:?}");
        recovered.says(&["SMS_SQL_MONITOR_SITE1 ran before", "start it by hand"]);
        site.is_old();
        assert_eq!(services.events(), stopped[RUNNING.len() + 1..]);
        assert_eq!(services.states(&RUNNING[..3]), ["running"; 3]);
        assert_eq!(services.states(&[RESTING]), ["stopped"]);
    }
}

#[test]
fn a_run_that_fails_or_is_put_off_once_they_have_stopped_starts_them() {
    for site in Site::each_live() {
        site.start_services();
        let services = site.machine.services();
        let held = site.machine.load(CCM);
        ends(site.update(&["--wait", "0"]), ExitCode::InUse).says(&["Ccm.dll", "in use by"]);
        assert_eq!(services.events(), stopped_and_started(&RUNNING));
        site.services_run();
        site.is_old();
        ends(site.update(&["--wait", "0", "--on-restart"]), ExitCode::RestartNeeded);
        assert_eq!(services.events(), stopped_and_started(&RUNNING));
        site.services_run();
        drop(held);
        ends(site.run("rollback"), ExitCode::Success);
        site.services_run();
        site.is_old();
    }
}

#[test]
fn one_that_does_not_start_again_is_told_and_recovery_tries_again() {
    let Some(site) = Site::live(Bits::B32) else { return };
    site.start_services();
    let services = site.machine.services();
    services.set_conduct("SMS_NT_LOGON", "fails");
    ends(site.update(&["--service-wait", "2"]), ExitCode::Success).says(&["SMS_NT_LOGON"]);
    site.is_new();
    assert_eq!(services.states(&["SMS_NT_LOGON", "SMS_EXECUTIVE"]), ["stopped", "running"]);
    services.set_conduct("SMS_NT_LOGON", "");
    ends(site.run("recover"), ExitCode::Success);
    site.services_run();
    site.is_new();
}
