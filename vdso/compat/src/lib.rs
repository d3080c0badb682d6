// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! 32-bit programs by 64-bit system calls.
//!
//! An x86-64 kernel without a 32-bit ABI still lets a process execute 32-bit code: every kernel's
//! descriptor table has a code segment for it (selector `0x23`). Such code can make no system call
//! of its own. It makes a far jump to 64-bit code instead, the *shim*, which converts the
//! arguments of the i386 call to those of the 64-bit one. Windows runs 32-bit programs in this way.
//!
//! The shim lies below 4 GiB, where a far jump can reach it. It uses the caller's stack. What a
//! thread needs beside that is in registers that 32-bit code does not have or not see:
//!
//! | register | holds |
//! |---|---|
//! | `xmm15` | the address of the saved 32-bit registers, while the shim runs (module `frame`) |
//! | base of `gs` | the address of the thread's TLS, set by `set_thread_area` and `clone` |
//!
//! What a process needs is in the kernel: an action's 32-bit handler and restorer are both in its
//! 64-bit `sa_restorer` (module `delivery`). So `fork`, `vfork`, `clone` and `execve` keep or
//! discard it as they should.
//!
//! `int $0x80` is a fault where the kernel has no such gate, and a signal of Syscall User
//! Dispatch where it has one. The shim's handler turns either into the far jump.
//!
//! # Invariants
//!
//! 1. No state, no allocation, no thread-local storage. Nothing is linked in, so nothing panics.
//! 2. `syscall` occurs in three functions of `arch` alone, and is executed there only if the
//!    process does not have our image.
//! 3. 32-bit code finds every register but `eax` as it was, flags and vector registers too.
//! 4. `SIGSEGV`, `SIGBUS` and `SIGSYS` always have the shim's handler and are never blocked.
#![cfg_attr(not(test), no_std)]

mod arch;
mod call;
pub mod data;
mod delivery;
pub mod facts;
mod frame;
mod memory;
mod native;
pub mod table;
