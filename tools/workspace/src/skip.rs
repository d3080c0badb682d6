//! A test that cannot run on this machine says so.
//!
//! # Invariants
//!
//! 1. The line begins with `skipped: `, by which `cargo xtask test` counts it, whatever the test
//!    runner has printed before. It is written past the runner, which shows the output of failed
//!    tests alone.

use std::io::{Write as _, stdout};

/// Says that the present test is skipped, and why.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let line = format!("\nskipped: {}: {why}\n", thread.name().unwrap_or("a test"));
    // A closed output has no reader who could miss it.
    let _ = stdout().write_all(line.as_bytes());
}
