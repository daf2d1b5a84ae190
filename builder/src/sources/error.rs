//! Why a tree or a file of it cannot be read.

use std::io;

/// What a reader of a format said.
type Cause = Box<dyn std::error::Error + Send + Sync>;

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
    /// The archive has no such folder, and no archive of this name.
    #[error("{path} holds no folder {folder}")]
    NoFolder {
        /// The archive.
        path: String,
        /// The folder.
        folder: String,
    },
    /// No kind of archive.
    #[error(
        "{path} starts with {found:02x?}: a folder, a zip (PK), a cabinet (MSCF) or a program (MZ) that carries one of them \
         is wanted"
    )]
    UnknownKind {
        /// The file.
        path: String,
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// A program that is no self-extracting archive.
    #[error("{path} is a program that carries neither a cabinet nor a zip")]
    NothingCarried {
        /// The program.
        path: String,
    },
    /// A program with several archives: which one is meant is not to be guessed.
    #[error(
        "{path} is a program that carries several archives: a {first} at byte {first_at}, a {second} at byte {second_at}"
    )]
    SeveralCarried {
        /// The program.
        path: String,
        /// What the first one is.
        first: &'static str,
        /// Where it begins.
        first_at: usize,
        /// What the next one is.
        second: &'static str,
        /// Where it begins.
        second_at: usize,
    },
    /// An archive in an archive in an archive.
    #[error("{path} is an archive in an archive in another: one in another is read")]
    TooDeep {
        /// The innermost.
        path: String,
    },
    /// The archive is damaged or of an unknown kind.
    #[error("{path} cannot be read as a {kind}")]
    Archive {
        /// The archive, or the file in it.
        path: String,
        /// What it should be.
        kind: &'static str,
        /// What the reader said.
        source: Cause,
    },
    /// A cabinet of a set.
    #[error("{path} is one cabinet of a set: files in it begin or end in another one, {other}")]
    PartOfSet {
        /// The cabinet.
        path: String,
        /// The name of the cabinet before or behind it.
        other: String,
    },
    /// A compression that this version does not read.
    #[error("{path} is packed by {found}: stored, MSZIP or LZX is read")]
    Packing {
        /// The file in the cabinet.
        path: String,
        /// How it is packed.
        found: String,
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
    /// A file is larger than a member of a bundle may be, or an archive makes more than any payload has.
    #[error("{path} is larger than {limit} bytes{with}")]
    TooLarge {
        /// The file.
        path: String,
        /// How many bytes are allowed.
        limit: u64,
        /// With what else; empty for the file alone.
        with: &'static str,
    },
}

impl SourceError {
    /// Returns what can be done about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::UnknownKind { .. } | Self::NothingCarried { .. } | Self::SeveralCarried { .. } => {
                "unpack it into a folder and name that in the recipe; most installers unpack by /x or by /c /t:FOLDER"
            }
            Self::TooLarge { .. } => {
                "check the path; if it is right, unpack the archive into a folder, and name that in the recipe"
            }
            Self::TooDeep { .. } => "unpack the outermost archive into a folder and name that in the recipe",
            Self::Packing { .. } => {
                "unpack the cabinet into a folder, by cabextract or expand, and name that in the recipe"
            }
            Self::PartOfSet { .. } => {
                "unpack the whole set into a folder (cabextract does it, named the first of them), and name that in the recipe"
            }
            Self::Duplicate { .. } => "remove or rename one of the two files",
            Self::Archive { .. } => "get the archive again: it is damaged, or made by an unusual program",
            Self::Read { .. }
            | Self::Absent { .. }
            | Self::NoFolder { .. }
            | Self::NotPlain { .. }
            | Self::TooMany { .. } => {
                "check the paths under [payload] and [[baseline]], which are relative to the recipe"
            }
        }
    }
}
