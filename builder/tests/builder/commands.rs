//! The program: what it prints, what it refuses, and how it ends.

use std::fs;

use serde_json::json;

use crate::archives;
use crate::fixture::{FIRST, Fixture, exit_status};

/// Exit status of what is at fault in recipe or command line.
const REFUSED: i32 = exit_status(1639);

#[test]
fn a_bad_command_line_ends_with_1639_and_json_where_it_was_asked_for() {
    let fixture = Fixture::new();
    let output = fixture.run(&["build"]);
    assert_eq!(output.status.code(), Some(REFUSED));
    assert!(output.stdout.is_empty());
    let (status, answer) = fixture.json(&["build", "--colour", "red"]);
    assert_eq!(status, REFUSED);
    assert_eq!(
        (&answer["command"], &answer["outcome"], &answer["code"]),
        (&json!("build"), &json!("refused"), &json!(1639))
    );
    assert!(answer["error"].as_str().unwrap().contains("--colour"), "{answer:#}");
    assert_eq!(fixture.run(&["--version"]).status.code(), Some(0));
}

#[test]
fn every_failure_has_the_same_keys() {
    let fixture = Fixture::new();
    let (status, answer) = fixture.json(&["inspect", "no.zip"]);
    assert_eq!(status, exit_status(1619));
    let keys: Vec<&str> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["causes", "code", "command", "error", "findings", "hints", "outcome"]);
    assert_eq!((&answer["error"], &answer["code"]), (&json!("no.zip cannot be read"), &json!(1619)));
}

#[test]
fn outputs_that_cannot_be_made_are_refused_by_name() {
    let fixture = Fixture::new();
    let refused = |more: &[&str], words: &str| {
        let (status, answer) = fixture.json(&[&["build", "update.toml", "--key", FIRST], more].concat());
        assert_eq!((status, &answer["code"]), (REFUSED, &json!(1639)), "{answer:#}");
        assert!(answer["error"].as_str().unwrap().contains(words), "{answer:#}");
        assert!(!answer["hints"].as_array().unwrap().is_empty());
    };
    refused(&["-o", "Q252717.rar"], "ends in none of .zip, .cab and .exe");
    refused(&["-o", "Q252717.exe", "--stub", "update.toml"], "is no program for Windows");
    refused(&["-o", "Q252717.zip", "--lean", "--codec", "full"], "neither whole files nor deltas");
}

#[test]
fn no_output_takes_the_place_of_what_is_read() {
    let fixture = Fixture::new();
    fixture.build("a.zip", &[]);
    fixture.build("b.zip", &["--codec", "full"]);
    let file = |name: &str| fixture.get(&format!("update/i386/{name}"));
    let files = [("i386/CCM.DLL", file("CCM.DLL")), ("i386/Compver.ini", file("Compver.ini"))];
    fixture.put("a.htm", &fixture.get("a.zip"));
    fixture.put("u.zip", &archives::zip(&files.each_ref().map(|(name, bytes)| (*name, bytes.as_slice()))));
    fixture.put("article.txt", b"Q252717: an article\n");
    fixture.edit("update/i386", "u.zip/i386");
    fixture.put("recipe.txt", &fixture.get("update.toml"));
    fs::create_dir(fixture.path("sub")).unwrap();
    for (input, arguments) in [
        ("a.htm", &["inspect", "a.htm", "--html", "sub/../a.htm"][..]),
        ("a.htm", &["compare", "a.htm", "b.zip", "--html", "a.htm"]),
        ("a.htm", &["compare", "b.zip", "a.htm", "--html", "./a.htm"]),
        ("a.zip", &["delta", "a.zip", "b.zip", "-o", "a.zip"]),
        ("recipe.txt", &["article", "recipe.txt", "-o", "recipe.txt"]),
        ("article.txt", &["draft", "article.txt", "-o", "article.txt", "--force"]),
        ("u.zip", &["build", "update.toml", "--key", FIRST, "-o", "u.zip"]),
    ] {
        let before = fixture.get(input);
        let (status, answer) = fixture.json(arguments);
        assert!(fixture.get(input) == before, "{arguments:?}");
        assert_eq!(status, REFUSED, "{arguments:?}: {answer:#}");
        assert!(answer["error"].as_str().unwrap().contains("would take the place of"), "{answer:#}");
    }
    // A report has a report's name, or the command does nothing.
    let before = fixture.get("b.zip");
    for arguments in [["inspect", "a.zip", "--html", "b.zip"], ["inspect", "a.zip", "--html", "vendor.pub"]] {
        let (status, answer) = fixture.json(&arguments);
        assert_eq!(status, REFUSED, "{arguments:?}: {answer:#}");
        assert!(answer["error"].as_str().unwrap().contains("ends in .htm or .html"), "{answer:#}");
    }
    assert!(fixture.get("b.zip") == before && !fixture.path("vendor.pub").exists());
    // What is no input is written again.
    fixture.build("c.zip", &[]);
    fixture.build("c.zip", &[]);
}

