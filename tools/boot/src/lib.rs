//! From an image to a verdict: a patched kernel, a guest, and what its programs saw.
//!
//! An image is judged by the programs that will use it, on the kernel that will map it. [`boot`] makes both come about
//! from nothing but a C compiler and the Rust toolchain: it installs Debian's packages ([`packages`]), unpacks and
//! patches the kernel ([`source`]), builds it once and keeps it ([`tree`], [`cache`]), builds the guest's programs
//! ([`programs`], [`workshop`]) into a file system ([`initramfs`]), runs QEMU ([`qemu`]) for each case ([`case`],
//! [`cases`]), reads the KTAP that comes back ([`ktap`]) and holds it against what the case demands ([`verdict`],
//! [`report`]). The kernel's own selftests ([`selftests`]) are held against a second guest with the kernel's image
//! ([`control`]). A guest may also be there for one program of the user's ([`session`]).
//!
//! # Invariants
//!
//! 1. Every step that a run was stopped in, by whatever, is noticed and done again by the next run.
//! 2. `Ok` from [`boot`] means that each program of each case reported, saw the image it had to see, and passed or did
//!    the same as in the case's control.

pub mod apt;
pub mod archives;
mod bootable;
pub mod cache;
pub mod case;
pub mod cases;
mod compiler;
pub mod config;
mod contents;
pub mod control;
pub mod declared;
pub mod elf;
pub mod initramfs;
pub mod job;
pub mod ktap;
pub mod library;
pub mod log;
pub mod luggage;
mod options;
mod outlook;
pub mod packages;
mod probe;
pub mod programs;
pub mod progress;
pub mod qemu;
pub mod recipe;
pub mod report;
mod run;
pub mod schedule;
pub mod selftests;
pub mod session;
pub mod source;
pub mod stream;
pub mod subject;
pub mod tree;
pub mod verdict;
pub mod workshop;

pub use crate::bootable::kernel;
pub use crate::cases::all as list_cases;
pub use crate::options::Options;
pub use crate::report::Summary;
pub use crate::run::boot;
pub use crate::tree::Kernel;
