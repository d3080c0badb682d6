// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Calls that can be called off: the window of `__vdso_syscall_cancellable`, and who knows it.
//!
//! The call takes a word of the caller's, its *state*, which another thread sets to call it off.
//! Between looking at the word and entering the kernel there is a moment in which a signal comes
//! too early to interrupt the call and too late to be seen. So the instructions from the look to
//! `syscall` are a *window* that others know: a thread that a signal finds there, with its state
//! set, continues at the *exit* and has made no call. A signal handler moves it
//! (`__vdso_cancel_dispatch`), or a kernel that knows the window does before the handler runs.
//!
//! The kernel finds the window by local symbols of the unstripped image, [`SYMBOLS`].
//!
//! # Invariants
//!
//! 1. From [`Window::start`] to [`Window::call`], both included, `rbx` is the address of the state,
//!    and the call has had no effect, or will be made again from its beginning.
//! 2. At [`Window::exit`] everything that the function keeps is where it is in the window.
//! 3. The offsets are part of the ABI (`linker/x86_64/vdso.abi`).

use crate::image::structure::structures;
use core::mem::size_of;

structures! {
    /// The window of cancellable calls, as addresses.
    #[repr(C)]
    Window as "vdso_cancel_window" {
        /// The instruction that looks at the state.
        start: u64,
        /// The `syscall`, where a call that is restarted continues.
        call: u64,
        /// Behind the `syscall`: the result is in rax.
        end: u64,
        /// Where a thread continues that is called off.
        exit: u64,
    }
}

/// The local symbols of the unstripped image, in the order of the fields of [`Window`].
pub const SYMBOLS: [&str; 4] =
    ["vdso_cancel_start", "vdso_cancel_call", "vdso_cancel_end", "vdso_cancel_exit"];

const _: () = assert!(size_of::<Window>() == 32);
