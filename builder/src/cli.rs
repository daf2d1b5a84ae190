//! The command line: one file for each subcommand, and the only place that prints.
//!
//! With `--json` exactly one object goes to standard output, whatever happens; everything for people goes to
//! standard error. On failure its keys are those of [`Failure::json`];
//! on success `command`, `outcome` and `code` (0, but for findings of `lint`) come with what each subcommand documents.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::{CommandFactory, Parser, Subcommand};

use qfe_patcher::bundle::keyring::ChainError;
use qfe_patcher::cli::failure::Failure;
use qfe_patcher::day::Day;
use qfe_patcher::exit::ExitCode;
use qfe_patcher::host::Trouble;
use qfe_patcher::json::Json;
use qfe_patcher::plain_text::shown;

use crate::output::{OutputError, Partial};
use crate::ring::RingError;
use crate::sign::SignError;

mod article;
mod build;
mod cache;
mod compare;
mod delta;
mod detached;
mod draft;
mod inspect;
mod keygen;
mod keyring;
mod keys;
mod lint;
mod recipe;
mod sign;

/// Builds signed, self-contained update bundles from recipes.
///
/// Exit codes are Windows Installer's: 0 done, 1639 recipe, payload or command line at fault, 1619 a file cannot be
/// read, 1620 bundle malformed, 1625 key or signature problem, 112 disk full, 5 access denied, 1603 any other
/// failure. Where the exit status is one byte it is the low byte of the number (1639 is 103).
#[derive(Debug, Parser)]
#[command(name = "qfe-builder", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Keygen(keygen::KeygenArgs),
    Build(build::BuildArgs),
    Sign(sign::SignArgs),
    Keyring(keyring::KeyringArgs),
    Lint(lint::LintArgs),
    Inspect(inspect::InspectArgs),
    Compare(compare::CompareArgs),
    Delta(delta::DeltaArgs),
    Draft(draft::DraftArgs),
    Article(article::ArticleArgs),
}

/// Returns the command line with the whole manual, for pages and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// What a command that succeeded has to say.
#[derive(Debug)]
struct Answer {
    /// The object for `--json`, without `command` and `code`.
    value: Json,
    /// The result, for standard output.
    result: String,
    /// What people should know, for standard error.
    notes: String,
}

/// Runs the program and returns its exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&arguments, &error),
    };
    let (name, json) = cli.command.name_and_json();
    match cli.command.run() {
        Ok((answer, code)) => succeed(name, json, answer, code),
        Err(failure) => fail(name, json, &failure),
    }
}

impl Command {
    fn name_and_json(&self) -> (&'static str, bool) {
        match self {
            Self::Keygen(args) => ("keygen", args.json),
            Self::Build(args) => ("build", args.json),
            Self::Sign(args) => ("sign", args.json),
            Self::Keyring(args) => args.name_and_json(),
            Self::Lint(args) => ("lint", args.json),
            Self::Inspect(args) => ("inspect", args.json),
            Self::Compare(args) => ("compare", args.json),
            Self::Delta(args) => ("delta", args.json),
            Self::Draft(args) => ("draft", args.json),
            Self::Article(args) => ("article", args.json),
        }
    }

    /// Returns the answer with the code to end with.
    fn run(self) -> Result<(Answer, ExitCode), Failure> {
        let answer = match self {
            Self::Lint(args) => return args.run(),
            Self::Keygen(args) => args.run(),
            Self::Build(args) => args.run(),
            Self::Sign(args) => args.run(),
            Self::Keyring(args) => args.run(),
            Self::Inspect(args) => args.run(),
            Self::Compare(args) => args.run(),
            Self::Delta(args) => args.run(),
            Self::Draft(args) => args.run(),
            Self::Article(args) => args.run(),
        }?;
        Ok((answer, ExitCode::Success))
    }
}

/// Ends a run whose command line cannot be understood, or that asks for help or the version only.
fn usage(arguments: &[OsString], error: &clap::Error) -> i32 {
    let text = error.render().to_string();
    if !error.use_stderr() {
        // A reader that went away has read what it wanted.
        drop(to_stdout(&text));
        return ExitCode::Success.status();
    }
    to_stderr(&text);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut failure = refuse(lines.next().unwrap_or_default().trim_start_matches("error: "));
    failure.hints = lines.map(str::to_owned).collect();
    if arguments.iter().any(|argument| argument == "--json") {
        let command = arguments.get(1).and_then(|word| word.to_str()).filter(|word| !word.starts_with('-'));
        drop(to_stdout(&format!("{}\n", failure.json(command.unwrap_or_default()).sorted())));
    }
    failure.code.status()
}

fn succeed(name: &str, json: bool, answer: Answer, code: ExitCode) -> i32 {
    to_stderr(&answer.notes);
    let value = answer.value.with("command", &name).with("code", &code);
    let result = if json { format!("{}\n", value.sorted()) } else { shown(&answer.result).into_owned() };
    match to_stdout(&result) {
        Ok(()) => code.status(),
        Err(error) => {
            to_stderr(&format!("{}\n", Failure::new(ExitCode::Failed, error)));
            ExitCode::Failed.status()
        }
    }
}

fn fail(name: &str, json: bool, failure: &Failure) -> i32 {
    to_stderr(&format!("{failure}\n"));
    if json {
        // The failure has been told on standard error, and the exit status stays its own.
        drop(to_stdout(&format!("{}\n", failure.json(name).sorted())));
    }
    failure.code.status()
}

