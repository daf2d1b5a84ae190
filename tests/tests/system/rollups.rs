//! Rollups: one update that takes others in.

use std::fs;
use std::path::PathBuf;

use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::programs::{Run, builder};
use qfe_tests::samples::workshop;
use qfe_tests::updates::{Fix, PLATFORMS, Site, image};
use tempfile::TempDir;

const OLD: &str = "2.0.1380.1000";
const FIRST: &str = "2.0.1380.1100";
const SECOND: &str = "2.0.1380.1200";
const STEP: &str = "[[step]]\nwhen = 'after'\ntext = 'Run Update.sql.'\n";

fn first() -> Fix {
    Fix::new("Q1", 1380, "")
        .image("A.dll", OLD, FIRST, "")
        .image("B.dll", OLD, FIRST, "register = true")
        .with(STEP)
}

fn second(more: &str) -> Fix {
    Fix::new("Q2", 1380, more).image("B.dll", OLD, SECOND, "").image("C.dll", OLD, SECOND, "").with(STEP)
}

/// A rollup R1 in a folder of its own.
struct Rollup {
    folder: TempDir,
}

impl Rollup {
    /// Writes one of these updates, with further lines.
    fn of(updates: &[&Fix], more: &str) -> Self {
        let recipes: Vec<PathBuf> = updates.iter().map(|update| update.recipe()).collect();
        let rollup = Self { folder: TempDir::new().unwrap() };
        let recipe = format!(
            "id = 'R1'\ntitle = 'All fixes'\nproduct = 'Systems Management Server 2.0'\nupdates = {recipes:?}\n{more}"
        );
        fs::write(rollup.folder.path().join("update.toml"), recipe).unwrap();
        rollup
    }

    fn bundle(&self) -> PathBuf {
        self.folder.path().join("R1.zip")
    }

    fn build(&self, more: &[&str]) -> Run {
        let (recipe, key) = (self.folder.path().join("update.toml"), workshop().path("vendor.key"));
        let args = args!["build", recipe, "--key", key, "--output", self.bundle(), "--json"];
        builder(args.into_iter().chain(more.iter().map(Into::into)))
    }
}

fn site(platform: &str) -> Site {
    let place = |name: &str| format!("Bin/{platform}/{name}");
    ["A.dll", "B.dll", "C.dll"]
        .into_iter()
        .fold(Site::primary(), |site, name| site.with(&place(name), &image(platform, OLD, name)))
}

#[track_caller]
fn assert_versions(site: &Site, platform: &str, versions: [&str; 3]) {
    for (name, version) in ["A.dll", "B.dll", "C.dll"].into_iter().zip(versions) {
        assert!(
            site.read(&format!("Bin/{platform}/{name}")) == image(platform, version, name),
            "{name} {version}"
        );
    }
}

#[test]
fn a_rollup_is_one_update_with_the_last_file_of_each_name() {
    let (first, second) = (first(), second("requires = ['Q1']\nsupersedes = ['Q0']"));
    let rollup = Rollup::of(&[&first, &second], "");
    for shape in [&[][..], &["--lean"]] {
        rollup.build(shape).succeeds();
        for platform in PLATFORMS {
            // On what no update was on, and on what each of them has left.
            for before in [&[][..], &[&first], &[&first, &second]] {
                let site = site(platform);
                for update in before {
                    // The second knows no server that has the first.
                    site.apply(&update.build(), "site-server", &["--replace-unknown"]).succeeds();
                }
                let result = site.apply(&rollup.bundle(), "site-server", &[]).succeeds().json();
                let is_there = before.len() == 2;
                assert_eq!(result["outcome"], if is_there { "already-current" } else { "changed" });
                assert_versions(&site, platform, [FIRST, SECOND, SECOND]);
                let steps = result["after"].as_array().unwrap();
                let is_step = |step: &&serde_json::Value| step.as_str() == Some("Run Update.sql.");
                assert_eq!(steps.iter().filter(is_step).count(), usize::from(!is_there));
                assert_eq!(result["recorded"], true);
                if is_there {
                    // Whoever put the files there: it is installed, for those that require it too.
                    let needs = Fix::new("Q3", 1380, "requires = ['R1']").text(
                        "D.ini",
                        "old",
                        "new",
                        "when = 'always'",
                    );
                    site.apply(&needs.build(), "site-server", &[]).succeeds();
                    site.run("rollback", &["R1"]).ends(ExitCode::UndoOrder).says(&["Q3"]);
                    site.run("rollback", &["Q3"]).succeeds();
                    site.run("rollback", &["Q2"]).ends(ExitCode::UndoOrder).says(&["R1"]);
                    site.run("rollback", &["R1"]).succeeds().says(&["it had changed no file"]);
                    assert_versions(&site, platform, [FIRST, SECOND, SECOND]);
                    site.run("rollback", &["Q2"]).succeeds();
                    assert_versions(&site, platform, [FIRST, FIRST, OLD]);
                    continue;
                }
                // It stands for both; and it goes as it came, as a whole.
                site.apply(&second.build(), "site-server", &[]).succeeds().says(&["superseded by R1"]);
                let needs =
                    Fix::new("Q3", 1380, "requires = ['Q2']").text("D.ini", "old", "new", "when = 'always'");
                site.apply(&needs.build(), "site-server", &["--dry-run"]).succeeds();
                site.run("rollback", &["R1"]).succeeds();
                let versions = if before.is_empty() { [OLD; 3] } else { [FIRST, FIRST, OLD] };
                assert_versions(&site, platform, versions);
            }
        }
    }
}

