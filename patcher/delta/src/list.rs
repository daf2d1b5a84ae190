//! The references that the first pass leaves for the second, a few bytes each.
//!
//! ```text
//! tag   bits 0-2  the form of the reference      bits 3-4  its association
//!       bits 5-7  bytes since the last reference, up to 6; 7 if the rest follows as a number
//! then  the association's number, if it has one
//! ```
//! Numbers have seven bits a byte, lowest first. An association's number is the difference of old and new position, less
//! that of the last twin, with the sign in the lowest bit. This lives in memory only and is no part of the format.

use crate::isa::Reference;

/// Where the old file has a reference that is likely the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Association {
    /// Nowhere.
    None,
    /// At this position, by alignment: it is the same reference.
    Twin(u32),
    /// At this position, where the text before was alike.
    Likeness(u32),
}

impl Association {
    /// Returns the position.
    pub(crate) fn position(self) -> Option<u32> {
        match self {
            Self::None => None,
            Self::Twin(at) | Self::Likeness(at) => Some(at),
        }
    }
}

/// A reference of the new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) at: u32,
    pub(crate) reference: Reference,
    pub(crate) association: Association,
}

/// Bytes of a chunk: lists grow without being copied.
const CHUNK: usize = 1 << 15;
/// More than any entry takes.
const LONGEST: usize = 16;

/// References in ascending order of position.
#[derive(Debug, Default)]
pub(crate) struct ReferenceList {
    chunks: Vec<Vec<u8>>,
    cursor: Cursor,
}

/// What entries are relative to.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    at: u32,
    shift: u32,
}

impl ReferenceList {
    /// Appends a reference.
    pub(crate) fn push(&mut self, listed: Listed) {
        let gap = listed.at.wrapping_sub(self.cursor.at);
        self.cursor.at = listed.at;
        let (code, shift) = match listed.association {
            Association::None => (0, None),
            Association::Twin(old) => {
                let shift = old.wrapping_sub(listed.at);
                let change = shift.wrapping_sub(self.cursor.shift);
                self.cursor.shift = shift;
                if change == 0 { (1, None) } else { (2, Some(change)) }
            }
            Association::Likeness(old) => {
                (3, Some(old.wrapping_sub(listed.at).wrapping_sub(self.cursor.shift)))
            }
        };
        if self.chunks.last().is_none_or(|chunk| chunk.len() + LONGEST > CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let Some(chunk) = self.chunks.last_mut() else { return };
        let tag = listed.reference.number() | code << 3 | gap.min(7) << 5;
        chunk.push(u8::try_from(tag).unwrap_or(0));
        if gap >= 7 {
            put(chunk, gap - 7);
        }
        if let Some(shift) = shift {
            let signed = shift.cast_signed();
            put(chunk, (signed << 1 ^ signed >> 31).cast_unsigned());
        }
    }

    /// Returns the references in order.
    pub(crate) fn iter(&self) -> Entries<'_> {
        Entries { chunks: self.chunks.iter(), rest: &[], cursor: Cursor::default() }
    }
}

/// The references of a list, in order.
#[derive(Debug)]
pub(crate) struct Entries<'a> {
    chunks: std::slice::Iter<'a, Vec<u8>>,
    rest: &'a [u8],
    cursor: Cursor,
}

impl Iterator for Entries<'_> {
    type Item = Listed;

    fn next(&mut self) -> Option<Listed> {
        if self.rest.is_empty() {
            self.rest = self.chunks.next()?;
        }
        self.cursor.next(&mut self.rest)
    }
}

impl Cursor {
    fn next(&mut self, rest: &mut &[u8]) -> Option<Listed> {
        let (tag, tail) = rest.split_first()?;
        *rest = tail;
        let gap = match u32::from(*tag >> 5) {
            7 => 7 + take(rest),
            gap => gap,
        };
        self.at = self.at.wrapping_add(gap);
        let here = self.at.wrapping_add(self.shift);
        let mut shifted = || {
            let number = take(rest);
            here.wrapping_add(number >> 1 ^ (number & 1).wrapping_neg())
        };
        let association = match tag >> 3 & 3 {
            0 => Association::None,
            1 => Association::Twin(here),
            2 => Association::Twin(shifted()),
            _ => Association::Likeness(shifted()),
        };
        if let Association::Twin(old) = association {
            self.shift = old.wrapping_sub(self.at);
        }
        Some(Listed { at: self.at, reference: Reference::numbered(u32::from(tag & 7))?, association })
    }
}

fn put(chunk: &mut Vec<u8>, mut number: u32) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            chunk.push(low & 0x7f);
            return;
        }
        chunk.push(low | 0x80);
    }
}

fn take(rest: &mut &[u8]) -> u32 {
    let (mut number, mut shift) = (0, 0);
    while let Some((byte, tail)) = rest.split_first() {
        *rest = tail;
        number |= u32::from(byte & 0x7f) << (shift & 31);
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_comes_back() {
        let listed = |at, reference, association| Listed { at, reference, association };
        let mut all = vec![
            listed(0, Reference::Absolute, Association::None),
            listed(6, Reference::Relative8, Association::Twin(3)),
            listed(13, Reference::Relative32, Association::Twin(10)),
            listed(20, Reference::Low, Association::Likeness(1 << 29)),
            listed(1 << 29, Reference::High, Association::Twin(0)),
        ];
        let many = (0..40_000_u32).map(|n| (1 << 29) + 1 + n * 11);
        all.extend(many.map(|at| listed(at, Reference::Branch, Association::Twin(at ^ 0x3f00))));
        let mut list = ReferenceList::default();
        for listed in &all {
            list.push(*listed);
        }
        assert!(list.chunks.len() > 1);
        assert_eq!(list.iter().collect::<Vec<_>>(), all);
    }
}
