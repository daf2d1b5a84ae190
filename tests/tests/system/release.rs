//! What is given away: pages that `man` shows, completions that shells load, archives that stock tools unpack and verify.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use qfe_tests::args;
use qfe_tests::programs::{builder, folder, has_tool, run, tool, workspace};
use qfe_tests::release::archive::{self, Kind, sums};
use qfe_tests::release::{LINUX, PROGRAMS, SUMS, licences, manual};

/// Every command of a program as it is typed, the program itself first.
fn commands(program: &clap::Command) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    for command in program.get_subcommands() {
        for mut words in commands(command) {
            words.insert(0, command.get_name().to_owned());
            all.push(words);
        }
    }
    all
}

#[test]
fn there_is_a_page_for_every_command_and_it_holds_all_that_help_does() {
    for program in manual::programs() {
        let pages = manual::pages(&program);
        let commands = commands(&program);
        let name =
            |words: &[String]| format!("{}.1", [&[program.get_name().to_owned()], words].concat().join("-"));
        let names: BTreeSet<String> = commands.iter().map(|words| name(words)).collect();
        assert_eq!(pages.keys().cloned().collect::<BTreeSet<_>>(), names);
        for words in &commands {
            let page = String::from_utf8(pages[&name(words)].clone()).unwrap().replace('\\', "");
            let help =
                run(program.get_name(), words.iter().map(String::as_str).chain(["--help"])).succeeds().stdout;
            let options = help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2);
            for option in options {
                let option = option.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
                assert!(page.contains(option), "{words:?}: {option} is not on the page:\n{page}");
            }
            let mut examples =
                help.lines().skip_while(|line| !line.starts_with("Example")).skip(1).peekable();
            assert!(words.is_empty() || examples.peek().is_some(), "{words:?}: no example");
            for example in examples.filter(|line| !line.is_empty()) {
                let example = example.trim().replace('\\', "");
                assert!(
                    page.lines().any(|line| line == example),
                    "{words:?}: {example} is not on the page:\n{page}"
                );
            }
        }
    }
}

/// Writes files below a folder.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn pages_are_valid_and_man_shows_them() {
    let temp = tempfile::tempdir().unwrap();
    let pages: Vec<_> = manual::programs()
        .iter()
        .flat_map(manual::pages)
        .map(|(name, page)| put(temp.path(), &name, &page))
        .collect();
    if has_tool("mandoc") {
        let lint =
            Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).args(&pages).output().unwrap();
        let said = String::from_utf8_lossy(&lint.stdout);
        // Pages that are the same every time have none.
        let told: Vec<&str> = said.lines().filter(|line| !line.contains("missing date")).collect();
        assert_eq!(told, [""; 0]);
    }
    if has_tool("man") {
        for page in &pages {
            let shown = tool("man", temp.path(), args!["--warnings", "-l", page]);
            assert!(
                shown.stdout.contains("DESCRIPTION") && shown.stderr.is_empty(),
                "{}: {}",
                page.display(),
                shown.stderr
            );
        }
    }
}

