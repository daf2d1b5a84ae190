//! Containers: the archive a bundle travels in, read as a set of uniquely named members.
//!
//! A container is not trusted: it only finds bytes by name. What the bytes mean is decided by the signed
//! manifest and their digests. Still, a container in which two readers could see different members is
//! refused as a whole: names must be safe [`TargetPath`]s, each there once, ignoring case.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read, Seek, SeekFrom};

use crate::chain::debug_as_shown;
use crate::target_path::{TargetPath, UnsafePath};

mod cab;
pub mod program;
mod zip;

/// What a container is read from: a file, or bytes in memory.
pub trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

/// Most members a container may have: checked before anything is done with them one by one.
pub const MAX_MEMBERS: usize = 10_000;
/// Most bytes that are unpacked in all by [`Container::read_early`]. To read a file of a cabinet, all before it in its folder is
/// unpacked, each time: an hour's work could be packed into a megabyte. It is several seconds of work; manifest and signatures of
/// our own bundles need a few MiB, and of one packed again by another program hardly more than the size of its files.
const MAX_EARLY: u64 = 1 << 30;

/// The kinds of container; the builder's writers match on the same enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerKind {
    /// A zip archive (PKWARE APPNOTE), stored or deflated members.
    Zip,
    /// A cabinet (Microsoft Cabinet Format), stored, MSZIP or LZX folders.
    Cab,
    /// A zip behind the patcher's program: a self-extracting bundle.
    Exe,
}

impl fmt::Display for ContainerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zip => "zip",
            Self::Cab => "cab",
            Self::Exe => "exe",
        })
    }
}

/// Why a container cannot be read.
#[derive(thiserror::Error)]
pub enum ContainerError {
    /// Reading the file failed.
    #[error("the bundle cannot be read")]
    Read(#[source] std::io::Error),
    /// The first bytes are those of no known container.
    #[error(
        "the first bytes are {found:02x?}: neither a zip (PK), alone or behind a program (MZ), nor a cabinet (MSCF)"
    )]
    UnknownKind {
        /// The first four bytes, or fewer.
        found: Vec<u8>,
    },
    /// The directory is damaged or cut off.
    #[error("the {kind} directory cannot be read: the file is damaged or cut off")]
    Directory {
        /// The kind of container.
        kind: ContainerKind,
        /// What the reader said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The archive says something that no writer of bundles says.
    #[error("the {kind} has {what}; no bundle does")]
    Irregular {
        /// The kind of container.
        kind: ContainerKind,
        /// What was found.
        what: String,
    },
    /// Something was put before the archive.
    #[error("the zip has {more} bytes before its first entry; no bundle does")]
    Before {
        /// How many bytes.
        more: u64,
    },
    /// It was put behind a program as it was.
    #[error(
        "the zip has positions that count from its own beginning at byte {by}; those of a bundle count from the file's"
    )]
    Moved {
        /// How many bytes of program are before it.
        by: u64,
    },
    /// A member's name is not safe.
    #[error("a member's name is not safe")]
    Name(#[from] UnsafePath),
    /// Two members have the same name, or names that differ by case only.
    #[error("members {first:?} and {second:?} have one name, ignoring case")]
    Duplicate {
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// More members than any bundle has.
    #[error("{found} members, at most {MAX_MEMBERS} are allowed")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// The member is not there.
    #[error("member {name} is missing")]
    Missing {
        /// Its name.
        name: TargetPath,
    },
    /// The member holds more bytes than allowed.
    #[error("member {name} is larger than the {limit} bytes it may have")]
    TooLarge {
        /// Its name.
        name: TargetPath,
        /// The limit.
        limit: u64,
    },
    /// So much would have to be unpacked before anything is believed that it can only be meant to hold things up.
    #[error(
        "{needed} bytes would be unpacked to reach {name} and what else is read before signatures are checked, at most \
         {MAX_EARLY} are: pack the bundle again with manifest.json and signatures first"
    )]
    TooDeep {
        /// The member's name.
        name: TargetPath,
        /// Bytes to be unpacked in all.
        needed: u64,
    },
    /// The member's compressed bytes are damaged.
    #[error("member {name} is damaged")]
    Damaged {
        /// Its name.
        name: TargetPath,
        /// What the reader said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

debug_as_shown!(ContainerError);

/// An opened container.
pub struct Container {
    kind: ContainerKind,
    backend: Backend,
    /// Position of each member in its backend.
    members: BTreeMap<TargetPath, usize>,
    /// Bytes that were unpacked for early reads.
    early: u64,
}

enum Backend {
    Zip(zip::Zip),
    Cab(cab::Cab),
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container").field("kind", &self.kind).field("members", &self.members).finish()
    }
}

