//! The checksum of old and new file in a delta's head: half of a CRC-32 (ISO-HDLC), as in gzip.
//!
//! It tells a wrong old file, and damage by chance; bundles state whole digests of both files beside every delta.

/// The reflected polynomial.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// The checksum of what has come so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checksum(u32);

impl Checksum {
    /// Begins with an old file.
    pub(crate) fn of(old: &[u8]) -> Self {
        Self(u32::MAX).add(old)
    }

    /// Goes on with a new file and ends.
    pub(crate) fn and(self, new: &[u8]) -> u16 {
        let [low, high, ..] = (!self.add(new).0).to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    fn add(self, bytes: &[u8]) -> Self {
        let remainder_of = |byte: u32| {
            (0..8).fold(byte, |remainder, _| remainder >> 1 ^ if remainder & 1 == 1 { POLYNOMIAL } else { 0 })
        };
        let remainders: Vec<u32> = (0..256).map(remainder_of).collect();
        let step = |sum: u32, byte: &u8| {
            let index = (sum ^ u32::from(*byte)) & 0xff;
            sum >> 8 ^ remainders.get(index as usize).copied().unwrap_or(0)
        };
        Self(bytes.iter().fold(self.0, step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue_comes_out() {
        // 0xcbf43926
        assert_eq!(Checksum::of(b"").and(b"123456789"), 0x3926);
        assert_eq!(Checksum::of(b"1234").and(b"56789"), 0x3926);
    }
}
