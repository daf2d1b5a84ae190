//! The reviewer: every code is triggered by a made recipe, and says which file, what was found and what was wanted.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Write};

use qfe_builder::article::{Row, Table};
use qfe_builder::lint::code::{Code, Severity};
use qfe_builder::lint::{Finding, Subject, lint};
use qfe_builder::profile::Profile;
use qfe_builder::recipe::Recipe;
use qfe_patcher::platform::Platform;
use serde_json::{Value, json};

use crate::fixture::{Fixture, exit_status, noise};
use crate::pe::{Edited, image};

use Platform::{Alpha, I386};

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

const CASES: &[Case] = &[
    Case {
        code: Code::Unreadable,
        make: |fixture| fixture.edit("update/alpha", "update/axp"),
        file: None,
        platform: None,
        found: "update/axp does not exist",
        wanted: "a folder",
    },
    Case {
        code: Code::Product,
        make: |fixture| fixture.edit("Server 2.0", "Server 1.2"),
        file: None,
        platform: None,
        found: "Systems Management Server 1.2",
        wanted: "Systems Management Server 2.0",
    },
    Case {
        code: Code::Value,
        make: |fixture| fixture.edit("builds = [1380]", "builds = [1380, 1380]"),
        file: None,
        platform: None,
        found: "builds: [1380, 1380]",
        wanted: "each build once",
    },
    Case {
        code: Code::NoPayload,
        make: |fixture| fixture.edit("i386 = \"update/i386\"\nalpha = \"update/alpha\"\n", ""),
        file: None,
        platform: None,
        found: "[payload] names no platform",
        wanted: "i386, alpha or both",
    },
    Case {
        code: Code::NoPlatform,
        make: |fixture| fixture.edit("alpha = \"update/alpha\"\n", ""),
        file: None,
        platform: Some(Alpha),
        found: "baseline \"1380.1000\"",
        wanted: "a payload for it",
    },
    Case {
        code: Code::FileName,
        make: |fixture| {
            let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
            zip.start_file("aux.dll", zip::write::SimpleFileOptions::DEFAULT).unwrap();
            zip.write_all(b"x").unwrap();
            fixture.put("bad.zip", &zip.finish().unwrap().into_inner());
            fixture.edit("\"update/alpha\"", "\"bad.zip\"");
        },
        file: None,
        platform: None,
        found: "aux.dll",
        wanted: "a name that every server can have",
    },
    Case {
        code: Code::Unlisted,
        make: |fixture| fixture.payload(Alpha, "Stray.dll", b"x"),
        file: Some("Stray.dll"),
        platform: Some(Alpha),
        found: "update/alpha/Stray.dll",
        wanted: "[[file]]",
    },
    Case {
        code: Code::Absent,
        make: |fixture| {
            fixture.remove("update/i386/Compver.ini");
            fixture.remove("update/alpha/Compver.ini");
        },
        file: Some("Compver.ini"),
        platform: Some(I386),
        found: "listed only",
        wanted: "update/i386",
    },
    Case {
        code: Code::MissingTwin,
        make: |fixture| fixture.remove("update/alpha/CCM.DLL"),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "for i386 only",
        wanted: "update/alpha",
    },
    Case {
        code: Code::ListedTwice,
        make: |fixture| fixture.edit("[[file]]", "[[file]]\nname = \"CCM.dll\"\n\n[[file]]"),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "two [[file]]",
        wanted: "one",
    },
    Case {
        code: Code::Empty,
        make: |fixture| fixture.payload(I386, "Compver.ini", b""),
        file: Some("Compver.ini"),
        platform: Some(I386),
        found: "0 bytes",
        wanted: "contents",
    },
    Case {
        code: Code::Machine,
        make: |fixture| new(fixture, I386, plain(Alpha, NEW)),
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "alpha (machine 0x0184)",
        wanted: "i386 (machine 0x014c)",
    },
    Case {
        code: Code::WrongVersion,
        make: |fixture| new(fixture, Alpha, plain(Alpha, Some("2.0.1380.1124"))),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "2.0.1380.1124",
        wanted: "2.0.1380.1125",
    },
    Case {
        code: Code::NoVersion,
        make: |fixture| new(fixture, Alpha, plain(Alpha, None)),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "no version resource",
        wanted: "2.0.1380.1125",
    },
    Case {
        code: Code::VersionNotRaised,
        make: |fixture| old(fixture, Alpha, plain(Alpha, NEW)),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "2.0.1380.1125",
        wanted: "above the 2.0.1380.1125 of baseline",
    },
    Case {
        code: Code::VersionLowered,
        make: |fixture| old(fixture, Alpha, plain(Alpha, Some("2.0.1380.2000"))),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "2.0.1380.1125",
        wanted: "above the 2.0.1380.2000 of baseline",
    },
    Case {
        code: Code::VersionLost,
        make: |fixture| {
            any_version(fixture);
            new(fixture, I386, plain(I386, None));
        },
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "no version",
        wanted: "above the 2.0.1380.1000",
    },
    Case {
        code: Code::TwinVersions,
        make: |fixture| {
            any_version(fixture);
            new(fixture, Alpha, plain(Alpha, Some("2.0.1380.1130")));
        },
        file: Some("Ccm.dll"),
        platform: None,
        found: "2.0.1380.1125 on i386, 2.0.1380.1130 on alpha",
        wanted: "one version",
    },
    Case {
        code: Code::BuildLine,
        make: |fixture| {
            any_version(fixture);
            new(fixture, I386, plain(I386, Some("2.0.1239.64")));
        },
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "build 1239",
        wanted: "build 1380",
    },
    Case {
        code: Code::UnknownRole,
        make: |fixture| fixture.edit("\"site-server\"", "\"moon\""),
        file: Some("Compver.ini"),
        platform: None,
        found: "moon",
        wanted: "site-server, sql-monitor, provider, console",
    },
    Case {
        code: Code::Roles,
        make: |fixture| fixture.edit("[\"site-server\"]", "[]"),
        file: Some("Compver.ini"),
        platform: None,
        found: "no role",
        wanted: "at least one",
    },
    Case {
        code: Code::Destination,
        make: |fixture| fixture.edit("name = \"Compver.ini\"", "name = \"Compver.ini\"\nto = \"../x\""),
        file: Some("Compver.ini"),
        platform: None,
        found: "../x",
        wanted: "below the target",
    },
    Case {
        code: Code::MissingInVariant,
        make: |fixture| {
            variants(fixture);
            fixture.remove("french/Extra.dll");
            fixture.put("french/Other.dll", b"x");
        },
        file: Some("Extra.dll"),
        platform: Some(I386),
        found: "in variant english, and not in french",
        wanted: "the file in both",
    },
    Case {
        code: Code::SameDestination,
        make: |fixture| {
            fixture.payload(I386, "i386/ccm.dll", b"x");
            fixture.payload(Alpha, "i386/ccm.dll", b"x");
            let more = "[[file]]\nname = \"i386/ccm.dll\"\nto = \"Bin\"\nroles = [\"console\"]\n\n[[file]]";
            fixture.edit("[[file]]", more);
        },
        file: Some("i386/i386/ccm.dll"),
        platform: None,
        found: "Bin/i386/ccm.dll in role console, as i386/Ccm.dll",
        wanted: "a place of its own",
    },
    Case {
        code: Code::NeverInstalled,
        make: |fixture| fixture.edit("\"site-server\"", "\"console\""),
        file: Some("Compver.ini"),
        platform: Some(Alpha),
        found: "only where it is present, in console",
        wanted: "a role that adds it",
    },
    Case {
        code: Code::NoBaseline,
        make: |fixture| {
            let baseline =
                "[[baseline]]\nname = \"1380.1000\"\ni386 = \"baseline/i386\"\nalpha = \"baseline/alpha\"\n";
            fixture.edit(baseline, "");
        },
        file: None,
        platform: None,
        found: "no [[baseline]]",
        wanted: "old files",
    },
    Case {
        code: Code::ForeignBaseline,
        make: |fixture| fixture.remove("baseline/alpha/Ccm.dll"),
        file: None,
        platform: Some(Alpha),
        found: "baseline/alpha",
        wanted: "names of the payload",
    },
    Case {
        code: Code::NewFile,
        make: |_| {},
        file: Some("Compver.ini"),
        platform: Some(I386),
        found: "in no baseline",
        wanted: "a known old state",
    },
    Case {
        code: Code::BaselineGap,
        make: |fixture| {
            fixture.edit("[[file]]", "[[baseline]]\nname = \"SP1\"\ni386 = \"sp1\"\n\n[[file]]");
            fixture.put("sp1/Compver.ini", b"[old]\r\n");
        },
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "baseline \"SP1\" lacks it",
        wanted: "as in \"1380.1000\"",
    },
    Case {
        code: Code::Unchanged,
        make: |fixture| fixture.put("baseline/alpha/Ccm.dll", &fixture.get("update/alpha/CCM.DLL")),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "the file of baseline \"1380.1000\"",
        wanted: "differs",
    },
    Case {
        code: Code::NotCovered,
        make: |fixture| old(fixture, Alpha, plain(Alpha, Some("2.0.1380.2000"))),
        file: None,
        platform: Some(Alpha),
        found: "baseline \"1380.1000\"",
        wanted: "file that the update replaces",
    },
    Case {
        code: Code::SameBaselines,
        make: |fixture| {
            fixture
                .edit("[[file]]", "[[baseline]]\nname = \"again\"\nalpha = \"baseline/alpha\"\n\n[[file]]");
        },
        file: None,
        platform: Some(Alpha),
        found: "\"again\" and \"1380.1000\"",
        wanted: "differ",
    },
    Case {
        code: Code::NoDate,
        make: |fixture| new(fixture, Alpha, plain(Alpha, NEW).stamped(0)),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "time stamp 0",
        wanted: "when it was linked",
    },
    Case {
        code: Code::FutureDate,
        make: |fixture| {
            add(fixture, "Other.dll", &[I386, Alpha]);
            new(fixture, Alpha, plain(Alpha, NEW).stamped(STAMP + 6 * 366 * DAY));
        },
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "2005-",
        wanted: "the newest of 1999-",
    },
    Case {
        code: Code::OlderThanBaseline,
        make: |fixture| old(fixture, Alpha, plain(Alpha, OLD).stamped(STAMP + DAY)),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "1999-10-10",
        wanted: "not before 1999-10-11",
    },
    Case {
        code: Code::TwinDates,
        make: |fixture| new(fixture, Alpha, plain(Alpha, NEW).stamped(STAMP + 40 * DAY)),
        file: Some("Ccm.dll"),
        platform: None,
        found: "1999-10-10T02:54:56Z on i386",
        wanted: "31 days",
    },
    Case {
        code: Code::Unsigned,
        make: |fixture| old(fixture, I386, plain(I386, OLD).signed()),
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "no certificate table",
        wanted: "one, as in baseline",
    },
    Case {
        code: Code::Packed,
        make: |fixture| new(fixture, I386, plain(I386, NEW).section("UPX0", true, b"").0),
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "section \"UPX0\", as UPX names it",
        wanted: "as the linker wrote it",
    },
    Case {
        code: Code::Checksum,
        make: |fixture| new(fixture, I386, plain(I386, NEW).checksum(0x1234)),
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "0x00001234",
        wanted: "0x0",
    },
    Case {
        code: Code::CutOff,
        make: |fixture| {
            let mut bytes = plain(I386, NEW).section(".text", true, &[0x90; 3000]).0.bytes();
            bytes.truncate(bytes.len() - 1);
            fixture.payload(I386, "CCM.DLL", &bytes);
        },
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "bytes",
        wanted: "where its last section ends",
    },
    Case {
        code: Code::NoImage,
        make: |fixture| {
            any_version(fixture);
            fixture.payload(Alpha, "CCM.DLL", b"a page that says 404");
        },
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "no PE image",
        wanted: "an image, as in baseline",
    },
    Case {
        code: Code::NotARelease,
        make: |fixture| new(fixture, Alpha, plain(Alpha, NEW).flags(0x0b)),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "debug, pre-release, private build",
        wanted: "no such flag",
    },
    Case {
        code: Code::LostExport,
        make: |fixture| {
            old(fixture, I386, plain(I386, OLD).exports(&["Open", "Close"]));
            new(fixture, I386, plain(I386, NEW).exports(&["Open", "OpenEx"]));
        },
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "without Close",
        wanted: "exports",
    },
    Case {
        code: Code::NoComServer,
        make: |fixture| fixture.edit("name = \"Ccm.dll\"", "name = \"Ccm.dll\"\nregister = true"),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "register = true",
        wanted: "exports DllRegisterServer",
    },
    Case {
        code: Code::ComServer,
        make: |fixture| new(fixture, Alpha, plain(Alpha, NEW).exports(&["DllRegisterServer"])),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "exports DllRegisterServer",
        wanted: "register = true",
    },
    Case {
        code: Code::Companion,
        make: |fixture| {
            add(fixture, "Clisvcl.exe", &[I386, Alpha]);
            fixture.edit("name = \"Compver.ini\"\n", "name = \"Compver.ini\"\nplatforms = [\"i386\"]\n");
            fixture.remove("update/alpha/Compver.ini");
        },
        file: Some("Clisvcl.exe"),
        platform: Some(Alpha),
        found: "no Compver.ini",
        wanted: "[Q246331]",
    },
    Case {
        code: Code::CompanionFolder,
        make: |fixture| add(fixture, "Clisvcl.exe", &[I386, Alpha]),
        file: Some("Clisvcl.exe"),
        platform: Some(Alpha),
        found: "site-server: bin/alpha/clisvcl.exe",
        wanted: "below Inboxes/Clicomp.src",
    },
    Case {
        code: Code::UnknownLanguage,
        make: |fixture| new(fixture, Alpha, plain(Alpha, NEW).language(0x0411)),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "0x0411",
        wanted: "one of 0x0000, 0x0409, 0x040c",
    },
    Case {
        code: Code::OtherLanguage,
        make: |fixture| new(fixture, Alpha, plain(Alpha, NEW).language(0x040c)),
        file: Some("Ccm.dll"),
        platform: Some(Alpha),
        found: "0x040c",
        wanted: "0x0409",
    },
    Case {
        code: Code::MixedLanguages,
        make: |fixture| new(fixture, Alpha, plain(Alpha, NEW).language(0x040c)),
        file: None,
        platform: None,
        found: "0x0409: i386/Ccm.dll; 0x040c: alpha/Ccm.dll",
        wanted: "one language",
    },
    Case {
        code: Code::VariantLanguage,
        make: variants,
        file: Some("Extra.dll"),
        platform: Some(I386),
        found: "0x0409",
        wanted: "one of 0x040c, the variant's",
    },
    Case {
        code: Code::SameUpdate,
        make: |fixture| other(fixture, "id = \"q252717\"", "Other.dll", b"x"),
        file: None,
        platform: None,
        found: "two recipes",
        wanted: "one",
    },
    Case {
        code: Code::TwoVersions,
        make: |fixture| other(fixture, "id = \"Q2\"", "Ccm.dll", &plain(I386, Some("2.0.1380.1130")).bytes()),
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "2.0.1380.1125 here, 2.0.1380.1130 in Q2",
        wanted: "supersedes the other, or requires it",
    },
    Case {
        code: Code::TwoContents,
        make: |fixture| other(fixture, "id = \"Q2\"", "Ccm.dll", &plain(I386, NEW).bytes()),
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "in Q2",
        wanted: "one content",
    },
    Case {
        code: Code::SupersedesNewer,
        make: |fixture| {
            fixture.edit("builds = [1380]", "builds = [1380]\nsupersedes = [\"Q2\"]");
            other(fixture, "id = \"Q2\"", "Ccm.dll", &plain(I386, Some("2.0.1380.1130")).bytes());
        },
        file: Some("Ccm.dll"),
        platform: Some(I386),
        found: "2.0.1380.1125",
        wanted: "above the 2.0.1380.1130 of Q2",
    },
    Case {
        code: Code::SupersedesMore,
        make: |fixture| {
            fixture.edit("builds = [1380]", "builds = [1380]\nsupersedes = [\"Q2\"]");
            other(fixture, "id = \"Q2\"", "Extra.dll", b"x");
        },
        file: Some("Extra.dll"),
        platform: Some(I386),
        found: "not in Q252717",
        wanted: "as Q2 has it",
    },
    Case {
        code: Code::Circle,
        make: |fixture| {
            fixture.edit("builds = [1380]", "builds = [1380]\nrequires = [\"Q2\"]");
            other(fixture, "id = \"Q2\"\nrequires = [\"Q252717\"]", "Extra.dll", b"x");
        },
        file: None,
        platform: None,
        found: "Q252717, Q2, Q252717",
        wanted: "one after the other",
    },
];

