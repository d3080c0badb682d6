//! The pages that the kernel keeps below the image: a module for each kernel line, because the
//! layout is not an ABI.

pub mod v6_12;

pub use v6_12::*;
