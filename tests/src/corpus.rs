//! Real update pairs in folders.
//!
//! A folder holds pairs in one of two layouts, or subfolders `intel` and `alpha` with them: `NAME/old` and `NAME/new` (one
//! Intel file each), or `NAME/old/NAME.i386.dll`, `NAME/old/NAME.alpha.dll` and the same below `new`.

use std::fs;
use std::path::{Path, PathBuf};

/// A file in two versions.
#[derive(Debug)]
pub struct Versions {
    /// The old one.
    pub old: PathBuf,
    /// The new one.
    pub new: PathBuf,
}

/// An update pair.
#[derive(Debug)]
pub struct Pair {
    /// Its folder's name.
    pub name: String,
    /// The file for Intel.
    pub intel: Versions,
    /// Its twin for Alpha, if it has one.
    pub alpha: Option<Versions>,
}

/// Finds the pairs of a folder and of its subfolders `intel` and `alpha`, each list sorted by name.
pub fn lists(folder: &Path) -> [(PathBuf, Vec<Pair>); 3] {
    [folder.to_owned(), folder.join("intel"), folder.join("alpha")].map(|folder| {
        let pairs = pairs(&folder);
        (folder, pairs)
    })
}

fn pairs(folder: &Path) -> Vec<Pair> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| {
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    names.sort();
    let pair = |name: String| {
        let (old, new) = (folder.join(&name).join("old"), folder.join(&name).join("new"));
        if old.is_file() && new.is_file() {
            return Some(Pair { intel: Versions { old, new }, alpha: None, name });
        }
        let twin = |platform: &str| {
            let file = format!("{name}.{platform}.dll");
            Versions { old: old.join(&file), new: new.join(&file) }
        };
        let (intel, alpha) = (twin("i386"), twin("alpha"));
        let complete = [&intel.old, &intel.new, &alpha.old, &alpha.new].iter().all(|path| path.is_file());
        complete.then_some(Pair { intel, alpha: Some(alpha), name })
    };
    names.into_iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_found_and_half_pairs_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            "one/old",
            "one/new",
            "half/old",
            "alpha/two/old/two.i386.dll",
            "alpha/two/new/two.i386.dll",
            "alpha/two/old/two.alpha.dll",
            "alpha/two/new/two.alpha.dll",
        ];
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = lists(folder.path()).map(|(_, pairs)| {
            pairs.into_iter().map(|pair| (pair.name, pair.alpha.is_some())).collect::<Vec<_>>()
        });
        assert_eq!(found, [vec![("one".to_owned(), false)], vec![], vec![("two".to_owned(), true)]]);
    }
}
