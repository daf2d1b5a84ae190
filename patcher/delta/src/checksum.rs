//! The checksum of old and new file in a delta's head: CRC-32 (ISO-HDLC), as in gzip.

/// The reflected polynomial.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// Computes the checksum of several slices, as if they were one.
#[must_use]
pub(crate) fn crc32(parts: &[&[u8]]) -> u32 {
    let remainder_of = |byte: u32| {
        (0..8).fold(byte, |remainder, _| remainder >> 1 ^ if remainder & 1 == 1 { POLYNOMIAL } else { 0 })
    };
    let remainders: Vec<u32> = (0..256).map(remainder_of).collect();
    let step = |sum: u32, byte: &u8| {
        let index = (sum ^ u32::from(*byte)) & 0xff;
        sum >> 8 ^ remainders.get(index as usize).copied().unwrap_or(0)
    };
    !parts.iter().copied().flatten().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue_comes_out() {
        assert_eq!(crc32(&[b"123456789"]), 0xcbf4_3926);
        assert_eq!(crc32(&[b"1234", b"", b"56789"]), 0xcbf4_3926);
    }
}
