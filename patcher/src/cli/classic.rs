//! The classic switches of hotfix installers, translated into our own arguments before these are parsed.
//!
//! | switch | means |
//! |---|---|
//! | `/s`, `/q` | `--quiet`, and `--yes` where the command asks |
//! | `/y` | the command `rollback` |
//! | `/l` | the command `status` |
//! | `/x`, `/x:DIR` | the command `extract`, with `--to DIR` |
//! | `/t` | `--dry-run` |
//! | `/log:FILE` | `--log FILE` |
//! | `/norestart` | nothing: no run ever restarts a machine |
//! | `/?` | `--help`, of the command if one is named or chosen |
//!
//! They stand anywhere, in any case, with `/` or with one `-`. The first word that is neither a switch nor an option names
//! the command as ever; where it names none, `/y`, `/l` and `/x` choose it, and without them it is `apply`. A line
//! without any of these switches is left as it is.
//!
//! Which words are switches does not depend on the system. In this order:
//!
//! 1. A word after `--`, and one that is the value of the option before it, never is. Which options have values is read
//!    from the table of commands.
//! 2. A word that begins with `/` or one `-`, and is up to its first `:` one of the names above, is that switch. A file of
//!    such a name is written with its folder: `./s`.
//! 3. Of the others, a word that begins with `-` is one of our own options.
//! 4. One that begins with `/` is a path if it has a further `/`, a `\` or a `.` before its first `:`, if it has no name
//!    there at all, or if something stands at that path; otherwise it is an unknown switch, and refused.

use std::ffi::{OsStr, OsString};

use super::failure::Failure;
use super::line::{Argument, Program};
use crate::exit::ExitCode;

/// What a classic switch means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Quiet,
    Undo,
    List,
    Extract,
    DryRun,
    Log,
    NoRestart,
    Help,
}

/// The names of the switches.
const NAMES: [(&str, Meaning); 9] = [
    ("s", Meaning::Quiet),
    ("q", Meaning::Quiet),
    ("y", Meaning::Undo),
    ("l", Meaning::List),
    ("x", Meaning::Extract),
    ("t", Meaning::DryRun),
    ("log", Meaning::Log),
    ("norestart", Meaning::NoRestart),
    ("?", Meaning::Help),
];

/// A switch on the command line.
#[derive(Debug)]
struct Switch {
    meaning: Meaning,
    /// The word, for messages.
    word: String,
    /// What follows the first `:`.
    value: Option<String>,
}

impl Meaning {
    /// Returns the command it chooses.
    fn command(self) -> Option<&'static str> {
        match self {
            Self::Undo => Some("rollback"),
            Self::List => Some("status"),
            Self::Extract => Some("extract"),
            Self::Quiet | Self::DryRun | Self::Log | Self::NoRestart | Self::Help => None,
        }
    }

    /// Returns the options that the command must take, and those that it gets if it takes them.
    fn options(self) -> (Option<&'static str>, Option<&'static str>) {
        match self {
            Self::Quiet => (Some("quiet"), Some("yes")),
            Self::DryRun => (Some("dry-run"), None),
            Self::Log => (Some("log"), None),
            Self::Extract => (Some("to"), None),
            Self::Undo | Self::List | Self::NoRestart | Self::Help => (None, None),
        }
    }
}

