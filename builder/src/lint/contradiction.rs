//! What `build` refuses or warns of, as findings: the same checks, with codes.

use super::Finding;
use super::code::Code;
use crate::build::refusal::Refusal;
use crate::build::warning::Warning;
use crate::file_key::FileKey;

/// Makes a finding of what `build` refuses.
pub(super) fn refusal(refusal: &Refusal) -> Finding {
    let finding = |code| Finding::new(code).remedy(refusal.remedy());
    match refusal {
        Refusal::Source(error) => finding(Code::Unreadable)
            .values(qfe_patcher::chain::line(error), "a folder or archive with files"),
        Refusal::Product { found, wanted } => finding(Code::Product).values(found, wanted),
        Refusal::Value { key, found, wanted } => {
            finding(Code::Value).values(format!("{key}: {found}"), *wanted)
        }
        Refusal::NoPayload { key } => {
            finding(Code::NoPayload).values(format!("{key} names no platform"), "i386, alpha or both")
        }
        Refusal::EmptyPayload { tree } => {
            finding(Code::NoPayload).values(format!("{tree} holds no file"), "at least one")
        }
        Refusal::BaselineWithoutPayload { baseline, platform, payload } => {
            finding(Code::NoPlatform).on(*platform).values(
                format!("baseline {baseline:?} has files for it, {payload} has none"),
                "a payload for it",
            )
        }
        Refusal::Name { tree, reason } => {
            finding(Code::FileName).values(format!("{tree}: {reason}"), "a name that every server can have")
        }
        Refusal::Unlisted { file, key } => finding(Code::Unlisted)
            .about(key)
            .values(format!("{file}, which the recipe does not list"), "a [[file]] for it"),
        Refusal::NotInPayload { name, platform, tree } => {
            finding(Code::Absent).on(*platform).of(name).values("listed only", format!("the file in {tree}"))
        }
        Refusal::MissingTwin { name, platform, tree, twin } => finding(Code::MissingTwin)
            .on(*platform)
            .of(name)
            .values(format!("in the payload for {twin} only"), format!("the file in {tree}")),
        Refusal::MissingInVariant { name, platform, variant, twin } => finding(Code::MissingInVariant)
            .about(&FileKey { platform: *platform, variant: Some(variant.clone()), name: name.clone() })
            .values(format!("in variant {twin}, and not in {variant}"), "the file in both"),
        Refusal::ListedTwice { name, platform } => {
            finding(Code::ListedTwice).on(*platform).of(name).values("two [[file]]", "one")
        }
        Refusal::PlatformWithoutPayload { name, platform } => {
            finding(Code::NoPlatform).on(*platform).of(name).values("listed for it", "a payload for it")
        }
        Refusal::Machine { file, key, found, wanted } => {
            finding(Code::Machine).about(key).values(format!("{found} in {file}"), wanted.to_string())
        }
        Refusal::Version { file, key, found, wanted } => finding(Code::WrongVersion)
            .about(key)
            .values(format!("{found} in {file}"), format!("{wanted}, by the recipe")),
        Refusal::NotAnImage { file, key, reason, wanted } => finding(Code::NoVersion)
            .about(key)
            .values(format!("{file} is no PE image: {reason}"), format!("{wanted}, by the recipe")),
        Refusal::NoVersion { file, key, wanted } => finding(Code::NoVersion)
            .about(key)
            .values(format!("{file} has no version resource"), format!("{wanted}, by the recipe")),
        Refusal::UnknownRole { name, found, known } => {
            finding(Code::UnknownRole).of(name).values(found.to_string(), known)
        }
        Refusal::Roles { name, found } => {
            finding(Code::Roles).of(name).values(found, "each role once, and at least one")
        }
        Refusal::Destination { name, to, reason } => finding(Code::Destination)
            .of(name)
            .values(format!("{to:?}: {reason}"), "a folder below the target"),
        Refusal::SameDestination { first, second, to, role } => finding(Code::SameDestination)
            .of(second)
            .values(format!("{to} in role {role}, as {first}"), "a place of its own"),
    }
}

/// Makes a finding of what `build` warns of.
pub(super) fn warning(warning: &Warning) -> Finding {
    match warning {
        Warning::NoBaseline => Finding::new(Code::NoBaseline)
            .values("no [[baseline]]", "the old files that servers have")
            .remedy("name the folders of old files as [[baseline]]: servers with files that no baseline knows refuse the update"),
        Warning::ForeignBaseline { baseline, platform, tree } => Finding::new(Code::ForeignBaseline)
            .on(*platform)
            .values(format!("baseline {baseline:?}, {tree}"), "files with names of the payload")
            .remedy("correct its path, or take it out"),
        Warning::EmptyFile { file, .. } => Finding::new(Code::Empty)
            .about(file)
            .values("0 bytes", "contents")
            .remedy("put the right file into the payload"),
        Warning::SameVersion { file, version, baseline } => Finding::new(Code::VersionNotRaised)
            .about(file)
            .values(version.to_string(), format!("above the {version} of baseline {baseline:?}"))
            .remedy("build the file again with a higher version: nobody can tell the two apart"),
        Warning::LowerVersion { file, version, old, baseline } => Finding::new(Code::VersionLowered)
            .about(file)
            .values(version.to_string(), format!("above the {old} of baseline {baseline:?}"))
            .remedy("exchange payload and baseline, if they are exchanged: servers with the newer file keep it"),
    }
}
