//! x86-64: system-call entries, the time-stamp counter, the processor number, ChaCha20, and where the data pages are.

pub mod chacha;
mod chacha_wide;
mod counter;
mod data;
mod process;
mod processor;
mod restorer;
mod slots;
pub mod user;

pub use counter::counter;
pub use data::{hvclock_page, namespace_data, process_data, pvclock_page};
pub use processor::processor_and_node;
pub use slots::fallback;
