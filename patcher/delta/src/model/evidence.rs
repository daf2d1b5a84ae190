//! What a caller knows about a symbol before it is coded.

use super::slots::hash;

/// Most contexts of a predictor.
pub(crate) const MAX_CONTEXTS: usize = 21;
/// Most expectations of a predictor.
pub(crate) const MAX_EXPECTATIONS: usize = 4;
/// Most selectors of a predictor.
pub(crate) const MAX_SELECTORS: usize = 3;
/// Most direct counters of a predictor.
pub(crate) const MAX_DIRECT: usize = 5;

/// A symbol that may come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expectation {
    pub(crate) symbol: Option<u32>,
    /// In what circumstances it is expected: they decide how far it is to be trusted. Below 1024.
    pub(crate) circumstances: u32,
}

/// A list of a few elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Few<T, const N: usize> {
    elements: [T; N],
    len: usize,
}

impl<T: Copy + Default, const N: usize> Few<T, N> {
    fn push(&mut self, element: T) {
        debug_assert!(self.len < N, "more evidence than a predictor takes");
        if let Some(place) = self.elements.get_mut(self.len) {
            *place = element;
            self.len += 1;
        }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        self.elements.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        self.elements.get_mut(..self.len).unwrap_or_default()
    }
}

impl<T: Copy + Default, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Self { elements: [T::default(); N], len: 0 }
    }
}

/// The evidence for one symbol. What is added must agree with the predictor's [`super::Shape`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    /// Keeps contexts of different classes apart.
    salt: u32,
    /// Hashes under which symbols have been seen.
    pub(crate) contexts: Few<u32, MAX_CONTEXTS>,
    pub(crate) expectations: Few<Expectation, MAX_EXPECTATIONS>,
    /// Which weights mix.
    pub(crate) selectors: Few<u32, MAX_SELECTORS>,
    /// Numbers of counters that need no hash.
    pub(crate) direct: Few<u32, MAX_DIRECT>,
    /// Which row refines the result.
    pub(crate) refinement: u32,
}

impl Evidence {
    /// Begins without any; contexts are hashed with their number and the salt.
    #[inline]
    pub(crate) fn new(salt: u32) -> Self {
        Self {
            salt,
            contexts: Few::default(),
            expectations: Few::default(),
            selectors: Few::default(),
            direct: Few::default(),
            refinement: 0,
        }
    }

    /// Adds a context of two numbers; the same numbers in another place are another context.
    #[inline]
    pub(crate) fn context(&mut self, a: u32, b: u32) {
        let place = u32::try_from(self.contexts.len).unwrap_or(0).wrapping_add(self.salt);
        self.contexts.push(hash(hash(a, b), place));
    }

    /// Adds an expectation; none is an input that says nothing.
    #[inline]
    pub(crate) fn expect(&mut self, symbol: Option<u32>, circumstances: u32) {
        self.expectations.push(Expectation { symbol, circumstances });
    }

    /// Adds a selector.
    #[inline]
    pub(crate) fn select(&mut self, selector: u32) {
        self.selectors.push(selector);
    }

    /// Adds a direct counter.
    #[inline]
    pub(crate) fn count(&mut self, counter: u32) {
        self.direct.push(counter);
    }

    /// Names the row that refines.
    #[inline]
    pub(crate) fn refine(&mut self, row: u32) {
        self.refinement = row;
    }
}
