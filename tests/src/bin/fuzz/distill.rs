//! What of all that was found goes into the project's corpus.

use std::collections::BTreeSet;

use qfe_tests::fuzz::{Target, files};

use crate::child::{Watch, found};
use crate::coverage::Coverage;
use crate::parent::keep;

/// Largest file that is taken, in bytes.
const LARGEST: usize = 6 << 10;
/// Most bytes of a target's files, and most files.
const MOST: usize = 16 << 10;
const MOST_FILES: usize = 24;

/// Steps that an input reaches.
type Steps = BTreeSet<(usize, u8)>;

/// Chooses for a target; returns what was chosen, or why that cannot be.
pub(crate) fn run(target: &'static Target) -> Result<String, String> {
    let mut coverage = Coverage::new().ok_or("--distill wants --guided, too")?;
    let mut watch = Watch::start();
    // Twice: what is made once and kept is reached the first time only.
    for input in [target.corpus(), target.corpus()].concat() {
        coverage.reset();
        watch.call(target, &input);
        coverage.learn();
    }
    let mut candidates: Vec<(Vec<u8>, Steps)> = Vec::new();
    for input in files(found(target)).into_iter().filter(|input| input.len() <= LARGEST) {
        coverage.reset();
        watch.call(target, &input);
        candidates.push((input, coverage.steps().into_iter().collect()));
    }
    let (mut count, mut size) = (0, 0);
    // The one that reaches most for its size comes first; of small ones, the one that reaches most.
    while let Some(best) = (0..candidates.len()).max_by_key(|index| {
        candidates.get(*index).map_or(0, |(input, steps)| steps.len() * 1000 / (input.len() + 1024))
    }) {
        let (input, steps) = candidates.swap_remove(best);
        if steps.is_empty() || size + input.len() > MOST || count == MOST_FILES {
            break;
        }
        keep(&target.folder(), &input)?;
        (count, size) = (count + 1, size + input.len());
        for (_, rest) in &mut candidates {
            rest.retain(|step| !steps.contains(step));
        }
    }
    Ok(format!("{:18} {count} inputs of {size} bytes more", target.name))
}
