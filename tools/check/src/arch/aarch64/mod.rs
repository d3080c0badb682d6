//! arm64: its instructions, as yaxpeax-arm decodes them, and what they do to the caller's registers
//! and the stack.
//!
//! What is followed: the stack pointer, `x19` to `x29`, and the return address, also while
//! `paciasp` has signed it. What is not: vector registers, of which callers keep the lower halves
//! of `v8` to `v15`.

pub(crate) mod instruction;
pub(crate) mod state;
