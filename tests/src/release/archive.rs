//! The archives, and the list of their digests.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use qfe_patcher::digest::Digest;
use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, System, ZipWriter};

/// The files of an archive by their paths.
pub type Files = BTreeMap<String, File>;

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Whether it can be run.
    pub kind: Kind,
}

/// Whether a file can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A program, which everybody may run.
    Program,
    /// A text.
    Text,
}

/// Packs files into a zip, all of them below one folder. It is a zip on Linux, too: `unzip` gives programs their mode.
pub fn zip(folder: &str, files: &Files) -> ZipResult<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, file) in files {
        let mode = match file.kind {
            Kind::Program => 0o755,
            Kind::Text => 0o644,
        };
        // The time is 1980-01-01 by default.
        let options = SimpleFileOptions::DEFAULT
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .system(System::Unix)
            .unix_permissions(mode);
        archive.start_file(format!("{folder}/{path}"), options)?;
        archive.write_all(&file.bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// Lists files with their digests, as `sha256sum --check` reads it.
pub fn sums<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
    files.into_iter().map(|(name, bytes)| format!("{}  {name}\n", Digest::of(bytes))).collect()
}
