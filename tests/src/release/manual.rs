//! Man pages and shell completions of both programs.
//!
//! Each program has one description of its command line, from which it makes its help: the builder's is clap's own, the
//! patcher's a table that weighs little. Here the table becomes a command of clap's too, so that one generator makes the
//! pages of both, and neither program carries it.

use std::collections::BTreeMap;

use clap::builder::{PossibleValue, Resettable, ValueHint};
use clap::{Arg, ArgAction, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use roff::{Roff, roman};

use qfe_patcher::cli::{ArgumentLine, CommandPage, Form, Manual};

/// The shells that get completions.
pub const SHELLS: [Shell; 4] = [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell];

/// Returns the command lines of both programs.
pub fn programs() -> [Command; 2] {
    [qfe_builder::cli::command(), patcher(&qfe_patcher::cli::manual())]
}

/// Makes a command of clap's from the patcher's table; it describes, and is never parsed with.
fn patcher(manual: &Manual) -> Command {
    Command::new(manual.name)
        .version(manual.version)
        .about(manual.about)
        .long_about(paragraphs(manual.about, manual.more.iter().copied()))
        .subcommand_required(true)
        .subcommands(manual.commands.iter().map(subcommand))
}

fn subcommand(page: &CommandPage) -> Command {
    let json = format!("JSON: {}", page.json);
    Command::new(page.name)
        .about(page.about)
        .long_about(paragraphs(page.about, page.more.iter().copied().chain([json.as_str()])))
        .after_help(format!("Example:\n  {}", page.example))
        .args(page.arguments.iter().map(argument))
}

fn paragraphs<'a>(first: &'a str, more: impl IntoIterator<Item = &'a str>) -> String {
    [first].into_iter().chain(more).collect::<Vec<_>>().join("\n\n")
}

fn argument(line: &ArgumentLine) -> Arg {
    let arg = Arg::new(line.name).help(line.help.clone()).required(line.is_required);
    let value = |arg: Arg, word: &'static str| {
        let action = if line.is_repeated { ArgAction::Append } else { ArgAction::Set };
        arg.value_name(word).value_hint(hint(word)).action(action)
    };
    let named = |arg: Arg| match line.short {
        Some(letter) => arg.long(line.name).short(letter),
        None => arg.long(line.name),
    };
    match line.form {
        Form::Switch => named(arg).action(ArgAction::SetTrue),
        Form::Option(word) => value(named(arg), word),
        Form::Operand(word) => value(arg, word),
    }
}

/// What a shell may offer where help has this word.
fn hint(word: &str) -> ValueHint {
    match word {
        "DIR" => ValueHint::DirPath,
        "BUNDLE" | "FILE" | "OLD" | "NEW" | "PATCH" => ValueHint::FilePath,
        // A file or a folder; a file, or a word.
        "KEYS" | "WHERE" => ValueHint::AnyPath,
        _ => ValueHint::Unknown,
    }
}

/// Returns the man pages of a program, one for each command, by file name.
pub fn pages(program: &Command) -> BTreeMap<String, Vec<u8>> {
    let mut program = with_values_in_help(program.clone().disable_help_subcommand(true));
    let source = format!("qfe {}", program.get_version().unwrap_or_default());
    program.build();
    let mut pages = BTreeMap::new();
    add_pages(&program, &source, &mut pages);
    pages
}

/// Puts the values that an argument takes into its description: the list that clap's generator makes of them draws warnings.
fn with_values_in_help(command: Command) -> Command {
    command.mut_args(value_help).mut_subcommands(with_values_in_help)
}

fn value_help(arg: Arg) -> Arg {
    let one = |value: &PossibleValue| match value.get_help() {
        Some(help) => format!("{} ({help})", value.get_name()),
        None => value.get_name().to_owned(),
    };
    let values: Vec<String> = arg.get_possible_values().iter().map(one).collect();
    let takes_values = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    if values.is_empty() || !takes_values {
        return arg;
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    arg.help(format!("{help}: {}", values.join(", "))).hide_possible_values(true)
}

fn add_pages(command: &Command, source: &str, pages: &mut BTreeMap<String, Vec<u8>>) {
    for subcommand in command.get_subcommands() {
        add_pages(subcommand, source, pages);
    }
    // Examples keep their lines, which clap's generator would fill.
    let examples = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command.clone().after_help(Resettable::Reset)).source(source).manual("qfe");
    let mut page = Vec::new();
    man.render(&mut page).expect("memory takes what is written");
    let page = String::from_utf8(page).expect("the page is made of text");
    // The generator leaves out an empty date, and what follows would be taken for it. There is none: no clock is asked.
    let mut page = page.replacen(" 1  \"qfe", " 1 \"\" \"qfe", 1).into_bytes();
    if let Some(examples) = examples {
        page.extend(self::examples(&examples).into_bytes());
    }
    pages.insert(man.get_filename(), page);
}

/// Sets what help says under "Example:" or "Examples:" line by line.
fn examples(text: &str) -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in text.lines().filter(|line| line.starts_with(' ')) {
        roff.text([roman(line.trim())]);
    }
    roff.control("fi", []).to_roff()
}

/// Returns the completions of a program for a shell, with the name of their file.
pub fn completions(program: &Command, shell: Shell) -> (String, Vec<u8>) {
    let mut program = program.clone();
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, name.clone(), &mut script);
    if shell == Shell::Bash {
        script = with_one_label(&name, script);
    }
    let file = match shell {
        Shell::Bash => format!("bash/{name}"),
        Shell::Zsh => format!("zsh/_{name}"),
        Shell::Fish => format!("fish/{name}.fish"),
        _ => format!("powershell/_{name}.ps1"),
    };
    (file, script)
}

/// Gives the commands of a program with a hyphen in its name the labels by which the script looks for them.
///
/// clap_complete writes that hyphen in one way where it looks and in another where it says what to offer, so that nothing is
/// offered behind a command (clap-rs/clap#6421). Once that is corrected, this finds nothing to change.
fn with_one_label(name: &str, script: Vec<u8>) -> Vec<u8> {
    let script = String::from_utf8(script).expect("the script is made of text");
    script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__")).into_bytes()
}
