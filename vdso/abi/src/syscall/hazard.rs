// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The ways in which a system call can harm the process that makes it: the contract of the Rust
//! call.
//!
//! # Invariants
//!
//! 1. Rows are calls of the table; a call may have several hazards.
//! 2. A call that is in no list touches the caller's memory only through its pointers, during the
//!    call.

/// A way in which a call can break what Rust code relies on.
#[derive(Clone, Copy, Debug)]
pub struct Hazard {
    /// The contract, as a sentence.
    pub contract: &'static str,
    /// The calls.
    pub calls: &'static [&'static str],
}

const fn hazard(contract: &'static str, calls: &'static [&'static str]) -> Hazard {
    Hazard { contract, calls }
}

/// Every hazard.
pub const HAZARDS: &[Hazard] = &[
    hazard(
        "Memory that is in use stays mapped, with its contents and the access that its users rely on; so does the image.",
        &[
            "mmap",
            "mprotect",
            "munmap",
            "brk",
            "mremap",
            "madvise",
            "shmat",
            "shmdt",
            "remap_file_pages",
            "userfaultfd",
            "pkey_mprotect",
            "pkey_free",
            "process_madvise",
            "map_shadow_stack",
            "mseal",
        ],
    ),
    hazard(
        "Every descriptor that the call closes belongs to the caller: nothing else in the process owns it or still uses it.",
        &["close", "dup2", "dup3", "close_range"],
    ),
    hazard(
        "An argument that is an address for some requests is valid for what this request reads and writes there.",
        &[
            "ioctl",
            "semctl",
            "fcntl",
            "ptrace",
            "sysfs",
            "prctl",
            "arch_prctl",
            "futex",
            "keyctl",
            "perf_event_open",
            "seccomp",
            "clone",
        ],
    ),
    hazard(
        "The kernel keeps addresses from the call: that memory stays valid, and is otherwise unused, until the kernel is done with it.",
        &[
            "set_tid_address",
            "io_setup",
            "io_submit",
            "set_robust_list",
            "rseq",
            "io_uring_setup",
            "io_uring_enter",
            "io_uring_register",
            "vmsplice",
        ],
    ),
    hazard(
        "Addresses in a message or a vector (`struct iovec`, `struct msghdr`) are valid for what the kernel reads and writes there.",
        &[
            "readv",
            "writev",
            "sendmsg",
            "recvmsg",
            "preadv",
            "pwritev",
            "recvmmsg",
            "sendmmsg",
            "preadv2",
            "pwritev2",
            "process_vm_readv",
            "process_vm_writev",
        ],
    ),
    hazard(
        "If `pid` is this process, the memory that the remote vectors name may be overwritten.",
        &["process_vm_writev"],
    ),
    hazard(
        "The child has a copy of this thread alone: until it calls `execve` or ends it does only what a signal handler may do.",
        &["clone", "fork", "clone3"],
    ),
    hazard(
        "No new stack and no `CLONE_VM`: the child would return into compiled code on an empty stack, or on its parent's. \
         `liblinux::thread` starts threads.",
        &["clone", "clone3"],
    ),
    hazard(
        "If it works it does not return, and no destructor runs; vectors end in a null pointer.",
        &["execve", "execveat"],
    ),
    hazard("No destructor runs.", &["exit", "exit_group"]),
    hazard("No other thread borrows from the stack of the thread that ends.", &["exit"]),
    hazard(
        "A handler does only what is safe wherever it interrupts the process, and stays in memory while it is installed. \
         The action has a restorer.",
        &["rt_sigaction"],
    ),
    hazard(
        "No code of this process relies on the signals being blocked, or not.",
        &["rt_sigprocmask"],
    ),
    hazard("The stack stays mapped and unused for as long as it is installed.", &["sigaltstack"]),
    hazard(
        "No code of this process relies on what the call takes away from the thread: its segments, its shared tables, its \
         permission to make calls.",
        &[
            "modify_ldt",
            "arch_prctl",
            "prctl",
            "unshare",
            "setns",
            "seccomp",
            "personality",
            "iopl",
            "ioperm",
            "pivot_root",
            "chroot",
            "fchroot",
        ],
    ),
    hazard(
        "Loading code into the kernel, or stopping the machine, is meant.",
        &[
            "init_module",
            "finit_module",
            "delete_module",
            "kexec_load",
            "kexec_file_load",
            "reboot",
            "bpf",
        ],
    ),
];

/// The contracts of a call.
pub fn contracts(call: &str) -> impl Iterator<Item = &'static str> {
    HAZARDS.iter().filter(move |hazard| hazard.calls.contains(&call)).map(|hazard| hazard.contract)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::find;

    #[test]
    fn rows_are_calls() {
        for hazard in HAZARDS {
            assert!(!hazard.calls.is_empty(), "{}", hazard.contract);
            for call in hazard.calls {
                assert!(find(call).is_some(), "{call} is not a call");
            }
        }
    }
}
