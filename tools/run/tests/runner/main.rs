//! The runner on real programs.
//!
//! Each test asks whether a program under the runner is the same as without it, but for the image.
//! The program `where` says which image a process has: it looks at its own auxiliary vector and
//! memory.

mod capabilities;
mod client;
mod image;
mod inheritance;
mod kernels;
mod limits;
mod loaders;
mod musl;
mod names;
mod namespaces;
mod origin;
mod output;
mod parsers;
mod pin;
mod programs;
mod reaping;
mod refusals;
mod shell;
mod signals;
mod stacks;
mod workbench;
