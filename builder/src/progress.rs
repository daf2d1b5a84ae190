//! What a long command tells while it runs; never its result.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Hears of the stages of a command. Steps may be told by several threads.
pub trait Progress: Sync {
    /// A stage of `steps` steps begins; the one before it is over.
    fn stage(&self, name: &str, steps: usize);
    /// A step is done.
    fn step(&self, name: &str);
    /// All stages are over.
    fn end(&self);
}

/// Says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &str, _: usize) {}
    fn step(&self, _: &str) {}
    fn end(&self) {}
}

/// Writes a line for each stage: for logs.
#[derive(Clone, Copy, Debug)]
pub struct Lines;

impl Progress for Lines {
    fn stage(&self, name: &str, steps: usize) {
        let count = if steps > 0 { format!(" ({steps})") } else { String::new() };
        // A standard error that is gone must not end the command.
        drop(writeln!(io::stderr(), "{name}{count}"));
    }

    fn step(&self, _: &str) {}
    fn end(&self) {}
}

/// Draws one bar, for the stage that runs.
#[derive(Debug)]
pub struct Bars(Mutex<ProgressBar>);

impl Bars {
    /// Makes a display without a bar.
    pub fn new() -> Self {
        Self(Mutex::new(ProgressBar::hidden()))
    }

    fn replace(&self, bar: ProgressBar) {
        let mut current = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        current.finish_and_clear();
        *current = bar;
    }
}

impl Default for Bars {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Bars {
    fn stage(&self, name: &str, steps: usize) {
        let target = ProgressDrawTarget::stderr();
        let bar = ProgressBar::with_draw_target(Some(steps as u64), target).with_prefix(name.to_owned());
        let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {msg}");
        self.replace(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
    }

    fn step(&self, name: &str) {
        let bar = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        bar.set_message(name.to_owned());
        bar.inc(1);
    }

    fn end(&self) {
        self.replace(ProgressBar::hidden());
    }
}

/// Returns what fits standard error: bars on a terminal, lines elsewhere, nothing where `quiet`.
pub fn fitting(quiet: bool) -> Box<dyn Progress> {
    match (quiet, io::stderr().is_terminal()) {
        (true, _) => Box::new(Silent),
        (false, true) => Box::new(Bars::new()),
        (false, false) => Box::new(Lines),
    }
}
