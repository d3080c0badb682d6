//! What the tests of the image share: an image loaded from its file, and a way to make children
//! through its entries.
//!
//! The image is tested through its ABI alone: a file is mapped as the kernel would map it, and
//! entries are found by name. Nothing here links against the image's crate.

pub mod arch;
pub mod bench;
pub mod child;
pub mod fixup;
pub mod image;
pub mod kernel;
pub mod random;
pub mod refuse;
pub mod stop;
pub mod synthetic;
pub mod update;

/// The README, whose Rust is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
