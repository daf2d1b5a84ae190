//! The table of the command line as plain data, for those who make other forms of the manual of it.
//!
//! The program itself has no use for it, so the linker leaves it out: man pages and completions weigh nothing on a disk.

use super::definition::{Argument, Command, Kind, Program, Times};
use super::help::description;

/// A program and its commands.
#[derive(Clone, Debug)]
pub struct Manual {
    /// The program's name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it is for, in one line.
    pub about: &'static str,
    /// What there is to know beyond that, by paragraphs.
    pub more: &'static [&'static str],
    /// Its commands in the order of help.
    pub commands: Vec<CommandPage>,
}

/// A command and its arguments.
#[derive(Clone, Debug)]
pub struct CommandPage {
    /// The command's name.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// What there is to know beyond that, by paragraphs.
    pub more: &'static [&'static str],
    /// The keys of its JSON result.
    pub json: &'static str,
    /// A line that works, with the program's name.
    pub example: String,
    /// Its arguments in the order of help.
    pub arguments: Vec<ArgumentLine>,
}

/// An argument of a command.
#[derive(Clone, Debug)]
pub struct ArgumentLine {
    /// What it is known by; of a switch or an option also what is written behind `--`.
    pub name: &'static str,
    /// The letter by which it is written too.
    pub short: Option<char>,
    /// How it is written.
    pub form: Form,
    /// The description, with default and number.
    pub help: String,
    /// Whether a line without it is refused, as a rule.
    pub is_required: bool,
    /// Whether it may be given more than once.
    pub is_repeated: bool,
}

/// How an argument is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A name alone.
    Switch,
    /// A name with a value, which help calls by this word.
    Option(&'static str),
    /// A value alone, which help calls by this word.
    Operand(&'static str),
}

impl Manual {
    pub(in crate::cli) fn of(program: &Program) -> Self {
        let Program { name, version, about, more, commands } = *program;
        Self { name, version, about, more, commands: commands.iter().map(|it| page(program, it)).collect() }
    }
}

fn page(program: &Program, command: &Command) -> CommandPage {
    CommandPage {
        name: command.name,
        about: command.about,
        more: command.more,
        json: command.json,
        example: format!("{} {}", program.name, command.example),
        arguments: command.all().map(line).collect(),
    }
}

fn line(argument: &'static Argument) -> ArgumentLine {
    ArgumentLine {
        name: argument.name,
        short: argument.short,
        form: match argument.kind {
            Kind::Switch => Form::Switch,
            Kind::Option(value) => Form::Option(value),
            Kind::Operand(value) => Form::Operand(value),
        },
        help: description(argument),
        is_required: argument.is_required(),
        is_repeated: argument.times != Times::Once,
    }
}
