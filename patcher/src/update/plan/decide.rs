//! The decision: a pure function of manifest, facts and request.

use std::collections::BTreeSet;
use std::fmt;

use super::choose::{choose_platform, choose_variant};
use super::file::decide_file;
use super::{Control, Decision, Finding, FindingKind, Plan, Request, Services, Step, gate, trust};
use crate::bundle::manifest::Manifest;
use crate::bundle::product::{Moment, RoleEntry, ServiceEntry};
use crate::host::{ServiceStart, ServiceState};
use crate::name::{Role, Variant};
use crate::platform::Platform;
use crate::target_path::TargetPath;
use crate::update::facts::Facts;
use crate::update::journal::ServiceRecord;
use crate::update::order::Proven;
use crate::update::run::space_for;
use crate::update::services;
use crate::update::state::{Phase, StateFolder, superseding};

/// Decides what to do, or returns everything that forbids it.
pub fn decide(manifest: &Manifest, facts: &Facts, request: &Request) -> Result<Plan, Vec<Finding>> {
    let Some(role) = manifest.role(&request.role) else {
        return Err(vec![unknown_role(manifest, &request.role)]);
    };
    let mut trust_notes = Vec::new();
    let trust = request.trust.as_ref();
    let mut findings =
        trust.map_or_else(Vec::new, |trust| trust::disbelieved(&facts.states, trust, &mut trust_notes));
    let downgrade = trust::downgrade(manifest, facts, request, &mut findings, &mut trust_notes);
    findings.extend(target_findings(role, facts));
    findings.extend(order_findings(manifest, facts));
    findings.extend(proof_finding(manifest, role, facts));
    let chosen = choose_platform(manifest, facts, request)
        .and_then(|platform| Ok((platform, choose_variant(manifest, facts, request, platform)?)));
    let (platform, variant) = match chosen {
        Ok((platform, variant)) => (Some(platform), variant),
        Err(finding) => {
            findings.push(finding);
            (None, None)
        }
    };
    let steps = platform.map_or_else(Vec::new, |platform| {
        decide_steps(manifest, facts, request, (platform, variant.as_ref()), &mut findings)
    });
    // No Windows that this program runs on can load an Alpha file.
    let registers = request.com_servers == Control::Change && platform == Some(Platform::I386);
    let changes = steps.iter().any(Step::is_change);
    let is_unrecorded = is_unrecorded(manifest, facts, &steps);
    let only_records = is_unrecorded && facts.is_writable;
    let paths: Vec<&str> = steps.iter().map(|step| step.to.as_str()).collect();
    let verdict =
        gate::judge(manifest.into(), facts.gates.as_deref(), &request.role, request.assumed_build, &paths);
    findings.extend(verdict.findings);
    findings.extend(superseded_finding(manifest, facts, &steps));
    findings.extend(space_finding(facts, &steps).filter(|_| changes || only_records));
    let chosen = chosen_services(role, facts, &steps);
    let found_services = services::join(chosen.iter().map(|(_, found)| found.to_vec()));
    if changes {
        findings.extend(service_findings(&chosen));
        findings.extend(program_findings(role, facts));
        findings.extend(rights_finding(facts));
    }
    let Some(platform) = platform.filter(|_| findings.is_empty()) else {
        findings.sort_by_key(|finding| finding.kind);
        return Err(findings);
    };
    let mut notes = notes(manifest, facts, &steps);
    notes.extend(verdict.notes);
    notes.extend(trust_notes);
    if is_unrecorded && !only_records {
        notes.push(format!(
            "{} is not recorded as installed, for this user may not write to the target: updates that require it will be \
             refused",
            manifest.id
        ));
    }
    let (before, mut after) = if changes {
        manual_steps(manifest, role, request, registers, &steps)
    } else {
        (Vec::new(), Vec::new())
    };
    after.extend(verdict.after);
    let values = match (&manifest.registration, request.registry) {
        (Some(registration), Control::Change) if changes || only_records => {
            let key = verdict.level.and_then(|level| registration.key(level));
            key.map_or_else(Vec::new, |key| {
                registration.values.iter().map(|value| (key.clone(), value.clone())).collect()
            })
        }
        _ => Vec::new(),
    };
    Ok(Plan {
        role: request.role.clone(),
        platform,
        variant,
        services: chosen.into_iter().map(|(entry, _)| entry.clone()).collect(),
        found_services,
        registers,
        values,
        programs: if changes { role.programs.clone() } else { Vec::new() },
        only_records,
        downgrade: downgrade.filter(|_| changes),
        notes,
        before,
        after,
        steps,
    })
}

