//! One image against another: what moved, vanished, appeared or changed size, and what that does to
//! programs and to a process that CRIU dumped under the old image and restores under the new.
//!
//! # Invariants
//!
//! 1. Exports are compared by name, in all their versions; only the names that CRIU knows decide
//!    about a restored process.

use crate::image::Image;
use crate::lock::{Difference, Lock};
use goblin::elf::header::{EM_386, EM_AARCH64, EM_ARM, EM_RISCV, EM_X86_64};
use std::collections::BTreeMap;
use std::fmt;

/// The names that CRIU compares and redirects, by machine: `ARCH_VDSO_SYMBOLS` of its headers
/// `asm/vdso.h`.
const CRIU_NAMES: &[(u16, &[&str])] = &[
    (EM_X86_64, CRIU_X86),
    (EM_386, CRIU_X86),
    (
        EM_AARCH64,
        &[
            "__kernel_clock_getres",
            "__kernel_clock_gettime",
            "__kernel_gettimeofday",
            "__kernel_rt_sigreturn",
        ],
    ),
    (EM_ARM, &["__vdso_clock_gettime", "__vdso_gettimeofday"]),
    (
        EM_RISCV,
        &[
            "__vdso_clock_getres",
            "__vdso_clock_gettime",
            "__vdso_gettimeofday",
            "__vdso_getcpu",
            "__vdso_flush_icache",
            "__vdso_rt_sigreturn",
        ],
    ),
];

const CRIU_X86: &[&str] = &[
    "__vdso_clock_gettime",
    "__vdso_getcpu",
    "__vdso_gettimeofday",
    "__vdso_time",
    "__kernel_vsyscall",
    "__kernel_sigreturn",
    "__kernel_rt_sigreturn",
];

/// What CRIU does when it restores a process of the old image under the new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restore {
    /// It maps the new image in place of the old: both have one size, and the names that it knows
    /// have one offset each.
    InPlace,
    /// It keeps the old image and writes a jump over each entry that it knows.
    Redirect {
        /// Why not in place.
        because: String,
        /// Entries whose jump leads to the start of the new image, which is not code: the new image
        /// lacks them.
        lost: Vec<String>,
    },
}

/// How two images differ.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Exports: added, removed, moved, resized.
    pub exports: Difference,
    /// Bytes of the old file and of the new.
    pub sizes: (usize, usize),
    /// What CRIU does.
    pub restore: Restore,
}

/// Compares `new` with `old`; an error says which of the two cannot be compared.
pub fn compare(old: &Image<'_>, new: &Image<'_>) -> Result<Comparison, String> {
    let machines = (old.header.e_machine, new.header.e_machine);
    if machines.0 != machines.1 || old.class() != new.class() {
        return Err(format!(
            "the images are for different machines: e_machine {} and {}; compare images of one",
            machines.0, machines.1
        ));
    }
    let lock = |image: &Image<'_>, which: &str| {
        Lock::of_exports(image).map_err(|error| format!("the {which} image: {error}"))
    };
    let (before, after) = (lock(old, "old")?, lock(new, "new")?);
    Ok(Comparison {
        exports: before.compare(&after),
        sizes: (old.bytes.len(), new.bytes.len()),
        restore: restore(old, new)?,
    })
}

/// What CRIU does: it compares the size of the mapping and the offsets of the names that it knows.
fn restore(old: &Image<'_>, new: &Image<'_>) -> Result<Restore, String> {
    let known = CRIU_NAMES.iter().find(|(machine, _)| *machine == old.header.e_machine);
    let known = known.map_or(&[][..], |found| found.1);
    let offsets = |image: &Image<'_>| -> Result<BTreeMap<String, u64>, String> {
        let exports = image.exports()?;
        let known = exports.iter().filter(|symbol| known.contains(&symbol.name));
        Ok(known.map(|symbol| (symbol.name.to_owned(), symbol.value)).collect())
    };
    let (before, after) = (offsets(old)?, offsets(new)?);
    let sizes = [old, new].map(|image| image.bytes.len().next_multiple_of(4096));
    let lost: Vec<String> =
        before.keys().filter(|name| !after.contains_key(*name)).cloned().collect();
    // A name that neither image has is at 0 in both.
    let differing = known.iter().find(|name| before.get(**name) != after.get(**name));
    let because = if sizes[0] != sizes[1] {
        format!("the mappings have {} and {} bytes", sizes[0], sizes[1])
    } else if let Some(name) = differing {
        format!("{name} is elsewhere, or in one of the images alone")
    } else {
        return Ok(Restore::InPlace);
    };
    Ok(Restore::Redirect { because, lost })
}

impl Comparison {
    /// Whether a program or a restored process that works with the old image may fail with the new.
    pub fn breaks(&self) -> bool {
        !self.exports.removed.is_empty()
            || self.exports.moved.iter().any(|(old, new)| old.version != new.version)
            || matches!(&self.restore, Restore::Redirect { lost, .. } if !lost.is_empty())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exports.is_empty() {
            writeln!(out, "exports: the same names at the same offsets, of the same sizes")?;
        } else {
            writeln!(out, "{}", self.exports)?;
        }
        writeln!(out, "size: {} bytes, then {}", self.sizes.0, self.sizes.1)?;
        match &self.restore {
            Restore::InPlace => writeln!(
                out,
                "CRIU: maps the new image in place of the old, if the data pages' size and place are the same"
            ),
            Restore::Redirect { because, lost } => {
                writeln!(
                    out,
                    "CRIU: keeps the old image and writes a jump to the new one over each entry that it knows, because {because}; a thread stopped in the first 16 bytes of one continues in the midst of the jump"
                )?;
                for name in lost {
                    writeln!(
                        out,
                        "CRIU: jumps from {name} to the new image's first byte, which is not code: the next call crashes"
                    )?;
                }
                Ok(())
            }
        }
    }
}
