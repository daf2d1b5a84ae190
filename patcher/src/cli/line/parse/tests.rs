//! Command lines, written in every way and wrong in every way.

use super::*;
use crate::cli::commands::PROGRAM;
use crate::exit::ExitCode;

fn parsed(line: &str) -> Result<Meant, Failure> {
    parse(&PROGRAM, &line.split(' ').map(Into::into).collect::<Vec<_>>(), None)
}

fn given(line: &str) -> Given {
    match parsed(line) {
        Ok(Meant::Run(_, given)) => given,
        other => panic!("{line}: {other:?}"),
    }
}

fn refused(line: &str) -> String {
    let failure = parsed(line).unwrap_err();
    assert_eq!(failure.code, ExitCode::BadCommandLine);
    failure.to_string()
}

#[test]
fn an_option_is_written_in_every_usual_way() {
    for line in [
        "delta a b --output n",
        "delta --output=n a b",
        "delta a -o n b",
        "delta a b -on",
        "delta a b -o=n",
        "delta a b -qo n",
        "delta a b -qon",
        "delta a --output n -- b",
    ] {
        let mut given = given(line);
        assert_eq!(given.path("old").unwrap(), std::path::Path::new("a"), "{line}");
        assert_eq!(given.path("patch").unwrap(), std::path::Path::new("b"), "{line}");
        assert_eq!(given.path("output").unwrap(), std::path::Path::new("n"), "{line}");
    }
    assert_eq!(given("delta a b --output=-n").path("output").unwrap(), std::path::Path::new("-n"));
    assert_eq!(given("delta a b -o=a=b").path("output").unwrap(), std::path::Path::new("a=b"));
    assert_eq!(given("delta -o n -- --json -").path("old").unwrap(), std::path::Path::new("--json"));
}

#[test]
fn an_option_that_may_be_given_often_keeps_every_value_in_order() {
    for line in ["ready sp2 --target a b --target c", "ready sp2 --target a --target b c --json"] {
        let targets = given(line).paths("target");
        assert_eq!(targets, ["a", "b", "c"].map(std::path::PathBuf::from), "{line}");
    }
    let mut given = given("verify B --keys K --baseline a --baseline b");
    assert_eq!(given.paths("baseline"), ["a", "b"].map(std::path::PathBuf::from));
}

#[test]
fn a_default_holds_until_another_value_is_given() {
    assert_eq!(given("recover --target D").number("wait").unwrap(), Some(5));
    assert_eq!(given("recover --target D --wait 7").number("wait").unwrap(), Some(7));
    for text in ["x", "-1", "65536", "\t", "1.5"] {
        let failure = given(&format!("recover --target D --wait={text}")).number("wait").unwrap_err();
        assert!(failure.to_string().contains(&format!("--wait: {text:?} is no number")), "{failure}");
    }
}

