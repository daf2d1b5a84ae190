//! The guides in `docs`: every command that stands in a block of its own is run, in order, on sample files.
//!
//! What a test has not got stands for something else here: drives and shares are folders, another machine is an export of
//! its registry, and nobody is there to be asked for a password. Nothing else of a line is changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use qfe_tests::programs::{Run, keep_no_deltas, program, workspace};
use qfe_tests::samples::workshop;
use qfe_tests::tree;
use qfe_tests::updates::Site;

/// A part of a guide.
enum Part {
    Heading(String),
    /// The lines of a block, and what they are written in.
    Block(String, Vec<String>),
}

fn parts(guide: &str) -> Vec<Part> {
    let text = fs::read_to_string(workspace().join("docs").join(guide)).unwrap().replace("\r\n", "\n");
    let (mut parts, mut block) = (Vec::new(), None::<(String, Vec<String>)>);
    for line in text.lines() {
        match (line.strip_prefix("```"), block.take()) {
            (Some(_), Some((language, lines))) => parts.push(Part::Block(language, lines)),
            (Some(language), None) => block = Some((language.to_owned(), Vec::new())),
            (None, Some((language, mut lines))) => {
                lines.push(line.to_owned());
                block = Some((language, lines));
            }
            (None, None) => parts.extend(line.strip_prefix("## ").map(|it| Part::Heading(it.to_owned()))),
        }
    }
    assert!(block.is_none(), "{guide} ends within a block");
    parts
}

/// Runs a line in a folder; every word goes through `word`, and `more` are added.
fn run(folder: &Path, line: &str, word: impl Fn(&str) -> String, more: &[String]) {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap();
    assert!(["qfe-builder", "qfe-patcher"].contains(&name), "{line}");
    let mut command = Command::new(program(name));
    keep_no_deltas(&mut command);
    command.args(words.map(word)).args(more).current_dir(folder).stdin(Stdio::null());
    let run = Run::of(&command.output().unwrap());
    assert_eq!(run.status, 0, "{line}\nstdout: {}\nstderr: {}", run.stdout, run.stderr);
}

#[test]
fn the_field_guide_is_true() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name);
    let baseline = |platform: &str| workshop().sample("Q252717").join("baseline").join(platform);
    tree::copy(&baseline("i386"), &path("D/Sms/Bin/i386"));
    tree::copy(&baseline("alpha"), &path("ALPHA1/Sms/Bin/alpha"));
    tree::copy(&baseline("i386"), &path("mnt/sms/Bin/i386"));
    for folder in ["D/SmsSql", "D/Smsprov/Bin/i386", "D/Smsadmin/Bin/i386"] {
        tree::copy(&baseline("i386"), &path(folder));
    }
    let site = Site::primary();
    fs::create_dir(path("FILES")).unwrap();
    for folder in ["", "E"] {
        fs::create_dir_all(path(folder)).unwrap();
        fs::copy(workshop().bundle(), path(folder).join("Q252717.zip")).unwrap();
    }
    fs::copy(workshop().public_key(), path("vendor.pub")).unwrap();
    fs::copy(site.registry(), path("alpha1.reg")).unwrap();
    fs::write(path("site1.cred"), "username = u\npassword = p\n").unwrap();

    let registry = site.registry().display().to_string();
    let word = |word: &str| match word {
        "rpc:SITE1" => "none".to_owned(),
        _ => [("D:", "D"), ("E:", "E"), (r"\\FILES", "FILES"), (r"\\ALPHA1", "ALPHA1"), ("/mnt", "mnt")]
            .iter()
            .find_map(|(from, to)| Some(format!("{to}{}", word.strip_prefix(from)?)))
            .map_or_else(|| word.to_owned(), |path| path.replace('\\', "/")),
    };
    let mut runs = 0;
    for part in parts("field-guide.md") {
        let Part::Block(language, lines) = part else { continue };
        assert_eq!(language, "sh", "{lines:?}");
        for line in lines {
            // What Windows has by itself.
            let mut more = Vec::new();
            let has = |name: &str| line.contains(name);
            if (has("qfe-patcher apply") || has("doctor --target"))
                && !has("--registry")
                && !has("--assume-build")
            {
                more.extend(["--registry".to_owned(), registry.clone()]);
            }
            if has("qfe-patcher apply") && !has("--services") {
                more.extend(["--services", "none"].map(str::to_owned));
            }
            if has("--credentials") {
                let line = line.replace(" --credentials site1.cred", "");
                run(temp.path(), &line, word, &more);
            } else {
                run(temp.path(), &line, word, &more);
            }
            runs += 1;
        }
    }
    assert!(runs > 10, "{runs}");
    let new = |file: &str| fs::read(workshop().sample("Q252717").join("update").join(file)).unwrap();
    assert!(fs::read(path("D/Smsadmin/Bin/i386/Ccm.dll")).unwrap() == new("i386/Ccm.dll"));
    assert!(fs::read(path("ALPHA1/Sms/Bin/alpha/Ccm.dll")).unwrap() == new("alpha/Ccm.dll"));
    assert!(
        fs::read(path("D/Sms/Bin/i386/Ccm.dll")).unwrap()
            == fs::read(baseline("i386").join("Ccm.dll")).unwrap()
    );
}

