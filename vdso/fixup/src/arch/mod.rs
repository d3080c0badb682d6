//! Code that depends on the processor, a folder for each architecture.

mod x86_64;

pub use x86_64::{cancel, context};
