// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! How a new process or thread is asked for, and the flags that decide whether it shares its
//! parent's memory and stack.
//!
//! Source: `include/uapi/linux/sched.h`.

use core::mem::offset_of;

/// `struct clone_args`: the argument of `clone3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct CloneArgs {
    /// Flags: the parts that are shared, and other effects.
    pub flags: u64,
    /// Address of an `int` for a descriptor of the child, with `CLONE_PIDFD`.
    pub pidfd: u64,
    /// Address of the child's number in the child's memory.
    pub child_tid: u64,
    /// Address of the child's number in the parent's memory.
    pub parent_tid: u64,
    /// The signal to the parent at the child's end.
    pub exit_signal: u64,
    /// Lowest address of a new stack; 0 for none.
    pub stack: u64,
    /// Its size in bytes.
    pub stack_size: u64,
    /// The base of `fs`, with `CLONE_SETTLS`.
    pub tls: u64,
    /// Address of the numbers to give to the child.
    pub set_tid: u64,
    /// How many these are.
    pub set_tid_size: u64,
    /// Descriptor of a control group, with `CLONE_INTO_CGROUP`.
    pub cgroup: u64,
}

/// Where the child of `clone` and `clone3` continues, for the documents of both.
pub const CHILD: &str = "The child comes back at the call, with every register as in the parent but those that the entry \
    changes. With a new stack there is nothing on it, so the call is made from assembly (liblinux/thread.h, liblinux::thread). \
    With CLONE_VM and no new stack the call is as vfork.";

/// `CLONE_VM`: parent and child share memory.
pub const CLONE_VM: u32 = 0x100;
/// `CLONE_FS`: they share the working folder.
pub const CLONE_FS: u32 = 0x200;
/// `CLONE_FILES`: they share descriptors.
pub const CLONE_FILES: u32 = 0x400;
/// `CLONE_SIGHAND`: they share signal handlers.
pub const CLONE_SIGHAND: u32 = 0x800;
/// `CLONE_THREAD`: the child is a thread of the parent's process.
pub const CLONE_THREAD: u32 = 0x1_0000;
/// `CLONE_SYSVSEM`: they share the undo list of semaphores.
pub const CLONE_SYSVSEM: u32 = 0x4_0000;
/// `CLONE_SETTLS`: the child has another base of `fs`.
pub const CLONE_SETTLS: u32 = 0x8_0000;
/// `CLONE_PARENT_SETTID`: the kernel writes the child's number into the parent's memory.
pub const CLONE_PARENT_SETTID: u32 = 0x10_0000;
/// `CLONE_CHILD_CLEARTID`: the kernel clears the number at the child's end and wakes who waits for
/// it.
pub const CLONE_CHILD_CLEARTID: u32 = 0x20_0000;

/// The flags of a thread: it shares everything with its process, and its number is written and
/// cleared.
pub const THREAD_FLAGS: u32 = CLONE_VM
    | CLONE_FS
    | CLONE_FILES
    | CLONE_SIGHAND
    | CLONE_THREAD
    | CLONE_SYSVSEM
    | CLONE_PARENT_SETTID
    | CLONE_CHILD_CLEARTID;

/// Offset of `flags` in `struct clone_args`.
pub const CLONE_ARGS_FLAGS: usize = offset_of!(CloneArgs, flags);

/// Offset of `stack` in `struct clone_args`; not zero means a new stack.
pub const CLONE_ARGS_STACK: usize = offset_of!(CloneArgs, stack);

/// `CLONE_ARGS_SIZE_VER0`: the smallest `struct clone_args` that the kernel takes.
pub const CLONE_ARGS_SIZE_VER0: usize = 64;
