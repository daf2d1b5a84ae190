//! Crashes and failures at every effect of apply, rollback and recovery: exactly old or exactly new.
//!
//! Runs on files in memory, where a kill keeps what was done before it. (Power loss is another model.)

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use qfe_patcher::host::{Fault, Faulty, Host, Memory};
use qfe_patcher::update::apply::{Apply, ApplyError};
use qfe_patcher::update::plan::{Request, Services, UnknownFiles, decide};
use qfe_patcher::update::recover::recover;
use qfe_patcher::update::rollback::{RollbackError, rollback};
use qfe_patcher::update::target::TargetRoot;
use qfe_patcher::update::{Event, Observer, facts};
use qfe_tests::samples::tiny;

const ROOT: &str = "/sms";
const PLATFORMS: [&str; 2] = ["i386", "alpha"];
const KILLS: [Fault; 2] = [Fault::KillBefore, Fault::KillAfter];
const FAILURES: [Fault; 3] = [
    Fault::Fail(io::ErrorKind::StorageFull),
    Fault::Fail(io::ErrorKind::PermissionDenied),
    Fault::Fail(io::ErrorKind::Other),
];

struct Silent;

impl Observer for Silent {
    fn tell(&mut self, _event: &Event<'_>) {}
}

fn server(platform: &str) -> Memory {
    let memory = Memory::new(Path::new(ROOT));
    for (name, bytes) in &tiny().old {
        memory.put(&PathBuf::from(format!("{ROOT}/Bin/{platform}/{name}")), bytes);
    }
    memory.put(&PathBuf::from(format!("{ROOT}/LOGS/sms.log")), b"log");
    memory
}

/// Returns the product's files by name: what must be all old or all new.
fn product(memory: &Memory) -> BTreeMap<String, Vec<u8>> {
    let files = memory.files().into_iter().filter(|(path, _)| path.starts_with(format!("{ROOT}/Bin")));
    files.map(|(path, bytes)| (path.file_name().unwrap().to_string_lossy().into_owned(), bytes)).collect()
}

fn old() -> BTreeMap<String, Vec<u8>> {
    tiny().old.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect()
}

fn new() -> BTreeMap<String, Vec<u8>> {
    tiny().new.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect()
}

fn run_apply(host: &dyn Host) -> Result<(), ApplyError> {
    let target = TargetRoot::open(host, Path::new(ROOT)).unwrap();
    let mut bundle = tiny().open();
    let request = Request {
        role: "site-server".parse().unwrap(),
        platform: None,
        assumed_build: Some(1380),
        unknown: UnknownFiles::Refuse,
        services: Services::None,
    };
    let facts = facts::gather(host, target, bundle.manifest(), &request.role).unwrap();
    let plan = decide(bundle.manifest(), &facts, &request).unwrap();
    let apply = Apply { target, bundle: &mut bundle, request: &request, plan: &plan, source: "T1.zip" };
    apply.run(host, &mut Silent)
}

fn run_rollback(host: &dyn Host) -> Result<(), RollbackError> {
    let target = TargetRoot::open(host, Path::new(ROOT)).unwrap();
    rollback(host, target, None, &mut Silent).map(drop)
}

fn run_recover(host: &dyn Host) -> bool {
    let target = TargetRoot::open(host, Path::new(ROOT)).unwrap();
    recover(host, target, &mut Silent).is_ok()
}

/// Starts from a copy whose lock is free, as after the death of its holder.
fn reboot(memory: &Memory) -> Memory {
    let fresh = Memory::new(Path::new(ROOT));
    for (path, bytes) in memory.files() {
        fresh.put(&path, &bytes);
    }
    for folder in memory.folders() {
        fresh.put_folder(&folder);
    }
    fresh
}

/// Recovers, and requires that the product is then as `allowed` says and that a second recovery does nothing.
#[track_caller]
fn comes_to_rest(memory: &Memory, allowed: &[BTreeMap<String, Vec<u8>>], story: &str) {
    let memory = reboot(memory);
    assert!(run_recover(&memory), "{story}: recovery failed");
    assert!(allowed.contains(&product(&memory)), "{story}: neither old nor new");
    let rest = memory.files();
    let second = Faulty::new(&memory, None);
    assert!(run_recover(&second), "{story}: second recovery failed");
    assert!(second.effects().is_empty(), "{story}: second recovery did {:?}", second.effects());
    assert_eq!(memory.files(), rest, "{story}");
    assert!(
        !memory.files().keys().any(|path| path.to_string_lossy().contains("/stage")),
        "{story}: stage left"
    );
}

/// Kills `run` at every effect, and the recovery that follows at every effect of its own.
fn kill_everywhere(start: &Memory, run: &dyn Fn(&dyn Host), allowed: &[BTreeMap<String, Vec<u8>>]) -> usize {
    let whole = start.clone();
    let count = {
        let counting = Faulty::new(&whole, None);
        run(&counting);
        counting.effects().len()
    };
    let mut states = 0;
    for at in 0..count {
        for kill in KILLS {
            let memory = reboot(start);
            run(&Faulty::new(&memory, Some((at, kill))));
            comes_to_rest(&memory, allowed, &format!("{kill:?} at {at}"));
            states += 1;
            for again in 0.. {
                let rebooted = reboot(&memory);
                let dying = Faulty::new(&rebooted, Some((again, kill)));
                run_recover(&dying);
                if dying.effects().len() <= again {
                    break;
                }
                comes_to_rest(&rebooted, allowed, &format!("{kill:?} at {at}, then at {again} of recovery"));
                states += 1;
            }
        }
    }
    states
}

#[test]
fn a_kill_at_any_effect_of_apply_leaves_old_or_new() {
    for platform in PLATFORMS {
        let states = kill_everywhere(&server(platform), &|host| drop(run_apply(host)), &[old(), new()]);
        println!("{platform}: {states} states of apply and recovery explored");
        assert!(states > 1000);
    }
}

#[test]
fn a_kill_at_any_effect_of_rollback_leaves_old_or_new() {
    for platform in PLATFORMS {
        let updated = server(platform);
        run_apply(&updated).unwrap();
        let states = kill_everywhere(&updated, &|host| drop(run_rollback(host)), &[old(), new()]);
        println!("{platform}: {states} states of rollback and recovery explored");
        assert!(states > 500);
    }
}

#[test]
fn a_kill_at_any_effect_of_undoing_two_runs_of_one_update_can_be_finished() {
    let healed = server("i386");
    run_apply(&healed).unwrap();
    let path = Path::new("/sms/Bin/i386/One.ini");
    let mut damaged = new();
    damaged.insert("One.ini".to_owned(), b"damaged".to_vec());
    healed.put(path, b"damaged");
    run_apply(&healed).unwrap();
    assert_eq!(product(&healed), new());
    let states = kill_everywhere(&healed, &|host| drop(run_rollback(host)), &[old(), damaged, new()]);
    println!("{states} states of undoing two runs explored");
    for at in 0.. {
        let memory = reboot(&healed);
        let dying = Faulty::new(&memory, Some((at, Fault::KillAfter)));
        drop(run_rollback(&dying));
        if dying.effects().len() <= at {
            break;
        }
        let memory = reboot(&memory);
        assert!(run_recover(&memory), "killed at {at}");
        drop(run_rollback(&memory));
        assert_eq!(product(&memory), old(), "killed at {at}, recovered, rolled back again");
    }
}

#[test]
fn a_failure_at_any_effect_of_apply_is_undone_at_once_or_did_no_harm() {
    let count = {
        let memory = server("i386");
        let counting = Faulty::new(&memory, None);
        run_apply(&counting).unwrap();
        counting.effects().len()
    };
    for at in 0..count {
        for fault in FAILURES {
            let memory = server("i386");
            let faulty = Faulty::new(&memory, Some((at, fault)));
            let story = format!("{fault:?} at {at}");
            match run_apply(&faulty) {
                Ok(()) => assert_eq!(product(&memory), new(), "{story}"),
                Err(ApplyError::Unchanged(_) | ApplyError::RolledBack { .. }) => {
                    assert_eq!(product(&memory), old(), "{story}");
                }
                Err(error) => panic!("{story}: {error}"),
            }
            comes_to_rest(&memory, &[old(), new()], &story);
        }
    }
}

#[test]
fn a_failure_at_any_effect_of_rollback_leaves_all_old_or_all_new() {
    let updated = server("alpha");
    run_apply(&updated).unwrap();
    let count = {
        let memory = reboot(&updated);
        let counting = Faulty::new(&memory, None);
        run_rollback(&counting).unwrap();
        counting.effects().len()
    };
    for at in 0..count {
        for fault in FAILURES {
            let memory = reboot(&updated);
            let story = format!("{fault:?} at {at}");
            match run_rollback(&Faulty::new(&memory, Some((at, fault)))) {
                Ok(()) => assert_eq!(product(&memory), old(), "{story}"),
                Err(RollbackError::Unchanged(_) | RollbackError::StillInstalled { .. }) => {
                    assert_eq!(product(&memory), new(), "{story}");
                }
                Err(error) => panic!("{story}: {error}"),
            }
            comes_to_rest(&memory, &[old(), new()], &story);
        }
    }
}

#[test]
fn a_failure_before_a_file_is_touched_leaves_at_most_the_log() {
    let start = server("alpha");
    let mut unchanged = 0;
    for fault in FAILURES {
        for at in 0.. {
            let memory = reboot(&start);
            let faulty = Faulty::new(&memory, Some((at, fault)));
            let result = run_apply(&faulty);
            if faulty.effects().len() <= at {
                break;
            }
            if let Err(ApplyError::Unchanged(_)) = result {
                let mut files = memory.files();
                files.remove(Path::new("/sms/LOGS/T1.log"));
                assert_eq!(files, start.files(), "{fault:?} at {at}");
                assert_eq!(memory.folders(), start.folders(), "{fault:?} at {at}");
                unchanged += 1;
            }
        }
    }
    println!("{unchanged} failures left nothing behind");
    assert!(unchanged > 50);
}

#[test]
fn effects_come_in_the_order_of_the_journals_invariants() {
    let memory = server("i386");
    let observed = Faulty::new(&memory, None);
    run_apply(&observed).unwrap();
    let effects = observed.effects();
    let position = |part: &str| effects.iter().position(|effect| effect.contains(part)).unwrap();
    let last = |part: &str| effects.iter().rposition(|effect| effect.contains(part)).unwrap();
    let target = format!("rename {ROOT}/Bin/");
    let first_rename = position(&target);
    let appends: Vec<usize> = (0..effects.len()).filter(|at| effects[*at].starts_with("append")).collect();
    assert!(
        last(&format!("write-new {ROOT}/$NtUninstallT1$/0001/stage/000")) < appends[0],
        "staged before begin"
    );
    assert!(last("/backup/") < appends[1], "backups are durable before the first intent");
    assert!(appends[1] < first_rename, "an intent is durable before the target is touched");
    for (at, effect) in effects.iter().enumerate().filter(|(_, effect)| effect.starts_with(&target)) {
        assert!(effects[at - 1].starts_with("append"), "no intent before {effect}");
        assert!(effects[at + 1].starts_with("sync-folder"), "no sync after {effect}");
    }
    assert!(effects[..*appends.last().unwrap()].iter().filter(|e| e.starts_with("remove")).count() == 0);
}
