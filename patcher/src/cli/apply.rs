//! `qfe-patcher apply`.

use std::path::{Path, PathBuf};

use super::console::Console;
use super::contention::ContentionArgs;
use super::failure::Failure;
use super::installed::{self, Part};
use super::line::Given;
use super::log::{Log, Tee};
use super::machine::{MachineArgs, bad_command};
use super::mif::{self, MifArgs};
use super::recover::{describe, recover_interrupted, recovered_json, require_rest};
use super::{Done, stage, verify};
use crate::bundle::manifest::Manifest;
use crate::bundle::product::RoleEntry;
use crate::exit::ExitCode;
use crate::host::{Disk, Files, Kind, RegistryAt, ServiceState};
use crate::json::{Json, object};
use crate::name::{Role, Variant};
use crate::platform::Platform;
use crate::update::apply::{Applied, Apply};
use crate::update::contention::{Contention, InUse};
use crate::update::facts;
use crate::update::journal::ServiceRecord;
use crate::update::order::Proof;
use crate::update::plan::{self, Downgrade, Plan, Request, Services, UnknownFiles};
use crate::update::recover::Recovered;
use crate::update::target::TargetRoot;

/// The arguments of `apply`.
#[derive(Debug)]
pub(super) struct ApplyArgs {
    bundle: PathBuf,
    role: Option<Role>,
    target: Option<PathBuf>,
    keys: Option<PathBuf>,
    platform: Option<Platform>,
    variant: Option<Variant>,
    dry_run: bool,
    yes: bool,
    log: Option<PathBuf>,
    mif: MifArgs,
    assume_build: Option<u16>,
    site_receipt: Option<PathBuf>,
    site_server: Option<PathBuf>,
    machine: MachineArgs,
    replace_unknown: bool,
    allow_downgrade: bool,
    on_restart: bool,
    contention: ContentionArgs,
    help_roles: bool,
}

impl ApplyArgs {
    pub(super) fn take(given: &mut Given) -> Result<Self, Failure> {
        Ok(Self {
            bundle: given.required_path("bundle")?,
            role: given.value("role")?,
            target: given.path("target"),
            keys: given.path("keys"),
            platform: given.value("platform")?,
            variant: given.value("variant")?,
            dry_run: given.is_set("dry-run"),
            yes: given.is_set("yes"),
            log: given.path("log"),
            mif: MifArgs::take(given),
            assume_build: given.number("assume-build")?,
            site_receipt: given.path("site-receipt"),
            site_server: given.path("site-server"),
            machine: MachineArgs::take(given)?,
            replace_unknown: given.is_set("replace-unknown"),
            allow_downgrade: given.is_set("allow-downgrade"),
            on_restart: given.is_set("on-restart"),
            contention: ContentionArgs::take(given)?,
            help_roles: given.is_set("help-roles"),
        })
    }
}

pub(super) fn run(mut given: Given, console: &Console) -> Result<Done, Failure> {
    let args = ApplyArgs::take(&mut given)?;
    let subject = || mif::Subject::of_bundle(&args.bundle);
    mif::reported(&args.mif, subject, console, || run_logged(&args, console))
}

fn run_logged(args: &ApplyArgs, console: &Console) -> Result<Done, Failure> {
    if args.help_roles {
        return help_roles(&args.bundle, console);
    }
    Log::open(args.log.as_deref())?.of_run("Installation", console, |log| apply_bundle(args, console, log))
}

