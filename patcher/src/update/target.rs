//! The target: a folder in which paths are found as Windows finds them, ignoring case.

use std::path::{Path, PathBuf};

use crate::chain::error_of_kinds;
use crate::host::{Files, HostError, Kind, Stat};
use crate::target_path::{TargetPath, UnsafePath};

error_of_kinds!(
    /// Why a path of the target cannot be used.
    TargetError,
    TargetErrorKind
);

/// What is wrong.
#[derive(thiserror::Error)]
pub enum TargetErrorKind {
    /// Looking failed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The target itself is not a folder.
    #[error("target {} {found}, an existing folder is wanted", root.display())]
    NoTarget {
        /// The target.
        root: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// A link, junction or device stands where a file or folder is wanted.
    #[error("{} is a link, junction or device: it is not followed, since it may lead outside the target", path.display())]
    Link {
        /// Where.
        path: PathBuf,
    },
    /// A file stands where a folder is wanted, or the other way round.
    #[error("{} is no {wanted}", path.display())]
    WrongKind {
        /// Where.
        path: PathBuf,
        /// What is wanted.
        wanted: &'static str,
    },
    /// Two names differ by case only.
    #[error("{} holds both {first:?} and {second:?}: on Windows they are one name", folder.display())]
    Ambiguous {
        /// In which folder.
        folder: PathBuf,
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// A name on the disk is no safe path.
    #[error(transparent)]
    Unsafe(#[from] UnsafePath),
}

/// Where a target path leads.
#[derive(Clone, Debug)]
pub struct Place {
    /// The path as the disk spells it; as the manifest does from the first missing component on.
    pub path: TargetPath,
    /// The path to use with the system.
    pub full: PathBuf,
    /// The file there; none if there is none.
    pub stat: Option<Stat>,
    /// Folders on the way that are missing, outermost first.
    pub missing: Vec<PathBuf>,
}

/// The folder that is updated. Alone joins a [`TargetPath`] to it.
#[derive(Clone, Copy, Debug)]
pub struct TargetRoot<'a> {
    root: &'a Path,
}

impl<'a> TargetRoot<'a> {
    /// Takes an existing folder as target. A link to a folder is taken: the user named it.
    pub fn open(files: &dyn Files, root: &'a Path) -> Result<Self, TargetError> {
        let no_target = |found| Err(TargetErrorKind::NoTarget { root: root.to_owned(), found }.into());
        match files.stat(root)?.map(|stat| stat.kind) {
            None => no_target("does not exist"),
            Some(Kind::File) => no_target("is a file"),
            Some(Kind::Folder) => Ok(Self { root }),
            Some(Kind::Other) => match files.list(root) {
                Ok(_) => Ok(Self { root }),
                Err(_) => no_target("is no folder"),
            },
        }
    }

    /// Returns the folder.
    pub fn path(&self) -> &'a Path {
        self.root
    }

    /// Finds where `path` leads, ignoring case, following no link.
    pub fn locate(&self, files: &dyn Files, path: &TargetPath) -> Result<Place, TargetError> {
        let mut full = self.root.to_owned();
        let mut spelled: Vec<String> = Vec::new();
        let mut missing = Vec::new();
        let mut stat = None;
        let last = path.components().count();
        for (number, component) in path.components().enumerate() {
            let found = if missing.is_empty() { find(files, &full, component)? } else { None };
            full.push(found.as_deref().unwrap_or(component));
            spelled.push(found.clone().unwrap_or_else(|| component.to_owned()));
            let here = if found.is_some() { files.stat(&full)? } else { None };
            let is_last = number + 1 == last;
            let wanted = if is_last { Kind::File } else { Kind::Folder };
            match here.map(|stat| stat.kind) {
                Some(Kind::Other) => return Err(TargetErrorKind::Link { path: full }.into()),
                Some(kind) if kind != wanted => {
                    let wanted = if is_last { "file" } else { "folder" };
                    return Err(TargetErrorKind::WrongKind { path: full, wanted }.into());
                }
                None if !is_last => missing.push(full.clone()),
                _ => {}
            }
            if is_last {
                stat = here;
            }
        }
        Ok(Place { path: spelled.join("/").parse()?, full, stat, missing })
    }
}

/// Finds the name in a folder that equals `name` ignoring case.
fn find(files: &dyn Files, folder: &Path, name: &str) -> Result<Option<String>, TargetError> {
    let mut found: Option<String> = None;
    for other in files.list(folder)?.into_iter().filter(|other| other.eq_ignore_ascii_case(name)) {
        if let Some(first) = found {
            return Err(TargetErrorKind::Ambiguous { folder: folder.to_owned(), first, second: other }.into());
        }
        found = Some(other);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Memory;

    fn locate(disk: &[&str], path: &str) -> Result<Place, TargetError> {
        let root = Path::new("/sms");
        let memory = Memory::new(root);
        for file in disk {
            memory.put(&root.join(file), b"x");
        }
        TargetRoot::open(&memory, root).unwrap().locate(&memory, &path.parse().unwrap())
    }

    #[test]
    fn names_are_found_ignoring_case_and_spelled_as_the_disk_has_them() {
        let place = locate(&["BIN/I386/CCM.DLL"], "Bin/i386/Ccm.dll").unwrap();
        assert_eq!(place.path.as_str(), "BIN/I386/CCM.DLL");
        assert_eq!(place.full, Path::new("/sms/BIN/I386/CCM.DLL"));
        assert!(place.stat.is_some() && place.missing.is_empty());
    }

    #[test]
    fn what_is_missing_is_spelled_as_asked_below_what_is_there() {
        let place = locate(&["BIN/x"], "Bin/i386/Ccm.dll").unwrap();
        assert_eq!(place.path.as_str(), "BIN/i386/Ccm.dll");
        assert_eq!(place.missing, [Path::new("/sms/BIN/i386")]);
        assert!(place.stat.is_none());
    }

    #[test]
    fn two_names_that_are_one_on_windows_are_refused() {
        let refused = locate(&["Bin/x", "BIN/y"], "bin/x").unwrap_err();
        assert!(matches!(refused.kind(), TargetErrorKind::Ambiguous { .. }));
    }

    #[test]
    fn files_and_folders_are_not_taken_for_one_another() {
        for (disk, is_wanted) in [("Bin", "folder"), ("Bin/x/y", "file")] {
            let refused = locate(&[disk], "Bin/x").unwrap_err();
            assert!(
                matches!(refused.kind(), TargetErrorKind::WrongKind { wanted, .. } if *wanted == is_wanted)
            );
        }
        let memory = Memory::new(Path::new("/sms"));
        let root = Path::new("/smt");
        let refused = TargetRoot::open(&memory, root).unwrap_err();
        assert!(matches!(refused.kind(), TargetErrorKind::NoTarget { .. }));
    }
}
