//! Files of Windows, or of Wine.

use std::io::{Read, Write};
use std::os::windows::fs::MetadataExt;
use std::process::{Command, Stdio};

use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_ARCHIVE, FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_READONLY, FILE_ATTRIBUTE_SYSTEM,
};

use super::*;
use crate::host::{Attributes, Disk, Files, ForeignLock, Host, HostError, HostErrorKind, Machine, Trouble};

/// Makes a file in a folder of its own.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.dll");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn attributes(path: &Path) -> u32 {
    fs::metadata(path).unwrap().file_attributes()
}

/// A program that runs from a copy of this one until it is dropped.
struct Running(std::process::Child);

impl Running {
    fn start(path: &Path) -> Self {
        fs::copy(env::current_exe().unwrap(), path).unwrap();
        let name = concat!(module_path!(), "::waits_for_the_end_of_its_input");
        let (_, name) = name.split_once("::").unwrap();
        let mut command = Command::new(path);
        command.args(["--exact", name, "--ignored"]).stdin(Stdio::piped()).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

#[test]
#[ignore = "run by other tests, as another process"]
fn waits_for_the_end_of_its_input() {
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn an_open_file_is_in_use_until_it_is_closed() {
    let (_folder, path) = file("old");
    assert_eq!(in_use(&path).unwrap(), None);
    let open = File::open(&path).unwrap();
    assert!(in_use(&path).unwrap().is_some_and(|holder| !holder.is_empty()));
    drop(open);
    assert_eq!(in_use(&path).unwrap(), None);
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn an_open_file_that_is_read_only_is_in_use_until_it_is_closed() {
    let (_folder, path) = file("old");
    set_read_only(&path, true).unwrap();
    assert_eq!(in_use(&path).unwrap(), None);
    let open = File::open(&path).unwrap();
    assert!(in_use(&path).unwrap().is_some());
    drop(open);
    assert_eq!(in_use(&path).unwrap(), None);
    assert!(is_read_only(&path));
}

#[test]
fn a_program_that_runs_is_in_use_and_not_replaced() {
    let (_folder, path) = file("");
    let running = Running::start(&path);
    assert!(in_use(&path).unwrap().is_some());
    let new = path.with_file_name("new");
    fs::write(&new, "new").unwrap();
    let refused = Machine::default().rename(&new, &path).unwrap_err();
    assert!(matches!(refused.trouble(), Trouble::AccessDenied | Trouble::InUse), "{refused:?}");
    assert!(new.exists());
    drop(running);
    assert_eq!(in_use(&path).unwrap(), None);
    Machine::default().rename(&new, &path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn a_lock_says_who_holds_it_while_it_is_held_and_is_taken_over_when_it_is_left() {
    let (_folder, path) = file("process 4 of a dead user\n");
    let held = Machine::default().lock(&path, ForeignLock::Respect).unwrap();
    for foreign in [ForeignLock::Respect, ForeignLock::Break] {
        match Machine::default().lock(&path, foreign).err().as_ref().map(HostError::kind) {
            Some(HostErrorKind::Held { holder, .. }) => {
                assert!(holder.starts_with(&format!("process {} of ", std::process::id())), "{holder}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(fs::remove_file(&path).is_err() && fs::write(&path, "mine").is_err());
    drop(held);
    assert!(!path.exists());
}

#[test]
fn a_lock_that_may_not_be_written_is_not_said_to_be_held() {
    let (_folder, path) = file("process 4 of a dead user\n");
    set_read_only(&path, true).unwrap();
    // Wine lets root write to it, which is no less true.
    if let Some(refused) = Machine::default().lock(&path, ForeignLock::Respect).err() {
        assert_eq!(refused.trouble(), Trouble::AccessDenied, "{refused:?}");
    }
}

#[test]
fn a_file_takes_the_place_and_the_attributes_of_another_one() {
    let marks = FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE;
    // Not both: of a read-only file Wine loses the marks, unless it is root's.
    for (read_only, wanted) in [(false, marks), (true, FILE_ATTRIBUTE_READONLY)] {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        let made = OpenOptions::new().write(true).create_new(true).attributes(marks).open(&old);
        made.unwrap().write_all(b"old").unwrap();
        set_read_only(&old, read_only).unwrap();
        Machine::default()
            .write_new(&new, b"new", &Attributes { like: Some(old.clone()), modified: None })
            .unwrap();
        assert_eq!(attributes(&new) & wanted, wanted);
        Machine::default().rename(&new, &old).unwrap();
        assert_eq!(fs::read(&old).unwrap(), b"new");
        assert_eq!(attributes(&old) & wanted, wanted);
        Machine::default().remove_file(&old).unwrap();
        assert!(!old.exists());
    }
}

#[test]
fn what_is_read_only_stays_so_where_it_cannot_be_replaced_or_removed() {
    let (_folder, path) = file("old");
    set_read_only(&path, true).unwrap();
    let missing = path.with_file_name("missing");
    assert!(Machine::default().rename(&missing, &path).is_err());
    let held = OpenOptions::new().read(true).share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE).open(&path);
    assert!(Machine::default().remove_file(&path).is_err());
    drop(held);
    assert!(is_read_only(&path));
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn the_access_list_of_the_old_file_is_that_of_the_new_one() {
    /// Version and flags (a list is present, in one piece); no owner, group, audit list; where the list is. The
    /// list: version, bytes, entries; one that allows (its bytes) to read, everyone (S-1-1-0).
    const READERS: [u32; 12] =
        [0x8004_0001, 0, 0, 0, 20, 0x001c_0002, 1, 0x0014_0000, 0x0012_0089, 0x0000_0101, 0x0100_0000, 0];
    let (_folder, old) = file("old");
    let list = |path: &Path| access_list(&File::open(path).unwrap()).unwrap();
    let new = |name: &str| {
        let path = old.with_file_name(name);
        Machine::default()
            .write_new(&path, b"new", &Attributes { like: Some(old.clone()), modified: None })
            .unwrap();
        path
    };
    let before = list(&old);
    assert_eq!(list(&new("1")), before);
    let open = OpenOptions::new().access_mode(WRITE_DAC).open(&old).unwrap();
    set_access_list(&open, READERS.to_vec()).unwrap();
    drop(open);
    assert_ne!(list(&old), before);
    assert_eq!(list(&new("2")), list(&old));
}

#[test]
fn free_space_is_known_of_any_folder_by_any_spelling() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join(""), folder.path().canonicalize().unwrap()] {
        assert!(Disk.volume(&path).unwrap().free.is_some_and(|free| free > 0), "{}", path.display());
    }
}

#[test]
fn a_rename_at_restart_is_in_the_registry_by_the_names_of_the_disk() {
    let (_folder, old) = file("old");
    let new = old.with_file_name("new");
    fs::write(&new, "new").unwrap();
    rename_at_restart(&new, &old).unwrap();
    let key = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager";
    let query =
        Command::new("reg").args(["query", key, "/v", "PendingFileRenameOperations"]).output().unwrap();
    let found = String::from_utf8_lossy(&query.stdout).into_owned();
    for path in [&new, &old] {
        let name = on_own_disk(path).unwrap().display().to_string();
        assert!(name.starts_with(r"\\?\") && name.as_bytes()[5] == b':', "{name}");
        assert!(found.contains(&name.replacen(r"\\?\", r"\??\", 1)), "{name} is not in {found}");
    }
    assert_eq!(fs::read(&old).unwrap(), b"old");
}