#[test]
fn the_release_guide_is_true() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name);
    let sample = workshop().sample("Q252717");
    for tree in ["update", "baseline"] {
        tree::copy(&sample.join(tree), &path(tree));
    }
    tree::copy(&sample.join("baseline/i386"), &path("copy/Bin/i386"));
    fs::copy(sample.join("update.toml"), path("update.toml")).unwrap();
    fs::create_dir(path("keys")).unwrap();
    let ring: PathBuf = path("keys/keyring.toml");
    let (mut runs, mut floor) = (0, String::new());
    for part in parts("release-guide.md") {
        match part {
            Part::Heading(heading) if heading == "Rotating keys" => {
                let text = fs::read_to_string(&ring).unwrap();
                fs::write(&ring, text.replace("version = 1", "version = 2")).unwrap();
            }
            Part::Heading(_) => {}
            Part::Block(language, lines) if language == "toml" && lines.contains(&"[[floor]]".to_owned()) => {
                floor = lines.join("\n");
            }
            Part::Block(language, lines) if language == "toml" => {
                let mut text = lines.join("\n");
                for signer in ["alice", "bob"] {
                    let public = fs::read_to_string(path(&format!("{signer}.pub"))).unwrap();
                    text = text.replacen("RWQ...", public.lines().nth(1).unwrap(), 1);
                }
                fs::write(&ring, text).unwrap();
            }
            Part::Block(language, lines) => {
                assert_eq!(language, "sh", "{lines:?}");
                for line in lines {
                    let asks = line.contains("keygen").then(|| "--no-password".to_owned());
                    run(temp.path(), &line, str::to_owned, asks.as_slice());
                    runs += 1;
                }
            }
        }
    }
    assert!(runs > 12, "{runs}");
    // The withdrawal: a ring with that floor believes revision 1 no more.
    let text = fs::read_to_string(&ring).unwrap();
    fs::write(&ring, format!("{}\n{floor}\n", text.replace("version = 2", "version = 3"))).unwrap();
    for signer in ["alice.key", "bob.key"] {
        run(
            temp.path(),
            &format!("qfe-builder keyring sign keys/keyring.toml --key {signer}"),
            str::to_owned,
            &[],
        );
    }
    let mut verify = Command::new(program("qfe-patcher"));
    let refused =
        verify.args(["verify", "Q252717.zip", "--keys", "keys"]).current_dir(temp.path()).output().unwrap();
    Run::of(&refused).ends(qfe_patcher::exit::ExitCode::Untrusted).says(&["Q252717"]);
}
