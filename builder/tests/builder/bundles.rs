//! Finished bundles: what they hold, that their bytes depend on nothing else, and that failures leave nothing.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::process::Command;

use qfe_patcher::bundle::Bundle;
use qfe_patcher::bundle::container::Container;
use qfe_patcher::bundle::keyring::KeyRing;
use qfe_patcher::bundle::manifest::Manifest;
use qfe_patcher::day::Day;
use qfe_patcher::platform::Platform;
use serde_json::json;

use crate::fixture::{FIRST, Fixture, SECOND, exit_status, noise};
use crate::pe::image;

const OUTPUTS: [&str; 2] = ["Q252717.zip", "Q252717.cab"];

fn bundle(fixture: &Fixture, name: &str) -> Bundle {
    Bundle::open(Cursor::new(fixture.get(name))).unwrap()
}

fn manifest(fixture: &Fixture, name: &str) -> Manifest {
    bundle(fixture, name).manifest_unverified().unwrap()
}

fn members(fixture: &Fixture, name: &str) -> Vec<String> {
    let container = Container::open(Cursor::new(fixture.get(name))).unwrap();
    container.members().map(ToString::to_string).filter(|name| !name.starts_with("signatures/")).collect()
}

#[test]
fn a_complete_bundle_holds_each_file_whole_and_a_delta_from_each_baseline() {
    let fixture = Fixture::new();
    for output in OUTPUTS {
        let answer = fixture.build(output, &[]);
        assert_eq!(
            (&answer["files"], &answer["deltas"], &answer["warnings"]),
            (&json!(4), &json!(2), &json!([]))
        );
        assert_eq!(answer["size"], json!(fixture.get(output).len()));
        let manifest = manifest(&fixture, output);
        assert!(manifest.files.iter().all(|file| file.member.is_some()));
        let names = members(&fixture, output);
        // The manifest and the article, the files, the deltas.
        assert_eq!(names.len(), 2 + 4 + 2, "{names:?}");
        assert!(names.contains(&"alpha/Ccm.dll".to_owned()), "{names:?}");
        let delta = &manifest.deltas[0];
        assert_eq!(
            delta.member.to_string(),
            format!("deltas/{}-{}.exe", delta.old.prefix(), delta.new.prefix())
        );
    }
}

#[test]
fn the_same_inputs_give_the_same_bytes_with_any_number_of_threads_and_in_another_folder() {
    let fixture = Fixture::new();
    let other = Fixture::new();
    for name in [FIRST, "first.key.pub"] {
        other.put(name, &fixture.get(name));
    }
    for output in OUTPUTS {
        fixture.build(output, &["--jobs", "1"]);
        let bytes = fixture.get(output);
        fixture.build(output, &["--jobs", "8"]);
        assert!(fixture.get(output) == bytes, "{output}: with eight threads");
        other.build(output, &["--quiet"]);
        assert!(other.get(output) == bytes, "{output}: in another folder");
    }
}

#[test]
fn the_patcher_verifies_and_makes_every_file() {
    let fixture = Fixture::new();
    let public = String::from_utf8(fixture.get("first.key.pub")).unwrap();
    let ring = KeyRing::new([("k", public.as_str())], None).unwrap();
    for output in OUTPUTS {
        fixture.build(output, &[]);
        let mut verified =
            bundle(&fixture, output).verify(ring.clone(), Day::of(std::time::SystemTime::now())).unwrap();
        verified.check_members().unwrap();
        for file in verified.manifest().files.clone() {
            let new =
                fixture.get(&format!("update/{}/{}", file.platform, file.name).replace("Ccm.dll", "CCM.DLL"));
            assert!(verified.make(&file, None).unwrap().0 == new);
        }
    }
}

#[test]
fn a_lean_bundle_leaves_out_what_every_baseline_has_a_delta_for() {
    let fixture = Fixture::new();
    let answer = fixture.build("Q252717.zip", &["--lean"]);
    assert_eq!(members(&fixture, "Q252717.zip").len(), 2 + 2 + 2);
    let manifest = manifest(&fixture, "Q252717.zip");
    let whole: BTreeSet<String> = manifest
        .files
        .iter()
        .filter(|file| file.member.is_some())
        .map(|file| file.name.to_string())
        .collect();
    assert_eq!(whole, BTreeSet::from(["Compver.ini".to_owned()]));
    assert_eq!(
        answer["warnings"],
        json!([
            "i386/Compver.ini: the lean bundle holds the whole file, as no old file of it is known",
            "alpha/Compver.ini: the lean bundle holds the whole file, as no old file of it is known"
        ])
    );
}

