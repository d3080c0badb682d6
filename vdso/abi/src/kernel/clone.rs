//! What decides whether a new process shares its parent's memory and stack.
//!
//! Source: `include/uapi/linux/sched.h` of Linux 6.12.

/// `CLONE_VM`: parent and child share memory.
pub const CLONE_VM: u32 = 0x100;

/// Offset of `flags` in `struct clone_args`.
pub const CLONE_ARGS_FLAGS: usize = 0;

/// Offset of `stack` in `struct clone_args`; not zero means a new stack.
pub const CLONE_ARGS_STACK: usize = 40;

/// `CLONE_ARGS_SIZE_VER0`: the smallest `struct clone_args` that the kernel takes.
pub const CLONE_ARGS_SIZE_VER0: usize = 64;
