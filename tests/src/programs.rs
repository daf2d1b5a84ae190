//! The two programs, built and run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use qfe_patcher::exit::ExitCode;
use serde_json::Value;

/// Returns the folder with both programs, built in this process's own profile.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let own = std::env::current_exe().expect("a process knows its program");
        let is_profile = |folder: &&Path| {
            folder
                .file_name()
                .is_some_and(|name| name == OsStr::new("debug") || name == OsStr::new("release"))
        };
        let folder = own.ancestors().find(is_profile).expect("cargo builds into debug or release").to_owned();
        let is_release = folder.ends_with("release");
        for package in ["qfe-builder", "qfe-patcher"] {
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args(["build", "--quiet"]);
            // One at a time: built together, each would get the other's features of their dependencies. The builder for tests
            // is the one that its own tests have built: what it gets more is of libc, rustix and getrandom.
            if package == "qfe-builder" && !is_release {
                cargo.args(["--workspace", "--bin", package]);
            } else {
                cargo.args(["--package", package]);
            }
            if is_release {
                cargo.arg("--release");
            }
            cargo
                .current_dir(workspace())
                .env("CARGO_TARGET_DIR", folder.parent().expect("it is below target"));
            let status = cargo.status().expect("cargo runs");
            assert!(status.success(), "cargo could not build {package}");
        }
        folder
    })
}

/// Returns the project's folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is below the project")
}

/// Returns the path of one of the programs.
pub fn program(name: &str) -> PathBuf {
    folder().join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// What a run gave.
#[derive(Debug)]
pub struct Run {
    /// The process's exit status.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Makes it of a process's output.
    pub fn of(output: &Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Requires this exit code.
    #[track_caller]
    pub fn ends(self, code: ExitCode) -> Self {
        assert_eq!(
            self.status,
            code.status(),
            "{code:?} wanted\nstdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Requires success.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.ends(ExitCode::Success)
    }

    /// Requires that standard error names all of these.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in: {}", self.stderr);
        }
        self
    }

    /// Takes standard output as the one JSON object it must be.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// Runs a program of ours without standard input.
pub fn run<I: AsRef<OsStr>>(name: &str, args: impl IntoIterator<Item = I>) -> Run {
    let mut command = Command::new(program(name));
    if name == "qfe-builder" {
        keep_no_deltas(&mut command);
    }
    let output = command.args(args).stdin(Stdio::null()).output().expect("our program runs");
    Run::of(&output)
}

/// Takes from the builder what its cache's usual place follows from: tests leave nothing among their user's deltas.
pub fn keep_no_deltas(builder: &mut Command) {
    for place in ["XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"] {
        builder.env_remove(place);
    }
}

/// Runs the builder.
pub fn builder<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> Run {
    run("qfe-builder", args)
}

/// Runs the patcher.
pub fn patcher<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> Run {
    run("qfe-patcher", args)
}

/// Joins arguments of different types into one list.
#[macro_export]
macro_rules! args {
    ($($arg:expr),* $(,)?) => {
        [$(std::ffi::OsString::from($arg)),*]
    };
}

/// Tells whether a tool is there; says so, and why a test is skipped, if it is not.
///
/// In CI, which installs every tool, its absence fails the test.
pub fn has_tool(name: &str) -> bool {
    let found = is_on_path(name);
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{name} is not installed, and CI needs it");
        eprintln!("skipped: {name} is not installed");
    }
    found
}

/// Returns the command of 7-Zip: its own, which Debian has now, or that of its older port.
pub fn seven_zip() -> &'static str {
    if is_on_path("7zz") { "7zz" } else { "7z" }
}

/// Tells whether a program of this name is on the path.
pub fn is_on_path(name: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}

/// Runs another program and requires that it succeeds.
#[track_caller]
pub fn tool<I: AsRef<OsStr>>(name: &str, folder: &Path, args: impl IntoIterator<Item = I>) -> Run {
    let output = Command::new(name)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let run = Run::of(&output);
    assert_eq!(run.status, 0, "{name}\nstdout: {}\nstderr: {}", run.stdout, run.stderr);
    run
}
