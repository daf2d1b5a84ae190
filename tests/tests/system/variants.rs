//! Updates whose files come in several languages: one bundle, and each target gets its own.

use std::fs;

use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::programs::builder;
use qfe_tests::updates::{Fix, PLATFORMS, Site, image, of_language};
use serde_json::Value;

/// The variants, with the languages of their files; the second id of each is that of another country.
const VARIANTS: [(&str, [u16; 2]); 3] =
    [("english", [0x0409, 0x0809]), ("french", [0x040c, 0x0c0c]), ("german", [0x0407, 0x0807])];
const OLD: &str = "2.0.1380.1000";
const NEW: &str = "2.0.1380.1125";

/// Returns a file of a variant.
fn file(variant: &str, platform: &str, version: &str, name: &str) -> Vec<u8> {
    let (_, [language, _]) = VARIANTS.into_iter().find(|(known, _)| *known == variant).unwrap();
    of_language(image(platform, version, &format!("{name} {variant}")), language)
}

/// An update of a library that is the same everywhere, and of two that are not.
fn fix() -> Fix {
    let mut fix = Fix::new("V1", 1380, "").image("Core.dll", OLD, NEW, "");
    for name in ["Text.dll", "Help.dll"] {
        fix = fix.with(&format!("[[file]]\nname = '{name}'\nversion = '{NEW}'\n"));
    }
    for (variant, languages) in VARIANTS {
        for platform in PLATFORMS {
            for (tree, version) in [("old", OLD), ("new", NEW)] {
                let folder = fix.path(&format!("{variant}/{tree}/{platform}"));
                fs::create_dir_all(&folder).unwrap();
                for name in ["Text.dll", "Help.dll"] {
                    fs::write(folder.join(name), file(variant, platform, version, name)).unwrap();
                }
            }
        }
        fix = fix.with(&format!(
            "[[variant]]\nname = '{variant}'\nlanguages = {languages:?}\n\
             payload = {{ i386 = '{variant}/new/i386', alpha = '{variant}/new/alpha' }}\n\
             [[variant.baseline]]\nname = 'old'\ni386 = '{variant}/old/i386'\nalpha = '{variant}/old/alpha'\n"
        ));
    }
    fix
}

/// A site server of a platform with old files, of which the localised ones are as `make` has them.
fn site(fix: &Fix, platform: &str, make: impl Fn(&str) -> Vec<u8>) -> Site {
    let place = |name: &str| format!("Bin/{platform}/{name}");
    Site::primary()
        .with(&place("Core.dll"), &fix.file("baseline", platform, "Core.dll"))
        .with(&place("Text.dll"), &make("Text.dll"))
        .with(&place("Help.dll"), &make("Help.dll"))
}

#[test]
fn a_target_gets_the_files_of_its_language_and_those_of_all() {
    let fix = fix();
    let lean = fix.path("lean.zip");
    fix.build_as(&lean, &["--lean"]).succeeds();
    for bundle in [fix.build(), lean] {
        for (variant, _) in VARIANTS {
            for platform in PLATFORMS {
                let site = site(&fix, platform, |name| file(variant, platform, OLD, name));
                let result = site.apply(&bundle, "site-server", &[]).succeeds().json();
                assert_eq!((&result["variant"], &result["platform"]), (&variant.into(), &platform.into()));
                assert_eq!(result["files"].as_array().unwrap().len(), 3);
                let read = |name: &str| site.read(&format!("Bin/{platform}/{name}"));
                assert!(read("Core.dll") == fix.file("update", platform, "Core.dll"));
                for name in ["Text.dll", "Help.dll"] {
                    assert!(read(name) == file(variant, platform, NEW, name), "{variant} {platform} {name}");
                }
                let again = site.apply(&bundle, "site-server", &[]).succeeds().json();
                assert_eq!(
                    (&again["variant"], &again["outcome"]),
                    (&variant.into(), &"already-current".into())
                );
                site.run("rollback", &[]).succeeds();
                assert!(read("Text.dll") == file(variant, platform, OLD, "Text.dll"));
            }
        }
    }
}

