//! Bundles that apply themselves.

use std::fs;
use std::path::PathBuf;

use qfe_patcher::exit::ExitCode;
use qfe_tests::programs::Run;
use qfe_tests::samples::workshop;
use qfe_tests::wine::{Bits, program};

use crate::live::SETUP;
use crate::site::{Site, TARGET, ends};

/// The bundle on its machine.
const BUNDLE: &str = r"C:\Fixes\Q252717.exe";
const PLACE: &[&str] =
    &["--role", "site-server", "--target", TARGET, "--services", "none", "--registry", "none"];

/// A machine with a bundle that carries itself; the program is the one that is given away, of 32 bits.
fn furnished(platform: &'static str, more: &[&str]) -> Option<Site> {
    let site = Site::new(Bits::B32, platform)?;
    with_bundle(&site, more);
    Some(site)
}

fn with_bundle(site: &Site, more: &[&str]) {
    let stub = program(Bits::B32, "qfe-patcher");
    fs::create_dir(site.machine.disk("Fixes")).unwrap();
    let more = [&["--stub", stub.to_str().unwrap()], more].concat();
    workshop().build("Q252717", &site.machine.disk("Fixes/Q252717.exe"), &more).succeeds();
}

fn run(site: &Site, words: &[&str]) -> Run {
    site.machine.program(BUNDLE, words)
}