#[test]
fn shells_load_the_completions_and_offer_what_fits() {
    let temp = tempfile::tempdir().unwrap();
    for program in manual::programs() {
        for shell in manual::SHELLS {
            let (name, script) = manual::completions(&program, shell);
            let path = put(temp.path(), &name, &script);
            let shell = match shell.to_string().as_str() {
                "powershell" => "pwsh",
                name => ["bash", "zsh", "fish"].into_iter().find(|known| *known == name).unwrap(),
            };
            // PowerShell is on few Linux machines, and not among the packages of Debian.
            if shell == "pwsh" {
                let text = String::from_utf8(script).unwrap();
                assert!(text.contains("Register-ArgumentCompleter") && text.contains("--json"));
                continue;
            }
            if !has_tool(shell) {
                continue;
            }
            let option = if shell == "fish" { "--no-execute" } else { "-n" };
            tool(shell, temp.path(), args![option, path]);
        }
    }
    if has_tool("bash") {
        for (line, word, offered) in [
            ("qfe-patcher app", "app", "apply"),
            ("qfe-patcher apply --repl", "--repl", "--replace-unknown"),
            ("qfe-builder keyring si", "si", "sign"),
            ("qfe-builder build --no-c", "--no-c", "--no-cache"),
        ] {
            let program = line.split(' ').next().unwrap();
            // What bash does when somebody presses the tabulator.
            let script = format!(
                "source bash/{program}; COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
                 \"$(complete -p {program} | sed 's/.*-F \\([^ ]*\\).*/\\1/')\" {program} '{word}' ''; echo \"${{COMPREPLY[@]}}\""
            );
            let shown = tool("bash", temp.path(), ["-c", script.as_str()]);
            assert!(
                shown.stdout.split_whitespace().any(|word| word == offered),
                "{line}: {}{}",
                shown.stdout,
                shown.stderr
            );
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_archive_is_the_same_every_time_and_stock_tools_verify_and_unpack_it() {
    use std::os::unix::fs::PermissionsExt;
    let temp = tempfile::tempdir().unwrap();
    let (files, again) = (LINUX.files(folder()), LINUX.files(folder()));
    let (name, bytes) = (LINUX.folder(), archive::zip(&LINUX.folder(), &files).unwrap());
    assert!(bytes == archive::zip(&name, &again).unwrap());
    for (file, wanted) in [
        ("qfe-patcher", Kind::Program),
        ("docs/field-guide.md", Kind::Text),
        ("man/man1/qfe-builder-build.1", Kind::Text),
        ("completions/zsh/_qfe-patcher", Kind::Text),
        ("LICENSE-MIT", Kind::Text),
    ] {
        assert_eq!(files[file].kind, wanted, "{file}");
    }
    let zip = format!("{name}.zip");
    put(temp.path(), &zip, &bytes);
    put(temp.path(), SUMS, sums([(zip.as_str(), bytes.as_slice())]).as_bytes());
    let key = |name: &str| temp.path().join(name);
    builder(args!["keygen", "--secret", key("k"), "--public", key("k.pub"), "--no-password"]).succeeds();
    let sign = || builder(args!["sign", "--detached", key(SUMS), "--key", key("k")]).succeeds();
    sign();
    let first = fs::read(key("SHA256SUMS.minisig")).unwrap();
    sign();
    assert!(
        first == fs::read(key("SHA256SUMS.minisig")).unwrap(),
        "the same key and file give the same signature"
    );
    if has_tool("minisign") {
        let shown = tool("minisign", temp.path(), ["-V", "-p", "k.pub", "-m", SUMS]);
        assert!(shown.stdout.contains("qfe file SHA256SUMS"), "{}", shown.stdout);
        put(temp.path(), SUMS, b"another text\n");
        let refused = Command::new("minisign")
            .args(["-V", "-p", "k.pub", "-m", SUMS])
            .current_dir(temp.path())
            .output();
        assert!(!refused.unwrap().status.success());
    }
    if has_tool("unzip") && has_tool("sha256sum") {
        tool("unzip", temp.path(), ["-q", zip.as_str()]);
        let unpacked = temp.path().join(&name);
        tool("sha256sum", &unpacked, ["--check", "--strict", SUMS]);
        let listed = String::from_utf8(files[SUMS].bytes.clone()).unwrap();
        assert_eq!(listed.lines().count(), files.len() - 1);
        for program in PROGRAMS {
            assert_eq!(fs::metadata(unpacked.join(program)).unwrap().permissions().mode() & 0o777, 0o755);
            tool(unpacked.join(program).to_str().unwrap(), temp.path(), ["--version"]);
        }
    }
}

#[test]
fn the_licences_name_every_package_that_goes_into_the_programs() {
    let text = licences::third_party(&PROGRAMS, LINUX.target);
    for words in ["\nclap 4.", "\nsha2 0.", "\nzip ", "Permission is hereby granted", "Apache License"] {
        assert!(text.contains(words), "{words}");
    }
    assert!(!text.contains("\nproptest "), "what only tests need is not in the programs");
    assert!(!text.contains(workspace().to_str().unwrap()));
}
