//! The decision: a pure function of manifest, facts and request.

use std::collections::BTreeSet;
use std::fmt;

use super::{
    Decision, Finding, FindingKind, Plan, Reason, Request, Services, Step, UnknownFiles, version_text,
};
use crate::bundle::manifest::{FileEntry, Gate, InstallEntry, Manifest, RoleEntry, ServiceEntry, Verb};
use crate::digest::Digest;
use crate::name::Role;
use crate::platform::Platform;
use crate::update::facts::{Facts, FileFact, Present};
use crate::update::state::{Phase, StateFolder};

/// Decides what to do, or returns everything that forbids it.
pub fn decide(manifest: &Manifest, facts: &Facts, request: &Request) -> Result<Plan, Vec<Finding>> {
    let Some(role) = manifest.role(&request.role) else {
        return Err(vec![unknown_role(manifest, &request.role)]);
    };
    let mut findings = build_findings(manifest, request);
    findings.extend(order_findings(manifest, facts));
    let platform = match choose_platform(manifest, facts, request) {
        Ok(platform) => platform,
        Err(finding) => {
            findings.push(finding);
            return Err(findings);
        }
    };
    let steps = decide_steps(manifest, facts, request, platform, &mut findings);
    if !findings.is_empty() {
        findings.sort_by_key(|finding| finding.kind);
        return Err(findings);
    }
    let (before, after) = if steps.iter().any(Step::is_change) {
        manual_steps(manifest, role, request.services, &steps)
    } else {
        (Vec::new(), Vec::new())
    };
    let notes = notes(manifest, &steps, request);
    Ok(Plan { role: request.role.clone(), platform, steps, notes, before, after })
}

fn unknown_role(manifest: &Manifest, role: &Role) -> Finding {
    let roles: Vec<&str> = manifest.roles.iter().map(|entry| entry.role.as_str()).collect();
    Finding {
        kind: FindingKind::WrongTarget,
        subject: "role".to_owned(),
        found: role.to_string(),
        wanted: format!("one of {}", roles.join(", ")),
        remedy: "name the part this machine plays by --role".to_owned(),
    }
}

fn build_findings(manifest: &Manifest, request: &Request) -> Vec<Finding> {
    let Some(build) = request.assumed_build else { return Vec::new() };
    if manifest.builds.is_empty() || manifest.builds.contains(&build) {
        return Vec::new();
    }
    vec![Finding {
        kind: FindingKind::WrongTarget,
        subject: "build of the product".to_owned(),
        found: format!("{build} (by --assume-build)"),
        wanted: list(&manifest.builds),
        remedy: "apply the update that was made for this build; the same fix has another number there"
            .to_owned(),
    }]
}

fn list<T: fmt::Display>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(" or ")
}

/// Finds missing prerequisites and newer revisions.
fn order_findings(manifest: &Manifest, facts: &Facts) -> Vec<Finding> {
    let installed: Vec<&StateFolder> =
        facts.states.iter().filter(|state| state.installed().is_some()).collect();
    let missing = manifest.requires.iter().filter(|id| !installed.iter().any(|state| state.id == **id));
    let mut findings: Vec<Finding> = missing
        .map(|id| Finding {
            kind: FindingKind::WrongTarget,
            subject: "required update".to_owned(),
            found: format!("{id} is not installed"),
            wanted: format!("{id} installed before {}", manifest.id),
            remedy: format!("apply {id} first"),
        })
        .collect();
    let own = installed.iter().find(|state| state.id == manifest.id).and_then(|state| state.installed());
    if let Some(begin) = own.filter(|begin| begin.revision > manifest.revision) {
        findings.push(Finding {
            kind: FindingKind::Downgrade,
            subject: format!("installed revision of {}", manifest.id),
            found: begin.revision.to_string(),
            wanted: format!("at most {}, that of the bundle", manifest.revision),
            remedy: "use the newer bundle, or roll the installed one back first".to_owned(),
        });
    }
    findings
}

