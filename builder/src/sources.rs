//! Where payloads and baselines are read from: folders, and folders inside zip archives.
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

use qfe_patcher::bundle::manifest::MAX_MEMBER;
use qfe_patcher::target_path::{TargetPath, UnsafePath};

mod folder;
mod zip;

/// Most files a tree may have: a wrong path, such as `/`, ends here.
const MAX_FILES: usize = 20_000;

/// Why a tree or a file of it cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Reading failed.
    #[error("{path} cannot be read")]
    Read {
        /// What was read.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing of this name.
    #[error("{path} does not exist")]
    Absent {
        /// The name.
        path: String,
    },
    /// The archive has no such folder.
    #[error("{path} holds no folder {folder}")]
    NoFolder {
        /// The archive.
        path: String,
        /// The folder.
        folder: String,
    },
    /// A kind of archive that this version does not read.
    #[error("{path} is a {kind}, which this version does not read: a folder or a zip is wanted")]
    NotYet {
        /// The file.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// No kind of archive.
    #[error("{path} starts with {found:02x?}: a folder or a zip (PK) is wanted")]
    UnknownKind {
        /// The file.
        path: String,
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// The zip is damaged or of an unknown kind.
    #[error("{path} cannot be read as a zip")]
    Zip {
        /// The archive, or the file in it.
        path: String,
        /// What the reader said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A link, device or encrypted entry.
    #[error("{path} is {found}: plain files and folders are wanted")]
    NotPlain {
        /// The entry.
        path: String,
        /// What it is.
        found: &'static str,
    },
    /// Two names that differ by case only.
    #[error("{path}: {first} and {second} have one name, ignoring case")]
    Duplicate {
        /// The tree.
        path: String,
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// More files or deeper folders than any payload has.
    #[error("{path} holds more than {limit} {what}")]
    TooMany {
        /// The tree.
        path: String,
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// A file is larger than a member of a bundle may be.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: String,
        /// How many bytes are allowed.
        limit: u64,
    },
}

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
    Zip(zip::Zip),
}

impl Tree {
    /// Lists the tree at `path`: a folder, a zip archive, or a folder inside one (`update.zip/i386`).
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let (container, inner) = locate(path)?;
        let (backend, names) = match inner {
            None => folder::open(&container).map(|(folder, names)| (Backend::Folder(folder), names)),
            Some(inner) => zip::open(&container, &inner).map(|(zip, names)| (Backend::Zip(zip), names)),
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
            Backend::Zip(zip) => zip.read(*index, &shown),
        }
        .map(Some)
    }
}

/// Splits a path into what is there, and the folder inside it if what is there is an archive.
fn locate(path: &Path) -> Result<(PathBuf, Option<PathBuf>), SourceError> {
    let shown = path.display().to_string();
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
            require_zip(start)?;
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

/// Recognises a zip by its first bytes.
fn require_zip(path: &Path) -> Result<(), SourceError> {
    let shown = path.display().to_string();
    let read = |source| SourceError::Read { path: shown.clone(), source };
    let mut found = Vec::new();
    fs::File::open(path).map_err(read)?.take(4).read_to_end(&mut found).map_err(read)?;
    match found.as_slice() {
        [b'P', b'K', ..] => Ok(()),
        b"MSCF" => Err(SourceError::NotYet { path: shown, kind: "cabinet" }),
        [b'M', b'Z', ..] => {
            Err(SourceError::NotYet { path: shown, kind: "program or self-extracting archive" })
        }
        _ => Err(SourceError::UnknownKind { path: shown, found }),
    }
}

/// Reads a stream to its end; refuses more than a member of a bundle may have.
fn read_limited(stream: impl Read, path: &str) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    let read = stream.take(MAX_MEMBER + 1).read_to_end(&mut bytes);
    read.map_err(|source| SourceError::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > MAX_MEMBER {
        return Err(SourceError::TooLarge { path: path.to_owned(), limit: MAX_MEMBER });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use ::zip::ZipWriter;
    use ::zip::write::SimpleFileOptions;

    use super::*;

    fn archive(names: &[&str]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            if name.ends_with('/') {
                zip.add_directory(*name, SimpleFileOptions::default()).unwrap();
            } else {
                zip.start_file(*name, SimpleFileOptions::default()).unwrap();
                zip.write_all(name.as_bytes()).unwrap();
            }
        }
        zip.finish().unwrap().into_inner()
    }

    fn names(tree: &Tree) -> Vec<&str> {
        tree.names().map(TargetPath::as_str).collect()
    }

    fn name(text: &str) -> TargetPath {
        text.parse().unwrap()
    }

    #[test]
    fn a_folder_is_a_tree_and_case_has_no_meaning() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("Sub")).unwrap();
        fs::write(temp.path().join("CCM.DLL"), b"ccm").unwrap();
        fs::write(temp.path().join("Sub/x.ini"), b"x").unwrap();
        let mut tree = Tree::open(temp.path()).unwrap();
        assert_eq!(names(&tree), ["CCM.DLL", "Sub/x.ini"]);
        assert_eq!(tree.read(&name("Ccm.dll")).unwrap().unwrap(), b"ccm");
        assert_eq!(tree.read(&name("sub/X.INI")).unwrap().unwrap(), b"x");
        assert_eq!(tree.read(&name("absent")).unwrap(), None);
        assert!(tree.shown(&name("ccm.dll")).ends_with("/CCM.DLL"));
    }

    #[test]
    fn a_folder_inside_a_zip_is_found_ignoring_case() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("update.zip");
        fs::write(&path, archive(&["I386/", "I386/Ccm.dll", "Alpha/Ccm.dll", "read.me"])).unwrap();
        assert_eq!(names(&Tree::open(&path).unwrap()), ["Alpha/Ccm.dll", "I386/Ccm.dll", "read.me"]);
        let mut tree = Tree::open(&path.join("i386")).unwrap();
        assert_eq!(names(&tree), ["Ccm.dll"]);
        assert_eq!(tree.read(&name("ccm.dll")).unwrap().unwrap(), b"I386/Ccm.dll");
        assert!(matches!(Tree::open(&path.join("mips")), Err(SourceError::NoFolder { .. })));
    }

    #[test]
    fn one_name_by_case_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("update.zip");
        fs::write(&path, archive(&["Ccm.dll", "CCM.dll"])).unwrap();
        assert!(matches!(Tree::open(&path), Err(SourceError::Duplicate { .. })));
        let folder = temp.path().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a"), b"").unwrap();
        fs::write(folder.join("A"), b"").unwrap();
        if fs::read_dir(&folder).unwrap().count() == 2 {
            assert!(matches!(Tree::open(&folder), Err(SourceError::Duplicate { .. })));
        }
    }

    #[test]
    fn what_this_version_does_not_read_is_refused_by_name() {
        let temp = tempfile::tempdir().unwrap();
        for (bytes, word) in
            [(&b"MSCF...."[..], "cabinet"), (b"MZ......", "program"), (b"text", "[74, 65, 78, 74]")]
        {
            let path = temp.path().join("Q1.bin");
            fs::write(&path, bytes).unwrap();
            for path in [path.clone(), path.join("i386")] {
                let error = Tree::open(&path).unwrap_err().to_string();
                assert!(error.contains(word) && error.contains("Q1.bin"), "{error}");
            }
        }
        let absent = Tree::open(&temp.path().join("no/such")).unwrap_err();
        assert!(matches!(&absent, SourceError::Absent { path } if path.ends_with("no/such")), "{absent}");
    }

    #[test]
    fn damaged_archives_give_errors_at_every_length() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("update.zip");
        let whole = archive(&["I386/Ccm.dll"]);
        for end in 4..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            assert!(Tree::open(&path).is_err(), "cut to {end} bytes");
        }
    }

    #[test]
    fn names_that_no_bundle_can_carry_are_set_apart() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("update.zip");
        fs::write(&path, archive(&["Ccm.dll", "aux.dll", "../x"])).unwrap();
        let tree = Tree::open(&path).unwrap();
        assert_eq!((names(&tree), tree.strays().len()), (vec!["Ccm.dll"], 2));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", temp.path().join("Ccm.dll")).unwrap();
        assert!(matches!(Tree::open(temp.path()), Err(SourceError::NotPlain { .. })));
    }
}
