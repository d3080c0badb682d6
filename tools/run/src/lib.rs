//! Runs a program on the running kernel, which need not know liblinux, with the image in place of
//! its vDSO.
//!
//! A tracer attaches to the program and to all that it starts, for one purpose. Each time one of
//! them has become another program (`execve`), and before that executes its first instruction, the
//! tracer maps the image into it and makes `AT_SYSINFO_EHDR` point there. The kernel's own vDSO and
//! its data stay mapped: a copy of its code answers the standard functions and reads that data
//! (`copy`). Then the program runs by itself. The runner needs no privileges and changes no file.
//! Its guide is `tools/run/README.md`.
//!
//! From the outside in: [`cli`], `launch` (the tracer beside the program), `tracer` (its loop),
//! `setup` (one program gets the image), `injection` (system calls made by a stopped process).
//!
//! Two things are missing, because only a kernel can give them. The image itself has no exception
//! fixups, so a bad pointer given to a standard function is a crash, as with the running kernel's
//! vDSO. And the return address is wrong after the image's own functions have unmapped or moved the
//! image.
//!
//! # Invariants
//!
//! 1. A program has the image wholly, or the kernel's vDSO, which the runner says; it never runs
//!    with half of the image.
//! 2. Nothing is between a program and its caller: process, parent, terminal and exit status are
//!    its own.
//! 3. After the setup a program executes the same instructions as without the runner, and one jump
//!    more in a standard function.
//! 4. Nothing is written to a process that was not proven to be the traced one (`folder`).

mod allowance;
mod arch;
mod change;
pub mod cli;
mod copy;
mod descriptor;
mod extension;
mod folder;
mod frames;
mod functions;
mod ground;
mod injection;
mod launch;
mod memory;
mod messages;
mod obstacle;
mod pin;
mod privileges;
mod running;
mod setup;
mod stack;
pub mod status;
mod storm;
mod tracee;
mod tracer;
