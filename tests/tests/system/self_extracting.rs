//! Self-extracting bundles on a machine where their program does not run: bundles like any other, and zips for everybody.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use qfe_patcher::bundle::container::Container;
use qfe_patcher::bundle::manifest::MAX_MEMBER;
use qfe_patcher::digest::Digest;
use qfe_patcher::exit::ExitCode;
use qfe_patcher::target_path::TargetPath;
use qfe_tests::args;
use qfe_tests::programs::{builder, has_tool, patcher, seven_zip, tool};
use qfe_tests::samples::{Server, workshop};
use qfe_tests::tree;
use tempfile::TempDir;

#[path = "../../../patcher/src/bundle/container/program/fixture.rs"]
#[allow(dead_code, reason = "it is written for the unit tests of the patcher too")]
pub(crate) mod program;

/// Builds Q252717 as a self-extracting bundle, behind a program that cannot run.
fn built(folder: &TempDir, more: &[&str]) -> PathBuf {
    let (stub, bundle) = (folder.path().join("qfe-patcher.exe"), folder.path().join("Q252717.exe"));
    fs::write(&stub, program::patcher()).unwrap();
    let stub = stub.to_str().unwrap();
    workshop().build("Q252717", &bundle, &[&["--stub", stub], more].concat()).succeeds();
    bundle
}

/// Reads every member of a bundle.
fn members(bundle: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut container = Container::open(Cursor::new(bundle)).unwrap();
    let names: Vec<TargetPath> = container.members().cloned().collect();
    names.iter().map(|name| (name.to_string(), container.read(name, MAX_MEMBER).unwrap())).collect()
}

#[test]
fn it_is_verified_applied_staged_extracted_and_taken_back_like_any_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = built(&folder, &[]);
    let inspected = builder(args!["inspect", &bundle, "--json"]).succeeds().json();
    assert_eq!(inspected["container"], "exe");
    for platform in ["i386", "alpha"] {
        let server = Server::new(platform);
        let before = tree::read_product(server.root());
        patcher(args!["verify", &bundle, "--keys", workshop().public_key()]).succeeds();
        assert_eq!(server.apply(&bundle).succeeds().json()["outcome"], "changed");
        let to = folder.path().join(format!("staged-{platform}"));
        patcher(args!["stage", "--target", server.root(), "--to", &to]).succeeds();
        assert!(fs::read(to.join("Q252717.exe")).unwrap() == fs::read(&bundle).unwrap());
        server.run("rollback").succeeds();
        assert!(tree::read_product(server.root()) == before, "{platform}");
    }
    let to = folder.path().join("members");
    patcher(args!["extract", &bundle, "--to", &to, "--keys", workshop().public_key()]).succeeds();
    assert!(to.join("alpha/Ccm.dll").is_file());
}

