//! Warnings: what is allowed in an update and looks wrong.

use qfe_patcher::platform::Platform;
use qfe_patcher::version::FileVersion;

use crate::file_key::FileKey;

/// Something that the release engineer should look at.
#[derive(Debug, thiserror::Error)]
pub enum Warning {
    /// No old state is known.
    #[error(
        "the recipe names no baseline: no old file is known, and servers that have one refuse the update"
    )]
    NoBaseline,
    /// A baseline that is of no use.
    #[error("baseline {baseline:?}: {tree} holds no file of the payload")]
    ForeignBaseline {
        /// The baseline.
        baseline: String,
        /// Its platform.
        platform: Platform,
        /// Where it is.
        tree: String,
    },
    /// A file without content.
    #[error("{tree} is empty")]
    EmptyFile {
        /// The file.
        file: FileKey,
        /// Where it is.
        tree: String,
    },
    /// A new file that cannot be told from the old one by version.
    #[error(
        "{file} has version {version} in baseline {baseline:?} too, with other contents: raise it, or \
         nobody can tell the two apart by version"
    )]
    SameVersion {
        /// The file.
        file: FileKey,
        /// The version of both.
        version: FileVersion,
        /// The baseline.
        baseline: String,
    },
    /// A new file with a version below the old one's: the patcher leaves a newer file alone, known or not.
    #[error(
        "{file} has version {version}, which is below the {old} of baseline {baseline:?}: servers with \
         that file keep it; are payload and baseline exchanged?"
    )]
    LowerVersion {
        /// The file.
        file: FileKey,
        /// Its version.
        version: FileVersion,
        /// The old file's.
        old: FileVersion,
        /// The baseline.
        baseline: String,
    },
}
