//! Findings about PE images: when they were linked, how they were made, and in which language.

use std::collections::BTreeMap;

use qfe_patcher::image::Image;
use qfe_patcher::name::Variant;

use super::Finding;
use super::code::Code;
use super::files::{about, twins};
use super::portable::{Portable, Section, entropy};
use crate::build::survey::{OldFile, SurveyedFile};
use crate::profile::Profile;
use crate::recipe::Recipe;
use crate::shown::{self, link_time};

const DAY: u32 = 24 * 60 * 60;
/// Files of a rollup can be years apart, so only what is far from every other file is odd.
const FUTURE: u32 = 5 * 366 * DAY;
/// Twins are built together, at most weeks apart.
const TWINS: u32 = 31 * DAY;
/// Bits for each byte of a section above which it is compressed or encrypted: code of Intel has 5.5 to 6.7, of Alpha less.
const PACKED: f64 = 7.2;
/// Smallest section whose entropy says anything.
const MIN_PACKED: usize = 4096;
/// Exported names that are listed.
const LISTED: usize = 5;
/// What `regsvr32` calls.
const REGISTER: &str = "DllRegisterServer";

/// Beginnings of the names that packers give to sections, in capitals.
const PACKERS: [(&str, &str); 12] = [
    ("UPX", "UPX"),
    (".UPX", "UPX"),
    (".ASPACK", "ASPack"),
    (".ADATA", "ASPack"),
    ("PEC2", "PECompact"),
    ("PECOMPACT", "PECompact"),
    (".PETITE", "Petite"),
    (".NSP", "NsPack"),
    (".MPRESS", "MPRESS"),
    (".VMP", "VMProtect"),
    (".NEOLITE", "NeoLite"),
    (".SHRINK", "Shrinker"),
];

