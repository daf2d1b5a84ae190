//! Plans without a disk: facts in, decision or findings out.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    Control, Decision, Downgrade, Finding, FindingKind, Plan, Reason, Request, Services, UnknownFiles, decide,
};
use crate::bundle::manifest::{FileEntry, Manifest, VariantEntry};
use crate::digest::Digest;
use crate::host::{Memory, ServiceStart, ServiceState, Volume};
use crate::json::{self, ToJson};
use crate::name::Variant;
use crate::platform::{Machine, Platform};
use crate::registry::RegistryValue;
use crate::update::facts::{Facts, FileFact, GateFact, Present};
use crate::update::journal::ServiceRecord;
use crate::update::order::{Proof, Proven};
use crate::update::target::{Place, TargetRoot};

/// A manifest with one file for both platforms, `New` being its contents; `lean` leaves the payload out.
fn manifest(verb: &str, lean: bool) -> Manifest {
    let sha256 = |bytes: &[u8]| Digest::of(bytes).to_string();
    let new = sha256(b"new");
    let file = |platform: &str| {
        json!({
            "platform": platform, "name": "Ccm.dll", "size": 3, "sha256": new, "version": "2.0.1380.1125",
            "time_stamp": null, "member": if lean { Value::Null } else { json!("i386/Ccm.dll") }, "register": true,
            "install": [{"role": "site-server", "verb": verb, "to": format!("Bin/{platform}/Ccm.dll")},
                        {"role": "sql-monitor", "verb": verb, "to": "Ccm.dll"}],
            "baselines": [{"name": "1380.1000", "size": 3, "sha256": sha256(b"old"), "version": "2.0.1380.1000"}]
        })
    };
    let role = |name: &str, after: &[&str]| {
        json!({"role": name, "title": name, "usual": "", "installed": null, "lacks": ["Inboxes"], "after": after, "programs": ["mmc.exe"],
               "before": ["close the console"],
               "services": [{"service": "ONE", "optional": false, "prefix": null, "holds": []},
                            {"service": "TWO", "optional": true, "prefix": "TWO_", "holds": []},
                            {"service": "THREE", "optional": true, "prefix": null, "holds": ["Other.dll"]}]})
    };
    let mut members = vec![json!({"name": "deltas/x.bsdiff", "size": 1, "sha256": sha256(b"delta")})];
    if !lean {
        members.push(json!({"name": "i386/Ccm.dll", "size": 3, "sha256": new}));
    }
    let value = json!({
        "format": 1, "id": "Q252717", "title": "t", "revision": 2, "product": "p", "builds": [1380], "requires": [],
        "supersedes": [], "log": "LOGS/Q252717.log", "registration": {
            "key": "HKLM\\SOFTWARE\\U\\{level}", "values": [{"name": "Date", "text": "{date}"}]},
        "levels": [{"build": 1380, "from": 0, "name": "SP1", "version": "2.00.1380.1000"}], "gates": [], "readiness": [],
        "manual": [],
        "roles": [role("site-server", &[]), role("sql-monitor", &["site-server"])],
        "files": [file("i386"), file("alpha")],
        "deltas": [{"old": sha256(b"old"), "new": new, "codec": "bsdiff", "member": "deltas/x.bsdiff"}],
        "members": members
    });
    Manifest::parse(value.to_string().as_bytes()).unwrap()
}

fn request() -> Request {
    Request {
        role: "site-server".parse().unwrap(),
        platform: None,
        variant: None,
        assumed_build: None,
        unknown: UnknownFiles::Refuse,
        services: Services::Manual,
        registry: Control::None,
        com_servers: Control::None,
        proof: Proof::Nowhere,
        trust: None,
        downgrade: Downgrade::Refuse,
    }
}

