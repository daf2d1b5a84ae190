//! Where output goes: results to standard output, everything else to standard error.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::json::Json;
use crate::plain_text::shown;

/// How a command talks.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    format: Format,
    voice: Voice,
}

/// What standard output carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON object, and nothing else.
    Json,
}

/// Whether progress is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// It is.
    Normal,
    /// Only results and errors are.
    Quiet,
}

impl Console {
    /// Makes a console by the switches of a command.
    pub fn new(json: bool, quiet: bool) -> Self {
        Self {
            format: if json { Format::Json } else { Format::Text },
            voice: if quiet { Voice::Quiet } else { Voice::Normal },
        }
    }

    /// Tells of progress.
    pub fn say(&self, line: impl AsRef<str>) {
        if self.voice == Voice::Normal {
            write(io::stderr(), &shown(line.as_ref()));
        }
    }

    /// Tells what must be heard even when quiet: an error, a warning.
    pub fn alert(&self, line: impl AsRef<str>) {
        write(io::stderr(), &shown(line.as_ref()));
    }

    /// Gives a line of the result for people; it goes to standard error where JSON has the output.
    pub fn result(&self, line: impl AsRef<str>) {
        match self.format {
            Format::Text => write(io::stdout(), &shown(line.as_ref())),
            Format::Json => self.say(line),
        }
    }

    /// Gives the result for programs.
    pub fn json(&self, value: Json) {
        if self.format == Format::Json {
            write(io::stdout(), &value.sorted().to_string());
        }
    }

    /// Tells whether somebody is there to be asked.
    pub fn is_interactive(&self) -> bool {
        self.voice == Voice::Normal && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks a question that is answered by y or n; anything else, and the end of input, is no.
    pub fn ask(&self, question: &str) -> bool {
        write(io::stderr(), &shown(&format!("{question} [y/N]")));
        let mut answer = String::new();
        match io::stdin().lock().read_line(&mut answer) {
            Ok(_) => matches!(answer.trim(), "y" | "Y" | "yes"),
            Err(_) => false,
        }
    }
}

/// Writes a line. A reader that went away is no reason to stop a run in its middle.
fn write(mut stream: impl Write, line: &str) {
    drop(writeln!(stream, "{line}"));
}
