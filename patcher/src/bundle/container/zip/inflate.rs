//! Deflated data of which both sizes are known.

use flate2::{Decompress, FlushDecompress, Status};

use super::super::{ContainerError, Source};
use super::{read_next, to_usize};

/// How much is read at once.
const STEP: u64 = 64 << 10;
/// The most bytes that deflate makes of one.
const MOST_EXPANSION: u64 = 1032;

/// Inflates the next `packed` bytes of a source, which make exactly `size`.
pub(super) fn inflate(
    source: &mut dyn Source,
    packed: u64,
    size: u64,
    wrong: impl Fn(String) -> ContainerError,
) -> Result<Vec<u8>, ContainerError> {
    // A size that is a lie must not take memory.
    if size > packed.saturating_mul(MOST_EXPANSION) {
        return Err(wrong(format!("its size is {size}, which {packed} deflated bytes cannot make")));
    }
    let endless = || wrong(format!("its {packed} deflated bytes do not end after {size}"));
    let room = to_usize(size)?;
    let mut bytes = Vec::with_capacity(room);
    let mut decoder = Decompress::new(false);
    let mut left = packed;
    while left > 0 {
        let step = read_next(source, to_usize(left.min(STEP))?)?;
        left -= step.len() as u64;
        let mut input = step.as_slice();
        loop {
            let (read, made) = (decoder.total_in(), decoder.total_out());
            let status = decoder
                .decompress_vec(input, &mut bytes, FlushDecompress::None)
                .map_err(|_| wrong("its bytes are not deflated".to_owned()))?;
            let used = to_usize(decoder.total_in() - read)?;
            input = input.get(used..).unwrap_or_default();
            match status {
                Status::StreamEnd if left > 0 || !input.is_empty() => {
                    let behind = left + input.len() as u64;
                    return Err(wrong(format!("{behind} bytes follow the end of its deflated data")));
                }
                Status::StreamEnd if bytes.len() == room => return Ok(bytes),
                Status::StreamEnd => {
                    return Err(wrong(format!("it has {} bytes, the directory says {size}", bytes.len())));
                }
                Status::Ok | Status::BufError if used == 0 && decoder.total_out() == made => {
                    if input.is_empty() {
                        break;
                    }
                    return Err(endless());
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }
    Err(endless())
}
