//! The command line: one file for each subcommand, and the only place that prints.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{CommandFactory, Parser, Subcommand};
use serde_json::Value;

mod apply;
mod classic;
mod codes;
pub mod console;
mod contention;
mod delta;
mod doctor;
mod extract;
pub mod failure;
pub mod keys;
mod log;
mod machine;
mod mif;
mod ready;
mod recover;
mod rollback;
mod stage;
mod status;
mod verify;

use crate::exit::ExitCode;
use console::Console;
use failure::Failure;

/// Applies signed update bundles to server folders, with backup and rollback.
///
/// Exit codes are Windows Installer's: 0 done or already current, 1603 failed and rolled back, 1625 not signed by
/// a known key, 1642 wrong target ... (the README has all). On Linux the status is the number's low byte.
///
/// Classic switches, in any case, with `/` or `-`: /s or /q quiet, /y undo, /l list, /x or /x:DIR extract, /t dry run,
/// /log:FILE, /norestart, /? help. Without /y, /l, /x or a command's name they go with apply.
#[derive(Parser, Debug)]
#[command(name = "qfe-patcher", version, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Verify(verify::VerifyArgs),
    Apply(apply::ApplyArgs),
    Rollback(rollback::RollbackArgs),
    Recover(recover::RecoverArgs),
    Status(status::StatusArgs),
    Doctor(doctor::DoctorArgs),
    Ready(ready::ReadyArgs),
    Stage(stage::StageArgs),
    Extract(extract::ExtractArgs),
    Delta(delta::DeltaArgs),
}

/// What a command that came to its end gives to programs.
struct Done {
    /// Its exit code.
    code: ExitCode,
    /// Its JSON result.
    json: Value,
}

/// Runs the program on its arguments, the first being its own name, and returns its exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let exists = |path: &OsStr| Path::new(path).exists();
    let arguments = match classic::translate(&arguments, &Cli::command(), exists) {
        Ok(arguments) => arguments,
        Err(failure) => return end(&command_of(&arguments), &console_of(&arguments), |_| Err(failure)),
    };
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&arguments, &error),
    };
    match cli.command {
        Command::Verify(args) => end("verify", &args.output.console(), |console| verify::run(&args, console)),
        Command::Apply(args) => end("apply", &args.output.console(), |console| {
            let subject = || mif::Subject::of_bundle(&args.bundle);
            mif::reported(&args.mif, subject, console, || apply::run(&args, console))
        }),
        Command::Rollback(args) => end("rollback", &args.output.console(), |console| {
            let subject = || mif::Subject::of_target(&args.target, args.id.as_ref());
            mif::reported(&args.mif, subject, console, || rollback::run(&args, console))
        }),
        Command::Recover(args) => {
            end("recover", &args.output.console(), |console| recover::run(&args, console))
        }
        Command::Status(args) => end("status", &args.output.console(), |console| status::run(&args, console)),
        Command::Doctor(args) => end("doctor", &args.output.console(), |console| doctor::run(&args, console)),
        Command::Ready(args) => end("ready", &args.output.console(), |console| ready::run(&args, console)),
        Command::Stage(args) => end("stage", &args.output.console(), |console| stage::run(&args, console)),
        Command::Extract(args) => {
            end("extract", &args.output.console(), |console| extract::run(&args, console))
        }
        Command::Delta(args) => {
            end("delta", &args.output_args.console(), |console| delta::run(&args, console))
        }
    }
}

/// Ends a run whose command line cannot be understood, or that asks for help or the version only.
///
/// Both programs use it. With `--json` among the arguments the refusal is a JSON object as well.
pub fn usage(arguments: &[OsString], error: &clap::Error) -> i32 {
    let text = error.render().to_string();
    let console = console_of(arguments);
    if !error.use_stderr() {
        console.result(text.trim_end());
        return ExitCode::Success.status();
    }
    console.alert(text.trim_end());
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let mut failure = Failure::new(ExitCode::BadCommandLine, message);
    failure.hints = lines.map(str::to_owned).collect();
    console.json(&failure.json(&command_of(arguments)));
    failure.code.status()
}

/// Returns the console of a run whose command line cannot be understood.
fn console_of(arguments: &[OsString]) -> Console {
    Console::new(arguments.iter().any(|argument| argument == "--json"), false)
}

/// Returns the word of a command line in the place of a command.
fn command_of(arguments: &[OsString]) -> String {
    let word = arguments.get(1).and_then(|word| word.to_str());
    word.filter(|word| !word.starts_with(['-', '/'])).unwrap_or_default().to_owned()
}

/// Runs a command and reports how it ended.
fn end(name: &str, console: &Console, run: impl FnOnce(&Console) -> Result<Done, Failure>) -> i32 {
    match run(console) {
        Ok(done) => {
            console.json(&done.json);
            done.code.status()
        }
        Err(failure) => {
            console.alert(failure.to_string());
            console.json(&failure.json(name));
            failure.code.status()
        }
    }
}

/// Switches of every command.
#[derive(clap::Args, Clone, Debug)]
struct OutputArgs {
    /// Print one JSON object on standard output; everything for people goes to standard error
    #[arg(long)]
    json: bool,
    /// Print results and errors only
    #[arg(long, short)]
    quiet: bool,
}

impl OutputArgs {
    fn console(&self) -> Console {
        Console::new(self.json, self.quiet)
    }
}
