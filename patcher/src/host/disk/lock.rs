//! The lock of a target: a file whose making is the claim, locked by the system as long as its holder lives.
//!
//! Two things have to hold at once, and no single call gives both everywhere:
//! - *Never two writers.* The file is made by a call that fails if it is there, which shares pass on to their
//!   server; and it is locked by the system, which local disks and Windows shares do for every machine.
//! - *A dead holder holds nothing.* The system drops its lock; where it can be had, the file is a left one and taken
//!   over. But a mounted share keeps such locks to each machine, and does not let a file be removed that is open.
//!   There the holder closes the file, and what it says decides: it is taken over on the machine that it names if the
//!   process that it names is no more, and on another one only if the user says that the holder is dead.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use super::system;
use crate::host::{ForeignLock, HostError, HostErrorKind, Lock};
use crate::timestamp::utc;

/// Most that is read of who holds a lock.
const MAX_HOLDER: u64 = 1024;
/// How often a claim is tried again that met a lock just being taken or given back.
const TRIES: usize = 1000;

/// What came of claiming a lock file.
pub(in crate::host) enum Claim {
    /// Nobody holds it, and nobody else can take it as long as this is open.
    Free(File),
    /// It was there. Who left it may hold it still, on this machine or another; nobody else on this machine decides
    /// about that as long as this is open.
    #[cfg_attr(windows, expect(dead_code, reason = "locks of Windows hold for every machine"))]
    Left(File),
    /// Somebody has it locked; opened to be read.
    Held(File),
    /// It was made or given back meanwhile: to be tried again.
    Again,
}

/// A lock that is held.
pub(in crate::host) struct DiskLock {
    path: PathBuf,
    /// None where it cannot be removed while it is open.
    file: Option<File>,
    holder: Holder,
}

impl Lock for DiskLock {}

impl Drop for DiskLock {
    fn drop(&mut self) {
        // A lock that the user had another run break is that run's.
        // Only its first line is compared: a share may still give the length that another one's had.
        let is_own = fs::read(&self.path)
            .is_ok_and(|bytes| Holder::of(&String::from_utf8_lossy(&bytes)).words == self.holder.words);
        if is_own {
            // A file left behind is no lock: the next run takes it over.
            drop(system::give_back(self.file.take(), &self.path));
        }
    }
}

/// Who holds a lock, as its file says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Holder {
    /// For people: process, user, machine and time.
    words: String,
    /// What no two machines share.
    machine: String,
    /// What no two processes of a machine share, now or later.
    process: String,
}

impl Holder {
    fn own(now: SystemTime) -> Self {
        let words = format!(
            "process {} of {} on {}, since {}",
            std::process::id(),
            system::user(),
            system::machine(),
            utc(now)
        );
        let machine = format!("{} {}", system::machine(), system::machine_id());
        Self { words, machine, process: system::process_id(std::process::id()).unwrap_or_default() }
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.words, self.machine, self.process)
    }

    /// Tells whether this holder lives, by what this machine knows.
    fn life(&self, own: &Self) -> Life {
        let number = self.words.split(' ').nth(1).and_then(|number| number.parse().ok());
        let is_known = self.machine == own.machine && !self.process.is_empty() && !own.process.is_empty();
        match number.filter(|_| is_known && !system::machine_id().is_empty()) {
            Some(number) if system::process_id(number).as_ref() == Some(&self.process) => Life::Alive,
            Some(_) => Life::Dead,
            None => Life::Unknown,
        }
    }

    /// Reads what a lock file says; one that says nothing was just being made when its maker died, or is.
    fn of(text: &str) -> Self {
        let mut lines = text.lines().map(|line| line.chars().filter(|c| !c.is_control()).collect::<String>());
        let words = lines.next().filter(|line| !line.is_empty());
        Self {
            words: words.unwrap_or_else(|| "it does not say who it is".to_owned()),
            machine: lines.next().unwrap_or_default(),
            process: lines.next().unwrap_or_default(),
        }
    }
}

/// Whether a holder lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Alive,
    Dead,
    /// It is, or was, on another machine, or does not say.
    Unknown,
}