fn apply_bundle(args: &ApplyArgs, console: &Console, log: &mut Log) -> Result<Done, Failure> {
    // The table requires it, unless the roles are asked for.
    let keys = args.keys.as_deref().ok_or_else(|| bad_command("--keys is missing"))?;
    let mut bundle = verify::open(&args.bundle, keys)?;
    let manifest = bundle.manifest().clone();
    let part = installed::part(&manifest.roles, args.role.as_ref(), args.target.as_deref(), &args.machine)?;
    let Part { role, target: target_path, note } = part;
    let target_path = target_path.as_path();
    if args.on_restart && !cfg!(windows) {
        return Err(bad_command("--on-restart: only Windows replaces files at its restart")
            .hint("leave it out: on this system files are replaced though they are in use"));
    }
    let (services, registry, reach) = args.machine.reach(target_path, None);
    let unsaid_services = unsaid_services(services, manifest.role(&role));
    let unsaid_registry = unsaid_registry(registry.as_ref(), args, &manifest, &role);
    require_said(unsaid_services.into_iter().chain(unsaid_registry))?;
    let unknown = if args.replace_unknown { UnknownFiles::Replace } else { UnknownFiles::Refuse };
    let request = Request {
        role,
        platform: args.platform,
        variant: args.variant.clone(),
        assumed_build: args.assume_build,
        unknown,
        services: services.unwrap_or(Services::None),
        registry: reach.registry_control(),
        com_servers: reach.com_control(),
        proof: proof(args, &manifest)?,
        trust: Some(bundle.verified().trust().clone()),
        downgrade: if args.allow_downgrade { Downgrade::Allow } else { Downgrade::Refuse },
    };

    let target = TargetRoot::open(&Disk, target_path)?;
    // A bundle that is damaged anywhere is refused, also where this target would not need that part.
    bundle.check_members()?;
    let mut observer = Tee { console, log };
    let contention =
        args.contention.contention(if args.on_restart { InUse::Schedule } else { InUse::Refuse });
    let recovered = bring_to_rest(args, target, &contention, &mut observer)?;
    let machine = reach.machine()?;
    let facts = facts::gather(&machine, target, &manifest, &request)?;
    let mut plan = plan::decide(&manifest, &facts, &request)?;
    plan.notes.extend(note);
    show(&manifest, &plan, console);

    let is_run = plan.has_work() && !args.dry_run;
    let mut applied = Applied::Now;
    if is_run {
        confirm(args, console, plan.changes().count())?;
        let backends = reach.backends();
        let source = std::path::absolute(&args.bundle).unwrap_or_else(|_| args.bundle.clone());
        let apply = Apply {
            target,
            bundle: &mut bundle,
            request: &request,
            states: &facts.states,
            plan: &plan,
            source: &source,
            backends: &backends,
            contention: &contention,
        };
        applied = apply.run(&machine, &mut observer)?;
    }
    let (outcome, text) = outcome(&plan, applied, args.dry_run);
    console.result(format!("{}: {text}", manifest.id));
    let (code, when) = match applied {
        Applied::Now => (ExitCode::Success, "now"),
        Applied::AtRestart => {
            console.result("  restart it, then run `recover`; `rollback` before the restart takes it back");
            (ExitCode::RestartNeeded, "after the restart")
        }
    };
    if is_run {
        for step in &plan.after {
            console.result(format!("  {when} by hand: {step}"));
        }
    }
    let json = object!({
        "command": "apply",
        "outcome": outcome,
        "code": code,
        "id": manifest.id,
        "revision": manifest.revision,
        "product": manifest.product,
        "target": target_path.display().to_string(),
        "role": plan.role,
        "platform": plan.platform,
        "variant": plan.variant,
        "dry_run": args.dry_run,
        "recorded": is_run,
        "assumed_build": args.assume_build,
        "signers": bundle.verified().signers(),
        "key_ring": bundle.verified().trust().ring().edition(),
        "downgrade": plan.downgrade,
        "recovered": Json::list(recovered.iter().map(recovered_json)),
        "files": Json::list(plan.steps.iter().map(step_json)),
        "services": Json::list(plan.found_services.iter().map(service_json)),
        "registry": reach.backends().registry,
        "notes": plan.notes,
        "before": plan.before,
        "after": plan.after,
    });
    Ok(Done { code, json })
}

/// Returns the word for how a run ended, and what it says to people.
fn outcome(plan: &Plan, applied: Applied, is_dry_run: bool) -> (&'static str, String) {
    let changes = plan.changes().count();
    match applied {
        Applied::AtRestart => (
            "awaits-restart",
            format!("files are in use; all {changes} will be replaced when the machine restarts"),
        ),
        Applied::Now if changes == 0 => {
            let record = match (plan.only_records, is_dry_run) {
                (false, _) => "",
                (true, true) => "; would be recorded as installed (dry run)",
                (true, false) => "; recorded as installed",
            };
            ("already-current", format!("already current, nothing to change{record}"))
        }
        Applied::Now if is_dry_run => ("would-change", format!("{changes} files would be changed (dry run)")),
        Applied::Now => ("changed", format!("installed, {changes} files changed")),
    }
}

fn step_json(step: &plan::Step) -> Json {
    object!({
        "path": step.to,
        "decision": step.decision.word(),
        "found_version": step.present.as_ref().and_then(|present| present.version),
        "found_sha256": step.present.as_ref().map(|present| present.sha256),
        "wanted_version": step.file.version,
    })
}

fn service_json(record: &ServiceRecord) -> Json {
    object!({
        "service": record.service,
        "was": record.was,
        "start": record.start,
        "dependents": record.dependents,
    })
}

/// What the switches must say and do not, and how they say it.
type Unsaid = (String, Vec<String>);

/// Refuses a command line that does not say how the machine is reached, with all that it lacks.
fn require_said(unsaid: impl Iterator<Item = Unsaid>) -> Result<(), Failure> {
    let (what, hints): (Vec<String>, Vec<Vec<String>>) = unsaid.unzip();
    if what.is_empty() {
        return Ok(());
    }
    Err(hints.into_iter().flatten().fold(bad_command(what.join("; ")), Failure::hint))
}

