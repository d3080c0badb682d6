//! x86-64: the context of a signal.

pub mod cancel;
pub mod context;
