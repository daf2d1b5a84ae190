//! Trains the initial state of the model of exe deltas on pairs of files, and measures what it is worth.

use std::io;
use std::thread;

use qfe_delta::start::Start;
use qfe_delta::training::Training;

use super::super::in_order;
use super::coder::Encoder;
use super::{Attempt, encode_from};

/// An old and a new file to learn from.
#[derive(Clone, Debug)]
pub struct Example {
    /// What program it is, without its version: what is measured is never trained on.
    pub family: String,
    /// Which examples are counted together.
    pub group: String,
    /// The old file.
    pub old: Vec<u8>,
    /// The new file.
    pub new: Vec<u8>,
}

/// Trains in some rounds, each from what the round before found; returns the file for [`Start::new`].
pub fn train(examples: &[&Example], rounds: u32) -> io::Result<Vec<u8>> {
    let mut file = Vec::new();
    for _ in 0..rounds {
        let start = Start::new(file);
        let mut training = Training::new(start.clone());
        // Learned state is large: no more of it at a time than there are threads.
        for some in examples.chunks(jobs()) {
            let encoded = in_order(some, jobs(), |example| {
                Attempt::of_images(&example.old, &example.new).encode(&start, false)
            });
            for learned in encoded {
                if let Some(mut learned) = learned? {
                    training.add(&mut learned);
                }
            }
        }
        file = training.write(|| Encoder::after(&[]), |encoder| encoder.finish(0));
    }
    Ok(file)
}

/// Encodes all from a start; returns the size of each delta.
pub fn measure(examples: &[&Example], start: &Start) -> io::Result<Vec<usize>> {
    let sizes = in_order(examples, jobs(), |example| {
        encode_from(start, &example.old, &example.new).map(|delta| delta.len())
    });
    sizes.into_iter().collect()
}

/// Returns how many examples are encoded at a time.
fn jobs() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
