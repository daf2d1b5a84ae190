//! Encoders of deltas, the counterpart of [`qfe_patcher::delta`].
//!
//! Pure: old and new file in, bytes out, the same on every machine and with any number of threads. An encoder is
//! not trusted: a delta counts only when the patcher's own decoder makes the new file of it.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use qfe_patcher::delta::{Codec, DeltaError};

use crate::progress::Progress;

mod bsdiff;
pub mod exe;

/// Stack of an encoding thread: the suffix sort of the `bsdiff` crate recurses, deeply on contrived files.
const STACK: usize = 64 << 20;
/// Largest old or new file that is encoded: the suffix sort takes 16 bytes of memory for each byte of the old file.
pub const MAX_ENCODED: usize = 256 << 20;

/// Which deltas are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The smallest of every codec.
    Auto,
    /// None: whole files only.
    Full,
    /// Those of one codec.
    Only(Codec),
}

impl Choice {
    /// Returns the codecs that are tried.
    pub fn codecs(self) -> Vec<Codec> {
        match self {
            Self::Auto => Codec::ALL.to_vec(),
            Self::Full => Vec::new(),
            Self::Only(codec) => vec![codec],
        }
    }
}

/// Why a delta was not made.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A file is too large.
    #[error("a file of {found} bytes is too large for {codec}: at most {limit}", limit = MAX_ENCODED)]
    TooLarge {
        /// The codec.
        codec: Codec,
        /// Its size.
        found: usize,
    },
    /// The encoder failed.
    #[error("{codec} failed")]
    Failed {
        /// The codec.
        codec: Codec,
        /// What it said.
        source: std::io::Error,
    },
    /// What was encoded cannot be decoded.
    #[error("what {codec} encoded cannot be decoded")]
    Undecodable {
        /// The codec.
        codec: Codec,
        /// What the decoder said.
        source: DeltaError,
    },
    /// What was encoded decodes to something else.
    #[error("what {codec} encoded makes another file")]
    Wrong {
        /// The codec.
        codec: Codec,
    },
}

/// An old and a new file.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// What the new file is called, for people.
    pub name: &'a str,
    /// The old file.
    pub old: &'a [u8],
    /// The new file.
    pub new: &'a [u8],
}

/// A delta that has been decoded once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// How it is coded.
    pub codec: Codec,
    /// The delta.
    pub bytes: Vec<u8>,
}

/// Encodes with one codec and proves the result by decoding it.
pub fn encode(codec: Codec, old: &[u8], new: &[u8]) -> Result<Encoded, EncodeError> {
    let found = old.len().max(new.len());
    if found > MAX_ENCODED {
        return Err(EncodeError::TooLarge { codec, found });
    }
    let bytes = match codec {
        Codec::Bsdiff => bsdiff::encode(old, new),
        Codec::Exe => exe::encode(old, new),
    }
    .map_err(|source| EncodeError::Failed { codec, source })?;
    match codec.decode(old.to_vec(), &bytes, new.len() as u64) {
        Ok(decoded) if decoded == new => Ok(Encoded { codec, bytes }),
        Ok(_) => Err(EncodeError::Wrong { codec }),
        Err(source) => Err(EncodeError::Undecodable { codec, source }),
    }
}

/// Encodes with every codec of `choice` and returns the smallest; none if `choice` is [`Choice::Full`].
pub fn smallest(choice: Choice, old: &[u8], new: &[u8]) -> Result<Option<Encoded>, EncodeError> {
    let encoded = choice.codecs().into_iter().map(|codec| encode(codec, old, new));
    let mut encoded = encoded.collect::<Result<Vec<_>, _>>()?;
    // Stable: of equal sizes the oldest codec, which most patchers know.
    encoded.sort_by_key(|encoded| encoded.bytes.len());
    Ok(encoded.into_iter().next())
}

/// Encodes many pairs on `jobs` threads; the results are in the order of the pairs, whatever the threads do.
pub fn encode_all(
    choice: Choice,
    pairs: &[Pair<'_>],
    jobs: usize,
    progress: &dyn Progress,
) -> Vec<Result<Option<Encoded>, EncodeError>> {
    in_order(pairs, jobs, |pair| {
        let encoded = smallest(choice, pair.old, pair.new);
        progress.step(pair.name);
        encoded
    })
}

/// Does work for many things on `jobs` threads; the results are in the order of the things.
pub(crate) fn in_order<T: Sync, R: Send>(things: &[T], jobs: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some((index, thing)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            things.get(index).map(|thing| (index, thing))
        } {
            done.push((index, work(thing)));
        }
        done
    };
    let mut results = thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker);
        // Fewer threads than wished are no failure; what is left is done here.
        let threads: Vec<_> = (0..jobs.clamp(1, things.len().max(1))).filter_map(|n| spawn(n).ok()).collect();
        let mut results = Vec::new();
        for thread in threads {
            results.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        results.extend(worker());
        results
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn the_number_of_threads_does_not_reach_the_result() {
        let files: Vec<Vec<u8>> = (0..9_u8)
            .map(|seed| (0..2000_u16).map(|n| (n % 251).to_le_bytes()[0] ^ seed).collect())
            .collect();
        let pairs: Vec<Pair<'_>> =
            files.windows(2).map(|pair| Pair { name: "x", old: &pair[0], new: &pair[1] }).collect();
        let bytes = |jobs| -> Vec<Encoded> {
            let results = encode_all(Choice::Auto, &pairs, jobs, &Silent);
            results.into_iter().map(|result| result.unwrap().unwrap()).collect()
        };
        assert_eq!(bytes(1).len(), 8);
        assert_eq!(bytes(1), bytes(8));
        assert!(encode_all(Choice::Auto, &[], 4, &Silent).is_empty());
    }

    #[test]
    fn whole_files_only_means_no_delta() {
        assert_eq!(smallest(Choice::Full, b"a", b"b").unwrap(), None);
    }
}