/// A role that has services needs somebody who stops them.
fn unsaid_services(services: Option<Services>, role: Option<&RoleEntry>) -> Option<Unsaid> {
    let names: Vec<&str> = role?.services.iter().map(|entry| entry.service.as_str()).collect();
    if services.is_some() || names.is_empty() {
        return None;
    }
    let hint = "say who stops and starts them: --services manual (you), --services rpc:SERVER (this program, on that \
                machine), or none if they do not run";
    Some((format!("this role has services to be stopped: {}", names.join(", ")), vec![hint.to_owned()]))
}

/// A manifest with conditions on the registry needs an answer where it is, or the user's word.
fn unsaid_registry(
    registry: Option<&RegistryAt>,
    args: &ApplyArgs,
    manifest: &Manifest,
    role: &Role,
) -> Option<Unsaid> {
    let has_gates = manifest.gates.iter().any(|gate| gate.is_for(role));
    if registry.is_some() || args.assume_build.is_some() || !has_gates {
        return None;
    }
    let builds: Vec<String> = manifest.builds.iter().map(ToString::to_string).collect();
    let builds = builds.join(", ");
    let hints = vec![
        "use --registry rpc:SERVER, or a file: an export (.reg) or a hive".to_owned(),
        format!("or --assume-build with the build of this machine (the bundle is for {builds})"),
        "or --registry none, if you have checked them by hand".to_owned(),
    ];
    Some(("the bundle has conditions on the registry, and it is not said where to read it".to_owned(), hints))
}

/// Returns where the proof of the order is: as the switches say, else beside the bundle, where `stage` puts it.
fn proof(args: &ApplyArgs, manifest: &Manifest) -> Result<Proof, Failure> {
    Ok(match (&args.site_receipt, &args.site_server) {
        (Some(file), _) => Proof::Receipt(file.clone()),
        (None, Some(folder)) => Proof::Folder(folder.clone()),
        (None, None) => {
            let beside = stage::receipt_beside(&args.bundle, &manifest.id);
            let is_there = Disk.stat(&beside)?.is_some_and(|stat| stat.kind == Kind::File);
            if is_there { Proof::Receipt(beside) } else { Proof::Nowhere }
        }
    })
}

/// Recovers the target, or refuses a dry run that would have to.
fn bring_to_rest(
    args: &ApplyArgs,
    target: TargetRoot<'_>,
    contention: &Contention,
    observer: &mut Tee<'_>,
) -> Result<Vec<Recovered>, Failure> {
    if !args.dry_run {
        let recovered = recover_interrupted(&args.machine, target, contention, observer)?;
        for run in &recovered {
            observer.line(&describe(run));
        }
        return Ok(recovered);
    }
    require_rest(target)?;
    Ok(Vec::new())
}

/// Shows the plan.
fn show(manifest: &Manifest, plan: &Plan, console: &Console) {
    console.say(format!("{} revision {}: {}", manifest.id, manifest.revision, manifest.title));
    let variant = plan.variant.as_ref().map_or_else(String::new, |variant| format!(", variant {variant}"));
    console.say(format!("Role {}, platform {}{variant}", plan.role, plan.platform));
    for step in &plan.steps {
        console.say(format!("  {step}"));
    }
    for record in &plan.found_services {
        let state = if record.was == ServiceState::Running { "runs" } else { "does not run" };
        console.say(format!("  service {}: {state}", record.service));
    }
    for note in &plan.notes {
        console.say(format!("  note: {note}"));
    }
    for step in &plan.before {
        console.say(format!("  before, by hand: {step}"));
    }
}

/// Asks, where somebody is there and has not said yes.
fn confirm(args: &ApplyArgs, console: &Console, changes: usize) -> Result<(), Failure> {
    if changes == 0
        || args.yes
        || !console.is_interactive()
        || console.ask(&format!("Change {changes} files now?"))
    {
        return Ok(());
    }
    Err(Failure::new(ExitCode::Cancelled, "cancelled; nothing was changed"))
}

fn help_roles(path: &Path, console: &Console) -> Result<Done, Failure> {
    let manifest =
        verify::open_file(path)?.manifest_unverified().map_err(crate::bundle::BundleError::from)?;
    for entry in &manifest.roles {
        console.result(format!("{:<14} {} ({})", entry.role, entry.title, entry.usual));
    }
    Ok(Done {
        code: ExitCode::Success,
        json: object!({"command": "apply", "outcome": "done", "code": ExitCode::Success, "roles": manifest.roles}),
    })
}