fn present(bytes: &[u8], machine: Machine, version: &str) -> Present {
    Present {
        size: bytes.len() as u64,
        sha256: Digest::of(bytes),
        machine: Some(machine),
        version: version.parse().ok(),
        language: None,
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
        install: 0,
        place: target.locate(&memory, &format!("Bin/{platform}/Ccm.dll").parse().unwrap()).unwrap(),
        present,
        volume: Some(1),
    };
    Facts {
        files: vec![fact(0, Platform::I386, i386), fact(1, Platform::Alpha, alpha)],
        states: Vec::new(),
        volume: Volume { id: Some(1), free: None },
        is_writable: true,
        gates: None,
        processor: None,
        services: Vec::new(),
        programs: Vec::new(),
        foreign_folders: Vec::new(),
        order: Proven::NotNeeded,
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
    assert_eq!(decision(&intel(b"old", "2.0.1380.1000")), Ok(Decision::Install(baseline.clone())));
    // It is known by its contents, so that its version need not be below.
    assert_eq!(decision(&intel(b"old", "2.0.1380.1125")), Ok(Decision::Install(baseline.clone())));
    assert_eq!(decision(&intel(b"old", "none")), Ok(Decision::Install(baseline)));
    assert_eq!(decision(&intel(b"old", "2.0.1380.1126")), Ok(Decision::NewerOnTarget));
    assert_eq!(decision(&intel(b"new", "2.0.1380.1125")), Ok(Decision::AlreadyCurrent));
}

#[test]
fn where_every_file_is_current_the_run_only_records_it() {
    let of = |facts: &Facts| decide(&manifest("add-file", false), facts, &request()).unwrap();
    let current = intel(b"new", "2.0.1380.1125");
    let plan = of(&current);
    assert!(plan.only_records && plan.has_work() && plan.changes().next().is_none());
    assert_eq!(plan.recorded().count(), 1);
    assert!(
        plan.programs.is_empty() && plan.before.is_empty() && plan.after.is_empty(),
        "nothing is replaced"
    );
    // What is later is not the update's.
    let plan = of(&intel(b"x", "2.0.1380.1126"));
    assert!(plan.only_records && plan.recorded().next().is_none());
    // Of the same version and other contents nobody knows whether it is the update's.
    assert!(!of(&intel(b"x", "2.0.1380.1125")).has_work());
    assert!(!of(&intel(b"old", "2.0.1380.1000")).only_records);

    let read_only = of(&Facts { is_writable: false, ..intel(b"new", "2.0.1380.1125") });
    assert!(!read_only.has_work() && read_only.notes[0].contains("not recorded"), "{:?}", read_only.notes);
    let mut full = intel(b"new", "2.0.1380.1125");
    full.volume.free = Some(1_000);
    let findings = decide(&manifest("add-file", false), &full, &request()).unwrap_err();
    assert_eq!(findings[0].kind, FindingKind::NoSpace);
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
    // The machine may state its processor: it decides between two, but makes no Intel server of one for Alpha.
    let intel = |facts| Facts { processor: Some(Platform::I386), ..facts };
    let both = intel(both);
    assert_eq!(decide(&manifest("add-file", false), &both, &request()).unwrap().platform, Platform::I386);
    assert_eq!(decide(&manifest("add-file", false), &both, &told).unwrap().platform, Platform::Alpha);
    let alpha = intel(alpha);
    assert_eq!(decide(&manifest("add-file", false), &alpha, &request()).unwrap().platform, Platform::Alpha);
}

/// The manifest for Intel alone, its file in a German, an English and a French form.
fn in_variants() -> Manifest {
    let mut manifest = manifest("add-file", false);
    manifest.files.truncate(1);
    let file = manifest.files.remove(0);
    for (name, languages) in
        [("english", [0x0409, 0x0809]), ("french", [0x040c, 0x080c]), ("german", [0x0407, 0x0c07])]
    {
        let variant: Variant = name.parse().unwrap();
        let languages = languages.to_vec();
        manifest.variants.push(VariantEntry { variant: variant.clone(), title: name.to_owned(), languages });
        manifest.files.push(FileEntry { variant: Some(variant), ..file.clone() });
    }
    let text = manifest.to_json().to_string();
    Manifest::parse(text.as_bytes()).unwrap()
}

#[test]
fn the_variant_is_that_of_the_files_and_must_be_one() {
    let manifest = in_variants();
    let of_language = |language: Option<u16>| {
        let file = Present { language, ..present(b"old", Machine::I386, "2.0.1380.1000") };
        let mut facts = facts(Some(file), None);
        let fact = facts.files.remove(0);
        let file = |file| FileFact { file, present: fact.present.clone(), place: fact.place.clone(), ..fact };
        facts.files = (0..3).map(file).collect();
        facts
    };
    let variant = |facts: &Facts, request: &Request| {
        let plan = decide(&manifest, facts, request)?;
        assert_eq!(plan.steps.len(), 1);
        assert_eq!(plan.steps[0].file.variant, plan.variant);
        Ok::<_, Vec<Finding>>(plan.variant.unwrap().to_string())
    };
    assert_eq!(variant(&of_language(Some(0x0c07)), &request()).unwrap(), "german");
    assert_eq!(variant(&of_language(Some(0x0409)), &request()).unwrap(), "english");
    for (facts, found) in [
        (of_language(None), "files known to be of english or french or german"),
        (
            of_language(Some(0x0411)),
            "files of these languages: 0x0411; files known to be of english or french or german",
        ),
    ] {
        let finding = &variant(&facts, &request()).unwrap_err()[0];
        assert_eq!((finding.kind, finding.found.as_str()), (FindingKind::WrongTarget, found));
        assert!(
            finding.wanted.contains("english or french or german") && finding.remedy.contains("--variant")
        );
        let told = Request { variant: "french".parse().ok(), ..request() };
        assert_eq!(variant(&facts, &told).unwrap(), "french");
    }
    let unknown = Request { variant: "czech".parse().ok(), ..request() };
    assert_eq!(variant(&of_language(Some(0x0409)), &unknown).unwrap_err()[0].found, "czech");

    let mut two = of_language(Some(0x0409));
    two.files[1].present.as_mut().unwrap().language = Some(0x0407);
    assert_eq!(
        variant(&two, &request()).unwrap_err()[0].found,
        "files of these languages: 0x0407, 0x0409; files known to be of english or french or german"
    );
}

#[test]
fn where_no_language_tells_the_variant_known_files_do() {
    // Two files; of the second both variants have the same old one.
    let mut manifest = in_variants();
    let name = |file: &FileEntry| file.variant.clone().unwrap().to_string();
    manifest.files.retain(|file| name(file) != "english");
    manifest.variants.remove(0);
    let second: Vec<FileEntry> = manifest.files.clone();
    for file in &mut manifest.files {
        file.baselines[0].sha256 = Digest::of(format!("old {}", name(file)).as_bytes());
    }
    for mut file in second {
        file.name = "Hinv.dll".parse().unwrap();
        file.install.iter_mut().for_each(|install| install.to = "Bin/i386/Hinv.dll".parse().unwrap());
        manifest.files.push(file);
    }
    for entry in &mut manifest.variants {
        entry.languages = if entry.title == "german" { vec![0x0407] } else { Vec::new() };
    }
    let variant = |first: &[u8], language: Option<u16>| {
        let file = |bytes: &[u8]| Present { language, ..present(bytes, Machine::I386, "2.0.1380.1000") };
        let mut facts = facts(Some(file(first)), None);
        let fact = facts.files.remove(0);
        let path = "Bin/i386/Hinv.dll".parse().unwrap();
        let second = Place { path, ..fact.place.clone() };
        for number in 0..4 {
            let (place, present) = if number < 2 {
                (fact.place.clone(), fact.present.clone())
            } else {
                (second.clone(), Some(file(b"old")))
            };
            facts.files.push(FileFact { file: number, present, place, ..fact });
        }
        let found = decide(&manifest, &facts, &request());
        found.map(|plan| plan.variant.unwrap().to_string()).map_err(|findings| findings[0].found.clone())
    };
    for language in [None, Some(0x0409)] {
        assert_eq!(variant(b"old german", language), Ok("german".to_owned()));
        assert_eq!(variant(b"old french", language), Ok("french".to_owned()));
    }
    assert_eq!(variant(b"old german", Some(0x0407)), Ok("german".to_owned()));
    // The language is German, the file is known to be the French one; and a file that nobody knows.
    assert_eq!(
        variant(b"old french", Some(0x0407)),
        Err("files of these languages: 0x0407; files known to be of french".to_owned())
    );
    assert_eq!(variant(b"x", None), Err("files known to be of french or german".to_owned()));
}

#[test]
fn a_bundle_without_variants_takes_none_and_heeds_no_language() {
    let mut facts = intel(b"old", "2.0.1380.1000");
    facts.files[0].present.as_mut().unwrap().language = Some(0x0407);
    let manifest = manifest("add-file", false);
    assert_eq!(decide(&manifest, &facts, &request()).unwrap().variant, None);
    let told = Request { variant: "german".parse().ok(), ..request() };
    assert_eq!(decide(&manifest, &facts, &told).unwrap_err()[0].found, "german");
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
            "stop the service TWO or TWO_..., if the machine has it",
            "unregister the COM server: regsvr32 /u Bin/i386/Ccm.dll",
        ]
    );
    assert_eq!(
        plan.after,
        [
            "register the COM server: regsvr32 Bin/i386/Ccm.dll",
            "start the service TWO or TWO_..., if the machine has it",
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
    facts.files[0].present = Some(present(b"x", Machine::I386, "2.0.1380.1125"));
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

fn service(name: &str, was: ServiceState, start: ServiceStart) -> ServiceRecord {
    ServiceRecord { service: name.to_owned(), was, start: Some(start), dependents: Vec::new() }
}

/// Facts of a machine that has the services, the first of them running with this start type.
fn with_services(start: ServiceStart) -> Facts {
    let stopped = |name| vec![service(name, ServiceState::Stopped, ServiceStart::Manual)];
    let one = vec![service("ONE", ServiceState::Running, start)];
    Facts { services: vec![one, stopped("TWO_SITE"), stopped("THREE")], ..intel(b"old", "2.0.1380.1000") }
}

#[test]
fn services_are_the_runs_own_only_where_it_controls_them_and_only_those_that_hold_a_changed_file() {
    let facts = |services| match services {
        Services::Controlled => with_services(ServiceStart::Automatic),
        Services::None | Services::Manual => intel(b"old", "2.0.1380.1000"),
    };
    for (services, count) in [(Services::None, 0), (Services::Manual, 0), (Services::Controlled, 2)] {
        let request = Request { services, ..request() };
        let plan = decide(&manifest("add-file", false), &facts(services), &request).unwrap();
        assert_eq!(plan.services.len(), count, "{services:?}");
        assert_eq!(plan.before.iter().any(|step| step.contains("stop")), services == Services::Manual);
        let names: Vec<&str> = plan.found_services.iter().map(|found| found.service.as_str()).collect();
        assert_eq!(names, if count == 0 { vec![] } else { vec!["ONE", "TWO_SITE"] });
    }
}

fn refused(facts: &Facts, request: &Request) -> Vec<(FindingKind, String)> {
    let findings = decide(&manifest("add-file", false), facts, request).unwrap_err();
    findings.into_iter().map(|finding| (finding.kind, finding.to_string())).collect()
}

#[test]
fn a_service_that_is_lacking_or_could_not_be_started_again_refuses_the_run() {
    let request = Request { services: Services::Controlled, ..request() };
    let mut facts = with_services(ServiceStart::Disabled);
    let findings = refused(&facts, &request);
    assert!(matches!(findings.as_slice(), [(FindingKind::WrongTarget, text)] if text.contains("disabled")));
    facts.services = vec![Vec::new(), Vec::new(), Vec::new()];
    let findings = refused(&facts, &request);
    assert!(
        matches!(findings.as_slice(), [(FindingKind::WrongTarget, text)] if text.contains("service ONE"))
    );
    facts.files[0].present = Some(present(b"new", Machine::I386, "2.0.1380.1125"));
    assert!(decide(&manifest("add-file", false), &facts, &request).is_ok(), "nothing is to be stopped");
}

#[test]
fn programs_rights_and_foreign_folders_refuse_the_run_all_at_once() {
    let mut facts = intel(b"old", "2.0.1380.1000");
    facts.programs = vec!["Explorer.exe (process 1)".to_owned(), "MMC.EXE (process 2)".to_owned()];
    facts.is_writable = false;
    facts.foreign_folders = vec!["Inboxes".parse().unwrap()];
    let findings = refused(&facts, &request());
    let kinds: Vec<FindingKind> = findings.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [FindingKind::WrongTarget, FindingKind::InUse, FindingKind::NoRights]);
    assert!(findings[1].1.contains("MMC.EXE (process 2)") && !findings[1].1.contains("Explorer"));
}

#[test]
fn a_role_that_comes_after_others_needs_their_proof() {
    let mut facts = intel(b"old", "2.0.1380.1000");
    for order in [Proven::Missing, Proven::No("a receipt of Q1".to_owned())] {
        facts.order = order;
        assert!(matches!(refused(&facts, &request()).as_slice(), [(FindingKind::Order, _)]));
    }
    facts.order = Proven::Yes("a receipt".to_owned());
    let plan = decide(&manifest("add-file", false), &facts, &request()).unwrap();
    assert!(plan.notes.iter().any(|note| note.contains("a receipt")), "{:?}", plan.notes);
}

/// Returns the manifest with one gate of each kind on the site server.
fn gated() -> Manifest {
    let mut manifest = manifest("add-file", false);
    let gate = |value: Value| json::read(value.to_string().as_bytes()).unwrap();
    let key = "HKLM\\S";
    let roles = json!(["site-server"]);
    manifest.gates = vec![
        gate(json!({"gate": "registry-build", "key": key, "value": "V", "roles": roles, "remedy": "build"})),
        gate(
            json!({"gate": "registry-one-of", "key": key, "value": "T", "roles": roles, "one_of": ["1", "2"],
                    "remedy": "type"}),
        ),
        gate(json!({"gate": "registry-machine", "key": key, "value": "P", "own_key": key, "own_value": "N",
                    "here": ["sql-monitor"], "elsewhere": roles, "remedy": "go to {machine}"})),
        gate(
            json!({"gate": "pending-renames", "key": key, "value": "R", "roles": roles, "remedy": "restart"}),
        ),
    ];
    manifest
}

/// Facts of a registry that lets the run pass.
fn passing() -> Vec<GateFact> {
    let fact = |value| GateFact { value, machine: None };
    vec![
        fact(Some(RegistryValue::text("2.00.1380.1000"))),
        fact(Some(RegistryValue::number(1))),
        GateFact { value: Some(RegistryValue::text("\\\\SITE1")), machine: Some("site1".to_owned()) },
        fact(None),
    ]
}

fn with_gate(number: usize, value: Option<RegistryValue>) -> Result<Plan, Vec<Finding>> {
    let mut facts = intel(b"old", "2.0.1380.1000");
    let mut gates = passing();
    gates[number].value = value;
    facts.gates = Some(gates);
    decide(&gated(), &facts, &Request { registry: Control::Change, ..request() })
}

#[test]
fn the_build_is_decided_by_the_third_number_however_it_is_written() {
    for text in ["2.00.1380.1000", "2.000.1380.1000", " 2.0.1380.0 ", "2.00.1380.0000"] {
        assert!(with_gate(0, Some(RegistryValue::text(text))).is_ok(), "{text}");
    }
    for (value, found) in [
        (None, "no such value"),
        (Some(RegistryValue::text("")), "an empty value"),
        (Some(RegistryValue::text("  ")), "an empty value"),
        (Some(RegistryValue::text("000")), "\"000\", which is no version"),
        (Some(RegistryValue::text("Service Pack 1")), "\"Service Pack 1\", which is no version"),
        (Some(RegistryValue::number(1380)), "\"1380\", which is no version"),
        (Some(RegistryValue { kind: 3, data: vec![1] }), "a value of type 3"),
        (Some(RegistryValue::text("2.00.1239.0000")), "2.0.1239.0"),
    ] {
        let findings = with_gate(0, value).unwrap_err();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].kind, FindingKind::WrongTarget);
        assert!(findings[0].found.contains(found), "{found}: {:?}", findings[0]);
        assert!(findings[0].wanted.contains("2.00.1380.1000") && findings[0].remedy.contains("build"));
    }
}

