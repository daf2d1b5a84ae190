//! Gates: what the registry must say, and what follows where it says something else.

use super::{Finding, FindingKind};
use crate::bundle::manifest::Manifest;
use crate::bundle::product::{Gate, Level};
use crate::name::Role;
use crate::registry::{RegistryKey, RegistryValue};
use crate::update::facts::GateFact;
use crate::update::plan::decide::list;
use crate::version::FileVersion;

/// What the gates of a manifest come to.
#[derive(Debug, Default)]
pub(in crate::update) struct Verdict<'m> {
    /// What forbids the run.
    pub(in crate::update) findings: Vec<Finding>,
    /// What the admin should know.
    pub(in crate::update) notes: Vec<String>,
    /// What the admin has to do by hand afterwards.
    pub(in crate::update) after: Vec<String>,
    /// The release that the machine states, or that the user does.
    pub(in crate::update) level: Option<&'m Level>,
}

/// What a registry value says of the product's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stated {
    /// There is no such value.
    Missing,
    /// It is a text without any character but blanks.
    Empty,
    /// It is no version; what it is.
    Odd(String),
    /// It is one.
    Version(FileVersion),
}

impl Stated {
    /// Reads the value.
    pub fn of(value: Option<&RegistryValue>) -> Self {
        let Some(value) = value else { return Self::Missing };
        match value.as_text() {
            None => Self::Odd(format!("a value of type {}", value.kind)),
            Some(text) if text.trim().is_empty() => Self::Empty,
            Some(text) => text.trim().parse().map_or_else(|_| Self::Odd(format!("{text:?}")), Self::Version),
        }
    }

    /// Says what was found.
    pub fn words(&self) -> String {
        match self {
            Self::Missing => "no such value".to_owned(),
            Self::Empty => "an empty value".to_owned(),
            Self::Odd(what) => format!("{what}, which is no version"),
            Self::Version(version) => version.to_string(),
        }
    }
}

/// The conditions that a manifest, or the facts of a product, lay down.
#[derive(Clone, Copy, Debug)]
pub(in crate::update) struct Conditions<'m> {
    pub(in crate::update) gates: &'m [Gate],
    pub(in crate::update) levels: &'m [Level],
    /// The builds that are wanted; empty: any.
    pub(in crate::update) builds: &'m [u16],
}

impl<'m> From<&'m Manifest> for Conditions<'m> {
    fn from(manifest: &'m Manifest) -> Self {
        Self { gates: &manifest.gates, levels: &manifest.levels, builds: &manifest.builds }
    }
}

/// Holds the facts against the gates on the role; `paths` are the files of the update, below the target.
pub(in crate::update) fn judge<'m>(
    conditions: Conditions<'m>,
    facts: Option<&[GateFact]>,
    role: &Role,
    assumed_build: Option<u16>,
    paths: &[&str],
) -> Verdict<'m> {
    let mut verdict = Verdict::default();
    if let Some(build) = assumed_build {
        verdict.level = conditions.levels.iter().find(|level| level.build == build);
        verdict
            .notes
            .push(format!("the build of the product was not read but taken as {build} (--assume-build)"));
        verdict.findings.extend(assumed_build_finding(conditions.builds, build));
    }
    for (number, gate) in conditions.gates.iter().enumerate().filter(|(_, gate)| gate.is_for(role)) {
        match facts.and_then(|facts| facts.get(number)) {
            Some(fact) => {
                let is_assumed = assumed_build.is_some() && matches!(gate, Gate::RegistryBuild { .. });
                if !is_assumed {
                    verdict.hold(conditions, role, paths, gate, fact);
                }
            }
            None => verdict.notes.extend(unchecked(conditions.builds, assumed_build, gate)),
        }
    }
    verdict
}

fn assumed_build_finding(builds: &[u16], build: u16) -> Option<Finding> {
    let fits = builds.is_empty() || builds.contains(&build);
    (!fits).then(|| Finding {
        kind: FindingKind::WrongTarget,
        subject: "build of the product".to_owned(),
        found: format!("{build} (by --assume-build)"),
        wanted: list(builds),
        remedy: "apply the update that was made for this build; the same fix has another number there"
            .to_owned(),
    })
}

/// Says which condition nobody looked at.
fn unchecked(builds: &[u16], assumed_build: Option<u16>, gate: &Gate) -> Option<String> {
    match gate {
        Gate::RegistryBuild { key, value, .. } => (assumed_build.is_none() && !builds.is_empty())
            .then(|| format!("not checked: that the build of {key} '{value}' is {}", list(builds))),
        Gate::RegistryOneOf { key, value, one_of, .. } => {
            Some(format!("not checked: that {key} '{value}' is {}", list(one_of)))
        }
        // What these say is of use where it can be had; nobody could say it by hand.
        Gate::RegistryMachine { .. } | Gate::PendingRenames { .. } => None,
    }
}