#[test]
fn a_delta_that_is_not_smaller_than_the_packed_file_is_dropped() {
    let fixture = Fixture::new();
    let unrelated = image(Platform::Alpha, None, &noise(40_000, 99));
    fixture.put("baseline/alpha/Ccm.dll", &unrelated);
    let answer = fixture.build("Q252717.zip", &["--lean"]);
    assert_eq!(answer["deltas"], json!(1));
    let warning = answer["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("alpha/Ccm.dll from 1380.1000: the delta of "), "{warning}");
    let manifest = manifest(&fixture, "Q252717.zip");
    let whole = |platform| {
        let mut files =
            manifest.files.iter().filter(|file| file.platform == platform && file.name.name() == "Ccm.dll");
        files.next().unwrap().member.is_some()
    };
    assert_eq!((whole(Platform::I386), whole(Platform::Alpha)), (false, true));
}

#[test]
fn a_baseline_that_is_the_new_file_already_needs_no_delta() {
    let fixture = Fixture::new();
    fixture.put("baseline/alpha/Ccm.dll", &fixture.get("update/alpha/CCM.DLL"));
    let answer = fixture.build("Q252717.zip", &["--lean"]);
    assert_eq!(answer["deltas"], json!(1));
    let warnings = answer["warnings"].to_string();
    let why =
        "alpha/Ccm.dll: the lean bundle holds the whole file, as every known old file is the new one already";
    assert!(warnings.contains(why), "{warnings}");
    let manifest = manifest(&fixture, "Q252717.zip");
    let alpha = manifest.files.iter().find(|file| file.platform == Platform::Alpha).unwrap();
    assert_eq!((alpha.baselines.len(), alpha.member.is_some()), (1, true));
}

#[test]
fn a_file_with_two_baselines_needs_both_deltas_and_equal_ones_are_made_once() {
    let fixture = Fixture::new();
    fixture.edit("[[file]]", "[[baseline]]\nname = \"again\"\nalpha = \"baseline/alpha\"\n\n[[file]]");
    let answer = fixture.build("Q252717.zip", &["--lean"]);
    assert_eq!(answer["deltas"], json!(2));
    let manifest = manifest(&fixture, "Q252717.zip");
    let alpha = manifest.files.iter().find(|file| file.platform == Platform::Alpha).unwrap();
    assert_eq!((alpha.baselines.len(), alpha.member.is_some()), (2, false));
}

#[test]
fn codec_full_makes_no_delta() {
    let fixture = Fixture::new();
    assert_eq!(fixture.build("Q252717.zip", &["--codec", "full"])["deltas"], json!(0));
}

#[test]
fn a_signature_added_later_gives_the_bytes_of_a_bundle_signed_by_both_at_once() {
    let fixture = Fixture::new();
    for output in OUTPUTS {
        fixture.build(output, &["--key", SECOND]);
        let both = fixture.get(output);
        fixture.build(output, &[]);
        let (status, answer) = fixture.json(&["sign", output, "--key", SECOND]);
        assert_eq!((status, &answer["outcome"]), (0, &json!("signed")), "{answer:#}");
        assert_eq!(answer["signers"].as_array().unwrap().len(), 2);
        assert!(fixture.get(output) == both, "{output}");
        let (status, answer) = fixture.json(&["sign", output, "--key", FIRST]);
        assert_eq!((status, &answer["outcome"]), (0, &json!("already-signed")));
        assert!(fixture.get(output) == both, "{output} was touched");
    }
}

#[test]
fn a_false_signature_in_the_keys_own_name_is_refused() {
    let fixture = Fixture::new();
    fixture.build("Q252717.zip", &[]);
    fixture.build("other.zip", &["--codec", "full"]);
    // The manifest of one bundle with the signature of the other.
    let mut source = zip::ZipArchive::new(Cursor::new(fixture.get("Q252717.zip"))).unwrap();
    let signatures = bundle(&fixture, "other.zip").signed().signatures.clone();
    let mut forged = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..source.len() {
        let entry = source.by_index_raw(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        match signatures.get(&name) {
            None => forged.raw_copy_file(entry).unwrap(),
            Some(text) => {
                forged.start_file(name, zip::write::SimpleFileOptions::DEFAULT).unwrap();
                std::io::Write::write_all(&mut forged, text.as_bytes()).unwrap();
            }
        }
    }
    fixture.put("forged.zip", &forged.finish().unwrap().into_inner());
    let (status, answer) = fixture.json(&["sign", "forged.zip", "--key", FIRST]);
    assert_eq!((status, &answer["code"]), (exit_status(1625), &json!(1625)), "{answer:#}");
}

#[test]
fn a_damaged_bundle_is_not_signed_and_stays_as_it_was() {
    let fixture = Fixture::new();
    fixture.build("Q252717.cab", &[]);
    fixture.damage("Q252717.cab");
    let bytes = fixture.get("Q252717.cab");
    let (status, answer) = fixture.json(&["sign", "Q252717.cab", "--key", SECOND]);
    assert_eq!((status, &answer["code"]), (exit_status(1620), &json!(1620)), "{answer:#}");
    assert!(fixture.get("Q252717.cab") == bytes);
    assert!(fixture.unfinished().is_empty());
}

#[test]
fn a_key_ring_that_does_not_believe_the_keys_keeps_the_bundle_from_its_name() {
    let fixture = Fixture::new();
    fixture.put("ring/second.pub", &fixture.get("second.key.pub"));
    let build = ["build", "update.toml", "--key", FIRST, "-o", "Q252717.zip", "--keys"];
    let (status, answer) = fixture.json(&[&build[..], &["ring"]].concat());
    assert_eq!((status, &answer["code"]), (exit_status(1625), &json!(1625)), "{answer:#}");
    fixture.put("ring/first.pub", &fixture.get("first.key.pub"));
    fixture.put("ring/keyring.toml", b"threshold = 2\n");
    let (status, _) = fixture.json(&[&build[..], &["ring"]].concat());
    assert_eq!(status, exit_status(1625));
    assert!(!fixture.path("Q252717.zip").exists() && fixture.unfinished().is_empty());
    let (status, answer) = fixture.json(&[&build[..], &["ring", "--key", SECOND]].concat());
    assert_eq!(status, 0, "{answer:#}");
}

#[test]
fn stock_minisign_verifies_the_manifest_by_each_key() {
    let fixture = Fixture::new();
    fixture.build("Q252717.zip", &["--key", SECOND]);
    let signed = bundle(&fixture, "Q252717.zip").signed().clone();
    fixture.put("manifest.json", &signed.bytes);
    for public in ["first.key.pub", "second.key.pub"] {
        let id = fs::read_to_string(fixture.path(public)).unwrap();
        let id = id.lines().next().unwrap().rsplit(' ').next().unwrap();
        fixture.put("m", signed.signatures[&format!("signatures/{id}.minisig")].as_bytes());
        let arguments = ["-V", "-p", public, "-m", "manifest.json", "-x", "m"];
        match Command::new("minisign").args(arguments).current_dir(fixture.path("")).output() {
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => println!("skipped: minisign cannot be run ({error})"),
        }
    }
}

#[test]
fn what_the_profile_says_is_in_the_manifest() {
    let fixture = Fixture::new();
    fixture.build("Q252717.zip", &[]);
    let with_builds = manifest(&fixture, "Q252717.zip");
    assert_eq!((with_builds.gates.len(), with_builds.roles.len()), (4, 4));
    assert_eq!(with_builds.log.as_str(), "LOGS/Q252717.log");
    fixture.edit("builds = [1380]", "builds = []");
    fixture.build("Q252717.zip", &[]);
    assert!(manifest(&fixture, "Q252717.zip").builds.is_empty());
}

#[test]
fn another_profile_can_be_named() {
    let fixture = Fixture::new();
    let profile = "product = 'Other'\nlog = 'log/{id}.txt'\n[platforms]\ni386 = 'x86'\nalpha = 'axp'\n\
                   [[role]]\nrole = 'site-server'\ntitle = 't'\nusual = 'u'\nto = '{platform}'\nwhen = 'always'\n";
    fixture.put("profiles/other.toml", profile.as_bytes());
    fixture.edit(
        "product = \"Systems Management Server 2.0\"",
        "product = 'Other'\nprofile = 'profiles/other.toml'",
    );
    fixture.build("Q252717.zip", &[]);
    let manifest = manifest(&fixture, "Q252717.zip");
    assert_eq!((manifest.product.as_str(), manifest.log.as_str()), ("Other", "log/Q252717.txt"));
    assert_eq!(manifest.files[0].install[0].to.as_str(), "x86/Ccm.dll");
    assert!(members(&fixture, "Q252717.zip").contains(&"axp/Ccm.dll".to_owned()));
}
