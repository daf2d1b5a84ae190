//! The classic switches, `extract`, and the status MIF: what scripts that were written for the original installers count on.

use std::ffi::OsString;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use qfe_patcher::bundle::Bundle;
use qfe_patcher::bundle::keyring::KeyRing;
use qfe_patcher::day::Day;
use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::programs::{Run, patcher, program, tool};
use qfe_tests::samples::{Server, workshop};
use qfe_tests::tree::{self, Tree};

/// Returns a switch in both forms and three cases.
fn forms(switch: &str) -> Vec<String> {
    let (name, value) = switch.split_once(':').map_or((switch, String::new()), |(n, v)| (n, format!(":{v}")));
    let mut mixed = name.to_owned();
    mixed[..1].make_ascii_uppercase();
    let spelled = |mark: &str| {
        [name.to_owned(), name.to_uppercase(), mixed.clone()].map(|n| format!("{mark}{n}{value}"))
    };
    ["/", "-"].iter().flat_map(|mark| spelled(mark)).collect()
}

/// Replaces words of a command line, and adds others.
fn with(args: &[OsString], dropped: &str, added: &[&str]) -> Vec<OsString> {
    let kept = args.iter().filter(|word| *word != dropped).cloned();
    kept.chain(added.iter().map(Into::into)).collect()
}

#[test]
fn every_switch_does_what_its_long_form_does() {
    let server = Server::new("i386");
    let log = tempfile::tempdir().unwrap();
    let (long_log, log) = (log.path().join("long.log"), log.path().join("classic.log"));
    let apply = server.apply_args(&workshop().bundle());
    let rollback = args!["rollback", "--target", server.root(), "--json"];
    let result = |args: Vec<OsString>| {
        let run = patcher(args).succeeds();
        (run.stdout, run.stderr, tree::read_product(server.root()))
    };
    let log_switch = format!("log:{}", log.display());
    let logged = format!("--log={}", long_log.display());
    for (switch, long) in [
        ("s", vec!["--quiet", "--yes"]),
        ("q", vec!["--quiet", "--yes"]),
        ("t", vec!["--dry-run"]),
        (log_switch.as_str(), vec![logged.as_str()]),
        ("norestart", vec![]),
    ] {
        let wanted = result(with(&apply, "", &long));
        let undone = (switch != "t").then(|| result(rollback.to_vec()));
        for (number, form) in forms(switch).iter().enumerate() {
            // Every other time without the command's name, which is apply then.
            let named = if number % 2 == 0 { "" } else { "apply" };
            assert!(result(with(&apply, named, &[form])) == wanted, "{form}");
            let Some(undone) = &undone else { continue };
            let undo = &forms("y")[number];
            let args = args![undo, "--target", server.root(), "--json"].to_vec();
            assert!(result(args) == *undone, "{undo}");
        }
    }
    assert!(fs::read_to_string(log).unwrap().contains("Bin/i386/Ccm.dll (2.0.1380.1000 -> 2.0.1380.1125)"));
    let status = result(args!["status", "--target", server.root(), "--json"].to_vec());
    for list in forms("l") {
        assert!(result(args![list, "--target", server.root(), "--json"].to_vec()) == status);
    }
}

#[test]
fn help_is_that_of_the_command() {
    let help = |args: &[&str]| patcher(args).succeeds().stdout;
    for form in ["/?", "-?"] {
        assert_eq!(help(&[form]), help(&["--help"]));
        assert_eq!(help(&["apply", "B.zip", form]), help(&["apply", "--help"]));
        assert_eq!(help(&["/y", form]), help(&["rollback", "--help"]));
    }
}

#[test]
fn unknown_and_contradictory_switches_are_refused() {
    let server = Server::new("i386");
    let before = tree::read(server.root());
    let apply = server.apply_args(&workshop().bundle());
    for (switches, words) in [
        (vec!["/foo"], vec!["/foo", "/norestart", "/log:FILE"]),
        (vec!["/s", "/Z"], vec!["/Z"]),
        (vec!["/m"], vec!["/m"]),
        (vec!["-z"], vec!["-z"]),
        (vec!["-y"], vec!["apply and -y exclude one another"]),
        (vec!["/s:1"], vec!["/s:1"]),
        (vec!["/log"], vec!["/log"]),
    ] {
        let run = patcher(with(&apply, "", &switches)).ends(ExitCode::BadCommandLine).says(&words);
        let json = run.json();
        assert_eq!((json["command"].as_str(), json["outcome"].as_str()), (Some("apply"), Some("refused")));
    }
    let target = server.root();
    patcher(args!["/y", "/l", "--target", target]).ends(ExitCode::BadCommandLine).says(&["/y", "/l"]);
    patcher(args!["/l", "/t", "--target", target]).ends(ExitCode::BadCommandLine).says(&["/t", "status"]);
    assert!(tree::read(server.root()) == before);
}