impl<'m> Verdict<'m> {
    fn hold(
        &mut self,
        conditions: Conditions<'m>,
        role: &Role,
        paths: &[&str],
        gate: &Gate,
        fact: &GateFact,
    ) {
        let (key, name) = gate.place();
        let found = fact.value.as_ref();
        match gate {
            Gate::RegistryBuild { remedy, .. } => self.hold_build(conditions, (key, name), found, remedy),
            Gate::RegistryOneOf { one_of, remedy, .. } => {
                let text = found.and_then(RegistryValue::as_text);
                let fits = text.as_ref().is_some_and(|text| one_of.iter().any(|one| one == text.trim()));
                if !fits {
                    let shown = found.map_or("no such value".to_owned(), |value| {
                        text.map_or_else(
                            || format!("a value of type {}", value.kind),
                            |text| format!("{text:?}"),
                        )
                    });
                    self.refuse((key, name), shown, list(one_of), remedy);
                }
            }
            Gate::RegistryMachine { here, elsewhere, remedy, .. } => {
                let Some(named) = found.and_then(RegistryValue::as_text) else { return };
                let named = named.trim().trim_start_matches('\\');
                if named.is_empty() {
                    return;
                }
                match &fact.machine {
                    Some(own) if own.trim().eq_ignore_ascii_case(named) => {}
                    Some(own) if here.contains(role) => {
                        self.refuse(
                            (key, name),
                            named.to_owned(),
                            format!("{}, the name of this machine", own.trim()),
                            &format!("run this on {named}, or name the part this machine plays by --role"),
                        );
                    }
                    // Whether that is this machine nobody knows where its own name is not told.
                    Some(_) | None if elsewhere.contains(role) => {
                        self.after.push(remedy.replace("{machine}", named));
                    }
                    Some(_) | None => {}
                }
            }
            Gate::PendingRenames { remedy, .. } => {
                let pending = found.map(RegistryValue::as_texts).unwrap_or_default();
                if pending.is_empty() {
                    return;
                }
                let ours: Vec<&str> = paths.iter().copied().filter(|to| names(&pending, to)).collect();
                if ours.is_empty() {
                    self.notes.push(format!(
                        "renames wait for the next restart of the machine, of other files than the update's: {}",
                        pending.iter().take(4).cloned().collect::<Vec<_>>().join(", ")
                    ));
                } else {
                    self.refuse(
                        (key, name),
                        ours.join(", "),
                        "none of the update's files".to_owned(),
                        remedy,
                    );
                }
            }
        }
    }

    fn hold_build(
        &mut self,
        conditions: Conditions<'m>,
        place: (&RegistryKey, &str),
        found: Option<&RegistryValue>,
        remedy: &str,
    ) {
        let stated = Stated::of(found);
        let version = match &stated {
            Stated::Version(version) => Some(*version),
            Stated::Missing | Stated::Empty | Stated::Odd(_) => None,
        };
        self.level = version.and_then(|version| {
            conditions
                .levels
                .iter()
                .rfind(|level| level.build == version.build() && level.from <= version.0[3])
        });
        if conditions.builds.is_empty() {
            return;
        }
        let Some(version) = version.filter(|version| conditions.builds.contains(&version.build())) else {
            let of_build = |build: &u16| {
                let known = conditions.levels.iter().find(|level| level.build == *build);
                let known = known.and_then(|level| level.version.clone());
                known.unwrap_or_else(|| format!("a version of build {build}"))
            };
            let wanted: Vec<String> = conditions.builds.iter().map(of_build).collect();
            let remedy = match version {
                Some(_) => "apply the update that was made for this build (the same fix has another number there); or, \
                            if the value is wrong, correct it: "
                    .to_owned()
                    + remedy,
                None => remedy.to_owned(),
            };
            self.refuse(place, stated.words(), list(&wanted), &remedy);
            return;
        };
        let known = conditions.levels.iter().filter(|level| level.build == version.build());
        let mut known =
            known.filter_map(|level| level.version.as_ref()?.parse::<FileVersion>().ok()).peekable();
        if known.peek().is_some() && !known.any(|known| known == version) {
            let (key, name) = place;
            self.notes.push(format!(
                "{key} '{name}' is {version}: the build is right, its last number is not one that is known"
            ));
        }
    }

    fn refuse(&mut self, (key, name): (&RegistryKey, &str), found: String, wanted: String, remedy: &str) {
        let subject = format!("{key} '{name}'");
        let remedy = remedy.to_owned();
        self.findings.push(Finding { kind: FindingKind::WrongTarget, subject, found, wanted, remedy });
    }
}

/// Tells whether one of the paths ends in this one: on another machine nobody knows how the target's own path begins.
fn names(pending: &[String], to: &str) -> bool {
    let to = to.replace('/', "\\");
    pending.iter().any(|path| {
        let start = path.len().checked_sub(to.len());
        let tail = start.and_then(|start| path.get(start..));
        let before = start.and_then(|start| path.get(..start)).unwrap_or_default();
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(&to))
            && (before.is_empty() || before.ends_with('\\'))
    })
}
