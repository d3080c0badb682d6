//! The runner on real programs.
//!
//! What each test asks is whether a program under the runner is what it is without it, but for the image: `where` tells
//! which image a process has, by looking at its own auxiliary vector and memory.

mod capabilities;
mod client;
mod image;
mod inheritance;
mod kernels;
mod limits;
mod loaders;
mod names;
mod namespaces;
mod origin;
mod output;
mod parsers;
mod programs;
mod reaping;
mod refusals;
mod shell;
mod signals;
mod stacks;
mod workbench;
