//! The task table: every developer command is `cargo xtask NAME`.

fn main() {}
