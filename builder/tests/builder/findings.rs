//! Each way in which recipe and payload can disagree is found, and names thing, found and wanted.

use std::error::Error;
use std::fs;

use qfe_patcher::bundle::manifest::Verb;
use qfe_patcher::platform::Platform;

use crate::fixture::Fixture;
use crate::pe::image;

/// Requires exactly these findings.
#[track_caller]
fn found(fixture: &Fixture, wanted: &[&str]) {
    assert_eq!(fixture.findings(), wanted);
}

#[test]
fn an_update_that_agrees_is_in_order_and_spelled_as_the_recipe_spells_it() {
    let survey = Fixture::new().survey().unwrap();
    let names: Vec<String> = survey.files.iter().map(|file| file.shown()).collect();
    assert_eq!(names, ["i386/Ccm.dll", "i386/Compver.ini", "alpha/Ccm.dll", "alpha/Compver.ini"]);
    let ccm = &survey.files[2];
    assert_eq!((ccm.member.as_str(), ccm.baselines.len()), ("alpha/Ccm.dll", 1));
    let install: Vec<(&str, Verb, &str)> =
        ccm.install.iter().map(|entry| (entry.role.as_str(), entry.verb, entry.to.as_str())).collect();
    assert_eq!(
        install,
        [
            ("site-server", Verb::AddFile, "Bin/alpha/Ccm.dll"),
            ("sql-monitor", Verb::ReplaceFile, "Ccm.dll"),
            ("provider", Verb::ReplaceFile, "Bin/alpha/Ccm.dll"),
            ("console", Verb::ReplaceFile, "Bin/alpha/Ccm.dll"),
        ]
    );
    assert_eq!(survey.files[1].install.len(), 1);
    assert_eq!((survey.files[1].version, survey.files[1].time_stamp), (None, None));
    assert!(survey.warnings.is_empty(), "{:?}", survey.warnings);
}

#[test]
fn without_file_tables_every_file_goes_to_all_roles() {
    let fixture = Fixture::new();
    let recipe = String::from_utf8(fixture.get("update.toml")).unwrap();
    fixture.put("update.toml", recipe.split("[[file]]").next().unwrap().as_bytes());
    let survey = fixture.survey().unwrap();
    assert_eq!(survey.files.len(), 4);
    assert!(survey.files.iter().all(|file| file.install.len() == 4));
    assert_eq!(survey.files[0].version.unwrap().to_string(), "2.0.1380.1125");
    fixture.remove("update/alpha/Compver.ini");
    found(
        &fixture,
        &["Compver.ini is in the payload for i386, and the one for alpha, update/alpha, lacks it"],
    );
}

#[test]
fn a_payload_of_one_platform_is_an_update_for_it() {
    let fixture = Fixture::new();
    fixture.edit("alpha = \"update/alpha\"\n", "");
    fixture.edit("alpha = \"baseline/alpha\"\n", "");
    assert!(fixture.survey().unwrap().files.iter().all(|file| file.platform == Platform::I386));
}

#[test]
fn an_image_for_the_other_processor_is_found_in_payload_and_baseline() {
    let fixture = Fixture::new();
    for tree in ["update/i386/CCM.DLL", "baseline/i386/Ccm.dll"] {
        fixture.put(tree, &image(Platform::Alpha, Some("2.0.1380.1125"), b""));
    }
    found(
        &fixture,
        &[
            "update/i386/CCM.DLL is for alpha (machine 0x0184), files in this place must be for i386 (machine 0x014c)",
            "baseline/i386/Ccm.dll is for alpha (machine 0x0184), files in this place must be for i386 (machine 0x014c)",
        ],
    );
}

#[test]
fn another_version_is_found() {
    let fixture = Fixture::new();
    fixture.payload(Platform::Alpha, "CCM.DLL", &image(Platform::Alpha, Some("2.0.1380.1124"), b""));
    found(&fixture, &["update/alpha/CCM.DLL has version 2.0.1380.1124, the recipe says 2.0.1380.1125"]);
}