/// Decides the platform by what the user says and by the machine of the files that are there.
fn choose_platform(manifest: &Manifest, facts: &Facts, request: &Request) -> Result<Platform, Finding> {
    let held = manifest.platforms();
    let names: Vec<&str> = held.iter().map(|platform| platform.name()).collect();
    if let Some(platform) = request.platform {
        return if held.contains(&platform) {
            Ok(platform)
        } else {
            Err(Finding {
                kind: FindingKind::WrongPlatform,
                subject: "platform".to_owned(),
                found: platform.to_string(),
                wanted: format!("{}, which the bundle is for", names.join(" or ")),
                remedy: "get the bundle for this platform".to_owned(),
            })
        };
    }
    let machine = |fact: &FileFact| fact.present.as_ref()?.machine?.platform();
    let right = facts.files.iter().filter(|fact| machine(fact) == Some(fact.platform));
    let by_machine: BTreeSet<Platform> = right.map(|fact| fact.platform).collect();
    let misplaced = facts.files.iter().find(|fact| machine(fact).is_some());
    if let Some(fact) = misplaced.filter(|_| by_machine.is_empty()) {
        return Err(wrong_machine(fact, fact.platform));
    }
    // Without any image, a folder of the platform's own tells as much.
    let by_folder: BTreeSet<Platform> =
        facts.files.iter().filter(|fact| has_own_folder(facts, fact)).map(|fact| fact.platform).collect();
    let candidates = if by_machine.is_empty() { by_folder } else { by_machine };
    let mut candidates = candidates.into_iter();
    match (candidates.next(), candidates.next()) {
        (Some(platform), None) if held.contains(&platform) => Ok(platform),
        (Some(platform), None) => Err(Finding {
            kind: FindingKind::WrongPlatform,
            subject: "platform of the files on the target".to_owned(),
            found: platform.to_string(),
            wanted: format!("{}, which the bundle is for", names.join(" or ")),
            remedy: "get the bundle for this platform".to_owned(),
        }),
        (Some(_), Some(_)) => Err(Finding {
            kind: FindingKind::WrongPlatform,
            subject: "platform of the target".to_owned(),
            found: "files of both platforms".to_owned(),
            wanted: "one".to_owned(),
            remedy: "name the one that this machine runs on by --platform i386 or --platform alpha"
                .to_owned(),
        }),
        (None, _) => Err(nothing_there(manifest, request)),
    }
}

/// Tells whether the folder a file goes to exists and is no other platform's too.
fn has_own_folder(facts: &Facts, fact: &FileFact) -> bool {
    let folder = fact.place.full.parent();
    let shared = facts
        .files
        .iter()
        .any(|other| other.platform != fact.platform && other.place.full.parent() == folder);
    fact.place.missing.is_empty() && !shared
}

fn nothing_there(manifest: &Manifest, request: &Request) -> Finding {
    let places: BTreeSet<String> = Platform::ALL
        .into_iter()
        .flat_map(|platform| manifest.files_for(platform, &request.role))
        .map(|(_, install)| install.to.to_string())
        .collect();
    let places: Vec<String> = places.into_iter().collect();
    let platforms: Vec<&str> = manifest.platforms().into_iter().map(Platform::name).collect();
    Finding {
        kind: FindingKind::WrongTarget,
        subject: "files of the update on the target".to_owned(),
        found: format!("none, and no folder of {}", platforms.join(" or ")),
        wanted: if places.is_empty() {
            format!("a role that gets files; {} gets none", request.role)
        } else {
            places.join(" or ")
        },
        remedy: format!(
            "name the folder above those paths by --target, and the part it plays by --role; the bundle is for {}",
            platforms.join(" and ")
        ),
    }
}

