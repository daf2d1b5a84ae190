//! `qfe-patcher stage`.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use super::console::Console;
use super::failure::Failure;
use super::installed;
use super::line::Given;
use super::machine::{MachineArgs, bad_command};
use super::{Done, own, verify};
use crate::exit::ExitCode;
use crate::host::{Attributes, Disk, Files, Host, HostError, Kind, Machine};
use crate::json::object;
use crate::name::UpdateId;
use crate::update::receipt::MAX_RECEIPT;
use crate::update::state::RECEIPT_NAME;
use crate::update::status::{Condition, UpdateStatus, status};
use crate::update::target::TargetRoot;

/// Largest program or bundle that is copied.
const MAX_COPY: u64 = 4 << 30;

/// The arguments of `stage`.
#[derive(Debug)]
pub(super) struct StageArgs {
    id: Option<UpdateId>,
    target: Option<PathBuf>,
    to: PathBuf,
    bundle: Option<PathBuf>,
    patcher: Vec<PathBuf>,
}

impl StageArgs {
    pub(super) fn take(given: &mut Given) -> Result<Self, Failure> {
        Ok(Self {
            id: given.value("id")?.or_else(own::id),
            target: given.path("target"),
            to: given.required_path("to")?,
            bundle: given.path("bundle"),
            patcher: given.paths("patcher"),
        })
    }
}

/// Returns where the receipt of an update stands that was staged with this bundle.
pub(super) fn receipt_beside(bundle: &Path, id: &UpdateId) -> PathBuf {
    bundle.with_file_name(format!("{id}.{RECEIPT_NAME}"))
}

pub(super) fn run(mut given: Given, console: &Console) -> Result<Done, Failure> {
    let args = &StageArgs::take(&mut given)?;
    let path = &installed::target(args.target.as_deref(), &MachineArgs::default(), console)?;
    let target = TargetRoot::open(&Disk, path)?;
    let updates = status(&Disk, target)?;
    let update = chosen(args, target, &updates)?;
    require_intact(update)?;
    let bundle = bundle_of(args, update)?;
    let receipt = target.path().join(format!("$NtUninstall{}$", update.id)).join(RECEIPT_NAME);
    let own = env::current_exe().map_err(|error| Failure::new(ExitCode::Failed, error))?;
    let host = Machine::default();
    if host.stat(&args.to)?.is_none() {
        host.create_folder(&args.to)?;
    }
    let name = |path: &Path| args.to.join(path.file_name().unwrap_or_default());
    let staged = name(&bundle);
    let mut files = Vec::new();
    for (from, to, limit) in [
        (bundle.as_path(), staged.clone(), MAX_COPY),
        (receipt.as_path(), receipt_beside(&staged, &update.id), MAX_RECEIPT),
        (own.as_path(), name(&own), MAX_COPY),
    ]
    .into_iter()
    .chain(args.patcher.iter().map(|patcher| (patcher.as_path(), name(patcher), MAX_COPY)))
    {
        // A self-extracting bundle is the patcher too.
        if from.as_os_str() == own.as_os_str() && to.as_os_str() == staged.as_os_str() && !files.is_empty() {
            continue;
        }
        copy(&host, from, &to, limit)?;
        console.say(format!("  {}", to.display()));
        files.push(to.display().to_string());
    }
    host.sync_folder(&args.to)?;
    console.result(format!("{}: staged in {} for the remote machines", update.id, args.to.display()));
    Ok(Done {
        code: ExitCode::Success,
        json: object!({
            "command": "stage",
            "outcome": "changed",
            "code": ExitCode::Success,
            "id": update.id,
            "target": path.display().to_string(),
            "to": args.to.display().to_string(),
            "files": files,
        }),
    })
}

/// Returns the installed update that is meant.
fn chosen<'u>(
    args: &StageArgs,
    target: TargetRoot<'_>,
    updates: &'u [UpdateStatus],
) -> Result<&'u UpdateStatus, Failure> {
    let is_meant = |update: &&UpdateStatus| match &args.id {
        Some(id) => update.id == *id,
        None => update.run.journal.backends().is_some() && !update.files.is_empty(),
    };
    let is_installed = |update: &&UpdateStatus| update.condition == Condition::Installed;
    updates.iter().rfind(|update| is_installed(update) && is_meant(update)).ok_or_else(|| {
        let what = args.id.as_ref().map_or_else(|| "no update".to_owned(), ToString::to_string);
        Failure::new(
            ExitCode::NotInstalled,
            format!("{what} is not installed in {}", target.path().display()),
        )
        .hint("apply it to the site server first; `qfe-patcher status` shows what is installed")
    })
}

/// A receipt proves that the site server was updated: it is not handed out where its files are not the update's any more.
fn require_intact(update: &UpdateStatus) -> Result<(), Failure> {
    let broken = update.files.iter().filter(|file| matches!(file.word(), "changed" | "missing" | "old"));
    let broken: Vec<String> = broken.map(|file| format!("{} ({})", file.step.to, file.word())).collect();
    if broken.is_empty() {
        return Ok(());
    }
    let error = format!("{} is installed, and files are not what it left: {}", update.id, broken.join(", "));
    Err(Failure::new(ExitCode::WrongTarget, error)
        .hint("apply it again, which puts them right; then stage it"))
}