/// Reads what a bundle should be extracted to.
fn members(bundle: &Path) -> Vec<(String, Vec<u8>)> {
    let key = fs::read_to_string(workshop().public_key()).unwrap();
    let ring = KeyRing::new([("vendor.pub", key.as_str())], None).unwrap();
    let file = BufReader::new(fs::File::open(bundle).unwrap());
    let mut bundle =
        Bundle::open(file).unwrap().verify(ring.clone(), Day::of(std::time::SystemTime::now())).unwrap();
    let names: Vec<_> = bundle.manifest().members.iter().map(|member| member.name.clone()).collect();
    names.iter().map(|name| (name.to_string(), bundle.read(name).unwrap())).collect()
}

/// Reads the files of a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let tree: Tree = tree::read(folder);
    tree.into_iter()
        .filter(|(name, _)| !name.ends_with('/'))
        .map(|(name, (bytes, _))| (name, bytes))
        .collect()
}

#[test]
fn extract_writes_every_member_as_it_is_in_the_bundle() {
    for container in ["Q252717.zip", "Q252717.cab"] {
        let bundle = workshop().path(container);
        let mut wanted = members(&bundle);
        wanted.sort();
        assert!(wanted.iter().any(|(name, _)| name == "alpha/Ccm.dll"));
        let keys = workshop().public_key();
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("long/way");
        let json =
            patcher(args!["extract", &bundle, "--to", &long, "--keys", &keys, "--json"]).succeeds().json();
        assert!(files(&long) == wanted);
        assert_eq!(json["members"].as_array().unwrap().len(), wanted.len());
        assert_eq!((json["id"].as_str(), json["delta_only"].as_u64()), (Some("Q252717"), Some(0)));
        for (number, form) in forms("x:").iter().enumerate() {
            let to = folder.path().join(number.to_string());
            patcher(args![format!("{form}{}", to.display()), &bundle, "--keys", &keys]).succeeds();
            assert!(files(&to) == wanted, "{form}");
        }
        // Without a folder it is one of the bundle's name.
        let here = tempfile::tempdir().unwrap();
        let program = program("qfe-patcher");
        tool(program.to_str().unwrap(), here.path(), args!["/x", &bundle, "--keys", &keys]);
        assert!(files(&here.path().join("Q252717")) == wanted);
    }
}

#[test]
fn extract_tells_how_many_files_are_deltas_only() {
    let lean = workshop().path("classic-lean.zip");
    workshop().build("Q252717", &lean, &["--lean"]).succeeds();
    let to = tempfile::tempdir().unwrap();
    let run =
        patcher(args!["extract", &lean, "--to", to.path(), "--keys", workshop().public_key(), "--json"]);
    assert_eq!(run.succeeds().json()["delta_only"], 6);
}

