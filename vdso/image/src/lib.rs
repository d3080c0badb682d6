// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The liblinux vDSO image: the code that the kernel maps into every process.
//!
//! The crate is compiled to one object and linked with `linker/x86_64/vdso.lds`. Nothing else is
//! linked in, not even `core`'s own object code: a function that is not inlined here, above all the
//! panic machinery, is an undefined symbol, and the linker refuses it. So the build itself proves
//! that the image cannot panic, allocate or call out.
//!
//! System-call entries are in [`arch`], made from the table of `liblinux-abi`. Each other module is
//! one noun of the vDSO: [`cancel`], [`clock`] (with [`timekeeping`] behind it), [`fixup`],
//! [`random`], [`state`].
//!
//! # Invariants
//!
//! 1. No state: no `static` that is written, no thread-local storage, no allocation.
//! 2. No relocation: no `static` that holds an address; data is reached relative to `rip`.
//! 3. An entry returns what the kernel would: a value, or `-errno` in `[-4095, -1]`.
//! 4. `syscall` is executed only in the slots, in the bodies of hand-written entries and private
//!    calls, in `__vdso_syscall` and in `__vdso_syscall_cancellable`; functions that fall back on
//!    the kernel jump to their call's slot.
#![no_std]

pub mod arch;
pub mod cancel;
pub mod clock;
pub mod fixup;
mod note;
pub mod random;
pub mod state;
pub mod timekeeping;
