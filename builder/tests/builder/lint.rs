//! The reviewer: every code is triggered by a made recipe, and says which file, what was found and what was wanted.

use std::collections::BTreeSet;
use std::fs;

use qfe_builder::article::Table;
use qfe_builder::lint::code::Code;
use qfe_builder::lint::{Finding, Subject, lint};
use qfe_builder::profile::Profile;
use qfe_builder::recipe::Recipe;
use qfe_patcher::platform::Platform;

use crate::fixture::{Fixture, noise};
use crate::pe::{Edited, image};

use Platform::{Alpha, I386};

mod article;
mod files;
mod images;
mod program;
mod updates;

/// The new version of `Ccm.dll` in every fixture.
const NEW: Option<&str> = Some("2.0.1380.1125");
const OLD: Option<&str> = Some("2.0.1380.1000");
/// When the images of fixtures were linked, and a day.
const STAMP: u32 = 0x3800_0000;
const DAY: u32 = 24 * 60 * 60;

/// Looks at the recipe of a fixture, and at `other.toml` if there is one.
fn findings(fixture: &Fixture, article: Option<&[Table]>) -> Vec<Finding> {
    let profile = Profile::sms2().unwrap();
    let base = fixture.path("");
    let names = ["update.toml", "other.toml"].map(|name| fixture.path(name));
    let recipes: Vec<Recipe> = names
        .iter()
        .filter(|path| path.exists())
        .map(|path| Recipe::parse(path, &fs::read_to_string(path).unwrap()).unwrap())
        .collect();
    let subject = |recipe| Subject { recipe, profile: &profile, base: &base, article };
    lint(&recipes.iter().map(subject).collect::<Vec<_>>())
}

/// A way to be wrong, and the finding that tells it.
struct Case {
    code: Code,
    make: fn(&Fixture),
    file: Option<&'static str>,
    platform: Option<Platform>,
    found: &'static str,
    wanted: &'static str,
}

/// Puts an image where `Ccm.dll` is.
fn new(fixture: &Fixture, platform: Platform, edited: Edited) {
    fixture.payload(platform, "CCM.DLL", &edited.bytes());
}

fn old(fixture: &Fixture, platform: Platform, edited: Edited) {
    fixture.put(&format!("baseline/{platform}/Ccm.dll"), &edited.bytes());
}

fn plain(platform: Platform, version: Option<&str>) -> Edited {
    Edited::new(image(platform, version, &noise(5000, 3)))
}

/// Leaves the version out of the recipe, so that any is right.
fn any_version(fixture: &Fixture) {
    fixture.edit("version = \"2.0.1380.1125\"\n", "");
}

/// Adds a file to recipe and payload.
fn add(fixture: &Fixture, name: &str, platforms: &[Platform]) {
    fixture.edit("[[file]]", &format!("[[file]]\nname = \"{name}\"\nwhen = \"always\"\n\n[[file]]"));
    for platform in platforms {
        fixture.payload(*platform, name, &plain(*platform, NEW).bytes());
    }
}

/// Writes another recipe beside, with one file for Intel.
fn other(fixture: &Fixture, head: &str, name: &str, image: &[u8]) {
    let text = format!(
        "title = \"another\"\nproduct = \"Systems Management Server 2.0\"\nbuilds = [1380]\n{head}\n[payload]\ni386 = \"other\"\n"
    );
    fixture.put("other.toml", text.as_bytes());
    fixture.put(&format!("other/{name}"), image);
}

/// Adds a file that comes in two variants, in both of which it is English.
fn variants(fixture: &Fixture) {
    let variants = [("english", "0x0409"), ("french", "0x040c")].map(|(name, language)| {
        fixture.put(&format!("{name}/Extra.dll"), &plain(I386, NEW).bytes());
        format!(
            "[[variant]]\nname = \"{name}\"\nlanguages = [{language}]\npayload = {{ i386 = \"{name}\" }}\n\n"
        )
    });
    let file = "[[file]]\nname = \"Extra.dll\"\nplatforms = [\"i386\"]\nwhen = \"always\"\n\n";
    fixture.edit("[[file]]", &format!("{}{file}[[file]]", variants.concat()));
}

/// All ways to be wrong but those of articles.
fn cases() -> impl Iterator<Item = &'static Case> {
    [files::CASES, images::CASES, updates::CASES].into_iter().flatten()
}

#[test]
fn every_code_has_a_case() {
    let of_articles = article::MISTAKES.iter().map(|(_, code, ..)| *code);
    let seen: BTreeSet<Code> = cases().map(|case| case.code).chain(of_articles).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), Code::ALL);
}

