//! Alpha instruction words.
//!
//! ```text
//! memory   opcode 31:26  Ra 25:21  Rb 20:16  displacement 15:0, signed
//! branch   opcode 31:26  Ra 25:21  displacement 20:0, signed, in words from the next instruction
//! operate  opcode 31:26  Ra 25:21  Rb 20:16 or literal 20:13 if bit 12  function 11:5  Rc 4:0
//! float    opcode 31:26  Fa 25:21  Fb 20:16  function 15:5  Fc 4:0
//! ```
//!
//! An address is loaded in two halves: `LDAH Ra, high(Rb)`, then some instruction of memory format with `Ra` as its base
//! and the low half, signed, as its displacement.
//!
//! Source: Alpha Architecture Handbook, chapter 3.

use crate::bits::Bits;
use crate::bytes::u32_at;

/// `LDAH`: adds its displacement times 65536.
pub const LDAH: u32 = 0x09;
/// `BR`: branches and keeps the return address.
pub const BR: u32 = 0x30;
/// `BSR`: the same, as a call.
pub const BSR: u32 = 0x34;
/// `JMP` and its kin.
pub const JMP: u32 = 0x1a;
/// The register that is always zero, and the opcode of none.
pub const ZERO: u32 = 31;
/// How many words a pair of halves may be apart, the first included.
const WINDOW: u32 = 64;

/// The instruction formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Memory, and jumps, whose hints have the place of a displacement.
    Memory,
    /// Branches.
    Branch,
    /// Integer operations.
    Operate,
    /// Floating-point operations.
    Float,
    /// Anything else.
    Other,
}

/// Returns the opcode of a word.
#[inline]
#[must_use]
pub fn opcode(word: u32) -> u32 {
    word >> 26
}

/// Returns the format of a word.
#[inline]
#[must_use]
pub fn format(word: u32) -> Format {
    match opcode(word) {
        0x08..=0x0f | 0x18 | JMP | 0x20..=0x2f => Format::Memory,
        0x10..=0x13 => Format::Operate,
        0x14..=0x17 => Format::Float,
        0x30..=0x3f => Format::Branch,
        _ => Format::Other,
    }
}

/// Tells whether a word loads, stores or computes an address with a base and a 16-bit displacement; `LDAH` does not count.
#[inline]
#[must_use]
pub fn has_base(word: u32) -> bool {
    matches!(opcode(word), 0x08 | 0x0a..=0x0f | 0x20..=0x2f)
}

/// Returns the register of bits 25:21.
#[inline]
#[must_use]
pub fn ra(word: u32) -> u32 {
    word >> 21 & 31
}

/// Returns the register of bits 20:16.
#[inline]
#[must_use]
pub fn rb(word: u32) -> u32 {
    word >> 16 & 31
}

/// Returns the register of bits 4:0.
#[inline]
#[must_use]
pub fn rc(word: u32) -> u32 {
    word & 31
}

/// Tells whether the second operand of an integer operation is a literal.
#[inline]
#[must_use]
pub fn has_literal(word: u32) -> bool {
    word >> 12 & 1 == 1
}

/// Returns the literal of bits 20:13.
#[inline]
#[must_use]
pub fn literal(word: u32) -> u32 {
    word >> 13 & 0xff
}

/// Returns how far a branch leads from the next instruction, in bytes, around the end of the address space.
#[inline]
#[must_use]
pub fn branch_distance(word: u32) -> u32 {
    (((word << 11).cast_signed() >> 11) << 2).cast_unsigned()
}

/// Returns the register that a word writes; [`ZERO`] if none.
#[inline]
#[must_use]
pub fn written(word: u32) -> u32 {
    match opcode(word) {
        0x08..=0x0c | 0x28..=0x2b | JMP | BR | BSR => ra(word),
        0x10..=0x13 => rc(word),
        _ => ZERO,
    }
}

/// Finds the next word that uses the register of the `LDAH` at `at` as its base, before `end`.
#[must_use]
pub fn consumer(bytes: &[u8], at: u32, end: u32) -> Option<u32> {
    let register = ra(u32_at(bytes, at));
    let last = end.min(at.saturating_add(4 * WINDOW));
    let mut words =
        (1..WINDOW).map(|word| at.saturating_add(4 * word)).take_while(|at| at.saturating_add(4) <= last);
    words.find(|at| {
        let word = u32_at(bytes, *at);
        has_base(word) && rb(word) == register
    })
}

/// Finds the word of `high` before `at`, not before `start`, whose register the word at `at` has as its base; `high` are
/// numbers of words.
#[must_use]
pub(crate) fn producer(bytes: &[u8], at: u32, start: u32, high: &Bits) -> Option<u32> {
    let register = rb(u32_at(bytes, at));
    let words = (1..=WINDOW).map_while(|word| at.checked_sub(4 * word)).take_while(|at| *at >= start);
    words.into_iter().find(|at| ra(u32_at(bytes, *at)) == register && high.contains(at / 4))
}
