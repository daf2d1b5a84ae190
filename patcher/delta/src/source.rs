//! What an encoder wants coded: the new file, and from where in the old one each part of it is best taken.

use crate::file::File;

/// A stretch of the new file that is like a stretch of the old one: item by item alike, most of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its first byte in the new file.
    pub new_start: u32,
    /// The byte behind its last in the new file.
    pub new_end: u32,
    /// Its first byte in the old file.
    pub old_start: u32,
}

/// The new file, as an encoder knows it.
#[derive(Debug)]
pub struct Source<'a> {
    /// The file, with the old file's checksum if it is computed.
    pub file: &'a File<'a>,
    /// Where the parts come from, in the order of the new file, disjoint.
    pub segments: Vec<Segment>,
    /// Whether both files are plain bytes, though they may be images.
    pub plain: bool,
    /// Whether the contexts of literals are taught the old file first: slower, often smaller.
    pub prime: bool,
    /// Whether the image's Rich header is unmasked.
    pub rich: bool,
    /// Whether the image's checksum is right, so that it can be computed.
    pub checksum: bool,
    /// How many segments lie behind.
    passed: usize,
}

impl<'a> Source<'a> {
    /// Wants a file coded.
    #[must_use]
    pub fn new(file: &'a File<'a>, segments: Vec<Segment>) -> Self {
        Self { file, segments, plain: false, prime: false, rich: false, checksum: false, passed: 0 }
    }

    /// Passes over the segments that end at a position or before; returns the next.
    pub(crate) fn segment(&mut self, at: u32) -> Option<&mut Segment> {
        while self.segments.get(self.passed).is_some_and(|segment| segment.new_end <= at) {
            self.passed += 1;
        }
        self.segments.get_mut(self.passed)
    }

    /// Tells whether a segment begins at a position that does not go on from the old file's position.
    pub(crate) fn jumps(&self, at: u32, old_at: u32) -> bool {
        let near = self.segments.iter().skip(self.passed).take(3);
        near.into_iter().any(|segment| segment.new_start == at && segment.old_start != old_at)
    }
}