/// Anybody can put another program before a bundle that is good: who asks whether he can trust the file is told.
#[test]
fn a_good_signature_is_said_to_be_none_of_the_program_and_inspect_tells_whose_keys_it_believes() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = built(&folder, &[]);
    let vendor = ["--keys".into(), workshop().public_key().into_os_string()];
    let verified =
        |bundle: &Path| patcher([args!["verify", bundle, "--json"].to_vec(), vendor.to_vec()].concat());
    let run = verified(&bundle).succeeds();
    assert!(run.stderr.contains("are signed by nobody"), "{}", run.stderr);
    assert!(run.json()["notes"][0].as_str().unwrap().contains("do not run the file itself"));
    let run = verified(&workshop().bundle()).succeeds();
    assert_eq!(run.json()["notes"], serde_json::json!([]));

    let inspected =
        |bundle: &Path| builder(args!["inspect", bundle, "--json"]).succeeds().json()["program"].clone();
    let run = builder(args!["inspect", &bundle]).succeeds();
    let key = fs::read_to_string(workshop().public_key()).unwrap();
    let id = key.lines().next().unwrap().rsplit(' ').next().unwrap();
    for words in ["program:     1024 bytes, SHA-256 ", "without --keys it believes key ring: ", id] {
        assert!(run.stdout.contains(words), "{words}: {}", run.stdout);
    }
    let program = inspected(&bundle);
    assert_eq!((&program["size"], &program["ring"]["keys"][0]["id"]), (&1024.into(), &id.into()));
    assert_eq!(program["sha256"], Digest::of(&program::patcher()).to_string());
    // A ring that is none does not hide the rest, nor speak to the terminal.
    let mut bytes = fs::read(&bundle).unwrap();
    bytes.splice(1024 + 12..1024 + 16, *b"\x1b[2J");
    fs::write(&bundle, bytes).unwrap();
    let run = builder(args!["inspect", &bundle]).succeeds();
    assert!(
        run.stdout.contains("with a key ring that cannot be read: keyring.toml: line 1"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains('\u{1b}'), "{}", run.stdout);
    assert!(inspected(&bundle)["ring"]["error"].as_str().unwrap().contains("line 1"));
    assert_eq!(inspected(&workshop().bundle()), serde_json::Value::Null);
}

/// Who can change the bundle can change the ring in it, and the program that believes it.
#[test]
fn the_key_ring_in_it_is_nothing_to_another_patcher() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = built(&folder, &[]);
    let bytes = fs::read(&bundle).unwrap();
    assert!(bytes.windows(8).filter(|window| *window == b"QFE-RING").count() == 2, "it carries a ring");
    let run = patcher(args!["verify", &bundle, "--keys", &bundle]).ends(ExitCode::Untrusted);
    assert!(run.stderr.contains("--keys names "), "{}", run.stderr);
    let run = patcher(args!["verify", &bundle]).ends(ExitCode::BadCommandLine);
    assert!(run.stderr.contains("verify lacks --keys <KEYS>"), "{}", run.stderr);
    // Not even where it is its own vendor's, and another signed.
    let stranger = workshop().path("stranger.pub");
    patcher(args!["verify", &bundle, "--keys", stranger]).ends(ExitCode::Untrusted);
}

#[test]
fn the_same_inputs_give_the_same_bytes_and_a_signature_more_changes_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = built(&folder, &[]);
    let first = fs::read(&bundle).unwrap();
    built(&folder, &[]);
    assert!(fs::read(&bundle).unwrap() == first);
    builder(args!["sign", &bundle, "--key", workshop().path("second.key")]).succeeds();
    let signed = fs::read(&bundle).unwrap();
    // Program, key ring, and the manifest, which comes first.
    let at = first.windows(4).position(|window| window == b"PK\x03\x04").unwrap();
    assert!(signed.len() > first.len() && signed[..at + 1000] == first[..at + 1000]);
    for key in ["vendor.pub", "second.pub"] {
        patcher(args!["verify", &bundle, "--keys", workshop().path(key)]).succeeds();
    }
    // As if both had signed at once; the ring of the one has other names, so the archive lies elsewhere.
    let both = workshop().path("second.key");
    let ring = workshop().public_key();
    let twice = tempfile::tempdir().unwrap();
    let more = ["--key", both.to_str().unwrap(), "--keys", ring.to_str().unwrap()];
    let by_both = fs::read(built(&twice, &more)).unwrap();
    assert!(members(by_both) == members(signed));
}

