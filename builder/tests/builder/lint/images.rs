//! What is wrong about images: dates, contents, companions and languages.

use super::*;

pub(super) const CASES: &[Case] = &[
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
];
