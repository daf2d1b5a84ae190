//! The bundle and the key ring that the running program carries, where it is a self-extracting bundle.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::verify;
use crate::bundle::container::program::Program;
use crate::bundle::manifest::Manifest;
use crate::bundle::product::Product;
use crate::name::UpdateId;

/// What the running program carries.
#[derive(Debug)]
pub(super) struct Own {
    path: PathBuf,
    has_ring: bool,
}

impl Own {
    /// Looks behind the running program; none if nothing is there, as behind any program for Linux.
    pub(super) fn find() -> Option<Self> {
        let path = env::current_exe().ok()?;
        let mut file = BufReader::new(File::open(&path).ok()?);
        let program = Program::read(&mut file).ok()?;
        let has_ring = program.ring.is_some();
        (file.seek(SeekFrom::End(0)).ok()? > program.size).then_some(Self { path, has_ring })
    }

    /// Returns what an argument of this name stands for that is required and not given.
    pub(super) fn value(&self, argument: &str) -> Option<OsString> {
        let is_there = argument == "bundle" || argument == "keys" && self.has_ring;
        is_there.then(|| self.path.clone().into_os_string())
    }
}

/// Returns the update that the running program is the bundle of; none if it is no bundle.
pub(super) fn id() -> Option<UpdateId> {
    manifest().map(|manifest| manifest.id.clone())
}

/// Returns the facts of the product that the running program updates, without believing them; the built-in ones if it is
/// no bundle. They tell where to look, and change nothing.
pub(super) fn product() -> Product {
    manifest().map_or_else(Product::built_in, Manifest::facts_of_product)
}

/// Returns the manifest of the running program, read once and not believed; none if it is no bundle.
pub(super) fn manifest() -> Option<&'static Manifest> {
    static MANIFEST: OnceLock<Option<Manifest>> = OnceLock::new();
    let read = || verify::open_file(&Own::find()?.path).ok()?.manifest_unverified().ok();
    MANIFEST.get_or_init(read).as_ref()
}

/// Tells whether a path is that of the running program.
pub(super) fn is_running(path: &Path) -> bool {
    env::current_exe().is_ok_and(|own| own.as_os_str() == path.as_os_str())
}

/// Returns the key ring in the running program, where that is what `path` names.
pub(super) fn ring(path: &Path) -> Option<Vec<u8>> {
    let open = || Program::read(&mut BufReader::new(File::open(path).ok()?)).ok()?.ring;
    if is_running(path) { open() } else { None }
}