#[test]
fn it_applies_itself_by_the_classic_switches_and_says_whose_keys_it_believes() {
    for platform in ["i386", "alpha"] {
        let Some(site) = furnished(platform, &[]) else { return };
        let dry = run(&site, &[&["/t"], PLACE].concat()).ends(ExitCode::Success);
        assert!(dry.stderr.contains("the key ring is this program's own"), "{}", dry.stderr);
        site.is_old();
        let applied = ends(run(&site, &[&["/s", "--json"], PLACE].concat()), ExitCode::Success).json();
        assert_eq!(applied["outcome"], "changed");
        assert!(applied["notes"].to_string().contains("program's own"), "{applied}");
        site.is_new();
        ends(
            run(&site, &["/y", "/s", "--target", TARGET, "--services", "none", "--json"]),
            ExitCode::Success,
        );
        site.is_old();
        // Without any switch, and by the full words.
        ends(run(&site, &[PLACE, &["--yes", "--json"]].concat()), ExitCode::Success);
        site.is_new();
        ends(run(&site, &["verify", "--json"]), ExitCode::Success);
        ends(run(&site, &["stage", "--target", TARGET, "--to", r"C:\Staged", "--json"]), ExitCode::Success);
        let staged: Vec<PathBuf> =
            fs::read_dir(site.machine.disk("Staged")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(staged.len(), 2, "the bundle, which is the patcher, and the receipt: {staged:?}");
        ends(run(&site, &["/x:C:\\Out", "--json"]), ExitCode::Success);
        assert!(site.machine.disk("Out/alpha/Ccm.dll").is_file());
    }
}

#[test]
fn the_key_ring_in_it_is_believed_by_it_alone_and_only_where_no_other_is_named() {
    // A ring by which nobody signed would not be built; another one is named here.
    let Some(site) = furnished("i386", &[]) else { return };
    fs::copy(workshop().path("stranger.pub"), site.machine.disk("stranger.pub")).unwrap();
    let words = [&["/s", "--json", "--keys", r"C:\stranger.pub"], PLACE].concat();
    ends(run(&site, &words), ExitCode::Untrusted);
    let other = ["verify", BUNDLE, "--keys", BUNDLE, "--json"];
    ends(site.machine.patcher(other), ExitCode::Untrusted);
    ends(site.machine.patcher(["verify", BUNDLE, "--json"]), ExitCode::BadCommandLine);
    site.is_old();
    let shown = ends(run(&site, &["keys", "--json"]), ExitCode::Success).json();
    assert_eq!(shown["keys"].as_array().unwrap().len(), 1, "{shown}");
    ends(run(&site, &["keys", "--update", "--json"]), ExitCode::BadCommandLine);

    // Another bundle is another's to vouch for; the ring that this one carries is its word for it.
    fs::copy(workshop().bundle(), site.machine.disk("Other.zip")).unwrap();
    ends(run(&site, &["verify", r"C:\Other.zip", "--json"]), ExitCode::Success);
}

#[test]
fn a_changed_bundle_is_refused_by_itself() {
    let Some(site) = furnished("i386", &["--codec", "full"]) else { return };
    let path = site.machine.disk("Fixes/Q252717.exe");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - bytes.len() / 4;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let run = run(&site, &[&["/s", "--json"], PLACE].concat());
    assert!(run.json()["outcome"] == "refused", "{run:?}");
    site.is_old();
}

#[test]
fn where_the_machine_states_its_product_the_switches_alone_are_enough() {
    let Some(site) = Site::live(Bits::B32) else { return };
    with_bundle(&site, &[]);
    site.start_services();
    // As long as it states nothing there is nothing to be done, and it says so.
    let lost = ends(run(&site, &["/s", "--json"]), ExitCode::WrongTarget);
    assert!(lost.json()["error"].as_str().unwrap().contains("Installation Directory"), "{lost:?}");
    let undo = ["/y", "/s", "--json", "--mif", r"C:\Fixes\status.mif"];
    let mif = |parts: &[&str]| {
        let text = fs::read_to_string(site.machine.disk("Fixes/status.mif")).unwrap();
        for part in [&["Systems Management Server 2.0", "Q252717 revision 1"], parts].concat() {
            assert!(text.contains(&format!("VALUE = \"{part}")), "{part}: {text}");
        }
    };
    ends(run(&site, &undo), ExitCode::WrongTarget);
    mif(&["Failed", "refused, code 1642: "]);
    site.is_old();

    // A site server has its console in its own folder.
    site.state(
        r#""Installation Directory"="C:\\Sms"
"UI Installation Directory"="c:\\sms\\""#,
    );
    let applied = ends(run(&site, &["/s", "--json"]), ExitCode::Success).json();
    assert_eq!(
        (&applied["outcome"], &applied["role"], &applied["target"]),
        (&"changed".into(), &"site-server".into(), &TARGET.into())
    );
    assert!(applied["notes"].to_string().contains("of this machine states"), "{applied}");
    site.is_new();
    site.services_run();
    let listed = ends(run(&site, &["/l", "--json"]), ExitCode::Success).json();
    assert_eq!((&listed["target"], &listed["updates"][0]["id"]), (&TARGET.into(), &"Q252717".into()));
    ends(run(&site, &["doctor", "--json"]), ExitCode::Success);
    ends(run(&site, &["recover", "--json"]), ExitCode::Success);
    ends(run(&site, &["stage", "--to", r"C:\Staged", "--json"]), ExitCode::Success);
    ends(run(&site, &undo), ExitCode::Success);
    mif(&["Success", "changed, code 0"]);
    site.is_old();
    site.services_run();

    // What is said of another machine is not what this one states; and what it states must be a folder.
    for other in [["--registry", "none"], ["--services", "rpc:SITE2"]] {
        ends(run(&site, &[&["/s", "--json"], &other[..]].concat()), ExitCode::BadCommandLine);
    }
    site.state(r#""UI Installation Directory"="C:\\Smsadmin""#);
    let several = ends(run(&site, &["/s", "--json"]), ExitCode::BadCommandLine);
    assert!(several.json()["error"].as_str().unwrap().contains(r"console in C:\Smsadmin"), "{several:?}");
    site.is_old();
    ends(run(&site, &["/s", "--role", "site-server", "--json"]), ExitCode::Success);
    site.is_new();
    site.machine.remove_registry(Bits::B32, SETUP, Some("Installation Directory"));
    ends(run(&site, &["/s", "--role", "site-server", "--json"]), ExitCode::WrongTarget);
}

#[test]
fn an_update_that_is_not_the_bundles_is_not_undone_by_it() {
    let Some(site) = furnished("i386", &[]) else { return };
    ends(run(&site, &[&["/s", "--json"], PLACE].concat()), ExitCode::Success);
    let words = ["/y", "/s", "Q249077", "--target", TARGET, "--services", "none", "--json"];
    ends(run(&site, &words), ExitCode::NotInstalled);
    ends(run(&site, &[&words[..2], &words[3..]].concat()), ExitCode::Success);
    ends(run(&site, &[&words[..2], &words[3..]].concat()), ExitCode::NotInstalled);
    site.is_old();
}
