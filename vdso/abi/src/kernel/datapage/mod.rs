// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The pages that the kernel keeps below the image: a module for each kernel line, because the
//! layout is not an ABI.
//!
//! The kernel writes these pages while user space reads them, so every field is an atomic: a plain
//! load each on x86-64, and no claim to the compiler that the memory stands still.
//!
//! The image is compiled for one line, which `--cfg kernel_line="VERSION"` chooses; without it, for
//! the default line of every command. The rest of this crate is the same for all lines. Programs
//! that judge images have the layouts of all lines in [`LAYOUTS`].
//!
//! Sources of the facts that all lines share: `include/vdso/datapage.h` (`struct vdso_timestamp`,
//! `struct vdso_rng_data`), `include/vdso/clocksource.h` and
//! `arch/x86/include/asm/vdso/clocksource.h` (clock modes).
//!
//! # Invariants
//!
//! 1. Offsets, sizes and constants equal the kernel's: a test compares each with the headers of its
//!    line.
//! 2. A reader takes a consistent set of fields only between two equal, even readings of
//!    [`ClockData::sequence`].

use crate::image::layout::PAGE_SIZE;
use core::sync::atomic::{AtomicU8, AtomicU64};

pub mod v6_12;
pub mod v7_3;

#[cfg(kernel_line = "6.12")]
pub use v6_12::*;
#[cfg(not(kernel_line = "6.12"))]
pub use v7_3::*;

/// The facts that tell the data of one kernel line from that of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The kernel line, as commands name it.
    pub line: &'static str,
    /// How many pages the kernel maps below the image.
    pub pages: usize,
    /// Local symbols of the data, by which code reaches it: each with its distance from the lowest
    /// page's first byte.
    pub symbols: [(&'static str, usize); 5],
    /// More symbols, which the kernel's build looks for: as above.
    pub kernel_symbols: &'static [(&'static str, usize)],
    /// What the image relies on: C expressions of the kernel's source, and what they have to be.
    /// Their values in this order are the image's layout note (`image::note`).
    pub facts: &'static [(&'static str, usize)],
}

impl Layout {
    /// Distance from the image's first byte down to the first data page, in bytes.
    pub const fn size(&self) -> usize {
        self.pages * PAGE_SIZE
    }

    /// All symbols of the data.
    pub fn all_symbols(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.symbols.into_iter().chain(self.kernel_symbols.iter().copied())
    }
}

/// The layouts of all kernel lines.
pub const LAYOUTS: [Layout; 2] = [v7_3::LAYOUT, v6_12::LAYOUT];

/// Distance from the image's first byte down to the first data page, in bytes.
pub const DATA_SIZE: usize = LAYOUT.size();

/// Clock ids for which [`ClockData::base`] has room.
pub const CLOCKS: usize = crate::kernel::clock::TAI + 1;

/// A point in time: seconds, and nanoseconds, which for the high-resolution clocks are shifted left
/// by [`ClockData::shift`].
#[derive(Debug)]
#[repr(C)]
pub struct Timestamp {
    /// Seconds.
    pub sec: AtomicU64,
    /// Nanoseconds, shifted for high-resolution clocks.
    pub nsec: AtomicU64,
}

/// `struct vdso_rng_data`: the state of the kernel's random number generator.
#[derive(Debug)]
#[repr(C)]
pub struct RandomData {
    /// Counts reseeds.
    pub generation: AtomicU64,
    /// Not zero once the generator is initialised.
    pub is_ready: AtomicU8,
}

/// `VDSO_CLOCKMODE_NONE`: only the kernel can read the clock.
pub const CLOCK_MODE_NONE: i32 = 0;
/// `VDSO_CLOCKMODE_TSC`: the counter is the TSC.
pub const CLOCK_MODE_TSC: i32 = 1;
/// `VDSO_CLOCKMODE_PVCLOCK`: the counter is scaled by a page that KVM or Xen writes.
pub const CLOCK_MODE_PVCLOCK: i32 = 2;
/// `VDSO_CLOCKMODE_HVCLOCK`: the counter is scaled by a page that Hyper-V writes.
pub const CLOCK_MODE_HVCLOCK: i32 = 3;
/// `VDSO_CLOCKMODE_TIMENS`: this is a time namespace's page; the real data is in `timens_page`.
pub const CLOCK_MODE_TIMENS: i32 = i32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_differ_and_their_symbols_lie_in_their_pages() {
        assert!(LAYOUTS.contains(&LAYOUT));
        for layout in LAYOUTS {
            let same = |other: &&Layout| other.line == layout.line || other.facts == layout.facts;
            assert_eq!(LAYOUTS.iter().filter(same).count(), 1, "{}", layout.line);
            assert!(layout.all_symbols().all(|(_, offset)| offset < layout.size()));
            assert_eq!(layout.symbols.map(|(name, _)| name), LAYOUT.symbols.map(|(name, _)| name));
            assert!(layout.facts.iter().all(|(_, value)| u32::try_from(*value).is_ok()));
        }
    }
}
