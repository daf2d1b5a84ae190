//! The command line: one line per file to stdout, what went wrong to stderr.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use qfe_payloads::{Generated, Outcome};

/// Sample updates for trying and testing qfe.
#[derive(Debug, Parser)]
#[command(name = "qfe-payloads", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Generate(GenerateArgs),
}

/// Write recipes, baselines and updated files below a folder.
///
/// Always the same bytes. Prints path, size and version of each file, and what became of a file that was
/// there already: a different one is replaced, other files are left alone.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  qfe-payloads generate --output samples Q252717")]
struct GenerateArgs {
    /// The folder; it is made if it is not there.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The updates to write [default: all]
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

/// Runs the program; an error of any kind gives exit status 1.
pub(crate) fn run() -> ExitCode {
    let Args { command: Command::Generate(args) } = Args::parse();
    match generate(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("error: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                text.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            // Nowhere is left to report that stderr is gone.
            drop(writeln!(io::stderr(), "{text}"));
            ExitCode::FAILURE
        }
    }
}

fn generate(args: &GenerateArgs) -> Result<(), Box<dyn Error>> {
    let ids: Vec<&str> = args.ids.iter().map(String::as_str).collect();
    let mut stdout = io::stdout().lock();
    let mut printed = Ok(());
    qfe_payloads::generate(&args.output, &ids, |file| {
        if printed.is_ok() {
            printed = writeln!(stdout, "{}", line(file));
        }
    })?;
    Ok(printed?)
}

fn line(file: &Generated) -> String {
    let version = file.version.map_or_else(|| "-".to_owned(), |version| version.to_string());
    let note = match file.outcome {
        Outcome::Created => "",
        Outcome::Unchanged => "  unchanged",
        Outcome::Replaced => "  replaced",
    };
    format!("{}  {}  {version}{note}", file.path.display(), file.size)
}