fn decide_steps(
    manifest: &Manifest,
    facts: &Facts,
    request: &Request,
    platform: Platform,
    findings: &mut Vec<Finding>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for fact in facts.files.iter().filter(|fact| fact.platform == platform) {
        let Some(entry) = manifest.files.get(fact.file) else { continue };
        let Some(install) = entry.install.iter().find(|install| install.role == request.role) else {
            continue;
        };
        match decide_file(manifest, facts, request, fact, entry, install) {
            Ok(decision) => steps.push(Step {
                file: entry.clone(),
                to: fact.place.path.clone(),
                present: fact.present.clone(),
                decision,
            }),
            Err(finding) => findings.push(finding),
        }
    }
    let nothing = steps.iter().all(|step| step.decision == Decision::AbsentNotWanted);
    if nothing && findings.is_empty() {
        findings.push(nothing_there(manifest, request));
    }
    steps
}

fn decide_file(
    manifest: &Manifest,
    facts: &Facts,
    request: &Request,
    fact: &FileFact,
    entry: &FileEntry,
    install: &InstallEntry,
) -> Result<Decision, Finding> {
    let subject = fact.place.path.to_string();
    let Some(present) = &fact.present else {
        return match install.verb {
            Verb::ReplaceFile => Ok(Decision::AbsentNotWanted),
            Verb::AddFile if !fact.place.missing.is_empty() => Err(Finding {
                kind: FindingKind::WrongTarget,
                subject,
                found: format!(
                    "no folder {}",
                    fact.place
                        .missing
                        .iter()
                        .map(|p| p.display().to_string())
                        .next_back()
                        .unwrap_or_default()
                ),
                wanted: "the folder of an installed product".to_owned(),
                remedy: "check --target and --platform; a folder is never made by an update".to_owned(),
            }),
            Verb::AddFile => possible(manifest, entry, None, subject, Reason::Absent),
        };
    };
    if present.machine.is_some_and(|machine| machine != entry.platform.machine()) {
        return Err(wrong_machine(fact, entry.platform));
    }
    if present.sha256 == entry.sha256 {
        return Ok(Decision::AlreadyCurrent);
    }
    if let (Some(found), Some(wanted)) = (present.version, entry.version)
        && found > wanted
    {
        return Ok(Decision::NewerOnTarget);
    }
    let old = Some(present.sha256);
    if let Some(baseline) = entry.baselines.iter().find(|baseline| baseline.sha256 == present.sha256) {
        return possible(manifest, entry, old, subject, Reason::Baseline(baseline.name.clone()));
    }
    if installed_before(manifest, facts, fact, entry) {
        return possible(manifest, entry, old, subject, Reason::Damaged);
    }
    if present.version.is_some() && present.version == entry.version {
        return Ok(Decision::SameVersion);
    }
    if request.unknown == UnknownFiles::Replace {
        return possible(manifest, entry, old, subject, Reason::Unknown);
    }
    Err(unknown_old_file(entry, present, subject))
}

fn wrong_machine(fact: &FileFact, wanted: Platform) -> Finding {
    let machine = fact.present.as_ref().and_then(|present| present.machine);
    Finding {
        kind: FindingKind::WrongPlatform,
        subject: fact.place.path.to_string(),
        found: machine.map_or_else(|| "no image".to_owned(), |machine| format!("a file for {machine}")),
        wanted: format!("a file for {}", wanted.machine()),
        remedy: "check --platform, and how this file came here".to_owned(),
    }
}

fn unknown_old_file(entry: &FileEntry, present: &Present, subject: String) -> Finding {
    let known: Vec<String> = entry
        .baselines
        .iter()
        .map(|b| format!("{} ({})", version_text(b.version), b.sha256.prefix()))
        .collect();
    let known = if known.is_empty() { "no old file is known".to_owned() } else { known.join(" or ") };
    let version = version_text(present.version);
    Finding {
        kind: FindingKind::UnknownOldFile,
        subject,
        found: format!("{version}, {} bytes, digest {}", present.size, present.sha256.prefix()),
        wanted: format!("{} or later, or a known old file: {known}", version_text(entry.version)),
        remedy: format!(
            "it may be another language, a private fix or damaged; to replace it all the same (a backup is kept) use \
             --replace-unknown{}, or ask the release engineer for a bundle with this file as baseline",
            if entry.member.is_some() { "" } else { " and the complete bundle, this one is lean" }
        ),
    }
}

