//! COM servers, registered by Windows' own program as an admin does it by hand.

use std::env;
use std::io;
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::host::{ComServers, Disk, Files, HostError};
use crate::image::Image;
use crate::platform::Machine;

/// How long a COM server may take.
const LIMIT: Duration = Duration::from_secs(60);
/// `CREATE_NO_WINDOW`.
const NO_WINDOW: u32 = 0x0800_0000;
/// Largest COM server whose machine is looked at.
const MAX_SERVER: u64 = 1 << 30;

/// `regsvr32.exe`.
pub(super) struct Regsvr32;

/// Runs it on a COM server; `/u` is the switch that removes a registration.
fn run(path: &Path, switches: &[&str]) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let folder = path.parent().unwrap_or(&path);
    let mut child = Command::new(program(&path)?)
        .args(switches)
        .arg(&path)
        .current_dir(folder)
        .creation_flags(NO_WINDOW)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return match status.code() {
                Some(0) => Ok(()),
                code => Err(io::Error::other(meaning(code.unwrap_or(-1)))),
            };
        }
        if began.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            let words = format!("it has not come to its end in {} seconds", LIMIT.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, words));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the program of the COM server's own kind: one of 32 bits cannot load one of 64, nor the other way round.
fn program(path: &Path) -> io::Result<PathBuf> {
    let bytes = Disk.read(path, MAX_SERVER).map_err(io::Error::other)?;
    let machine = Image::read(&bytes).map_err(io::Error::other)?.machine;
    let windows = PathBuf::from(env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into()));
    let folder = match machine {
        Machine::ALPHA => return Err(io::Error::other(format!("{machine} is not this machine's processor"))),
        Machine::I386 if cfg!(target_pointer_width = "64") => "SysWOW64",
        Machine::I386 => "System32",
        // Of a program of 32 bits Windows keeps its own folder away, but for this name.
        _ if cfg!(target_pointer_width = "32") => "Sysnative",
        _ => "System32",
    };
    Ok(windows.join(folder).join("regsvr32.exe"))
}

/// Says what an exit code of the program means ("How to use the Regsvr32 tool", Q249873).
fn meaning(code: i32) -> String {
    let words = match code {
        3 => "the file cannot be loaded",
        4 => "the file is no COM server",
        5 => "the COM server refused",
        _ => "regsvr32 failed",
    };
    format!("{words} (regsvr32 ended with {code})")
}

impl ComServers for Regsvr32 {
    fn register(&self, path: &Path) -> Result<(), HostError> {
        run(path, &["/s"]).map_err(|source| HostError::Component {
            action: "register",
            path: path.to_owned(),
            source,
        })
    }

    fn unregister(&self, path: &Path) -> Result<(), HostError> {
        run(path, &["/s", "/u"]).map_err(|source| HostError::Component {
            action: "unregister",
            path: path.to_owned(),
            source,
        })
    }
}