fn to_stdout(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// Writes to standard error; that it is gone is no reason to fail.
fn to_stderr(text: &str) {
    drop(io::stderr().write_all(shown(text).as_bytes()));
}

/// An input that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be read")]
struct ReadError {
    path: String,
    source: io::Error,
}

/// A folder that cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be made")]
struct MakeError {
    path: String,
    source: io::Error,
}

/// An input that is larger than its kind ever is.
#[derive(Debug, thiserror::Error)]
#[error("{path} is larger than the {limit} bytes that are read")]
struct TooLarge {
    path: String,
    limit: u64,
}

/// Reads a file whole; refuses more than `limit` bytes.
fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let shown = path.display().to_string();
    let unreadable =
        |source| Failure::new(ExitCode::BundleUnreadable, ReadError { path: shown.clone(), source });
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    io::Read::read_to_end(&mut io::Read::take(file, limit + 1), &mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(Failure::new(ExitCode::BundleUnreadable, TooLarge { path: shown, limit }));
    }
    Ok(bytes)
}

/// Reads a text file whole.
fn read_text(path: &Path, limit: u64) -> Result<String, Failure> {
    let text = String::from_utf8(read_file(path, limit)?);
    text.map_err(|error| {
        let source = io::Error::new(io::ErrorKind::InvalidData, error.utf8_error());
        Failure::new(ExitCode::BundleUnreadable, ReadError { path: path.display().to_string(), source })
    })
}

/// Writes a file, in the place of a former one.
fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    Partial::write(path, bytes).and_then(Partial::publish).map_err(output_failure)
}

/// Makes a folder, with those above it.
fn make_folder(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path).map_err(|source| {
        let code = Trouble::of(&source).into();
        Failure::new(code, MakeError { path: path.display().to_string(), source })
    })
}

/// Refuses an output that would take the place of what the command reads, whatever it is called there.
fn spare_inputs<'a>(output: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), Failure> {
    // What is not there is nobody's input.
    let Ok(place) = output.canonicalize() else { return Ok(()) };
    let is_there = |input: &Path| input.canonicalize().is_ok_and(|input| input == place);
    // A folder inside an archive is named by a path below it.
    match inputs.into_iter().find_map(|input| input.ancestors().find(|input| is_there(input))) {
        None => Ok(()),
        Some(input) => Err(refuse(format!(
            "{} is to be written, and would take the place of {}, which is read",
            output.display(),
            input.display()
        ))
        .hint("name another file to write")),
    }
}

/// Requires that a report's name says that it is one: whatever else has it was named by mistake, and would be lost.
fn require_page(path: Option<&Path>) -> Result<(), Failure> {
    let is_page = |path: &Path| {
        path.extension()
            .is_some_and(|ending| ["htm", "html"].iter().any(|known| ending.eq_ignore_ascii_case(known)))
    };
    match path.filter(|path| !is_page(path)) {
        None => Ok(()),
        Some(path) => {
            Err(refuse(format!("--html {}: a report's name ends in .htm or .html", path.display()))
                .hint("name a .htm or .html; any other file there would be lost"))
        }
    }
}

/// Writes a report on some inputs, and returns what people should know of it.
fn write_page<'a>(
    path: &Path,
    page: &str,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> Result<String, Failure> {
    spare_inputs(path, inputs)?;
    write_file(path, page.as_bytes())?;
    Ok(format!("{}: report of {} bytes\n", path.display(), page.len()))
}

/// Returns the day by this machine's clock, by which key rings judge dates.
fn today() -> Day {
    Day::of(std::time::SystemTime::now())
}

/// A request that this version does not serve, or that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

fn refuse(what: impl Into<String>) -> Failure {
    Failure::new(ExitCode::BadCommandLine, Refusal(what.into()))
}

fn output_failure(error: OutputError) -> Failure {
    let code = Trouble::of(&error.source).into();
    Failure::new(code, error)
}

fn sign_failure(error: SignError) -> Failure {
    let hint = match error {
        SignError::PasswordWanted { .. } => "give its password by --password-file, or run on a terminal",
        SignError::WrongPassword { .. } => {
            "the password is the first line of the file that --password-file names"
        }
        SignError::NotAKey { .. } => "make one by: qfe-builder keygen --secret KEY --public KEY.pub",
        SignError::SameKey { .. } => "name each key once",
        SignError::Generate(_) | SignError::PublicHalf { .. } | SignError::DoesNotVerify { .. } => "",
    };
    let failure = Failure::new(ExitCode::Untrusted, error);
    if hint.is_empty() { failure } else { failure.hint(hint) }
}

fn ring_failure(error: RingError) -> Failure {
    let hint = match &error {
        RingError::Chain(ChainError::Untrusted { .. }) => {
            "have it signed by the keys that are missing: qfe-builder keyring sign keyring.toml --key KEY"
        }
        RingError::Gap { .. } => "put that version and its signatures into the folder `keyring`",
        RingError::Chain(_) => {
            "the folder `keyring` holds VERSION.toml and VERSION.KEY-ID.minisig of every version"
        }
    };
    Failure::new(ExitCode::Untrusted, error).hint(hint)
}

/// Largest bundle that is read whole.
const MAX_BUNDLE: u64 = 2 << 30;
/// Largest recipe, profile or key that is read.
const MAX_TEXT: u64 = 4 << 20;
