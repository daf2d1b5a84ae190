//! Where payloads and baselines are read from: folders, and archives as they were shipped: zips, cabinets, and programs that
//! carry one of these.
//!
//! A [`Tree`] is a set of uniquely named files. Names are matched ignoring case, as the servers do, so a tree in
//! which two names differ by case only is refused. Files are read when they are asked for: a baseline may be a
//! whole server folder of which a few files matter.
//!
//! Not its business: what the files are.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use qfe_patcher::target_path::{TargetPath, UnsafePath};

mod archive;
mod cab;
mod error;
mod folder;
mod program;
mod zip;

pub use error::SourceError;

/// Most files a tree may have: a wrong path, such as `/`, ends here.
const MAX_FILES: usize = 20_000;

/// A set of files, by names that are unique ignoring case.
#[derive(Debug)]
pub struct Tree {
    origin: PathBuf,
    backend: Backend,
    /// By folded name: the name as it is spelled, and its position in the backend.
    files: BTreeMap<String, (TargetPath, usize)>,
    strays: Vec<UnsafePath>,
}

#[derive(Debug)]
enum Backend {
    Folder(folder::Folder),
    Archive(archive::Archive),
}

impl Tree {
    /// Lists the tree at `path`: a folder, an archive, a folder inside one (`update.zip/i386`), or the same of an archive
    /// inside another (`update.zip/Q252717.exe/i386`).
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let (container, inner) = locate(path)?;
        let (backend, names) = match inner {
            None => folder::open(&container).map(|(folder, names)| (Backend::Folder(folder), names)),
            Some(inner) => {
                archive::open(&container, &inner).map(|(archive, names)| (Backend::Archive(archive), names))
            }
        }?;
        let mut tree = Self { origin: path.to_owned(), backend, files: BTreeMap::new(), strays: Vec::new() };
        for (index, name) in names.into_iter().enumerate() {
            let name = match name.parse::<TargetPath>() {
                Ok(name) => name,
                Err(stray) => {
                    tree.strays.push(stray);
                    continue;
                }
            };
            if let Some((first, _)) = tree.files.insert(name.folded(), (name.clone(), index)) {
                let (first, second) = (first.to_string(), name.to_string());
                return Err(SourceError::Duplicate { path: path.display().to_string(), first, second });
            }
        }
        Ok(tree)
    }

    /// Returns the names, sorted ignoring case.
    pub fn names(&self) -> impl Iterator<Item = &TargetPath> {
        self.files.values().map(|(name, _)| name)
    }

    /// Returns what cannot be the name of a file in a bundle.
    pub fn strays(&self) -> &[UnsafePath] {
        &self.strays
    }

    /// Tells whether there is a file of this name, ignoring case.
    pub fn contains(&self, name: &TargetPath) -> bool {
        self.files.contains_key(&name.folded())
    }

    /// Returns the path of a file for messages.
    pub fn shown(&self, name: &TargetPath) -> String {
        let spelled = self.files.get(&name.folded()).map_or(name, |(spelled, _)| spelled);
        format!("{}/{spelled}", self.origin.display())
    }

    /// Reads the file of this name, ignoring case; none if there is none.
    pub fn read(&mut self, name: &TargetPath) -> Result<Option<Vec<u8>>, SourceError> {
        let shown = self.shown(name);
        let Some((_, index)) = self.files.get(&name.folded()) else { return Ok(None) };
        match &mut self.backend {
            Backend::Folder(folder) => folder.read(*index, &shown),
            Backend::Archive(archive) => archive.read(*index, &shown),
        }
        .map(Some)
    }
}

/// Splits a path into what is there, and the folder inside it if what is there is an archive.
fn locate(path: &Path) -> Result<(PathBuf, Option<PathBuf>), SourceError> {
    let shown = path.display().to_string();
    // A separator at the end would ask for a folder of what may be a file.
    let path = &path.components().collect::<PathBuf>();
    for start in path.ancestors().filter(|start| !start.as_os_str().is_empty()) {
        let metadata = match fs::metadata(start) {
            Ok(metadata) => metadata,
            // Below a file the system says either.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                continue;
            }
            Err(source) => return Err(SourceError::Read { path: start.display().to_string(), source }),
        };
        let inner = path.strip_prefix(start).unwrap_or(Path::new("")).to_owned();
        if metadata.is_file() {
            return Ok((start.to_owned(), Some(inner)));
        }
        return if start == path {
            Ok((path.to_owned(), None))
        } else {
            Err(SourceError::Absent { path: shown })
        };
    }
    Err(SourceError::Absent { path: shown })
}

/// Reads a stream to its end; refuses more than `limit` bytes.
fn read_limited(stream: impl Read, limit: u64, path: &str) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    let read = stream.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|source| SourceError::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > limit {
        return Err(SourceError::TooLarge { path: path.to_owned(), limit, with: "" });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
