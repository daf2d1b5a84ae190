//! What a command line gave, taken by name and type.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use super::definition::{Argument, Command};
use crate::cli::failure::Failure;
use crate::cli::machine::bad_command;

/// The arguments of one command line, held against the command's table: what is required is there, what may be given
/// once is there once.
#[derive(Debug)]
pub(in crate::cli) struct Given {
    command: &'static Command,
    /// In the order of the line; a switch has an empty value.
    values: Vec<(&'static Argument, OsString)>,
}

impl Given {
    pub(super) fn new(command: &'static Command) -> Self {
        Self { command, values: Vec::new() }
    }

    pub(super) fn push(&mut self, argument: &'static Argument, value: OsString) {
        self.values.push((argument, value));
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(argument, _)| argument.name == name)
    }

    pub(in crate::cli) fn arguments(&self) -> impl Iterator<Item = &'static Argument> {
        self.values.iter().map(|(argument, _)| *argument)
    }

    /// Tells whether a switch is given.
    pub(in crate::cli) fn is_set(&mut self, name: &str) -> bool {
        !self.words(name).is_empty()
    }

    /// Takes a path.
    pub(in crate::cli) fn path(&mut self, name: &str) -> Option<PathBuf> {
        self.words(name).pop().map(PathBuf::from)
    }

    /// Takes every path of an argument that may be given often.
    pub(in crate::cli) fn paths(&mut self, name: &str) -> Vec<PathBuf> {
        self.words(name).into_iter().map(PathBuf::from).collect()
    }

    /// Takes a value of another kind, or its default.
    pub(in crate::cli) fn value<T>(&mut self, name: &str) -> Result<Option<T>, Failure>
    where
        T: FromStr<Err: Display>,
    {
        let Some((word, text)) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error: T::Err| bad_command(format!("{word}: {error}")))
    }

    /// Takes a number that the table requires or gives a default.
    pub(in crate::cli) fn required_number(&mut self, name: &str) -> Result<u16, Failure> {
        self.number(name)?.ok_or_else(|| self.lacks(self.command.argument(name).as_slice()))
    }

    /// Takes a number, or its default.
    pub(in crate::cli) fn number(&mut self, name: &str) -> Result<Option<u16>, Failure> {
        let Some((word, text)) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            bad_command(format!(
                "{word}: {text:?} is no number: a whole one from 0 to {} is wanted",
                u16::MAX
            ))
        })
    }

    /// Takes a path that the table requires.
    pub(in crate::cli) fn required_path(&mut self, name: &str) -> Result<PathBuf, Failure> {
        self.path(name).ok_or_else(|| self.lacks(self.command.argument(name).as_slice()))
    }

    /// Takes a text that the table requires.
    pub(in crate::cli) fn required_text(&mut self, name: &str) -> Result<String, Failure> {
        let text = self.text(name)?.map(|(_, text)| text);
        text.ok_or_else(|| self.lacks(self.command.argument(name).as_slice()))
    }

    /// Makes the failure of arguments that are not there.
    pub(super) fn lacks(&self, missing: &[&'static Argument]) -> Failure {
        let missing: Vec<String> = missing.iter().map(|argument| argument.written()).collect();
        bad_command(format!("{} lacks {}", self.command.name, missing.join(", ")))
    }

    /// Takes the text of an argument, or its default, with the argument's name for messages.
    fn text(&mut self, name: &str) -> Result<Option<(String, String)>, Failure> {
        let Some(argument) = self.command.argument(name) else { return Ok(None) };
        let Some(value) = self.words(name).pop().or_else(|| argument.default.map(Into::into)) else {
            return Ok(None);
        };
        let word = argument.word();
        match value.into_string() {
            Ok(text) => Ok(Some((word, text))),
            Err(value) => Err(bad_command(format!("{word}: {} is no Unicode text", value.display()))),
        }
    }

    fn words(&mut self, name: &str) -> Vec<OsString> {
        debug_assert!(self.command.argument(name).is_some(), "{} has no argument {name}", self.command.name);
        self.values.extract_if(.., |(argument, _)| argument.name == name).map(|(_, value)| value).collect()
    }
}
