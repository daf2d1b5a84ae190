//! Plans without a disk: facts in, decision or findings out.

use std::path::Path;

use serde_json::{Value, json};

use super::{Decision, FindingKind, Reason, Request, Services, UnknownFiles, decide};
use crate::bundle::manifest::Manifest;
use crate::digest::Digest;
use crate::host::{Memory, Volume};
use crate::platform::{Machine, Platform};
use crate::update::facts::{Facts, FileFact, Present};
use crate::update::target::TargetRoot;

/// A manifest with one file for both platforms, `New` being its contents; `lean` leaves the payload out.
fn manifest(verb: &str, lean: bool) -> Manifest {
    let new = Digest::of(b"new");
    let file = |platform: &str| {
        json!({
            "platform": platform, "name": "Ccm.dll", "size": 3, "sha256": new, "version": "2.0.1380.1125",
            "time_stamp": null, "member": if lean { Value::Null } else { json!("i386/Ccm.dll") }, "register": true,
            "install": [{"role": "site-server", "verb": verb, "to": format!("Bin/{platform}/Ccm.dll")},
                        {"role": "sql-monitor", "verb": verb, "to": "Ccm.dll"}],
            "baselines": [{"name": "1380.1000", "size": 3, "sha256": Digest::of(b"old"), "version": "2.0.1380.1000"}]
        })
    };
    let role = |name: &str, after: &[&str]| {
        json!({"role": name, "title": name, "usual": "", "after": after, "before": ["close the console"],
               "services": [{"service": "ONE", "optional": false}, {"service": "TWO", "optional": true}]})
    };
    let mut members = vec![json!({"name": "deltas/x.bsdiff", "size": 1, "sha256": Digest::of(b"delta")})];
    if !lean {
        members.push(json!({"name": "i386/Ccm.dll", "size": 3, "sha256": new}));
    }
    let value = json!({
        "format": 1, "id": "Q252717", "title": "t", "revision": 2, "product": "p", "builds": [1380], "requires": [],
        "supersedes": [], "log": "LOGS/Q252717.log", "gates": [],
        "roles": [role("site-server", &[]), role("sql-monitor", &["site-server"])],
        "files": [file("i386"), file("alpha")],
        "deltas": [{"old": Digest::of(b"old"), "new": new, "codec": "bsdiff", "member": "deltas/x.bsdiff"}],
        "members": members
    });
    Manifest::parse(value.to_string().as_bytes()).unwrap()
}

fn request() -> Request {
    Request {
        role: "site-server".parse().unwrap(),
        platform: None,
        assumed_build: None,
        unknown: UnknownFiles::Refuse,
        services: Services::Manual,
    }
}

fn present(bytes: &[u8], machine: Machine, version: &str) -> Present {
    Present {
        size: bytes.len() as u64,
        sha256: Digest::of(bytes),
        machine: Some(machine),
        version: version.parse().ok(),
    }
}

/// Facts of a target whose folders exist, with these files for Intel and Alpha.
fn facts(i386: Option<Present>, alpha: Option<Present>) -> Facts {
    let memory = Memory::new(Path::new("/sms"));
    for (platform, present) in [("i386", &i386), ("alpha", &alpha)] {
        if present.is_some() {
            memory.put_folder(&Path::new("/sms/Bin").join(platform));
        }
    }
    let target = TargetRoot::open(&memory, Path::new("/sms")).unwrap();
    let fact = |file, platform: Platform, present| FileFact {
        platform,
        file,
        place: target.locate(&memory, &format!("Bin/{platform}/Ccm.dll").parse().unwrap()).unwrap(),
        present,
        volume: Some(1),
    };
    Facts {
        files: vec![fact(0, Platform::I386, i386), fact(1, Platform::Alpha, alpha)],
        states: Vec::new(),
        volume: Volume { id: Some(1), free: None },
    }
}

fn intel(bytes: &[u8], version: &str) -> Facts {
    facts(Some(present(bytes, Machine::I386, version)), None)
}

fn decision(facts: &Facts) -> Result<Decision, FindingKind> {
    match decide(&manifest("add-file", false), facts, &request()) {
        Ok(plan) => Ok(plan.steps[0].decision.clone()),
        Err(findings) => Err(findings[0].kind),
    }
}

#[test]
fn known_old_files_are_replaced_and_the_new_one_is_current() {
    let baseline = Reason::Baseline("1380.1000".to_owned());
    assert_eq!(decision(&intel(b"old", "2.0.1380.1000")), Ok(Decision::Install(baseline)));
    assert_eq!(decision(&intel(b"new", "2.0.1380.1125")), Ok(Decision::AlreadyCurrent));
}

#[test]
fn or_later_is_decided_by_numbers() {
    assert_eq!(decision(&intel(b"x", "2.0.1380.1126")), Ok(Decision::NewerOnTarget));
    assert_eq!(decision(&intel(b"x", "2.00.1493.2009")), Ok(Decision::NewerOnTarget));
    assert_eq!(decision(&intel(b"x", "2.0.1380.1125")), Ok(Decision::SameVersion));
    assert_eq!(decision(&intel(b"x", "2.0.1380.999")), Err(FindingKind::UnknownOldFile));
    assert_eq!(decision(&intel(b"x", "none")), Err(FindingKind::UnknownOldFile));
}