#[test]
fn extract_replaces_no_file_and_leaves_nothing_where_it_fails() {
    let to = tempfile::tempdir().unwrap();
    let extract = |bundle: &Path, keys: &str| {
        patcher(args!["extract", bundle, "--to", to.path(), "--keys", workshop().path(keys), "--json"])
    };
    // The last member, in another case.
    fs::create_dir(to.path().join("I386")).unwrap();
    fs::write(to.path().join("I386/CCMBTLDR.EXE"), "mine").unwrap();
    let before = tree::read(to.path());
    extract(&workshop().bundle(), "vendor.pub")
        .ends(ExitCode::WrongTarget)
        .says(&["CCMBTLDR.EXE", "already"]);
    assert!(tree::read(to.path()) == before);
    extract(&workshop().bundle(), "stranger.pub").ends(ExitCode::Untrusted);
    extract(&workshop().path("absent.zip"), "vendor.pub").ends(ExitCode::BundleUnreadable);
    let mut bytes = fs::read(workshop().bundle()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = workshop().path("classic-damaged.zip");
    fs::write(&damaged, bytes).unwrap();
    extract(&damaged, "vendor.pub").ends(ExitCode::BundleMalformed);
    assert!(tree::read(to.path()) == before);
    fs::write(to.path().join("alpha"), "a file in the place of a folder").unwrap();
    fs::remove_dir_all(to.path().join("I386")).unwrap();
    let before = tree::read(to.path());
    extract(&workshop().bundle(), "vendor.pub").ends(ExitCode::WrongTarget).says(&["alpha"]);
    assert!(tree::read(to.path()) == before);
}

/// A limit on the size of files stands in for a disk that fails in the middle.
#[cfg(unix)]
#[test]
fn what_was_extracted_is_removed_where_the_rest_cannot_be_written() {
    let sample = workshop().sample("X1");
    fs::create_dir_all(sample.join("update")).unwrap();
    for (name, size) in [("First.ini", 1000), ("Second.ini", 1 << 20)] {
        fs::write(sample.join("update").join(name), vec![b'x'; size]).unwrap();
    }
    let recipe = "id = 'X1'\ntitle = 'Files'\nrevision = 1\nproduct = 'Systems Management Server 2.0'\n[payload]\ni386 = 'update'\n";
    fs::write(sample.join("update.toml"), recipe).unwrap();
    let (bundle, keys) = (workshop().path("X1.zip"), workshop().public_key());
    workshop().build("X1", &bundle, &[]).succeeds();
    let folder = tempfile::tempdir().unwrap();
    // Shells count in 512 or 1024 bytes.
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"";
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .args(args![
            program("qfe-patcher"),
            "extract",
            bundle,
            "--keys",
            keys,
            "--to",
            folder.path().join("new/way")
        ])
        .output()
        .unwrap();
    Run::of(&output).ends(ExitCode::Failed).says(&["cannot write", "Second.ini"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A folder with a status MIF.
struct Status(tempfile::TempDir);

impl Status {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("status.mif")
    }

    /// Requires a file with these values, and none beside it.
    #[track_caller]
    fn says(&self, values: &[&str]) {
        let text: String = fs::read(self.path()).unwrap().into_iter().map(char::from).collect();
        assert!(text.starts_with("START COMPONENT\r\n") && text.ends_with("END COMPONENT\r\n"));
        let found: Vec<&str> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("VALUE = \"")?.strip_suffix('"'))
            .collect();
        for value in values {
            let is_there = found.iter().any(|found| {
                found == value || value.ends_with("..") && found.starts_with(value.trim_end_matches('.'))
            });
            assert!(is_there, "{value:?} is not in {found:?}");
        }
        assert_eq!(fs::read_dir(self.0.path()).unwrap().count(), 1);
    }
}

#[test]
fn the_status_mif_says_how_a_run_ended() {
    const PRODUCT: [&str; 3] = ["qfe", "Systems Management Server 2.0", "Q252717 revision 1"];
    let server = Server::new("i386");
    let status = Status::new();
    let mif = status.path();
    let apply = |bundle: &Path, more: &[&str]| {
        let mut args = with(&server.apply_args(bundle), "", more);
        args.extend(args!["--mif", &mif]);
        patcher(args)
    };
    let bundle = workshop().bundle();
    apply(&bundle, &["/t"]).succeeds();
    status.says(&["Success", "would-change, code 0"]);
    apply(&bundle, &["/s"]).succeeds();
    status.says(&["Success", "changed, code 0"]);
    status.says(&PRODUCT);
    apply(&bundle, &[]).succeeds();
    status.says(&["Success", "already-current, code 0"]);
    let rollback = args!["/y", "--target", server.root(), "--mif", &mif];
    patcher(&rollback).succeeds();
    status.says(&["Success", "changed, code 0"]);
    status.says(&PRODUCT);
    patcher(&rollback).ends(ExitCode::NotInstalled);
    status.says(&["Failed", "refused, code 1605: .."]);

    apply(&bundle, &["--platform", "alpha"]).ends(ExitCode::WrongTarget);
    status.says(&["Failed", "refused, code 1642: .."]);
    status.says(&PRODUCT);
    apply(&workshop().path("absent.zip"), &[]).ends(ExitCode::BundleUnreadable);
    status.says(&["Failed", "failed, code 1619: bundle .."]);
    let text = workshop().path("classic-text.zip");
    fs::write(&text, "no bundle").unwrap();
    apply(&text, &[]).ends(ExitCode::BundleMalformed);
    status.says(&["Failed", "refused, code 1620: .."]);
}

#[test]
fn nothing_is_changed_where_the_status_mif_cannot_be_written() {
    let server = Server::new("i386");
    let log = server.path("run.log");
    fs::create_dir(server.path("LOGS/taken.mif")).unwrap();
    let before = tree::read(server.root());
    for place in [server.path("absent/status.mif"), server.path("LOGS/taken.mif")] {
        let mut args = server.apply_args(&workshop().bundle());
        args.extend(args!["--mif", &place, "--log", &log]);
        let run = patcher(args).ends(ExitCode::LogUnwritable).says(&["status MIF", "--mif"]);
        assert_eq!(run.json()["code"], 1622);
        patcher(args!["rollback", "--target", server.root(), "--mif", &place]).ends(ExitCode::LogUnwritable);
        assert!(tree::read(server.root()) == before);
    }
}