#[test]
fn versions_can_differ_by_platform() {
    let fixture = Fixture::new();
    fixture.payload(Platform::Alpha, "CCM.DLL", &image(Platform::Alpha, Some("2.0.1380.1124"), b""));
    fixture.edit(
        "version = \"2.0.1380.1125\"",
        "version = { i386 = \"2.00.1380.1125\", alpha = \"2.0.1380.1124\" }",
    );
    assert!(fixture.survey().is_ok());
    fixture.edit(", alpha = \"2.0.1380.1124\"", "");
    assert!(fixture.survey().is_ok(), "nothing is wanted of a platform that the table lacks");
}

#[test]
fn a_version_of_what_has_none_is_found() {
    let fixture = Fixture::new();
    fixture.payload(Platform::I386, "CCM.DLL", &image(Platform::I386, None, b""));
    fixture.payload(Platform::Alpha, "CCM.DLL", b"text");
    found(
        &fixture,
        &[
            "update/i386/CCM.DLL has no version resource, the recipe says that it has version 2.0.1380.1125",
            "update/alpha/CCM.DLL is no PE image (no MZ signature), the recipe says that it has version 2.0.1380.1125",
        ],
    );
}

#[test]
fn a_missing_twin_a_missing_file_and_an_unlisted_one_are_found_together() {
    let fixture = Fixture::new();
    fixture.remove("update/alpha/CCM.DLL");
    fixture.remove("update/i386/Compver.ini");
    fixture.remove("update/alpha/Compver.ini");
    fixture.payload(Platform::Alpha, "Stray.dll", b"");
    found(
        &fixture,
        &[
            "update/alpha/Stray.dll is in the payload, and no [[file]] of the recipe lists it for alpha",
            "Compver.ini is listed, and the payload for i386, update/i386, lacks it",
            "Ccm.dll is in the payload for i386, and the one for alpha, update/alpha, lacks it",
            "Compver.ini is listed, and the payload for alpha, update/alpha, lacks it",
        ],
    );
}

#[test]
fn a_file_can_exist_for_one_platform_only() {
    let fixture = Fixture::new();
    fixture.remove("update/alpha/Compver.ini");
    fixture.edit("name = \"Compver.ini\"\n", "name = \"Compver.ini\"\nplatforms = [\"i386\"]\n");
    assert_eq!(fixture.survey().unwrap().files.len(), 3);
    fixture.payload(Platform::Alpha, "Compver.ini", b"");
    found(
        &fixture,
        &["update/alpha/Compver.ini is in the payload, and no [[file]] of the recipe lists it for alpha"],
    );
}

#[test]
fn one_file_listed_twice_is_found_unless_the_platforms_differ() {
    let fixture = Fixture::new();
    fixture
        .edit("[[file]]\nname = \"Ccm.dll\"", "[[file]]\nname = \"CCM.dll\"\n\n[[file]]\nname = \"Ccm.dll\"");
    found(
        &fixture,
        &[
            "Ccm.dll is listed twice for i386, wanted is once",
            "Ccm.dll is listed twice for alpha, wanted is once",
        ],
    );
    fixture.edit("name = \"CCM.dll\"", "name = \"CCM.dll\"\nplatforms = [\"i386\"]");
    fixture.edit("name = \"Ccm.dll\"", "name = \"Ccm.dll\"\nplatforms = [\"alpha\"]");
    assert_eq!(fixture.survey().unwrap().files.len(), 4);
}

#[test]
fn a_platform_without_payload_is_found() {
    let fixture = Fixture::new();
    fixture.edit("alpha = \"update/alpha\"\n", "");
    fixture.edit("name = \"Ccm.dll\"", "name = \"Ccm.dll\"\nplatforms = [\"i386\", \"alpha\"]");
    found(
        &fixture,
        &[
            "Ccm.dll is listed for alpha, for which [payload] has no files",
            "baseline \"1380.1000\" has files for alpha, [payload] has none",
        ],
    );
    fixture.edit("i386 = \"update/i386\"\n", "");
    assert!(
        fixture.findings().contains(&"[payload] names no platform, wanted is i386, alpha or both".to_owned())
    );
}