/// Takes the lock, or tells who holds it.
pub(in crate::host) fn take(
    path: &Path,
    foreign: ForeignLock,
    now: SystemTime,
) -> Result<DiskLock, HostError> {
    let own = Holder::own(now);
    let io_error = |source| HostError::io("take the lock", path)(source);
    for _ in 0..TRIES {
        require_file(path).map_err(io_error)?;
        let mut file = match system::claim(path).map_err(io_error)? {
            Claim::Free(file) => file,
            Claim::Left(file) => {
                let left_by = Holder::of(&text_of(&file));
                match left_by.life(&own) {
                    Life::Dead => file,
                    Life::Unknown if foreign == ForeignLock::Break => file,
                    Life::Unknown | Life::Alive => return Err(held(path, &left_by)),
                }
            }
            Claim::Held(file) => return Err(held(path, &Holder::of(&text_of(&file)))),
            // It was given back, or made, between two looks.
            Claim::Again => {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
        };
        let written = write_holder(&mut file, &own);
        let file = (!system::is_network(path)).then_some(file);
        if let Err(error) = written {
            // One that does not say who holds it would be held for ever.
            drop(system::give_back(file, path));
            return Err(io_error(error));
        }
        return Ok(DiskLock { path: path.to_owned(), file, holder: own });
    }
    Err(held(path, &Holder::of("")))
}

/// Reads what a lock file says; that it cannot be read is as if it did not say.
fn text_of(file: &File) -> String {
    let mut bytes = Vec::new();
    drop(file.take(MAX_HOLDER).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn held(path: &Path, holder: &Holder) -> HostError {
    HostErrorKind::Held { path: path.to_owned(), holder: holder.words.clone() }.into()
}

/// Refuses a link, which would have the holder written into whatever it leads to.
fn require_file(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(io::Error::other("it is a link or a folder")),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write_holder(file: &mut File, holder: &Holder) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(holder.text().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(path: &Path) -> Result<DiskLock, HostError> {
        take(path, ForeignLock::Respect, SystemTime::now())
    }

    #[test]
    fn a_lock_is_held_once_names_its_holder_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = lock(&path).unwrap();
        match lock(&path).err().as_ref().map(HostError::kind) {
            Some(HostErrorKind::Held { holder, .. }) => {
                let process = format!("process {} of ", std::process::id());
                assert!(holder.starts_with(&process) && holder.contains(" on "), "{holder}");
                assert!(holder.contains(", since 20"), "{holder}");
            }
            other => panic!("{other:?}"),
        }
        drop(first);
        assert!(!path.exists());
    }

    #[test]
    fn a_lock_left_by_a_dead_holder_is_taken_over_on_a_disk_of_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        for text in ["", "process 1 of root on here, since 2000-01-28T10:49:00Z\nhere 1\n", "\0\u{1}x"] {
            fs::write(&path, text).unwrap();
            drop(lock(&path).unwrap());
            assert!(!path.exists());
        }
    }

    #[test]
    fn of_many_at_once_one_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let (holders, most) =
            (std::sync::atomic::AtomicUsize::new(0), std::sync::atomic::AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if let Ok(held) = lock(&path) {
                            let now = holders.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                            most.fetch_max(now, std::sync::atomic::Ordering::SeqCst);
                            holders.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                            drop(held);
                        }
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
        assert!(!path.exists());
    }

    #[test]
    fn a_holder_is_dead_only_if_this_machine_knows_it() {
        let own = Holder::own(SystemTime::now());
        assert_eq!(Holder::of(&own.text()), own);
        if own.process.is_empty() || system::machine_id().is_empty() {
            return;
        }
        assert_eq!(own.life(&own), Life::Alive);
        let life = |change: &dyn Fn(&mut Holder)| {
            let mut holder = own.clone();
            change(&mut holder);
            holder.life(&own)
        };
        assert_eq!(
            life(&|holder| holder.process.push('1')),
            Life::Dead,
            "its number is another process's now"
        );
        assert_eq!(
            life(&|holder| holder.machine.push('1')),
            Life::Unknown,
            "another machine's are not known"
        );
        assert_eq!(life(&|holder| holder.process.clear()), Life::Unknown, "it does not say");
        assert_eq!(Holder::of("").life(&own), Life::Unknown, "it was just being made");
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_that_is_a_link_is_refused_and_what_it_leads_to_is_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("lock"), folder.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert!(lock(&path).is_err());
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
    }
}
