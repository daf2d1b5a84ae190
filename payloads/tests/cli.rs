//! The program as a user runs it.

use std::path::Path;
use std::process::{Command, Output};

fn run(output: &Path, ids: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_qfe-payloads");
    Command::new(program)
        .arg("generate")
        .arg("--output")
        .arg(output)
        .args(ids)
        .output()
        .expect("the program starts")
}

#[test]
fn each_file_has_a_line_with_path_size_and_version() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["Q249077"]);
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap().replace('\\', "/");
    assert_eq!(lines.lines().count(), 5);
    assert!(lines.contains("\nQ249077/update/i386/Nt_logon.dll  174960  2.0.1380.1105\n"));
    assert!(lines.ends_with("Q249077/update/alpha/Nt_logon.dll  305936  2.0.1380.1105\n"));
    let again = String::from_utf8(run(folder.path(), &["Q249077"]).stdout).unwrap();
    assert!(again.lines().all(|line| line.ends_with("  unchanged")));
}

#[test]
fn an_unknown_update_fails_with_the_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["Q1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("error: Q1: no such sample update; there are Q252717, Q249077"));
}
