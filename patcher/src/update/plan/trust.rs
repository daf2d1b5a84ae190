//! What the records of a target know of key rings, days and revisions, against those of this run.

use super::{Downgrade, Finding, FindingKind, Request};
use crate::bundle::keyring::{Edition, Trust};
use crate::bundle::manifest::Manifest;
use crate::day::Day;
use crate::update::facts::Facts;
use crate::update::journal::Begin;
use crate::update::state::{Run, StateFolder};

/// What the records of a target remember, whatever became of their runs.
#[derive(Default)]
struct Memory<'f> {
    /// The latest day, and the run that was then.
    day: Option<(Day, &'f Begin)>,
    /// The newest ring: of the same name as that of this run, where that has one, else of any; and the run it believed.
    ring: Option<(&'f Edition, &'f Begin)>,
}

impl<'f> Memory<'f> {
    fn of(states: &'f [StateFolder], own: Option<&Edition>) -> Self {
        let mut memory = Self::default();
        for begin in states.iter().flat_map(|state| &state.runs).filter_map(Run::begin) {
            for day in [begin.seen, Day::of_text(&begin.at)].into_iter().flatten() {
                if memory.day.is_none_or(|(latest, _)| day > latest) {
                    memory.day = Some((day, begin));
                }
            }
            if let Some(ring) = &begin.ring
                && own.is_none_or(|own| own.name == ring.name)
                && memory.ring.is_none_or(|(newest, _)| ring.version > newest.version)
            {
                memory.ring = Some((ring, begin));
            }
        }
        memory
    }
}

/// Refuses a ring older than one by which the target was updated, and what is believed no more on the latest day that its
/// records know; else adds what the user should know.
pub fn disbelieved(states: &[StateFolder], trust: &Trust, notes: &mut Vec<String>) -> Vec<Finding> {
    let own = trust.ring().edition();
    let memory = Memory::of(states, own);
    let mut findings = Vec::new();
    let newer = memory.ring.filter(|(ring, _)| own.is_none_or(|own| own.version < ring.version));
    if let Some((ring, begin)) = newer {
        findings.push(Finding {
            kind: FindingKind::Untrusted,
            subject: "key ring".to_owned(),
            found: own.map_or_else(|| "keys without name and version".to_owned(), Edition::to_string),
            wanted: format!("{ring}, by which {} was applied to this target, or a later one", begin.id),
            remedy: "name that ring by --keys, or use a bundle that carries the versions up to it; keys that have nothing \
                     to do with it need a keyring.toml with a name and version of their own"
                .to_owned(),
        });
    }
    let seen =
        memory.day.map(|(day, begin)| (day, format!("a run of {} was recorded in the target", begin.id)));
    match trust.judge(seen) {
        Ok(judgement) => notes.extend(judgement.notes),
        Err(error) => findings.push(Finding {
            kind: FindingKind::Untrusted,
            subject: "signatures, on the latest day that the target's records know".to_owned(),
            found: error.to_string(),
            wanted: "a key ring, and enough keys, that are valid then".to_owned(),
            remedy: "ask the vendor for a later key ring, or for a bundle that carries one".to_owned(),
        }),
    }
    findings
}

/// Refuses a revision older than the installed one, or than the ring's floor; where the user allows that, notes it and
/// returns the latest of these.
pub(super) fn downgrade(
    manifest: &Manifest,
    facts: &Facts,
    request: &Request,
    findings: &mut Vec<Finding>,
    notes: &mut Vec<String>,
) -> Option<u32> {
    let own = facts.states.iter().find(|state| state.id == manifest.id).and_then(StateFolder::installed);
    let installed = own.map(|begin| (begin.revision, "installed in this target".to_owned()));
    let floor = request.trust.as_ref().and_then(|trust| {
        let asked = format!("the oldest that was not withdrawn, as the {} says", trust.ring().shown());
        Some((trust.ring().floor(&manifest.id)?, asked))
    });
    let mut newest = None;
    for (revision, what) in [installed, floor].into_iter().flatten() {
        if revision <= manifest.revision {
            continue;
        }
        newest = newest.max(Some(revision));
        match request.downgrade {
            Downgrade::Refuse => findings.push(Finding {
                kind: FindingKind::Downgrade,
                subject: format!("revision of {}", manifest.id),
                found: format!("{}, that of the bundle", manifest.revision),
                wanted: format!("{revision} or later: {revision} is {what}"),
                remedy: "use the newer bundle, or roll back what is installed; --allow-downgrade goes on all the same, and \
                         is recorded"
                    .to_owned(),
            }),
            Downgrade::Allow => notes.push(format!(
                "revision {} is allowed by --allow-downgrade: {revision} is {what}",
                manifest.revision
            )),
        }
    }
    newest
}
