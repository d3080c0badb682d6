//! Whether a layout of the kernel's clock data is the one of this process's image.
//!
//! The image itself is asked. A copy of it gets data pages of made-up words. A few of them, where
//! the layout has its fields, are a clocksource; all others mean nothing. The copy must read each
//! clock as the 32-bit image would. An image that takes one of the few from another place, or takes
//! another word into account, reads another time.
//!
//! # Invariants
//!
//! 1. The copy comes to an end. It waits for a sequence count that is odd, so all 32-bit words are
//!    even but the two clock modes. A mode is made up only where the kernel's own page has that
//!    mode, too; so no image has a sequence count there.
//! 2. The kernel's pages are only read, and the copy is gone at the end.

#![expect(unsafe_code, reason = "reads the kernel's pages, and calls a copy of its code")]

use crate::datapage::Block;
use liblinux::Vdso;
use liblinux_abi::kernel::clock::{
    BOOTTIME, MONOTONIC, MONOTONIC_COARSE, MONOTONIC_RAW, NSEC_PER_SEC, REALTIME, REALTIME_COARSE,
    TAI,
};
use liblinux_abi::kernel::datapage::{CLOCK_MODE_TSC, Timestamp};
use liblinux_compat::data::Data;
use nix::libc;
use std::arch::x86_64::{_mm_lfence, _rdtsc};
use std::ptr::NonNull;

/// How often all pages are made up anew.
const ROUNDS: usize = 2;
/// `mult` and `shift` of the made-up clocksources: a count is about a nanosecond.
const SHIFT: u32 = 22;

/// A clock: its number, and whether its time depends on the counter of a clocksource.
const CLOCKS: [(usize, Kind); 7] = [
    (REALTIME, Kind::Adjusted),
    (MONOTONIC, Kind::Adjusted),
    (BOOTTIME, Kind::Adjusted),
    (TAI, Kind::Adjusted),
    (MONOTONIC_RAW, Kind::Raw),
    (REALTIME_COARSE, Kind::Coarse),
    (MONOTONIC_COARSE, Kind::Coarse),
];

/// Which clocksource a clock is read by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Adjusted,
    Raw,
    /// The adjusted one, without its counter.
    Coarse,
}

/// `clock_gettime` of a 64-bit image.
type ClockGettime = unsafe extern "C" fn(i32, *mut [u64; 2]) -> i32;

/// Whether the image of this block reads its clocks by this layout, and by the TSC.
pub(crate) fn holds(block: &Block, data: &Data) -> bool {
    if !counter_is_readable() || !counts_by_tsc(block, data) {
        return false;
    }
    let Some(copy) = Copy::of(block) else { return false };
    let mut noise = Noise(counter());
    (0..ROUNDS).all(|_| {
        let sources = copy.make_up(data, &mut noise);
        CLOCKS.iter().all(|(clock, kind)| copy.answers(*clock, *kind, data, &sources))
    })
}

/// Whether the process may read the TSC (`PR_SET_TSC`).
fn counter_is_readable() -> bool {
    const PR_TSC_ENABLE: i32 = 1;
    let mut state: i32 = 0;
    // SAFETY: the kernel writes the number.
    let result = unsafe { libc::prctl(libc::PR_GET_TSC, &raw mut state) };
    result == 0 && state == PR_TSC_ENABLE
}

/// Whether the kernel's own page says TSC at the places of both clock modes.
fn counts_by_tsc(block: &Block, data: &Data) -> bool {
    [data.adjusted, data.raw].into_iter().all(|source| {
        let address = block.start as usize + source + data.mode;
        let mode = std::ptr::with_exposed_provenance::<i32>(address);
        // SAFETY: it is in the lowest data page (invariant 1 of `data`), which is mapped.
        unsafe { mode.read_volatile() == CLOCK_MODE_TSC }
    })
}

/// The TSC, not read before what is in front.
fn counter() -> u64 {
    // SAFETY: has no precondition on this architecture.
    unsafe { _mm_lfence() };
    // SAFETY: the process may read it.
    unsafe { _rdtsc() }
}

/// Numbers that mean nothing (`splitmix64`).
struct Noise(u64);

impl Noise {
    /// A number both of whose halves are even.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        even(mixed ^ mixed >> 31)
    }
}

/// The number with both halves made even.
fn even(number: u64) -> u64 {
    number & 0xffff_fffe_ffff_fffe
}

/// A made-up clocksource.
#[derive(Clone, Copy)]
struct Source {
    cycle_last: u64,
    mult: u32,
}

/// A copy of an image, with data pages that are not the kernel's.
struct Copy {
    start: NonNull<u8>,
    len: usize,
    pages: usize,
    clock_gettime: ClockGettime,
}

