//! A zip archive, or a folder inside one, as it was shipped.
//!
//! Unlike a bundle it was made by any tool of its time: folder entries and `\` between components are taken.

use std::fs::File;
use std::path::Path;

use ::zip::ZipArchive;
use ::zip::result::ZipError;

use super::{MAX_FILES, SourceError, read_limited};

/// An opened archive.
#[derive(Debug)]
pub(super) struct Zip {
    archive: ZipArchive<File>,
    /// Position in the archive of each listed file.
    indices: Vec<usize>,
}

/// Lists the folder `inner` of an archive and returns the names of its files below it.
pub(super) fn open(path: &Path, inner: &Path) -> Result<(Zip, Vec<String>), SourceError> {
    let shown = path.display().to_string();
    let zip = |error| fault(&shown, error);
    let file = File::open(path).map_err(|source| SourceError::Read { path: shown.clone(), source })?;
    let mut archive = ZipArchive::new(file).map_err(zip)?;
    if archive.has_duplicate_names() {
        let source = "one name stands there twice".into();
        return Err(SourceError::Zip { path: shown, source });
    }
    if archive.len() > MAX_FILES {
        return Err(SourceError::TooMany { path: shown, what: "files", limit: MAX_FILES });
    }
    let folder: String =
        inner.components().map(|component| format!("{}/", component.as_os_str().to_string_lossy())).collect();
    let mut indices = Vec::new();
    let mut names = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(zip)?;
        let name = entry.name().map_err(zip)?.replace('\\', "/");
        let Some(name) = below(&name, &folder) else { continue };
        if entry.is_dir() || name.is_empty() || name.ends_with('/') {
            continue;
        }
        let path = || format!("{shown}/{folder}{name}");
        if entry.encrypted() {
            return Err(SourceError::NotPlain { path: path(), found: "encrypted" });
        }
        if !entry.is_file() {
            return Err(SourceError::NotPlain { path: path(), found: "a link" });
        }
        indices.push(index);
        names.push(name.to_owned());
    }
    if names.is_empty() && !folder.is_empty() {
        let folder = folder.trim_end_matches('/').to_owned();
        return Err(SourceError::NoFolder { path: shown, folder });
    }
    Ok((Zip { archive, indices }, names))
}

/// Returns the rest of `name` below `folder`, ignoring case.
fn below<'a>(name: &'a str, folder: &str) -> Option<&'a str> {
    let start = name.get(..folder.len())?;
    if start.eq_ignore_ascii_case(folder) { name.get(folder.len()..) } else { None }
}

impl Zip {
    /// Reads the file at `index` of the list.
    pub(super) fn read(&mut self, index: usize, shown: &str) -> Result<Vec<u8>, SourceError> {
        let index = self.indices.get(index).ok_or_else(|| SourceError::Absent { path: shown.to_owned() })?;
        let entry = self.archive.by_index(*index).map_err(|error| fault(shown, error))?;
        read_limited(entry, shown)
    }
}

fn fault(shown: &str, error: ZipError) -> SourceError {
    SourceError::Zip { path: shown.to_owned(), source: error.into() }
}
