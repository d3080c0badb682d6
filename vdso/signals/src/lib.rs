//! `liblinux-signals.so`: the signal handlers of a process's libraries, as links of one chain.
//!
//! Preloaded, it takes the place of the libc's `sigaction`, `signal` and their kin. To each library
//! (and to the program) it shows a disposition of its own: a library that installs a handler does
//! not take away another's. Linked, it is the chain of the process for programs that add links by
//! themselves (`liblinux/signals.h`).
//!
//! # Which handler a signal is for
//!
//! As long as one library alone handles a signal, its handler is the kernel's, by the libc's own
//! `sigaction`: such a process runs as without this library. When a second one comes, both become
//! links, and the chain's handler is installed in front. A handler of `sigaction` has no way to
//! decline, so a signal goes to one of them:
//!
//! 1. for a fault, the one of the library whose text faulted, or that called the code which did, if
//!    no file has that code: a compiler at run time made it;
//! 2. else the links of a Java machine, which asks for that as it does of `libjsig`, and itself
//!    calls the handler that `JVM_get_signal_action` names if a signal is not its own;
//! 3. else the one that was installed last, as without this library.
//!
//! A handler that passes on what is not its own calls the action that `sigaction` returned when it
//! was installed: that of the library before it, as ever. The handler runs as the kernel would have
//! run it: its mask, `SA_ONSTACK`, `SA_NODEFER`, `SA_RESETHAND` (`liblinux::chain`).
//!
//! # What a library sees
//!
//! `sigaction` returns the caller's own action, and to a library that has none the one that was
//! installed last. Giving back what it got, or SIG_DFL, takes the library's own handler away and no
//! other. So a library that is unloaded, or a crash handler that lets the default happen, leaves
//! the others as they are. A library that has no handler any more and says SIG_DFL in the handler
//! of another one's, to which it was passed, means the process: the signal is blocked there, or,
//! with `SA_NODEFER`, comes again until the library has said so twice.
//!
//! # Invariants
//!
//! 1. Signals are blocked while the table is locked, so no handler waits for the thread that it
//!    interrupted; and the lock is taken across `fork`, so a child finds a whole table.
//! 2. Dispatching takes no lock and makes no call but those that the chain needs.
//! 3. A process that shares this memory and is not this one (`vfork`) has dispositions of its own:
//!    its calls go to the kernel, and the table stays as it is.
//!
//! # Limits
//!
//! Calls of the libc to itself (`system`, `abort`, `posix_spawn`) and system calls by number do not
//! come here. A libc has to say which library a caller is: with a glibc older than 2.35 all calls
//! go to it as they are.
//!
//! # Without std
//!
//! With the feature `std` a thread that ends in a handler unwinds through the frames of this
//! library, as glibc's `pthread_exit` does. musl unwinds nothing, and Rust's std for glibc cannot
//! be loaded there: the library for musl is built without the feature, and refers to nothing but
//! the libc.

#![cfg_attr(not(feature = "std"), no_std)]

#[cfg(not(feature = "std"))]
mod abort;
mod caller;
mod exports;
mod java;
mod libc;
mod links;
mod lock;
mod musl;
mod native;
mod origin;
mod program;
mod shared;
mod table;