/// Translates a command line, whose first word is the program, by the table of its commands.
///
/// In a self-extracting bundle a line that names no command means `apply` without any switch too. `exists` tells whether something stands at a path.
pub(super) fn translate(
    arguments: &[OsString],
    program: &Program,
    is_bundle: bool,
    exists: impl Fn(&OsStr) -> bool,
) -> Result<Vec<OsString>, Failure> {
    let mut words = arguments.iter().skip(1);
    let (mut switches, mut rest, mut named) = (Vec::new(), Vec::new(), None);
    let mut first = true;
    while let Some(word) = words.next() {
        if word == "--" {
            rest.push(word.clone());
            rest.extend(words.by_ref().cloned());
        } else if let Some(switch) = switch(word, &exists)? {
            switches.push(switch);
        } else if is_option(word) {
            rest.push(word.clone());
            if takes_value(program, word) {
                rest.extend(words.next().cloned());
            }
        } else if std::mem::take(&mut first)
            && word.to_str().is_some_and(|word| program.command(word).is_some())
        {
            named = Some(word);
        } else {
            rest.push(word.clone());
        }
    }
    let first = arguments.get(1).and_then(|word| word.to_str()).unwrap_or("help");
    let means_apply =
        is_bundle && named.is_none() && !["help", "--help", "-h", "--version", "-V"].contains(&first);
    if switches.is_empty() && !means_apply {
        return Ok(arguments.to_vec());
    }
    let command = command(&switches, named)?;
    let mut translated: Vec<OsString> = arguments.first().cloned().into_iter().collect();
    if switches.iter().any(|switch| switch.meaning == Meaning::Help) {
        translated.extend(command.map(Into::into));
        translated.push("--help".into());
        return Ok(translated);
    }
    let command = command.unwrap_or("apply");
    translated.push(command.into());
    for switch in &switches {
        let (needed, wanted) = switch.meaning.options();
        for option in needed.into_iter().chain(wanted) {
            let taken = takes(program, command, option);
            if !taken && needed == Some(option) {
                return Err(refused(format!("{} does not go with {command}", switch.word)));
            }
            let word = OsString::from(format!("--{option}"));
            match &switch.value {
                Some(value) => translated.push(format!("--{option}={value}").into()),
                None if switch.meaning == Meaning::Extract => {}
                None if !taken || translated.contains(&word) || rest.contains(&word) => {}
                None => translated.push(word),
            }
        }
    }
    translated.extend(rest);
    Ok(translated)
}

/// Takes a word for a switch; none if it is none.
fn switch(word: &OsStr, exists: impl Fn(&OsStr) -> bool) -> Result<Option<Switch>, Failure> {
    let text = word.to_string_lossy();
    let Some(body) = text.strip_prefix(['/', '-']) else { return Ok(None) };
    let (name, value) = body.split_once(':').map_or((body, None), |(name, value)| (name, Some(value)));
    let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let Some((_, meaning)) = known else {
        let is_path = name.is_empty() || name.contains(['/', '\\', '.']) || exists(word);
        return if text.starts_with('-') || is_path {
            Ok(None)
        } else {
            Err(refused(format!("{text} is no switch of this program, and no file or folder")))
        };
    };
    let objection = match (meaning, value) {
        (_, Some(_)) if word.to_str().is_none() => Some("is no Unicode text"),
        (Meaning::Log | Meaning::Extract, Some("")) | (Meaning::Log, None) => {
            Some("names no file or folder behind a ':'")
        }
        (Meaning::Log | Meaning::Extract, _) | (_, None) => None,
        (_, Some(_)) => Some("takes no ':'"),
    };
    match objection {
        Some(objection) => Err(refused(format!("{text} {objection}"))),
        None => {
            Ok(Some(Switch { meaning: *meaning, word: text.to_string(), value: value.map(str::to_owned) }))
        }
    }
}

/// Returns the command that is named or chosen; two different ones are refused.
fn command<'a>(switches: &'a [Switch], named: Option<&'a OsString>) -> Result<Option<&'a str>, Failure> {
    let named = named.and_then(|word| word.to_str()).map(|word| (word, word));
    let chosen = switches.iter().filter_map(|switch| Some((switch.word.as_str(), switch.meaning.command()?)));
    let mut all = named.into_iter().chain(chosen);
    let Some((first, command)) = all.next() else { return Ok(None) };
    match all.find(|(_, other)| *other != command) {
        Some((other, _)) => Err(refused(format!("{first} and {other} exclude one another"))),
        None => Ok(Some(command)),
    }
}

fn is_option(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"-")
}

/// Tells whether a command takes an option.
fn takes(program: &Program, command: &str, option: &str) -> bool {
    program.command(command).is_some_and(|command| command.all().any(|known| known.has_long(option)))
}

