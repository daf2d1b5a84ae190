//! A table whose length is a power of two, so that every index is inside once it is masked.

/// Elements found by a number of which only the low bits count.
#[derive(Clone, Debug)]
pub(crate) struct Table<T>(Box<[T]>);

impl<T: Clone> Table<T> {
    /// Makes a table of at least `len` elements, all alike.
    pub(crate) fn new(len: u32, element: T) -> Self {
        Self(vec![element; len.next_power_of_two() as usize].into())
    }
}

impl<T> Table<T> {
    /// Makes a table of what `element` gives for each index below `len`, a power of two.
    pub(crate) fn from_fn(len: u32, element: impl FnMut(u32) -> T) -> Self {
        debug_assert!(len.is_power_of_two());
        Self((0..len).map(element).collect())
    }

    /// Returns all elements.
    pub(crate) fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// Returns all elements, to be changed.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.0
    }

    /// Returns the element that `index` is masked to.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "masked to the length, which is a power of two and not zero")]
    pub(crate) fn at(&self, index: u32) -> &T {
        &self.0[index as usize & (self.0.len() - 1)]
    }

    /// Returns the element that `index` is masked to, to be changed.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "masked to the length, which is a power of two and not zero")]
    pub(crate) fn at_mut(&mut self, index: u32) -> &mut T {
        &mut self.0[index as usize & (self.0.len() - 1)]
    }
}