#[test]
fn a_rollup_says_itself_what_counts() {
    let (first, second) = (first(), second(""));
    let own = Fix::new("X", 1380, "").image("C.dll", OLD, "2.0.1380.1300", "");
    let rollup = Rollup::of(
        &[&first, &second],
        &format!(
            "revision = 3\nbuilds = [1380, 1493]\n[payload]\nalpha = {:?}\n[[file]]\nname = 'C.dll'\nplatforms = ['alpha']\n\
             roles = ['site-server']\n",
            own.path("update/alpha")
        ),
    );
    rollup.build(&[]).succeeds();
    let site = site("alpha");
    site.apply(&rollup.bundle(), "site-server", &[]).succeeds();
    assert_versions(&site, "alpha", [FIRST, SECOND, "2.0.1380.1300"]);
    let held = builder(args!["inspect", rollup.bundle(), "--json"]).succeeds().json();
    assert_eq!((&held["revision"], &held["builds"]), (&3.into(), &serde_json::json!([1380, 1493])));
    assert_eq!(held["supersedes"], serde_json::json!(["Q1", "Q2"]));
}

#[test]
fn an_update_without_file_tables_is_taken_in_with_all_its_files() {
    let first = first();
    let text = fs::read_to_string(first.recipe()).unwrap();
    fs::write(first.recipe(), text.split("[[file]]").next().unwrap()).unwrap();
    fs::remove_file(first.path("update/i386/A.dll")).unwrap();
    let second = second("");
    let rollup = Rollup::of(&[&first, &second], "");
    rollup.build(&[]).succeeds();
    let site = site("alpha");
    site.apply(&rollup.bundle(), "site-server", &[]).succeeds();
    assert_versions(&site, "alpha", [FIRST, SECOND, SECOND]);
}

#[test]
fn updates_that_make_no_rollup_are_told_apart() {
    let (first, plain) = (first(), second(""));
    let needs = second("requires = ['Q1']");
    let elsewhere = Fix::new("Q2", 1493, "").image("B.dll", OLD, SECOND, "");
    let console = Fix::new("Q2", 1380, "").image("B.dll", OLD, SECOND, "roles = ['console']");
    let lighthouse = Fix::new("Q2", 1380, "").of_product("Lighthouse 3", "");
    let nested = Fix::new("Q2", 1380, &format!("updates = [{:?}]", first.recipe()));
    let own = Fix::new("R1", 1380, "").image("B.dll", OLD, SECOND, "");
    for (updates, more, says) in [
        ([&first, &first], "", "Q1 is there twice"),
        ([&needs, &first], "", "Q2 comes before Q1, which it requires"),
        ([&first, &elsewhere], "", "no build in common (Q1: [1380], Q2: [1493])"),
        ([&first, &console], "", "B.dll goes to all roles by Q1 and to console by Q2"),
        ([&first, &lighthouse], "", "Q2 is for Lighthouse 3 by"),
        ([&first, &nested], "", "Q2 is a rollup itself"),
        ([&first, &own], "", "R1 is there twice"),
    ] {
        Rollup::of(&updates, more).build(&[]).ends(ExitCode::BadCommandLine).says(&[says]);
    }
    Rollup::of(&[&first, &console], "[[file]]\nname = 'B.dll'\n").build(&[]).succeeds();
    // In the wrong order a lower version would replace a higher one.
    Rollup::of(&[&plain, &first], "")
        .build(&[])
        .succeeds()
        .says(&["below the 2.0.1380.1200 of baseline \"Q2\""]);
    let lost = Rollup::of(&[&first], "");
    fs::remove_file(first.recipe()).unwrap();
    lost.build(&[]).ends(ExitCode::BundleUnreadable).says(&["update.toml"]);
}
