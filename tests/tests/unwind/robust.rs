//! Unlocking a robust futex: held by the caller, and by another thread.

use crate::walk::Walk;
use liblinux_abi::image::export::ROBUST;

/// The caller's thread id.
const OWNER: u32 = 7;

pub(crate) fn calls(walk: &mut Walk<'_>) {
    let (lock, pending) = (walk.page(), walk.page() as u64 + 64);
    for name in ROBUST {
        for held in [OWNER, OWNER + 1] {
            walk.stepper.write(lock, &held.to_ne_bytes());
            let result = walk.call(name, &[lock as u64, OWNER.into(), pending]);
            assert_eq!(result.map(|word| word as u32), Some(held), "{name}");
        }
    }
}
