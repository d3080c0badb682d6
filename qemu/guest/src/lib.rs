//! What runs inside the booted guest, and how it is judged there.
//!
//! The guest answers one question: do programs that were written for any vDSO work with the image
//! that this kernel maps? The programs are therefore unmodified, and everything about them is
//! learnt from outside. `init` starts each under ptrace, stops it as it exits, and reads which
//! image it had at `AT_SYSINFO_EHDR` and which of the image's functions its libc or language
//! runtime had resolved ([`observer`]). Whether the image's answers are right is decided by bare
//! `syscall` instructions ([`bare`]): around each clock reading, and beside each system-call entry
//! ([`sweep`]).
//!
//! All of it also runs on a developer's own machine, against the running kernel's vDSO, as the
//! tests do.
//!
//! # Invariants
//!
//! 1. Nothing here trusts the image to judge itself: every reference value comes from a `syscall`
//!    instruction in this crate.
//! 2. A program that showed nothing fails: no clock line, no resolved function and no compared call
//!    are failures.
//! 3. The verdict ([`ktap`]) is well-formed whatever a program does, and each line is written when
//!    it is known.

pub mod bare;
pub mod bracket;
pub mod criu;
pub mod filter;
pub mod handover;
pub mod image;
pub mod jit;
pub mod ktap;
pub mod limit;
pub mod machine;
pub mod namespace;
pub mod observer;
pub mod plugin;
pub mod query;
pub mod relay;
pub mod selftest;
pub mod session;
pub mod sweep;
pub mod verdict;
pub mod words;

mod arch;