pub(super) fn check(recipe: &Recipe, profile: &Profile, files: &[SurveyedFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Of each part of the payload.
    let mut languages: BTreeMap<Option<&Variant>, BTreeMap<u16, Vec<String>>> = BTreeMap::new();
    for file in files {
        findings.extend(dates(file, files));
        let image = Portable::read(&file.bytes);
        findings.extend(registration(file, image.as_ref()));
        if let Some(image) = &image {
            findings.extend(contents(file, image));
        }
        // Neutral goes with any.
        if let Some(language) = language(&file.bytes).filter(|language| *language != NEUTRAL) {
            findings.extend(unknown_language(recipe, profile, file, language));
            findings.extend(variant_language(recipe, file, language));
            let of_part = languages.entry(file.variant.as_ref()).or_default();
            of_part.entry(language).or_default().push(file.shown());
        }
        for old in file.baselines.iter().filter(|old| old.digest != file.digest) {
            findings.extend(against_old(file, image.as_ref(), old));
        }
    }
    findings.extend(twins(files).into_iter().filter_map(|(one, other)| twin_dates(one, other)));
    findings.extend(languages.into_iter().filter_map(|(variant, languages)| mixed(variant, &languages)));
    findings
}

fn dates(file: &SurveyedFile, files: &[SurveyedFile]) -> Option<Finding> {
    let stamp = file.time_stamp?;
    if stamp == 0 {
        let finding = about(Code::NoDate, file)
            .values("time stamp 0", "when it was linked")
            .remedy("link it without a fixed time, unless it is made reproducibly on purpose");
        return Some(finding);
    }
    let others = files.iter().filter(|other| other.name.folded() != file.name.folded());
    let newest = others.filter_map(|other| other.time_stamp).max()?;
    (stamp > newest.saturating_add(FUTURE)).then(|| {
        about(Code::FutureDate, file)
            .values(link_time(stamp), format!("no more than 5 years after the others, the newest of {}", link_time(newest)))
            .remedy("look at the clock of the machine that linked it; a reproducible build may state a digest here")
    })
}

fn twin_dates(one: &SurveyedFile, other: &SurveyedFile) -> Option<Finding> {
    let (stamp, twin) = (one.time_stamp?, other.time_stamp?);
    (stamp.abs_diff(twin) > TWINS && stamp > 0 && twin > 0).then(|| {
        Finding::new(Code::TwinDates)
            .of(&one.name)
            .values(
                format!(
                    "{} on {}, {} on {}",
                    link_time(stamp),
                    one.platform,
                    link_time(twin),
                    other.platform
                ),
                "at most 31 days apart",
            )
            .remedy("make sure that both are built from the same source")
    })
}

/// What is wrong with a new image by itself.
fn contents(file: &SurveyedFile, image: &Portable) -> Vec<Finding> {
    let mut findings = Vec::new();
    if image.stated_checksum != 0 && image.stated_checksum != image.checksum {
        findings.push(
            about(Code::Checksum, file)
                .values(format!("{:#010x}", image.stated_checksum), format!("{:#010x}", image.checksum))
                .remedy("was it changed after it was linked? Link it with its checksum (/RELEASE): drivers and services need it"),
        );
    }
    if image.end > file.bytes.len() as u64 {
        findings.push(
            about(Code::CutOff, file)
                .values(
                    format!("{} bytes", file.bytes.len()),
                    format!("{} bytes, where its last section ends", image.end),
                )
                .remedy("copy the whole file into the payload"),
        );
    } else if let Some(found) = packed(&file.bytes, &image.sections) {
        findings.push(
            about(Code::Packed, file)
                .values(found, "code as the linker wrote it")
                .remedy("put the file as it was linked into the payload: deltas of packed files are large, and scanners distrust them"),
        );
    }
    if !image.flags.is_empty() {
        findings.push(
            about(Code::NotARelease, file)
                .values(image.flags.join(", "), "no such flag in the version resource")
                .remedy("put the release build into the payload"),
        );
    }
    findings
}

/// Returns by what an image is recognised as packed.
fn packed(bytes: &[u8], sections: &[Section]) -> Option<String> {
    sections.iter().find_map(|section| {
        let name = section.name.to_ascii_uppercase();
        if let Some((_, packer)) = PACKERS.iter().find(|(begin, _)| name.starts_with(begin)) {
            return Some(format!("section {:?}, as {packer} names it", section.name));
        }
        if section.code && section.is_room() {
            return Some(format!("section {:?} of code that has no bytes in the file", section.name));
        }
        let bits = entropy(section.bytes(bytes));
        (section.code && section.size >= MIN_PACKED && bits > PACKED)
            .then(|| format!("section {:?} of code with {bits:.2} bits of information a byte", section.name))
    })
}

fn registration(file: &SurveyedFile, image: Option<&Portable>) -> Option<Finding> {
    let exports = image.is_some_and(|image| image.exports.contains(REGISTER));
    match (file.register, exports) {
        (true, false) => Some(
            about(Code::NoComServer, file)
                .values("register = true", format!("a library that exports {REGISTER}"))
                .remedy("take register out, or put the right file into the payload: regsvr32 would fail on every server"),
        ),
        (false, true) => Some(
            about(Code::ComServer, file)
                .values(format!("exports {REGISTER}, and register is not true"), "register = true, if the article says so")
                .remedy("write register = true where the update changes what the server registers"),
        ),
        _ => None,
    }
}

/// The language of files that are for all of them.
const NEUTRAL: u16 = 0;

fn language(bytes: &[u8]) -> Option<u16> {
    Image::read(bytes).ok()?.language
}

/// A language that neither the profile nor a variant of the recipe names.
fn unknown_language(
    recipe: &Recipe,
    profile: &Profile,
    file: &SurveyedFile,
    language: u16,
) -> Option<Finding> {
    let known = &profile.review.languages;
    let is_known = known.is_empty()
        || known.contains(&language)
        || recipe.variants.iter().any(|variant| variant.languages.contains(&language));
    (!is_known).then(|| {
        about(Code::UnknownLanguage, file)
            .values(shown::language(language), format!("one of {}", shown::languages(known)))
            .remedy("put the right file into the payload, or add the language to [review] of the product's profile")
    })
}

/// A file of a variant by whose language no target would be known to be of it.
fn variant_language(recipe: &Recipe, file: &SurveyedFile, language: u16) -> Option<Finding> {
    let variant = recipe.variants.iter().find(|variant| Some(&variant.name) == file.variant.as_ref())?;
    (!variant.languages.is_empty() && !variant.languages.contains(&language)).then(|| {
        about(Code::VariantLanguage, file)
            .values(
                shown::language(language),
                format!("one of {}, the variant's", shown::languages(&variant.languages)),
            )
            .remedy("put the file of that language into the variant, or correct its languages")
    })
}

fn mixed(variant: Option<&Variant>, languages: &BTreeMap<u16, Vec<String>>) -> Option<Finding> {
    let found = languages
        .iter()
        .map(|(language, files)| format!("{}: {}", shown::language(*language), files.join(", ")));
    (languages.len() > 1).then(|| {
        let finding = Finding { variant: variant.cloned(), ..Finding::new(Code::MixedLanguages) };
        finding
            .values(found.collect::<Vec<_>>().join("; "), "one language in all of them")
            .remedy("put the files of one language into the payload")
    })
}

/// What a known old state has that the new file should have too.
fn against_old(file: &SurveyedFile, image: Option<&Portable>, old: &OldFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let baseline = format!("baseline {:?}", old.name);
    let Ok(before) = Image::read(&old.bytes) else { return findings };
    let Some(stamp) = file.time_stamp else {
        findings.push(
            about(Code::NoImage, file)
                .values("no PE image", format!("an image, as in {baseline}"))
                .remedy("put the right file into the payload"),
        );
        return findings;
    };
    if let (Some(found), Some(wanted)) = (language(&file.bytes), before.language)
        && found != wanted
    {
        findings.push(
            about(Code::OtherLanguage, file)
                .values(shown::language(found), format!("{}, that of {baseline}", shown::language(wanted)))
                .remedy("put the file of that language into the payload"),
        );
    }
    if stamp > 0 && stamp < before.time_stamp {
        findings.push(
            about(Code::OlderThanBaseline, file)
                .values(link_time(stamp), format!("not before {}, that of {baseline}", link_time(before.time_stamp)))
                .remedy("exchange payload and baseline, if they are exchanged; a reproducible build may state a digest here"),
        );
    }
    let (Some(image), Some(before)) = (image, Portable::read(&old.bytes)) else { return findings };
    if before.signed && !image.signed {
        findings.push(
            about(Code::Unsigned, file)
                .values("no certificate table", format!("one, as in {baseline}"))
                .remedy("sign the file before it goes into the payload"),
        );
    }
    if before.stated_checksum != 0 && image.stated_checksum == 0 {
        findings.push(
            about(Code::Checksum, file)
                .values("0", format!("{:#010x}: that of {baseline} states one", image.checksum))
                .remedy("link it with its checksum (/RELEASE)"),
        );
    }
    let lost: Vec<&String> = before.exports.difference(&image.exports).collect();
    if !lost.is_empty() {
        let mut names = lost.iter().take(LISTED).map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        if lost.len() > LISTED {
            names.push_str(&format!(" and {} more", lost.len() - LISTED));
        }
        findings.push(
            about(Code::LostExport, file)
                .values(format!("without {names}"), format!("what {baseline} exports"))
                .remedy("make sure that no program of the product calls them, which could not be started any more"),
        );
    }
    findings
}
