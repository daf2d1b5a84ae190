//! The instruction sets: a function in, its bytes and open references out.
//!
//! Encoding knows no addresses. Jumps inside a function are resolved here, so a function's length depends on
//! nothing but itself; all other references become [`Fixup`]s, which the linker fills in.
//! A new processor is one more file below, registered in [`encode`].

mod alpha;
mod i386;

use std::collections::BTreeMap;

use qfe_patcher::platform::Platform;

use crate::bytes::Bytes;
use crate::program::{Function, Label, Target};

/// An encoded function.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) bytes: Bytes,
    pub(crate) fixups: Vec<Fixup>,
    /// Offsets of the labels.
    pub(crate) labels: BTreeMap<Label, u32>,
    /// Where the prologue ends.
    pub(crate) body: u32,
}

/// A reference that the linker fills in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fixup {
    pub(crate) field: Field,
    pub(crate) target: Target,
    pub(crate) addend: u32,
}

/// Where and how a reference is written; offsets in bytes from the start of the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// Four bytes: the target less the address behind the field.
    Relative32 { at: u32 },
    /// Four bytes: the target's address.
    Absolute32 { at: u32 },
    /// The low 21 bits of a word: the target less the address behind the word, in words.
    Branch21 { at: u32 },
    /// The low halves of two words: the upper half of the address, adjusted, and the lower half.
    HighLow { high: u32, low: u32 },
}

/// Encodes a function for the platform.
pub(crate) fn encode(platform: Platform, function: &Function) -> Code {
    match platform {
        Platform::I386 => i386::encode(function),
        Platform::Alpha => alpha::encode(function),
    }
}

/// Appends padding between functions until the length is a multiple of `alignment`.
pub(crate) fn pad(platform: Platform, text: &mut Bytes, alignment: u32) {
    let end = text.len().next_multiple_of(alignment);
    match platform {
        Platform::I386 => i386::pad(text, end),
        Platform::Alpha => alpha::pad(text, end),
    }
}