#[test]
fn roles_that_the_profile_lacks_and_empty_or_doubled_roles_are_found() {
    let fixture = Fixture::new();
    fixture.edit("roles = [\"site-server\"]", "roles = [\"distribution-point\"]");
    found(
        &fixture,
        &[
            "Compver.ini goes to role distribution-point, the profile defines site-server, sql-monitor, provider, console",
        ],
    );
    fixture.edit("roles = [\"distribution-point\"]", "roles = []");
    found(&fixture, &["Compver.ini goes to no role, wanted is each role once, and at least one"]);
    fixture.edit("roles = []", "roles = [\"console\", \"console\"]");
    found(&fixture, &["Compver.ini goes to console, console, wanted is each role once, and at least one"]);
}

#[test]
fn destinations_that_lead_elsewhere_are_found() {
    let fixture = Fixture::new();
    for (to, reason) in [
        ("../Bin", "it holds '.' or '..'"),
        ("C:/Sms", "it holds one of"),
        ("/Sms", "a component is empty"),
        ("Bin/{drive}", "place holder other than {platform}"),
        ("$NtUninstallQ1$", "names the patcher's own folders"),
    ] {
        fixture.put("update.toml", crate::fixture::RECIPE.as_bytes());
        fixture.edit("roles = [\"site-server\"]", &format!("roles = [\"site-server\"]\nto = '{to}'"));
        let findings = fixture.findings();
        assert!(
            findings[0].starts_with(&format!("Compver.ini goes to {to:?}, which leads to no safe path: "))
        );
        assert!(findings[0].contains(reason), "{findings:?}");
    }
}

#[test]
fn a_destination_of_the_recipe_takes_the_place_of_the_roles() {
    let fixture = Fixture::new();
    fixture.edit(
        "roles = [\"site-server\"]",
        "roles = [\"site-server\", \"console\"]\nto = \"Inboxes/Clicomp.src/Base/{platform}\"\nwhen = \"present\"\nregister = true",
    );
    let survey = fixture.survey().unwrap();
    let file = &survey.files[3];
    assert!(file.register);
    for entry in &file.install {
        assert_eq!(entry.to.as_str(), "Inboxes/Clicomp.src/Base/alpha/Compver.ini");
        assert_eq!(entry.verb, Verb::ReplaceFile);
    }
}

#[test]
fn two_files_with_one_destination_are_found() {
    let fixture = Fixture::new();
    for platform in Platform::ALL {
        fixture.payload(platform, "alpha/ccm.dll", b"");
        fixture.payload(platform, "i386/ccm.dll", b"");
    }
    let more = "[[file]]\nname = \"alpha/ccm.dll\"\nto = \"Bin\"\nroles = [\"provider\"]\n\n[[file]]\nname = \"i386/ccm.dll\"\n\
                to = \"Bin\"\nroles = [\"console\"]\n\n[[file]]";
    fixture.edit("[[file]]", more);
    found(
        &fixture,
        &[
            "i386/Ccm.dll and i386/i386/ccm.dll both go to Bin/i386/ccm.dll in role console",
            "alpha/alpha/ccm.dll and alpha/Ccm.dll both go to Bin/alpha/Ccm.dll in role provider",
        ],
    );
}

#[test]
fn two_payload_files_with_one_name_by_case_are_found() {
    let fixture = Fixture::new();
    fixture.payload(Platform::I386, "ccm.dll", b"");
    if fs::read_dir(fixture.path("update/i386")).unwrap().count() == 3 {
        found(&fixture, &["update/i386: CCM.DLL and ccm.dll have one name, ignoring case"]);
    }
}

#[test]
fn payload_names_that_no_bundle_can_carry_are_found_and_baseline_ones_ignored() {
    let fixture = Fixture::new();
    fixture.put("baseline/i386/aux.dll", b"");
    assert!(fixture.survey().is_ok());
    fixture.payload(Platform::I386, "aux.dll", b"");
    let findings = fixture.findings();
    assert_eq!(findings.len(), 1);
    assert!(findings[0].starts_with("update/i386 holds a file that no bundle can carry: path \"aux.dll\""));
}

#[test]
fn another_product_is_found() {
    let fixture = Fixture::new();
    fixture.edit("Server 2.0", "Server 1.2");
    let wanted = "product is \"Systems Management Server 1.2\" in the recipe, \"Systems Management Server 2.0\" in the profile";
    found(&fixture, &[wanted]);
}

