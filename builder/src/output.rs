//! The finished file: under its name only when it is whole and checked.
//!
//! A file is written beside its final place as `NAME.RUN.partial`, made durable, checked by the caller, and renamed.
//! At any moment `NAME` is absent, the former file, or the new one. Each run has a partial file of its own, so that two that
//! write one file at once never publish what the other has not finished: the last one's stays. Whatever ends the command
//! before the rename removes it, except a kill: then a run of a later day does.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How the names of unfinished files end.
const ENDING: &str = ".partial";
/// How long an unfinished file may be another run's that is just writing it.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be {action}")]
pub struct OutputError {
    path: String,
    action: &'static str,
    /// What the system said.
    pub source: io::Error,
}

impl OutputError {
    fn new(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self { path: path.display().to_string(), action, source }
    }
}

/// A file that has not got its name yet; removed when dropped.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    target: PathBuf,
}

impl Partial {
    /// Writes `bytes` beside `target` and makes them durable.
    pub fn write(target: &Path, bytes: &[u8]) -> Result<Self, OutputError> {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let run = format!(".{}-{}{ENDING}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        let mut name = target.file_name().map_or_else(OsString::new, OsString::from);
        name.push(run);
        let path = target.with_file_name(name);
        let fail = |action| {
            let path = path.clone();
            move |source| OutputError::new(&path, action, source)
        };
        // Of a killed run that had the same number.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail("replaced")(error)),
            _ => {}
        }
        // Never through a link that another put there.
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(fail("created"))?;
        let partial = Self { path: path.clone(), target: target.to_owned() };
        partial.tidy(&file);
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fail("written"))?;
        Ok(partial)
    }

    /// Removes what killed runs left of the same file; time is the disk's own. What cannot be looked at or removed stays.
    fn tidy(&self, file: &File) {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let modified = file.metadata().and_then(|metadata| metadata.modified());
        let (Ok(now), Some(target), Ok(listing)) =
            (modified, name(&self.target), fs::read_dir(folder_of(&self.path)))
        else {
            return;
        };
        for entry in listing.flatten() {
            let path = entry.path();
            let is_ours = name(&path).is_some_and(|name| is_partial(&name, &target));
            let used = entry.metadata().and_then(|metadata| metadata.modified());
            if is_ours && used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > ABANDONED)) {
                drop(fs::remove_file(path));
            }
        }
    }

    /// Opens what was written.
    pub fn open(&self) -> Result<File, OutputError> {
        File::open(&self.path).map_err(|source| OutputError::new(&self.path, "opened again", source))
    }

    /// Gives the file its name, in the place of a former one that still has these bytes: what somebody else has put there
    /// meanwhile stays, but for the moment between that look and the next step.
    pub fn publish_over(self, former: &[u8]) -> Result<(), OutputError> {
        let fail = |source| OutputError::new(&self.target, "put in its place", source);
        if fs::read(&self.target).map_err(fail)? != former {
            return Err(fail(io::Error::other("it was changed by something else meanwhile")));
        }
        self.publish()
    }

    /// Gives the file its name, in the place of a former one.
    pub fn publish(self) -> Result<(), OutputError> {
        fs::rename(&self.path, &self.target)
            .and_then(|()| sync_folder(&self.target))
            .map_err(|source| OutputError::new(&self.target, "put in its place", source))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone after a rename; what cannot be removed a run of a later day removes.
        drop(fs::remove_file(&self.path));
    }
}

/// Tells whether a file of this name is unfinished, and to become the file `target`.
fn is_partial(name: &str, target: &str) -> bool {
    let run = name.strip_prefix(target).and_then(|rest| rest.strip_prefix('.')?.strip_suffix(ENDING));
    run.is_some_and(|run| !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in the folder of `path` durable, where the system can.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder_of(path))?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_taken_only_at_the_end() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("Q1.zip");
        fs::write(&target, b"old").unwrap();
        let partial = Partial::write(&target, b"new").unwrap();
        let count = || fs::read_dir(temp.path()).unwrap().count();
        assert_eq!((fs::read(&target).unwrap().as_slice(), count()), (&b"old"[..], 2));
        partial.publish().unwrap();
        assert_eq!((fs::read(&target).unwrap().as_slice(), count()), (&b"new"[..], 1));
    }

    #[test]
    fn two_runs_that_write_one_file_publish_each_its_own() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("Q1.zip");
        let first = Partial::write(&target, b"first").unwrap();
        let second = Partial::write(&target, b"second").unwrap();
        first.publish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"first");
        second.publish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"second");
    }

    #[test]
    fn what_was_changed_meanwhile_stays() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("Q1.zip");
        fs::write(&target, b"read").unwrap();
        let partial = || Partial::write(&target, b"read and signed").unwrap();
        let [first, second] = [partial(), partial()];
        first.publish_over(b"read").unwrap();
        let error = second.publish_over(b"read").unwrap_err();
        assert_eq!(fs::read(&target).unwrap(), b"read and signed");
        assert!(error.source.to_string().contains("changed by something else"), "{error:?}");
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
        fs::remove_file(&target).unwrap();
        assert!(partial().publish_over(b"read").is_err() && !target.exists());
    }

    #[test]
    fn what_is_not_published_leaves_nothing_behind() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("Q1.zip");
        drop(Partial::write(&target, b"new").unwrap());
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_run_left_goes_after_a_day_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let put = |name: &str, age: Duration| {
            let file = File::create(temp.path().join(name)).unwrap();
            file.set_modified(file.metadata().unwrap().modified().unwrap() - age).unwrap();
        };
        let kept =
            ["Q1.zip", "Q1.zip.2-0.partial", "Q1.zip.partial", "Q1.zip.mine.partial", "Q2.zip.1-0.partial"];
        for name in kept {
            put(name, if name == "Q1.zip.2-0.partial" { ABANDONED / 2 } else { ABANDONED * 2 });
        }
        put("Q1.zip.1-0.partial", ABANDONED * 2);
        drop(Partial::write(&temp.path().join("Q1.zip"), b"new").unwrap());
        assert!(!temp.path().join("Q1.zip.1-0.partial").exists());
        for name in kept {
            assert!(temp.path().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn errors_name_the_path() {
        let error = Partial::write(Path::new("/no/such/folder/Q1.zip"), b"").unwrap_err();
        assert!(error.to_string().contains("/no/such/folder/Q1.zip."), "{error}");
    }
}
