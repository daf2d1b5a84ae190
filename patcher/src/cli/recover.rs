//! `qfe-patcher recover`.

use std::path::PathBuf;

use super::Done;
use super::console::Console;
use super::contention::ContentionArgs;
use super::failure::Failure;
use super::installed;
use super::line::Given;
use super::machine::MachineArgs;
use crate::exit::ExitCode;
use crate::host::{Disk, Machine};
use crate::json::{Json, object};
use crate::update::contention::{Contention, InUse};
use crate::update::recover::{Recovered, Remedy, interrupted, recover};
use crate::update::target::TargetRoot;
use crate::update::{Event, Observer, UpdateError, state};

/// The arguments of `recover`.
#[derive(Debug)]
pub(super) struct RecoverArgs {
    target: Option<PathBuf>,
    contention: ContentionArgs,
    machine: MachineArgs,
}

impl RecoverArgs {
    pub(super) fn take(given: &mut Given) -> Result<Self, Failure> {
        Ok(Self {
            target: given.path("target"),
            contention: ContentionArgs::take(given)?,
            machine: MachineArgs::take(given)?,
        })
    }
}

/// Tells people of events.
pub(super) struct Teller<'a>(pub(super) &'a Console);

impl Observer for Teller<'_> {
    fn tell(&mut self, event: &Event<'_>) {
        self.0.say(event.to_string());
    }
}

pub(super) fn run(mut given: Given, console: &Console) -> Result<Done, Failure> {
    let args = &RecoverArgs::take(&mut given)?;
    let path = &installed::target(args.target.as_deref(), &args.machine, console)?;
    let target = TargetRoot::open(&Disk, path)?;
    let contention = args.contention.contention(InUse::Refuse);
    let recovered = recover_interrupted(&args.machine, target, &contention, &mut Teller(console))?;
    for run in &recovered {
        console.result(describe(run));
    }
    if recovered.is_empty() {
        console.result("nothing to recover: no run was interrupted");
    }
    let outcome = if recovered.is_empty() { "already-current" } else { "changed" };
    Ok(Done {
        code: ExitCode::Success,
        json: object!({
            "command": "recover",
            "outcome": outcome,
            "code": ExitCode::Success,
            "target": path.display().to_string(),
            "recovered": Json::list(recovered.iter().map(recovered_json)),
        }),
    })
}

/// Recovers a target; the machine is reached as the interrupted run reached it, unless the switches say otherwise.
pub(super) fn recover_interrupted(
    args: &MachineArgs,
    target: TargetRoot<'_>,
    contention: &Contention,
    observer: &mut dyn Observer,
) -> Result<Vec<Recovered>, Failure> {
    let states = state::scan(&Disk, target).map_err(UpdateError::from)?;
    let runs = states.iter().flat_map(|folder| &folder.runs).filter(|run| run.begin().is_some());
    let last = runs.max_by_key(|run| run.sequence()).and_then(|run| run.journal.backends());
    let (_, _, reach) = args.reach(target.path(), last.as_ref());
    // A machine that nothing was interrupted on need not be reached.
    let machine = match interrupted(&Disk, target)?.is_empty() {
        true => Machine::default(),
        false => reach.machine()?,
    };
    Ok(recover(&machine, target, contention, observer)?)
}

/// Says what was found of a run that was interrupted, and what was done about it.
pub(super) fn describe(run: &Recovered) -> String {
    let did = match run.did {
        Remedy::Discarded => "what it had staged was removed, the target is as before",
        Remedy::RolledBack => "every file is as it was before the run",
        Remedy::Completed => "what was left to do: services, records, clean-up",
        Remedy::CompletedAfterRestart => "they were, and the run was completed",
    };
    format!("{}: run {} was interrupted; found: {}; done: {did}", run.id, run.run, run.found)
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
pub(super) fn recovered_json(run: &Recovered) -> Json {
    object!({"id": run.id, "run": run.run, "found": run.found, "did": run.did.word()})
}
