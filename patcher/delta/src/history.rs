//! What happened lately in the first pass.

/// Factor of the polynomial by which the last items are hashed.
const FACTOR: u32 = 0x9e37_79b1;

/// The items and decisions that led here.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// For each item, the newest lowest: whether it was as predicted.
    pub(crate) hits: u32,
    /// How many items in a row were.
    pub(crate) run: u32,
    /// What was done where they were not, two bits each.
    pub(crate) operations: u32,
    /// Hashes of the last 16 items.
    items: [u32; 16],
    count: u32,
    /// What the last items were, roughly; the newest first.
    pub(crate) forms: [u32; 3],
}

impl History {
    /// Adds an item.
    #[inline]
    pub(crate) fn push(&mut self, item: u32) {
        if let Some(place) = self.items.get_mut((self.count & 15) as usize) {
            *place = item;
        }
        self.count = self.count.wrapping_add(1);
    }

    /// Returns the hash of the item `back` items ago, from 1 to 16.
    #[inline]
    fn item(&self, back: u32) -> u32 {
        self.items.get((self.count.wrapping_sub(back) & 15) as usize).copied().unwrap_or(0)
    }

    /// Returns the hash of the last item.
    #[inline]
    pub(crate) fn last(&self) -> u32 {
        self.item(1)
    }

    /// Hashes the last `len` items; none before so many have come.
    pub(crate) fn key(&self, len: u32) -> Option<u32> {
        let hash = |key: u32, back: u32| key.wrapping_mul(FACTOR).wrapping_add(self.item(back));
        (self.count >= len).then(|| (1..=len).rev().fold(len, hash))
    }

    /// Adds what an item was.
    #[inline]
    pub(crate) fn step(&mut self, form: u32) {
        let [first, second, _] = self.forms;
        self.forms = [form, first, second];
    }
}

/// Returns which of 15 ranges a length lies in.
#[inline]
pub(crate) fn range(length: u32) -> u32 {
    match length {
        0..=7 => length,
        8..=11 => 8,
        12..=15 => 9,
        16..=31 => 10,
        32..=63 => 11,
        64..=255 => 12,
        256..=1023 => 13,
        _ => 14,
    }
}
