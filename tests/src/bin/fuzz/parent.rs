//! What the user starts: builds with counters where they are wanted, starts a process for each target, keeps what fails.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::{SystemTime, UNIX_EPOCH};

use qfe_patcher::digest::Digest;
use qfe_tests::fuzz::Target;
use qfe_tests::programs::workspace;

use crate::options::{Bound, Options, Task};
use crate::{child, coverage, distill};

/// Does what was asked for.
pub(crate) fn run(options: &Options) -> ExitCode {
    let done = if options.guided && coverage::Coverage::new().is_none() { guided() } else { done(options) };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fuzz-stable: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the folder of all that is found.
pub(crate) fn folder() -> PathBuf {
    workspace().join("target/fuzz")
}

fn done(options: &Options) -> Result<bool, String> {
    match &options.task {
        Task::List => {
            options.targets.iter().for_each(|target| println!("{:18} {}", target.name, target.reads))
        }
        Task::Fuzz => return fuzz(options),
        Task::Child(current) => {
            let target = options.targets.first().ok_or("a target is wanted")?;
            child::run(target, current, options.bound, options.seed.unwrap_or(0));
        }
        Task::Inputs(paths) => {
            let target = options.targets.first().ok_or("a target is wanted")?;
            for path in paths {
                let input = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
                if !child::run_once(target, input) {
                    return Ok(false);
                }
                println!("{}: {} returns", path.display(), target.name);
            }
        }
        Task::Seeds => {
            for target in &options.targets {
                for input in (target.seeds)() {
                    keep(&child::found(target), &input)?;
                }
            }
        }
        Task::Distill => {
            for target in &options.targets {
                println!("{}", distill::run(target)?);
            }
        }
    }
    Ok(true)
}

/// Fuzzes each target in a process of its own; tells whether none failed.
fn fuzz(options: &Options) -> Result<bool, String> {
    let clock =
        || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| u64::from(time.subsec_nanos()));
    let seed = options.seed.unwrap_or_else(clock);
    println!("seed {seed}");
    let program = std::env::current_exe().map_err(|error| format!("the program's own path: {error}"))?;
    let current = folder().join(format!("current-{}", std::process::id()));
    fs::create_dir_all(folder()).map_err(|error| format!("{}: {error}", folder().display()))?;
    let mut well = true;
    for target in &options.targets {
        let (bound, number) = match options.bound {
            Bound::Time(time) => ("--seconds", time.as_secs()),
            Bound::Runs(runs) => ("--runs", runs),
        };
        let (number, seed) = (number.to_string(), seed.to_string());
        let status = Command::new(&program)
            .args([target.name, bound, &number, "--seed", &seed, "--child"])
            .arg(&current)
            .status()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        if !status.success() {
            well = false;
            report(target, status, &current)?;
        }
    }
    drop(fs::remove_file(&current));
    Ok(well)
}

/// Keeps an input that a process ended with, and says where.
fn report(target: &Target, status: ExitStatus, current: &Path) -> Result<(), String> {
    let input = child::noted(current).map_err(|error| format!("{}: {error}", current.display()))?;
    let Some(input) = input else {
        println!("{:18} FAILED ({status}) before its first input", target.name);
        return Ok(());
    };
    let path = keep(&folder().join("failed"), &input)?;
    println!(
        "{:18} FAILED ({status}): the input of {} bytes is {path}\n{:18} again: cargo fuzz-stable {} --input {path}",
        target.name,
        input.len(),
        "",
        target.name,
        path = path.display(),
    );
    Ok(())
}

/// Writes an input under the name that its contents make.
pub(crate) fn keep(folder: &Path, input: &[u8]) -> Result<PathBuf, String> {
    let path = folder.join(Digest::of(input).prefix());
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, input));
    written.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Builds this program anew, with counters, and runs it with the same words.
fn guided() -> Result<bool, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // With a target named, the flags are not those of build scripts and macros, which have no such function.
    let host = Command::new(&cargo).args(["-vV"]).output().map_err(|error| format!("cargo: {error}"))?;
    let host = String::from_utf8_lossy(&host.stdout).into_owned();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("cargo tells no host")?;
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let status = Command::new(&cargo)
        .args([
            "run",
            "--quiet",
            "--profile",
            "fuzz",
            "--package",
            "qfe-tests",
            "--bin",
            "fuzz",
            "--target",
            host,
            "--target-dir",
        ])
        .arg(folder().join("build"))
        .arg("--")
        .args(words)
        .current_dir(workspace())
        .env("RUSTFLAGS", coverage::FLAGS)
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    Ok(status.success())
}
