//! Trains the initial state of the model of exe deltas on pairs of files, and measures what it is worth.

use std::io;
use std::sync::Mutex;
use std::thread;

use qfe_delta::start::Start;
use qfe_delta::training::Training;

use super::coder::Encoder;
use super::{Attempt, WORTH_PRIMING};

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
        let training = Mutex::new(Ordered { training: Training::new(start.clone()), next: 0 });
        each(examples, |number, example| {
            let learned = Attempt::of_images(&example.old, &example.new).encode_from(start.clone(), false)?;
            loop {
                // In the order of examples: sums of fractions depend on it.
                let mut ordered = training.lock().map_err(|_| io::Error::other("another thread panicked"))?;
                if ordered.next == number {
                    ordered.next += 1;
                    if let Some(mut learned) = learned {
                        ordered.training.add(&mut learned);
                    }
                    return Ok(());
                }
                drop(ordered);
                thread::sleep(std::time::Duration::from_millis(5));
            }
        })?;
        let ordered = training.into_inner().map_err(|_| io::Error::other("another thread panicked"))?;
        file = ordered.training.write(|| Encoder::after(&[]), |encoder| encoder.finish(0));
    }
    Ok(file)
}

struct Ordered {
    training: Training,
    next: usize,
}

/// Encodes all from a start; returns the size of each delta.
pub fn measure(examples: &[&Example], start: &Start) -> io::Result<Vec<usize>> {
    each(examples, |_, example| {
        let attempt = Attempt::of_images(&example.old, &example.new);
        let size = |prime| -> io::Result<usize> {
            let models = attempt.encode_from(start.clone(), prime)?;
            Ok(models.map_or(example.new.len(), |models| models.into_coder().finish(3).len()))
        };
        let size_unprimed = size(false)?;
        if size_unprimed < WORTH_PRIMING { Ok(size_unprimed) } else { Ok(size_unprimed.min(size(true)?)) }
    })
}

/// Does work for each example on two threads.
fn each<T: Send>(
    examples: &[&Example],
    work: impl Fn(usize, &Example) -> io::Result<T> + Sync,
) -> io::Result<Vec<T>> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let worker = || -> io::Result<Vec<(usize, T)>> {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(example) = examples.get(number) else { return Ok(done) };
            done.push((number, work(number, example)?));
        }
    };
    let mut all = thread::scope(|scope| -> io::Result<Vec<_>> {
        let other = scope.spawn(worker);
        let mut done = worker()?;
        done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        Ok(done)
    })?;
    all.sort_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, result)| result).collect())
}
