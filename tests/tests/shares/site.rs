//! A site server's folder on a share, and what its files may be: all old, or all new.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use qfe_tests::programs::Run;
use qfe_tests::samples::{Server, apply_args, tiny, workshop};
use qfe_tests::share::{Machine, Share, until};
use qfe_tests::tree;

pub(crate) const PLATFORMS: [&str; 2] = ["i386", "alpha"];

/// The contents of the product's files by their paths, as the server spells them.
pub(crate) type Product = BTreeMap<String, Vec<u8>>;

/// A share with a site server's folder, and an update of it.
///
/// The server spells the names in its own way: `BIN/I386/CCM.DLL`.
pub(crate) struct Site {
    pub(crate) share: Share,
    pub(crate) bundle: PathBuf,
    /// The files before the update.
    pub(crate) old: Product,
    /// The files after it.
    pub(crate) new: Product,
}

impl Site {
    /// Furnishes the share for the update of three small text files.
    pub(crate) fn tiny(share: Share, platform: &str) -> Self {
        let bin = share.disk().join("BIN").join(platform.to_ascii_uppercase());
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir(share.disk().join("Logs")).unwrap();
        for (name, bytes) in &tiny().old {
            fs::write(bin.join(name.to_ascii_uppercase()), bytes).unwrap();
        }
        let update = tiny().new.iter().map(|(name, bytes)| (*name, bytes.clone()));
        Self::of(share, platform, tiny().bundle.clone(), update)
    }

    /// Furnishes the share for Q252717, whose files have their real sizes.
    pub(crate) fn sample(share: Share, platform: &'static str) -> Self {
        let disk = share.disk();
        tree::copy(Server::new(platform).root(), &disk);
        for (from, to) in [
            (format!("Bin/{platform}/Ccm.dll"), format!("Bin/{platform}/CCM.DLL")),
            (format!("Bin/{platform}"), format!("Bin/{}", platform.to_ascii_uppercase())),
            ("Bin".to_owned(), "BIN".to_owned()),
            ("LOGS".to_owned(), "Logs".to_owned()),
        ] {
            fs::rename(disk.join(from), disk.join(to)).unwrap();
        }
        let update = workshop().sample("Q252717").join("update").join(platform);
        let update = ["Baseobj.dll", "Ccm.dll", "Ccmbtldr.exe"]
            .map(|name| (name, fs::read(update.join(name)).unwrap()));
        Self::of(share, platform, workshop().bundle(), update)
    }

    fn of<'n>(
        share: Share,
        platform: &str,
        bundle: PathBuf,
        update: impl IntoIterator<Item = (&'n str, Vec<u8>)>,
    ) -> Self {
        let old = product(&share.disk()).unwrap();
        let mut new = old.clone();
        for (name, bytes) in update {
            let path = format!("BIN/{}/{name}", platform.to_ascii_uppercase());
            let known = old.keys().find(|known| known.eq_ignore_ascii_case(&path)).cloned();
            new.insert(known.unwrap_or(path), bytes);
        }
        Self { share, bundle, old, new }
    }

    /// Starts the machine of a field admin.
    pub(crate) fn machine(&self) -> Machine<'_> {
        self.share.machine("ADMIN1")
    }

    /// Returns the arguments of an apply on a machine.
    pub(crate) fn apply_args(&self, machine: &Machine<'_>) -> Vec<OsString> {
        apply_args(&self.bundle, &machine.mount())
    }

    /// Applies the update on a machine.
    #[track_caller]
    pub(crate) fn apply(&self, machine: &Machine<'_>) -> Run {
        machine.patcher(self.apply_args(machine))
    }

    /// Requires that the server has one of these states.
    ///
    /// A mount may close files a little after the program that had them open has ended.
    #[track_caller]
    pub(crate) fn is(&self, allowed: &[&Product], story: &str) {
        let disk = self.share.disk();
        let is_so = || product(&disk).is_ok_and(|found| allowed.contains(&&found));
        assert!(until(Duration::from_secs(5), is_so), "{story}: {}", self.describe());
    }

    /// Tells of each file on the server what it is.
    fn describe(&self) -> String {
        let found = match product(&self.share.disk()) {
            Ok(found) => found,
            Err(error) => return error.to_string(),
        };
        let mut words = BTreeMap::new();
        for (path, bytes) in &found {
            words.insert(path, "neither old nor new");
            for (product, word) in [(&self.old, "old"), (&self.new, "new")] {
                if product.get(path) == Some(bytes) {
                    words.insert(path, word);
                }
            }
        }
        for path in self.old.keys().filter(|path| !found.contains_key(*path)) {
            words.insert(path, "missing");
        }
        format!("{words:?}")
    }

    /// Recovers: then all is old or all is new, and a second recovery finds nothing to do.
    #[track_caller]
    pub(crate) fn comes_to_rest(&self, machine: &Machine<'_>, story: &str) {
        let recovered = machine.run("recover");
        assert_eq!(recovered.status, 0, "{story}: {recovered:?}");
        self.is(&[&self.old, &self.new], story);
        let again = machine.run("recover").succeeds().json();
        assert_eq!(again["outcome"], "already-current", "{story}");
        self.is(&[&self.old, &self.new], story);
    }
}

/// Reads all but what updates leave by contract.
pub(crate) fn product(disk: &Path) -> io::Result<Product> {
    let mut product = Product::new();
    collect(disk, "", &mut product)?;
    product.retain(|path, _| !path.starts_with("$NtUninstall") && !path.starts_with("Logs/"));
    Ok(product)
}

fn collect(folder: &Path, prefix: &str, product: &mut Product) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), product)?;
        } else {
            product.insert(path, fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// Requires that a run ended as refused or failed, and said so.
#[track_caller]
pub(crate) fn claims_no_success(run: &Run, story: &str) {
    assert_ne!(run.status, 0, "{story}: {run:?}");
    let outcome = &run.json()["outcome"];
    assert!(*outcome == "refused" || *outcome == "failed", "{story}: {run:?}");
}
