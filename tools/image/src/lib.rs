//! From Rust to an image that a kernel may map: compile, link, strip, judge, and hand over.
//!
//! [`build`] makes both files of the image, [`checked`] lets the checker judge them against the ABI
//! lock, [`lock`] reads and renews that lock, [`embed`] hands an image to a kernel build, and
//! [`stub`] makes the library that programs link with in the image's place. [`compat`] makes what
//! 32-bit programs need beside the image.
//!
//! # Invariants
//!
//! 1. The checker has judged every image that leaves this crate by another way than [`build`].

#![forbid(unsafe_code)]

pub mod build;
pub mod checked;
pub mod compat;
mod compile;
pub mod embed;
pub mod layout;
mod link;
pub mod lock;
mod recipe;
pub mod stub;

pub use compile::{Compiler, line_flag};
