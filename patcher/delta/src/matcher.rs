//! The match pointer: where text like the last items was seen before, and what followed there.
//!
//! Two hash tables lead from the last few items, and from more of them, to the place behind their latest occurrence: in
//! the old file, of which all is known, or in what was new in the new file.

use crate::bytes::byte;
use crate::file::File;
use crate::history::History;
use crate::isa::{Isa, Item, ItemKind};

/// Place in one of both files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Old(u32),
    New(u32),
}

impl Place {
    /// Returns the position, if it is in the old file.
    pub(crate) fn old(self) -> Option<u32> {
        match self {
            Self::Old(at) => Some(at),
            Self::New(_) => None,
        }
    }
}

/// Follows what is alike.
#[derive(Debug)]
pub(crate) struct Matcher {
    short: Index,
    long: Index,
    old_size: u32,
    /// Where the text goes on that is alike.
    pub(crate) at: Option<Place>,
    /// How long it has been alike.
    pub(crate) length: u32,
    /// How often it was not since the pointer was set.
    misses: u32,
}

/// How many items are hashed: few, and more.
fn lengths(isa: Isa) -> (u32, u32) {
    match isa {
        Isa::Data => (6, 14),
        Isa::I386 | Isa::Alpha => (3, 6),
    }
}

/// How often a match may fail and still be followed.
const PATIENCE: u32 = 8;

impl Matcher {
    /// Begins with all places of the old file.
    pub(crate) fn new(old: &File<'_>, new_size: u32) -> Self {
        let old_size = old.size();
        let bits = old_size.saturating_add(new_size).checked_ilog2().unwrap_or(0).clamp(10, 18);
        let mut matcher = Self {
            short: Index::new(bits),
            long: Index::new(bits),
            old_size,
            at: None,
            length: 0,
            misses: 0,
        };
        for region in &old.regions {
            let mut history = History::default();
            let mut at = region.start;
            while at < region.end {
                let mut item = old.item(at, region);
                if item.kind == ItemKind::Rva {
                    item = Item::BYTE;
                }
                matcher.insert(&history, region.isa, at);
                history.push(item.hash(&item.body(old.bytes, at)));
                at += item.size();
            }
        }
        matcher
    }

    fn insert(&mut self, history: &History, isa: Isa, place: u32) {
        let (few, more) = lengths(isa);
        if let Some(key) = history.key(few) {
            self.short.insert(key, place);
        }
        if let Some(key) = history.key(more) {
            self.long.insert(key, place);
        }
    }

    /// Looks for a better place unless the present one is good.
    pub(crate) fn find(&mut self, history: &History, isa: Isa) {
        if self.at.is_some() && self.length >= 2 {
            return;
        }
        let (few, more) = lengths(isa);
        let look = |index: &Index, len: u32| {
            let place = history.key(len).and_then(|key| index.find(key))?;
            Some((place.checked_sub(self.old_size).map_or(Place::Old(place), Place::New), len))
        };
        if let Some((place, length)) = look(&self.long, more).or_else(|| look(&self.short, few))
            && self.at != Some(place)
        {
            (self.at, self.length, self.misses) = (Some(place), length, 0);
        }
    }

    /// Looks for a better place, then remembers a position of the new file.
    pub(crate) fn find_and_insert(&mut self, history: &History, isa: Isa, new_at: u32) {
        self.find(history, isa);
        self.insert(history, isa, self.old_size.saturating_add(new_at));
    }

    /// Returns the position in the old file, if the pointer is there.
    pub(crate) fn old(&self) -> Option<u32> {
        self.at.and_then(Place::old)
    }

    /// Returns the byte at the pointer.
    #[inline]
    pub(crate) fn byte(&self, old: &[u8], new: &[u8]) -> Option<u32> {
        let found = match self.at? {
            Place::Old(at) => byte(old, at),
            Place::New(at) => byte(new, at),
        };
        found.map(u32::from)
    }

    /// Loses the pointer.
    pub(crate) fn lose(&mut self) {
        (self.at, self.length) = (None, 0);
    }

    /// Loses the pointer but not how long it was right.
    pub(crate) fn let_go(&mut self) {
        self.at = None;
    }

    /// Goes on.
    #[inline]
    pub(crate) fn skip(&mut self, len: u32) {
        self.at = match self.at {
            Some(Place::Old(at)) => Some(Place::Old(at.saturating_add(len))),
            Some(Place::New(at)) => Some(Place::New(at.saturating_add(len))),
            None => None,
        };
    }

    /// Goes on over what was alike.
    #[inline]
    pub(crate) fn hit(&mut self, len: u32) {
        self.skip(len);
        self.length = self.length.saturating_add(1);
    }

    /// Goes on over what was not alike, a few times.
    pub(crate) fn miss(&mut self, len: u32) {
        self.skip(len);
        self.length /= 2;
        self.misses += 1;
        if self.misses > PATIENCE {
            self.lose();
        }
    }
}

/// A hash table of places; place 0 is none.
#[derive(Debug)]
struct Index {
    places: Vec<u32>,
    shift: u32,
}

impl Index {
    fn new(bits: u32) -> Self {
        Self { places: vec![0; 1 << bits], shift: 32 - bits }
    }

    fn slot(&self, key: u32) -> usize {
        ((key ^ key >> 16).wrapping_mul(0x85eb_ca6b) >> self.shift) as usize
    }

    fn insert(&mut self, key: u32, place: u32) {
        let slot = self.slot(key);
        if let Some(found) = self.places.get_mut(slot) {
            *found = place;
        }
    }

    fn find(&self, key: u32) -> Option<u32> {
        self.places.get(self.slot(key)).copied().filter(|place| *place != 0)
    }
}
