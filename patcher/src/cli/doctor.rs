//! `qfe-patcher doctor`.

use std::path::PathBuf;

use serde_json::json;

use super::console::Console;
use super::contention::ContentionArgs;
use super::failure::{Failure, finding_json};
use super::machine::{MachineArgs, bad_command};
use super::recover::{Teller, require_rest};
use super::{Done, OutputArgs, verify};
use crate::bundle::product::Product;
use crate::exit::ExitCode;
use crate::host::{Disk, RegistryAt};
use crate::name::Role;
use crate::platform::Platform;
use crate::update::apply::SetValues;
use crate::update::contention::InUse;
use crate::update::doctor::{Correction, diagnose};
use crate::update::target::TargetRoot;

/// The number under which a correction is recorded.
const ID: &str = "doctor";

/// Explains what keeps updates from being installed on a machine; with --repair, corrects the version it states
///
/// Without a bundle it knows Systems Management Server 2.0. What the version should be is told by the files of the target,
/// or by --assume-build. A correction is recorded like an update: `rollback doctor` puts the old value back.
///
/// JSON: command, outcome ("fine", "changed", or "refused" where something is left that keeps updates from being installed),
/// code, target, role, stated, evidence, correction (key, value, text, why; null if there is none), repaired, findings (each:
/// kind, subject, found, wanted, remedy), notes.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  qfe-patcher doctor --target D:\\Sms --registry live --repair")]
pub(super) struct DoctorArgs {
    /// A bundle, whose conditions are looked at in place of the built-in ones
    #[arg(requires = "keys")]
    bundle: Option<PathBuf>,
    /// The folder that updates are for
    #[arg(long, value_name = "DIR")]
    target: PathBuf,
    /// The vendor's public key file, or a folder of them
    #[arg(long, value_name = "KEYS")]
    keys: Option<PathBuf>,
    /// The part the target plays; without it, the first that the product has
    #[arg(long)]
    role: Option<Role>,
    /// Write the version that the machine should state
    #[arg(long)]
    repair: bool,
    /// The build of the product on this machine, in place of what its files tell
    #[arg(long, value_name = "BUILD")]
    assume_build: Option<u16>,
    /// i386 or alpha; without it, what the files of the target are for
    #[arg(long)]
    platform: Option<Platform>,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    contention: ContentionArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

pub(super) fn run(args: &DoctorArgs, console: &Console) -> Result<Done, Failure> {
    let product = match (&args.bundle, &args.keys) {
        (Some(bundle), Some(keys)) => verify::open(bundle, keys)?.manifest().facts_of_product(),
        _ => Product::built_in(),
    };
    let role = args.role.clone().or_else(|| product.roles.first().map(|entry| entry.role.clone()));
    let known = |role: &Role| product.roles.iter().any(|entry| entry.role == *role);
    let Some(role) = role.filter(known) else {
        let names: Vec<&str> = product.roles.iter().map(|entry| entry.role.as_str()).collect();
        return Err(bad_command("no such role").hint(format!("--role is one of {}", names.join(", "))));
    };
    let target = TargetRoot::open(&Disk, &args.target)?;
    let (_, registry, reach) = args.machine.reach(&args.target, None);
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
        json: json!({
            "command": "doctor",
            "outcome": outcome,
            "code": code,
            "target": args.target.display().to_string(),
            "role": role,
            "stated": diagnosis.stated.as_ref().map(|stated| stated.words()),
            "evidence": diagnosis.evidence.words(),
            "correction": correction.map(|it| json!({"key": it.key, "value": it.name, "text": it.text, "why": it.why})),
            "repaired": repaired,
            "findings": diagnosis.findings.iter().map(finding_json).collect::<Vec<_>>(),
            "notes": diagnosis.notes,
        }),
    })
}
