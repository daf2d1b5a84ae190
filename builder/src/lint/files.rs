//! Findings about files, their places and their baselines, whatever the files are.

use std::collections::BTreeMap;

use qfe_patcher::bundle::manifest::Verb;
use qfe_patcher::digest::Digest;
use qfe_patcher::platform::Platform;
use qfe_patcher::version::FileVersion;

use super::Finding;
use super::code::Code;
use crate::build::survey::{OldFile, SurveyedFile};
use crate::profile::Profile;
use crate::profile::review::Companions;
use crate::recipe::{Baseline, Recipe};
use crate::shown::list;

pub(super) fn check(recipe: &Recipe, profile: &Profile, files: &[SurveyedFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        findings.extend(build_line(recipe, profile, file));
        findings.extend(never_installed(file));
        findings.extend(file.baselines.iter().filter_map(|old| against_old(file, old)));
        findings.extend(companions(profile, file, files));
    }
    findings.extend(twins(files).into_iter().filter_map(|(one, other)| twin_versions(one, other)));
    let variants = recipe.variants.iter().map(|rule| (Some(&rule.name), rule.baselines.as_slice()));
    for (variant, known) in [(None, recipe.baselines.as_slice())].into_iter().chain(variants) {
        for platform in Platform::ALL {
            let is_of_part =
                |file: &&SurveyedFile| file.platform == platform && file.variant.as_ref() == variant;
            let files: Vec<&SurveyedFile> = files.iter().filter(is_of_part).collect();
            findings.extend(
                baselines(known, platform, &files)
                    .into_iter()
                    .map(|finding| Finding { variant: variant.cloned(), ..finding }),
            );
        }
    }
    findings
}

/// Returns the files that exist for both platforms, Intel's first.
pub(super) fn twins(files: &[SurveyedFile]) -> Vec<(&SurveyedFile, &SurveyedFile)> {
    let on = |platform| files.iter().filter(move |file: &&SurveyedFile| file.platform == platform);
    let key = |file: &SurveyedFile| (file.name.folded(), file.variant.clone());
    let alpha: BTreeMap<_, &SurveyedFile> = on(Platform::Alpha).map(|file| (key(file), file)).collect();
    on(Platform::I386).filter_map(|file| Some((file, *alpha.get(&key(file))?))).collect()
}

/// Starts a finding about a file.
pub(super) fn about(code: Code, file: &SurveyedFile) -> Finding {
    Finding::new(code).about(&file.key())
}

fn twin_versions(one: &SurveyedFile, other: &SurveyedFile) -> Option<Finding> {
    let (version, twin) = (one.version?, other.version?);
    (version != twin).then(|| {
        Finding::new(Code::TwinVersions)
            .of(&one.name)
            .values(
                format!("{version} on {}, {twin} on {}", one.platform, other.platform),
                "one version on both",
            )
            .remedy("build both from one source, or state both in the recipe: version = { i386 = \"...\", alpha = \"...\" }")
    })
}

/// A version of another line of the product: its third number is a known build, and none that the update is for.
fn build_line(recipe: &Recipe, profile: &Profile, file: &SurveyedFile) -> Option<Finding> {
    let build = file.version?.build();
    let is_known = profile.levels.iter().any(|level| level.build == build);
    let is_foreign = !recipe.builds.is_empty() && !recipe.builds.contains(&build);
    (is_known && is_foreign).then(|| {
        about(Code::BuildLine, file)
            .values(format!("build {build}"), format!("build {}", list(&recipe.builds, "any")))
            .remedy("put the file of the right build line into the payload, or correct builds")
    })
}

/// Every place is one where only a file that is there is replaced, and no known old state has the file.
fn never_installed(file: &SurveyedFile) -> Option<Finding> {
    let is_added = file.install.iter().any(|entry| match entry.verb {
        Verb::AddFile => true,
        Verb::ReplaceFile => false,
    });
    (!file.install.is_empty() && !is_added && file.baselines.is_empty()).then(|| {
        let roles = list(file.install.iter().map(|entry| &entry.role), "no role");
        about(Code::NeverInstalled, file)
            .values(
                format!("replaced only where it is present, in {roles}"),
                "a role that adds it, or a baseline that has it",
            )
            .remedy(
                "write when = \"always\", give it a role that adds files, or add the baseline that has it",
            )
    })
}

fn against_old(file: &SurveyedFile, old: &OldFile) -> Option<Finding> {
    if old.digest == file.digest {
        let finding = about(Code::Unchanged, file)
            .values(format!("the file of baseline {:?}", old.name), "a file that differs")
            .remedy("leave the file out of the update, if it did not change");
        return Some(finding);
    }
    match (old.version, file.version) {
        (Some(before), None) => Some(
            about(Code::VersionLost, file)
                .values("no version", format!("above the {before} of baseline {:?}", old.name))
                .remedy("build the file with its version resource: without, no later update can tell it from an older one"),
        ),
        _ => None,
    }
}

