//! Runs a program on the running kernel, which knows nothing of liblinux, with the image in place of its vDSO.
//!
//! The program and all that it starts are traced, for one purpose: each time one of them has become another program
//! (`execve`), and before that executes its first instruction, the image is mapped into it and `AT_SYSINFO_EHDR` made to
//! point there. The kernel's own vDSO and its data stay mapped: standard functions are answered by a copy of its code,
//! which reads that data (`image`).
//! Then the program runs by itself. It needs no privileges and changes no file.
//!
//! From the outside in: [`cli`], `launch` (the tracer beside the program), `tracer` (its loop), `setup` (one program
//! gets the image), `injection` (system calls made by a stopped process).
//!
//! What a process is not given by this, because only a kernel can: exception fixups of the image itself, so a bad pointer
//! given to a standard function is the crash that the running kernel's vDSO makes of it, and the right return address
//! when the image is unmapped or moved by its own functions.
//!
//! # Invariants
//!
//! 1. A program either has the image wholly or what the kernel gave it, which is said; it never runs with half of it.
//! 2. Nothing is between a program and whoever started it: process, parent, terminal and exit status are its own.
//! 3. After the setup a program executes no instruction more than without us, but for one jump in a standard function.
//! 4. Nothing is written to a process that was not proven to be the traced one (`folder`).

mod allowance;
mod arch;
mod change;
pub mod cli;
mod descriptor;
mod extension;
mod folder;
mod frames;
mod ground;
mod image;
mod injection;
mod kernel;
mod launch;
mod memory;
mod messages;
mod obstacle;
mod privileges;
mod setup;
mod stack;
mod storm;
mod tracee;
mod tracer;
