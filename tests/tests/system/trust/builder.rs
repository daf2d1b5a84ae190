//! What the builder does with rings, and with bundles that others built.

use qfe_tests::programs::{Run, builder};
use qfe_tests::updates::Fix;
use serde_json::Value;
use tempfile::TempDir;

use super::*;

/// A folder of keys, with the secret ones beside it.
struct Office {
    folder: TempDir,
}

impl Office {
    fn new() -> Self {
        let office = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(office.path("keys")).unwrap();
        for name in ["Ann", "Bob", "Cat", "Eve"] {
            fs::write(office.path(name), &person(name).secret).unwrap();
        }
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn issue(&self, ring: &Ring) {
        fs::write(self.path("keys/keyring.toml"), &ring.text).unwrap();
    }

    fn sign(&self, name: &str) -> Run {
        builder(args!["keyring", "sign", self.path("keys/keyring.toml"), "--key", self.path(name), "--json"])
    }

    fn check(&self) -> Run {
        builder(args!["keyring", "check", self.path("keys"), "--json"])
    }

    /// Issues two rings, the second with Bob in Ann's place, both signed as they must be.
    fn rotate(&self) -> [Ring; 2] {
        let rings = [ring(1, 1, &["Ann"]), ring(2, 1, &["Bob"])];
        self.issue(&rings[0]);
        self.sign("Ann").succeeds();
        self.issue(&rings[1]);
        self.sign("Ann").succeeds();
        self.sign("Bob").succeeds();
        rings
    }
}

#[test]
fn a_ring_is_signed_by_one_after_the_other_until_it_can_be_followed() {
    let office = Office::new();
    office.issue(&ring(1, 2, &["Ann", "Bob"]));
    let run = office.sign("Ann").succeeds();
    assert!(
        run.json()["missing"].as_str().unwrap().contains("1 key of the key ring signed it, 2 must"),
        "{}",
        run.stdout
    );
    assert_eq!(office.sign("Bob").succeeds().json()["missing"], Value::Null);
    let again = office.sign("Bob").succeeds();
    assert_eq!(again.json()["missing"], Value::Null, "the same bytes once more");

    office.issue(&ring(2, 2, &["Bob", "Cat"]));
    for (name, missing) in
        [("Bob", "version 2 is not signed as version 1 asks for"), ("Cat", "version 1"), ("Ann", "")]
    {
        let run = office.sign(name).succeeds();
        let told = run.json()["missing"].as_str().unwrap_or_default().to_owned();
        assert!(told.contains(missing) && told.is_empty() == missing.is_empty(), "{name}: {told}");
    }
    let good = office.check().succeeds().json();
    assert_eq!((&good["version"], &good["rings"][1]["signatures"]), (&Value::from(2), &Value::from(3)));

    office.sign("Eve").ends(ExitCode::Untrusted).says(&[
        &person("Eve").id(),
        "would count for nothing",
        "version 1",
    ]);
    office.issue(&ring(2, 1, &["Bob", "Cat"]));
    office
        .sign("Bob")
        .ends(ExitCode::Untrusted)
        .says(&["holds another version 2 already", "raise `version`"]);
    office.issue(&ring(3, 1, &["Bob"]).replace("version = 3\n", ""));
    office.sign("Bob").ends(ExitCode::BadCommandLine).says(&["no name and version"]);
    office.issue(&ring(3, 1, &["Bob"]).replace("threshold = 1", "threshold = 9"));
    office.sign("Bob").ends(ExitCode::Untrusted).says(&["the threshold of the key ring is 9"]);
}

#[test]
fn a_chain_that_leads_nowhere_is_told() {
    let office = Office::new();
    let [first, second] = office.rotate();
    office.check().succeeds();
    let link = office.path("keys/keyring/2.toml");
    fs::remove_file(&link).unwrap();
    office.check().ends(ExitCode::Untrusted).says(&["version 2 is missing"]);
    fs::write(&link, second.text.replace("2000-01-01", "2000-01-02")).unwrap();
    office
        .check()
        .ends(ExitCode::Untrusted)
        .says(&["version 2 is not signed as version 1 asks for", "does not match"]);
    fs::write(&link, &second.text).unwrap();
    office.issue(&ring(3, 1, &["Bob"]));
    office
        .check()
        .ends(ExitCode::Untrusted)
        .says(&["has the key ring \"Ring\" version 3", "leads to the key ring \"Ring\" version 2"]);
    office.issue(&first);
    office.check().succeeds();
}

#[test]
fn a_bundle_carries_the_chain_and_nothing_that_the_ring_refuses() {
    let office = Office::new();
    let [first, second] = office.rotate();
    let fix = Fix::new("Q9", 1380, "").text("One.ini", "old", "new", "");
    let bundle = |name: &str| office.path(name);
    let build = |key: &str, output: &Path| {
        let recipe = fix.path("update.toml");
        builder(args![
            "build",
            recipe,
            "--key",
            office.path(key),
            "--output",
            output,
            "--keys",
            office.path("keys")
        ])
    };
    let trusted = office.path("first.toml");
    fs::write(&trusted, &first.text).unwrap();
    for name in ["Q9.zip", "Q9.cab"] {
        build("Bob", &bundle(name)).succeeds();
        patcher(args!["verify", bundle(name), "--keys", trusted.clone()])
            .succeeds()
            .says(&["version 2 is trusted by version 1"]);
    }
    build("Ann", &bundle("other.zip")).ends(ExitCode::Untrusted).says(&["no key of the key ring signed it"]);
    assert!(!bundle("other.zip").exists());

    // A signature later, and the chain with it.
    let recipe = fix.path("update.toml");
    for name in ["late.zip", "late.cab"] {
        builder(args!["build", recipe.clone(), "--key", office.path("Eve"), "--output", bundle(name)])
            .succeeds();
        let sign = || {
            let args = args![
                "sign",
                bundle(name),
                "--key",
                office.path("Bob"),
                "--keys",
                office.path("keys"),
                "--json"
            ];
            builder(args).succeeds().json()
        };
        let signed = sign();
        assert_eq!(
            (&signed["outcome"], signed["key_rings"].as_array().unwrap().len()),
            (&Value::from("signed"), 5)
        );
        assert_eq!(sign()["outcome"], "already-signed");
        patcher(args!["verify", bundle(name), "--keys", trusted.clone()]).succeeds();
        // Signatures and rings are no part of what was built.
        builder(args!["build", recipe.clone(), "--check", bundle(name)]).succeeds();
    }

    office
        .issue(&second.and("[[floor]]\nupdate = \"q9\"\nrevision = 2").replace("version = 2", "version = 3"));
    office.sign("Bob").ends(ExitCode::Success);
    build("Bob", &bundle("withdrawn.zip")).ends(ExitCode::Untrusted).says(&[
        "Q9 revision 1 was withdrawn",
        "revision 2",
        "raise `revision`",
    ]);
    office.issue(&ring(4, 1, &["Bob"]));
    build("Bob", &bundle("unsigned.zip"))
        .ends(ExitCode::Untrusted)
        .says(&["version 4", "leads to the key ring \"Ring\" version 3"]);
    fs::remove_file(office.path("keys/keyring/2.toml")).unwrap();
    build("Bob", &bundle("gap.zip")).ends(ExitCode::Untrusted).says(&["version 2 is missing"]);
}

#[test]
fn a_second_signer_is_told_the_first_member_that_differs() {
    let office = Office::new();
    let fix = Fix::new("Q9", 1380, "").text("One.ini", "old", "new", "").text("Two.ini", "old", "new", "");
    let recipe = fix.path("update.toml");
    let bundle = office.path("Q9.zip");
    builder(args!["build", recipe.clone(), "--key", office.path("Ann"), "--output", bundle.clone()])
        .succeeds();
    let check = || builder(args!["build", recipe.clone(), "--check", bundle.clone(), "--json"]);
    let same = check().succeeds().json();
    assert_eq!((&same["outcome"], &same["id"]), (&Value::from("same"), &Value::from("Q9")));

    for platform in ["i386", "alpha"] {
        fs::write(fix.path("update").join(platform).join("Two.ini"), "newer").unwrap();
    }
    check().ends(ExitCode::Untrusted).says(&[
        "member alpha/Two.ini is 3 bytes",
        "wanted is 5 bytes",
        "do not sign it",
    ]);
    let text = fs::read_to_string(&recipe).unwrap();
    for platform in ["i386", "alpha"] {
        fs::write(fix.path("update").join(platform).join("Two.ini"), "new").unwrap();
    }
    fs::write(&recipe, text.replace("A fix after", "Another fix after")).unwrap();
    check().ends(ExitCode::Untrusted).says(&["member manifest.json is"]);
    builder(args!["build", recipe, "--check", bundle, "--key", office.path("Ann")])
        .ends(ExitCode::BadCommandLine);
}
