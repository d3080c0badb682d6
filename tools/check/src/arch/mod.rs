//! What differs between architectures: registers, instructions, the encodings of stubs, and the
//! table of alternatives.
//!
//! The rules, the view and the walk through code ask these modules and write no register, byte of
//! code or feature number of an architecture themselves.

pub(crate) mod aarch64;
pub mod x86_64;

pub use x86_64::{alternative, dwarf, effect, instruction, register, state, stub};
