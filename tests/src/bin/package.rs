//! Makes the archives that are given away: `cargo package-release --key KEY --output FOLDER`.
//!
//! The programs for Linux are built; those for Windows have been, by `patcher/windows/build.sh`. Beside the archives stands
//! the list of their digests with its signature, made by our own builder; `minisign -V` and `sha256sum --check` verify them.
#![expect(clippy::print_stdout, reason = "it says what it made")]

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;

use qfe_tests::args;
use qfe_tests::programs::{builder, folder};
use qfe_tests::release::archive::{self, sums};
use qfe_tests::release::{LINUX, SUMS, System, WINDOWS};

/// Makes the archives that are given away, with their digests and the signature of these
#[derive(Debug, Parser)]
#[command(
    name = "cargo package-release",
    after_help = "Example:\n  cargo package-release --key release.key --output out"
)]
struct Package {
    /// The secret key that signs the digests
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    /// The first line of this file opens it
    #[arg(long, value_name = "F")]
    password_file: Option<PathBuf>,
    /// Where the archives go; nothing of the same name may be there
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// The programs for Windows, as patcher/windows/build.sh leaves them
    #[arg(long, value_name = "DIR", default_value = "target/windows/dist")]
    windows: PathBuf,
    /// Make the archive for Linux only
    #[arg(long)]
    linux_only: bool,
}

fn main() {
    let package = Package::parse();
    let mut systems = Vec::new();
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        systems.push((LINUX, folder().to_owned()));
    } else {
        println!("not on Linux of x86_64: no archive for it");
    }
    if !package.linux_only {
        for system in WINDOWS {
            let programs = package.windows.join(system.target);
            if !programs.is_dir() {
                println!(
                    "{} does not exist: build the programs for Windows (patcher/windows/build.sh), or say --linux-only",
                    programs.display()
                );
                std::process::exit(1);
            }
            systems.push((system, programs));
        }
    }
    fs::create_dir_all(&package.output)
        .unwrap_or_else(|error| panic!("{}: {error}", package.output.display()));
    let mut archives: Vec<(String, Vec<u8>)> =
        systems.iter().map(|(system, programs)| pack(*system, programs)).collect();
    archives.sort();
    let listed = sums(archives.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    for (name, bytes) in archives
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .chain([(SUMS, listed.as_bytes())])
    {
        write_new(&package.output.join(name), bytes);
    }
    let list = package.output.join(SUMS);
    let mut line = args!["sign", "--detached", &list, "--key", &package.key].to_vec();
    if let Some(file) = &package.password_file {
        line.extend(args!["--password-file", file]);
    }
    builder(line).succeeds();
    print!("{listed}");
    println!("{}: signed, {0}.minisig", list.display());
}

/// Makes the archive for a system.
fn pack(system: System, programs: &Path) -> (String, Vec<u8>) {
    let folder = system.folder();
    let bytes = archive::zip(&folder, &system.files(programs)).expect("memory takes what is written");
    (format!("{folder}.zip"), bytes)
}

/// Writes a file that is not there yet: what has been given away is never replaced.
fn write_new(path: &Path, bytes: &[u8]) {
    let mut file = fs::File::create_new(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    std::io::Write::write_all(&mut file, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
