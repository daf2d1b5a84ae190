//! A site server with the files of an update, and what must be true of it whatever has happened.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::programs::{Run, patcher, tool};
use qfe_tests::samples::{apply_args, tiny, workshop};
use qfe_tests::tree::{self, Tree};

use crate::lab::Volume;

/// Whose the product's files are: not the patcher's user, who is root.
const OWNER: u32 = 1234;

/// What the product's files are, all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// As before the update, with their times.
    Old,
    /// As the update has them.
    New,
}

/// A site server, and an update for it.
#[derive(Debug)]
pub(crate) struct Site {
    root: PathBuf,
    id: &'static str,
    bundle: PathBuf,
    before: Tree,
    /// The update's files by their paths.
    new: BTreeMap<String, Vec<u8>>,
    /// What it is on, if what is not synced can be lost there.
    volume: Option<Rc<Volume>>,
}

impl Site {
    /// Makes one with the files of the tiny update, in a folder that is not there yet.
    pub(crate) fn tiny(root: PathBuf) -> Self {
        let bin = furnish(&root);
        for (name, bytes) in &tiny().old {
            fs::write(bin.join(name), bytes).unwrap();
        }
        let new = tiny().new.iter().map(|(name, bytes)| (place(name), bytes.clone()));
        Self::new(root, "T1", tiny().bundle.clone(), new.collect())
    }

    /// Makes one with the files of Q252717, which are images of many pages.
    pub(crate) fn large(root: PathBuf) -> Self {
        let sample = workshop().sample("Q252717");
        tree::copy(&sample.join("baseline/i386"), &furnish(&root));
        let new = tree::read(&sample.join("update/i386")).into_iter();
        let new = new.map(|(name, (bytes, _))| (place(&name), bytes)).collect();
        Self::new(root, "Q252717", workshop().bundle(), new)
    }

    fn new(root: PathBuf, id: &'static str, bundle: PathBuf, new: BTreeMap<String, Vec<u8>>) -> Self {
        for name in tree::read_product(&root).keys().filter(|name| !name.ends_with('/')) {
            let file = File::options().write(true).open(root.join(name)).unwrap();
            file.set_modified(old_time()).unwrap();
            fchown(&file, Some(OWNER), Some(OWNER)).unwrap();
        }
        let before = tree::read_product(&root);
        Self { root, id, bundle, before, new, volume: None }
    }

    /// Makes one with the files of the tiny update on a volume.
    pub(crate) fn on(volume: Rc<Volume>) -> Self {
        Self { volume: Some(Rc::clone(&volume)), ..Self::tiny(volume.path().join("server")) }
    }

