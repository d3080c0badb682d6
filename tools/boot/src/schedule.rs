//! The order of the guests: some run at once, some behind another.
//!
//! # Invariants
//!
//! 1. Every case runs once; its result stands where the case does.

use crate::case::Case;
use crate::verdict::Verdict;
use std::sync::Mutex;

/// Runs `work` on every case, as many at once as there are CPUs, and a case that follows another
/// behind that one; the results in the cases' order.
pub(crate) fn in_parallel(cases: &[Case], work: impl Fn(&Case) -> Verdict + Sync) -> Vec<Verdict> {
    let numbered = || cases.iter().enumerate();
    let next = Mutex::new(numbered().filter(|(_, case)| case.follows.is_none()));
    let results = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(cases.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    // A panic in `work` ends the scope; the locks are never held across it.
                    let Some(first) = next.lock().expect("never poisoned").next() else { break };
                    let behind =
                        numbered().filter(|(_, case)| case.follows.as_ref() == Some(&first.1.name));
                    for (index, case) in [first].into_iter().chain(behind) {
                        let verdict = work(case);
                        results.lock().expect("never poisoned").push((index, verdict));
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().expect("never poisoned");
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, verdict)| verdict).collect()
}
