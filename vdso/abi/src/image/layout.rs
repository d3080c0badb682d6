// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Where things are in the image and around it.
//!
//! The image's text has four parts. The *hot page* holds the standard functions, so that all of
//! them and nothing else share one page of text. Its tail holds the entries that are not system
//! calls. The *slot table* follows: the entry of system call `n` is at a place computed from `n`
//! alone, so it can never move, and the table grows at its end as the kernel does. The *bodies* of
//! hand-written entries come behind it, then compiled code, which may move from build to build.
//!
//! The numbers that have no call leave unused slots (104 of 473); a table in row
//! order would save these 1.6 KiB and pay with a table to look offsets up in.
//!
//! # Invariants
//!
//! 1. No constant here changes once an image has been released: they are part of the ABI
//!    (`linker/x86_64/vdso.abi`).
//! 2. The data pages lie directly below the image: see [`crate::kernel::datapage`].

/// Bytes of a page.
pub const PAGE_SIZE: usize = 4096;

/// Offset of the hot page, the first byte of text.
pub const TEXT: usize = 0x1000;

/// The standard functions, and the offset of each in the hot page, ascending. Each has the room up
/// to the next one.
pub const HOT: [(&str, usize); 6] = [
    ("clock_gettime", 0),
    ("gettimeofday", 0x300),
    ("time", 0x500),
    ("clock_getres", 0x580),
    ("getcpu", 0x640),
    ("getrandom", 0x6c0),
];

/// Offset of the tick: 32 bits, the kernel's `TICK_NSEC` in nanoseconds, or 0 in an image without
/// it.
///
/// It is the resolution of the coarse clocks, a constant of the kernel's build that no data page
/// holds. `tools/image` writes it here as it hands the image to a kernel build.
pub const TICK: usize = TEXT - 8;

/// Offset of the number of the first private call: 32 bits, 0 where there are none.
///
/// Private calls are system calls without an `__NR_`: the kernel picks their numbers at boot,
/// writes the first one here, and takes each from its own place in the image's text alone.
pub const PRIVATE: usize = TICK - 4;

/// Offset of the entries in the hot page's tail that are functions of the image itself.
pub const LIBRARY: usize = 0x1c00;

/// Offset of the entry into SGX enclaves, behind `__vdso_syscall`.
pub const SGX: usize = LIBRARY + 0x20;

/// Offset of the functions that unlock robust futexes, behind the entry into SGX enclaves.
pub const ROBUST: usize = LIBRARY + 0x40;

/// Bytes of a slot of one of these functions, which is all of its code.
pub const ROBUST_SLOT_SIZE: usize = 32;

/// Offset of the function `index` by its place in `export::ROBUST`.
pub const fn robust_slot(index: usize) -> usize {
    ROBUST + ROBUST_SLOT_SIZE * index
}

/// Offset of `__vdso_syscall_cancellable`, all of whose code is here.
pub const CANCELLABLE: usize = LIBRARY + 0x80;

/// Offset of the slots of the other functions of cancellable calls.
pub const CANCEL: usize = LIBRARY + 0x100;

/// Offset of the slots of the exception fixups, behind the other entries of the tail.
pub const FIXUPS: usize = LIBRARY + 0x200;

/// Offset of the slot table.
pub const SLOTS: usize = 0x2000;

/// Offset of the bodies of hand-written entries, which do not fit their slots: behind room for 512
/// calls.
///
/// No program calls them by address, but threads are blocked in them, and a checkpointer puts such
/// a thread into the next image where it was in this one. So they stay where they are, too, and new
/// ones come last.
pub const BODIES: usize = SLOTS + 512 * SLOT_SIZE;

/// Where a body may begin: so each has some room to grow.
pub const BODY_ALIGN: usize = 64;

/// Bytes of a slot, as many as CRIU overwrites with its trampoline.
pub const SLOT_SIZE: usize = 16;

/// Offset of the entry slot of the system call `number`.
pub const fn slot(number: u32) -> usize {
    SLOTS + SLOT_SIZE * number as usize
}

/// Offset of the entry slot of the exception fixups' function `index`, by its place in
/// `export::FIXUPS`.
pub const fn fixup_slot(index: usize) -> usize {
    FIXUPS + SLOT_SIZE * index
}

/// Offset of the entry slot of the cancellable calls' function `index`, by its place in
/// `export::CANCEL`.
pub const fn cancel_slot(index: usize) -> usize {
    CANCEL + SLOT_SIZE * index
}

const _: () = {
    assert!(SLOTS % PAGE_SIZE == 0 && TEXT % PAGE_SIZE == 0);
    assert!(TEXT < LIBRARY && LIBRARY < SLOTS && SLOTS - TEXT == PAGE_SIZE);
    assert!(
        LIBRARY < SGX
            && SGX < ROBUST
            && robust_slot(crate::image::export::ROBUST.len()) <= CANCELLABLE
            && CANCELLABLE < CANCEL
            && cancel_slot(crate::image::export::CANCEL.len()) <= FIXUPS
            && fixup_slot(crate::image::export::FIXUPS.len()) <= SLOTS
    );
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::export;

    #[test]
    fn the_hot_page_has_a_room_for_each_standard_function() {
        assert!(
            HOT.is_sorted_by(|one, next| one.1 < next.1) && HOT[HOT.len() - 1].1 < LIBRARY - TEXT
        );
        let mut rooms: std::vec::Vec<_> = HOT.iter().map(|room| room.0).collect();
        let mut functions: std::vec::Vec<_> = export::standard().map(|call| call.name).collect();
        rooms.sort_unstable();
        functions.sort_unstable();
        assert_eq!(rooms, functions);
    }
}
