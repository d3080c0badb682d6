//! The workspace as its tools see it: where files are, which kernels there are, and how to run a
//! program.
//!
//! Every path of the repository and of `target/` that more than one crate knows is a method of
//! [`Workspace`], every kernel line is a row of [`line::LINES`], and what the tools know of the
//! architecture is [`ARCHITECTURE`]. Tools and tests ask here, so a file moves in one place.
//!
//! # Invariants
//!
//! 1. A path below the top folder is written in this crate once, and in no other crate.

#![forbid(unsafe_code)]

pub mod architecture;
pub mod command;
pub mod line;
mod paths;
pub mod product;
pub mod signals;
pub mod skip;

pub use architecture::ARCHITECTURE;
pub use line::Line;
pub use paths::Workspace;
