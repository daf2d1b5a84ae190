//! What is found of a key in an export, and how the keys of sections stand to it.

use std::cmp::Ordering;
use std::ops::Range;

use super::BACKSLASH;
use crate::registry::{LONG_ROOT, ROOT, RegistryKey, RegistryValue, fold_unit};

/// What an export says of a key, and of one value in it, when all its statements have acted.
#[derive(Default)]
pub(super) struct Found<'t> {
    pub(super) has_key: bool,
    pub(super) value: Option<RegistryValue>,
    /// Where the value's data stand: a later value goes there.
    pub(super) data: Option<Range<usize>>,
    /// Where the last line of the key ends: another one goes there.
    pub(super) end: Option<usize>,
    /// All lines of the value; of the key where no value is asked for. What is taken back by a later line stays.
    pub(super) lines: Vec<Range<usize>>,
    /// What was said of things in the key, each with its number, and whether they are there; only where no value is asked
    /// for.
    pub(super) things: Vec<(Thing<'t>, usize, bool)>,
}

impl<'t> Found<'t> {
    /// Notes what is said of a thing in the key.
    pub(super) fn say(&mut self, thing: Thing<'t>, is_there: bool) {
        self.things.push((thing, self.things.len(), is_there));
    }
}

/// How the key of a section stands to the one that is asked for.
#[derive(Clone, Copy)]
pub(super) enum Relation<'t> {
    Same,
    Above,
    /// Below it, by this path.
    Below(&'t [u16]),
    Apart,
}

impl<'t> Relation<'t> {
    pub(super) fn of(path: &'t [u16], key: &RegistryKey) -> Self {
        let (root, mut rest) = split(path);
        if !is_name(root, LONG_ROOT) && !is_name(root, ROOT) {
            return Self::Apart;
        }
        for wanted in key.names() {
            let (name, below) = split(rest);
            if rest.is_empty() {
                return Self::Above;
            }
            if !is_name(name, wanted) {
                return Self::Apart;
            }
            rest = below;
        }
        if rest.is_empty() { Self::Same } else { Self::Below(rest) }
    }
}

/// Cuts a path at its first backslash.
pub(super) fn split(path: &[u16]) -> (&[u16], &[u16]) {
    let end = path.iter().position(|unit| *unit == BACKSLASH).unwrap_or(path.len());
    (path.get(..end).unwrap_or_default(), path.get(end + 1..).unwrap_or_default())
}

pub(super) fn is_name(units: &[u16], name: &str) -> bool {
    units.iter().copied().map(fold_unit).eq(name.encode_utf16().map(fold_unit))
}

/// A thing in a key, by its name.
#[derive(Clone, Copy)]
pub(super) enum Thing<'t> {
    Key(&'t [u16]),
    Value(&'t [u16]),
}

impl Thing<'_> {
    /// Returns what tells it from others, in sequence.
    fn units(&self) -> impl Iterator<Item = u16> {
        let (start, name) = match self {
            Self::Key(name) => (0, name),
            Self::Value(name) => (1, name),
        };
        [start].into_iter().chain(name.iter().copied().map(fold_unit))
    }
}

impl Ord for Thing<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.units().cmp(other.units())
    }
}

impl PartialOrd for Thing<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Thing<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Thing<'_> {}
