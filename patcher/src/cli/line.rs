//! A small declarative command line: a program is a table of commands, a command a table of arguments.
//!
//! Parsing, help, messages and suggestions are all derived from that table, [`super::commands`]. The words:
//!
//! | written | is |
//! |---|---|
//! | `--name`, `-n` | a switch, or an option whose value is the next word |
//! | `--name=VALUE`, `-nVALUE`, `-n=VALUE` | an option with its value, which may begin with `-` only here |
//! | `-qn VALUE` | joined letters: switches, of which the last may be an option |
//! | `--` | from here on every word is an operand |
//! | `-`, any other word | an operand |
//!
//! Nothing is abbreviated, no value is empty, and what may be given once is refused the second time: two values are a question that
//! only the user can answer.

mod definition;
mod given;
mod help;
pub(super) mod manual;
mod parse;
mod spelling;

pub(super) use definition::{Argument, Command, Program, operand, option, switch};
pub(super) use given::Given;
pub(super) use parse::{Meant, parse};
