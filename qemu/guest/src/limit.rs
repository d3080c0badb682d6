//! The most mappings that a process may have, and how a registration fails there.
//!
//! # Invariants
//!
//! 1. Nothing is mapped or allocated while the process has no room for it.

#![expect(unsafe_code, reason = "maps memory and registers it")]

use anyhow::{Context, Result, bail, ensure};
use liblinux::Vdso;
use liblinux::fixup::{Entry, Fixups, Table};
use liblinux_abi::image::layout::PAGE_SIZE;
use std::{fs, slice};

// `asm/mman.h`.
const PROT_NONE: u64 = 0;
const PROT_READ: u64 = 1;
const PROT_READ_WRITE: u64 = 3;
const MAP_PRIVATE_ANONYMOUS_NORESERVE: u64 = 0x4022;

/// A text that cannot be marked is not registered, and the caller is told; where the kernel has no
/// marks it is.
///
/// A mark on part of a mapping splits it, which a process cannot do that has as many mappings as it
/// may.
pub fn registers(vdso: &Vdso) -> Result<()> {
    let fixups = Fixups::of_process(vdso)?;
    let text = fs::read_to_string("/proc/sys/vm/max_map_count")
        .context("how many mappings there may be")?;
    let most: usize = text.trim().parse().context("a number")?;
    let map = |pages: usize, protection: u64| {
        let size = (pages * PAGE_SIZE) as u64;
        // SAFETY: a new mapping.
        unsafe { vdso.mmap(0, size, protection, MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0) }
    };
    let page = map(3, PROT_READ_WRITE)? + PAGE_SIZE;
    // SAFETY: a page of the new mapping; zeros are an entry, and no other code has it.
    let entries = unsafe { slice::from_raw_parts_mut((page + 64) as *mut Entry, 1) };
    let start = page as u64;
    let mut table = Table::new(start..start + 64, entries);
    table.cover(start..start + 1, start, 0)?;
    let dso = table.dso()?;
    let large = map(2 * most, PROT_NONE)?;
    // Every second page is another mapping.
    let full = (0..most).find_map(|number| {
        let place = (large + 2 * number * PAGE_SIZE) as u64;
        // SAFETY: pages that nothing is in.
        unsafe { vdso.mprotect(place, PAGE_SIZE, PROT_READ) }.err()
    });
    // SAFETY: nothing is executed there.
    let registered = unsafe { fixups.register(&dso) };
    let found = fixups.lookup(start)?;
    // SAFETY: as above. From here on this program needs mappings itself.
    unsafe { vdso.munmap(large as u64, 2 * most * PAGE_SIZE) }?;
    ensure!(
        full.is_some_and(|error| error.name() == Some("ENOMEM")),
        "the limit was not met: {full:?}"
    );
    match registered {
        Ok(registration) if !fixups.by_kernel() => {
            ensure!(found.is_some(), "registered, and not found");
            drop(registration);
        }
        Err(error) if fixups.by_kernel() => {
            ensure!(error.name() == Some("ENOMEM") && found.is_none(), "{error}; found: {found:?}");
        }
        other => bail!("by kernel: {}; it was {other:?}", fixups.by_kernel()),
    }
    // SAFETY: as above.
    let again = unsafe { fixups.register(&dso) }.context("with room for mappings")?;
    ensure!(fixups.lookup(start)?.is_some(), "registered, and not found");
    drop(again);
    Ok(())
}
