//! Why a delta cannot be decoded.

/// Why a delta cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeltaError {
    /// The first bytes are not those of this codec, or of a version this program does not know.
    #[error("the first bytes are not those of an exe delta this program knows")]
    UnknownFormat,
    /// The delta ends early.
    #[error("the {part} is cut off")]
    Truncated {
        /// The part that ends early.
        part: &'static str,
    },
    /// Bytes are left over where the stream must end.
    #[error("bytes are left over after the {part}")]
    TrailingBytes {
        /// The part after which they stand.
        part: &'static str,
    },
    /// A number leads outside what it points into.
    #[error("{field} is {found}, which lies outside the {bound}")]
    OutOfBounds {
        /// The field at fault.
        field: &'static str,
        /// Its value.
        found: i64,
        /// What it must lie in.
        bound: &'static str,
    },
    /// The delta makes a larger file than wanted, or the old file is larger than the codec takes.
    #[error("a file of {found} bytes, at most {limit} are wanted")]
    TooLarge {
        /// The size.
        found: u64,
        /// The largest size allowed.
        limit: u64,
    },
    /// Old and new file together have another checksum: the delta is damaged, or it was made from another old file.
    #[error("the checksum of old and new file is {found:04x}, the delta says {wanted:04x}")]
    WrongChecksum {
        /// That of the files.
        found: u16,
        /// That in the delta.
        wanted: u16,
    },
}
