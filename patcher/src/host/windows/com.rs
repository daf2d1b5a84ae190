//! COM servers, registered by Windows' own program as an admin does it by hand.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::ptr;

use windows_sys::Win32::Foundation::{WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{
    CREATE_NO_WINDOW, CreateProcessW, GetExitCodeProcess, INFINITE, PROCESS_INFORMATION, STARTUPINFOW,
    TerminateProcess, WaitForSingleObject,
};

use super::wide;
use crate::host::{ComServers, Disk, Files, HostError, HostErrorKind};
use crate::image::Image;
use crate::platform::Machine;

/// How long a COM server may take, in milliseconds.
const LIMIT: u32 = 60_000;
/// Largest COM server whose machine is looked at.
const MAX_SERVER: u64 = 1 << 30;

/// `regsvr32.exe`.
pub(super) struct Regsvr32;

/// Runs it on a COM server; `/u` is the switch that removes a registration.
fn run(path: &Path, switches: &str) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let process = start(&program(&path)?, switches, &path)?;
    match wait(&process, LIMIT)? {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::other(meaning(code))),
        None => {
            end(&process)?;
            let words = format!("it has not come to its end in {} seconds", LIMIT / 1000);
            Err(io::Error::new(io::ErrorKind::TimedOut, words))
        }
    }
}

/// Starts a program on a file, in the file's folder, without a window and with nothing of ours.
///
/// By the system's own call: the standard library's would bring its pipes and its environment along.
fn start(program: &Path, switches: &str, path: &Path) -> io::Result<OwnedHandle> {
    // No name of Windows holds a quotation mark, and a file's ends in no backslash.
    let mut line = OsString::from("\"");
    line.extend([program.as_os_str(), "\" ".as_ref(), switches.as_ref(), " \"".as_ref(), path.as_os_str()]);
    line.push("\"");
    let (program, mut line) = (wide(program), wide(line));
    let folder = wide(path.parent().unwrap_or(path));
    let size = u32::try_from(size_of::<STARTUPINFOW>()).unwrap_or_default();
    let startup = STARTUPINFOW { cb: size, ..Default::default() };
    let mut started = PROCESS_INFORMATION::default();
    // SAFETY: the texts end in zeros, and all of them outlive the call, which may write to the line. No handle is inherited.
    #[expect(unsafe_code, reason = "the standard library's process is several times as large")]
    let done = unsafe {
        CreateProcessW(
            program.as_ptr(),
            line.as_mut_ptr(),
            ptr::null(),
            ptr::null(),
            0,
            CREATE_NO_WINDOW,
            ptr::null(),
            folder.as_ptr(),
            &raw const startup,
            &raw mut started,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call gave both handles, and nobody else closes them.
    #[expect(unsafe_code, reason = "the system gives raw handles")]
    let (process, thread) = unsafe {
        (OwnedHandle::from_raw_handle(started.hProcess), OwnedHandle::from_raw_handle(started.hThread))
    };
    drop(thread);
    Ok(process)
}

/// Waits for the end of a process, and returns its exit code; none: it has not come to it in these milliseconds.
fn wait(process: &OwnedHandle, limit: u32) -> io::Result<Option<u32>> {
    let mut code = 0;
    // SAFETY: the handle is open, and the number is ours.
    #[expect(unsafe_code, reason = "the standard library's process is several times as large")]
    let done = unsafe {
        match WaitForSingleObject(process.as_raw_handle(), limit) {
            WAIT_TIMEOUT => return Ok(None),
            WAIT_OBJECT_0 => GetExitCodeProcess(process.as_raw_handle(), &raw mut code),
            _ => 0,
        }
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Some(code)) }
}

/// Ends a process, and waits until it is gone: it has the file loaded.
fn end(process: &OwnedHandle) -> io::Result<()> {
    // SAFETY: the handle is open.
    #[expect(unsafe_code, reason = "the standard library's process is several times as large")]
    let done = unsafe { TerminateProcess(process.as_raw_handle(), 1) };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    wait(process, INFINITE).map(drop)
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
fn meaning(code: u32) -> String {
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
        run(path, "/s").map_err(error("register", path))
    }

    fn unregister(&self, path: &Path) -> Result<(), HostError> {
        run(path, "/s /u").map_err(error("unregister", path))
    }
}

fn error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HostError {
    move |source| HostErrorKind::Component { action, path: path.to_owned(), source }.into()
}