#[test]
fn each_way_to_be_wrong_has_its_code() {
    let mut missed = Vec::new();
    for Case { code, make, file, platform, found, wanted } in CASES {
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

fn row(file: &str, platform: &str, version: &str, size: &str, date: &str) -> Row {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Row {
        file: file.to_owned(),
        platform: some(platform),
        version: some(version),
        size: some(size),
        date: some(date),
        ..Row::default()
    }
}

/// The table that agrees with a fixture: `Ccm.dll` has 41,120 bytes less on both platforms before its body.
fn table(fixture: &Fixture) -> Vec<Row> {
    let size = fixture.get("update/i386/CCM.DLL").len();
    vec![
        row("Ccm.dll", "Intel", "2.00.1380.1125", &format!("{size} bytes"), "10/10/1999"),
        row("CCM.DLL", "Alpha", "2.0.1380.1125", &format!("{} KB", size.div_ceil(1024)), "11-Oct-1999"),
        row("Compver.ini", "", "", "11", "1/1/2000"),
    ]
}

#[test]
fn an_article_that_agrees_gives_no_finding_and_each_that_does_not_gives_one() {
    let fixture = Fixture::new();
    let of_article = |table: &[Row]| -> Vec<(Code, Option<String>, Option<Platform>)> {
        let findings = findings(&fixture, Some(&[Table::of(table.to_vec())])).into_iter();
        let findings = findings.filter(|finding| finding.code >= Code::NotInPayload);
        findings.map(|finding| (finding.code, finding.file, finding.platform)).collect()
    };
    assert_eq!(of_article(&table(&fixture)), []);
    let ccm = || Some("Ccm.dll".to_owned());
    type Change = fn(&mut Vec<Row>);
    let cases: [(Change, Code, Option<String>, Option<Platform>); 8] = [
        (
            |table| table.push(row("Baseobj.dll", "Alpha", "", "", "")),
            Code::NotInPayload,
            Some("Baseobj.dll".to_owned()),
            Some(Alpha),
        ),
        (|table| drop(table.remove(0)), Code::NotInArticle, ccm(), Some(I386)),
        (
            |table| table[0].version = Some("2.0.1380.1126".to_owned()),
            Code::ArticleVersion,
            ccm(),
            Some(I386),
        ),
        (|table| table[1].size = Some("90 KB".to_owned()), Code::ArticleSize, ccm(), Some(Alpha)),
        (|table| table[1].date = Some("1/28/2000".to_owned()), Code::ArticleDate, ccm(), Some(Alpha)),
        (|table| table[1].date = Some("12/20/199".to_owned()), Code::ArticleUnclear, ccm(), Some(Alpha)),
        (|table| table[0].size = Some("large".to_owned()), Code::ArticleUnclear, ccm(), Some(I386)),
        (|table| table[0].version = Some("SP1".to_owned()), Code::ArticleUnclear, ccm(), Some(I386)),
    ];
    let mut seen = BTreeSet::new();
    for (change, code, file, platform) in cases {
        let mut table = table(&fixture);
        change(&mut table);
        assert_eq!(of_article(&table), [(code, file, platform)]);
        seen.insert(code);
    }
    // Every code is triggered here or by the cases above.
    seen.extend(CASES.iter().map(|case| case.code));
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), Code::ALL);
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

/// Returns status and JSON of `lint`.
fn run(fixture: &Fixture, more: &[&str]) -> (i32, Value) {
    fixture.json(&[&["lint", "update.toml"], more].concat())
}

#[test]
fn the_program_ends_with_1639_where_there_are_errors_and_counts_what_it_found() {
    let fixture = Fixture::new();
    let (status, answer) = run(&fixture, &[]);
    assert_eq!(
        (status, &answer["outcome"], &answer["code"]),
        (0, &json!("findings"), &json!(0)),
        "{answer:#}"
    );
    assert_eq!((&answer["errors"], &answer["warnings"], &answer["notes"]), (&json!(0), &json!(0), &json!(2)));
    assert_eq!((&answer["command"], &answer["updates"]), (&json!("lint"), &json!(["Q252717"])));
    let finding = &answer["findings"][0];
    let keys: Vec<&str> = finding.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["code", "file", "found", "platform", "remedy", "severity", "update", "variant", "wanted"]
    );
    assert_eq!((&finding["code"], &finding["severity"]), (&json!("L042-new-file"), &json!("note")));

    assert_eq!(run(&fixture, &["--allow", "L042"]), (0, run(&fixture, &["--allow", "l042-new-file"]).1));
    assert_eq!(run(&fixture, &["--allow", "L042"]).1["outcome"], json!("clean"));
    assert_eq!(run(&fixture, &["--deny", "warnings"]).0, 0);
    let (status, answer) = run(&fixture, &["--deny", "notes"]);
    assert_eq!(
        (status, &answer["outcome"], &answer["errors"]),
        (exit_status(1639), &json!("refused"), &json!(2))
    );

    fixture.remove("update/alpha/CCM.DLL");
    let (status, answer) = run(&fixture, &[]);
    assert_eq!(
        (status, &answer["outcome"], &answer["code"]),
        (exit_status(1639), &json!("refused"), &json!(1639))
    );
    let page = String::from_utf8(fixture.run(&["lint", "update.toml"]).stdout).unwrap();
    let wanted = "error: L012-missing-twin: Q252717: alpha: Ccm.dll: a file is missing on the other platform\n  found:  in the \
                  payload for i386 only\n  wanted: the file in update/alpha\n  remedy: add the file";
    assert!(page.starts_with(wanted), "{page}");
}

#[test]
fn codes_are_listed_and_unknown_or_serious_ones_are_not_left_out() {
    let fixture = Fixture::new();
    let (status, answer) = fixture.json(&["lint", "--codes"]);
    assert_eq!((status, answer["codes"].as_array().unwrap().len()), (0, Code::ALL.len()));
    assert_eq!(
        answer["codes"][0],
        json!({"code": "L001-unreadable", "severity": "error", "meaning": "a payload or baseline cannot be read"})
    );
    for (code, words) in [("L999", "no such code"), ("L012", "is an error")] {
        let (status, answer) = run(&fixture, &["--allow", code]);
        assert_eq!(status, exit_status(1639));
        assert!(answer["error"].as_str().unwrap().contains(words), "{answer:#}");
    }
    assert_eq!(fixture.run(&["lint"]).status.code(), Some(exit_status(1639)));
    assert_eq!(Code::MissingTwin.severity(), Severity::Error);
}