/// Tells whether the patcher replaces the old file, where it finds it.
fn replaces(file: &SurveyedFile, old: &OldFile) -> bool {
    old.digest != file.digest && !FileVersion::is_later(old.version, file.version)
}

/// The baselines of a part of the payload for a platform, each as a whole and against the others.
fn baselines(baselines: &[Baseline], platform: Platform, files: &[&SurveyedFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut known: Vec<(&str, Vec<Option<Digest>>)> = Vec::new();
    for baseline in baselines.iter().filter(|baseline| baseline.trees.on(platform).is_some()) {
        let name = baseline.name.as_str();
        let olds: Vec<Option<&OldFile>> =
            files.iter().map(|file| file.baselines.iter().find(|old| old.name == name)).collect();
        if olds.iter().all(Option::is_none) {
            // Foreign, which `build` warns of.
            continue;
        }
        let covers = files.iter().zip(&olds).any(|(file, old)| old.is_some_and(|old| replaces(file, old)));
        if !covers {
            findings.push(
                Finding::new(Code::NotCovered)
                    .on(platform)
                    .values(
                        format!("baseline {name:?} holds files that are the same, or above in version"),
                        "at least one file that the update replaces",
                    )
                    .remedy("take the baseline out, or put the older files there"),
            );
        }
        let digests: Vec<Option<Digest>> = olds.iter().map(|old| old.map(|old| old.digest)).collect();
        if let Some((twin, _)) = known.iter().find(|(_, other)| *other == digests) {
            findings.push(
                Finding::new(Code::SameBaselines)
                    .on(platform)
                    .values(format!("{name:?} and {twin:?} hold the same files"), "baselines that differ")
                    .remedy("take one of the two out, or correct its path"),
            );
        }
        known.push((name, digests));
    }
    for (at, file) in files.iter().enumerate() {
        findings.extend(gaps(file, at, &known));
    }
    findings
}

/// Baselines that lack a file, which is the one at `at` of those that `known` lists.
fn gaps(file: &SurveyedFile, at: usize, known: &[(&str, Vec<Option<Digest>>)]) -> Vec<Finding> {
    let lacks = |olds: &Vec<Option<Digest>>| olds.get(at).is_none_or(Option::is_none);
    let (without, with): (Vec<_>, Vec<_>) = known.iter().partition(|(_, olds)| lacks(olds));
    if with.is_empty() {
        let finding = about(Code::NewFile, file)
            .values("in no baseline", "a known old state, unless the file is new to the product")
            .remedy("add the old file to a baseline: where a server has one that is not known, the update is refused");
        return if known.is_empty() { Vec::new() } else { vec![finding] };
    }
    let having = list(with.iter().map(|(name, _)| format!("{name:?}")), "none");
    let finding = |(name, _): &&(&str, Vec<Option<Digest>>)| {
        about(Code::BaselineGap, file)
            .values(format!("baseline {name:?} lacks it"), format!("the file there, as in {having}"))
            .remedy("add the old file, unless the product had none in that state")
    };
    without.iter().map(finding).collect()
}

/// What the product wants to come along with a file.
fn companions(profile: &Profile, file: &SurveyedFile, files: &[SurveyedFile]) -> Vec<Finding> {
    let rules = profile.review.companions.iter();
    let rules = rules.filter(|rule| rule.is_about(file.platform, file.name.name()));
    rules.flat_map(|rule| missing_companions(profile, file, files, rule)).collect()
}

fn missing_companions(
    profile: &Profile,
    file: &SurveyedFile,
    files: &[SurveyedFile],
    rule: &Companions,
) -> Vec<Finding> {
    let Companions { source, reason, role, .. } = rule;
    let mut findings = Vec::new();
    let is_beside = |other: &&SurveyedFile| other.platform == file.platform && other.meets(file);
    let has =
        |name: &str| files.iter().filter(is_beside).any(|other| other.name.name().eq_ignore_ascii_case(name));
    for needed in rule.needs.iter().filter(|needed| !has(needed.name())) {
        findings.push(
            about(Code::Companion, file)
                .values(format!("no {needed} in the update"), format!("{needed}: {reason} [{source}]"))
                .remedy(format!("add {needed} to the payload")),
        );
    }
    let folder =
        |to: &str| to.replace("{platform}", profile.folder(file.platform).as_str()).to_ascii_lowercase();
    let places: Vec<String> =
        file.install.iter().filter(|entry| entry.role == *role).map(|entry| entry.to.folded()).collect();
    let goes = |to: &&String| !places.iter().any(|place| place.starts_with(&format!("{}/", folder(to))));
    for missing in rule.folders.iter().filter(goes) {
        findings.push(
            about(Code::CompanionFolder, file)
                .values(
                    format!("{role}: {}", list(&places, "nowhere")),
                    format!("also in or below {missing}: {reason} [{source}]"),
                )
                .remedy(format!("list both folders: to = [\"{}\", ...]", rule.folders.join("\", \""))),
        );
    }
    findings
}
