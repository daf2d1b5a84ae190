//! `qfe-patcher ready`.

use std::path::PathBuf;

use super::console::Console;
use super::failure::Failure;
use super::line::Given;
use super::machine::bad_command;
use super::{Done, verify};
use crate::bundle::product::{Product, ReadySet};
use crate::exit::ExitCode;
use crate::host::{Disk, Machine};
use crate::json::{Json, object};
use crate::name::UpdateId;
use crate::update::ready::{Presence, TargetReadiness, Waited, look};
use crate::update::target::TargetRoot;

/// The arguments of `ready`.
#[derive(Debug)]
pub(super) struct ReadyArgs {
    set: String,
    target: Vec<PathBuf>,
    logon_point: Vec<PathBuf>,
    bundle: Vec<PathBuf>,
    keys: Option<PathBuf>,
}

impl ReadyArgs {
    pub(super) fn take(given: &mut Given) -> Result<Self, Failure> {
        Ok(Self {
            set: given.required_text("set")?,
            target: given.paths("target"),
            logon_point: given.paths("logon-point"),
            bundle: given.paths("bundle"),
            keys: given.path("keys"),
        })
    }
}

pub(super) fn run(mut given: Given, console: &Console) -> Result<Done, Failure> {
    let args = &ReadyArgs::take(&mut given)?;
    let targets = args
        .target
        .iter()
        .map(|path| Ok(TargetRoot::open(&Disk, path)?))
        .collect::<Result<Vec<_>, Failure>>()?;
    let bundles = match &args.keys {
        Some(keys) => {
            let manifest = |bundle: &PathBuf| {
                let bundle = verify::open(bundle, keys)?;
                verify::require_believed(&bundle, &targets)?;
                Ok(bundle.manifest().clone())
            };
            args.bundle.iter().map(manifest).collect::<Result<Vec<_>, Failure>>()?
        }
        None => Vec::new(),
    };
    let product = bundles.first().map_or_else(Product::built_in, |manifest| manifest.facts_of_product());
    let machine = Machine::default();
    let Some(set) = product.readiness.iter().find(|set| set.set.eq_ignore_ascii_case(&args.set)) else {
        let names: Vec<&str> = product.readiness.iter().map(|set| set.set.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(
            bad_command(format!("no set {:?} is known", args.set)).hint(format!("known sets: {names}"))
        );
    };
    let targets = targets
        .into_iter()
        .map(|target| Ok(TargetReadiness::of(&machine, target, &product, set, &bundles)?))
        .collect::<Result<Vec<_>, Failure>>()?;
    let waited = match &set.wait {
        Some(wait) => args
            .logon_point
            .iter()
            .map(|folder| Ok(look(&Disk, folder, wait, &targets)?))
            .collect::<Result<Vec<_>, Failure>>()?,
        None => Vec::new(),
    };
    let have_all = targets.iter().all(TargetReadiness::is_ready);
    let is_ready = have_all && waited.iter().all(|point| point.is_fresh);
    for target in &targets {
        show(target, console);
    }
    for point in &waited {
        let state = match (&point.written, point.is_fresh) {
            (None, _) => "absent".to_owned(),
            (Some(at), true) => format!("written {at}, after the updates"),
            (Some(at), false) => format!("written {at}, not since the updates"),
        };
        console.result(format!("{}: {}: {state}", point.folder.display(), file_of(set)));
    }
    let remains =
        set.wait.as_ref().filter(|_| waited.is_empty() || waited.iter().any(|point| !point.is_fresh));
    if let Some(wait) = remains.filter(|_| have_all) {
        console.result(format!("still: {}", wait.remedy));
    }
    console.result(format!("{}: {}", set.title, if is_ready { "ready" } else { "not ready" }));
    let code = if is_ready { ExitCode::Success } else { ExitCode::WrongTarget };
    Ok(Done {
        code,
        json: object!({
            "command": "ready",
            "outcome": if is_ready { "ready" } else { "not-ready" },
            "code": code,
            "set": set.set,
            "title": set.title,
            "targets": Json::list(targets.iter().map(target_json)),
            "logon_points": Json::list(waited.iter().map(|point| point_json(point, set))),
            "remains": remains.map(|wait| &wait.remedy),
        }),
    })
}

fn file_of(set: &ReadySet) -> String {
    set.wait.as_ref().map_or_else(String::new, |wait| wait.file.to_string())
}

fn show(target: &TargetReadiness, console: &Console) {
    let build = target.build.map_or_else(|| "build unknown".to_owned(), |build| format!("build {build}"));
    let state = if target.is_ready() { "ready" } else { "not ready" };
    console.result(format!("{}: {build}: {state}", target.target.display()));
    for (id, presence) in &target.updates {
        let more = match presence {
            Presence::Installed { at: Some(at) } => format!(" {at}"),
            Presence::Installed { at: None } => " (every file is there, no run is recorded)".to_owned(),
            Presence::Superseded { by } => format!(" by {by}"),
            Presence::Damaged { files } => format!(": {}", files.join(", ")),
            Presence::Missing => String::new(),
        };
        console.result(format!("  {id} {}{more}", presence.word()));
    }
}

fn target_json(target: &TargetReadiness) -> Json {
    let update = |(id, presence): &(UpdateId, Presence)| {
        let (at, by, files) = match presence {
            Presence::Installed { at } => (at.as_ref(), None, None),
            Presence::Superseded { by } => (None, Some(by), None),
            Presence::Damaged { files } => (None, None, Some(files)),
            Presence::Missing => (None, None, None),
        };
        object!({"id": id, "state": presence.word(), "at": at, "by": by, "files": files})
    };
    object!({
        "target": target.target.display().to_string(),
        "build": target.build,
        "ready": target.is_ready(),
        "updates": Json::list(target.updates.iter().map(update)),
    })
}

fn point_json(point: &Waited, set: &ReadySet) -> Json {
    object!({
        "folder": point.folder.display().to_string(),
        "file": file_of(set),
        "written": point.written,
        "refreshed": point.is_fresh,
    })
}
