//! A command at a certain start, tried again and again with another fault.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use qfe_patcher::exit::ExitCode;
use qfe_tests::programs::{Run, patcher};

use crate::findings::Findings;
use crate::inject::{Call, Ending, Fault, calls, run_with};
use crate::lab::Lab;
use crate::site::{Site, State, error_of, require_documented};

/// A command of the patcher and the state of a site in which it is run.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    /// The site.
    pub(crate) site: &'a Site,
    /// Every call that it makes if nothing fails.
    pub(crate) calls: Vec<Call>,
    /// What the files are then.
    goal: State,
    /// What the files must be if it fails; nothing is promised where it starts from an interrupted run.
    otherwise: Option<State>,
    story: String,
    args: Vec<OsString>,
    start: PathBuf,
}

impl<'a> Case<'a> {
    /// Makes one of a command at the site's present state.
    fn new(lab: &Lab, site: &'a Site, args: Vec<OsString>, otherwise: Option<State>, story: String) -> Self {
        let start = tempfile::tempdir_in(lab.path("")).unwrap().keep().join("start");
        site.save(&start);
        let calls = calls(&args, &lab.path("calls"));
        let goal = site.state().unwrap();
        site.restore(&start);
        Self { site, calls, goal, otherwise, story, args, start }
    }

    /// Makes the case of an apply to a site that was never updated.
    fn apply(lab: &Lab, site: &'a Site) -> Self {
        Self::new(lab, site, site.apply_args(), Some(State::Old), "apply".to_owned())
    }

    /// Makes the case of a rollback of a site that was updated once.
    fn rollback(lab: &Lab, site: &'a Site) -> Self {
        site.apply().succeeds();
        Self::new(lab, site, site.rollback_args(), Some(State::New), "rollback".to_owned())
    }

    /// Makes the cases of a recovery after this case was killed at each of the calls that `picked` says.
    fn recoveries(&self, lab: &Lab, picked: impl Fn(&Call) -> bool) -> Vec<Self> {
        let points = self.calls.iter().filter(|call| call.is_below(self.site.root()) && picked(call));
        let recovery = |point: &Call| {
            self.begin();
            self.kill(point).unwrap();
            let story = format!("recover after {} was killed at {point}", self.story);
            Self::new(lab, self.site, self.site.recover_args(), None, story)
        };
        points.map(recovery).collect()
    }

    /// Makes the case of a recovery after this case was killed in the middle of its renames.
    fn recovery(&self, lab: &Lab) -> Self {
        let renames: Vec<&Call> = self.calls.iter().filter(|call| call.name.starts_with("rename")).collect();
        let middle = renames[renames.len() / 2];
        self.recoveries(lab, |call| (&call.name, call.number) == (&middle.name, middle.number)).remove(0)
    }

    /// Makes the case of an apply where this one is a recovery.
    fn apply_instead(&self, lab: &Lab) -> Self {
        self.begin();
        let story = self.story.replacen("recover", "apply", 1);
        Self::new(lab, self.site, self.site.apply_args(), None, story)
    }

