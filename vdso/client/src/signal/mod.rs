//! The signal handler that does the kernel's work where the kernel consults no areas, and that of a
//! chain ([`crate::chain`]), which differs in the function that it asks.
//!
//! Its code is copied to two pages of memory, with its data behind it ([`Pages`]). A library that
//! installs it may be unloaded while another handler still has it as its predecessor, so these
//! pages refer to nothing in the library.
//!
//! # The handler that was there before
//!
//! It is called as the kernel would call it. By its flags:
//!
//! | Flag | How |
//! |---|---|
//! | `SA_ONSTACK` | this handler has it; without it the frame is copied to the interrupted stack |
//! | `SA_NODEFER`, its mask | blocked before the jump; this handler itself blocks nothing, since `dispatch` may fault |
//! | `SA_RESETHAND` | the entry of the data becomes SIG_DFL, in one exchange; this handler stays |
//! | `SA_RESTART` | this handler has it if the earlier one had |
//! | `SA_SIGINFO` | the arguments are always there, as from the kernel |
//! | `SA_RESTORER` | not used: it returns by the image, as it must in a thread whose calls are pinned to the image |
//!
//! Two more differences: `sigaction` finds this handler, and a signal that is ignored still
//! interrupts the calls that the kernel never restarts behind a handler (`poll`, `nanosleep`).
//!
//! # Invariants
//!
//! 1. The handler's pages are written by their maker until the handler is installed; from then on
//!    by the handler, and by a compare-and-exchange of the area when the registry moves.
//! 2. The pages of a handler are never unmapped: other libraries may have found them.

mod pages;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub(crate) use pages::{Pages, action, flags_in_front};
#[cfg(target_arch = "x86_64")]
use x86_64::handler as code;
