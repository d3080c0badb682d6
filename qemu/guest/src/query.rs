//! `fixup_query`, a private call: by this process's image, and by its number of this boot.
//!
//! # Invariants
//!
//! 1. The number is read from the image that the kernel mapped: nothing here knows one.

#![expect(unsafe_code, reason = "reads the image, calls its entry and a bare number")]

use crate::bare;
use crate::image::Image;
use anyhow::{Context, Result, ensure};
use liblinux_abi::image::fixup::{Attached, PRIVATE_QUERY};
use liblinux_abi::image::layout;
use procfs::process::Process;

/// The call.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// The first of the numbers that this boot chose.
    pub base: u32,
    entry: extern "C" fn(u64) -> i64,
}

impl Query {
    /// Finds it in this process's image.
    pub fn find() -> Result<Self> {
        let image =
            Image::of(&Process::myself()?)?.context("the kernel gave this process no image")?;
        let query = image.offset("__vdso_fixup_query").context("the image has no private calls")?;
        let word = (image.address + layout::PRIVATE as u64) as *const u32;
        // SAFETY: the image is mapped, and has the word there.
        let base = unsafe { word.read() };
        ensure!(base != 0, "the kernel wrote no base into the image");
        let entry = (image.address + query) as *const ();
        // SAFETY: the entry of `fixup_query`, which takes a pointer.
        let entry = unsafe { std::mem::transmute::<*const (), extern "C" fn(u64) -> i64>(entry) };
        Ok(Self { base, entry })
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.base + PRIVATE_QUERY
    }

    /// What it returns to the image: with nothing attached, `-ENOENT`.
    pub fn by_image(&self) -> i64 {
        let mut out = Attached { area: 0, size: 0 };
        (self.entry)((&raw mut out).expose_provenance() as u64)
    }

    /// Its result for a `syscall` instruction of this program: `-ENOSYS`.
    pub fn from_here(&self) -> i64 {
        let mut out = Attached { area: 0, size: 0 };
        let address = (&raw mut out).expose_provenance() as u64;
        // SAFETY: the call writes to `out`, if anything.
        unsafe { bare::call_number(self.number(), [address, 0, 0, 0, 0, 0]) }
    }
}
