//! The decision: a pure function of manifest, facts and request.

use std::collections::BTreeSet;
use std::fmt;

use super::file::{decide_file, wrong_machine};
use super::{Decision, Finding, FindingKind, Plan, Request, Services, Step};
use crate::bundle::manifest::{Gate, Manifest, RoleEntry, ServiceEntry};
use crate::name::Role;
use crate::platform::Platform;
use crate::update::facts::{Facts, FileFact};
use crate::update::run::space_for;
use crate::update::state::{Phase, StateFolder, superseding};

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
    findings.extend(superseded_finding(manifest, facts, &steps));
    findings.extend(space_finding(facts, &steps));
    if !findings.is_empty() {
        findings.sort_by_key(|finding| finding.kind);
        return Err(findings);
    }
    let (before, after) = if steps.iter().any(Step::is_change) {
        manual_steps(manifest, role, request.services, &steps)
    } else {
        (Vec::new(), Vec::new())
    };
    let services = match request.services {
        Services::Controlled => role.services.clone(),
        Services::None | Services::Manual => Vec::new(),
    };
    let notes = notes(manifest, facts, &steps, request);
    Ok(Plan { role: request.role.clone(), platform, steps, services, notes, before, after })
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

/// Joins values by "or".
pub(super) fn list<T: fmt::Display>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(" or ")
}

/// Finds missing prerequisites, newer revisions, and runs that await a restart.
fn order_findings(manifest: &Manifest, facts: &Facts) -> Vec<Finding> {
    let installed: Vec<&StateFolder> =
        facts.states.iter().filter(|state| state.installed().is_some()).collect();
    let missing = manifest.requires.iter().filter(|id| {
        !installed.iter().any(|state| state.id == **id) && superseding(&facts.states, id).is_none()
    });
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
    let scheduled =
        facts.states.iter().filter(|state| state.runs.iter().any(|run| run.phase() == Phase::Scheduled));
    findings.extend(scheduled.map(|state| Finding {
        kind: FindingKind::AwaitsRestart,
        subject: "updates under way".to_owned(),
        found: format!("{}, whose files are replaced at the next restart", state.id),
        wanted: "none".to_owned(),
        remedy: format!("restart the machine, or take {} back by `rollback`", state.id),
    }));
    findings
}

/// Refuses to put files there of an update whose place another one has taken.
fn superseded_finding(manifest: &Manifest, facts: &Facts, steps: &[Step]) -> Option<Finding> {
    let by = superseding(&facts.states, &manifest.id).filter(|_| steps.iter().any(Step::is_change))?;
    Some(Finding {
        kind: FindingKind::WrongTarget,
        subject: format!("updates that supersede {}", manifest.id),
        found: format!("{by} is installed"),
        wanted: "none".to_owned(),
        remedy: format!("to repair files apply {by} again; to go back roll {by} back first"),
    })
}

/// Refuses where the volume has no room for the new files beside the old ones and their backup.
fn space_finding(facts: &Facts, steps: &[Step]) -> Option<Finding> {
    let sizes = |step: &Step| [step.file.size].into_iter().chain(step.present.as_ref().map(|old| old.size));
    let needed = space_for(steps.iter().filter(|step| step.is_change()).flat_map(sizes));
    let free = facts.volume.free.filter(|free| *free < needed && steps.iter().any(Step::is_change))?;
    Some(Finding {
        kind: FindingKind::NoSpace,
        subject: "free space on the volume of the target".to_owned(),
        found: format!("{free} bytes"),
        wanted: format!("{needed} bytes, for the new files and a backup of the old ones"),
        remedy: "free space there; nothing was written".to_owned(),
    })
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

fn notes(manifest: &Manifest, facts: &Facts, steps: &[Step], request: &Request) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    if let Some(by) = superseding(&facts.states, &manifest.id) {
        notes.push(format!("{} is superseded by {by}, which is installed", manifest.id));
    }
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
