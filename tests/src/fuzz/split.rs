//! Inputs of two parts.
//!
//! ```text
//! offset  size  what
//!      0     4  the first part's length n, little-endian; as much as is there, if it is more
//!      4     n  the first part
//!    4+n   ...  the second part
//! ```

/// Splits an input into its parts; every input has them.
pub fn split(input: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = input.split_first_chunk() else { return (&[], input) };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    rest.split_at(length.min(rest.len()))
}

/// Joins two parts to an input.
pub fn join(first: &[u8], second: &[u8]) -> Vec<u8> {
    let length = u32::try_from(first.len()).expect("parts are small");
    [&length.to_le_bytes(), first, second].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_has_two_parts() {
        assert_eq!(split(&join(b"one", b"two")), (&b"one"[..], &b"two"[..]));
        assert_eq!(split(b""), (&b""[..], &b""[..]));
        assert_eq!(split(b"abc"), (&b""[..], &b"abc"[..]));
        assert_eq!(split(b"\xff\xff\xff\xffall"), (&b"all"[..], &b""[..]));
    }
}
