//! Real i386 programs under the loader, on the running kernel.
//!
//! Every run is under a filter that kills a process for a system call of the i386 ABI
//! ([`workbench`]), so a test that passes has made none: no `int $0x80` and no `sysenter` has
//! reached the kernel.

mod calls;
mod clocks;
mod dynamic;
mod gate;
mod refusals;
mod shell;
mod work;
mod workbench;
