//! Updates that were there before the patcher came: nothing is changed, and the record is made.

use std::fs;

use qfe_patcher::exit::ExitCode;
use qfe_tests::tree;
use qfe_tests::updates::{Fix, PLATFORMS, Site, image};

const OLD: &str = "2.0.1380.1000";
const NEW: &str = "2.0.1380.1100";

fn fix() -> Fix {
    Fix::new("Q1", 1380, "").image("A.dll", OLD, NEW, "").image("B.dll", OLD, NEW, "")
}

/// Returns a site server on which an admin had put the files there.
fn by_hand(platform: &str) -> Site {
    ["A.dll", "B.dll"].into_iter().fold(Site::primary(), |site, name| {
        site.with(&format!("Bin/{platform}/{name}"), &image(platform, NEW, name))
    })
}

#[test]
fn what_was_updated_by_hand_is_recorded_once_and_taken_back_without_a_change() {
    for platform in PLATFORMS {
        let (fix, site) = (fix(), by_hand(platform));
        let bundle = fix.build();
        let before = tree::read_product(&site.root());

        let dry = site
            .apply(&bundle, "site-server", &["--dry-run"])
            .succeeds()
            .says(&["would be recorded as installed"]);
        assert_eq!(dry.json()["recorded"], false);
        assert!(!site.path("$NtUninstallQ1$").exists());

        let result = site.apply(&bundle, "site-server", &[]).succeeds();
        let result = result.says(&["already current, nothing to change; recorded as installed"]).json();
        assert_eq!((&result["outcome"], &result["recorded"]), (&"already-current".into(), &true.into()));
        assert!(tree::read_product(&site.root()) == before);
        let status = site.run("status", &[]).succeeds().json();
        assert_eq!(status["updates"][0]["state"], "installed");
        let files = status["updates"][0]["files"].as_array().unwrap();
        assert!(files.len() == 2 && files.iter().all(|file| file["state"] == "as-installed"), "{files:?}");

        let again = site.apply(&bundle, "site-server", &[]).succeeds().json();
        assert_eq!((&again["outcome"], &again["recorded"]), (&"already-current".into(), &false.into()));
        assert!(!site.path("$NtUninstallQ1$/0002").exists());

        // A later revision with the same files is what is installed from now on.
        fs::write(
            fix.recipe(),
            fs::read_to_string(fix.recipe()).unwrap().replace("id = 'Q1'", "id = 'Q1'\nrevision = 2"),
        )
        .unwrap();
        assert_eq!(site.apply(&fix.build(), "site-server", &[]).succeeds().json()["recorded"], true);
        let status = site.run("status", &[]).succeeds().json();
        assert_eq!(status["updates"][0]["revision"], 2);

        site.run("rollback", &["--dry-run"])
            .succeeds()
            .says(&["would be rolled back; it had changed no file"]);
        site.run("rollback", &[]).succeeds().says(&["rolled back; it had changed no file"]);
        assert!(tree::read_product(&site.root()) == before);
        site.run("rollback", &[]).ends(ExitCode::NotInstalled);
    }
}

#[test]
fn its_receipt_is_proof_for_the_roles_that_come_after() {
    let fix = Fix::new("Q1", 1380, "").image("A.dll", OLD, NEW, "roles = ['site-server', 'console']").image(
        "B.dll",
        OLD,
        NEW,
        "roles = ['site-server']",
    );
    let site = by_hand("alpha");
    let console = Site::primary().with("bin/alpha/A.dll", &image("alpha", OLD, "A.dll"));
    let bundle = fix.build();
    console.apply(&bundle, "console", &[]).ends(ExitCode::WrongTarget);
    site.apply(&bundle, "site-server", &[]).succeeds();
    let receipt = site.path("$NtUninstallQ1$/receipt.json");
    let proof = ["--site-receipt", receipt.to_str().unwrap()];
    console.apply(&bundle, "console", &proof).succeeds();
}

#[test]
fn where_a_file_has_the_version_and_other_contents_nothing_is_recorded() {
    let (fix, site) = (fix(), by_hand("i386"));
    site.put("Bin/i386/A.dll", &image("i386", NEW, "of another language"));
    let result = site.apply(&fix.build(), "site-server", &[]).succeeds();
    let result = result.says(&["has the update's version but other contents"]);
    assert_eq!(result.json()["recorded"], false);
    assert!(!site.path("$NtUninstallQ1$").exists());
    assert_eq!(site.run("status", &[]).succeeds().json()["updates"], serde_json::json!([]));
    let needs = Fix::new("Q2", 1380, "requires = ['Q1']").text("D.ini", "old", "new", "when = 'always'");
    site.apply(&needs.build(), "site-server", &[]).ends(ExitCode::WrongTarget).says(&["Q1 is not installed"]);
}
