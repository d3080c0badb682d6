//! Exception fixups: if an instruction of this range raises an exception, continue there.
//!
//! A DSO has a table of them, made by [`fixup!`](crate::fixup!) in its assembly, and registers it
//! in the process's *area* ([`Fixups::register_own`]). All libraries of a process share one area. A
//! kernel with the series consults it before it raises a signal. On other kernels a handler of
//! SIGSEGV, SIGBUS, SIGILL and SIGFPE does; it passes a signal without a fixup on to the handler
//! that was there before.
//!
//! # How libraries that do not know each other share
//!
//! A patched kernel is asked for the area that is attached. Elsewhere the handler is the meeting
//! point: a library that joins looks at the handler of SIGSEGV that is there, and if it is the
//! client's, its page leads to the area. This needs no lock, no name and no address that another
//! library might take: `sigaction` hands out the old handler as it puts the new one in place, so of
//! two that come at once the later one finds the earlier, and shares. Where a foreign handler hides
//! the client's, the process has two areas and two handlers, and each fault meets both: the chain
//! is walked. A symbol that the loader makes unique (`STB_GNU_UNIQUE`) was not chosen, since it
//! keeps a library from being unloaded; nor a well-known address or file, which others could take.
//!
//! # Signals that are blocked
//!
//! A kernel that consults the area does not ask for the thread's signal mask. A handler is not
//! called for a signal that is blocked: the kernel ends the process. [`Fixups::unblock`] is for
//! code that may run there.
//!
//! # Frames
//!
//! A landing of [`frame_landing!`](crate::frame_landing!) is a function. It sees all registers,
//! may change them, and resumes or declines: see [`frame`].
//!
//! # Filters
//!
//! A seccomp filter that allows a list of calls refuses private calls, with an answer of its own.
//! Where one is in force before any library joins, the kernel counts as one without the series:
//! handlers do the work. Where it comes later, the kernel keeps what it has; but it cannot be told
//! of new texts. These are registered in the same area, and a handler stands in for the kernel when
//! it meets them. A registry that has to move after that leaves the kernel behind in the old area:
//! a text that is unregistered then still lands there until it is unmapped.
//!
//! A filter that kills on unknown numbers cannot be probed safely, so this crate does not try.
//! Under one, a library that joined before keeps its registrations, and may unregister them as long
//! as the registry has not moved; no library may join or register.
//!
//! # Invariants
//!
//! 1. An area is never unmapped once it is attached or a handler consults it: other libraries may
//!    have found it.
//! 2. A registration that succeeded is one whose faults land: the kernel has marked the text, or a
//!    handler is there. Where the kernel was asked and could not mark it, it fails with the
//!    kernel's error.

mod arena;
pub mod frame;
mod mark;
mod mask;
mod own;
mod process;
mod registration;
mod table;

pub use arena::{Arena, Stubs};
pub use liblinux_abi::image::entry::Unsound;
pub use liblinux_abi::image::fixup::{Dso, Entry, FRAME, Hit, PLAIN, SIGNAL_SHIFT};
pub use mask::Unblocked;
pub use process::Fixups;
pub use registration::Registration;
pub use table::Table;
