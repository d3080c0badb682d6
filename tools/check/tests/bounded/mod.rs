//! What a call costs: the processor's time, and the most memory that is in use at once.
//!
//! # Invariants
//!
//! 1. The time is that of the calling thread alone: other programs use the processor, too.
//! 2. The memory is that of the whole process, so a process measures one call at a time.

#![expect(unsafe_code, reason = "an allocator that counts")]

use rustix::time::{ClockId, clock_gettime};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// The most memory that the checker takes for a file of up to [`LARGEST`] bytes.
pub(crate) const MEMORY: usize = 64 << 20;

/// The most of the processor's time that it takes for one, compiled with optimisation.
pub(crate) const TIME: Duration = Duration::from_millis(100);

/// Bytes of the largest file that the bounds are for.
pub(crate) const LARGEST: usize = 1 << 20;

/// Bytes in use, and the most that ever were.
static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; only numbers are kept beside.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(now, Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The processor's time that this thread has used.
fn used() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// What `work` costs: time, and bytes beyond those that were in use before.
pub(crate) fn cost(work: impl FnOnce()) -> (Duration, usize) {
    let before = IN_USE.load(Relaxed);
    MOST.store(before, Relaxed);
    let start = used();
    work();
    (used() - start, MOST.load(Relaxed).saturating_sub(before))
}

/// Holds the work on `len` bytes to the bounds.
#[allow(dead_code, reason = "the test of the bounds measures files of its own")]
pub(crate) fn hold(len: usize, work: impl Fn()) {
    let (mut time, memory) = cost(&work);
    // Other programs can make one measurement slow.
    for _ in 0..3 {
        time = if time < TIME { time } else { cost(&work).0 };
    }
    assert!(len > LARGEST || time < TIME, "{time:?}");
    assert!(len > LARGEST || memory < MEMORY, "{memory} bytes of memory");
}
