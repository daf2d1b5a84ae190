//! A site server's folder on a machine with Windows, and what its files may be: all old, or all new.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use qfe_patcher::exit::ExitCode;
use qfe_tests::programs::Run;
use qfe_tests::samples::{Server, workshop};
use qfe_tests::tree;
use qfe_tests::wine::{Bits, Machine, apply_words};

pub(crate) const TARGET: &str = r"C:\Sms";
pub(crate) const CCM: &str = r"C:\Sms\Bin\i386\Ccm.dll";
const FILES: [&str; 3] = ["Baseobj.dll", "Ccm.dll", "Ccmbtldr.exe"];

/// The contents of the product's files by their paths.
type Product = BTreeMap<String, Vec<u8>>;

/// A machine with a site server in `C:\Sms`, and Q252717 for it.
pub(crate) struct Site {
    pub(crate) machine: Machine,
    pub(crate) bundle: PathBuf,
    old: Product,
    new: Product,
}

impl Site {
    /// Furnishes a machine with the folder of a site server of this platform.
    pub(crate) fn new(bits: Bits, platform: &'static str) -> Option<Self> {
        let machine = Machine::start(bits)?;
        tree::copy(Server::new(platform).root(), &machine.disk("Sms"));
        let old = product(&machine);
        let mut new = old.clone();
        for name in FILES {
            let update = workshop().sample("Q252717").join("update").join(platform).join(name);
            new.insert(format!("Bin/{platform}/{name}"), fs::read(update).unwrap());
        }
        Some(Self { machine, bundle: workshop().bundle(), old, new })
    }

    /// Furnishes a machine for each kind of programs with the folder of a site server of i386.
    pub(crate) fn each() -> impl Iterator<Item = Self> {
        Bits::ALL.into_iter().filter_map(|bits| Self::new(bits, "i386"))
    }

    /// Has another container applied.
    pub(crate) fn with_bundle(self, bundle: PathBuf) -> Self {
        Self { bundle, ..self }
    }

    /// Renames a file or folder of the site, as another product spelt it.
    pub(crate) fn respell(&mut self, from: &str, to: &str) {
        fs::rename(self.machine.disk("Sms").join(from), self.machine.disk("Sms").join(to)).unwrap();
        for product in [&mut self.old, &mut self.new] {
            *product = std::mem::take(product)
                .into_iter()
                .map(|(path, bytes)| (path.replacen(from, to, 1), bytes))
                .collect();
        }
    }

    /// Applies the update.
    #[track_caller]
    pub(crate) fn apply(&self, more: &[&str]) -> Run {
        self.apply_to(TARGET, more)
    }

    /// Applies the update to the site by another name of its folder.
    #[track_caller]
    pub(crate) fn apply_to(&self, target: &str, more: &[&str]) -> Run {
        self.machine.patcher(self.apply_words(target, more))
    }

    /// Returns the words of an apply.
    pub(crate) fn apply_words(&self, target: &str, more: &[&str]) -> Vec<std::ffi::OsString> {
        let mut words = apply_words(&self.bundle, target);
        words.extend(more.iter().map(Into::into));
        words
    }

    /// Runs a command of the patcher that takes nothing but the target.
    #[track_caller]
    pub(crate) fn run(&self, command: &str) -> Run {
        self.machine.run(command, TARGET)
    }

    /// Requires that the files are those before the update.
    #[track_caller]
    pub(crate) fn is_old(&self) {
        self.is(&self.old, "old");
    }

    /// Requires that the files are those after it.
    #[track_caller]
    pub(crate) fn is_new(&self) {
        self.is(&self.new, "new");
    }

    #[track_caller]
    fn is(&self, wanted: &Product, word: &str) {
        let found = product(&self.machine);
        let names = |product: &Product| product.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(wanted), "{word}");
        for (path, bytes) in wanted {
            assert!(found[path] == *bytes, "{path} is not {word}");
        }
    }
}

/// Requires of a run this code, also in its JSON, which has the whole number where the exit status is one byte.
#[track_caller]
pub(crate) fn ends(run: Run, code: ExitCode) -> Run {
    let run = run.ends(code);
    assert_eq!(run.json()["code"], code.number(), "{run:?}");
    run
}

/// Waits until something is so, which takes a moment.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "never {what}");
        sleep(Duration::from_millis(20));
    }
}

/// Reads all but what updates leave by contract.
fn product(machine: &Machine) -> Product {
    let tree = tree::read_product(&machine.disk("Sms"));
    tree.into_iter().map(|(path, (bytes, _))| (path, bytes)).collect()
}
