//! Crashes, losses of power and failures at every step of apply and rollback: exactly old or exactly new.
//!
//! Runs in memory (`qfe_tests::crash`); the sweeps interrupt every recovery as well. The histories explored are
//! counted in the output: `cargo test --package qfe-tests --test system -- --nocapture crash`.

use std::cell::{Cell, RefCell};
use std::path::Path;

use qfe_patcher::host::{Fault, Memory};
use qfe_patcher::update::UpdateErrorKind;
use qfe_patcher::update::apply::{Applied, ApplyError};
use qfe_patcher::update::recover::Remedy;
use qfe_patcher::update::rollback::RollbackError;
use qfe_tests::crash::explore::{Depth, ERRORS};
use qfe_tests::crash::machine::{Product, ROOT, file, run_apply, run_recover, run_rollback};
use qfe_tests::crash::{by_hand_and_recorded, servers, stories};
use qfe_tests::samples::tiny;

fn explore(platform: &str, is_tried: fn(&str) -> bool) {
    let mut histories = 0;
    for story in stories(platform).into_iter().filter(|story| is_tried(&story.name)) {
        let explored = story.explore(Depth::Run);
        explored.tell(&story.name);
        histories += explored.histories;
    }
    println!("{platform}: {histories} histories in all");
    assert!(histories > 40_000, "{histories}");
}

#[test]
fn an_interrupted_run_on_intel_ends_old_or_new() {
    explore("i386", |_| true);
}

#[test]
fn an_interrupted_run_on_alpha_ends_old_or_new() {
    // Only names of folders differ; the sweeps try the rest.
    explore("alpha", |name| name.starts_with("apply, ") || name.starts_with("rollback, "));
}

/// Lets one step fail after another, and judges what the run says of it by what it left.
fn fail_everywhere(start: &Memory, run: impl Fn(&Memory), judge: impl Fn(&Memory, &str)) -> usize {
    let mut failures = 0;
    for error in ERRORS {
        for at in 0.. {
            let machine = start.next_process(&[(at, Fault::Fail(error))]);
            run(&machine);
            if machine.steps().len() <= at {
                break;
            }
            judge(&machine, &format!("{error:?} at {at}"));
            failures += 1;
        }
    }
    failures
}

#[test]
fn an_apply_that_fails_says_truly_what_it_left() {
    let [old, new, _] = servers("i386").map(|machine| Product::of(&machine));
    let [start, ..] = servers("i386");
    let result = RefCell::new(None);
    let judge = |machine: &Memory, story: &str| match result.take().unwrap() {
        Ok(Applied::Now) => assert_eq!(Product::of(machine).files(), new.files(), "{story}"),
        Err(ApplyError::Unchanged(_) | ApplyError::RolledBack { .. }) => {
            assert_eq!(Product::of(machine).files(), old.files(), "{story}");
        }
        other => panic!("{story}: {other:?}"),
    };
    let run = |machine: &Memory| drop(result.replace(Some(run_apply(machine, tiny()))));
    println!("{} failures judged", fail_everywhere(&start, run, judge));
}

#[test]
fn a_rollback_that_fails_says_truly_what_it_left() {
    let [old, new, _] = servers("alpha").map(|machine| Product::of(&machine));
    let [_, start, _] = servers("alpha");
    let result = RefCell::new(None);
    let judge = |machine: &Memory, story: &str| match result.take().unwrap() {
        Ok(()) => assert_eq!(Product::of(machine).files(), old.files(), "{story}"),
        Err(RollbackError::Unchanged(_) | RollbackError::StillInstalled { .. }) => {
            assert_eq!(Product::of(machine).files(), new.files(), "{story}");
        }
        other => panic!("{story}: {other:?}"),
    };
    let run = |machine: &Memory| drop(result.replace(Some(run_rollback(machine))));
    println!("{} failures judged", fail_everywhere(&start, run, judge));
}

#[test]
fn an_apply_that_fails_before_a_file_is_touched_leaves_at_most_the_log() {
    let [start, ..] = servers("alpha");
    let before = start.tree();
    let unchanged = Cell::new(0);
    let result = RefCell::new(None);
    let judge = |machine: &Memory, story: &str| {
        if let Some(Err(ApplyError::Unchanged(_))) = result.take() {
            let mut tree = machine.tree();
            tree.remove(Path::new("/sms/LOGS/T1.log"));
            assert_eq!(tree, before, "{story}");
            unchanged.set(unchanged.get() + 1);
        }
    };
    let run = |machine: &Memory| drop(result.replace(Some(run_apply(machine, tiny()))));
    fail_everywhere(&start, run, judge);
    assert!(unchanged.get() > 100, "{}", unchanged.get());
}

#[test]
fn files_in_use_are_all_replaced_at_the_restart_and_none_before() {
    let [old, new, _] = servers("i386");
    let machine = old.next_process(&[]);
    machine.hold_open(Some(&file("i386", "Two.ini")));
    assert_eq!(run_apply(&machine, tiny()).unwrap(), Applied::AtRestart);
    assert_eq!(Product::of(&machine), Product::of(&old), "nothing is replaced, services run again");
    assert!(run_recover(&machine).unwrap().is_empty(), "there is nothing to recover while it waits");
    let restarted = machine.restarted();
    assert_eq!(run_recover(&restarted).unwrap()[0].did, Remedy::CompletedAfterRestart);
    assert_eq!(Product::of(&restarted), Product::of(&new));
    run_rollback(&restarted).unwrap();
    assert_eq!(Product::of(&restarted), Product::of(&old));

    run_rollback(&machine).unwrap();
    let restarted = machine.restarted();
    assert_eq!(Product::of(&restarted), Product::of(&old), "what was taken back is not replaced");
    assert!(run_recover(&restarted).unwrap().is_empty());
}

