// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The registry of exception fixups: reading it, changing it, and applying it to a signal's
//! context. The other way to move an interrupted thread, [`cancel`], is here as well.
//!
//! `liblinux_abi::image::fixup` says what an area looks like; here are the operations on one.
//! Memory is reached through the trait [`Memory`] alone, because all of it is an allegation: the
//! image implements it with accesses that may fault, tests with arrays, with a scheduler that
//! switches threads at every access, and with writers that stop for good.
//!
//! # How a registry is changed
//!
//! Without locks: a lock in user memory is lost with a thread that is killed, in a child that was
//! forked while it was held, and under a signal handler that interrupts its holder and registers as
//! well. Instead, each generation is one *operation* that any writer can carry out. A writer that
//! wants a change proposes it by a compare-and-exchange of the operation's first cell; from then on
//! it is decided, and every writer that comes across it writes the same cells beside those that are
//! in use, and commits the generation. A writer that stops anywhere leaves work for the next one,
//! which *helps*. A writer that continues much later changes nothing: every cell carries the
//! generation that it was written for, is exchanged only from exactly what was seen, and
//! generations do not come back.
//!
//! Registering takes four cells, which cannot be written at once. A proposer that died between them
//! leaves the others without the rest; they put [`ABORT`](liblinux_abi::image::fixup::ABORT) where
//! a cell is missing, and that generation changes nothing. So a proposer that is slow loses a turn,
//! never the registry.
//!
//! # Invariants
//!
//! 1. No function panics, recurses or allocates, for any content of the memory. A reader takes a
//!    bounded number of steps; a writer starts again only if the memory changed since it looked.
//! 2. Nothing is concluded from cells that were read before `current` was found unchanged.
//! 3. A cell is never written but by [`Memory::exchange_cell`], to a later generation, except in an
//!    area that no other thread knows yet.
//! 4. A landing that is found is inside the text that was registered.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod arch;
pub mod area;
mod build;
mod change;
pub mod directory;
pub mod error;
pub mod generation;
pub mod kernel;
pub mod lookup;
pub mod memory;
pub mod migration;
pub mod registry;
pub mod state;
pub mod table;

pub use arch::{cancel, context};
pub use error::Error;
pub use kernel::Kernel;
pub use memory::{Fault, Memory};