    /// Returns its folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of one of its programs' files.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.join(place(name))
    }

    /// Returns the arguments by which the update is applied.
    pub(crate) fn apply_args(&self) -> Vec<OsString> {
        apply_args(&self.bundle, &self.root)
    }

    /// Returns the arguments by which the update is taken back.
    pub(crate) fn rollback_args(&self) -> Vec<OsString> {
        args!["rollback", "--target", &self.root, "--json"].to_vec()
    }

    /// Returns the arguments of a recovery.
    pub(crate) fn recover_args(&self) -> Vec<OsString> {
        args!["recover", "--target", &self.root, "--json"].to_vec()
    }

    /// Applies the update.
    pub(crate) fn apply(&self) -> Run {
        patcher(self.apply_args())
    }

    /// Takes the update back.
    pub(crate) fn rollback(&self) -> Run {
        patcher(self.rollback_args())
    }

    /// Recovers.
    pub(crate) fn recover(&self) -> Run {
        patcher(self.recover_args())
    }

    /// Keeps a copy of everything in it.
    pub(crate) fn save(&self, copy: &Path) {
        tool("cp", Path::new("/"), args!["--archive", &self.root, copy]);
    }

    /// Makes everything in it as it was saved, durably.
    pub(crate) fn restore(&self, copy: &Path) {
        fs::remove_dir_all(&self.root).unwrap();
        tool("cp", Path::new("/"), args!["--archive", copy, &self.root]);
        if let Some(volume) = &self.volume {
            volume.sync();
        }
    }

    /// Lets what it is on lose power, if that loses anything.
    pub(crate) fn lose_power(&self) {
        if let Some(volume) = &self.volume {
            volume.lose_power();
        }
    }

    /// Tells what the product's files are, or in what they are neither old nor new.
    pub(crate) fn state(&self) -> Result<State, String> {
        let found = tree::read_product(&self.root);
        if found == self.before {
            return Ok(State::Old);
        }
        if found == self.after(&found) {
            return Ok(State::New);
        }
        let names = found.keys().chain(self.before.keys()).collect::<BTreeSet<_>>();
        let story = names.into_iter().map(|name| format!("{name} {}", self.describe(name, &found)));
        Err(format!("neither old nor new: {}", story.collect::<Vec<_>>().join(", ")))
    }

    /// Returns the updated product, with the times that `found` has for the update's files.
    fn after(&self, found: &Tree) -> Tree {
        let mut after = self.before.clone();
        for (path, bytes) in &self.new {
            let time = found.get(path).map_or_else(old_time, |(_, time)| *time);
            after.insert(path.clone(), (bytes.clone(), time));
        }
        after
    }

    fn describe(&self, name: &str, found: &Tree) -> &'static str {
        let Some((bytes, time)) = found.get(name) else { return "is missing" };
        match self.before.get(name) {
            Some(before) if before == &(bytes.clone(), *time) => "is old",
            Some((before, _)) if before == bytes => "is old but for its time",
            _ if self.new.get(name) == Some(bytes) => "is new",
            _ if bytes.is_empty() => "is empty",
            _ => "is something else",
        }
    }

    /// Requires that these are the product's files.
    pub(crate) fn require(&self, wanted: State) -> Result<(), String> {
        match self.state()? {
            found if found == wanted => Ok(()),
            found => Err(format!("the files are {found:?}, not {wanted:?}")),
        }
    }

    /// Recovers, and requires that all files are then old or all new, that a second recovery finds and changes
    /// nothing, and that nothing is left but the update's folder and log.
    pub(crate) fn come_to_rest(&self) -> Result<State, String> {
        require_code(self.recover(), "recover", ExitCode::Success)?;
        let state = self.state().map_err(|error| format!("after recover {error}"))?;
        let rest = tree::read(&self.root);
        let second = require_code(self.recover(), "the second recover", ExitCode::Success)?;
        if second.json()["outcome"] != "already-current" {
            return Err(format!("the second recover had something to do: {}", second.stdout));
        }
        if tree::read(&self.root) != rest {
            return Err("the second recover changed something".to_owned());
        }
        let known = [format!("$NtUninstall{}$/", self.id), "Bin/".to_owned(), "LOGS/".to_owned()];
        match rest.keys().find(|name| !known.iter().any(|known| name.starts_with(known))) {
            None => Ok(state),
            Some(name) => Err(format!("{name} is left")),
        }
    }

    /// Requires that the update can be installed, if it is not, and taken back.
    pub(crate) fn live_on(&self, state: State) -> Result<(), String> {
        if state == State::Old {
            let applied = require_code(self.apply(), "the next apply", ExitCode::Success)?;
            if applied.json()["outcome"] != "changed" {
                return Err(format!("the next apply changed nothing: {}", applied.stdout));
            }
            self.require(State::New).map_err(|error| format!("after the next apply {error}"))?;
        }
        require_code(self.rollback(), "the next rollback", ExitCode::Success)?;
        self.require(State::Old).map_err(|error| format!("after the next rollback {error}"))
    }

    /// Requires that the product's files still belong to whom they did.
    pub(crate) fn require_owner(&self) -> Result<(), String> {
        let is_lost = |name: &&String| {
            let metadata = fs::metadata(self.root.join(name)).unwrap();
            metadata.is_file() && (metadata.uid(), metadata.gid()) != (OWNER, OWNER)
        };
        self.before.keys().find(is_lost).map_or(Ok(()), |name| Err(format!("{name} has another owner")))
    }

    /// Requires everything that must be true after any fault once it is over.
    pub(crate) fn survive(&self) -> Result<State, String> {
        let state = self.come_to_rest()?;
        self.live_on(state)?;
        Ok(state)
    }
}

/// Makes a server's folders with files that no update knows; returns the folder of its programs.
fn furnish(root: &Path) -> PathBuf {
    let bin = root.join("Bin/i386");
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir(root.join("LOGS")).unwrap();
    fs::write(root.join("LOGS/sms.log"), "a log of the product\n").unwrap();
    fs::write(bin.join("Hman.ini"), "a file that no update knows").unwrap();
    bin
}

/// Returns where a file of an update goes.
fn place(name: &str) -> String {
    format!("Bin/i386/{name}")
}

/// The time of the old files.
pub(crate) fn old_time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(949_056_540)
}

/// Returns what a run says of its failure, without what it said before.
pub(crate) fn error_of(run: &Run) -> &str {
    run.stderr.find("error:").map_or(run.stderr.as_str(), |at| &run.stderr[at..]).trim()
}

/// Requires that a run ended with this code.
pub(crate) fn require_code(run: Run, what: &str, code: ExitCode) -> Result<Run, String> {
    if run.status == code.status() {
        Ok(run)
    } else {
        Err(format!("{what} ended with {}: {}", run.status, error_of(&run)))
    }
}

/// Requires that a run ended with a code of the manual, and that its JSON says the same; returns the code.
pub(crate) fn require_documented(run: &Run) -> Result<ExitCode, String> {
    let code = ExitCode::ALL.into_iter().find(|code| code.status() == run.status);
    let code = code.ok_or_else(|| format!("ended with {}: {}", run.status, error_of(run)))?;
    if run.stderr.contains("panicked") {
        return Err(run.stderr.trim().to_owned());
    }
    let json: serde_json::Value = serde_json::from_str(&run.stdout)
        .map_err(|error| format!("no JSON but {:?}: {error}", run.stdout))?;
    let words: &[&str] =
        if code == ExitCode::Success { &["changed", "already-current"] } else { &["refused", "failed"] };
    let is_said = json["code"] == code.number() && words.iter().any(|word| json["outcome"] == *word);
    if is_said { Ok(code) } else { Err(format!("ended with {code:?}, but says {json}")) }
}
