//! Writes the sample updates to a folder.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