#[test]
fn each_way_to_be_wrong_has_its_code() {
    let mut missed = Vec::new();
    for Case { code, make, file, platform, found, wanted } in cases() {
        let fixture = Fixture::new();
        make(&fixture);
        let findings = findings(&fixture, None);
        let is_it = |finding: &&Finding| {
            finding.code == *code
                && finding.update == "Q252717"
                && finding.platform == *platform
                && finding.file.as_deref() == *file
                && finding.found.contains(found)
                && finding.wanted.contains(wanted)
                && !finding.remedy.is_empty()
        };
        if findings.iter().filter(is_it).count() != 1 {
            missed.push(format!("{code}:\n{findings:#?}"));
        }
        assert!(findings.iter().all(|finding| finding.severity == finding.code.severity()));
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn an_update_in_order_gives_only_the_note_that_a_file_is_new() {
    let codes: Vec<Code> = findings(&Fixture::new(), None).iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::NewFile, Code::NewFile]);
}

#[test]
fn what_is_right_is_not_found() {
    let count = |code: Code, make: &dyn Fn(&Fixture)| {
        let fixture = Fixture::new();
        make(&fixture);
        findings(&fixture, None).iter().filter(|finding| finding.code == code).count()
    };
    // The checksum that the finding wants is the right one.
    assert_eq!(
        count(Code::Checksum, &|fixture| {
            new(fixture, I386, plain(I386, NEW).checksum(1));
            let finding = findings(fixture, None).into_iter().find(|finding| finding.code == Code::Checksum);
            let sum = finding.unwrap().wanted;
            new(fixture, I386, plain(I386, NEW).checksum(u32::from_str_radix(&sum[2..], 16).unwrap()));
        }),
        0
    );
    // Code is not taken for packed, random bytes are, and so is room without bytes.
    let code: Vec<u8> = noise(8192, 9).iter().map(|byte| byte & 0x7f).collect();
    for (section, wanted) in [(code.as_slice(), 0), (&noise(8192, 9), 1), (b"", 1)] {
        let make = |fixture: &Fixture| new(fixture, I386, plain(I386, NEW).section(".text", true, section).0);
        assert_eq!(count(Code::Packed, &make), wanted, "{} bytes", section.len());
    }
    // Both folders, and the companion beside it.
    let both = |fixture: &Fixture| {
        add(fixture, "Clisvcl.exe", &[I386, Alpha]);
        let to = "to = [\"Bin/{platform}\", \"Inboxes/Clicomp.src/Base/{platform}\"]";
        fixture.edit("when = \"always\"", &format!("{to}\nroles = [\"site-server\"]"));
    };
    assert_eq!((count(Code::Companion, &both), count(Code::CompanionFolder, &both)), (0, 0));
    // The patcher knows the old file by its contents, and replaces it.
    let same_version = |fixture: &Fixture| old(fixture, Alpha, plain(Alpha, NEW));
    assert_eq!(
        (count(Code::VersionNotRaised, &same_version), count(Code::NotCovered, &same_version)),
        (1, 0)
    );
    // A certificate that is still there, and a library that can be registered.
    assert_eq!(
        count(Code::Unsigned, &|fixture| {
            old(fixture, I386, plain(I386, OLD).signed());
            new(fixture, I386, plain(I386, NEW).signed());
        }),
        0
    );
    assert_eq!(
        count(Code::NoComServer, &|fixture| {
            fixture.edit("name = \"Ccm.dll\"", "name = \"Ccm.dll\"\nregister = true");
            for platform in Platform::ALL {
                new(fixture, platform, plain(platform, NEW).exports(&["DllRegisterServer"]));
            }
        }),
        0
    );
    // Another build line, or a later update that requires the earlier.
    let newer = plain(I386, Some("2.0.1380.1130")).bytes();
    assert_eq!(
        count(Code::TwoVersions, &|fixture| other(
            fixture,
            "id = \"Q2\"\nrequires = [\"Q252717\"]",
            "Ccm.dll",
            &newer
        )),
        0
    );
    assert_eq!(
        count(Code::TwoVersions, &|fixture| {
            other(fixture, "id = \"Q2\"", "Ccm.dll", &newer);
            let text = String::from_utf8(fixture.get("other.toml")).unwrap();
            fixture.put("other.toml", text.replace("[1380]", "[1239]").as_bytes());
        }),
        0
    );
}
