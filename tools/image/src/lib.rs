//! From Rust to an image that a kernel may map: compile, link, sort, strip, judge, and hand over.
//!
//! [`build`] makes both files of the image, [`checked`] lets the checker judge them against the ABI
//! lock, [`lock`] reads and renews that lock, [`embed`] hands an image to a kernel build, and
//! [`stub`] makes the library that programs link with in the image's place.
//!
//! # Invariants
//!
//! 1. The checker has judged every image that leaves this crate by another way than [`build`].

#![forbid(unsafe_code)]

pub mod build;
pub mod checked;
pub mod embed;
mod exception;
mod identity;
pub mod layout;
pub mod lock;
pub mod stub;