#[test]
fn check_holds_program_members_and_with_keys_the_ring_against_what_they_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = built(&folder, &[]);
    let recipe = workshop().sample("Q252717").join("update.toml");
    let stub = folder.path().join("qfe-patcher.exe");
    let check = |stub: &Path, more: &[&str]| {
        let mut words = args!["build", &recipe, "--check", &bundle, "--stub", stub].to_vec();
        words.extend(more.iter().map(Into::into));
        builder(words)
    };
    let run = check(&stub, &[]).succeeds();
    assert!(run.stderr.contains("and the program; the key ring in it was not looked at"), "{}", run.stderr);
    let other = folder.path().join("other.exe");
    let mut bytes = program::patcher();
    bytes[0x3f0] ^= 1;
    fs::write(&other, &bytes).unwrap();
    let run = check(&other, &[]).ends(ExitCode::Untrusted);
    let wanted = format!("the program is 1024 bytes with digest {}", Digest::of(&program::patcher()));
    assert!(run.stderr.contains(&wanted), "{}", run.stderr);
    // Built without --keys it carries the ring of the key that signed, under another name than the file of --keys has.
    let run = check(&stub, &["--keys", workshop().public_key().to_str().unwrap()]).succeeds();
    assert!(run.stderr.contains("the program and the key ring in it"), "{}", run.stderr);
    let stranger = workshop().path("stranger.pub");
    let run = check(&stub, &["--keys", stranger.to_str().unwrap()]).ends(ExitCode::Untrusted);
    assert!(run.stderr.contains("the key ring in the program is "), "{}", run.stderr);
    let run = builder(args!["build", &recipe, "--check", workshop().bundle(), "--stub", &stub]);
    assert!(run.ends(ExitCode::BadCommandLine).stderr.contains("is no self-extracting bundle"));
}

#[test]
fn what_is_no_patcher_is_not_put_before_a_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let stub = folder.path().join("stub");
    let bundle = folder.path().join("Q252717.exe");
    let words = ["--stub", stub.to_str().unwrap()];
    for (bytes, words_of_refusal) in [
        (program::program(), "no qfe-patcher that can carry a bundle"),
        ([program::patcher(), vec![0; 8]].concat(), "has 1032 bytes, its sections end at 1024"),
        (b"#!/bin/sh".to_vec(), "is no program for Windows"),
    ] {
        fs::write(&stub, bytes).unwrap();
        let run = workshop().build("Q252717", &bundle, &words).ends(ExitCode::BadCommandLine);
        assert!(run.stderr.contains(words_of_refusal), "{}", run.stderr);
        assert!(!bundle.exists());
    }
    let run = workshop().build("Q252717", &folder.path().join("Q252717.zip"), &words);
    assert!(run.ends(ExitCode::BadCommandLine).stderr.contains("--output is no .exe"));
    let run = workshop().build("Q252717", &bundle, &["--stub", "no-such-stub.exe"]);
    assert!(run.ends(ExitCode::BundleUnreadable).stderr.contains("name the patcher for Windows by --stub"));
}

/// Positions count from the file's beginning: nobody has to guess, or warns.
#[test]
fn other_programs_read_the_zip_behind_the_program_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = built(&folder, &[]);
    let wanted = fs::read(workshop().sample("Q252717").join("update/alpha/Ccm.dll")).unwrap();
    for (needed, script) in [
        ("unzip", "unzip -q -d by Q252717.exe && unzip -tq Q252717.exe".to_owned()),
        (seven_zip(), format!("{0} x -tzip -oby Q252717.exe >7z.log && ! grep -i warning 7z.log", seven_zip())),
        (
            "python3",
            "python3 -W error -c 'import zipfile; z = zipfile.ZipFile(\"Q252717.exe\"); assert z.testzip() is None; \
             assert z.filelist[0].header_offset > 1024; z.extractall(\"by\")'"
                .to_owned(),
        ),
    ] {
        if !has_tool(needed) {
            continue;
        }
        let run = tool("sh", folder.path(), args!["-c", script]);
        assert!(!run.stderr.to_lowercase().contains("warning"), "{needed}: {}", run.stderr);
        assert!(fs::read(folder.path().join("by/alpha/Ccm.dll")).unwrap() == wanted, "{needed}");
        fs::remove_dir_all(folder.path().join("by")).unwrap();
    }
    assert!(bundle.is_file());
}