#[test]
fn unknown_old_files_are_replaced_when_the_user_says_so_and_the_bundle_can() {
    let told = Request { unknown: UnknownFiles::Replace, ..request() };
    let facts = intel(b"x", "2.0.1380.999");
    let plan = decide(&manifest("add-file", false), &facts, &told).unwrap();
    assert_eq!(plan.steps[0].decision, Decision::Install(Reason::Unknown));
    let findings = decide(&manifest("add-file", true), &facts, &told).unwrap_err();
    assert!(findings[0].remedy.contains("complete bundle"), "{findings:?}");
}

#[test]
fn a_file_for_another_machine_is_never_replaced() {
    let wrong = facts(Some(present(b"old", Machine::ALPHA, "2.0.1380.1000")), None);
    let intel = Request { platform: Some(Platform::I386), ..request() };
    let findings = decide(&manifest("add-file", false), &wrong, &intel).unwrap_err();
    assert_eq!(findings[0].kind, FindingKind::WrongPlatform);
    assert!(findings[0].found.contains("alpha") && findings[0].wanted.contains("i386"));
}

#[test]
fn the_platform_is_that_of_the_files_and_must_be_one() {
    let alpha = facts(None, Some(present(b"old", Machine::ALPHA, "2.0.1380.1000")));
    assert_eq!(decide(&manifest("add-file", false), &alpha, &request()).unwrap().platform, Platform::Alpha);
    let both = facts(
        Some(present(b"old", Machine::I386, "2.0.1380.1000")),
        Some(present(b"old", Machine::ALPHA, "2.0.1380.1000")),
    );
    let findings = decide(&manifest("add-file", false), &both, &request()).unwrap_err();
    assert_eq!(findings[0].kind, FindingKind::WrongPlatform);
    let told = Request { platform: Some(Platform::Alpha), ..request() };
    assert_eq!(decide(&manifest("add-file", false), &both, &told).unwrap().platform, Platform::Alpha);
}

#[test]
fn a_target_without_any_of_the_files_is_no_silent_success() {
    for verb in ["add-file", "replace-file"] {
        let findings = decide(&manifest(verb, false), &facts(None, None), &request()).unwrap_err();
        assert_eq!(findings[0].kind, FindingKind::WrongTarget, "{verb}");
        let told = Request { platform: Some(Platform::Alpha), ..request() };
        assert!(decide(&manifest(verb, false), &facts(None, None), &told).is_err(), "{verb}");
    }
}

#[test]
fn every_finding_is_told_at_once() {
    let mut manifest = manifest("add-file", false);
    manifest.requires = vec!["Q1".parse().unwrap(), "Q2".parse().unwrap()];
    let request = Request { assumed_build: Some(1239), ..request() };
    let findings = decide(&manifest, &intel(b"x", "2.0.1380.999"), &request).unwrap_err();
    assert_eq!(findings.len(), 4, "{findings:?}");
    assert!(findings.iter().all(|finding| !finding.remedy.is_empty()));
}

#[test]
fn manual_steps_stop_in_order_and_start_in_reverse() {
    let plan = decide(&manifest("add-file", false), &intel(b"old", "2.0.1380.1000"), &request()).unwrap();
    assert_eq!(
        plan.before,
        [
            "close the console",
            "stop the service ONE",
            "stop the service TWO, if the machine has it",
            "unregister the COM server: regsvr32 /u Bin/i386/Ccm.dll",
        ]
    );
    assert_eq!(
        plan.after,
        [
            "register the COM server: regsvr32 Bin/i386/Ccm.dll",
            "start the service TWO, if the machine has it",
            "start the service ONE",
        ]
    );
    let none = Request { services: Services::None, ..request() };
    let plan = decide(&manifest("add-file", false), &intel(b"old", "2.0.1380.1000"), &none).unwrap();
    assert!(!plan.before.iter().chain(&plan.after).any(|step| step.contains("service")));
}

#[test]
fn a_volume_without_room_for_new_files_and_backup_is_refused_with_both_numbers() {
    let mut facts = intel(b"old", "2.0.1380.1000");
    facts.volume.free = Some(20_000);
    let findings = decide(&manifest("add-file", false), &facts, &request()).unwrap_err();
    assert_eq!(findings[0].kind, FindingKind::NoSpace);
    assert!(
        findings[0].found.contains("20000") && findings[0].wanted.starts_with("24582 bytes"),
        "{findings:?}"
    );
    facts.volume.free = Some(24_582);
    assert!(decide(&manifest("add-file", false), &facts, &request()).is_ok());
    facts.files[0].present = Some(present(b"new", Machine::I386, "2.0.1380.1125"));
    facts.volume.free = Some(0);
    assert!(decide(&manifest("add-file", false), &facts, &request()).is_ok(), "nothing is to be written");
}

#[test]
fn a_folder_on_another_volume_is_refused_before_anything_is_touched() {
    let mut facts = intel(b"old", "2.0.1380.1000");
    facts.files[0].volume = Some(2);
    let findings = decide(&manifest("add-file", false), &facts, &request()).unwrap_err();
    assert_eq!(findings[0].kind, FindingKind::WrongTarget);
    assert!(findings[0].found.contains("another volume"), "{findings:?}");
}

#[test]
fn services_are_the_runs_own_only_where_it_controls_them() {
    let facts = intel(b"old", "2.0.1380.1000");
    for (services, count) in [(Services::None, 0), (Services::Manual, 0), (Services::Controlled, 2)] {
        let plan = decide(&manifest("add-file", false), &facts, &Request { services, ..request() }).unwrap();
        assert_eq!(plan.services.len(), count, "{services:?}");
        assert_eq!(plan.before.iter().any(|step| step.contains("stop")), services == Services::Manual);
    }
}
