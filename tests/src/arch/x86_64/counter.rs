//! A counter that stands still, so that two images can be asked for the same moment.
//!
//! Images read the TSC at places that their alternatives name. There a test puts a call of a few
//! instructions behind the image that load the counter from the last bytes of the lowest
//! data page, which no image uses.
//!
//! # Invariants
//!
//! 1. Every place that reads the TSC is replaced, or `fix` panics.
//! 2. Only the reading is replaced: `lfence; rdtsc`, or `rdtsc` and a `nop`; what an alternative
//!    has behind it stays.
//! 3. The call changes `rax`, `rdx` and the stack below `rsp`; an image must not keep anything
//!    below `rsp` there.

use crate::arch::alternatives;
use crate::image::{Image, UNUSED};
use liblinux_abi::arch::x86_64::alternative::FEATURE_RDTSCP;
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::datapage::DATA_SIZE;
use std::sync::atomic::Ordering::Relaxed;

/// `call rel32`.
const CALL_SIZE: usize = 5;

/// Replaces the TSC in an image file by the counter that [`set`] sets.
///
/// # Panics
///
/// If no place reads the TSC, or one is too small for a call.
pub fn fix(file: &mut Vec<u8>) {
    file.resize(file.len().next_multiple_of(PAGE_SIZE), 0);
    let thunk = file.len();
    let mut places = 0;
    for place in alternatives::entries(file).iter().filter(|entry| entry.feature == FEATURE_RDTSCP)
    {
        assert!(place.room >= CALL_SIZE, "no room for a call at {:#x}", place.original);
        let end = place.original + CALL_SIZE;
        let distance = i32::try_from(thunk - end).expect("an image is small");
        file[place.original] = 0xe8;
        file[place.original + 1..end].copy_from_slice(&distance.to_le_bytes());
        places += 1;
    }
    assert!(places > 0, "the image reads no TSC");
    // mov eax, [rip + low]; mov edx, [rip + high]; ret.
    for (opcode, field) in [([0x8b, 0x05], 0), ([0x8b, 0x15], 4)] {
        file.extend(opcode);
        let end = file.len() + 4;
        let distance = i32::try_from(end + DATA_SIZE - UNUSED - field).expect("an image is small");
        file.extend((-distance).to_le_bytes());
    }
    file.push(0xc3);
}

/// Sets the counter of an image that was made with [`fix`].
pub fn set(image: &Image, counter: u64) {
    image.unused().store(counter, Relaxed);
}
