//! The allocator: that of the system, which counts, and ends the process where an input takes too much.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::abort;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most bytes that may be in use beyond what was before.
const LIMIT: usize = 256 << 20;

/// Bytes in use.
static USED: AtomicUsize = AtomicUsize::new(0);
/// Bytes at which the process ends; without a bound between inputs.
static END: AtomicUsize = AtomicUsize::new(usize::MAX);
/// Most bytes in use since inputs are counted.
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The allocator.
pub(crate) struct Bounded;

/// Bounds what is allocated from now on; returns what is in use.
pub(crate) fn bound() -> usize {
    let used = USED.load(Ordering::Relaxed);
    PEAK.store(used, Ordering::Relaxed);
    END.store(used.saturating_add(LIMIT), Ordering::Relaxed);
    used
}

/// Ends the bound; returns the most bytes that were in use under it.
pub(crate) fn unbound() -> usize {
    END.store(usize::MAX, Ordering::Relaxed);
    PEAK.load(Ordering::Relaxed)
}

fn take(size: usize) {
    let used = USED.fetch_add(size, Ordering::Relaxed).saturating_add(size);
    PEAK.fetch_max(used, Ordering::Relaxed);
    if used > END.load(Ordering::Relaxed) {
        // What is written here may allocate.
        END.store(usize::MAX, Ordering::Relaxed);
        eprintln!(
            "the input takes more than {} MiB of memory: {size} bytes more were asked for",
            LIMIT >> 20
        );
        abort();
    }
}

fn give_back(size: usize) {
    USED.fetch_sub(size, Ordering::Relaxed);
}

#[expect(unsafe_code, reason = "the trait is unsafe; all is left to the system's allocator")]
// SAFETY: every call goes on to the system's allocator as it is; what is done beside it neither allocates nor unwinds.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: what the caller promises is what is wanted.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: as above; it came from the system's allocator.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        give_back(layout.size());
        take(size);
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}
