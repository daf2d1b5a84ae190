//! The command line: one file for each subcommand, and the only place that prints.

use std::ffi::{OsStr, OsString};
use std::path::Path;

mod apply;
mod classic;
mod codes;
mod commands;
pub mod console;
mod contention;
mod delta;
mod doctor;
mod extract;
pub mod failure;
mod installed;
pub mod keys;
mod line;
mod log;
mod machine;
mod mif;
mod own;
mod ready;
mod recover;
mod rollback;
mod stage;
mod status;
mod verify;

use crate::exit::ExitCode;
use crate::json::Json;
use commands::PROGRAM;
use console::Console;
use failure::Failure;
use line::Meant;
pub use line::manual::{ArgumentLine, CommandPage, Form, Manual};

/// What a command that came to its end gives to programs.
struct Done {
    /// Its exit code.
    code: ExitCode,
    /// Its JSON result.
    json: Json,
}

/// Runs the program on its arguments, the first being its own name, and returns its exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let exists = |path: &OsStr| Path::new(path).exists();
    let own = own::Own::find();
    let meant = classic::translate(&arguments, &PROGRAM, own.is_some(), exists)
        .and_then(|arguments| line::parse(&PROGRAM, arguments.get(1..).unwrap_or_default(), own.as_ref()));
    match meant {
        Ok(Meant::Run(command, mut given)) => {
            let console = Console::new(given.is_set("json"), given.is_set("quiet"));
            end(command.name, &console, |console| (command.run)(given, console))
        }
        Ok(Meant::Show(text)) => {
            console_of(&arguments).result(text.trim_end());
            ExitCode::Success.status()
        }
        Ok(Meant::Nothing(help)) => {
            console_of(&arguments).alert(help.trim_end());
            ExitCode::BadCommandLine.status()
        }
        Err(failure) => end(&command_of(&arguments), &console_of(&arguments), |_| Err(failure)),
    }
}

/// Returns the whole manual as data, for pages and completions.
pub fn manual() -> Manual {
    Manual::of(&PROGRAM)
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
            console.json(done.json);
            done.code.status()
        }
        Err(failure) => {
            console.alert(failure.to_string());
            console.json(failure.json(name));
            failure.code.status()
        }
    }
}