#[test]
fn findings_are_causes_and_remedies_are_hints() {
    let fixture = Fixture::new();
    fixture.remove("update/alpha/CCM.DLL");
    fixture.edit("Server 2.0", "Server 1.2");
    let (status, answer) = fixture.json(&["build", "update.toml", "--key", FIRST, "-o", "Q252717.zip"]);
    assert_eq!((status, &answer["code"]), (REFUSED, &json!(1639)));
    assert_eq!(answer["error"], json!("Q252717: recipe and payload do not agree in 2 points"));
    assert_eq!(
        (answer["causes"].as_array().unwrap().len(), answer["hints"].as_array().unwrap().len()),
        (2, 2)
    );
    assert!(!fixture.path("Q252717.zip").exists());
}

#[test]
fn codes_tell_unreadable_inputs_recipes_keys_and_outputs_apart() {
    let fixture = Fixture::new();
    let code = |arguments: &[&str]| fixture.json(arguments).1["code"].clone();
    let build = |recipe: &str, key: &str, output: &str| code(&["build", recipe, "--key", key, "-o", output]);
    assert_eq!(build("no.toml", FIRST, "Q.zip"), json!(1619));
    assert_eq!(build("update.toml", "no.key", "Q.zip"), json!(1619));
    assert_eq!(build("update.toml", "update.toml", "Q.zip"), json!(1625));
    assert_eq!(build("first.key", FIRST, "Q.zip"), json!(1639));
    assert_eq!(build("update.toml", FIRST, "no/such/Q.zip"), json!(1603));
    fixture.edit("update/alpha", "update/axp");
    assert_eq!(build("update.toml", FIRST, "Q.zip"), json!(1619));
    fixture.put("Q.zip", b"PK\x03\x04 and then nothing");
    assert_eq!(code(&["inspect", "Q.zip"]), json!(1620));
    fixture.put("Q.zip", b"text");
    assert_eq!(code(&["sign", "Q.zip", "--key", FIRST]), json!(1620));
}