#[test]
fn help_and_version_are_asked_for_in_several_ways() {
    let shown = |line: &str| match parsed(line) {
        Ok(Meant::Show(text)) => text,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(shown("--version"), shown("-V"));
    for line in ["help", "help help", "help --help"] {
        assert_eq!(shown("--help"), shown(line));
    }
    assert_eq!(shown("apply --help"), shown("help apply"));
    // What is wrong or missing elsewhere on the line does not keep help away.
    assert_eq!(shown("apply --help --tarjet"), shown("apply B --role r --help"));
    for (short, long) in [("-h", "--help"), ("apply -h", "apply --help")] {
        assert!(shown(short).len() < shown(long).len());
    }
    assert!(matches!(parse(&PROGRAM, &[], None), Ok(Meant::Nothing(_))));
    for command in PROGRAM.commands {
        for length in ["-h", "--help"] {
            let text = shown(&format!("{} {length}", command.name));
            let (text, example) = text.split_once("Example:").unwrap();
            assert!(example.contains(command.example));
            assert!(text.lines().all(|line| line.len() <= 79 && line.trim_end() == line), "{text}");
        }
    }
}

#[test]
fn a_line_that_is_refused_names_what_was_found_wanted_and_perhaps_meant() {
    for (line, words) in [
        ("aply B", ["\"aply\" is no command of qfe-patcher", "did you mean apply?"].as_slice()),
        ("zebra", &["\"zebra\" is no command", "verify, apply, rollback"]),
        ("--json status", &["--json stands where a command is wanted", "verify, apply"]),
        ("help aply", &["\"aply\" is no command", "did you mean apply?"]),
        (
            "status --tarjet D",
            &["--tarjet is no option of status", "did you mean --target?", "status --help"],
        ),
        ("status -target D", &["-t of -target is no option of status", "did you mean --target?"]),
        ("status -x", &["-x is no option of status"]),
        ("status --zebra=x", &["--zebra is no option of status"]),
        ("status --bundle", &["--bundle is no option of status"]),
        ("verify", &["verify lacks <BUNDLE>, --keys <KEYS>"]),
        ("apply --help-roles", &["apply lacks <BUNDLE>"]),
        ("ready sp2", &["ready lacks --target <DIR>..."]),
        ("status --target", &["--target <DIR> lacks its value, and the line ends"]),
        ("status --target=", &["the value of --target <DIR> is empty", "a variable of the shell"]),
        ("extract b --keys k --to ", &["the value of --to <DIR> is empty"]),
        ("ready sp2 --target a ", &["the value of --target <DIR>... is empty"]),
        ("delta a  -o n", &["the value of <PATCH> is empty"]),
        ("delta a b -o=", &["the value of --output <NEW> is empty"]),
        ("status --target a --json=", &["--json takes no value"]),
        ("status --target --json", &["lacks its value, and --json follows", "--target=--json"]),
        ("status --target a --target b", &["--target is given twice"]),
        ("status --target a --json --json", &["--json is given twice"]),
        ("status --target a --json=yes", &["--json takes no value, and yes is given"]),
        ("status --target a -q=yes", &["--quiet takes no value, and yes is given"]),
        ("status --target a b", &["b is one word too many: status takes options only"]),
        ("verify a b --keys K", &["b is one word too many: verify takes <BUNDLE>"]),
        ("doctor B --target D", &["BUNDLE is given, which wants --keys <KEYS> as well"]),
        ("ready sp2 --target D --bundle B", &["--bundle is given, which wants --keys <KEYS> as well"]),
        (
            "apply B --role r --target D --keys K --site-server s --site-receipt t",
            &["--site-receipt and --site-server exclude one another"],
        ),
    ] {
        let message = refused(line);
        assert!(words.iter().all(|word| message.contains(word)), "{line}: {message}");
    }
}

/// What a machine's registry tells may be left out where there is one.
#[test]
fn a_target_is_wanted_where_no_registry_tells_it() {
    if cfg!(windows) {
        assert!(refused("apply").contains("apply lacks <BUNDLE>, --keys <KEYS>"));
        assert!(matches!(parsed("status"), Ok(Meant::Run(command, _)) if command.name == "status"));
    } else {
        let lacking = "apply lacks <BUNDLE>, --role <ROLE>, --target <DIR>, --keys <KEYS>";
        assert!(refused("apply").contains(lacking));
        assert!(refused("status").contains("status lacks --target <DIR>"));
    }
}

#[test]
fn values_of_a_kind_are_read_as_that_kind_or_refused_with_the_option() {
    let role = |line: &str| given(line).value::<crate::name::Role>("role");
    let line = "doctor --target D --role";
    assert_eq!(role(&format!("{line} console")).unwrap().unwrap().as_str(), "console");
    assert!(
        role(&format!("{line} Console")).unwrap_err().to_string().contains("--role: \"Console\" is no role")
    );
    assert!(role("doctor --target D").unwrap().is_none());
}

/// Returns what no text has: a byte that is no UTF-8.
#[cfg(unix)]
fn broken() -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(vec![0xff])
}

/// Returns what no text has: half a character of UTF-16.
#[cfg(windows)]
fn broken() -> OsString {
    std::os::windows::ffi::OsStringExt::from_wide(&[0xd800])
}

#[test]
fn paths_need_not_be_unicode() {
    let with_broken = |before: &str, behind: &str| {
        let mut word = OsString::from(before);
        word.push(broken());
        word.push(behind);
        word
    };
    let path = with_broken("D", "=");
    for value in [
        vec!["--output".into(), path.clone()],
        vec![with_broken("--output=D", "=")],
        vec![with_broken("-oD", "=")],
    ] {
        let words = [["delta", "a", "b"].map(OsString::from).to_vec(), value].concat();
        let Ok(Meant::Run(_, mut given)) = parse(&PROGRAM, &words, None) else { panic!("{words:?}") };
        assert_eq!(given.path("output").unwrap(), path);
    }
    let words = ["doctor", "--target", "D", "--role"].map(OsString::from);
    let words = [words.as_slice(), &[with_broken("r", "")]].concat();
    let Ok(Meant::Run(_, mut given)) = parse(&PROGRAM, &words, None) else { panic!() };
    let failure = given.value::<crate::name::Role>("role").unwrap_err();
    assert!(failure.to_string().contains("--role: r\u{fffd} is no Unicode text"));
}
