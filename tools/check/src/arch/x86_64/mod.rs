//! x86-64: what the checker knows of its registers, instructions and encodings.
//!
//! # Invariants
//!
//! 1. These modules take instructions and bytes; they know no rule, symbol or file.

pub mod alternative;
pub mod dwarf;
pub mod effect;
pub mod instruction;
pub mod register;
pub mod state;
pub mod stub;
