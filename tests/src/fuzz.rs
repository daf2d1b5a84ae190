//! What reads input from outside, as functions that a fuzzer calls with any bytes: one table for every runner.
//!
//! A target returns, whatever the bytes are. It panics where a reader does, or where what was read contradicts itself: then
//! the input is a finding. Nothing verifies: a digest or checksum that would refuse changed bytes is first made right, so that
//! they reach the parsers.
//!
//! | runner | is for |
//! |---|---|
//! | `cargo fuzz-stable` | any toolchain and system; with `--guided`, inputs that reach new code are kept and changed on |
//! | `cargo fuzz`, in `tests/fuzz` | libFuzzer and AddressSanitizer, with a nightly toolchain |
//! | `cargo test` | the corpus alone |
//!
//! The corpus is what [`Target::seeds`] makes, and the files of `tests/fuzz/corpus`: what reaches code that nothing else does,
//! and inputs that were findings, by names that say so.

use std::fs;
use std::path::PathBuf;

use crate::programs::workspace;

mod bundles;
mod deltas;
mod keys;
mod registry;
mod split;
mod texts;

pub use split::{join, split};

/// A function that reads input from outside.
#[derive(Debug)]
pub struct Target {
    /// Its name, which is also that of its corpus.
    pub name: &'static str,
    /// What it reads.
    pub reads: &'static str,
    /// Reads it.
    pub run: fn(&[u8]),
    /// Makes inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words that its readers look for.
    pub words: &'static [&'static [u8]],
    /// The largest input that is of use, in bytes.
    pub largest: usize,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    deltas::EXE,
    deltas::BSDIFF,
    deltas::EXE_ROUND_TRIP,
    deltas::BSDIFF_ROUND_TRIP,
    deltas::IMAGE,
    bundles::CONTAINER,
    bundles::MANIFEST,
    bundles::SOURCE,
    keys::KEY_RING,
    keys::SIGNATURE,
    keys::SECRET_KEY,
    texts::JSON,
    texts::JOURNAL,
    texts::RECEIPT,
    texts::RECIPE,
    texts::PROFILE,
    texts::ARTICLE,
    registry::EXPORT,
    registry::HIVE,
];

impl Target {
    /// Finds a target by its name.
    pub fn find(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Returns the folder of its corpus in the project.
    pub fn folder(&self) -> PathBuf {
        workspace().join("tests/fuzz/corpus").join(self.name)
    }

    /// Returns the corpus: what is made, then what is kept in the project, by name.
    pub fn corpus(&self) -> Vec<Vec<u8>> {
        let mut corpus = (self.seeds)();
        corpus.extend(files(self.folder()));
        corpus
    }
}

/// Runs the target of this name, for a runner that knows no more.
pub fn run(name: &str, input: &[u8]) {
    let target = Target::find(name).unwrap_or_else(|| panic!("{name} is no target"));
    (target.run)(input);
}

/// Reads the files of a folder, by name; of one that is not there, none.
pub fn files(folder: PathBuf) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_target_returns_from_its_corpus() {
        for target in TARGETS {
            let corpus = target.corpus();
            assert!(!corpus.is_empty(), "{} has nothing to begin with", target.name);
            for input in corpus {
                assert!(input.len() <= target.largest, "{}: {} bytes", target.name, input.len());
                (target.run)(&input);
            }
        }
    }

    #[test]
    fn names_are_files_of_cargo_fuzz_and_folders_of_the_corpus() {
        let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
        assert_eq!(names.len(), TARGETS.len());
        let stems = |folder: &str| -> BTreeSet<String> {
            let entries = fs::read_dir(workspace().join("tests/fuzz").join(folder)).unwrap();
            entries
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
                .collect()
        };
        assert_eq!(stems("fuzz_targets"), names);
        let without_target: Vec<String> = stems("corpus").difference(&names).cloned().collect();
        assert!(without_target.is_empty(), "{without_target:?}");
    }
}