impl Copy {
    /// None if the memory cannot be had, or the image has no such function.
    fn of(block: &Block) -> Option<Self> {
        let len = (block.end - block.start) as usize;
        let pages = (block.image - block.start) as usize;
        // SAFETY: the image is mapped and readable.
        let vdso = unsafe { Vdso::at(block.image as usize) }.ok()?;
        let offset = vdso.symbol("__vdso_clock_gettime")? - vdso.base();
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let (none, readable) = (std::ptr::null_mut(), libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: new memory.
        let start = unsafe { libc::mmap(none, len, readable, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        let start = NonNull::new(start.cast::<u8>())?;
        let image = std::ptr::with_exposed_provenance::<u8>(block.image as usize);
        // SAFETY: within the memory.
        let to = unsafe { start.add(pages) };
        // SAFETY: as long as the image, and not it.
        unsafe { to.as_ptr().copy_from_nonoverlapping(image, len - pages) };
        let code = libc::PROT_READ | libc::PROT_EXEC;
        // SAFETY: whole pages of this memory.
        let protected = unsafe { libc::mprotect(to.as_ptr().cast(), len - pages, code) };
        // SAFETY: the symbol is in the image.
        let function = unsafe { to.add(offset) };
        // SAFETY: it is the function of this type, whose code reaches its data by their distance.
        let clock_gettime = unsafe { std::mem::transmute::<NonNull<u8>, ClockGettime>(function) };
        let copy = Self { start, len, pages, clock_gettime };
        (protected == 0).then_some(copy)
    }

    /// Writes a number, of whatever size, into a data page.
    fn put<T>(&self, offset: usize, value: T) {
        // SAFETY: the offsets are in the lowest page, or in one of them for whole words.
        let place = unsafe { self.start.add(offset) }.cast::<T>();
        // SAFETY: the memory is this copy's.
        unsafe { place.write_unaligned(value) };
    }

    /// Reads a word of a data page.
    fn get(&self, offset: usize) -> u64 {
        // SAFETY: as in `put`.
        let place = unsafe { self.start.add(offset) }.cast::<u64>();
        // SAFETY: as in `put`.
        unsafe { place.read_unaligned() }
    }

    /// Fills all data pages; the two clocksources, the adjusted one first.
    fn make_up(&self, data: &Data, noise: &mut Noise) -> [Source; 2] {
        for offset in (0..self.pages).step_by(size_of::<u64>()) {
            self.put(offset, noise.next());
        }
        [data.adjusted, data.raw].map(|source| {
            let at = |field: usize| source + field;
            let cycle_last = even(counter().wrapping_sub(noise.next() >> 33));
            let mult = (1 << (SHIFT - 1) | noise.next() as u32 >> (33 - SHIFT)) & !1;
            self.put(at(data.mode), CLOCK_MODE_TSC);
            self.put(at(data.cycle_last), cycle_last);
            self.put(at(data.mult), mult);
            self.put(at(data.shift), SHIFT);
            for (clock, kind) in CLOCKS {
                let shift = if kind == Kind::Coarse { 0 } else { SHIFT };
                let nanoseconds = (noise.next() % NSEC_PER_SEC) << shift;
                self.put(at(data.nanoseconds + clock * size_of::<Timestamp>()), even(nanoseconds));
            }
            Source { cycle_last, mult }
        })
    }

    /// Whether the copy reads this clock between two readings by the layout.
    fn answers(&self, clock: usize, kind: Kind, data: &Data, sources: &[Source; 2]) -> bool {
        let [adjusted, raw] = sources;
        let (at, source) =
            if kind == Kind::Raw { (data.raw, raw) } else { (data.adjusted, adjusted) };
        let at = at + clock * size_of::<Timestamp>();
        let (seconds, base) = (self.get(at + data.seconds), self.get(at + data.nanoseconds));
        let read = |counter: u64| {
            if kind == Kind::Coarse {
                return u128::from(base);
            }
            let elapsed = u128::from(counter.wrapping_sub(source.cycle_last));
            (elapsed * u128::from(source.mult) + u128::from(base)) >> SHIFT
        };
        let mut time = [0; 2];
        let before = counter();
        // SAFETY: the copy's data lets the function end (invariant 1), which writes the time.
        let result = unsafe { (self.clock_gettime)(clock as i32, &raw mut time) };
        let after = counter();
        let nanoseconds = u128::from(time[0].wrapping_sub(seconds)) * u128::from(NSEC_PER_SEC)
            + u128::from(time[1]);
        result == 0 && time[1] < NSEC_PER_SEC && (read(before)..=read(after)).contains(&nanoseconds)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // SAFETY: the memory is this copy's, and nothing of it is in use.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblinux_compat::data::DATA;
    use liblinux_workspace::skip::skip;

    /// The block of this process, and the layout that is right for it.
    fn found() -> Option<(Block, Data)> {
        // SAFETY: has no precondition.
        let image = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let block = Block::find(&maps, image)?;
        let right: Vec<Data> = DATA.into_iter().filter(|data| holds(&block, data)).collect();
        assert!(right.len() < 2, "two layouts cannot both be right: {right:?}");
        let found = right.first().map(|data| (block, *data));
        if found.is_none() {
            skip("this kernel's clock is not the TSC, or its data pages are of another layout");
        }
        found
    }

    #[test]
    fn a_layout_holds_again_and_again() {
        let Some((block, data)) = found() else { return };
        assert!((0..200).all(|_| holds(&block, &data)));
    }

    #[test]
    fn a_layout_with_any_part_elsewhere_does_not_hold() {
        let Some((block, data)) = found() else { return };
        let stamp = size_of::<Timestamp>();
        let wrong = [
            Data { adjusted: data.adjusted + stamp, ..data },
            Data { raw: data.raw + stamp, ..data },
            Data { adjusted: data.raw, raw: data.adjusted, ..data },
            Data { mode: data.sequence, ..data },
            Data { cycle_last: data.cycle_last + 8, ..data },
            Data { mult: data.shift, shift: data.mult, ..data },
            Data { mult: data.mult - 4, ..data },
            Data { shift: data.shift - 8, ..data },
            Data { seconds: data.seconds + stamp, ..data },
            Data { nanoseconds: data.nanoseconds + stamp, ..data },
            Data { seconds: data.nanoseconds, nanoseconds: data.seconds, ..data },
        ];
        for data in wrong {
            assert!(!holds(&block, &data), "{data:?}");
        }
    }
}
