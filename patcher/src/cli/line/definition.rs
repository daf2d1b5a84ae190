//! What a program's command line consists of.

use crate::cli::Done;
use crate::cli::console::Console;
use crate::cli::failure::Failure;

use super::given::Given;

/// A program with its commands.
#[derive(Debug)]
pub(in crate::cli) struct Program {
    pub(in crate::cli) name: &'static str,
    pub(in crate::cli) version: &'static str,
    /// What it is for, in one line.
    pub(in crate::cli) about: &'static str,
    /// What there is to know beyond that, by paragraphs.
    pub(in crate::cli) more: &'static [&'static str],
    pub(in crate::cli) commands: &'static [Command],
}

/// A command with its arguments.
#[derive(Debug)]
pub(in crate::cli) struct Command {
    pub(in crate::cli) name: &'static str,
    /// What it does, in one line.
    pub(in crate::cli) about: &'static str,
    /// What there is to know beyond that, by paragraphs.
    pub(in crate::cli) more: &'static [&'static str],
    /// The keys of its JSON result.
    pub(in crate::cli) json: &'static str,
    /// A line that works, without the program's name.
    pub(in crate::cli) example: &'static str,
    /// Its arguments in the order of help; groups that commands share stand beside its own.
    pub(in crate::cli) arguments: &'static [&'static [Argument]],
    pub(in crate::cli) run: fn(Given, &Console) -> Result<Done, Failure>,
}

/// An argument of a command.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Argument {
    /// What it is asked for by; of a switch or an option also what is written behind `--`.
    pub(super) name: &'static str,
    pub(super) short: Option<char>,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) need: Need,
    /// Whether it may be left out where this machine has a registry that tells it.
    pub(super) is_told: bool,
    pub(super) times: Times,
    pub(super) default: Option<&'static str>,
    /// The argument beside which it cannot be given.
    pub(super) excludes: Option<&'static str>,
    /// The argument without which it cannot be given.
    pub(super) requires: Option<&'static str>,
}

/// How an argument is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name alone.
    Switch,
    /// A name with a value; help calls the value by this word.
    Option(&'static str),
    /// A value alone, known by its place; help calls it by this word.
    Operand(&'static str),
}

/// Whether an argument has to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Optional,
    Required,
    /// Required, unless this other one is given.
    Unless(&'static str),
}

/// How often an argument may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    Once,
    /// Often, each time with one value.
    Often,
    /// Often, each time with all values up to the next word that begins with `-`.
    Lists,
}

/// Makes a switch.
pub(in crate::cli) const fn switch(name: &'static str, help: &'static str) -> Argument {
    Argument {
        name,
        short: None,
        kind: Kind::Switch,
        help,
        need: Need::Optional,
        is_told: false,
        times: Times::Once,
        default: None,
        excludes: None,
        requires: None,
    }
}

/// Makes an option.
pub(in crate::cli) const fn option(name: &'static str, value: &'static str, help: &'static str) -> Argument {
    Argument { kind: Kind::Option(value), ..switch(name, help) }
}

/// Makes an operand.
pub(in crate::cli) const fn operand(name: &'static str, value: &'static str, help: &'static str) -> Argument {
    Argument { kind: Kind::Operand(value), ..switch(name, help) }
}

impl Argument {
    pub(in crate::cli) const fn short(self, letter: char) -> Self {
        Self { short: Some(letter), ..self }
    }

    pub(in crate::cli) const fn required(self) -> Self {
        Self { need: Need::Required, ..self }
    }

    pub(in crate::cli) const fn required_unless(self, other: &'static str) -> Self {
        Self { need: Need::Unless(other), ..self }
    }

    pub(in crate::cli) const fn told(self) -> Self {
        Self { is_told: true, ..self }
    }

    pub(in crate::cli) const fn often(self) -> Self {
        Self { times: Times::Often, ..self }
    }

    pub(in crate::cli) const fn lists(self) -> Self {
        Self { times: Times::Lists, ..self }
    }

    pub(in crate::cli) const fn default(self, value: &'static str) -> Self {
        Self { default: Some(value), ..self }
    }

    pub(in crate::cli) const fn excludes(self, other: &'static str) -> Self {
        Self { excludes: Some(other), ..self }
    }

    pub(in crate::cli) const fn requires(self, other: &'static str) -> Self {
        Self { requires: Some(other), ..self }
    }

    pub(super) fn is_operand(&self) -> bool {
        matches!(self.kind, Kind::Operand(_))
    }

    /// Returns what is written behind `--`; none for an operand.
    pub(in crate::cli) fn long(&self) -> Option<&'static str> {
        (!self.is_operand()).then_some(self.name)
    }

    /// Tells whether it is written `--name`.
    pub(in crate::cli) fn has_long(&self, name: &str) -> bool {
        self.long() == Some(name)
    }

    /// Tells whether it is written `--name VALUE`.
    pub(in crate::cli) fn is_option(&self) -> bool {
        matches!(self.kind, Kind::Option(_))
    }

    /// Returns the letter by which it is written too.
    pub(in crate::cli) fn letter(&self) -> Option<char> {
        self.short
    }

    /// Returns how messages name it: `--name`, or the word for an operand.
    pub(super) fn word(&self) -> String {
        match self.kind {
            Kind::Switch | Kind::Option(_) => format!("--{}", self.name),
            Kind::Operand(value) => value.to_owned(),
        }
    }

    /// Tells whether a line without it is refused, as a rule.
    pub(super) fn is_required(&self) -> bool {
        self.need != Need::Optional
    }

    /// Returns how it is to be written.
    pub(in crate::cli) fn written(&self) -> String {
        let more = if self.times == Times::Lists { "..." } else { "" };
        match self.kind {
            Kind::Switch => format!("--{}", self.name),
            Kind::Option(value) => format!("--{} <{value}>{more}", self.name),
            Kind::Operand(value) => format!("<{value}>"),
        }
    }
}

#[cfg(test)]
impl Argument {
    /// Returns the arguments that it speaks of.
    pub(in crate::cli) fn references(&self) -> impl Iterator<Item = &'static str> + use<> {
        let unless = match self.need {
            Need::Unless(other) => Some(other),
            Need::Optional | Need::Required => None,
        };
        [unless, self.excludes, self.requires].into_iter().flatten()
    }

    /// Tells whether two arguments cannot be told apart.
    pub(in crate::cli) fn clashes_with(&self, other: &Self) -> bool {
        self.name == other.name || (self.short.is_some() && self.short == other.short)
    }
}

impl Command {
    /// Returns its arguments in the order of help.
    pub(in crate::cli) fn all(&self) -> impl Iterator<Item = &'static Argument> + use<> {
        self.arguments.iter().flat_map(|group| group.iter())
    }

    pub(in crate::cli) fn argument(&self, name: &str) -> Option<&'static Argument> {
        self.all().find(|argument| argument.name == name)
    }

    pub(super) fn operands(&self) -> impl Iterator<Item = &'static Argument> + use<> {
        self.all().filter(|argument| argument.is_operand())
    }
}

impl Program {
    pub(in crate::cli) fn command(&self, name: &str) -> Option<&'static Command> {
        self.commands.iter().find(|command| command.name == name)
    }
}