/// Tells whether the next word is the value of this option, of whatever command it is.
fn takes_value(program: &Program, option: &OsStr) -> bool {
    let Some(text) = option.to_str() else { return false };
    let mut with_value =
        program.commands.iter().flat_map(|command| command.all()).filter(|argument| argument.is_option());
    match (text.strip_prefix("--"), text.strip_prefix('-')) {
        (Some(long), _) => with_value.any(|option| option.has_long(long)),
        // The first of joined letters that takes a value has it in the letters that follow, if there are any.
        (None, Some(letters)) => with_value
            .filter_map(Argument::letter)
            .any(|letter| letters.strip_suffix(letter).is_some_and(|before| !before.contains(letter))),
        (None, None) => false,
    }
}

fn refused(message: String) -> Failure {
    Failure::new(ExitCode::BadCommandLine, message).hint(
        "the classic switches are /s /q /y /l /x[:DIR] /t /log:FILE /norestart /?, one of /y /l /x at most; a file or \
         folder that looks like one is written with the folder it is in",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::commands::PROGRAM;
    use super::*;

    /// Translates words, on a machine where nothing stands but `/tmp`.
    fn translated(line: &str) -> Result<String, String> {
        translated_by(line, false)
    }

    fn translated_by(line: &str, is_bundle: bool) -> Result<String, String> {
        let words: Vec<OsString> = ["p"].into_iter().chain(line.split(' ')).map(Into::into).collect();
        match translate(&words, &PROGRAM, is_bundle, |path| path == "/tmp") {
            Ok(words) => Ok(words.join(OsStr::new(" ")).into_string().unwrap()[2..].to_owned()),
            Err(failure) => {
                assert_eq!(failure.code, ExitCode::BadCommandLine);
                assert!(failure.hints[0].contains("/norestart"));
                Err(failure.error.to_string())
            }
        }
    }

    #[test]
    fn every_switch_means_an_option_or_a_command() {
        for (line, wanted) in [
            ("apply B.zip --role r /s", "apply --quiet --yes B.zip --role r"),
            ("apply B.zip /q --role r", "apply --quiet --yes B.zip --role r"),
            ("/s apply B.zip", "apply --quiet --yes B.zip"),
            ("B.zip /s --role r", "apply --quiet --yes B.zip --role r"),
            ("B.zip /s /q", "apply --quiet --yes B.zip"),
            ("B.zip /s --yes", "apply --quiet B.zip --yes"),
            ("B.zip --quiet /t /s --dry-run", "apply --yes B.zip --quiet --dry-run"),
            ("B.zip /t", "apply --dry-run B.zip"),
            ("B.zip --json /t --dry-run", "apply B.zip --json --dry-run"),
            ("--json status --target D /q", "status --quiet --json --target D"),
            ("B.zip /norestart", "apply B.zip"),
            ("B.zip /log:x.log", "apply --log=x.log B.zip"),
            (r"B.zip /log:D:\a:b.log", r"apply --log=D:\a:b.log B.zip"),
            ("B.zip /log:/srv/x", "apply --log=/srv/x B.zip"),
            (r"/y --target D:\Sms", r"rollback --target D:\Sms"),
            ("/y Q1 --target D", "rollback Q1 --target D"),
            ("rollback /y --target D", "rollback --target D"),
            ("/y /s --target D", "rollback --quiet --target D"),
            ("/y /t --target D", "rollback --dry-run --target D"),
            (r"/l --target D:\Sms /s", r"status --quiet --target D:\Sms"),
            ("/x B.zip --keys K", "extract B.zip --keys K"),
            ("/x:out B.zip --keys K", "extract --to=out B.zip --keys K"),
            ("extract B.zip /x:/srv/out /s", "extract --to=/srv/out --quiet B.zip"),
            ("/?", "--help"),
            ("B.zip /?", "--help"),
            ("apply B.zip /s /?", "apply --help"),
            ("/y /?", "rollback --help"),
        ] {
            assert_eq!(translated(line).as_deref(), Ok(wanted), "{line}");
        }
    }

    #[test]
    fn a_self_extracting_bundle_applies_itself() {
        for (line, wanted) in [
            ("--role r --target D", "apply --role r --target D"),
            ("/s --role r", "apply --quiet --yes --role r"),
            ("other.zip --role r", "apply other.zip --role r"),
            ("/y --target D", "rollback --target D"),
            ("verify", "verify"),
            ("status --target D", "status --target D"),
            ("--help", "--help"),
            ("help apply", "help apply"),
            ("-V", "-V"),
            ("/?", "--help"),
        ] {
            assert_eq!(translated_by(line, true).as_deref(), Ok(wanted), "{line}");
        }
        let alone = translate(&["p".into()], &PROGRAM, true, |_| false);
        assert_eq!(alone.unwrap_or_default(), ["p"]);
    }

    #[test]
    fn case_and_mark_make_no_difference() {
        for (name, _) in NAMES {
            let value = if name == "log" { ":X" } else { "" };
            let wanted = translated(&format!("B.zip /{name}{value}"));
            assert!(wanted.is_ok(), "{wanted:?}");
            for name in [name.to_owned(), name.to_uppercase()] {
                for mark in ["/", "-"] {
                    assert_eq!(translated(&format!("B.zip {mark}{name}{value}")), wanted, "{mark}{name}");
                }
            }
        }
        assert_eq!(
            translated("-NoRestart -S -Log:Mixed B").as_deref(),
            Ok("apply --quiet --yes --log=Mixed B")
        );
    }

    #[test]
    fn paths_values_and_options_are_no_switches() {
        for line in [
            "apply /srv/x --role r",
            "apply /tmp --role r",
            "apply / --role r",
            "apply /Q252717.zip",
            r"apply /Sms\Bin",
            "apply //server/share/B.zip",
            "apply /:x",
            "apply B.zip --target /s --log /y",
            "apply B.zip --target -s",
            "apply B.zip --target=/s",
            "delta /srv/a b -o /s",
            "delta a b -qo /s",
            "apply -- /s",
            "apply -h",
            "-V",
            "apply -foo --s",
            "apply -",
            "delta a -oo b",
            "status --baseline /l",
            "B.zip --role r",
        ] {
            assert_eq!(translated(line).as_deref(), Ok(line));
        }
        // Values stay values beside a switch too.
        assert_eq!(translated("/y --target /y").as_deref(), Ok("rollback --target /y"));
        assert_eq!(translated("B /s -- /s apply").as_deref(), Ok("apply --quiet --yes B -- /s apply"));
        assert_eq!(translated("B apply /s").as_deref(), Ok("apply --quiet --yes B apply"));
    }

    #[test]
    fn what_is_unknown_or_contradicts_itself_is_refused_by_name() {
        for (line, wanted) in [
            ("B.zip /foo", "/foo is no switch"),
            ("B.zip --json /z", "/z is no switch"),
            ("B.zip /M", "/M is no switch"),
            ("/tmpx:y", "/tmpx:y is no switch"),
            ("apply B.zip /qn", "/qn is no switch"),
            ("apply B.zip /?x", "/?x is no switch"),
            ("/y /l --target D", "/y and /l exclude one another"),
            ("-X:d -Y", "-X:d and -Y exclude one another"),
            ("apply B.zip -y", "apply and -y exclude one another"),
            ("status /l /y /?", "status and /y exclude one another"),
            ("/l /t --target D", "/t does not go with status"),
            ("/l /log:x --target D", "/log:x does not go with status"),
            ("B.zip /log", "/log names no file"),
            ("B.zip /log:", "/log: names no file"),
            ("B.zip /x:", "/x: names no file or folder"),
            ("B.zip -s:now", "-s:now takes no ':'"),
        ] {
            let message = translated(line).unwrap_err();
            assert!(message.starts_with(wanted), "{line}: {message}");
        }
    }

    /// What makes one list of options with values, and one meaning of `-q`, true.
    #[test]
    fn no_option_contradicts_a_switch_or_another_command() {
        let mut values = BTreeMap::new();
        for option in PROGRAM.commands.iter().flat_map(|command| command.all()) {
            if let Some(long) = option.long() {
                let takes = option.is_option();
                assert_eq!(*values.entry(long).or_insert(takes), takes, "--{long}");
            }
            let short = option.letter().map(String::from).unwrap_or_default();
            let twin = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&short));
            assert!(twin.is_none() || option.has_long("quiet"), "-{short}");
        }
    }
}