#[test]
fn another_revision_of_the_right_build_is_a_note() {
    let notes = |text: &str| with_gate(0, Some(RegistryValue::text(text))).unwrap().notes;
    assert!(notes("2.00.1380.1000").is_empty());
    assert!(notes("2.00.1380.0000").iter().any(|note| note.contains("last number")));
}

#[test]
fn a_type_that_is_neither_of_those_wanted_is_refused() {
    for value in [RegistryValue::number(2), RegistryValue::text("1"), RegistryValue::text(" 2 ")] {
        assert!(with_gate(1, Some(value)).is_ok());
    }
    for (value, found) in [(Some(RegistryValue::number(6)), "\"6\""), (None, "no such value")] {
        let findings = with_gate(1, value).unwrap_err();
        assert_eq!((findings[0].found.as_str(), findings[0].wanted.as_str()), (found, "1 or 2"));
    }
}

#[test]
fn a_part_of_the_product_on_another_machine_is_told_and_a_role_that_is_not_here_refused() {
    let plan = with_gate(2, Some(RegistryValue::text("SQL9"))).unwrap();
    assert!(plan.after.contains(&"go to SQL9".to_owned()), "{:?}", plan.after);
    assert!(!with_gate(2, None).unwrap().after.iter().any(|step| step.contains("go to")));
    let mut facts = intel(b"old", "2.0.1380.1000");
    facts.files[0].place.path = "Ccm.dll".parse().unwrap();
    facts.files[0].install = 1;
    facts.gates = Some(passing());
    let role = Request { role: "sql-monitor".parse().unwrap(), ..request() };
    assert!(decide(&gated(), &facts, &role).is_ok());
    facts.gates.as_mut().unwrap()[2].value = Some(RegistryValue::text("SQL9"));
    let findings = decide(&gated(), &facts, &role).unwrap_err();
    assert!(findings[0].found.contains("SQL9") && findings[0].wanted.contains("site1"), "{findings:?}");
}

