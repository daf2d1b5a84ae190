//! Help, as it is printed: no line is wider than the consoles of the time.

use super::definition::{Argument, Command, Kind, Program, Times};

/// The most characters of a line. A console of 80 breaks a line after the last of them by itself.
const WIDTH: usize = 79;
/// Where descriptions begin in long help.
const INDENT: usize = 10;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// `-h`: a line or two for each argument.
    Short,
    /// `--help`: all there is.
    Long,
}

/// Describes a program and lists its commands.
pub(super) fn of_program(program: &Program, length: Length) -> String {
    let mut page = Page::new(program.about);
    if length == Length::Long {
        page.paragraphs(program.more);
    }
    page.text.push_str(&format!("\nUsage: {} <COMMAND> [OPTIONS]\n\nCommands:\n", program.name));
    let help = ("help", "Shows this text, or that of a command: `help apply`");
    let commands = program.commands.iter().map(|command| (command.name, command.about));
    let rows: Vec<_> =
        commands.chain([help]).map(|(name, about)| (name.to_owned(), about.to_owned())).collect();
    page.rows(&rows);
    page.text.push_str("\nOptions:\n");
    page.rows(&[
        ("-h, --help".to_owned(), "Print help (-h: the short one)".to_owned()),
        ("-V, --version".to_owned(), "Print the version".to_owned()),
    ]);
    page.text
}

/// Describes a command.
pub(super) fn of_command(program: &Program, command: &Command, length: Length) -> String {
    let mut page = Page::new(command.about);
    if length == Length::Long {
        page.paragraphs(command.more);
    }
    page.text.push('\n');
    let usage = usage(program, command);
    page.hang("Usage: ", &usage.iter().map(String::as_str).collect::<Vec<_>>(), 12);
    let (operands, named): (Vec<_>, Vec<_>) = command.all().partition(|argument| argument.is_operand());
    let describe = |arguments: Vec<&'static Argument>| -> Vec<(String, String)> {
        arguments.into_iter().map(|argument| (margin(argument), description(argument))).collect()
    };
    if !operands.is_empty() {
        page.text.push_str("\nArguments:\n");
        page.list(&describe(operands), length);
    }
    page.text.push_str("\nOptions:\n");
    let mut rows = describe(named);
    rows.push(("-h, --help".to_owned(), "Print help (-h: the short one)".to_owned()));
    page.list(&rows, length);
    if length == Length::Long {
        page.text.push_str("\nJSON:\n");
        page.wrapped(command.json, 2);
    }
    page.text.push_str(&format!("\nExample:\n  {} {}\n", program.name, command.example));
    page.text
}

/// Returns how a command is written, with what it requires; no line ends within a part.
fn usage(program: &Program, command: &Command) -> Vec<String> {
    let mut words = vec![program.name.to_owned(), command.name.to_owned()];
    for argument in command.operands() {
        let written = argument.written();
        words.push(if argument.is_required() { written } else { format!("[{}]", argument.written()) });
    }
    words.extend(command.all().filter(|it| !it.is_operand() && it.is_required()).map(Argument::written));
    words.push("[OPTIONS]".to_owned());
    words
}

/// Returns what stands in the margin: the ways to write an argument. Those with a letter stand in one column.
fn margin(argument: &Argument) -> String {
    match (argument.kind, argument.short) {
        (Kind::Operand(_), _) => argument.written(),
        (Kind::Switch | Kind::Option(_), Some(letter)) => format!("-{letter}, {}", argument.written()),
        (Kind::Switch | Kind::Option(_), None) => format!("    {}", argument.written()),
    }
}

/// Describes an argument, with its number and default.
pub(super) fn description(argument: &Argument) -> String {
    let mut text = argument.help.to_owned();
    if argument.times != Times::Once {
        text.push_str("; may be given often");
    }
    if argument.is_told {
        text.push_str(" [default on Windows: what the registry states]");
    }
    if let Some(default) = argument.default {
        text.push_str(&format!(" [default: {default}]"));
    }
    text
}

/// A text that is being laid out.
struct Page {
    text: String,
}

impl Page {
    fn new(about: &str) -> Self {
        let mut page = Self { text: String::new() };
        page.wrapped(about, 0);
        page
    }

    fn paragraphs(&mut self, paragraphs: &[&str]) {
        for paragraph in paragraphs {
            self.text.push('\n');
            self.wrapped(paragraph, 0);
        }
    }

    /// Lays out arguments with their descriptions.
    fn list(&mut self, rows: &[(String, String)], length: Length) {
        match length {
            Length::Short => self.rows(rows),
            Length::Long => {
                for (index, (margin, description)) in rows.iter().enumerate() {
                    if index > 0 {
                        self.text.push('\n');
                    }
                    self.text.push_str(&format!("  {margin}\n"));
                    self.wrapped(description, INDENT);
                }
            }
        }
    }

    /// Lays out a table of two columns.
    fn rows(&mut self, rows: &[(String, String)]) {
        let width = rows.iter().map(|(margin, _)| margin.len()).max().unwrap_or_default();
        for (margin, text) in rows {
            self.hang(&format!("  {margin:<width$}  "), &words(text), width + 4);
        }
    }

    /// Wraps words behind a lead; further lines are indented.
    fn hang(&mut self, lead: &str, words: &[&str], indent: usize) {
        self.text.push_str(lead);
        self.fill(words, indent, lead.len());
    }

    /// Wraps a text, every line indented.
    fn wrapped(&mut self, text: &str, indent: usize) {
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.fill(&words(text), indent, indent);
    }

    /// Sets words, of which the first stands in this column, and ends the line.
    fn fill(&mut self, words: &[&str], indent: usize, mut column: usize) {
        for (index, word) in words.iter().enumerate() {
            let len = word.chars().count();
            if index > 0 && column + 1 + len > WIDTH {
                self.text.push('\n');
                self.text.extend(std::iter::repeat_n(' ', indent));
                column = indent;
            } else if index > 0 {
                self.text.push(' ');
                column += 1;
            }
            self.text.push_str(word);
            column += len;
        }
        self.text.push('\n');
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}