/// Finds folders that a target in this role lacks.
fn target_findings(role: &RoleEntry, facts: &Facts) -> Vec<Finding> {
    let finding = |folder: &TargetPath| Finding {
        kind: FindingKind::WrongTarget,
        subject: "role".to_owned(),
        found: format!("{} for a target that has a folder {folder}", role.role),
        wanted: format!("the folder of a {}, usually {}", role.title, role.usual),
        remedy: "name the part that this folder plays by --role, or the right folder by --target".to_owned(),
    };
    facts.foreign_folders.iter().map(finding).collect()
}

/// Refuses a role that comes after others as long as nothing proves that those were updated.
fn proof_finding(manifest: &Manifest, role: &RoleEntry, facts: &Facts) -> Option<Finding> {
    let found = match &facts.order {
        Proven::NotNeeded | Proven::Yes(_) => return None,
        Proven::Missing => "no proof".to_owned(),
        Proven::No(found) => found.clone(),
    };
    Some(Finding {
        kind: FindingKind::Order,
        subject: format!("{} on the machines that come first", manifest.id),
        found,
        wanted: format!("{} installed there in the role {}", manifest.id, list(&role.after)),
        remedy: format!(
            "update those first, then prove it by --site-receipt FILE (receipt.json from the folder $NtUninstall{}$ \
             there, which `qfe-patcher stage` copies too) or by --site-server DIR (the folder itself)",
            manifest.id
        ),
    })
}

/// Returns the services of the role that hold a file which is changed, with what there is of each.
fn chosen_services<'f>(
    role: &'f RoleEntry,
    facts: &'f Facts,
    steps: &[Step],
) -> Vec<(&'f ServiceEntry, &'f [ServiceRecord])> {
    let changed: Vec<&Step> = steps.iter().filter(|step| step.is_change()).collect();
    let entries = role.services.iter().zip(facts.services.iter().map(Vec::as_slice));
    entries.filter(|(entry, _)| changed.iter().any(|step| entry.holds(&step.file.name))).collect()
}

fn service_findings(chosen: &[(&ServiceEntry, &[ServiceRecord])]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (entry, found) in chosen {
        let is_there = found.iter().any(|record| entry.means(&record.service));
        if !entry.optional && !is_there {
            findings.push(Finding {
                kind: FindingKind::WrongTarget,
                subject: format!("service {}", entry.service),
                found: "no such service on the machine".to_owned(),
                wanted: "the service, whose key name this is".to_owned(),
                remedy: "check --services and --role; where the machine has no such service, use --services manual"
                    .to_owned(),
            });
        }
        let stuck = |record: &&ServiceRecord| {
            record.was == ServiceState::Running && record.start == Some(ServiceStart::Disabled)
        };
        findings.extend(found.iter().filter(stuck).map(|record| Finding {
            kind: FindingKind::WrongTarget,
            subject: format!("service {}", record.service),
            found: "it runs, and its start type is disabled".to_owned(),
            wanted: "a start type by which it can be started again once it was stopped".to_owned(),
            remedy: "set its start type to manual or automatic, or stop it yourself".to_owned(),
        }));
    }
    findings
}

/// Finds programs that must be closed.
fn program_findings(role: &RoleEntry, facts: &Facts) -> Option<Finding> {
    let open = users_among(&facts.programs, &role.programs);
    (!open.is_empty()).then(|| Finding {
        kind: FindingKind::InUse,
        subject: "programs that have files of the target loaded".to_owned(),
        found: open.join(", "),
        wanted: format!("none of {}", role.programs.join(", ")),
        remedy: role.before.first().cloned().unwrap_or_else(|| "close them; then run again".to_owned()),
    })
}

/// Returns those of the users of a folder, each `NAME (process N)`, that are one of these programs.
pub(in crate::update) fn users_among(users: &[String], programs: &[String]) -> Vec<String> {
    let is_one = |user: &&String| {
        let name = user.split(" (").next().unwrap_or_default();
        programs.iter().any(|program| program.eq_ignore_ascii_case(name))
    };
    users.iter().filter(is_one).cloned().collect()
}

fn rights_finding(facts: &Facts) -> Option<Finding> {
    (!facts.is_writable).then(|| Finding {
        kind: FindingKind::NoRights,
        subject: "rights on the target".to_owned(),
        found: "a folder that this user may not write to".to_owned(),
        wanted: "one that he may".to_owned(),
        remedy: "run as a user who may write there; a read-only share or disk must be made writable"
            .to_owned(),
    })
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

/// Joins values by "or".
pub(super) fn list<T: fmt::Display>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(" or ")
}

