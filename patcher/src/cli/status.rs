//! `qfe-patcher status`.

use std::path::PathBuf;

use super::Done;
use super::console::Console;
use super::failure::Failure;
use super::installed;
use super::line::Given;
use super::machine::MachineArgs;
use crate::exit::ExitCode;
use crate::host::Disk;
use crate::json::{Json, object};
use crate::name::UpdateId;
use crate::update::status::{FileStatus, UpdateStatus, status};
use crate::update::target::TargetRoot;
use crate::version::FileVersion;

/// The arguments of `status`.
#[derive(Debug)]
pub(super) struct StatusArgs {
    target: Option<PathBuf>,
}

impl StatusArgs {
    pub(super) fn take(given: &mut Given) -> Result<Self, Failure> {
        Ok(Self { target: given.path("target") })
    }
}

pub(super) fn run(mut given: Given, console: &Console) -> Result<Done, Failure> {
    let args = &StatusArgs::take(&mut given)?;
    let path = &installed::target(args.target.as_deref(), &MachineArgs::default(), console)?;
    let target = TargetRoot::open(&Disk, path)?;
    let updates = status(&Disk, target)?;
    if updates.is_empty() {
        console.result("no updates");
    }
    for update in &updates {
        show(update, console);
    }
    Ok(Done {
        code: ExitCode::Success,
        json: object!({
            "command": "status",
            "outcome": "done",
            "code": ExitCode::Success,
            "target": path.display().to_string(),
            "updates": Json::list(updates.iter().map(update_json)),
        }),
    })
}

fn show(update: &UpdateStatus, console: &Console) {
    let about = update.run.begin().map_or_else(String::new, |begin| {
        format!(
            ", revision {}, {} {}, {}: {}",
            begin.revision, begin.role, begin.platform, begin.at, begin.title
        )
    });
    let by = |id: &Option<UpdateId>| id.as_ref().map_or_else(String::new, |id| format!(" by {id}"));
    let superseded = update.superseded_by.as_ref().map_or("", |_| ", superseded");
    let condition = update.condition.word();
    console.result(format!("{}: {condition}{superseded}{}{about}", update.id, by(&update.superseded_by)));
    for file in &update.files {
        let text = version_text(file);
        console.result(format!("  {:<17} {} {text}{}", file.word(), file.step.to, by(&file.replaced_by)));
    }
}

fn version_text(file: &FileStatus) -> String {
    let found = file.present.as_ref().and_then(|present| present.version);
    let text =
        |version: Option<FileVersion>| version.map_or_else(|| "-".to_owned(), |version| version.to_string());
    if found == file.step.new.version {
        text(found)
    } else {
        format!("{} (installed: {})", text(found), text(file.step.new.version))
    }
}

fn update_json(update: &UpdateStatus) -> Json {
    let begin = update.run.begin();
    let files: Vec<Json> = update.files.iter().map(file_json).collect();
    object!({
        "id": update.id,
        "state": update.condition.word(),
        "superseded_by": update.superseded_by,
        "revision": begin.map(|begin| begin.revision),
        "title": begin.map(|begin| &begin.title),
        "role": begin.map(|begin| &begin.role),
        "platform": begin.map(|begin| begin.platform),
        "sequence": begin.map(|begin| begin.sequence),
        "applied_at": begin.map(|begin| &begin.at),
        "assumed_build": begin.and_then(|begin| begin.assumed_build),
        "files": files,
    })
}

fn file_json(file: &FileStatus) -> Json {
    object!({
        "path": file.step.to,
        "state": file.word(),
        "replaced_by": file.replaced_by,
        "installed_version": file.step.new.version,
        "installed_sha256": file.step.new.sha256,
        "found_version": file.present.as_ref().and_then(|present| present.version),
        "found_sha256": file.present.as_ref().map(|present| present.sha256),
    })
}
