//! The sample updates as a release engineer and a field admin meet them: keys, bundles, servers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use qfe_patcher::bundle::keyring::KeyRing;
use qfe_patcher::bundle::{Bundle, VerifiedBundle};
use qfe_patcher::day::Day;
use tempfile::TempDir;

use crate::args;
use crate::programs::{Run, builder, patcher};
use crate::tree;

/// A workshop with the generated samples, two keys, and the Q252717 bundle in both containers.
#[derive(Debug)]
pub struct Workshop {
    folder: TempDir,
    /// Removes the folder when this process is gone: a static is never dropped.
    #[cfg(unix)]
    _cleaner: std::process::Child,
}

/// Returns the workshop of this process, made when it is first asked for.
pub fn workshop() -> &'static Workshop {
    static WORKSHOP: OnceLock<Workshop> = OnceLock::new();
    WORKSHOP.get_or_init(Workshop::new)
}

impl Workshop {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let workshop = Self {
            #[cfg(unix)]
            _cleaner: cleaner(folder.path()),
            folder,
        };
        qfe_payloads::generate(&workshop.path("samples"), &["Q252717", "Q249077"], |_| {})
            .expect("samples can be written");
        for key in ["vendor", "second", "stranger"] {
            workshop.make_key(key);
        }
        for ending in ["zip", "cab"] {
            workshop.build("Q252717", &workshop.path(&format!("Q252717.{ending}")), &[]).succeeds();
        }
        workshop
    }

    /// Returns a path in the workshop.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the folder of a sample: recipe, `update`, `baseline`.
    pub fn sample(&self, id: &str) -> PathBuf {
        self.path("samples").join(id)
    }

    /// Returns the vendor's public key.
    pub fn public_key(&self) -> PathBuf {
        self.path("vendor.pub")
    }

    /// Returns the Q252717 bundle as a zip.
    pub fn bundle(&self) -> PathBuf {
        self.path("Q252717.zip")
    }

    fn make_key(&self, name: &str) {
        let (secret, public) = (self.path(&format!("{name}.key")), self.path(&format!("{name}.pub")));
        builder(args!["keygen", "--secret", secret, "--public", public, "--no-password"]).succeeds();
    }

    /// Builds a sample with the vendor's key and these further arguments.
    pub fn build(&self, id: &str, output: &Path, more: &[&str]) -> Run {
        let recipe = self.sample(id).join("update.toml");
        let mut args = args!["build", recipe, "--key", self.path("vendor.key"), "--output", output].to_vec();
        args.extend(more.iter().map(Into::into));
        builder(args)
    }
}

/// Starts a process that removes a folder once this one has ended, however it ends: then its input does.
#[cfg(unix)]
fn cleaner(folder: &Path) -> std::process::Child {
    use std::process::{Command, Stdio};
    Command::new("sh")
        .args(["-c", "trap '' INT TERM HUP; read -r _; rm -rf -- \"$0\""])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell can be started")
}

/// Returns the arguments of an apply of `bundle` to the site server in `target`, with the vendor's key.
pub fn apply_args(bundle: &Path, target: &Path) -> Vec<OsString> {
    args![
        "apply",
        bundle,
        "--role",
        "site-server",
        "--target",
        target,
        "--keys",
        workshop().public_key(),
        "--services",
        "none",
        "--assume-build",
        "1380",
        "--json"
    ]
    .to_vec()
}

/// A folder that looks like an SMS site server of one platform.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    platform: &'static str,
}

impl Server {
    /// Makes a site server with the baseline's files of a sample, and others beside them.
    pub fn new(platform: &'static str) -> Self {
        let server = Self { folder: TempDir::new().expect("a temporary folder can be made"), platform };
        server.furnish(workshop());
        server
    }

    fn furnish(&self, workshop: &Workshop) {
        let bin = self.bin();
        fs::create_dir_all(&bin).expect("a folder can be made");
        for id in ["Q252717", "Q249077"] {
            tree::copy(&workshop.sample(id).join("baseline").join(self.platform), &bin);
        }
        fs::create_dir_all(self.path("LOGS")).expect("a folder can be made");
        fs::write(self.path("LOGS/sms.log"), "a log of the product\n").expect("a file can be written");
        fs::write(bin.join("Hman.dll"), "a file that no update knows").expect("a file can be written");
    }

    /// Returns the server's folder.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Returns a path below the server's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the folder of its programs.
    pub fn bin(&self) -> PathBuf {
        self.folder.path().join("Bin").join(self.platform)
    }