/// Finds the bundle that was applied, by the digest of its manifest.
fn bundle_of(args: &StageArgs, update: &UpdateStatus) -> Result<PathBuf, Failure> {
    let begin = update.run.begin();
    let recorded = begin.and_then(|begin| begin.bundle.clone());
    let path = args.bundle.clone().or(recorded).ok_or_else(|| {
        bad_command("the records do not say where the bundle is").hint("name it by --bundle FILE")
    })?;
    if Disk.stat(&path)?.is_none_or(|stat| stat.kind != Kind::File) {
        return Err(Failure::new(
            ExitCode::BundleUnreadable,
            format!("there is no bundle {}", path.display()),
        )
        .hint("name the bundle that was applied by --bundle FILE"));
    }
    let found = verify::open_file(&path)?.manifest_digest();
    match begin.filter(|begin| begin.manifest != found) {
        None => Ok(path),
        Some(begin) => {
            let error = format!(
                "{} is another bundle than the one applied: its manifest has digest {found}, that of {} has {}",
                path.display(),
                update.id,
                begin.manifest
            );
            Err(Failure::new(ExitCode::WrongTarget, error)
                .hint("name the one that was applied by --bundle FILE"))
        }
    }
}

/// Copies a file.
fn copy(host: &Machine, from: &Path, to: &Path, limit: u64) -> Result<(), Failure> {
    let modified = host.stat(from)?.map(|it| it.modified);
    replace(host, to, &host.read(from, limit)?, modified)
}

/// Writes a file under a temporary name, gives it its own in the place of a former one, and reads it back.
///
/// Each run has a temporary name of its own, so that two that write one file at once never publish what the other has not
/// finished: the last one's stays.
pub(super) fn replace(
    host: &Machine,
    to: &Path,
    bytes: &[u8],
    modified: Option<SystemTime>,
) -> Result<(), Failure> {
    let partial = Partial::write(host, to, bytes, modified)?;
    partial.tidy();
    partial.publish()?;
    if host.read(to, MAX_COPY)? == bytes {
        return Ok(());
    }
    Err(Failure::new(ExitCode::Failed, format!("{} does not read back as it was written", to.display())))
}

/// A file that has not got its name yet: `NAME.SECONDS-PROCESS-NUMBER.partial`, seconds of Unix time.
struct Partial<'a> {
    host: &'a Machine,
    path: PathBuf,
    to: &'a Path,
}

/// How the names of unfinished files end.
const ENDING: &str = ".partial";
/// How long an unfinished file may be another run's that is just writing it.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

impl<'a> Partial<'a> {
    fn write(
        host: &'a Machine,
        to: &'a Path,
        bytes: &[u8],
        modified: Option<SystemTime>,
    ) -> Result<Self, HostError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (now, number) = (seconds(host), NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut path = to.as_os_str().to_owned();
        path.push(format!(".{now}-{}-{number}{ENDING}", std::process::id()));
        let partial = Self { host, path: path.into(), to };
        let written = host.write_new(&partial.path, bytes, &Attributes { like: None, modified });
        partial.or_nothing(written)?;
        Ok(partial)
    }

    /// Removes what killed runs left of the same file, by the time in its name: that of the file is its original's. What cannot be
    /// looked at or removed stays.
    fn tidy(&self) {
        let (Some(parent), Some(name)) = (self.to.parent(), self.to.file_name().and_then(OsStr::to_str))
        else {
            return;
        };
        // A bare name is in this folder.
        let folder = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        for entry in self.host.list(folder).unwrap_or_default() {
            let begun = entry.strip_prefix(name).and_then(begun);
            if begun.is_some_and(|begun| seconds(self.host).saturating_sub(begun) > ABANDONED.as_secs()) {
                drop(self.host.remove_file(&folder.join(entry)));
            }
        }
    }

    fn publish(&self) -> Result<(), HostError> {
        self.or_nothing(self.host.rename(&self.path, self.to))
    }

    /// Removes the file after a failure; what cannot be removed a run of a later day removes.
    fn or_nothing(&self, result: Result<(), HostError>) -> Result<(), HostError> {
        result.inspect_err(|_| drop(self.host.remove_file(&self.path)))
    }
}

fn seconds(host: &Machine) -> u64 {
    host.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Returns the seconds in what follows a file's name where it is unfinished.
fn begun(rest: &str) -> Option<u64> {
    let run = rest.strip_prefix('.')?.strip_suffix(ENDING)?;
    let (seconds, run) = run.split_once('-')?;
    run.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-').then_some(seconds.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_that_write_one_file_at_once_leave_each_others_unfinished_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (host, to) = (Machine::default(), folder.path().join("Q1.zip"));
        let slow = Partial::write(&host, &to, b"slow", None).unwrap();
        replace(&host, &to, b"quick", None).unwrap();
        assert_eq!(host.read(&to, 10).unwrap(), b"quick");
        slow.publish().unwrap();
        assert_eq!(host.read(&to, 10).unwrap(), b"slow");
        assert_eq!(host.list(folder.path()).unwrap(), ["Q1.zip"]);
    }

    #[test]
    fn what_killed_runs_left_is_removed_a_day_later_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let host = Machine::default();
        let yesterday = seconds(&host) - ABANDONED.as_secs() - 10;
        let names = |time: u64| {
            [
                format!("Q1.zip.{time}-7-0.partial"),
                format!("Q1.zip.{time}-x.partial"),
                format!("Q2.zip.{time}-7-0.partial"),
            ]
        };
        let stays = [names(yesterday)[1..].to_vec(), names(seconds(&host)).to_vec()].concat();
        for name in names(yesterday).iter().chain(&stays) {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        replace(&host, &folder.path().join("Q1.zip"), b"new", None).unwrap();
        let mut left = [stays, vec!["Q1.zip".to_owned()]].concat();
        left.sort();
        assert_eq!(host.list(folder.path()).unwrap(), left);
    }
}