impl Container {
    /// Opens a container of the kind that its first bytes name, and reads its directory.
    pub fn open(mut source: impl Source + 'static) -> Result<Self, ContainerError> {
        let mut magic = Vec::new();
        source.by_ref().take(4).read_to_end(&mut magic).map_err(ContainerError::Read)?;
        source.seek(SeekFrom::Start(0)).map_err(ContainerError::Read)?;
        let kind = match magic.as_slice() {
            [b'P', b'K', ..] => ContainerKind::Zip,
            [b'M', b'Z', ..] => ContainerKind::Exe,
            b"MSCF" => ContainerKind::Cab,
            _ => return Err(ContainerError::UnknownKind { found: magic }),
        };
        let archive_at = match kind {
            ContainerKind::Exe => program::Program::read(&mut source)?.archive_at(),
            ContainerKind::Zip | ContainerKind::Cab => 0,
        };
        let source = Box::new(source);
        let (backend, names) = match kind {
            ContainerKind::Cab => cab::open(source).map(|(cab, names)| (Backend::Cab(cab), names)),
            ContainerKind::Zip | ContainerKind::Exe => {
                zip::open(source, archive_at).map(|(zip, names)| (Backend::Zip(zip), names))
            }
        }?;
        Ok(Self { kind, backend, members: unique(&names)?, early: 0 })
    }

    /// Returns the kind of container.
    pub fn kind(&self) -> ContainerKind {
        self.kind
    }

    /// Returns the names of all members, sorted.
    pub fn members(&self) -> impl Iterator<Item = &TargetPath> {
        self.members.keys()
    }

    /// Tells whether there is a member of exactly this name.
    pub fn contains(&self, name: &TargetPath) -> bool {
        self.members.contains_key(name)
    }

    /// Reads a member as [`Container::read`] does, before anything in the container is believed: all such reads together unpack
    /// no more than 1 GiB (`MAX_EARLY`).
    pub fn read_early(&mut self, name: &TargetPath, limit: u64) -> Result<Vec<u8>, ContainerError> {
        let index = self.index(name)?;
        let depth = match &self.backend {
            // Each member is unpacked alone, and never beyond the limit.
            Backend::Zip(_) => 0,
            Backend::Cab(cab) => cab.depth(index),
        };
        let needed = self.early.saturating_add(depth);
        if needed > MAX_EARLY {
            return Err(ContainerError::TooDeep { name: name.clone(), needed });
        }
        self.early = needed;
        self.read(name, limit)
    }

    fn index(&self, name: &TargetPath) -> Result<usize, ContainerError> {
        self.members.get(name).copied().ok_or_else(|| ContainerError::Missing { name: name.clone() })
    }

    /// Reads a member whole; refuses to make more than `limit` bytes.
    pub fn read(&mut self, name: &TargetPath, limit: u64) -> Result<Vec<u8>, ContainerError> {
        let index = self.index(name)?;
        match &mut self.backend {
            Backend::Zip(zip) => zip.read(index, name, limit),
            Backend::Cab(cab) => cab.read(index, name, limit),
        }
    }
}

/// Refuses a directory of too many members.
fn check_count(found: usize) -> Result<(), ContainerError> {
    if found > MAX_MEMBERS { Err(ContainerError::TooMany { found }) } else { Ok(()) }
}

/// Takes the names of a directory as safe paths, each once.
fn unique(names: &[String]) -> Result<BTreeMap<TargetPath, usize>, ContainerError> {
    let mut members = BTreeMap::new();
    let mut folded = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let path: TargetPath = name.parse()?;
        if let Some(first) = folded.insert(path.folded(), name) {
            return Err(ContainerError::Duplicate { first: first.clone(), second: name.clone() });
        }
        members.insert(path, index);
    }
    Ok(members)
}

/// Reads a member's stream to its end, or to one byte more than allowed.
fn read_limited(stream: impl Read, name: &TargetPath, limit: u64) -> Result<Vec<u8>, ContainerError> {
    let mut bytes = Vec::new();
    stream.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|source| match source.kind() {
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof | ErrorKind::Other => {
            ContainerError::Damaged { name: name.clone(), source: source.into() }
        }
        // The disk or share failed, not the bundle.
        _ => ContainerError::Read(source),
    })?;
    if bytes.len() as u64 > limit {
        return Err(ContainerError::TooLarge { name: name.clone(), limit });
    }
    Ok(bytes)
}
