//! x86-64: the context of a signal.

pub mod context;
