//! `qfe-patcher recover`.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::console::Console;
use super::failure::Failure;
use super::{Done, OutputArgs};
use crate::exit::ExitCode;
use crate::host::Disk;
use crate::update::recover::{Recovered, Remedy, interrupted, recover};
use crate::update::target::TargetRoot;
use crate::update::{Event, Observer};

/// Finishes or undoes a run that was interrupted (apply does it by itself)
///
/// JSON: command, outcome ("changed" or "already-current"), code, target, recovered (each: id, run, did: "discarded",
/// "rolled-back" or "completed").
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  qfe-patcher recover --target D:\\Sms")]
pub(super) struct RecoverArgs {
    /// The folder that was being updated
    #[arg(long, value_name = "DIR")]
    target: PathBuf,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Tells people of events.
pub(super) struct Teller<'a>(pub(super) &'a Console);

impl Observer for Teller<'_> {
    fn tell(&mut self, event: &Event<'_>) {
        self.0.say(event.to_string());
    }
}

pub(super) fn run(args: &RecoverArgs, console: &Console) -> Result<Done, Failure> {
    let target = TargetRoot::open(&Disk, &args.target)?;
    let recovered = recover(&Disk, target, &mut Teller(console))?;
    for run in &recovered {
        let did = match run.did {
            Remedy::Discarded => "had not touched the target: its staged files were removed",
            Remedy::RolledBack => "was interrupted: every file is as it was before",
            Remedy::Completed => "had come to its end: its records were completed",
        };
        console.result(format!("{}: run {} {did}", run.id, run.run));
    }
    if recovered.is_empty() {
        console.result("nothing to recover: no run was interrupted");
    }
    let outcome = if recovered.is_empty() { "already-current" } else { "changed" };
    Ok(Done {
        code: ExitCode::Success,
        json: json!({
            "command": "recover",
            "outcome": outcome,
            "code": ExitCode::Success,
            "target": args.target.display().to_string(),
            "recovered": recovered.iter().map(recovered_json).collect::<Vec<_>>(),
        }),
    })
}

/// Refuses a dry run in a target that is not at rest.
pub(super) fn require_rest(target: TargetRoot<'_>) -> Result<(), Failure> {
    match interrupted(&Disk, target)?.first() {
        None => Ok(()),
        Some(run) => {
            let error = format!("run {} of {} was interrupted, or is going on", run.run, run.id);
            Err(Failure::new(ExitCode::Busy, error)
                .hint("run `qfe-patcher recover` first; a dry run changes nothing"))
        }
    }
}

/// Describes a recovered run for programs.
pub(super) fn recovered_json(run: &Recovered) -> Value {
    json!({"id": run.id, "run": run.run, "did": run.did.word()})
}
