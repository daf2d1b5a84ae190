//! `qfe-patcher rollback`.

use std::path::{Path, PathBuf};

use super::console::Console;
use super::contention::ContentionArgs;
use super::failure::Failure;
use super::installed;
use super::line::Given;
use super::log::{Log, Tee};
use super::machine::MachineArgs;
use super::mif::{self, MifArgs};
use super::recover::{recover_interrupted, recovered_json, require_rest};
use super::{Done, own};
use crate::exit::ExitCode;
use crate::host::Disk;
use crate::json::{Json, object};
use crate::name::UpdateId;
use crate::update::contention::InUse;
use crate::update::journal::StepRecord;
use crate::update::recover::{Recovered, Remedy};
use crate::update::rollback;
use crate::update::state::Run;
use crate::update::target::TargetRoot;

/// The arguments of `rollback`.
#[derive(Debug)]
pub(super) struct RollbackArgs {
    id: Option<UpdateId>,
    target: Option<PathBuf>,
    dry_run: bool,
    log: Option<PathBuf>,
    mif: MifArgs,
    contention: ContentionArgs,
    machine: MachineArgs,
}

impl RollbackArgs {
    pub(super) fn take(given: &mut Given) -> Result<Self, Failure> {
        Ok(Self {
            id: given.value("id")?.or_else(own::id),
            target: given.path("target"),
            dry_run: given.is_set("dry-run"),
            log: given.path("log"),
            mif: MifArgs::take(given),
            contention: ContentionArgs::take(given)?,
            machine: MachineArgs::take(given)?,
        })
    }
}

pub(super) fn run(mut given: Given, console: &Console) -> Result<Done, Failure> {
    let args = RollbackArgs::take(&mut given)?;
    let target = installed::target(args.target.as_deref(), &args.machine, console);
    let known = target.as_ref().ok().cloned();
    let subject = || mif::Subject::of_rollback(known.as_deref(), args.id.as_ref());
    mif::reported(&args.mif, subject, console, || {
        let log = Log::open(args.log.as_deref())?;
        log.of_run("Rollback", console, |log| roll_back(&args, &target?, console, log))
    })
}

fn roll_back(args: &RollbackArgs, path: &Path, console: &Console, log: &mut Log) -> Result<Done, Failure> {
    let target = TargetRoot::open(&Disk, path)?;
    if args.dry_run {
        require_rest(target)?;
        let plan = rollback::plan(&Disk, target, args.id.as_ref())?;
        for file in &plan.files {
            console.say(format!("  {}", file.to));
        }
        let text = match plan.files.len() {
            0 => "would be rolled back; it had changed no file (dry run)".to_owned(),
            count => format!("{count} files would be put back (dry run)"),
        };
        console.result(format!("{}: {text}", plan.folder.id));
        return Ok(done(args, path, &plan.folder.id, &plan.files, &[]));
    }
    let contention = args.contention.contention(InUse::Refuse);
    let mut observer = Tee { console, log };
    let recovered = recover_interrupted(&args.machine, target, &contention, &mut observer)?;
    let undone = recovered.iter().find(|run| run.did == Remedy::RolledBack);
    if let Some(run) = undone.filter(|run| args.id.as_ref().is_none_or(|id| *id == run.id)) {
        // What was to be taken back may well be that run. Taking back another one must be asked for.
        console.result(format!("{}: an interrupted run was taken back; nothing else was", run.id));
        return Ok(done(args, path, &run.id, &[], &recovered));
    }
    let planned = rollback::plan(&Disk, target, args.id.as_ref())?;
    let newest = planned.runs.last();
    let begin = newest.and_then(Run::begin);
    let recorded = newest.and_then(|run| run.journal.backends());
    let (_, _, reach) = args.machine.reach(target.path(), recorded.as_ref());
    for step in begin.iter().flat_map(|begin| &begin.before) {
        console.say(format!("  before, by hand: {step}"));
    }
    let machine = reach.machine()?;
    let plan = rollback::rollback(&machine, target, args.id.as_ref(), &contention, &mut observer)?;
    let text = match plan.files.len() {
        0 => "rolled back; it had changed no file".to_owned(),
        count => format!("rolled back, {count} files are as before"),
    };
    console.result(format!("{}: {text}", plan.folder.id));
    for step in begin.iter().flat_map(|begin| &begin.after) {
        console.result(format!("  now by hand: {step}"));
    }
    Ok(done(args, path, &plan.folder.id, &plan.files, &recovered))
}

fn done(
    args: &RollbackArgs,
    target: &Path,
    id: &UpdateId,
    files: &[StepRecord],
    recovered: &[Recovered],
) -> Done {
    let file = |file: &StepRecord| {
        let old = file.old.as_ref().map(|old| old.sha256);
        object!({"path": file.to, "installed_sha256": file.new.sha256, "original_sha256": old})
    };
    Done {
        code: ExitCode::Success,
        json: object!({
            "command": "rollback",
            "outcome": if args.dry_run { "would-change" } else { "changed" },
            "code": ExitCode::Success,
            "id": id,
            "target": target.display().to_string(),
            "dry_run": args.dry_run,
            "recovered": Json::list(recovered.iter().map(recovered_json)),
            "files": Json::list(files.iter().map(file)),
        }),
    }
}
