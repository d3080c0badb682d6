//! x86-64: what the checker knows of its registers, instructions and encodings.
//!
//! # Invariants
//!
//! 1. Nothing here knows a rule, a symbol or a file; what is given is instructions and bytes.

pub mod alternative;
pub mod dwarf;
pub mod effect;
pub mod instruction;
pub mod register;
pub mod state;
pub mod stub;
