//! Services around a run, on machines in memory: slow, stubborn, dependent ones, and what is recorded of them.

use qfe_patcher::host::{Conduct, HostErrorKind, Memory, ServiceState};
use qfe_patcher::update::apply::ApplyError;
use qfe_patcher::update::{UpdateError, UpdateErrorKind};
use qfe_tests::crash::machine::{Product, run_apply, run_recover, run_rollback, server};
use qfe_tests::crash::servers;
use qfe_tests::samples::tiny;

fn old() -> Memory {
    server("i386", &tiny().old)
}

/// Returns what was done to services, in order.
fn service_steps(machine: &Memory) -> Vec<String> {
    let is_service = |step: &&String| ["stop SMS", "start SMS"].iter().any(|verb| step.starts_with(verb));
    machine.steps().iter().filter(is_service).cloned().collect()
}

#[test]
fn services_stop_in_order_behind_their_dependents_and_start_in_reverse() {
    let machine = old();
    run_apply(&machine, tiny()).unwrap();
    let stopped = ["SMS_SITE_COMPONENT_MANAGER", "SMS_NT_LOGON", "SMS_EXECUTIVE"];
    let stops = stopped.iter().map(|name| format!("stop {name}"));
    let starts = stopped.iter().rev().map(|name| format!("start {name}"));
    assert_eq!(service_steps(&machine), stops.chain(starts).collect::<Vec<_>>());
    assert_eq!(machine.services()["SMS_SQL_MONITOR"], ServiceState::Stopped);
}

#[test]
fn a_monitor_whose_name_carries_its_server_is_stopped_too() {
    let machine = old();
    machine.put_service("SMS_SQL_MONITOR_SITE1", ServiceState::Running);
    run_apply(&machine, tiny()).unwrap();
    assert!(service_steps(&machine).contains(&"stop SMS_SQL_MONITOR_SITE1".to_owned()));
    assert_eq!(machine.services()["SMS_SQL_MONITOR_SITE1"], ServiceState::Running);
}

#[test]
fn a_service_that_takes_its_time_is_waited_for() {
    let machine = old();
    machine.set_conduct("SMS_EXECUTIVE", Conduct::Slow(5));
    run_apply(&machine, tiny()).unwrap();
    assert!(Product::of(&machine) == Product::of(&servers("i386")[1]));
}

#[test]
fn a_service_that_does_not_stop_ends_the_run_before_any_file_is_touched() {
    for conduct in [Conduct::Refuses, Conduct::Hangs] {
        let machine = old();
        let before = Product::of(&machine);
        machine.set_conduct("SMS_EXECUTIVE", conduct);
        let error = run_apply(&machine, tiny()).unwrap_err();
        let is_of_stop = |error: &UpdateError| {
            matches!(error.kind(), UpdateErrorKind::Host(error)
                if matches!(error.kind(), HostErrorKind::Service { action: "stop", .. }))
        };
        assert!(matches!(&error, ApplyError::Unchanged(error) if is_of_stop(error)), "{error:?}");
        assert!(Product::of(&machine).files() == before.files());
        assert!(!machine.steps().iter().any(|step| step.starts_with("rename /sms/Bin")));
        assert_eq!(machine.services()["SMS_SITE_COMPONENT_MANAGER"], ServiceState::Running, "{conduct:?}");
        // What needs the one that hangs starts when that one has stopped after all.
        machine.set_conduct("SMS_EXECUTIVE", Conduct::Prompt);
        run_recover(&machine).unwrap();
        assert!(Product::of(&machine) == before, "{conduct:?}");
    }
}

#[test]
fn a_rollback_stops_what_runs_then_and_starts_just_that() {
    let [old, new, _] = servers("i386");
    new.put_service("SMS_SQL_MONITOR", ServiceState::Running);
    run_rollback(&new).unwrap();
    assert_eq!(new.services()["SMS_SQL_MONITOR"], ServiceState::Running);
    assert!(Product::of(&new).files() == Product::of(&old).files());
}
