//! A folder on disk, with its folders.

use std::fs;
use std::path::{Path, PathBuf};

use qfe_patcher::bundle::manifest::MAX_MEMBER;

use super::{MAX_FILES, SourceError, read_limited};

/// Deepest nesting of folders.
const MAX_DEPTH: usize = 16;

/// A listed folder.
#[derive(Debug)]
pub(super) struct Folder {
    paths: Vec<PathBuf>,
}

/// Lists a folder and returns the names of its files, with `/` between components.
pub(super) fn open(root: &Path) -> Result<(Folder, Vec<String>), SourceError> {
    let mut folder = Folder { paths: Vec::new() };
    let mut names = Vec::new();
    list(root, "", 0, &mut folder.paths, &mut names)?;
    Ok((folder, names))
}

fn list(
    folder: &Path,
    prefix: &str,
    depth: usize,
    paths: &mut Vec<PathBuf>,
    names: &mut Vec<String>,
) -> Result<(), SourceError> {
    let shown = || folder.display().to_string();
    let read = |source| SourceError::Read { path: folder.display().to_string(), source };
    if depth > MAX_DEPTH {
        return Err(SourceError::TooMany { path: shown(), what: "folders in each other", limit: MAX_DEPTH });
    }
    let mut entries = fs::read_dir(folder).map_err(read)?.collect::<Result<Vec<_>, _>>().map_err(read)?;
    // The order of a directory is the file system's own.
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(read)?;
        // A name that is no Unicode is refused later, with the others that no bundle can carry.
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if kind.is_dir() {
            list(&entry.path(), &format!("{name}/"), depth + 1, paths, names)?;
        } else if kind.is_file() {
            paths.push(entry.path());
            names.push(name);
        } else {
            let found = if kind.is_symlink() { "a link" } else { "no file" };
            return Err(SourceError::NotPlain { path: entry.path().display().to_string(), found });
        }
        if paths.len() > MAX_FILES {
            return Err(SourceError::TooMany { path: shown(), what: "files", limit: MAX_FILES });
        }
    }
    Ok(())
}

impl Folder {
    /// Reads the file at `index`.
    pub(super) fn read(&self, index: usize, shown: &str) -> Result<Vec<u8>, SourceError> {
        let path = self.paths.get(index).ok_or_else(|| SourceError::Absent { path: shown.to_owned() })?;
        let file =
            fs::File::open(path).map_err(|source| SourceError::Read { path: shown.to_owned(), source })?;
        read_limited(file, MAX_MEMBER, shown)
    }
}