    /// Returns the calls by which it changes the site.
    pub(crate) fn changes(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.is_below(self.site.root()) && call.is_change())
    }

    /// Returns how often it makes each call.
    fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.calls {
            *counts.entry(call.name.as_str()).or_default() += 1;
        }
        counts
    }

    /// Brings the site to the start.
    pub(crate) fn begin(&self) {
        self.site.restore(&self.start);
    }

    /// Runs the command.
    pub(crate) fn run(&self) -> Run {
        patcher(&self.args)
    }

    /// Runs the command with a fault at a call.
    pub(crate) fn run_with(&self, name: &str, number: usize, fault: Fault) -> Ending {
        run_with(&self.args, name, number, fault)
    }

    /// Runs the command and kills it at a call that it makes; what the site is on loses power then, if it can.
    fn kill(&self, call: &Call) -> Result<(), String> {
        match self.run_with(&call.name, call.number, Fault::Kill) {
            Ending::Killed => self.site.lose_power(),
            Ending::Ended(run) => return Err(format!("was not killed but ended with {}", run.status)),
        }
        Ok(())
    }

    /// Runs the command to its end, which would be killed at one more call of this name than it makes, and
    /// requires that what it did is done, also if power is lost then.
    fn survive(&self, name: &str, count: usize) -> Result<State, String> {
        match self.run_with(name, count + 1, Fault::Kill) {
            Ending::Ended(run) if run.status == 0 => self.site.lose_power(),
            other => return Err(format!("did not end well but: {other:?}")),
        }
        self.site.require(self.goal)?;
        self.site.survive()
    }

    /// Kills it at every call by which it changes the site, and after the last of each name.
    pub(crate) fn kill_everywhere(&self, findings: &mut Findings) {
        for call in self.changes() {
            self.begin();
            let result = self.kill(call).and_then(|()| self.site.survive());
            let kept = result.and_then(|state| self.site.require_owner().map(|()| state));
            findings.note(&self.story("killed", call), kept);
        }
        for (name, count) in self.counts() {
            self.begin();
            let story = self.story("not killed", &format!("any {name}"));
            findings.note(&story, self.survive(name, count));
        }
    }

    /// Requires that a run ended as the manual says, with success or one of these codes and the files as the code
    /// has them; returns what they must be from then on, if that is certain.
    pub(crate) fn require_end(&self, run: &Run, codes: &[ExitCode]) -> Result<Option<State>, String> {
        let code = require_documented(run)?;
        let ended = || format!("ended with {code:?}: {}", error_of(run));
        // Where it starts from an interrupted run, putting files back may fail too.
        let is_recovery = self.otherwise.is_none() && code == ExitCode::RollbackFailed;
        if !(code == ExitCode::Success || codes.contains(&code) || is_recovery) {
            return Err(ended());
        }
        let promised = self.promised(code);
        if let Some(state) = promised {
            self.site.require(state).map_err(|error| format!("{}, but {error}", ended()))?;
        }
        Ok(promised)
    }

    /// Returns what a code says of the files.
    pub(crate) fn promised(&self, code: ExitCode) -> Option<State> {
        match code {
            ExitCode::Success => Some(self.goal),
            ExitCode::RollbackFailed => None,
            _ => self.otherwise,
        }
    }

    /// Requires everything that must be true once a fault is over, and that a promise is kept.
    pub(crate) fn keep(&self, promised: Option<State>) -> Result<State, String> {
        let state = self.site.survive()?;
        match promised {
            Some(promised) if promised != state => {
                Err(format!("the files were {promised:?}, and recover made them {state:?}"))
            }
            _ => Ok(state),
        }
    }

    /// Tells what happened to it, and where.
    pub(crate) fn story(&self, what: &str, at: &dyn fmt::Display) -> String {
        format!("{} {what} at {at}", self.story)
    }
}

/// Makes cases of a site that was never updated.
pub(crate) type Cases = for<'a> fn(&Lab, &'a Site) -> Vec<Case<'a>>;

/// Makes the cases of every command: an apply and a rollback, either of them killed in its middle and recovered,
/// and applies that come upon that.
pub(crate) fn every<'a>(lab: &Lab, site: &'a Site) -> Vec<Case<'a>> {
    let apply = Case::apply(lab, site);
    let recovery = apply.recovery(lab);
    apply.begin();
    let rollback = Case::rollback(lab, site);
    let second_recovery = rollback.recovery(lab);
    let next_applies = [&recovery, &second_recovery].map(|recovery| recovery.apply_instead(lab));
    [apply, rollback, recovery, second_recovery].into_iter().chain(next_applies).collect()
}

/// Makes the cases of a recovery of an apply.
pub(crate) fn recoveries_of_apply<'a>(lab: &Lab, site: &'a Site) -> Vec<Case<'a>> {
    Case::apply(lab, site).recoveries(lab, Call::is_turn)
}

/// Makes the cases of a recovery of a rollback.
pub(crate) fn recoveries_of_rollback<'a>(lab: &Lab, site: &'a Site) -> Vec<Case<'a>> {
    Case::rollback(lab, site).recoveries(lab, Call::is_turn)
}
