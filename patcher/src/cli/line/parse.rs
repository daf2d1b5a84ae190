//! From the words of a command line to what is meant.

use std::ffi::{OsStr, OsString};

use super::definition::{Argument, Command, Kind, Need, Program, Times};
use super::given::Given;
use super::help;
use super::spelling::nearest;
use crate::cli::failure::Failure;
use crate::cli::machine::bad_command;
use crate::cli::own::Own;

/// What a command line means.
#[derive(Debug)]
pub(in crate::cli) enum Meant {
    /// A command is to be run.
    Run(&'static Command, Given),
    /// This text was asked for: help, or the version.
    Show(String),
    /// Nothing: here is what could be.
    Nothing(String),
}

/// Understands a command line, without the program's own name; `own` is what a self-extracting bundle fills in.
pub(in crate::cli) fn parse(
    program: &'static Program,
    words: &[OsString],
    own: Option<&Own>,
) -> Result<Meant, Failure> {
    let Some((first, words)) = words.split_first() else {
        return Ok(Meant::Nothing(help::of_program(program, help::Length::Long)));
    };
    let length = |word: &OsStr| match word.to_str() {
        Some("-h") => Some(help::Length::Short),
        Some("--help" | "help") => Some(help::Length::Long),
        _ => None,
    };
    if first == "help"
        && let Some(topic) = words.first().filter(|topic| length(topic).is_none())
    {
        let command = command(program, topic)?;
        return Ok(Meant::Show(help::of_command(program, command, help::Length::Long)));
    }
    if let Some(length) = length(first) {
        return Ok(Meant::Show(help::of_program(program, length)));
    }
    if first == "--version" || first == "-V" {
        return Ok(Meant::Show(format!("{} {}", program.name, program.version)));
    }
    let command = command(program, first)?;
    let mut reader = Reader { command, given: Given::new(command), words: words.iter(), own };
    let read = match reader.read() {
        Ok(read) => read,
        Err(failure) => return Err(failure.hint(described(program, command))),
    };
    Ok(match read {
        Read::Help(length) => Meant::Show(help::of_command(program, command, length)),
        Read::All => Meant::Run(command, reader.given),
    })
}

fn described(program: &Program, command: &Command) -> String {
    format!("`{} {} --help` describes it", program.name, command.name)
}

/// Finds a command by its word.
fn command(program: &'static Program, word: &OsStr) -> Result<&'static Command, Failure> {
    let text = word.to_string_lossy();
    if let Some(command) = program.command(&text) {
        return Ok(command);
    }
    let names: Vec<&str> = program.commands.iter().map(|command| command.name).collect();
    let known = format!("the commands are {}; `{} --help` describes them", names.join(", "), program.name);
    if text.starts_with('-') {
        return Err(bad_command(format!("{text} stands where a command is wanted")).hint(known));
    }
    let failure = bad_command(format!("{text:?} is no command of {}", program.name));
    Err(meant(failure, nearest(&text, names.iter().copied())).hint(known))
}

/// Adds the word that was perhaps meant.
fn meant(failure: Failure, word: Option<impl std::fmt::Display>) -> Failure {
    match word {
        Some(word) => failure.hint(format!("did you mean {word}?")),
        None => failure,
    }
}

/// How reading ended.
enum Read {
    /// With a request for help.
    Help(help::Length),
    /// With the line.
    All,
}

/// Reads the words behind a command's name.
struct Reader<'w> {
    command: &'static Command,
    given: Given,
    words: std::slice::Iter<'w, OsString>,
    own: Option<&'w Own>,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<Read, Failure> {
        let mut operands_only = false;
        while let Some(word) = self.words.next() {
            match word.as_encoded_bytes() {
                b"--" if !operands_only => operands_only = true,
                b"-h" if !operands_only => return Ok(Read::Help(help::Length::Short)),
                b"--help" if !operands_only => return Ok(Read::Help(help::Length::Long)),
                [b'-', b'-', ..] if !operands_only => self.long(word)?,
                [b'-', _, ..] if !operands_only => self.letters(word)?,
                _ => self.operand(word)?,
            }
        }
        self.check()?;
        Ok(Read::All)
    }

    /// Reads `--name` or `--name=VALUE`.
    fn long(&mut self, word: &OsStr) -> Result<(), Failure> {
        let bytes = word.as_encoded_bytes();
        let end = bytes.iter().position(|byte| *byte == b'=');
        let name = String::from_utf8_lossy(bytes.get(2..end.unwrap_or(bytes.len())).unwrap_or_default());
        let Some(argument) = self.command.all().find(|argument| argument.has_long(&name)) else {
            let known = nearest(&name, self.command.all().filter_map(Argument::long));
            return Err(meant(self.unknown(&format!("--{name}")), known.map(|known| format!("--{known}"))));
        };
        let value = end.map(|end| behind(word, end + 1));
        self.named(argument, value)
    }

    /// Reads `-n`, `-nVALUE`, `-n=VALUE`, and letters joined.
    fn letters(&mut self, word: &OsStr) -> Result<(), Failure> {
        let text = word.to_string_lossy();
        for (at, letter) in text.char_indices().skip(1) {
            let Some(argument) = self.command.all().find(|argument| argument.short == Some(letter)) else {
                let whole = if text.chars().count() > 2 { format!(" of {text}") } else { String::new() };
                let long =
                    self.command.all().find(|argument| argument.has_long(text.trim_start_matches('-')));
                let failure = self.unknown(&format!("-{letter}{whole}"));
                return Err(meant(failure, long.map(Argument::word)));
            };
            let rest = behind(word, at + letter.len_utf8());
            let value = rest.as_encoded_bytes().starts_with(b"=").then(|| behind(&rest, 1));
            if argument.is_option() && !rest.is_empty() {
                return self.named(argument, Some(value.unwrap_or(rest)));
            }
            self.named(argument, value)?;
        }
        Ok(())
    }

