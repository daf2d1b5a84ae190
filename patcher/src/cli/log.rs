//! The log that the user asks for by `--log`, beside the target's own.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::console::Console;
use super::failure::Failure;
use crate::exit::ExitCode;
use crate::update::{Event, Observer};

/// A log file, or none where none was asked for.
pub(super) struct Log(Option<(PathBuf, File)>);

impl Log {
    /// Opens the log for adding to it.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self(None)) };
        match OpenOptions::new().read(true).append(true).create(true).open(path) {
            Ok(file) => Ok(Self(Some((path.to_owned(), file)))),
            Err(error) => {
                let error = format!("log {} cannot be written: {error}", path.display());
                Err(Failure::new(ExitCode::LogUnwritable, error).hint("name another file by --log"))
            }
        }
    }

    /// Runs something that writes to the log, which says also how it failed: `what` was aborted, and why.
    pub(super) fn of_run<T>(
        mut self,
        what: &str,
        console: &Console,
        run: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let result = run(&mut self);
        if let Err(failure) = &result {
            let first = failure.findings.first();
            let reason = first.map_or_else(|| failure.messages().join(": "), ToString::to_string);
            self.line(&format!("{what} aborted. {reason}"), console);
            for line in failure.to_string().lines() {
                self.line(line, console);
            }
        }
        result
    }

    /// Adds a line; a log that fails in the middle is given up with a warning.
    pub(super) fn line(&mut self, line: &str, console: &Console) {
        let failed = self.0.as_mut().and_then(|(path, file)| {
            let error = writeln!(file, "{line}").err()?;
            Some(format!("warning: log {} cannot be written any more: {error}", path.display()))
        });
        if let Some(warning) = failed {
            console.alert(warning);
            self.0 = None;
        }
    }
}

/// Tells people and the log alike.
pub(super) struct Tee<'a> {
    pub(super) console: &'a Console,
    pub(super) log: &'a mut Log,
}

impl Tee<'_> {
    /// Tells a line.
    pub(super) fn line(&mut self, line: &str) {
        self.console.say(line);
        self.log.line(line, self.console);
    }
}

impl Observer for Tee<'_> {
    fn tell(&mut self, event: &Event<'_>) {
        self.line(&event.to_string());
    }
}