/// Takes the decision to install if the bundle can make the file from what is there.
fn possible(
    manifest: &Manifest,
    entry: &FileEntry,
    old: Option<Digest>,
    subject: String,
    reason: Reason,
) -> Result<Decision, Finding> {
    if manifest.can_make(entry, old) {
        return Ok(Decision::Install(reason));
    }
    Err(Finding {
        kind: FindingKind::UnknownOldFile,
        subject,
        found: old.map_or_else(|| "no file".to_owned(), |old| format!("a file with digest {}", old.prefix())),
        wanted: list(
            &entry
                .baselines
                .iter()
                .map(|b| format!("{} ({})", b.name, b.sha256.prefix()))
                .collect::<Vec<_>>(),
        ),
        remedy: "this lean bundle only knows those old files; use the complete bundle".to_owned(),
    })
}

/// Tells whether this update put exactly this new file there before.
fn installed_before(manifest: &Manifest, facts: &Facts, fact: &FileFact, entry: &FileEntry) -> bool {
    facts.states.iter().filter(|state| state.id == manifest.id).flat_map(|state| &state.runs).any(|run| {
        let path = fact.place.path.folded();
        run.phase() == Phase::Committed
            && run.begin().is_some_and(|begin| {
                begin.steps.iter().any(|step| step.to.folded() == path && step.new.sha256 == entry.sha256)
            })
    })
}

fn notes(manifest: &Manifest, steps: &[Step], request: &Request) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for gate in &manifest.gates {
        match gate {
            Gate::RegistryBuild { .. } if request.assumed_build.is_some() => {}
            Gate::RegistryBuild { key, value, .. } => notes.push(format!(
                "not checked: that the build of {key} '{value}' is {}",
                list(&manifest.builds)
            )),
            Gate::RegistryOneOf { key, value, one_of, .. } => {
                notes.push(format!("not checked: that {key} '{value}' is {}", list(one_of)));
            }
        }
    }
    if let Some(build) = request.assumed_build {
        notes.push(format!("the build of the product was not read but taken as {build} (--assume-build)"));
    }
    for step in steps {
        if step.decision == Decision::SameVersion {
            notes.push(format!(
                "{} has the update's version but other contents: it may be another language, or damaged",
                step.to
            ));
        }
    }
    notes
}

/// Lists what the article asks of the admin around the swap: services in order, and what else is by hand.
fn manual_steps(
    manifest: &Manifest,
    role: &RoleEntry,
    services: Services,
    steps: &[Step],
) -> (Vec<String>, Vec<String>) {
    let mut before = role.before.clone();
    let mut after = Vec::new();
    if !role.after.is_empty() {
        let title = |role: &Role| manifest.role(role).map_or(role.as_str(), |entry| &entry.title).to_owned();
        let titles: Vec<String> = role.after.iter().map(title).collect();
        before.push(format!("make sure that this update is installed before on: {}", titles.join(", ")));
    }
    let service = |service: &ServiceEntry| match service.optional {
        true => format!("the service {}, if the machine has it", service.service),
        false => format!("the service {}", service.service),
    };
    if services == Services::Manual {
        before.extend(role.services.iter().map(|entry| format!("stop {}", service(entry))));
    }
    for step in steps.iter().filter(|step| step.is_change()) {
        if step.file.register {
            before.push(format!("unregister the COM server: regsvr32 /u {}", step.to));
            after.push(format!("register the COM server: regsvr32 {}", step.to));
        }
    }
    if services == Services::Manual {
        after.extend(role.services.iter().rev().map(|entry| format!("start {}", service(entry))));
    }
    (before, after)
}
