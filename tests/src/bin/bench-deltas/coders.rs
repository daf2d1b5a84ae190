//! What is measured: our codecs and other tools, as commands over files of fixed names.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use qfe_tests::args;
use qfe_tests::cost::Cost;
use qfe_tests::programs::is_on_path;

use super::ours;

/// The old file, in the folder where a command runs.
pub(super) const OLD: &str = "old";
/// The new file.
pub(super) const NEW: &str = "new";
/// The delta.
pub(super) const PATCH: &str = "patch";
/// What is decoded.
pub(super) const MADE: &str = "made";

/// The argument that makes this program encode with a codec of ours.
pub(super) const ENCODE: &str = "--encode";
/// The argument that makes this program decode.
pub(super) const DECODE: &str = "--decode";

/// Other tools: how they encode and decode.
const TOOLS: [[&str; 2]; 4] = [
    ["bsdiff old new patch", "bspatch old made patch"],
    ["xdelta3 -e -f -9 -S lzma -A -s old new patch", "xdelta3 -d -f -s old patch made"],
    [
        "zstd -q -f --ultra -22 --long=27 --patch-from=old new -o patch",
        "zstd -q -f -d --long=27 --patch-from=old patch -o made",
    ],
    ["qbsdiff old new patch", "qbspatch old made patch"],
];

/// `HDiffPatch`, whose program no distribution has, but a package for Python.
const HDIFF: &str = "hdiff.py";

/// Something that makes deltas.
pub(super) struct Coder {
    pub(super) name: String,
    pub(super) ours: bool,
    pub(super) encode: Vec<OsString>,
    pub(super) decode: Vec<OsString>,
    /// CPU of its start, if that is not its own: an interpreter's.
    start_ms: f64,
}

impl Coder {
    /// Returns our codecs and all tools that are installed, and says which are not; they will run in this folder.
    pub(super) fn all(folder: &Path) -> Vec<Self> {
        let own = std::env::current_exe().expect("a process knows its program");
        let ours = ours::names().into_iter().map(|codec| Self {
            name: format!("qfe {codec}"),
            ours: true,
            encode: args![&own, ENCODE, codec, OLD, NEW, PATCH].to_vec(),
            decode: args![&own, DECODE, codec, OLD, PATCH, MADE].to_vec(),
            start_ms: 0.0,
        });
        let tools = TOOLS.into_iter().filter_map(|[encode, decode]| {
            let words = |command: &str| command.split(' ').map(OsString::from).collect();
            let name = encode.split(' ').next()?.to_owned();
            if !is_on_path(&name) {
                println!("{name} is not installed");
                return None;
            }
            Some(Self { name, ours: false, encode: words(encode), decode: words(decode), start_ms: 0.0 })
        });
        ours.chain(tools).chain(Self::hdiffpatch(folder)).collect()
    }

    fn hdiffpatch(folder: &Path) -> Option<Self> {
        let name = "hdiffpatch".to_owned();
        // The first time it may compile what it imports.
        let starts = [0, 1].map(|_| Cost::of(&args!["python3", "-c", "import hdiffpatch"], folder));
        let [Ok(_), Ok(start)] = starts else {
            println!("{name} is not installed");
            return None;
        };
        fs::write(folder.join(HDIFF), include_str!("hdiff.py")).expect("a file can be written");
        Some(Self {
            name,
            ours: false,
            encode: args!["python3", HDIFF, "encode", OLD, NEW, PATCH].to_vec(),
            decode: args!["python3", HDIFF, "decode", OLD, PATCH, MADE].to_vec(),
            start_ms: start.cpu_ms,
        })
    }

    /// Runs one of its commands; says why if it fails.
    pub(super) fn run(&self, command: &[OsString], folder: &Path) -> Result<Cost, String> {
        let cost = Cost::of(command, folder)?;
        Ok(Cost { cpu_ms: (cost.cpu_ms - self.start_ms).max(0.0), ..cost })
    }
}
