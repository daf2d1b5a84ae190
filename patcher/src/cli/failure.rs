//! Failures as people and scripts see them: one message, its causes once, hints on their own lines, one code.

use std::error::Error;
use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::chain;
use crate::exit::ExitCode;
use crate::json::{Json, object};
use crate::update::plan::Finding;

/// An error that ends a program, with its exit code and what the user can do about it.
///
/// One pointer: nearly every call of a command may return it.
#[derive(Debug)]
pub struct Failure(Box<End>);

/// What a [`Failure`] holds.
#[derive(Debug)]
pub struct End {
    /// The code to end with.
    pub code: ExitCode,
    /// What went wrong, and inside it why.
    pub error: Box<dyn Error + Send + Sync>,
    /// What to do, one remedy a line.
    pub hints: Vec<String>,
    /// What forbids the run, where it was refused by its plan.
    pub findings: Vec<Finding>,
}

impl Deref for Failure {
    type Target = End;

    fn deref(&self) -> &End {
        &self.0
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut End {
        &mut self.0
    }
}

impl Failure {
    /// Makes a failure without hints.
    pub fn new(code: ExitCode, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Box::new(End { code, error: error.into(), hints: Vec::new(), findings: Vec::new() }))
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns the failure as the JSON result of `command`.
    pub fn json(&self, command: &str) -> Json {
        let mut messages = self.messages().into_iter();
        let findings: Vec<Json> = self.findings.iter().map(finding_json).collect();
        object!({
            "command": command,
            "outcome": self.code.word(),
            "code": self.code,
            "error": messages.next(),
            "causes": messages.collect::<Vec<_>>(),
            "findings": findings,
            "hints": self.hints,
        })
    }

    /// Returns the messages of the error and of its causes, outermost first, each once.
    pub fn messages(&self) -> Vec<String> {
        chain::messages(self.error.as_ref())
    }
}

impl fmt::Display for Failure {
    /// Writes `error: ...`, then a line for each cause and each hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut messages = self.messages().into_iter();
        write!(f, "error: {}", messages.next().unwrap_or_default())?;
        for cause in messages {
            write!(f, "\n  cause: {cause}")?;
        }
        for finding in &self.findings {
            write!(f, "\n  {finding}\n    remedy: {}", finding.remedy)?;
        }
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// Describes a finding for programs.
pub(super) fn finding_json(finding: &Finding) -> Json {
    object!({
        "kind": finding.kind.word(),
        "subject": finding.subject,
        "found": finding.found,
        "wanted": finding.wanted,
        "remedy": finding.remedy,
    })
}