#[test]
fn keys_are_never_overwritten_and_the_secret_one_is_its_owners() {
    let fixture = Fixture::new();
    let before = fixture.get(FIRST);
    for (secret, public) in [(FIRST, "new.pub"), ("new.key", "first.key.pub"), ("same", "same")] {
        let (status, answer) =
            fixture.json(&["keygen", "--no-password", "--secret", secret, "--public", public]);
        assert_eq!((status, &answer["code"]), (REFUSED, &json!(1639)), "{answer:#}");
    }
    assert_eq!(fixture.get(FIRST), before);
    assert!(!fixture.path("new.key").exists() && !fixture.path("new.pub").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(fixture.path(FIRST)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn passwords_come_from_files_and_never_from_nowhere() {
    let fixture = Fixture::new();
    let (status, answer) = fixture.json(&["keygen", "--secret", "p.key", "--public", "p.pub"]);
    assert_eq!((status, &answer["code"]), (REFUSED, &json!(1639)));
    assert!(answer["hints"].to_string().contains("--password-file"), "{answer:#}");
    fixture.put("empty", b"\n");
    assert_eq!(
        fixture.json(&["keygen", "--secret", "p.key", "--public", "p.pub", "--password-file", "empty"]).0,
        REFUSED
    );
    fixture.put("password", b"open sesame\nnot this line\n");
    fixture.put("wrong", b"sesame open\n");
    let (status, answer) =
        fixture.json(&["keygen", "--secret", "p.key", "--public", "p.pub", "--password-file", "password"]);
    assert_eq!((status, &answer["protected"]), (0, &json!(true)), "{answer:#}");
    let build = |more: &[&str]| {
        fixture.json(&[&["build", "update.toml", "--key", "p.key", "-o", "Q.zip"], more].concat()).1
    };
    let without = build(&[]);
    assert_eq!(without["code"], json!(1625));
    assert!(without["hints"].to_string().contains("--password-file"));
    assert_eq!(build(&["--password-file", "wrong"])["code"], json!(1625));
    let built = build(&["--password-file", "wrong", "--password-file", "password"]);
    assert_eq!(built["signers"], json!([answer["key_id"]]));
}

#[test]
fn inspect_shows_for_whom_and_says_that_it_does_not_verify() {
    let fixture = Fixture::new();
    let id = fixture.build("Q252717.zip", &[])["signers"][0].as_str().unwrap().to_owned();
    let output = fixture.run(&["inspect", "Q252717.zip"]);
    let page = String::from_utf8(output.stdout).unwrap();
    for words in [
        "Q252717 revision 1: CCM avoids installation attempts on SP2 clients",
        "builds: 1380",
        &format!("signed by:   {id} (signatures are not checked here)"),
        "role:        provider (remote SMS Provider), usually <Drive>:\\Smsprov",
        "stops SMS_SITE_COMPONENT_MANAGER, SMS_EXECUTIVE, SMS_SQL_MONITOR or SMS_SQL_MONITOR_... (where present)",
        "Ccm.dll          2.0.1380.1125",
        "from 1380.1000 (2.0.1380.1000)",
        "site-server: Bin/alpha/Ccm.dll",
    ] {
        assert!(page.contains(words), "{words}:\n{page}");
    }
    let (status, answer) = fixture.json(&["inspect", "Q252717.zip"]);
    assert_eq!(
        (status, &answer["outcome"], &answer["signatures_checked"]),
        (0, &json!("inspected"), &json!(false))
    );
    let file = &answer["platforms"][1]["files"][0];
    assert_eq!(
        (&file["name"], &file["version"], &file["whole"]),
        (&json!("Ccm.dll"), &json!("2.0.1380.1125"), &json!(true))
    );
    assert_eq!(answer["platforms"][1]["delta_bytes"], file["baselines"][0]["delta"]);
}

#[test]
fn a_delta_is_the_one_that_a_bundle_holds() {
    let fixture = Fixture::new();
    let built = fixture.build("Q252717.zip", &[]);
    let mut total = 0;
    for platform in ["i386", "alpha"] {
        let (old, new) = (format!("baseline/{platform}/Ccm.dll"), format!("update/{platform}/CCM.DLL"));
        let (status, answer) = fixture.json(&["delta", &old, &new, "--output", "patch"]);
        assert_eq!((status, &answer["codec"]), (0, &json!("exe")), "{answer:#}");
        total += answer["size"].as_u64().unwrap();
        assert!(fixture.get("patch").starts_with(b"Q"));
        let (_, other) = fixture.json(&["delta", &old, &new, "--codec", "bsdiff", "--output", "patch"]);
        assert!(other["size"].as_u64() > answer["size"].as_u64(), "{other:#}");
        assert!(fixture.get("patch").starts_with(b"BSDIFF40"));
    }
    assert_eq!(built["delta_bytes"], json!(total));
    let (status, _) = fixture.json(&["delta", "update.toml", "update.toml", "-o", "p", "--codec", "full"]);
    assert_eq!(status, REFUSED);
}

#[test]
fn quiet_says_nothing_and_otherwise_progress_goes_to_standard_error() {
    let fixture = Fixture::new();
    let build = ["build", "update.toml", "--key", FIRST, "-o", "Q252717.zip"];
    let output = fixture.run(&[&build[..], &["--quiet"]].concat());
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty());
    let output = fixture.run(&build);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.stdout.is_empty());
    assert!(
        said.contains("making deltas (2)") && said.contains("Q252717.zip: Q252717 revision 1, 4 files"),
        "{said}"
    );
}

#[test]
fn any_file_is_signed_beside_itself_and_stays_as_it_is() {
    let fixture = Fixture::new();
    fixture.put("SHA256SUMS", b"no digest  at all\n");
    let sign = |file: &str, more: &[&str]| {
        fixture.json(&[&["sign", "--detached", file, "--key", FIRST], more].concat())
    };
    let (status, answer) = sign("SHA256SUMS", &[]);
    assert_eq!(
        (status, &answer["outcome"], &answer["signature"]),
        (0, &json!("signed"), &json!("SHA256SUMS.minisig"))
    );
    assert_eq!(fixture.get("SHA256SUMS"), b"no digest  at all\n");
    let first = fixture.get("SHA256SUMS.minisig");
    assert!(String::from_utf8(first.clone()).unwrap().contains("\ntrusted comment: qfe file SHA256SUMS\n"));
    fixture.put("SHA256SUMS.minisig", b"a former one");
    assert_eq!(sign("SHA256SUMS", &[]).0, 0);
    assert_eq!(fixture.get("SHA256SUMS.minisig"), first, "the same file and key give the same signature");
    assert_eq!(sign("absent", &[]).1["code"], json!(1619));
    assert_eq!(sign("SHA256SUMS", &["--keys", "keys"]).1["code"], json!(1639));
}
