// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Code that depends on the processor, a folder for each architecture, behind one contract.
//!
//! The rest of the image asks for these names and no others. An architecture gives all of them:
//!
//! | name | is |
//! |---|---|
//! | [`process_data`], [`process_clock`], [`namespace_data`], [`random_data`] | the data pages below the image |
//! | [`COUNTER_MODE`], [`counter_since_update`] | the counter of the fast path, and its clock mode |
//! | [`counter_of_mode`] | every counter that user space can read, by its clock mode |
//! | [`fallback`] | the standard functions' system calls, by a jump to their slots |
//! | [`user`] | loads and stores of the caller's memory; after a fault they return an error |
//! | [`memory`] | the same as the registry of fixups asks for them, and the private calls |
//! | [`chacha`] | ChaCha20 blocks, without a trace on the stack |
//! | [`cancel_window`] | where a cancellable call can be called off |
//! | [`code_segment`], [`stack_segment`], [`shadow_stack`], [`own_fixups`] | the facts that dispatch compares an interrupted thread with |
//! | [`frame_entry`], [`decline_sites`] | where a thread that dispatch sends to a landing completes its frame, and where landings decline |
//!
//! Entries that are assembly (system calls, `clock_gettime`, `time`, `clock_getres`, `getcpu`, SGX)
//! need no name here: the linker script and the version script name them.

#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "x86_64")]
use x86_64 as native;

pub use native::{
    COUNTER_MODE, cancel_window, chacha, code_segment, counter_of_mode, counter_since_update,
    decline_sites, fallback, frame_entry, memory, namespace_data, own_fixups, process_clock,
    process_data, random_data, shadow_stack, stack_segment, user,
};
