//! What an input reaches: the counters that LLVM's SanitizerCoverage puts into programs built with it.
//!
//! Each edge of the program's flow has a counter of eight bits, which goes around. All stand behind one another, and a function
//! that programs are to have is told where, before `main`. How often an edge is passed counts in eight steps: once, twice, three
//! times, up to 7, 15, 31, 127, or more.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Makes the compiler put them there.
pub(crate) const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters";

static START: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);

/// Is told where the counters stand, once for each part of the program, each time the same: the linker joins them.
#[expect(unsafe_code, reason = "the name is known to the compiler")]
// SAFETY: nothing else has this name; programs that are not built with counters never call it.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, end: *mut u8) {
    START.store(start.expose_provenance(), Ordering::Relaxed);
    END.store(end.expose_provenance(), Ordering::Relaxed);
}

/// Which steps of which counters were reached.
#[derive(Debug)]
pub(crate) struct Coverage {
    /// A bit for each step of each counter.
    reached: Vec<u8>,
    edges: usize,
}

impl Coverage {
    /// Begins with nothing reached; none where the program has no counters.
    pub(crate) fn new() -> Option<Self> {
        let count = END.load(Ordering::Relaxed) - START.load(Ordering::Relaxed);
        (count > 0).then(|| Self { reached: vec![0; count], edges: 0 })
    }

    /// Returns how many edges were reached.
    pub(crate) fn edges(&self) -> usize {
        self.edges
    }

    /// Sets all counters to zero.
    pub(crate) fn reset(&self) {
        let (start, count) = (START.load(Ordering::Relaxed), self.reached.len());
        #[expect(unsafe_code, reason = "the counters are the compiler's, not a variable of ours")]
        // SAFETY: they are so many bytes that live as long as the program. Other threads rest, and what this one counts while it is
        // here is of no meaning.
        unsafe {
            std::ptr::with_exposed_provenance_mut::<u8>(start).write_bytes(0, count);
        }
    }

    /// Takes in what was reached since the reset; returns whether anything is new.
    pub(crate) fn learn(&mut self) -> bool {
        let mut is_new = false;
        for (at, step) in self.steps() {
            if let Some(reached) = self.reached.get_mut(at)
                && *reached & step == 0
            {
                self.edges += usize::from(*reached == 0);
                *reached |= step;
                is_new = true;
            }
        }
        is_new
    }

    /// Returns the counters that are not zero and are not known to have reached their step: place and the step's bit.
    ///
    /// Most are zero: they are looked at by eights, and what is left behind the last eight is not.
    pub(crate) fn steps(&self) -> Vec<(usize, u8)> {
        let start = START.load(Ordering::Relaxed);
        let mut steps = Vec::new();
        for (number, reached) in self.reached.as_chunks::<8>().0.iter().enumerate() {
            let first = 8 * number;
            #[expect(unsafe_code, reason = "the counters are the compiler's, not a variable of ours")]
            // SAFETY: as above; they are as many as `reached` has elements.
            let counts = unsafe {
                std::ptr::with_exposed_provenance::<u8>(start).add(first).cast::<[u8; 8]>().read_unaligned()
            };
            if u64::from_ne_bytes(counts) == 0 {
                continue;
            }
            for (at, (count, reached)) in counts.into_iter().zip(reached).enumerate() {
                if count != 0 && reached & step(count) == 0 {
                    steps.push((first + at, step(count)));
                }
            }
        }
        steps
    }
}

fn step(count: u8) -> u8 {
    match count {
        0..=3 => 1 << count.saturating_sub(1),
        4..=7 => 8,
        8..=15 => 16,
        16..=31 => 32,
        32..=127 => 64,
        128.. => 128,
    }
}
