//! What a command costs: CPU, time and memory, as the system counts them.
//!
//! It counts for all children of a process together, so each command runs in a process of its own: the measuring program
//! itself, started again, which answers through [`serve`].

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// The argument by which the program is started again.
const CHILD: &str = "--child";

/// What one run of a command took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// User and system time.
    pub cpu_ms: f64,
    /// From start to end.
    pub elapsed_ms: f64,
    /// The most memory that was in use at once.
    pub peak_kb: f64,
}

impl Cost {
    /// Runs a command in a folder, without its output; says why if it fails.
    ///
    /// The program's `main` has to begin with [`serve`].
    pub fn of(command: &[OsString], folder: &Path) -> Result<Self, String> {
        let own = std::env::current_exe().expect("a process knows its program");
        let output =
            Command::new(own).arg(CHILD).args(command).current_dir(folder).output().expect("it runs");
        let text = String::from_utf8(output.stdout).expect("it prints numbers");
        let numbers: Vec<f64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        match numbers.as_slice() {
            [cpu, elapsed, peak] => Ok(Self { cpu_ms: cpu / 1e3, elapsed_ms: elapsed / 1e3, peak_kb: *peak }),
            _ => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }
}

/// Runs the command, if this process was started to measure one, and prints what it took.
pub fn serve() -> bool {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [child, name, command @ ..] = arguments.as_slice() else { return false };
    if child != CHILD {
        return false;
    }
    let start = Instant::now();
    let status = Command::new(name).args(command).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let elapsed = start.elapsed();
    match status {
        Ok(status) if status.success() => {
            let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts");
            let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
            println!("{cpu} {} {}", elapsed.as_micros(), usage.max_rss());
        }
        Ok(status) => eprintln!("{status}"),
        Err(error) => eprintln!("{error}"),
    }
    true
}
