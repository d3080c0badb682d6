//! What a function does to its stack and its caller's registers, instruction by instruction.
//!
//! The checker follows every path through a function at once, and keeps what it knows on each:
//! which registers and stack slots still hold the caller's values, where the stack pointer is,
//! which registers and flags have a value at all. Where two paths meet, only what both know is
//! kept, and a register counts as set if one of them set it. The code is the image's own, from one
//! compiler and a few macros, so few shapes of instructions need to be understood exactly; all
//! others are taken to write what iced-x86 says that they write.
//!
//! Call-frame information is a claim about these same facts; `unwind-rows` compares the two.
//!
//! # Invariants
//!
//! 1. A fact is forgotten and never invented: an instruction that is not understood leaves its
//!    outputs unknown.
//! 2. The walk ends: what is known at an instruction only shrinks and what is set only grows, and a
//!    stack that differs on two paths stops it.
//! 3. Stores through pointers that do not come from the stack pointer do not change stack slots: no
//!    function hands out the slots in which it keeps its caller's registers.

pub(crate) mod aarch64;
mod judge;
mod secret;
mod walk;

pub(crate) use judge::{Flow, follow};
pub(crate) use secret::leaks;
pub(crate) use walk::{Kind, Surroundings};
