//! Errors of every call: the program ends by itself, and what it says is so.

use qfe_patcher::exit::ExitCode;
use qfe_tests::samples::workshop;

use crate::case::{Case, every};
use crate::findings::Findings;
use crate::inject::{Call, Ending, Fault};
use crate::lab::Lab;
use crate::site::{Site, State};

/// Lets every call of every command meet the faults that are for it.
fn sweep(what: &str, faults: impl Fn(&Call) -> Vec<Fault> + Sync, codes: &[ExitCode]) {
    Lab::open(&["strace"], |lab| {
        let site = Site::tiny(lab.path("server"));
        let mut findings = Findings::default();
        for case in every(lab, &site) {
            for call in case.calls.iter().filter(|call| is_own(call)) {
                for fault in faults(call) {
                    case.begin();
                    findings
                        .note(&case.story(&format!("with {fault:?}"), call), fail(&case, call, fault, codes));
                }
            }
        }
        findings.end(&format!("{what} in every command"));
    });
}

/// Tells whether the program itself makes the call, and not the loader that starts it.
fn is_own(call: &Call) -> bool {
    call.is_below(&workshop().path("")) || is_speech(call)
}

/// Tells whether it writes to the standard output or error.
fn is_speech(call: &Call) -> bool {
    call.name == "write" && (call.text.starts_with("(1<") || call.text.starts_with("(2<"))
}

fn fail(case: &Case<'_>, call: &Call, fault: Fault, codes: &[ExitCode]) -> Result<State, String> {
    let Ending::Ended(run) = case.run_with(&call.name, call.number, fault) else {
        return Err("was killed".to_owned());
    };
    // Nobody hears what it says if it cannot write; how it ends counts all the same.
    let promised = match ExitCode::ALL.into_iter().find(|code| code.status() == run.status) {
        Some(code) if call.name == "write" && run.stdout.is_empty() => case.promised(code),
        _ => case.require_end(&run, codes)?,
    };
    case.keep(promised)
}

/// Returns the errors that a call is made to fail with, once.
fn once(call: &Call) -> Vec<Fault> {
    let errors: &[&str] = match call.name.as_str() {
        "rename" | "renameat" | "renameat2" => &["EIO", "ENOSPC", "EACCES", "EBUSY"],
        _ if call.is_change() => &["EIO", "ENOSPC", "EACCES"],
        _ => &["EIO"],
    };
    errors.iter().map(|error| Fault::Fail(error)).collect()
}

/// Returns the errors with which a call and all of its name after it fail: putting files back meets them too.
fn lasting(call: &Call) -> Vec<Fault> {
    if call.is_change() { ["ENOSPC", "EROFS"].map(Fault::FailFromThere).to_vec() } else { Vec::new() }
}

/// Tells whether a code is true of a target that no other run holds.
fn is_alone(code: &ExitCode) -> bool {
    *code != ExitCode::Busy
}

#[test]
fn an_error_of_any_call_leaves_old_or_new_as_the_exit_code_says() {
    let codes = ExitCode::ALL.into_iter().filter(|code| is_alone(code) && *code != ExitCode::RollbackFailed);
    sweep("errors", once, &codes.collect::<Vec<_>>());
}

#[test]
fn after_an_error_that_lasts_from_any_call_the_next_recover_leaves_old_or_new() {
    let codes = ExitCode::ALL.into_iter().filter(is_alone);
    sweep("lasting errors", lasting, &codes.collect::<Vec<_>>());
}
