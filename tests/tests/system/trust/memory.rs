//! What targets remember of rings, days and revisions; and what `keys` does.

use qfe_tests::programs::Run;
use qfe_tests::tree;
use qfe_tests::updates::{Fix, Site};
use serde_json::Value;

use super::*;

/// Makes a machine with the old files of the cases' update.
fn site() -> Site {
    tiny()
        .old
        .iter()
        .fold(Site::primary(), |site, (name, bytes)| site.with(&format!("Bin/i386/{name}"), bytes))
}

/// Applies the bundle of a case, with its keys.
fn apply(site: &Site, case: &Case, more: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let (keys, bundle) = case.write(folder.path());
    let role = args!["apply", bundle, "--role", "site-server", "--target", site.root(), "--keys", keys];
    let rest = args!["--registry", site.registry(), "--services", "manual", "--json"];
    patcher(role.into_iter().chain(rest).chain(more.iter().map(Into::into)))
}

/// Applies what must be refused for want of trust, and leaves the target as it was.
#[track_caller]
fn refused(site: &Site, case: &Case, says: &[&str]) {
    let before = tree::read(&site.root());
    let run = apply(site, case, &[]).ends(ExitCode::Untrusted).says(says);
    assert_eq!(run.json()["outcome"], "refused");
    assert!(tree::read(&site.root()) == before, "the target was touched");
}

fn receipt(site: &Site, id: &str) -> Value {
    serde_json::from_slice(&site.read(&format!("$NtUninstall{id}$/receipt.json"))).unwrap()
}

#[test]
fn a_target_takes_no_older_ring_than_it_was_updated_by() {
    let site = site();
    let (first, second) = (ring(1, 1, &["Ann"]), ring(2, 1, &["Ann"]));
    let by = |ring: &Ring| case("").ring(ring).signed_by(&["Ann"]);
    let run = apply(&site, &by(&second), &[]).succeeds();
    assert_eq!(run.json()["key_ring"]["version"], 2);
    let left = receipt(&site, "T1");
    assert_eq!((&left["ring"]["name"], &left["ring"]["version"]), (&Value::from("Ring"), &Value::from(2)));
    assert!(left["seen"].as_str().is_some_and(|day| day.len() == 10 && day.starts_with('2')), "{left:#}");
    assert!(left.get("downgrade").is_none(), "{left:#}");

    // What was taken back is remembered too.
    site.run("rollback", &[]).succeeds();
    refused(
        &site,
        &by(&first),
        &[
            "found key ring \"Ring\" version 1",
            "wanted key ring \"Ring\" version 2, by which T1 was applied",
            "remedy: name that ring by --keys",
        ],
    );
    refused(
        &site,
        &case("").keys(&["Ann"]).signed_by(&["Ann"]),
        &["found keys without name and version", "version 2"],
    );
    let dry = ["--dry-run"];
    apply(&site, &by(&first).carries(second.signed_by(&["Ann"])), &dry).succeeds();
    apply(&site, &by(&ring(3, 1, &["Ann"])), &dry).succeeds();
    // Another maker's rings have versions of their own.
    apply(&site, &by(&first.replace("\"Ring\"", "\"Other\"")), &dry).succeeds();
}

#[test]
fn what_only_looks_believes_no_bundle_that_an_apply_would_refuse() {
    let site = site();
    let by = |ring: &Ring| case("").ring(ring).signed_by(&["Ann"]);
    let floor = "[[floor]]\nupdate = \"T1\"\nrevision = 7";
    let looks = |case: &Case| {
        let folder = tempfile::tempdir().unwrap();
        let (keys, bundle) = case.write(folder.path());
        let doctor = args!["doctor", bundle.clone(), "--registry", "none"].to_vec();
        let ready = args!["ready", "sp2", "--bundle", bundle].to_vec();
        [doctor, ready].map(|command| {
            let rest = args!["--target", site.root(), "--keys", keys.clone(), "--json"];
            patcher(command.into_iter().chain(rest))
        })
    };
    apply(&site, &by(&ring(2, 1, &["Ann"])), &[]).succeeds();
    for run in looks(&by(&ring(2, 1, &["Ann"]))) {
        assert!(run.status != ExitCode::Untrusted.status(), "{run:?}");
    }
    for run in looks(&by(&ring(1, 1, &["Ann"]))) {
        run.ends(ExitCode::Untrusted).says(&["wanted key ring \"Ring\" version 2, by which T1 was applied"]);
    }
    for run in looks(&by(&ring(2, 1, &["Ann"]).and(floor))) {
        run.ends(ExitCode::Untrusted).says(&["T1 revision 1 was withdrawn"]);
    }
}