/// Finds missing prerequisites, and runs that await a restart.
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

/// Tells whether every file of the update is there, by whomever, and no record says that it is installed.
///
/// Without one, updates that require it would be refused for ever, and nothing could be taken to roles that come after as
/// proof.
fn is_unrecorded(manifest: &Manifest, facts: &Facts, steps: &[Step]) -> bool {
    let own = facts.states.iter().find(|state| state.id == manifest.id).and_then(StateFolder::installed);
    own.is_none_or(|begin| begin.revision < manifest.revision)
        && superseding(&facts.states, &manifest.id).is_none()
        && steps.iter().all(|step| step.decision.is_current())
}

/// Refuses where the volume has no room for the new files beside the old ones and their backup.
fn space_finding(facts: &Facts, steps: &[Step]) -> Option<Finding> {
    let sizes = |step: &Step| [step.file.size].into_iter().chain(step.present.as_ref().map(|old| old.size));
    let needed = space_for(steps.iter().filter(|step| step.is_change()).flat_map(sizes));
    let free = facts.volume.free.filter(|free| *free < needed)?;
    Some(Finding {
        kind: FindingKind::NoSpace,
        subject: "free space on the volume of the target".to_owned(),
        found: format!("{free} bytes"),
        wanted: format!("{needed} bytes, for the new files and a backup of the old ones"),
        remedy: "free space there; nothing was written".to_owned(),
    })
}

pub(super) fn nothing_there(manifest: &Manifest, request: &Request) -> Finding {
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
    (platform, variant): (Platform, Option<&Variant>),
    findings: &mut Vec<Finding>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for fact in facts.files.iter().filter(|fact| fact.platform == platform) {
        let Some(entry) = manifest.files.get(fact.file).filter(|entry| entry.is_for(variant)) else {
            continue;
        };
        let Some(install) = entry.install.get(fact.install) else { continue };
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

fn notes(manifest: &Manifest, facts: &Facts, steps: &[Step]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    if let Some(by) = superseding(&facts.states, &manifest.id) {
        notes.push(format!("{} is superseded by {by}, which is installed", manifest.id));
    }
    if let Proven::Yes(proof) = &facts.order {
        notes.push(format!("the machines that come first were updated: {proof}"));
    }
    let is_recorded = facts.states.iter().any(|state| state.id == manifest.id && state.installed().is_some());
    let current = steps.iter().filter(|step| step.decision == Decision::AlreadyCurrent).count();
    if !is_recorded && current > 0 && steps.iter().any(Step::is_change) {
        notes.push(format!(
            "{current} of {} files are the update's already, though it is not recorded as installed: a manual update \
             may have been left half-done",
            steps.len()
        ));
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
    request: &Request,
    registers: bool,
    steps: &[Step],
) -> (Vec<String>, Vec<String>) {
    let changes: Vec<&Step> = steps.iter().filter(|step| step.is_change()).collect();
    let held = |entry: &&ServiceEntry| changes.iter().any(|step| entry.holds(&step.file.name));
    let service = |entry: &ServiceEntry| {
        let or = entry.prefix.as_ref().map_or_else(String::new, |prefix| format!(" or {prefix}..."));
        let condition = if entry.optional { ", if the machine has it" } else { "" };
        format!("the service {}{or}{condition}", entry.service)
    };
    let of_recipe = |when: Moment| {
        let steps = manifest.manual.iter().filter(move |step| step.when == when);
        steps.filter(|step| step.roles.contains(&request.role)).map(|step| step.text.clone())
    };
    let by_hand = |step: &&&Step| step.file.register && !registers;
    let servers: Vec<&TargetPath> = changes.iter().filter(by_hand).map(|step| &step.to).collect();
    let mut before = role.before.clone();
    before.extend(of_recipe(Moment::Before));
    let mut after: Vec<String> = Vec::new();
    if request.services == Services::Manual {
        before.extend(role.services.iter().filter(held).map(|entry| format!("stop {}", service(entry))));
    }
    before.extend(servers.iter().map(|to| format!("unregister the COM server: regsvr32 /u {to}")));
    after.extend(servers.iter().map(|to| format!("register the COM server: regsvr32 {to}")));
    if request.services == Services::Manual {
        after
            .extend(role.services.iter().rev().filter(held).map(|entry| format!("start {}", service(entry))));
    }
    after.extend(of_recipe(Moment::After));
    (before, after)
}
