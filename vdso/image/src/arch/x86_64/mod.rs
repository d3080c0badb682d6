// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! x86-64: system-call entries, the time-stamp counter, the processor number, ChaCha20, entering
//! enclaves, and where the data pages are.

mod alternative;
mod cancellable;
pub mod chacha;
mod chacha_wide;
mod clock_getres;
mod clock_gettime;
mod counter;
mod data;
mod exception;
mod fixups;
mod getcpu;
mod hypervisor;
mod layout;
mod legacy;
pub mod memory;
mod private;
mod process;
mod restorer;
mod resume;
mod robust;
mod sgx;
mod slots;
mod symbol;
mod time;
pub mod user;

pub use cancellable::cancel_window;
pub use counter::{COUNTER_MODE, counter_since_update};
pub use data::{namespace_data, process_clock, process_data, random_data};
pub use fixups::{code_segment, own_fixups, shadow_stack, stack_segment};
pub use hypervisor::counter_of_mode;
pub use resume::{decline_sites, frame_entry};
pub use slots::fallback;
