//! Deltas: how a new file is made from an old one. This side decodes; the builder's encodes.
//!
//! Decoders are pure functions of the old file and the delta. They allocate no more than the size the
//! caller allows, end every stream exactly, and never trust the delta to be honest: the caller compares
//! the digest of what comes out.

use std::fmt;

use crate::chain::debug_as_shown;

mod bsdiff;

/// A codec of deltas. The name is what manifests and file names carry; it is never given a second meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Colin Percival's BSDIFF40: the format of `bsdiff` and `bspatch`.
    Bsdiff,
    /// Our own, for executables: see [`qfe_delta`].
    Exe,
}

/// Why a delta cannot be decoded.
#[derive(thiserror::Error)]
pub enum DeltaError {
    /// The first bytes name no codec of this program.
    #[error("the first bytes are those of no known codec (bsdiff starts with BSDIFF40, exe with Q)")]
    UnknownFormat,
    /// A stream or header ends early.
    #[error("the {part} is cut off")]
    Truncated {
        /// The part that ends early.
        part: &'static str,
    },
    /// Bytes are left over where a stream must end.
    #[error("bytes are left over after the {part}")]
    TrailingBytes {
        /// The part after which they stand.
        part: &'static str,
    },
    /// A stream's compression is damaged.
    #[error("the {part} is damaged")]
    Damaged {
        /// The damaged part.
        part: &'static str,
        /// What the decompressor said.
        source: std::io::Error,
    },
    /// A length or position is negative or leads outside its file.
    #[error("{field} is {found}, which lies outside the {bound}")]
    OutOfBounds {
        /// The field at fault.
        field: &'static str,
        /// Its value.
        found: i64,
        /// What it must lie in.
        bound: &'static str,
    },
    /// The delta makes a larger file than wanted.
    #[error("the delta makes {found} bytes, at most {limit} are wanted")]
    TooLarge {
        /// The size the delta states.
        found: u64,
        /// The largest size allowed.
        limit: u64,
    },
    /// A delta of the codec for executables cannot be decoded.
    #[error(transparent)]
    Exe(#[from] qfe_delta::DeltaError),
}

debug_as_shown!(DeltaError);

impl Codec {
    /// Every codec, oldest first.
    pub const ALL: [Self; 2] = [Self::Bsdiff, Self::Exe];

    /// Returns the name by which manifests, file names and command lines know the codec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bsdiff => "bsdiff",
            Self::Exe => "exe",
        }
    }

    /// Recognises the codec of a stand-alone delta by its first bytes.
    pub fn detect(delta: &[u8]) -> Result<Self, DeltaError> {
        if delta.starts_with(bsdiff::MAGIC) {
            Ok(Self::Bsdiff)
        } else if delta.starts_with(&[qfe_delta::MAGIC]) {
            Ok(Self::Exe)
        } else {
            Err(DeltaError::UnknownFormat)
        }
    }

    /// Makes the new file from `old` and `delta`; refuses to make more than `limit` bytes.
    ///
    /// Takes the old file, for one codec works in it and files may be too large for another copy.
    pub fn decode(self, old: Vec<u8>, delta: &[u8], limit: u64) -> Result<Vec<u8>, DeltaError> {
        match self {
            Self::Bsdiff => bsdiff::decode(&old, delta, limit),
            Self::Exe => Ok(qfe_delta::decode(old, delta, limit)?),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
