//! The program: how it ends, what it prints, and what may be left out.

use qfe_builder::lint::code::Severity;
use serde_json::{Value, json};

use super::*;
use crate::fixture::exit_status;

/// Returns status and JSON of `lint`.
fn run(fixture: &Fixture, more: &[&str]) -> (i32, Value) {
    fixture.json(&[&["lint", "update.toml"], more].concat())
}

#[test]
fn the_program_ends_with_1639_where_there_are_errors_and_counts_what_it_found() {
    let fixture = Fixture::new();
    let (status, answer) = run(&fixture, &[]);
    assert_eq!(
        (status, &answer["outcome"], &answer["code"]),
        (0, &json!("findings"), &json!(0)),
        "{answer:#}"
    );
    assert_eq!((&answer["errors"], &answer["warnings"], &answer["notes"]), (&json!(0), &json!(0), &json!(2)));
    assert_eq!((&answer["command"], &answer["updates"]), (&json!("lint"), &json!(["Q252717"])));
    let finding = &answer["findings"][0];
    let keys: Vec<&str> = finding.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["code", "file", "found", "platform", "remedy", "severity", "update", "variant", "wanted"]
    );
    assert_eq!((&finding["code"], &finding["severity"]), (&json!("L042-new-file"), &json!("note")));

    assert_eq!(run(&fixture, &["--allow", "L042"]), (0, run(&fixture, &["--allow", "l042-new-file"]).1));
    assert_eq!(run(&fixture, &["--allow", "L042"]).1["outcome"], json!("clean"));
    assert_eq!(run(&fixture, &["--deny", "warnings"]).0, 0);
    let (status, answer) = run(&fixture, &["--deny", "notes"]);
    assert_eq!(
        (status, &answer["outcome"], &answer["errors"]),
        (exit_status(1639), &json!("refused"), &json!(2))
    );

    fixture.remove("update/alpha/CCM.DLL");
    let (status, answer) = run(&fixture, &[]);
    assert_eq!(
        (status, &answer["outcome"], &answer["code"]),
        (exit_status(1639), &json!("refused"), &json!(1639))
    );
    let page = String::from_utf8(fixture.run(&["lint", "update.toml"]).stdout).unwrap();
    let wanted = "error: L012-missing-twin: Q252717: alpha: Ccm.dll: a file is missing on the other platform\n  found:  in the \
                  payload for i386 only\n  wanted: the file in update/alpha\n  remedy: add the file";
    assert!(page.starts_with(wanted), "{page}");
}

#[test]
fn codes_are_listed_and_unknown_or_serious_ones_are_not_left_out() {
    let fixture = Fixture::new();
    let (status, answer) = fixture.json(&["lint", "--codes"]);
    assert_eq!((status, answer["codes"].as_array().unwrap().len()), (0, Code::ALL.len()));
    assert_eq!(
        answer["codes"][0],
        json!({"code": "L001-unreadable", "severity": "error", "meaning": "a payload or baseline cannot be read"})
    );
    for (code, words) in [("L999", "no such code"), ("L012", "is an error")] {
        let (status, answer) = run(&fixture, &["--allow", code]);
        assert_eq!(status, exit_status(1639));
        assert!(answer["error"].as_str().unwrap().contains(words), "{answer:#}");
    }
    assert_eq!(fixture.run(&["lint"]).status.code(), Some(exit_status(1639)));
    assert_eq!(Code::MissingTwin.severity(), Severity::Error);
}