#[test]
fn values_that_make_no_sense_are_found() {
    let fixture = Fixture::new();
    fixture.edit(
        "builds = [1380]",
        "builds = [1380, 1380]\nrevision = 0\nrequires = [\"q252717\"]\nsupersedes = [\"Q1\", \"q1\"]",
    );
    fixture.edit("CCM avoids", "CCM\\navoids");
    fixture.edit("[[file]]", "[[baseline]]\nname = \"1380.1000\"\n[[baseline]]\nname = \"\"\n\n[[file]]");
    found(
        &fixture,
        &[
            "title is \"CCM\\navoids installation attempts on SP2 clients\", wanted is one line of at most 200 characters",
            "revision is 0, wanted is 1 or more",
            "builds is [1380, 1380], wanted is each build once",
            "requires is a list that holds Q252717 itself, wanted is other updates",
            "supersedes is a list that holds an update twice, wanted is each update once",
            "name of a [[baseline]] is \"1380.1000\" twice, wanted is each name once",
            "name of a [[baseline]] is \"\", wanted is one line",
        ],
    );
}

#[test]
fn absent_and_empty_trees_are_found() {
    let fixture = Fixture::new();
    fixture.edit("update/alpha", "update/mips");
    fixture.edit("baseline/i386", "update.toml");
    fs::create_dir(fixture.path("empty")).unwrap();
    fixture.edit("update/i386", "empty");
    found(
        &fixture,
        &[
            "empty holds no file, wanted is at least one",
            "update/mips does not exist",
            "Ccm.dll is listed, and the payload for i386, empty, lacks it",
            "Compver.ini is listed, and the payload for i386, empty, lacks it",
            "update.toml starts with [69, 64, 20, 3d]: a folder, a zip (PK), a cabinet (MSCF) or a program (MZ) that carries one of \
             them is wanted",
        ],
    );
}

#[test]
fn findings_are_causes_one_after_the_other_and_each_has_a_remedy() {
    let fixture = Fixture::new();
    fixture.edit("Server 2.0", "Server 1.2");
    fixture.remove("update/alpha/CCM.DLL");
    let findings = fixture.survey().map(|_| ()).unwrap_err();
    assert_eq!(findings.to_string(), "Q252717: recipe and payload do not agree in 2 points");
    let first = findings.source().unwrap();
    assert!(first.to_string().starts_with("product is "));
    assert!(first.source().unwrap().to_string().starts_with("Ccm.dll is in the payload for i386"));
    assert!(first.source().unwrap().source().is_none());
    assert_eq!(findings.remedies().len(), 2);
}

#[test]
fn a_version_that_is_not_above_its_baseline_is_warned_of() {
    let fixture = Fixture::new();
    for (version, words) in [
        ("2.0.1380.1125", ["version 2.0.1380.1125 in baseline", "raise it"]),
        ("2.0.1380.1126", ["below the 2.0.1380.1126 of baseline", "keep it"]),
    ] {
        fixture.put("baseline/alpha/Ccm.dll", &image(Platform::Alpha, Some(version), b"other"));
        let warnings = fixture.survey().unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        for word in ["alpha/Ccm.dll"].iter().chain(&words) {
            assert!(warnings[0].to_string().contains(word), "{word:?} is not in {:?}", warnings[0]);
        }
    }
}

#[test]
fn a_baseline_without_any_file_of_the_payload_and_an_empty_file_are_warned_of() {
    let fixture = Fixture::new();
    fixture.remove("baseline/alpha/Ccm.dll");
    fixture.payload(Platform::Alpha, "Compver.ini", b"");
    let root = format!("{}/", fixture.path("").display()).replace("//", "/");
    let warnings: Vec<String> = fixture
        .survey()
        .unwrap()
        .warnings
        .iter()
        .map(|warning| warning.to_string().replace(&root, ""))
        .collect();
    assert_eq!(
        warnings,
        [
            "update/alpha/Compver.ini is empty",
            "baseline \"1380.1000\": baseline/alpha holds no file of the payload"
        ]
    );
}
