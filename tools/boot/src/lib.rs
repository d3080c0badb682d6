//! From an image to a verdict: a patched kernel, a guest, and the reports of its programs.
//!
//! The judges of an image are the programs that will use it, on the kernel that will map it.
//! [`boot`] makes both from a C compiler and the Rust toolchain:
//!
//! 1. It chooses the cases ([`case`], [`cases`]), and says what it is going to do (`outlook`).
//! 2. It installs Debian's packages ([`packages`], [`apt`]).
//! 3. It finds or fetches the kernel's source ([`source`]), unpacks and patches it ([`unpack`]),
//!    builds it once and keeps it ([`recipe`], [`tree`], [`cache`]). A new image is linked into the
//!    kernel that is there.
//! 4. It builds the guest's programs ([`programs`], [`workshop`]) and puts them into a file system
//!    ([`initramfs`]).
//! 5. It runs QEMU for each case ([`qemu`], [`schedule`]), and reads the KTAP that comes back
//!    ([`ktap`]) and the kernel's log ([`log`]).
//! 6. It compares the report with the case's demands ([`verdict`]), or with a second guest that has
//!    the kernel's image or another libc ([`control`], [`libc`]): so it does for the kernel's own
//!    selftests ([`selftests`]). Then it prints the table ([`report`]).
//!
//! A guest can also run one program of the user's ([`session`]). How a case is written, and how to
//! run a program in a guest, is in `qemu/README.md`.
//!
//! # Invariants
//!
//! 1. A run that was stopped in any step, for any reason, leaves nothing that the next run takes
//!    for whole.
//! 2. `Ok` from [`boot`] means that each program of each case reported, saw the image it had to
//!    see, and passed or did the same as in the case's control.

pub mod apt;
mod archive;
mod bootable;
pub mod cache;
pub mod case;
pub mod cases;
mod compiler;
pub mod config;
mod contents;
pub mod control;
pub mod declared;
mod download;
pub mod elf;
pub mod foreign;
pub mod i386;
pub mod initramfs;
pub mod job;
pub mod ktap;
pub mod libc;
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
mod release;
pub mod report;
mod run;
pub mod schedule;
pub mod selftests;
pub mod session;
pub mod source;
pub mod source_package;
pub mod stream;
pub mod subject;
pub mod tree;
pub mod unpack;
pub mod verdict;
pub mod workshop;

pub use crate::bootable::{kernel, require_source};
pub use crate::cases::{all as list_cases, libc_need, obstacle};
pub use crate::download::Unobtainable;
pub use crate::options::Options;
pub use crate::programs::LibcNeed;
pub use crate::report::Summary;
pub use crate::run::{boot, boot_built};
pub use crate::tree::Kernel;
