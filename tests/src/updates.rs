//! Updates after any article: small stand-ins of its files, a recipe around them, and machines that they are for.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::args;
use crate::programs::{Run, builder, patcher};
use crate::samples::workshop;

/// The platforms.
pub const PLATFORMS: [&str; 2] = ["i386", "alpha"];

/// Makes an image for a platform that states this version; others with the same version differ by `salt`.
pub fn image(platform: &str, version: &str, salt: &str) -> Vec<u8> {
    /// `VS_FIXEDFILEINFO`'s signature; its two numbers of the file version follow the structure's own.
    const SIGNATURE: [u8; 4] = 0xFEEF_04BD_u32.to_le_bytes();
    let sample = workshop().sample("Q252717").join("baseline").join(platform).join("Ccm.dll");
    let mut bytes = fs::read(sample).expect("the sample is there");
    let found = bytes.windows(4).position(|window| window == SIGNATURE).expect("it states a version");
    let numbers: Vec<u16> = version.split('.').map(|number| number.parse().expect("a number")).collect();
    let [a, b, c, d] = numbers.try_into().expect("a version has four numbers");
    let words = [b, a, d, c].into_iter().flat_map(u16::to_le_bytes);
    for (byte, new) in bytes.iter_mut().skip(found + 8).zip(words) {
        *byte = new;
    }
    bytes.extend_from_slice(salt.as_bytes());
    bytes
}

/// Makes an image state another language: the first of its `Translation`.
#[must_use]
pub fn of_language(mut image: Vec<u8>, language: u16) -> Vec<u8> {
    let key: Vec<u8> = "Translation\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let found = image.windows(key.len()).position(|window| window == key).expect("it states a language");
    // Its block begins on a multiple of four, six bytes before the key, and so does the value behind it.
    let at = found + (6 + key.len()).next_multiple_of(4) - 6;
    image.splice(at..at + 2, language.to_le_bytes());
    image
}

/// An update that is being written: its files and its recipe.
#[derive(Debug)]
pub struct Fix {
    folder: TempDir,
    id: String,
}

impl Fix {
    /// Begins an update for a build; `more` are further lines of its recipe's head.
    pub fn new(id: &str, build: u16, more: &str) -> Self {
        let fix = Self { folder: TempDir::new().expect("a temporary folder can be made"), id: id.to_owned() };
        for platform in PLATFORMS {
            for tree in ["update", "baseline"] {
                fs::create_dir_all(fix.path(tree).join(platform)).expect("a folder can be made");
            }
        }
        let head = format!(
            "id = '{id}'\ntitle = 'A fix after article {id}'\nproduct = 'Systems Management Server 2.0'\n\
             builds = [{build}]\n{more}\n[payload]\ni386 = 'update/i386'\nalpha = 'update/alpha'\n\
             [[baseline]]\nname = 'old'\ni386 = 'baseline/i386'\nalpha = 'baseline/alpha'\n"
        );
        fix.write(&head);
        fix
    }

    /// Returns a path beside the recipe.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns its recipe.
    pub fn recipe(&self) -> PathBuf {
        self.path("update.toml")
    }

    fn write(&self, lines: &str) {
        let before = fs::read_to_string(self.recipe()).unwrap_or_default();
        fs::write(self.recipe(), before + lines).expect("a file can be written");
    }

    /// Makes it an update of another product, after that product's profile.
    #[must_use]
    pub fn of_product(self, product: &str, profile: &str) -> Self {
        fs::write(self.path("profile.toml"), profile).expect("a file can be written");
        let recipe = fs::read_to_string(self.recipe()).expect("it was written");
        let other = format!("'{product}'\nprofile = 'profile.toml'");
        let recipe = recipe.replace("'Systems Management Server 2.0'", &other);
        fs::write(self.recipe(), recipe).expect("a file can be written");
        self
    }

    /// Adds lines to the recipe.
    #[must_use]
    pub fn with(self, lines: &str) -> Self {
        self.write(lines);
        self
    }