#[test]
fn effects_come_in_the_order_of_the_journals_invariants() {
    let [machine, ..] = servers("i386");
    let machine = machine.next_process(&[]);
    run_apply(&machine, tiny()).unwrap();
    let steps = machine.steps();
    let first = |part: &str| steps.iter().position(|step| step.contains(part)).unwrap();
    let last = |part: &str| steps.iter().rposition(|step| step.contains(part)).unwrap();
    let replaced = format!("rename {ROOT}/Bin/");
    let is_record = |step: &String| step.starts_with("sync ") && step.ends_with("/journal");
    let records: Vec<usize> = (0..steps.len()).filter(|at| is_record(&steps[*at])).collect();
    assert!(last("sync /sms/$NtUninstallT1$/0001/stage/000") < records[0], "staged before begin");
    assert!(records[0] < first("stop "), "what services were is durable before they are stopped");
    assert!(last("stop ") < first("create /sms/$NtUninstallT1$/0001/backup/"), "stopped before the backup");
    assert!(last("sync-folder /sms/$NtUninstallT1$/0001/backup/") < records[1], "backups before an intent");
    assert!(records[1] < first(&replaced), "an intent before its file is touched");
    for (at, step) in steps.iter().enumerate().filter(|(_, step)| step.starts_with(&replaced)) {
        assert!(is_record(&steps[at - 1]), "no intent before {step}");
        assert!(is_record(&steps[at + 4]), "no done after {step}");
    }
    let commit = records[records.len() - 2];
    let synced = last(&format!("sync-folder {ROOT}/Bin/"));
    assert!(last(&replaced) < synced && synced < commit, "names are durable before the commit");
    assert!(commit < first("start "), "services run again once the update stands");
    assert!(last("start ") < *records.last().unwrap(), "that they run is recorded afterwards");
    assert!(!steps[..commit].iter().any(|step| step.starts_with("remove")), "nothing is removed before");
}

#[test]
fn a_record_of_new_files_touches_no_file_and_stops_no_service() {
    let [by_hand, recorded] = by_hand_and_recorded("i386");
    let touches = |step: &&String| {
        step.starts_with("stop ")
            || step.starts_with("start ")
            || step.contains("/sms/Bin")
            || step.contains("backup")
    };
    assert_eq!(recorded.steps().iter().find(touches), None);
    assert_eq!(Product::of(&recorded).files(), Product::of(&by_hand).files());
    assert_ne!(Product::of(&recorded), Product::of(&by_hand), "the registry says that it is installed");

    // A damaged file is the update's now, and healed; the rollback takes back what the update did, and no more.
    let healed = recorded.next_process(&[]);
    healed.put(&file("i386", "One.ini"), b"damaged");
    let damaged = healed.next_process(&[]);
    run_apply(&healed, tiny()).unwrap();
    assert_eq!(Product::of(&healed).files().keys().collect::<Vec<_>>().len(), 3);
    let one = |machine: &Memory| Product::of(machine).files()[&file("i386", "One.ini")].0.clone();
    assert_eq!(one(&healed), tiny().new["One.ini"]);
    run_rollback(&healed).unwrap();
    assert_eq!(one(&healed), one(&damaged));
    assert!(run_rollback(&healed).is_err(), "nothing is installed any more");
}

#[test]
fn a_rollback_without_room_for_old_files_beside_new_ones_is_refused_untouched() {
    let [_, start, _] = servers("i386");
    let machine = start.next_process(&[]);
    machine.set_free(10_000);
    let error = run_rollback(&machine).unwrap_err().to_string();
    assert!(error.contains("10000 bytes free"), "{error}");
    assert_eq!(machine.tree(), start.tree());
    machine.set_free(100_000);
    run_rollback(&machine).unwrap();
}

#[test]
fn a_rollback_of_files_in_use_stops_services_tries_and_leaves_everything_as_it_was() {
    let [old, start, _] = servers("alpha");
    let machine = start.next_process(&[]);
    machine.hold_open(Some(&file("alpha", "One.ini")));
    let error = run_rollback(&machine).unwrap_err();
    assert!(
        matches!(&error, RollbackError::Unchanged(error)
            if matches!(error.kind(), UpdateErrorKind::Host(error) if error.is_in_use())),
        "nothing was touched: {error:?}"
    );
    let stopped = machine.steps().iter().filter(|step| step.starts_with("stop ")).count();
    assert_eq!(stopped, 3, "each service once: waiting twice would be twice as long as was said");
    assert_eq!(Product::of(&machine), Product::of(&start), "files new, services running");
    assert!(run_recover(&machine).unwrap().is_empty());
    machine.hold_open(None);
    run_rollback(&machine).unwrap();
    assert_eq!(Product::of(&machine), Product::of(&old));
}