#[test]
fn dates_are_judged_by_the_latest_day_that_the_target_knows() {
    let site = site();
    let by = |ring: Ring| case("").ring(&ring).signed_by(&["Ann"]);
    let ahead = ring(1, 1, &["Ann"]).replace("2000-01-01", "9998-01-01");
    apply(&site, &by(ahead), &[]).succeeds();
    assert_eq!(receipt(&site, "T1")["seen"], "9998-01-01");
    site.run("rollback", &[]).succeeds();
    let expires = |more: &str| ring(2, 1, &["Ann"]).with(&format!("expires = \"9000-01-01\"\n{more}"));
    refused(
        &site,
        &by(expires("expiry = \"refuse\"")),
        &["expired on 9000-01-01", "it is 9998-01-01 or later", "later key ring"],
    );
    let until = ring(2, 1, &["Ann: until = \"9000-01-01\""]);
    refused(
        &site,
        &by(until.clone().with("expiry = \"refuse\"")),
        &["valid until 9000-01-01, and it is 9998-01-01"],
    );
    for warns in [expires(""), until] {
        let run = apply(&site, &by(warns), &["--dry-run"]).succeeds();
        let notes = run.json()["notes"].to_string();
        assert!(notes.contains("the clock says") && notes.contains("a run of T1 was recorded"), "{notes}");
        assert!(notes.contains("9000-01-01"), "{notes}");
    }
}

#[test]
fn an_older_revision_is_taken_when_told_and_recorded() {
    let fix = |revision: u32, version: &str| {
        Fix::new("Q9", 1380, &format!("revision = {revision}")).image("Ccm.dll", "2.0.1380.1000", version, "")
    };
    let (first, second) = (fix(1, "2.0.1380.1001"), fix(2, "2.0.1380.1002"));
    let site = Site::primary().with("Bin/i386/Ccm.dll", &first.file("baseline", "i386", "Ccm.dll"));
    let (old, new) = (first.build(), second.build());
    site.apply(&new, "site-server", &[]).succeeds();
    let before = tree::read(&site.root());
    let run = site.apply(&old, "site-server", &[]).ends(ExitCode::Untrusted).says(&[
        "revision of Q9: found 1, that of the bundle",
        "wanted 2 or later: 2 is installed",
        "--allow-downgrade",
    ]);
    assert_eq!(run.json()["findings"][0]["kind"], "downgrade");
    assert!(tree::read(&site.root()) == before, "the target was touched");

    let run = site
        .apply(&old, "site-server", &["--allow-downgrade"])
        .succeeds()
        .says(&["of a later revision, as you asked"]);
    assert_eq!(run.json()["downgrade"], 2);
    assert!(site.read("Bin/i386/Ccm.dll") == first.file("update", "i386", "Ccm.dll"));
    let left = receipt(&site, "Q9");
    assert_eq!((&left["revision"], &left["downgrade"]), (&Value::from(1), &Value::from(2)));
    let log = String::from_utf8(site.read("LOGS/Q9.log")).unwrap();
    assert!(log.contains("revision 1 is allowed by --allow-downgrade: 2 is installed"), "{log}");
    let journal = String::from_utf8(site.read("$NtUninstallQ9$/0002/journal")).unwrap();
    assert!(journal.contains("\"downgrade\":2"), "{journal}");

    // A newer one is no downgrade, and a rollback takes back both.
    assert_eq!(
        site.apply(&new, "site-server", &["--dry-run", "--replace-unknown"]).succeeds().json()["downgrade"],
        Value::Null
    );
    site.run("rollback", &[]).succeeds();
    assert!(site.read("Bin/i386/Ccm.dll") == first.file("baseline", "i386", "Ccm.dll"));
}

