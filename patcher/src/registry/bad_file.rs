//! What is wrong with a file that holds a registry, or with an edit of one.

use crate::chain::debug_as_shown;

/// Why bytes are no registry that can be read, or an edit does not go into them.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFile {
    /// It begins otherwise.
    #[error(
        "it begins with {found:?}; wanted is REGEDIT4 or Windows Registry Editor Version 5.00 of an export, or regf of a hive"
    )]
    Header {
        /// How it begins.
        found: String,
    },
    /// A line of an export has a statement that is none, or a byte that its encoding does not have.
    #[error("line {line}: found {found}, wanted is {wanted}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What stands there.
        found: String,
        /// What could stand there.
        wanted: &'static str,
    },
    /// A name or text that the file does not take.
    #[error("{text:?} cannot be written: wanted is {wanted}")]
    Unwritable {
        /// The text.
        text: String,
        /// What can be.
        wanted: &'static str,
    },
    /// No room for an edit: a limit of the format or of this program.
    #[error("{size} is too much for {what}: the limit is {limit}")]
    Full {
        /// What would have too much.
        what: &'static str,
        /// How much that would be.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A hive that ends early.
    #[error("the hive is cut off: it has {size} bytes, {wanted} are wanted")]
    Truncated {
        /// Its size.
        size: usize,
        /// What its base block says.
        wanted: usize,
    },
    /// A hive whose base block is damaged, or none.
    #[error("the checksum of the hive's base block is {found:#010x}, its contents make {wanted:#010x}")]
    Checksum {
        /// What it says.
        found: u32,
        /// What it should say.
        wanted: u32,
    },
    /// A hive of a version that is not known.
    #[error("the hive has version {major}.{minor}, known are 1.3 to 1.6")]
    Version {
        /// Before the point.
        major: u32,
        /// Behind it.
        minor: u32,
    },
    /// A hive that was not written to its end.
    #[error(
        "the hive was not closed cleanly (sequence numbers {primary} and {secondary}): its logs must be \
         replayed first, which Windows does when it loads the hive"
    )]
    Dirty {
        /// The number before writing.
        primary: u32,
        /// The number after it.
        secondary: u32,
    },
    /// Something in a hive is not what leads there says.
    #[error("the hive is damaged: at {at:#x}, {wanted} is wanted")]
    Damaged {
        /// The offset.
        at: u32,
        /// What should be there.
        wanted: &'static str,
    },
    /// Another hive than these two.
    #[error("the hive is neither that of HKLM\\SOFTWARE nor that of HKLM\\SYSTEM")]
    UnknownPart,
    /// A key of another hive.
    #[error("the hive holds HKLM\\{part}, and not {key}")]
    Elsewhere {
        /// What it holds.
        part: &'static str,
        /// What is asked for.
        key: String,
    },
}

debug_as_shown!(BadFile);

/// The failure is boxed: it is rare, and each step of reading would carry its size.
pub(crate) type Result<T, E = Box<BadFile>> = std::result::Result<T, E>;
