//! What is wrong about a recipe, its files, their versions, places and baselines.

use super::*;
use crate::archives;

pub(super) const CASES: &[Case] = &[
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
            fixture.put("bad.zip", &archives::zip(&[("aux.dll", b"x")]));
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
];