#[test]
fn a_withdrawn_revision_is_taken_when_told_and_recorded() {
    let site = site();
    let floor = ring(1, 1, &["Ann"]).and("[[floor]]\nupdate = \"T1\"\nrevision = 7");
    let withdrawn = case("").ring(&floor).signed_by(&["Ann"]);
    refused(
        &site,
        &withdrawn,
        &[
            "found 1, that of the bundle",
            "wanted 7 or later: 7 is the oldest that was not withdrawn",
            "\"Ring\" version 1",
        ],
    );
    assert_eq!(apply(&site, &withdrawn, &["--allow-downgrade"]).succeeds().json()["downgrade"], 7);
    assert_eq!(receipt(&site, "T1")["downgrade"], 7);

    let folder = tempfile::tempdir().unwrap();
    let (keys, bundle) = withdrawn.write(folder.path());
    let extract = |more: &[&str]| {
        let to = folder.path().join("to");
        let args = args!["extract", bundle.clone(), "--to", to, "--keys", keys.clone()];
        patcher(args.into_iter().chain(more.iter().map(Into::into)))
    };
    extract(&[]).ends(ExitCode::Untrusted).says(&["T1 revision 1 was withdrawn", "revision 7"]);
    extract(&["--allow-downgrade"]).succeeds();
}

#[test]
fn keys_shows_a_ring_and_keeps_the_newest_it_leads_to() {
    let folder = tempfile::tempdir().unwrap();
    let first = ring(1, 1, &["Ann"]).with("expires = \"2001-12-31\"");
    let second = ring(2, 1, &["Bob", "Cat: revoked = \"left\""])
        .and(&format!("[[product]]\nname = \"{PRODUCT}\"\nthreshold = 1\nkeys = [\"Bob\"]\n[[floor]]\nupdate = \"Q9\"\nrevision = 2"));
    let rotated = case("").ring(&first).carries(second.signed_by(&["Ann", "Bob"])).signed_by(&["Bob"]);
    let (keys, bundle) = rotated.write(folder.path());
    let run = |more: &[&str]| {
        let args = args!["keys", "--keys", keys.clone(), "--json"];
        patcher(args.into_iter().chain(more.iter().map(Into::into)))
    };
    let text = || fs::read_to_string(keys.join("keyring.toml")).unwrap();
    let shown = run(&[])
        .succeeds()
        .says(&["key ring \"Ring\" version 1", "issued 2000-01-01", "expires 2001-12-31", "(Ann)"])
        .json();
    assert_eq!((&shown["key_ring"]["version"], &shown["trusted_by"]), (&Value::from(1), &Value::Null));

    let bundle = bundle.to_str().unwrap();
    let shown = run(&[bundle])
        .succeeds()
        .says(&[
            "version 2 is trusted by version 1",
            "revoked: left",
            "asks for 1 of Bob",
            "Q9 from revision 2",
        ])
        .json();
    assert_eq!((&shown["outcome"], &shown["trusted_by"]["version"]), (&Value::from("done"), &Value::from(1)));
    assert_eq!(
        (&shown["keys"][1]["revoked"], &shown["floors"][0]["revision"]),
        (&Value::from("left"), &Value::from(2))
    );
    assert_eq!(text(), first.text, "looking changes nothing");

    assert_eq!(run(&[bundle, "--update"]).succeeds().json()["outcome"], "changed");
    assert_eq!(text(), second.text);
    assert_eq!(run(&[bundle, "--update"]).succeeds().json()["outcome"], "already-current");
    assert_eq!(fs::read_dir(&keys).unwrap().count(), 2, "the ring and the folder of the chain, nothing else");

    let forged = case("").ring(&second).carries(ring(3, 1, &["Eve"]).signed_by(&["Eve"]));
    let (_, bundle) = forged.write(folder.path());
    run(&[bundle.to_str().unwrap(), "--update"])
        .ends(ExitCode::Untrusted)
        .says(&["version 3 is not signed as version 2 asks for"]);
    assert_eq!(text(), second.text);
    let behind = case("").ring(&second).carries(ring(4, 1, &["Bob"]).signed_by(&["Bob"]));
    let (_, bundle) = behind.write(folder.path());
    let run = run(&[bundle.to_str().unwrap(), "--update"])
        .succeeds()
        .says(&["version 4 is not used, as version 3 is missing"]);
    assert_eq!(
        (&run.json()["outcome"], &run.json()["missing"]),
        (&Value::from("already-current"), &Value::from(3))
    );

    let plain = folder.path().join("ann.pub");
    fs::write(&plain, &person("Ann").public).unwrap();
    patcher(args!["keys", "--keys", plain, "--update"])
        .ends(ExitCode::BadCommandLine)
        .says(&["no name and version"]);
}
