//! Another product, invented: what the patcher does for it is what its profile says, and nothing of the first one's.

use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::programs::patcher;
use qfe_tests::samples::workshop;
use qfe_tests::updates::{Fix, Site};

const PROFILE: &str = r#"
product = "Lighthouse 3"
log = "journal/{id}.txt"

[platforms]
i386 = "x86"
alpha = "axp"

[[level]]
build = 7
name = "Gale"
version = "3.1.7.0"

[registration]
key = 'HKLM\SOFTWARE\Beacon\Fixes\{level}\{id}'
values = { What = "{title}" }

[[gate]]
gate = "registry-build"
key = 'HKLM\SOFTWARE\Beacon'
value = "Release"
roles = ["tower", "boat"]
remedy = "Ask the keeper for the release."

[[gate]]
gate = "registry-one-of"
key = 'HKLM\SOFTWARE\Beacon'
value = "Lamp"
roles = ["tower"]
one_of = ["oil", "electric"]
remedy = "Light the lamp."

[[role]]
role = "tower"
title = "light tower"
usual = '<Drive>:\Tower'
to = "lamp/{platform}"
when = "always"
services = [{ service = "LampKeeper" }, { service = "Foghorn", optional = true }]

[[role]]
role = "boat"
title = "rescue boat"
usual = '<Drive>:\Boat'
lacks = ["lamp"]
to = "."
when = "present"
after = ["tower"]

[[readiness]]
set = "storm"
title = "the storm season"
needs = [{ build = 7, updates = ["L1", "L2"] }]

[readiness.wait]
updates = ["L1"]
file = "flag.txt"
remedy = "Wait for the flag."
"#;

fn fix(id: &str) -> Fix {
    Fix::new(id, 7, "").of_product("Lighthouse 3", PROFILE).image("Lens.dll", "3.1.7.0", "3.1.7.5", "")
}

fn tower(release: &str) -> Site {
    let site = Site::new("\"Full Version\"=\"2.00.1380.1000\"\r\n");
    state(&site, release);
    site.with("lamp/x86/Lens.dll", &fix("L1").file("baseline", "i386", "Lens.dll"))
}

fn state(site: &Site, release: &str) {
    site.state(&format!(
        "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Beacon]\r\n\"Release\"=\"{release}\"\r\n\"Lamp\"=\"oil\"\r\n"
    ));
}

#[test]
fn roles_folders_gates_services_and_log_are_those_of_its_profile() {
    let (first, site) = (fix("L1"), tower("3.1.6.0"));
    let bundle = first.build();
    site.apply(&bundle, "site-server", &[]).ends(ExitCode::WrongTarget).says(&["tower, boat"]);
    let refused = site.apply(&bundle, "tower", &[]).ends(ExitCode::WrongTarget).json();
    assert_eq!(refused["findings"][0]["subject"], r"HKLM\SOFTWARE\Beacon 'Release'");
    assert_eq!(refused["findings"][0]["wanted"], "3.1.7.0");
    state(&site, "3.1.7.0");
    let result = site.apply(&bundle, "tower", &[]).succeeds().json();
    let before = result["before"].to_string();
    assert!(
        before.contains("LampKeeper") && before.contains("Foghorn") && !before.contains("SMS"),
        "{before}"
    );
    assert!(site.read("lamp/x86/Lens.dll") == fix("L1").file("update", "i386", "Lens.dll"));
    assert!(String::from_utf8(site.read("journal/L1.txt")).unwrap().contains("Installation Completed"));
    assert!(!site.path("LOGS/L1.log").exists());
}

#[test]
fn its_order_rule_and_foreign_folders_hold() {
    let (first, tower) = (fix("L1"), tower("3.1.7.0"));
    let bundle = first.build();
    let boat = Site::primary().with("LENS.DLL", &fix("L1").file("baseline", "alpha", "Lens.dll"));
    state(&boat, "3.1.7.0");
    boat.apply(&bundle, "boat", &[]).ends(ExitCode::WrongTarget).says(&["no proof"]);
    tower.apply(&bundle, "boat", &[]).ends(ExitCode::WrongTarget).says(&["lamp", "rescue boat"]);
    tower.apply(&bundle, "tower", &[]).succeeds();
    let folder = tower.root();
    let proof = ["--site-server", folder.to_str().unwrap()];
    assert_eq!(boat.apply(&bundle, "boat", &proof).succeeds().json()["outcome"], "changed");
}

#[test]
fn what_is_staged_carries_the_proof_with_it() {
    let (first, tower) = (fix("L1"), tower("3.1.7.0"));
    let bundle = first.build();
    tower.apply(&bundle, "tower", &[]).succeeds();
    let share = tower.path("../share");
    let share = share.to_str().unwrap();
    let staged = tower.run("stage", &["--to", share]).succeeds().json();
    assert_eq!(staged["files"].as_array().unwrap().len(), 3, "{staged}");
    let boat = Site::primary().with("LENS.DLL", &fix("L1").file("baseline", "i386", "Lens.dll"));
    state(&boat, "3.1.7.0");
    let copy = std::path::Path::new(share).join("L1.zip");
    let result = boat.apply(&copy, "boat", &[]).succeeds().json();
    assert!(result["notes"].to_string().contains("receipt of L1"), "{result}");
    // A tower whose files are not the update's any more proves nothing.
    tower.put("lamp/x86/Lens.dll", b"damaged");
    tower.run("stage", &["--to", share]).ends(ExitCode::WrongTarget).says(&["Lens.dll (changed)"]);
    tower.run("stage", &["--to", share, "L9"]).ends(ExitCode::NotInstalled);
}

#[test]
fn its_sets_and_its_doctor_come_with_the_bundle() {
    let (first, tower) = (fix("L1"), tower("3.1.7.0"));
    let bundle = first.build();
    let (second, key) = (fix("L2"), workshop().public_key());
    let other = second.build();
    let ready = |bundles: &[&std::path::Path]| {
        let args =
            args!["ready", "storm", "--target", tower.root(), "--keys", key.clone(), "--json", "--bundle"];
        patcher(args.into_iter().chain(bundles.iter().map(Into::into)))
    };
    ready(&[&bundle]).ends(ExitCode::WrongTarget);
    tower.apply(&bundle, "tower", &[]).succeeds();
    let result = ready(&[&bundle]).ends(ExitCode::WrongTarget).json();
    let states = ["installed", "missing"];
    for (number, state) in states.iter().enumerate() {
        assert_eq!(result["targets"][0]["updates"][number]["state"], *state, "{result}");
    }
    // L2 has the same file, which is there, though no run of it is recorded: its bundle tells.
    let result = ready(&[&bundle, &other]).succeeds().json();
    assert_eq!(result["targets"][0]["updates"][1]["state"], "installed", "{result}");
    state(&tower, "");
    let doctor = |more: &[&str]| {
        let args = args![
            "doctor",
            bundle.clone(),
            "--keys",
            key.clone(),
            "--target",
            tower.root(),
            "--registry",
            tower.registry(),
            "--json"
        ];
        patcher(args.into_iter().chain(more.iter().map(Into::into)))
    };
    assert_eq!(doctor(&[]).ends(ExitCode::WrongTarget).json()["correction"]["text"], "3.1.7.0");
    assert_eq!(doctor(&["--repair"]).succeeds().json()["outcome"], "changed");
}

#[test]
fn a_build_that_two_releases_have_is_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = patcher(args!["doctor", "--target", folder.path(), "--registry", "none"]).succeeds();
    assert!(run.stdout.contains("is 1239 or 1380 or 1493\n"), "{}", run.stdout);
}
