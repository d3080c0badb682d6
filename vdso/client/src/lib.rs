//! Every Linux system call, by the entries of the vDSO, for programs.
//!
//! A program asks for a [`Vdso`] once and calls through it from then on:
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use liblinux::{Call, Vdso};
//!
//! let vdso = Vdso::find()?;
//! // SAFETY: the name is a C string, and the descriptor is new.
//! let descriptor = unsafe { vdso.openat(-100, c"/etc/hostname".as_ptr(), 0, 0) }?;
//! # Ok(())
//! # }
//! ```
//!
//! No allocation, no thread-local storage, and no state: a [`Vdso`] is a value that the caller
//! keeps, with the address of every entry in it. A libc is only asked where the image is; a program
//! that has none turns the feature `libc` off, which is on by default. The feature `std` converts
//! [`Errno`] into `std::io::Error`. The crate works on images of any age. A call that the image has
//! no entry for (an older image, or the kernel's own, which has the standard functions alone) fails
//! with [`Errno::NO_ENTRY`], or goes by the bare `syscall` instruction where the caller asked for
//! that ([`Vdso::or_syscall`]).
//!
//! # Invariants
//!
//! 1. Nothing here executes `syscall` but `arch`, and that only to find the image and under
//!    [`Vdso::or_syscall`], a chain's handler included. So under [`Vdso::pin_origin`] everything
//!    that this crate does still works.
//! 2. Reading an image ends, in an image or in an error, for any bytes at its address.

#![cfg_attr(not(test), no_std)]

#[cfg(not(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    any(target_os = "linux", target_os = "android", target_os = "none")
)))]
compile_error!(
    "liblinux is for 64-bit x86-64 Linux programs: build for x86_64-unknown-linux-gnu or x86_64-unknown-linux-musl"
);

#[cfg(feature = "std")]
extern crate std;

/// All of the crate. For another target it is left out, so that the error above is the only one.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[path = ""]
mod library {
    pub(crate) mod arch;
    pub mod auxv;
    pub(crate) mod call;
    mod calls;
    pub mod cancel;
    pub mod chain;
    mod elf;
    mod errno;
    pub mod fixup;
    mod origin;
    pub mod probe;
    pub mod random;
    pub(crate) mod signal;
    pub mod thread;
    mod vdso;

    pub use call::Call;
    pub use elf::Unfit;
    pub use errno::{Errno, NotAnError};
    pub use liblinux_abi::arch::x86_64::signal::{Action as Sigaction, SA_RESTORER};
    pub use vdso::Vdso;
}

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
pub use library::*;
