//! `qfe-patcher rollback`.

use std::path::PathBuf;

use serde_json::json;

use super::console::Console;
use super::contention::ContentionArgs;
use super::failure::Failure;
use super::machine::MachineArgs;
use super::mif::MifArgs;
use super::recover::{Teller, recover_interrupted, recovered_json, require_rest};
use super::{Done, OutputArgs};
use crate::exit::ExitCode;
use crate::host::Disk;
use crate::name::UpdateId;
use crate::update::contention::InUse;
use crate::update::journal::StepRecord;
use crate::update::recover::{Recovered, Remedy};
use crate::update::rollback;
use crate::update::state::Run;
use crate::update::target::TargetRoot;

/// Takes an installed update back: every file as it was before, from the backup
///
/// Updates are taken back in reverse order of installing. The backup is kept.
///
/// JSON: command, outcome ("changed", or of a dry run "would-change"), code, id, target, dry_run, recovered,
/// files (each: path, installed_sha256, original_sha256; the latter null for a file that is removed).
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  qfe-patcher rollback --target D:\\Sms Q252717")]
pub(super) struct RollbackArgs {
    /// The update; without it, the one installed last
    pub(super) id: Option<UpdateId>,
    /// The folder that was updated
    #[arg(long, value_name = "DIR")]
    pub(super) target: PathBuf,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) mif: MifArgs,
    #[command(flatten)]
    contention: ContentionArgs,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

pub(super) fn run(args: &RollbackArgs, console: &Console) -> Result<Done, Failure> {
    let target = TargetRoot::open(&Disk, &args.target)?;
    if args.dry_run {
        require_rest(target)?;
        let plan = rollback::plan(&Disk, target, args.id.as_ref())?;
        for file in &plan.files {
            console.say(format!("  {}", file.to));
        }
        let count = plan.files.len();
        console.result(format!("{}: {count} files would be put back (dry run)", plan.folder.id));
        return Ok(done(args, &plan.folder.id, &plan.files, &[]));
    }
    let contention = args.contention.contention(InUse::Refuse);
    let recovered = recover_interrupted(&args.machine, target, &contention, &mut Teller(console))?;
    let undone = recovered.iter().find(|run| run.did == Remedy::RolledBack);
    if let Some(run) = undone.filter(|run| args.id.as_ref().is_none_or(|id| *id == run.id)) {
        // What was to be taken back may well be that run. Taking back another one must be asked for.
        console.result(format!("{}: an interrupted run was taken back; nothing else was", run.id));
        return Ok(done(args, &run.id, &[], &recovered));
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
    let plan = rollback::rollback(&machine, target, args.id.as_ref(), &contention, &mut Teller(console))?;
    console.result(format!("{}: rolled back, {} files are as before", plan.folder.id, plan.files.len()));
    for step in begin.iter().flat_map(|begin| &begin.after) {
        console.result(format!("  now by hand: {step}"));
    }
    Ok(done(args, &plan.folder.id, &plan.files, &recovered))
}

fn done(args: &RollbackArgs, id: &UpdateId, files: &[StepRecord], recovered: &[Recovered]) -> Done {
    let file = |file: &StepRecord| {
        let old = file.old.as_ref().map(|old| old.sha256);
        json!({"path": file.to, "installed_sha256": file.new.sha256, "original_sha256": old})
    };
    Done {
        code: ExitCode::Success,
        json: json!({
            "command": "rollback",
            "outcome": if args.dry_run { "would-change" } else { "changed" },
            "code": ExitCode::Success,
            "id": id,
            "target": args.target.display().to_string(),
            "dry_run": args.dry_run,
            "recovered": recovered.iter().map(recovered_json).collect::<Vec<_>>(),
            "files": files.iter().map(file).collect::<Vec<_>>(),
        }),
    }
}
