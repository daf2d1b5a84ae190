//! Little-endian numbers in byte slices, by 32-bit positions.
//!
//! Positions in files are 32-bit numbers throughout this crate, so that nothing depends on how wide a machine's own
//! numbers are. What lies outside a slice reads as zero and is not written: positions that matter are checked by those who
//! make them, and a wrong byte ends in the checksum.

/// Returns the length of a slice as a position; files are never longer than 2^30 bytes.
#[must_use]
pub(crate) fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// Returns the byte at a position.
#[inline]
#[must_use]
pub(crate) fn byte(bytes: &[u8], at: u32) -> Option<u8> {
    bytes.get(at as usize).copied()
}

/// Returns `N` bytes from a position on.
#[inline]
fn array<const N: usize>(bytes: &[u8], at: u32) -> Option<[u8; N]> {
    bytes.get(at as usize..)?.first_chunk().copied()
}

/// Reads 32 bits if they are there.
#[inline]
#[must_use]
pub(crate) fn try_u32(bytes: &[u8], at: u32) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// Reads 32 bits; zero if they are not there.
#[inline]
#[must_use]
pub(crate) fn u32_at(bytes: &[u8], at: u32) -> u32 {
    try_u32(bytes, at).unwrap_or(0)
}

/// Reads 16 bits; zero if they are not there.
#[inline]
#[must_use]
pub(crate) fn u16_at(bytes: &[u8], at: u32) -> u16 {
    array(bytes, at).map_or(0, u16::from_le_bytes)
}

/// Writes bytes if they fit.
#[inline]
pub(crate) fn put(bytes: &mut [u8], at: u32, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at as usize..).and_then(|tail| tail.get_mut(..value.len())) {
        place.copy_from_slice(value);
    }
}

/// Writes 32 bits if they fit.
#[inline]
pub(crate) fn put_u32(bytes: &mut [u8], at: u32, value: u32) {
    put(bytes, at, &value.to_le_bytes());
}

/// Writes 16 bits if they fit.
#[inline]
pub(crate) fn put_u16(bytes: &mut [u8], at: u32, value: u16) {
    put(bytes, at, &value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_is_read_or_written() {
        let mut bytes = [1, 2, 3, 4, 5];
        assert_eq!(u32_at(&bytes, 1), 0x0504_0302);
        assert_eq!((u32_at(&bytes, 2), u16_at(&bytes, 4), byte(&bytes, 5)), (0, 0, None));
        put_u32(&mut bytes, 2, 9);
        put_u16(&mut bytes, u32::MAX, 9);
        assert_eq!(bytes, [1, 2, 3, 4, 5]);
        put_u16(&mut bytes, 3, 0x0807);
        assert_eq!(bytes, [1, 2, 3, 7, 8]);
    }
}
