//! A recipe with payload, baseline and keys in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use qfe_builder::build::refusal::Refusals;
use qfe_builder::build::survey::{Survey, survey};
use qfe_builder::profile::Profile;
use qfe_builder::recipe::Recipe;
use qfe_patcher::platform::Platform;
use serde_json::Value;
use tempfile::TempDir;

use crate::pe::image;

/// The recipe of every fixture; tests change it by replacing text.
pub(crate) const RECIPE: &str = "\
id = \"Q252717\"
title = \"CCM avoids installation attempts on SP2 clients\"
product = \"Systems Management Server 2.0\"
builds = [1380]

[payload]
i386 = \"update/i386\"
alpha = \"update/alpha\"

[[baseline]]
name = \"1380.1000\"
i386 = \"baseline/i386\"
alpha = \"baseline/alpha\"

[[file]]
name = \"Ccm.dll\"
version = \"2.0.1380.1125\"

[[file]]
name = \"Compver.ini\"
roles = [\"site-server\"]
";

/// The secret keys of a fixture; the public ones have `.pub` added.
pub(crate) const FIRST: &str = "first.key";
pub(crate) const SECOND: &str = "second.key";

/// Returns the exit status of a code: where a status is one byte, the low one.
pub(crate) const fn exit_status(code: i32) -> i32 {
    if cfg!(windows) { code } else { code & 0xff }
}

pub(crate) struct Fixture {
    temp: TempDir,
}

/// Bytes without repeats.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// The bodies of `Ccm.dll`, old and new: some bytes changed, some added.
fn bodies(platform: Platform) -> (Vec<u8>, Vec<u8>) {
    let old = noise(40_000, platform.machine().0.into());
    let mut new = old.clone();
    new[1000..1004].copy_from_slice(b"qfe!");
    new.splice(30_000..30_000, noise(100, 5));
    (old, new)
}

impl Fixture {
    /// Makes the standard update: one library in both platforms, with a baseline, and one text.
    pub(crate) fn new() -> Self {
        let fixture = Self { temp: tempfile::tempdir().unwrap() };
        fixture.put("update.toml", RECIPE.as_bytes());
        for platform in Platform::ALL {
            let (old, new) = bodies(platform);
            let folder = |tree: &str, name: &str| format!("{tree}/{platform}/{name}");
            fixture.put(&folder("update", "CCM.DLL"), &image(platform, Some("2.0.1380.1125"), &new));
            fixture.put(&folder("update", "Compver.ini"), b"[version]\r\n");
            fixture.put(&folder("baseline", "Ccm.dll"), &image(platform, Some("2.0.1380.1000"), &old));
            fixture.put(&folder("baseline", "Unrelated.dll"), b"not of this update");
        }
        for key in [FIRST, SECOND] {
            let public = format!("{key}.pub");
            let made = fixture.run(&["keygen", "--no-password", "--secret", key, "--public", &public]);
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        fixture
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn get(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Returns the names of files that were begun and never got theirs.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("")).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".partial")).collect()
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Changes a byte in the middle of a file.
    pub(crate) fn damage(&self, name: &str) {
        let mut bytes = self.get(name);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        self.put(name, &bytes);
    }

    /// Writes the recipe with `from` replaced by `to`.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = String::from_utf8(self.get("update.toml")).unwrap();
        assert!(text.contains(from), "{from}");
        self.put("update.toml", text.replacen(from, to, 1).as_bytes());
    }

    /// Writes a file of the payload.
    pub(crate) fn payload(&self, platform: Platform, name: &str, bytes: &[u8]) {
        self.put(&format!("update/{platform}/{name}"), bytes);
    }

    pub(crate) fn survey(&self) -> Result<Survey, Refusals> {
        let path = self.path("update.toml");
        let recipe = Recipe::parse(&path, &fs::read_to_string(&path).unwrap()).unwrap();
        survey(&recipe, &Profile::sms2().unwrap(), self.temp.path())
    }

    /// Returns the messages of all findings.
    pub(crate) fn findings(&self) -> Vec<String> {
        let findings = self.survey().map(|survey| survey.files.len()).unwrap_err();
        let root = format!("{}/", self.temp.path().display());
        findings.iter().map(|finding| finding.to_string().replace(&root, "")).collect()
    }

    /// Runs the program in the fixture's folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        run_in(self.temp.path(), arguments)
    }

    /// Runs the program with `--json` and returns its exit status and the one object it prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[arguments, &["--json"]].concat());
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        let value: Value = serde_json::from_str(&said).unwrap();
        (output.status.code().unwrap(), value)
    }

    /// Builds with the first key and returns the answer; more arguments may be given.
    pub(crate) fn build(&self, output: &str, more: &[&str]) -> Value {
        let (status, value) =
            self.json(&[&["build", "update.toml", "--key", FIRST, "-o", output], more].concat());
        assert_eq!(status, 0, "{value:#}");
        value
    }
}

fn run_in(folder: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_qfe-builder");
    let mut command = Command::new(program);
    for place in ["XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"] {
        // Tests keep nothing among the deltas of whoever runs them.
        command.env_remove(place);
    }
    command.args(arguments).current_dir(folder).stdin(std::process::Stdio::null()).output().unwrap()
}