#[test]
fn a_language_of_another_country_is_of_the_variant_that_lists_it() {
    let (fix, swiss) = (fix(), of_language(file("german", "i386", OLD, "Text.dll"), 0x0807));
    let site = site(&fix, "i386", |name| {
        if name == "Text.dll" { swiss.clone() } else { file("german", "i386", OLD, name) }
    });
    // Its text is another than the known one: it is told, and replaced only by the admin's word.
    let refused = site.apply(&fix.build(), "site-server", &[]).ends(ExitCode::WrongTarget);
    assert!(
        refused.stderr.contains("Text.dll") && !refused.stderr.contains("Help.dll"),
        "{}",
        refused.stderr
    );
    let result = site.apply(&fix.build(), "site-server", &["--replace-unknown"]).succeeds().json();
    assert_eq!(result["variant"], "german");
    assert!(site.read("Bin/i386/Text.dll") == file("german", "i386", NEW, "Text.dll"));
}

#[test]
fn a_target_of_no_language_or_of_two_is_refused_until_one_is_named() {
    let fix = fix();
    let bundle = fix.build();
    let finding = |site: &Site| -> Value {
        let refused = site.apply(&bundle, "site-server", &[]).ends(ExitCode::WrongTarget).json();
        refused["findings"][0].clone()
    };
    let mixed = site(&fix, "alpha", |name| {
        file(if name == "Text.dll" { "german" } else { "french" }, "alpha", OLD, name)
    });
    let found = finding(&mixed);
    assert_eq!(found["found"], "files of these languages: 0x0407, 0x040c");
    assert_eq!(found["wanted"], "one of those in the bundle: english or french or german");
    // Named, the files of the other language are still unknown ones.
    mixed
        .apply(&bundle, "site-server", &["--variant", "german"])
        .ends(ExitCode::WrongTarget)
        .says(&["Help.dll", "another language"]);
    mixed.apply(&bundle, "site-server", &["--variant", "czech"]).ends(ExitCode::WrongTarget).says(&["czech"]);

    let japanese = site(&fix, "alpha", |name| of_language(image("alpha", OLD, name), 0x0411));
    assert_eq!(finding(&japanese)["found"], "files of these languages: 0x0411");
    let empty = Site::primary().with("Bin/alpha/Core.dll", &fix.file("baseline", "alpha", "Core.dll"));
    assert_eq!(finding(&empty)["found"], "no file that tells it");
    let result = empty.apply(&bundle, "site-server", &["--variant", "french"]).succeeds().json();
    assert_eq!(result["variant"], "french");
    assert!(empty.read("Bin/alpha/Text.dll") == file("french", "alpha", NEW, "Text.dll"));
}

#[test]
fn a_variant_that_lacks_a_file_of_the_others_is_no_update() {
    let fix = fix();
    fs::remove_file(fix.path("french/new/alpha/Help.dll")).unwrap();
    fix.build_as(&fix.path("no.zip"), &[]).ends(ExitCode::BadCommandLine).says(&[
        "Help.dll is in variant english for alpha, and variant french lacks it",
        "move it to [payload]",
    ]);
    let fix = self::fix();
    fs::copy(fix.path("french/new/alpha/Help.dll"), fix.path("update/alpha/Help.dll")).unwrap();
    fs::copy(fix.path("french/new/i386/Help.dll"), fix.path("update/i386/Help.dll")).unwrap();
    fix.build_as(&fix.path("no.zip"), &[])
        .ends(ExitCode::BadCommandLine)
        .says(&["alpha/Help.dll and alpha/Help.dll (german) both go to Bin/alpha/Help.dll in role console"]);
}

