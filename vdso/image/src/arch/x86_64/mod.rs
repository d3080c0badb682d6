//! x86-64: system-call entries, the time-stamp counter, the processor number, and where the data pages are.

mod counter;
mod data;
mod process;
mod processor;
mod restorer;
mod slots;
pub mod user;

pub use counter::counter;
pub use data::{namespace_data, process_data};
pub use processor::processor_and_node;
pub use slots::fallback;