    /// Returns the arguments of an apply of `bundle` to this server.
    pub fn apply_args(&self, bundle: &Path) -> Vec<OsString> {
        apply_args(bundle, self.root())
    }

    /// Applies a bundle.
    pub fn apply(&self, bundle: &Path) -> Run {
        patcher(self.apply_args(bundle))
    }

    /// Runs a command of the patcher that takes nothing but the target.
    pub fn run(&self, command: &str) -> Run {
        patcher(args![command, "--target", self.root(), "--json"])
    }
}

/// A small update of text files for both platforms.
///
/// Small enough to try every byte of its bundle and every effect of its runs.
#[derive(Debug)]
pub struct Tiny {
    /// The bundle as a zip.
    pub bundle: PathBuf,
    /// The bundle as a cabinet.
    pub cabinet: PathBuf,
    /// Old contents by name.
    pub old: Files,
    /// New contents by name.
    pub new: Files,
}

/// Contents of files by name.
pub type Files = BTreeMap<&'static str, Vec<u8>>;

/// Returns an update of three small files, T1: `One.ini` and `Two.ini` have old states, `New.ini` is added.
pub fn tiny() -> &'static Tiny {
    static TINY: OnceLock<Tiny> = OnceLock::new();
    TINY.get_or_init(|| {
        Tiny::build(
            "T1",
            "",
            texts(&[("One.ini", "old"), ("Two.ini", "old")]),
            texts(&[("One.ini", "new"), ("Two.ini", "new"), ("New.ini", "new")]),
        )
    })
}

/// Returns T2, which supersedes T1: it replaces `One.ini` and `New.ini` as T1 left them, and adds `Last.ini`.
pub fn tiny_successor() -> &'static Tiny {
    static TINY: OnceLock<Tiny> = OnceLock::new();
    TINY.get_or_init(|| {
        Tiny::build(
            "T2",
            "supersedes = ['T1']",
            texts(&[("One.ini", "new"), ("New.ini", "new")]),
            texts(&[("One.ini", "newest"), ("New.ini", "newest"), ("Last.ini", "newest")]),
        )
    })
}

fn texts(ages: &[(&'static str, &str)]) -> Files {
    ages.iter().map(|(name, age)| (*name, format!("[{name}]\nage={age}\n").repeat(8).into_bytes())).collect()
}

impl Tiny {
    fn build(id: &str, more: &str, old: Files, new: Files) -> Self {
        let workshop = workshop();
        let folder = workshop.sample(id);
        for platform in ["i386", "alpha"] {
            for (tree, files) in [("baseline", &old), ("update", &new)] {
                let folder = folder.join(tree).join(platform);
                fs::create_dir_all(&folder).expect("a folder can be made");
                for (name, bytes) in files {
                    fs::write(folder.join(name), bytes).expect("a file can be written");
                }
            }
        }
        let rule = |name: &&str| {
            let register = *name == "Two.ini";
            format!("[[file]]\nname = '{name}'\nregister = {register}\n")
        };
        let rules: String = new.keys().map(rule).collect();
        let recipe = format!(
            "id = '{id}'\ntitle = 'Small files'\nrevision = 1\n{more}\n\
             product = 'Systems Management Server 2.0'\nbuilds = [1380]\n\
             [payload]\ni386 = 'update/i386'\nalpha = 'update/alpha'\n\
             [[baseline]]\nname = 'old'\ni386 = 'baseline/i386'\nalpha = 'baseline/alpha'\n{rules}"
        );
        fs::write(folder.join("update.toml"), recipe).expect("a file can be written");
        let bundle = workshop.path(&format!("{id}.zip"));
        let cabinet = workshop.path(&format!("{id}.cab"));
        workshop.build(id, &bundle, &[]).succeeds();
        workshop.build(id, &cabinet, &[]).succeeds();
        Self { bundle, cabinet, old, new }
    }

    /// Opens the bundle and believes it by the vendor's key.
    pub fn open(&self) -> VerifiedBundle {
        let bytes = fs::read(&self.bundle).expect("the bundle is there");
        Bundle::open(Cursor::new(bytes))
            .and_then(|bundle| bundle.verify(key_ring(), Day::of(std::time::SystemTime::now())))
            .expect("the bundle is good")
    }
}

/// Returns the key ring with the vendor's key.
fn key_ring() -> KeyRing {
    let key = fs::read_to_string(workshop().public_key()).expect("the key is there");
    KeyRing::new([("vendor.pub", key.as_str())], None).expect("it is a key")
}
