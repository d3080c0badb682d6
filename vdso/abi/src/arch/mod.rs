//! Facts of one architecture, a module for each.

pub mod x86_64;
