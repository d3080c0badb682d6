// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Thread-local storage: `set_thread_area`.
//!
//! An i386 kernel puts a descriptor into the processor's table and the program loads its selector.
//! The 64-bit ABI has no such call. Here the descriptor's base goes into the base of a segment
//! register at once, and the selector that is given out leads to no descriptor: loading it is a
//! fault, which gives the register the flat data segment ([`crate::delivery`]). So a thread has two
//! areas, one for each register.

use crate::arch::{self, Segment};
use crate::call::Outcome;
use crate::frame::Frame;
use crate::memory::{self, structures};
use liblinux_abi::kernel::errno::{EINVAL, ESRCH};

structures! {
    /// `struct user_desc`.
    #[repr(C)]
    struct Descriptor {
        entry: u32,
        base: u32,
        limit: u32,
        flags: u32,
    }
}

/// `GDT_ENTRY_TLS_MIN`: the first entry that the kernel gives out; for `gs`.
const FIRST: u32 = 12;
/// The second one, for `fs`.
const SECOND: u32 = 13;
/// The entry of the flat data segment, whose selector is in a register that has an area.
const FLAT_ENTRY: u32 = 5;
/// The entry of a caller that takes any.
const ANY: u32 = u32::MAX;
/// 32-bit data, present, with a limit in pages: what a descriptor of the flat segment says.
const FLAT: u32 = 0x51;

/// The register whose base belongs to an entry.
fn of_entry(entry: u32) -> Option<Segment> {
    match entry {
        FIRST => Some(Segment::Gs),
        SECOND => Some(Segment::Fs),
        _ => None,
    }
}

/// The register whose base belongs to a selector.
pub(crate) fn of_selector(selector: u16) -> Option<Segment> {
    if selector & 7 == 3 { of_entry(u32::from(selector >> 3)) } else { None }
}

/// `set_thread_area`.
pub(crate) fn set(frame: &Frame) -> Outcome {
    let address = frame.argument(0);
    let mut descriptor = memory::read::<Descriptor>(address)?;
    if descriptor.entry == ANY {
        let free = [FIRST, SECOND]
            .into_iter()
            .find(|entry| of_entry(*entry).is_some_and(|segment| arch::base_of(segment) == 0));
        descriptor.entry = free.ok_or(ESRCH)?;
        memory::write(address, descriptor)?;
    }
    let segment = of_entry(descriptor.entry).ok_or(EINVAL)?;
    arch::set_base(segment, descriptor.base.into());
    Ok(0)
}

/// `get_thread_area`.
pub(crate) fn get(frame: &Frame) -> Outcome {
    let address = frame.argument(0);
    let entry = memory::read::<u32>(address)?;
    let base = arch::base_of(of_entry(entry).ok_or(EINVAL)?) as u32;
    memory::write(address, Descriptor { entry, base, limit: 0xf_ffff, flags: FLAT })?;
    Ok(0)
}

/// The base that a descriptor for a new thread says. Its entry is that of `gs`, or the one that a
/// program reads from `gs` itself.
pub(crate) fn base_for_child(address: u32) -> Result<u64, isize> {
    let descriptor = memory::read::<Descriptor>(address)?;
    if matches!(descriptor.entry, FIRST | FLAT_ENTRY) {
        Ok(descriptor.base.into())
    } else {
        Err(EINVAL)
    }
}
