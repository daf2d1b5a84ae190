//! Who has files open or loaded, as far as Windows tells: its Restart Manager, and its list of processes and modules.

use std::path::{Path, PathBuf};
use std::{fs, io, ptr};

use windows_sys::Win32::Foundation::{CloseHandle, ERROR_MORE_DATA, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, MODULEENTRY32W, Module32FirstW, Module32NextW, PROCESSENTRY32W,
    Process32FirstW, Process32NextW, TH32CS_SNAPMODULE, TH32CS_SNAPMODULE32, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::RestartManager::{
    CCH_RM_SESSION_KEY, RM_PROCESS_INFO, RmEndSession, RmGetList, RmRegisterResources, RmStartSession,
};

use super::wide;

/// Most programs that are named as holders of a file.
const MAX_HOLDERS: usize = 8;

/// Names the programs that have a file open or loaded, as far as Windows tells.
pub(super) fn holders(path: &Path) -> Option<String> {
    let mut names: Vec<String> = restart_manager_list(path)
        .iter()
        // What was not filled in.
        .filter(|process| process.Process.dwProcessId != 0)
        .map(|process| format!("{} (process {})", text(&process.strAppName), process.Process.dwProcessId))
        .collect();
    if names.is_empty() {
        // It may not run, and Wine has none: who has the file loaded is known without it.
        names = known_as(path).and_then(|path| users_below(&path)).unwrap_or_default();
    }
    (!names.is_empty()).then(|| names.join(", "))
}

/// Asks the Restart Manager who has a file open; nobody where it does not know.
fn restart_manager_list(path: &Path) -> Vec<RM_PROCESS_INFO> {
    let path = wide(path);
    let files = [path.as_ptr()];
    let mut key = [0_u16; CCH_RM_SESSION_KEY as usize + 1];
    let (mut session, mut needed, mut reasons) = (0, 0, 0);
    // SAFETY: RM_PROCESS_INFO holds numbers and texts only, for which zeros are values.
    #[expect(unsafe_code, reason = "the array is filled by the system")]
    let mut found: [RM_PROCESS_INFO; MAX_HOLDERS] = unsafe { std::mem::zeroed() };
    let mut count = MAX_HOLDERS as u32;
    // SAFETY: every pointer is to a value of ours that outlives the call; the key has the length that is asked for,
    // `files` one path that ends in a zero, `found` as many entries as `count` says. A session that started is ended.
    #[expect(unsafe_code, reason = "the standard library does not tell who has a file open")]
    let listed = unsafe {
        if RmStartSession(&raw mut session, 0, key.as_mut_ptr()) != 0 {
            return Vec::new();
        }
        let registered = RmRegisterResources(session, 1, files.as_ptr(), 0, ptr::null(), 0, ptr::null()) == 0;
        let listed = registered.then(|| {
            RmGetList(session, &raw mut needed, &raw mut count, found.as_mut_ptr(), &raw mut reasons)
        });
        RmEndSession(session);
        listed
    };
    match listed {
        Some(0) | Some(ERROR_MORE_DATA) => found.into_iter().take(count as usize).collect(),
        _ => Vec::new(),
    }
}

/// Returns the programs that have a file below a folder loaded, this one left out; those that this user may not look into
/// are not known.
pub(in crate::host) fn users_of(folder: &Path) -> io::Result<Vec<String>> {
    users_below(&known_as(folder)?)
}

/// Returns the one name of a file or folder under which programs that have it loaded are found; where the system does not
/// tell (Wine does not of one so long that only newer programs take it), the one it was called by.
fn known_as(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).or_else(|_| std::path::absolute(path))
}

/// Returns the programs that have a file loaded which is, or lies below, what this path names.
fn users_below(folder: &Path) -> io::Result<Vec<String>> {
    let own = std::process::id();
    let mut users = Vec::new();
    for process in processes()? {
        let is_other = process.th32ProcessID != own;
        if is_other && modules(process.th32ProcessID).iter().any(|module| lies_below(module, folder)) {
            users.push(format!("{} (process {})", text(&process.szExeFile), process.th32ProcessID));
        }
    }
    Ok(users)
}

/// Tells whether a file lies below a folder, ignoring case; both may be written in several ways.
fn lies_below(file: &Path, folder: &Path) -> bool {
    // Other letters than ASCII's are spelled alike: the folder is known by the disk's own spelling, and so is the file below.
    let fold = |path: &Path| PathBuf::from(path.to_string_lossy().to_ascii_lowercase());
    // Only what lies on the same drive is worth the look.
    fold(file).starts_with(fold(folder))
        || fs::canonicalize(file).is_ok_and(|file| fold(&file).starts_with(fold(folder)))
}

/// A list of the system, as it was when it was asked for.
struct Snapshot(HANDLE);

impl Snapshot {
    fn take(flags: u32, process: u32) -> io::Result<Self> {
        // SAFETY: nothing of ours is given.
        #[expect(unsafe_code, reason = "the standard library lists no processes")]
        let handle = unsafe { CreateToolhelp32Snapshot(flags, process) };
        if handle == INVALID_HANDLE_VALUE { Err(io::Error::last_os_error()) } else { Ok(Self(handle)) }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody else's.
        #[expect(unsafe_code, reason = "the standard library lists no processes")]
        unsafe {
            CloseHandle(self.0);
        }
    }
}

/// Lists the processes.
fn processes() -> io::Result<Vec<PROCESSENTRY32W>> {
    let snapshot = Snapshot::take(TH32CS_SNAPPROCESS, 0)?;
    let mut entry = PROCESSENTRY32W { dwSize: size_of::<PROCESSENTRY32W>() as u32, ..Default::default() };
    let mut found = Vec::new();
    // SAFETY: the snapshot is open; the entry states its own size and outlives the call.
    #[expect(unsafe_code, reason = "the standard library lists no processes")]
    let mut more = unsafe { Process32FirstW(snapshot.0, &raw mut entry) };
    while more != 0 {
        found.push(entry);
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "the standard library lists no processes")]
        let next = unsafe { Process32NextW(snapshot.0, &raw mut entry) };
        more = next;
    }
    Ok(found)
}

/// Lists the files that a process has loaded; none where that may not be known.
fn modules(process: u32) -> Vec<PathBuf> {
    let Ok(snapshot) = Snapshot::take(TH32CS_SNAPMODULE | TH32CS_SNAPMODULE32, process) else {
        return Vec::new();
    };
    let mut entry = MODULEENTRY32W { dwSize: size_of::<MODULEENTRY32W>() as u32, ..Default::default() };
    let mut found = Vec::new();
    // SAFETY: the snapshot is open; the entry states its own size and outlives the call.
    #[expect(unsafe_code, reason = "the standard library lists no modules")]
    let mut more = unsafe { Module32FirstW(snapshot.0, &raw mut entry) };
    while more != 0 {
        found.push(PathBuf::from(text(&entry.szExePath)));
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "the standard library lists no modules")]
        let next = unsafe { Module32NextW(snapshot.0, &raw mut entry) };
        more = next;
    }
    found
}

/// Returns the text that an array of the system holds, up to its first zero.
fn text(units: &[u16]) -> String {
    String::from_utf16_lossy(units.split(|unit| *unit == 0).next().unwrap_or_default())
}
