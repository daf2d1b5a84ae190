//! What is given away: the programs with man pages, completions, documents and licences, in archives.
//!
//! Same inputs, same bytes: names are sorted, and times are those of no clock. `cargo package-release` writes it.

use std::fs;
use std::path::Path;

use crate::programs::workspace;
use archive::{File, Files, Kind};

pub mod archive;
pub mod licences;
pub mod manual;

/// Both programs, as packages and as files.
pub const PROGRAMS: [&str; 2] = ["qfe-builder", "qfe-patcher"];
/// The list of digests, in an archive and beside it.
pub const SUMS: &str = "SHA256SUMS";
/// What else of the project's files is for users; they keep their places, so that their links lead somewhere.
const DOCUMENTS: [&str; 12] = [
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "builder/profiles/sms2.toml",
    "docs/field-guide.md",
    "docs/release-guide.md",
    "patcher/DEPENDENCIES.md",
    "patcher/FORMAT.md",
    "patcher/THREATS.md",
    "patcher/TRANSACTION.md",
    "patcher/delta/FORMAT.md",
];

/// A system that programs are made for.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// What the archive is called by.
    pub name: &'static str,
    /// What the compiler calls it.
    pub target: &'static str,
    /// Programs that only some machines of this system need: where they are built, and where they go.
    more: &'static [(&'static str, &'static str)],
}

/// Linux.
pub const LINUX: System = System { name: "linux-x86_64", target: "x86_64-unknown-linux-gnu", more: &[] };
/// Windows; the patcher for Windows 7 is one of 32 bits.
pub const WINDOWS: [System; 2] = [
    System { name: "windows-x86_64", target: "x86_64-pc-windows-gnu", more: &[] },
    System {
        name: "windows-i686",
        target: "i686-pc-windows-gnu",
        more: &[("i686-win7-windows-gnu/qfe-patcher.exe", "windows-7/qfe-patcher.exe")],
    },
];

impl System {
    fn is_windows(&self) -> bool {
        self.target.contains("windows")
    }

    /// Returns the name of the archive, which is also the folder in it.
    pub fn folder(&self) -> String {
        format!("qfe-{}-{}", env!("CARGO_PKG_VERSION"), self.name)
    }

    /// Collects the files of an archive, with the list of their digests. The programs are in `programs`; others for the same
    /// system in the folders beside it.
    pub fn files(&self, programs: &Path) -> Files {
        let mut files = Files::new();
        let mut program = |path: &Path, name: String| {
            let file = File { bytes: read(path), kind: Kind::Program };
            files.insert(name, file);
        };
        for name in PROGRAMS {
            let name = if self.is_windows() { format!("{name}.exe") } else { name.to_owned() };
            program(&programs.join(&name), name);
        }
        for (from, to) in self.more {
            program(&programs.with_file_name("").join(from), (*to).to_owned());
        }
        let mut text = |name: String, bytes: Vec<u8>| {
            files.insert(name, File { bytes, kind: Kind::Text });
        };
        for name in DOCUMENTS {
            text(name.to_owned(), read(&workspace().join(name)));
        }
        for program in manual::programs() {
            for shell in manual::SHELLS {
                let (name, script) = manual::completions(&program, shell);
                text(format!("completions/{name}"), script);
            }
            for (name, page) in manual::pages(&program) {
                text(format!("man/man1/{name}"), page);
            }
        }
        text("LICENSES-OF-OTHERS.txt".to_owned(), licences::third_party(&PROGRAMS, self.target).into_bytes());
        let sums = archive::sums(files.iter().map(|(name, file)| (name.as_str(), file.bytes.as_slice())));
        files.insert(SUMS.to_owned(), File { bytes: sums.into_bytes(), kind: Kind::Text });
        files
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
