//! `qfe-patcher rollback`.

use std::path::PathBuf;

use serde_json::json;

use super::console::Console;
use super::failure::Failure;
use super::recover::Teller;
use super::{Done, OutputArgs};
use crate::exit::ExitCode;
use crate::host::Disk;
use crate::name::UpdateId;
use crate::update::recover::recover;
use crate::update::rollback::{self, RollbackPlan};
use crate::update::target::TargetRoot;

/// Takes an installed update back: every file as it was before, from the backup
///
/// Updates are taken back in reverse order of installing. The backup is kept.
///
/// JSON: command, outcome ("changed"), code, id, target, dry_run, files (each: path, was_sha256, now_sha256).
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  qfe-patcher rollback --target D:\\Sms Q252717")]
pub(super) struct RollbackArgs {
    /// The update; without it, the one installed last
    id: Option<UpdateId>,
    /// The folder that was updated
    #[arg(long, value_name = "DIR")]
    target: PathBuf,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

pub(super) fn run(args: &RollbackArgs, console: &Console) -> Result<Done, Failure> {
    let target = TargetRoot::open(&Disk, &args.target)?;
    let plan = if args.dry_run {
        rollback::plan(&Disk, target, args.id.as_ref())?
    } else {
        recover(&Disk, target, &mut Teller(console))?;
        rollback::rollback(&Disk, target, args.id.as_ref(), &mut Teller(console))?
    };
    show(&plan, args.dry_run, console);
    let files: Vec<_> = plan
        .files
        .iter()
        .map(|file| json!({"path": file.path, "now_sha256": file.before, "was_sha256": file.now}))
        .collect();
    Ok(Done {
        code: ExitCode::Success,
        json: json!({
            "command": "rollback",
            "outcome": "changed",
            "code": ExitCode::Success,
            "id": plan.folder.id,
            "target": args.target.display().to_string(),
            "dry_run": args.dry_run,
            "files": files,
        }),
    })
}

fn show(plan: &RollbackPlan, dry_run: bool, console: &Console) {
    let count = plan.files.len();
    if dry_run {
        for file in &plan.files {
            console.say(format!("  {}", file.path));
        }
        console.result(format!("{}: {count} files would be put back (dry run)", plan.folder.id));
    } else {
        console.result(format!("{}: rolled back, {count} files are as before", plan.folder.id));
    }
}