#[test]
fn pending_renames_matter_only_where_they_name_a_file_of_the_update() {
    let pending = |path| Some(RegistryValue::texts([path, ""]));
    let other = with_gate(3, pending(r"\??\C:\WINNT\system32\drivers\Kbstuff.sys")).unwrap();
    assert!(other.notes.iter().any(|note| note.contains("Kbstuff.sys")), "{:?}", other.notes);
    assert!(with_gate(3, pending(r"\??\D:\Sms\Bin\i386\XCcm.dll")).is_ok());
    let findings = with_gate(3, pending(r"\??\D:\SMS\BIN\I386\CCM.DLL")).unwrap_err();
    assert_eq!((findings.len(), findings[0].remedy.as_str()), (1, "restart"));
}

#[test]
fn an_update_is_recorded_under_the_release_that_the_machine_states() {
    let plan = with_gate(0, Some(RegistryValue::text("2.00.1380.1000"))).unwrap();
    let keys: Vec<String> = plan.values.iter().map(|(key, _)| key.to_string()).collect();
    assert_eq!(keys, [r"HKLM\SOFTWARE\U\SP1"]);
}

#[test]
fn a_registry_that_nobody_looks_at_is_noted_and_recorded_nowhere() {
    let facts = intel(b"old", "2.0.1380.1000");
    let plan = decide(&gated(), &facts, &request()).unwrap();
    assert_eq!(plan.notes.iter().filter(|note| note.starts_with("not checked")).count(), 2);
    assert!(plan.values.is_empty());
}

#[test]
fn files_that_are_the_updates_already_though_none_is_recorded_are_told() {
    let mut facts = facts(Some(present(b"old", Machine::I386, "2.0.1380.1000")), None);
    let plan = decide(&manifest("add-file", false), &facts, &request()).unwrap();
    assert!(!plan.notes.iter().any(|note| note.contains("half-done")));
    let mut other = intel(b"new", "2.0.1380.1125").files.swap_remove(0);
    other.place.path = "Bin/i386/Other.dll".parse().unwrap();
    facts.files.push(other);
    let plan = decide(&manifest("add-file", false), &facts, &request()).unwrap();
    assert!(plan.notes.iter().any(|note| note.contains("half-done")), "{:?}", plan.notes);
}
