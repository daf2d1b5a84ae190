//! `qfe-patcher doctor`.

use std::path::PathBuf;

use super::console::Console;
use super::contention::ContentionArgs;
use super::failure::{Failure, finding_json};
use super::installed;
use super::line::Given;
use super::machine::{MachineArgs, bad_command};
use super::recover::{Teller, require_rest};
use super::{Done, verify};
use crate::bundle::product::Product;
use crate::exit::ExitCode;
use crate::host::{Disk, RegistryAt};
use crate::json::{Json, object};
use crate::name::Role;
use crate::platform::Platform;
use crate::update::apply::SetValues;
use crate::update::contention::InUse;
use crate::update::doctor::{Correction, diagnose};
use crate::update::target::TargetRoot;

/// The number under which a correction is recorded.
const ID: &str = "doctor";

/// The arguments of `doctor`.
#[derive(Debug)]
pub(super) struct DoctorArgs {
    bundle: Option<PathBuf>,
    target: Option<PathBuf>,
    keys: Option<PathBuf>,
    role: Option<Role>,
    repair: bool,
    assume_build: Option<u16>,
    platform: Option<Platform>,
    machine: MachineArgs,
    contention: ContentionArgs,
}

impl DoctorArgs {
    pub(super) fn take(given: &mut Given) -> Result<Self, Failure> {
        Ok(Self {
            bundle: given.path("bundle"),
            target: given.path("target"),
            keys: given.path("keys"),
            role: given.value("role")?,
            repair: given.is_set("repair"),
            assume_build: given.number("assume-build")?,
            platform: given.value("platform")?,
            machine: MachineArgs::take(given)?,
            contention: ContentionArgs::take(given)?,
        })
    }
}

pub(super) fn run(mut given: Given, console: &Console) -> Result<Done, Failure> {
    let args = &DoctorArgs::take(&mut given)?;
    let bundle = match (&args.bundle, &args.keys) {
        (Some(bundle), Some(keys)) => Some(verify::open(bundle, keys)?),
        _ => None,
    };
    let product =
        bundle.as_ref().map_or_else(Product::built_in, |bundle| bundle.manifest().facts_of_product());
    let (path, role) = match &args.target {
        Some(target) => {
            let first = product.roles.first().map(|entry| entry.role.clone());
            (target.clone(), args.role.clone().or(first))
        }
        None => {
            let part = installed::part(&product.roles, args.role.as_ref(), None, &args.machine)?;
            part.tell(console);
            (part.target, Some(part.role))
        }
    };
    let known = |role: &Role| product.roles.iter().any(|entry| entry.role == *role);
    let Some(role) = role.filter(known) else {
        let names: Vec<&str> = product.roles.iter().map(|entry| entry.role.as_str()).collect();
        return Err(bad_command("no such role").hint(format!("--role is one of {}", names.join(", "))));
    };
    let target = TargetRoot::open(&Disk, &path)?;
    if let Some(bundle) = &bundle {
        verify::require_believed(bundle, &[target])?;
    }
    let (_, registry, reach) = args.machine.reach(&path, None);
    if registry.is_none() {
        return Err(bad_command("it is not said where the registry is")
            .hint("use --registry rpc:SERVER, or a file: an export (.reg) or a hive; or --registry none"));
    }
    let looks = reach.registry != RegistryAt::Nowhere;
    let machine = reach.machine()?;
    let look = || diagnose(&machine, target, &product, &role, looks, args.assume_build);
    let mut diagnosis = look()?;
    let correction = diagnosis.correction.clone();
    let mut repaired = false;
    if let Some(wanted) = correction.as_ref().filter(|_| args.repair) {
        require_rest(target)?;
        let platform = args.platform.or_else(|| diagnosis.evidence.platform()).ok_or_else(|| {
            bad_command("no file of the target tells its platform")
                .hint("name it by --platform i386 or alpha")
        })?;
        let backends = reach.backends();
        let contention = args.contention.contention(InUse::Refuse);
        let Correction { key, name, text, why } = wanted;
        let run = SetValues {
            target,
            id: ID.parse().map_err(|error| Failure::new(ExitCode::Failed, error))?,
            title: format!("{key} '{name}' set to {text} ({why})"),
            product: &product,
            role: role.clone(),
            platform,
            values: vec![(key.clone(), name.clone(), wanted.value())],
            backends: &backends,
            contention: &contention,
        };
        run.run(&machine, &mut Teller(console))?;
        console.result(format!("{key} '{name}': {text} written ({why}); `rollback doctor` takes it back"));
        repaired = true;
        diagnosis = look()?;
    } else if args.repair && diagnosis.stated.is_some() {
        console.say("nothing to repair, or nothing that tells what the value should be");
    }
    console.say(format!("files: {}", diagnosis.evidence.words()));
    for note in &diagnosis.notes {
        console.result(format!("note: {note}"));
    }
    for finding in &diagnosis.findings {
        console.result(format!("{finding}\n  remedy: {}", finding.remedy));
    }
    if let Some(Correction { key, name, text, why }) = &diagnosis.correction {
        console.result(format!("--repair would write {key} '{name}': {text} ({why})"));
    }
    let code = if diagnosis.findings.is_empty() { ExitCode::Success } else { ExitCode::WrongTarget };
    let outcome = match (diagnosis.findings.is_empty(), repaired) {
        (true, true) => "changed",
        (true, false) => "fine",
        (false, _) => code.word(),
    };
    if outcome == "fine" {
        console.result("nothing keeps updates from being installed");
    }
    Ok(Done {
        code,
        json: object!({
            "command": "doctor",
            "outcome": outcome,
            "code": code,
            "target": path.display().to_string(),
            "role": role,
            "stated": diagnosis.stated.as_ref().map(|stated| stated.words()),
            "evidence": diagnosis.evidence.words(),
            "correction": correction.map(|it| object!({"key": it.key, "value": it.name, "text": it.text, "why": it.why})),
            "repaired": repaired,
            "findings": Json::list(diagnosis.findings.iter().map(finding_json)),
            "notes": diagnosis.notes,
        }),
    })
}
