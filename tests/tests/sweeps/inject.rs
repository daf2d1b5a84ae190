//! The patcher under strace: which calls it makes, and what if one of them kills it or fails.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use qfe_tests::programs::{Run, program};

/// The calls by which files are changed or made durable, on any architecture.
const CHANGES: &str = "?openat ?open ?creat ?write ?writev ?pwrite64 ?copy_file_range ?sendfile \
                       ?ftruncate ?truncate ?fallocate ?rename ?renameat ?renameat2 ?link ?linkat \
                       ?symlink ?symlinkat ?unlink ?unlinkat ?rmdir ?mkdir ?mkdirat ?fsync ?fdatasync \
                       ?fchmod ?chmod ?fchmodat ?fchown ?fchownat ?utimensat";
/// The calls by which files are looked at, and locked.
const LOOKS: &str = "?read ?pread64 ?getdents64 ?statx ?flock";

/// A call that the program makes.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Its name.
    pub(crate) name: String,
    /// Its place among the calls of its name, from 1.
    pub(crate) number: usize,
    /// How strace shows it, with the paths of open files.
    pub(crate) text: String,
}

impl Call {
    /// Tells whether it names something below a folder.
    pub(crate) fn is_below(&self, folder: &Path) -> bool {
        self.text.contains(folder.to_str().unwrap())
    }

    /// Tells whether it changes a file or makes a change durable; it does not if it opens what is there already.
    pub(crate) fn is_change(&self) -> bool {
        if self.name.starts_with("open") {
            return self.text.contains("O_CREAT") || self.text.contains("O_TRUNC");
        }
        CHANGES.split(' ').any(|name| name.trim_start_matches('?') == self.name)
    }

    /// Tells whether a name comes, goes or changes hands by it: recoveries differ before and after it.
    pub(crate) fn is_turn(&self) -> bool {
        ["rename", "unlink", "rmdir"].iter().any(|name| self.name.starts_with(name))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} number {}, {}", self.name, self.number, self.text)
    }
}

/// What happens at a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The program is killed before it.
    Kill,
    /// It fails with this error.
    Fail(&'static str),
    /// It and every later call of its name fail with this error.
    FailFromThere(&'static str),
}

/// How a run under strace ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It was killed.
    Killed,
    /// It ended by itself.
    Ended(Run),
}

/// Lists the calls of a run of the patcher that ends well; `list` is a file for that.
pub(crate) fn calls(args: &[OsString], list: &Path) -> Vec<Call> {
    // The question marks pass over what this architecture does not have.
    let trace = format!("trace={CHANGES} {LOOKS}").replace(' ', ",");
    let options = ["-y", "-e", &trace, "-o"].map(OsString::from);
    let ending = strace(options.into_iter().chain([list.into()]), args);
    assert!(matches!(&ending, Ending::Ended(run) if run.status == 0), "{args:?}: {ending:?}");
    let mut counts = BTreeMap::<String, usize>::new();
    let text = fs::read_to_string(list).unwrap();
    let calls = text.lines().filter_map(|line| {
        let (name, _) = line.split_once('(')?;
        let (_, name) = name.rsplit_once(' ')?;
        let count = counts.entry(name.to_owned()).or_default();
        *count += 1;
        let (_, text) = line.split_once(name)?;
        Some(Call { name: name.to_owned(), number: *count, text: text.to_owned() })
    });
    calls.collect()
}

/// Runs the patcher with a fault at the call of this name and number.
pub(crate) fn run_with(args: &[OsString], name: &str, number: usize, fault: Fault) -> Ending {
    let (what, more) = match fault {
        Fault::Kill => ("signal=KILL".to_owned(), ""),
        Fault::Fail(error) => (format!("error={error}"), ""),
        Fault::FailFromThere(error) => (format!("error={error}"), "+"),
    };
    let trace = format!("trace={name}");
    let inject = format!("inject={name}:{what}:when={number}{more}");
    strace(["-o", "/dev/null", "-e", &trace, "-e", &inject].map(OsString::from), args)
}

fn strace(options: impl IntoIterator<Item = OsString>, args: &[OsString]) -> Ending {
    let output = Command::new("strace")
        // Not with --seccomp-bpf, though that is faster: strace 6.1 does not kill then.
        .args(["-f", "-qq"])
        .args(options)
        .arg("--")
        .arg(program("qfe-patcher"))
        .args(args)
        // Cargo's, with which the loader looks for libraries in more places.
        .env_remove("LD_LIBRARY_PATH")
        .stdin(Stdio::null())
        .output()
        .expect("strace runs");
    // It ends as its program did.
    if output.status.signal() == Some(9) { Ending::Killed } else { Ending::Ended(Run::of(&output)) }
}
