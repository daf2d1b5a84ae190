//! Writes sample updates to a folder: the only part of the library that touches the disk.
//!
//! ```text
//! <output>/Q252717/update.toml
//! <output>/Q252717/update/i386/Ccm.dll ...     <output>/Q252717/update/alpha/Ccm.dll ...
//! <output>/Q252717/baseline/i386/Ccm.dll ...   <output>/Q252717/baseline/alpha/Ccm.dll ...
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use qfe_patcher::version::FileVersion;

use crate::article::{SampleUpdate, updates};
use crate::sample::Tree;

/// Why sample updates could not be written.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// No sample update has this number.
    #[error("{0}: no such sample update; there are {known}", known = known())]
    UnknownUpdate(String),
    /// A folder could not be made.
    #[error("{path}: cannot make the folder", path = .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// An existing file could not be compared.
    #[error("{path}: cannot read", path = .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A file could not be written; it may be there in part.
    #[error("{path}: cannot write", path = .0.display())]
    Write(PathBuf, #[source] io::Error),
}

fn known() -> String {
    updates().iter().map(|update| update.id).collect::<Vec<_>>().join(", ")
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There was none.
    Created,
    /// There was the same file already; it was not touched.
    Unchanged,
    /// There was another file of that name; its bytes are gone.
    Replaced,
}

/// One generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Where it is, below the output folder.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its version; a recipe has none.
    pub version: Option<FileVersion>,
    /// What became of it.
    pub outcome: Outcome,
}

/// Writes the updates named by `ids`, or all of them if there are none, below `output`.
///
/// Calls `report` after each file, in a fixed order. Writes no file but those of the updates, and leaves what
/// else is in the folder alone. Unknown numbers are refused before anything is written; after another error
/// the files reported so far are complete.
pub fn generate(
    output: &Path,
    ids: &[&str],
    mut report: impl FnMut(&Generated),
) -> Result<(), GenerateError> {
    let mut chosen: Vec<&SampleUpdate> = Vec::new();
    for id in ids {
        let update = SampleUpdate::find(id).ok_or_else(|| GenerateError::UnknownUpdate((*id).to_owned()))?;
        if !chosen.contains(&update) {
            chosen.push(update);
        }
    }
    if ids.is_empty() {
        chosen.extend(updates());
    }
    for update in chosen {
        let recipe = Path::new(update.id).join("update.toml");
        report(&place(output, recipe, update.recipe.as_bytes(), None)?);
        for tree in [Tree::Baseline, Tree::Update] {
            for file in update.files {
                let path: PathBuf =
                    [update.id, tree.folder(), file.platform.name(), file.name].iter().collect();
                report(&place(output, path, &file.bytes(tree), Some(file.version_in(tree)))?);
            }
        }
    }
    Ok(())
}

fn place(
    output: &Path,
    path: PathBuf,
    bytes: &[u8],
    version: Option<FileVersion>,
) -> Result<Generated, GenerateError> {
    let target = output.join(&path);
    let outcome = match fs::read(&target) {
        Ok(known) if known == bytes => Outcome::Unchanged,
        Ok(_) => Outcome::Replaced,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Outcome::Created,
        Err(error) => return Err(GenerateError::Read(target, error)),
    };
    if outcome != Outcome::Unchanged {
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(|error| GenerateError::Folder(folder.to_owned(), error))?;
        }
        fs::write(&target, bytes).map_err(|error| GenerateError::Write(target, error))?;
    }
    let size = u64::try_from(bytes.len()).expect("usize fits u64");
    Ok(Generated { path, size, version, outcome })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(output: &Path, ids: &[&str]) -> Vec<Generated> {
        let mut files = Vec::new();
        generate(output, ids, |file| files.push(file.clone())).unwrap();
        files
    }

    #[test]
    fn an_update_is_a_recipe_and_two_trees() {
        let folder = tempfile::tempdir().unwrap();
        let files = run(folder.path(), &["q251070"]);
        let paths: Vec<String> = files
            .iter()
            .map(|file| file.path.to_str().unwrap().replace(std::path::MAIN_SEPARATOR, "/"))
            .collect();
        assert_eq!(
            paths,
            [
                "Q251070/update.toml",
                "Q251070/baseline/i386/Nt_logon.dll",
                "Q251070/baseline/alpha/Nt_logon.dll",
                "Q251070/update/i386/Nt_logon.dll",
                "Q251070/update/alpha/Nt_logon.dll",
            ]
        );
        for file in &files {
            assert_eq!(fs::metadata(folder.path().join(&file.path)).unwrap().len(), file.size);
            assert_eq!(file.outcome, Outcome::Created);
        }
    }

    #[test]
    fn a_different_file_is_replaced_and_a_stranger_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), &["Q251070"]);
        let recipe = folder.path().join("Q251070/update.toml");
        let stranger = folder.path().join("Q251070/notes.txt");
        fs::write(&recipe, "changed").unwrap();
        fs::write(&stranger, "mine").unwrap();
        let outcomes: Vec<Outcome> =
            run(folder.path(), &["Q251070"]).iter().map(|file| file.outcome).collect();
        assert_eq!(outcomes[0], Outcome::Replaced);
        assert!(outcomes[1..].iter().all(|outcome| *outcome == Outcome::Unchanged));
        assert_eq!(fs::read_to_string(&stranger).unwrap(), "mine");
    }

    #[test]
    fn an_unknown_update_is_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("samples");
        let error = generate(&output, &["Q252717", "Q1"], |_| {}).unwrap_err();
        assert!(error.to_string().starts_with("Q1: no such sample update; there are Q252717"));
        assert!(!output.exists());
    }
}