#[test]
fn a_variant_may_have_versions_of_its_own_and_known_files_tell_it() {
    // The old files state no language of the recipe's: one German file and one that is for all service packs alike.
    let service_packs = ["sp2", "sp3"];
    let version = |pack: &str, of: &str| format!("2.0.1493.{}{of}", &pack[2..]);
    let mut fix = Fix::new("V2", 1493, "").with(
        "[[file]]\nname = 'Text.dll'\nversion = '2.0.1493.2200'\nversions = { sp3 = '2.0.1493.3200' }\n\
         [[file]]\nname = 'Same.dll'\n",
    );
    let same = |platform: &str| image(platform, OLD, "the same in both");
    for pack in service_packs {
        for platform in PLATFORMS {
            for (tree, of) in [("old", "100"), ("new", "200")] {
                let folder = fix.path(&format!("{pack}/{tree}/{platform}"));
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join("Text.dll"), image(platform, &version(pack, of), pack)).unwrap();
                let same = if tree == "old" { same(platform) } else { image(platform, NEW, pack) };
                fs::write(folder.join("Same.dll"), same).unwrap();
            }
        }
        fix = fix.with(&format!(
            "[[variant]]\nname = '{pack}'\npayload = {{ i386 = '{pack}/new/i386', alpha = '{pack}/new/alpha' }}\n\
             [[variant.baseline]]\nname = 'old'\ni386 = '{pack}/old/i386'\nalpha = '{pack}/old/alpha'\n"
        ));
    }
    let recipe = fs::read_to_string(fix.recipe()).unwrap().replace(
        "[payload]\ni386 = 'update/i386'\nalpha = 'update/alpha'\n\
         [[baseline]]\nname = 'old'\ni386 = 'baseline/i386'\nalpha = 'baseline/alpha'\n",
        "",
    );
    fs::write(fix.recipe(), &recipe).unwrap();
    let bundle = fix.build();
    for (pack, platform) in
        service_packs.into_iter().flat_map(|pack| PLATFORMS.map(|platform| (pack, platform)))
    {
        let text = format!("Bin/{platform}/Text.dll");
        let site = Site::new("\"Full Version\"=\"2.00.1493.3000\"\r\n\"Type\"=dword:00000001\r\n")
            .with(&text, &image(platform, &version(pack, "100"), pack))
            .with(&format!("Bin/{platform}/Same.dll"), &same(platform));
        let result = site.apply(&bundle, "site-server", &[]).succeeds().json();
        assert_eq!((&result["variant"], &result["outcome"]), (&pack.into(), &"changed".into()));
        assert!(site.read(&text) == image(platform, &version(pack, "200"), pack));
        // A file that nobody knows tells nothing, and what is the same in both does not either.
        site.run("rollback", &[]).succeeds();
        site.put(&text, &image(platform, "2.0.1493.1", "private"));
        site.apply(&bundle, "site-server", &[])
            .ends(ExitCode::WrongTarget)
            .says(&["sp2 or sp3", "--variant"]);
    }

    // The article has a table for each, and is read back to them.
    let page = fix.path("V2.htm");
    builder(args!["article", &bundle, "-o", &page]).succeeds();
    let tables = builder(args!["draft", &page, "--json"]).succeeds().json()["tables"].clone();
    let versions = |table: &Value| -> Vec<String> {
        let rows = table["rows"].as_array().unwrap().iter().filter(|row| row["file"] == "Text.dll");
        rows.map(|row| row["version"].as_str().unwrap().to_owned()).collect()
    };
    let found: Vec<_> = tables.as_array().unwrap().iter().map(versions).collect();
    assert_eq!(found, [["2.0.1493.2200"; 2], ["2.0.1493.3200"; 2]]);

    // Without versions of its own a variant is held against those of all.
    for (from, to, says) in [
        ("versions = { sp3 = '2.0.1493.3200' }", "", "2.0.1493.3200"),
        ("{ sp3 =", "{ sp2 =", "2.0.1493.2200"),
        ("{ sp3 =", "{ sp4 =", "versions of Text.dll is sp4, wanted is names of [[variant]]s"),
    ] {
        fs::write(fix.recipe(), recipe.replace(from, to)).unwrap();
        fix.build_as(&fix.path("no.zip"), &[]).ends(ExitCode::BadCommandLine).says(&[says]);
    }
}

#[test]
fn variants_of_one_name_or_language_are_refused() {
    for (from, to, says) in [
        ("[1031, 2055]", "[1031, 1033]", "languages of the [[variant]]s is 0x0409 twice"),
        ("name = 'german'", "name = 'french'", "name of a [[variant]] is french twice"),
        ("[1031, 2055]", "['de']", "de"),
        ("name = 'german'", "name = 'Deutsch'", "Deutsch"),
    ] {
        let fix = fix();
        let recipe = fs::read_to_string(fix.path("update.toml")).unwrap();
        assert!(recipe.contains(from), "{recipe}");
        fs::write(fix.path("update.toml"), recipe.replace(from, to)).unwrap();
        fix.build_as(&fix.path("no.zip"), &[]).ends(ExitCode::BadCommandLine).says(&[says]);
    }
}
