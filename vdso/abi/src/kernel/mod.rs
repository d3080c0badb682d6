//! What the kernel promises on every architecture: error numbers, clocks, random numbers, and its data pages.

pub mod clock;
pub mod clone;
pub mod datapage;
pub mod errno;
pub mod random;
