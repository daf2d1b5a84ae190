//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use qfe_tests::fuzz::{TARGETS, Target};

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The targets, in the order of their table.
    pub(crate) targets: Vec<&'static Target>,
    /// What is done with them.
    pub(crate) task: Task,
    /// How long each is run.
    pub(crate) bound: Bound,
    /// What the random numbers come from; none: the time.
    pub(crate) seed: Option<u64>,
    /// Whether counters guide.
    pub(crate) guided: bool,
}

/// What is done.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// Fuzz each in a process of its own.
    Fuzz,
    /// Be such a process; the current input goes to this file.
    Child(PathBuf),
    /// Run the inputs of these files.
    Inputs(Vec<PathBuf>),
    /// Write the inputs that code makes.
    Seeds,
    /// Choose what goes into the project's corpus.
    Distill,
    /// List the targets.
    List,
}

/// When a target has been run for long enough.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// After this time.
    Time(Duration),
    /// After so many executions.
    Runs(u64),
}

impl Options {
    /// Reads the words behind the program's name.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut names = Vec::new();
        let (mut task, mut seed, mut guided) = (Task::Fuzz, None, false);
        let mut bound = Bound::Time(Duration::from_secs(2));
        let mut inputs = Vec::new();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
            match word.as_str() {
                "--seconds" => bound = Bound::Time(Duration::from_secs(number(&value()?)?)),
                "--runs" => bound = Bound::Runs(number(&value()?)?),
                "--seed" => seed = Some(number(&value()?)?),
                "--input" => inputs.push(PathBuf::from(value()?)),
                "--child" => task = Task::Child(PathBuf::from(value()?)),
                "--guided" => guided = true,
                "--seeds" => task = Task::Seeds,
                "--distill" => task = Task::Distill,
                "--list" => task = Task::List,
                option if option.starts_with('-') => return Err(format!("{option} is no option")),
                name => names.push(name.to_owned()),
            }
        }
        if let Some(name) = names.iter().find(|name| Target::find(name).is_none()) {
            return Err(format!("{name} is no target: see --list"));
        }
        if !inputs.is_empty() {
            if names.len() != 1 {
                return Err("--input wants one target".to_owned());
            }
            task = Task::Inputs(inputs);
        }
        let targets =
            TARGETS.iter().filter(|target| names.is_empty() || names.iter().any(|name| name == target.name));
        Ok(Self { targets: targets.collect(), task, bound, seed, guided })
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}