    fn unknown(&self, word: &str) -> Failure {
        bad_command(format!("{word} is no option of {}", self.command.name))
    }

    /// Takes a switch or an option, the latter with the value that is joined to it, else with the next word.
    fn named(&mut self, argument: &'static Argument, joined: Option<OsString>) -> Result<(), Failure> {
        match (argument.kind, joined) {
            (Kind::Switch, Some(value)) => {
                let value = value.display();
                Err(bad_command(format!("{} takes no value, and {value} is given", argument.word())))
            }
            (Kind::Switch | Kind::Operand(_), None) => self.take(argument, OsString::new()),
            (_, Some(value)) => self.take(argument, value),
            (Kind::Option(_), None) => {
                let Some(value) = self.words.as_slice().first().filter(|word| is_value(word)) else {
                    return Err(self.lacks_value(argument));
                };
                self.words.next();
                self.take(argument, value.clone())?;
                while argument.times == Times::Lists
                    && let Some(value) = self.words.as_slice().first().filter(|word| is_value(word))
                {
                    self.words.next();
                    self.take(argument, value.clone())?;
                }
                Ok(())
            }
        }
    }

    fn lacks_value(&self, argument: &Argument) -> Failure {
        let written = argument.written();
        match self.words.as_slice().first() {
            None => bad_command(format!("{written} lacks its value, and the line ends")),
            Some(next) => {
                let next = next.display();
                bad_command(format!("{written} lacks its value, and {next} follows"))
                    .hint(format!("a value that begins with - is written {}={next}", argument.word()))
            }
        }
    }

    fn operand(&mut self, word: &OsStr) -> Result<(), Failure> {
        let free = |operand: &&Argument| operand.times != Times::Once || !self.given.has(operand.name);
        match self.command.operands().find(free) {
            Some(operand) => self.take(operand, word.to_owned()),
            None => {
                let wanted: Vec<String> = self.command.operands().map(Argument::written).collect();
                let wanted = if wanted.is_empty() { "options only".to_owned() } else { wanted.join(" ") };
                let command = self.command.name;
                Err(bad_command(format!("{} is one word too many: {command} takes {wanted}", word.display())))
            }
        }
    }

    fn take(&mut self, argument: &'static Argument, value: OsString) -> Result<(), Failure> {
        if argument.times == Times::Once && self.given.has(argument.name) {
            return Err(bad_command(format!("{} is given twice, once is wanted", argument.word())));
        }
        // As a path it would be the current folder, or nothing: not what was meant.
        if argument.kind != Kind::Switch && value.is_empty() {
            let written = argument.written();
            return Err(bad_command(format!(
                "the value of {written} is empty, one with characters is wanted"
            ))
            .hint("where a variable of the shell stands for it, that is not set"));
        }
        self.given.push(argument, value);
        Ok(())
    }

    /// Holds the whole line against what the table says of arguments together.
    fn check(&mut self) -> Result<(), Failure> {
        let word = |name| self.command.argument(name).map(Argument::word).unwrap_or_default();
        for argument in self.given.arguments() {
            if let Some(other) = argument.excludes.filter(|other| self.given.has(other)) {
                return Err(bad_command(format!(
                    "{} and {} exclude one another",
                    argument.word(),
                    word(other)
                ))
                .hint("leave one of them out"));
            }
        }
        let missing = |given: &Given, argument: &Argument| {
            let is_needed = match argument.need {
                Need::Optional => false,
                Need::Required => true,
                Need::Unless(other) => !given.has(other),
            };
            let is_told = argument.is_told && cfg!(windows);
            is_needed && !is_told && !given.has(argument.name)
        };
        let mut lacking = Vec::new();
        for argument in self.command.all() {
            if !missing(&self.given, argument) {
                continue;
            }
            match self.own.and_then(|own| own.value(argument.name)) {
                Some(value) => self.given.push(argument, value),
                None => lacking.push(argument),
            }
        }
        if !lacking.is_empty() {
            return Err(self.given.lacks(&lacking));
        }
        for argument in self.given.arguments() {
            if let Some(other) = argument.requires.filter(|other| !self.given.has(other)) {
                let written = self.command.argument(other).map(Argument::written).unwrap_or_default();
                return Err(bad_command(format!(
                    "{} is given, which wants {written} as well",
                    argument.word()
                )));
            }
        }
        Ok(())
    }
}

/// Tells whether a word can be the value of the option before it.
fn is_value(word: &OsStr) -> bool {
    word == "-" || !word.as_encoded_bytes().starts_with(b"-")
}

/// Returns what stands behind the first `len` bytes of a word, which are whole characters.
#[cfg(unix)]
fn behind(word: &OsStr, len: usize) -> OsString {
    use std::os::unix::ffi::OsStrExt;

    OsStr::from_bytes(word.as_bytes().get(len..).unwrap_or_default()).to_owned()
}

/// Returns what stands behind the first `len` bytes of a word, which are whole characters.
///
/// Windows has no bytes: the units of those characters are left out.
#[cfg(windows)]
fn behind(word: &OsStr, len: usize) -> OsString {
    use std::os::windows::ffi::{OsStrExt, OsStringExt};

    let before = String::from_utf8_lossy(word.as_encoded_bytes().get(..len).unwrap_or_default());
    let units: Vec<u16> = word.encode_wide().skip(before.encode_utf16().count()).collect();
    OsString::from_wide(&units)
}

#[cfg(test)]
mod tests;