    /// Adds an image for both platforms, from a version to a version; `more` are further lines of its rule.
    #[must_use]
    pub fn image(self, name: &str, old: &str, new: &str, more: &str) -> Self {
        for platform in PLATFORMS {
            for (tree, version) in [("baseline", old), ("update", new)] {
                let path = self.path(tree).join(platform).join(name);
                fs::write(path, image(platform, version, name)).expect("a file can be written");
            }
        }
        self.with(&format!("[[file]]\nname = '{name}'\nversion = '{new}'\n{more}\n"))
    }

    /// Adds a file without a version.
    #[must_use]
    pub fn text(self, name: &str, old: &str, new: &str, more: &str) -> Self {
        for platform in PLATFORMS {
            for (tree, text) in [("baseline", old), ("update", new)] {
                let path = self.path(tree).join(platform).join(name);
                fs::write(path, text).expect("a file can be written");
            }
        }
        self.with(&format!("[[file]]\nname = '{name}'\n{more}\n"))
    }

    /// Builds the bundle.
    pub fn build(&self) -> PathBuf {
        let output = self.path(&format!("{}.zip", self.id));
        self.build_as(&output, &[]).succeeds();
        output
    }

    /// Builds a bundle with these further arguments.
    pub fn build_as(&self, output: &Path, more: &[&str]) -> Run {
        let key = workshop().path("vendor.key");
        let args = args!["build", self.recipe(), "--key", key, "--output", output];
        builder(args.into_iter().chain(more.iter().map(OsString::from)))
    }

    /// Returns a file of one of its trees: `baseline` or `update`.
    pub fn file(&self, tree: &str, platform: &str, name: &str) -> Vec<u8> {
        fs::read(self.path(tree).join(platform).join(name)).expect("the file is there")
    }
}

/// A machine: a folder with files of the product, and a registry export.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    registry: PathBuf,
}

impl Site {
    /// Makes a machine without files; `values` are lines of the key in which the product states what it is.
    pub fn new(values: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        fs::create_dir_all(folder.path().join("sms/LOGS")).expect("a folder can be made");
        let site = Self { registry: folder.path().join("setup.reg"), folder };
        site.state(values);
        site
    }

    /// Makes a primary site of Service Pack 1.
    pub fn primary() -> Self {
        Self::new("\"Full Version\"=\"2.00.1380.1000\"\r\n\"Type\"=dword:00000001\r\n")
    }

    /// Has the registry state this, as an administrator exports it: UTF-16.
    pub fn state(&self, values: &str) {
        let text = format!(
            "\u{feff}Windows Registry Editor Version 5.00\r\n\r\n\
             [HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SMS\\Setup]\r\n{values}\r\n"
        );
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        fs::write(&self.registry, bytes).expect("a file can be written");
    }

    /// Returns the product's folder.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("sms")
    }

    /// Returns a path below the product's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Returns the registry export.
    pub fn registry(&self) -> &Path {
        &self.registry
    }

    /// Puts a file there, with the folders above it.
    #[must_use]
    pub fn with(self, path: &str, bytes: &[u8]) -> Self {
        self.put(path, bytes);
        self
    }

    /// Puts a file there, with the folders above it.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("it is below the root")).expect("a folder can be made");
        fs::write(path, bytes).expect("a file can be written");
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Applies a bundle in a role, its conditions held against the registry; services are the admin's.
    pub fn apply(&self, bundle: &Path, role: &str, more: &[&str]) -> Run {
        let args = args![
            "apply",
            bundle,
            "--role",
            role,
            "--target",
            self.root(),
            "--keys",
            workshop().public_key(),
            "--registry",
            self.registry(),
            "--services",
            "manual",
            "--json"
        ];
        patcher(args.into_iter().chain(more.iter().map(OsString::from)))
    }

    /// Runs another command on the target.
    pub fn run(&self, command: &str, more: &[&str]) -> Run {
        let args = args![command, "--target", self.root(), "--json"];
        patcher(args.into_iter().chain(more.iter().map(OsString::from)))
    }

    /// Runs the doctor.
    pub fn doctor(&self, more: &[&str]) -> Run {
        let registry = self.registry.to_str().expect("temporary folders have plain names");
        self.run("doctor", &[&["--registry", registry], more].concat())
    }
}
