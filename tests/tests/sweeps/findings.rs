//! What a sweep has explored, and what was wrong: a sweep goes on, so that one run finds all there is.

use std::collections::BTreeMap;

use crate::site::State;

/// The results of a sweep so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    explored: usize,
    states: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

impl Findings {
    /// Takes up the result of one fault.
    pub(crate) fn note(&mut self, story: &str, result: Result<State, String>) {
        self.explored += 1;
        let state = match result {
            Ok(State::Old) => "old",
            Ok(State::New) => "new",
            Err(error) => {
                self.wrong.push(format!("{story}: {error}"));
                "wrong"
            }
        };
        *self.states.entry(state).or_default() += 1;
    }

    /// Prints how much was explored, and requires that nothing was wrong.
    #[track_caller]
    pub(crate) fn end(self, what: &str) {
        let states = self.states.iter().map(|(state, count)| format!("{count} {state}"));
        println!("{} {what}: {}", self.explored, states.collect::<Vec<_>>().join(", "));
        assert!(self.explored > 0, "nothing was explored");
        assert!(self.wrong.is_empty(), "{} wrong\n{}", self.wrong.len(), self.wrong.join("\n"));
    }
}
