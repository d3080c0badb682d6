//! Mappings below 4 GiB.
//!
//! The kernel gives a 64-bit process memory from the top of its address space. So the loader takes
//! all of that which is above 4 GiB, without access and without memory behind it. From then on the
//! kernel finds room below alone, for `mmap`, `mremap` and `shmat`, as in a 32-bit process.

#![expect(unsafe_code, reason = "maps memory")]

use crate::file::{Program, Segment};
use crate::status::Failure;
use nix::errno::Errno;
use nix::libc::{self, c_int};
use std::fs;
use std::os::fd::AsRawFd as _;

/// Bytes of a page.
const PAGE: u64 = 4096;
/// The end of a 32-bit address space: `IA32_PAGE_OFFSET`.
const END_32: u64 = 0xffff_e000;
/// The end of the address space of programs that do not ask for more: `TASK_SIZE`.
const END_64: u64 = 0x7fff_ffff_f000;

const READ: c_int = libc::PROT_READ;
const WRITE: c_int = libc::PROT_WRITE;
const ANONYMOUS: c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

fn up(value: u64) -> u64 {
    value.next_multiple_of(PAGE)
}

fn down(value: u64) -> u64 {
    value / PAGE * PAGE
}

/// Maps memory; the address.
fn map(
    address: u64,
    len: u64,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: u64,
) -> Result<u64, Errno> {
    let address = std::ptr::with_exposed_provenance_mut(address as usize);
    let (len, offset) = (len as usize, offset.cast_signed());
    // SAFETY: places are the kernel's choice, or were free, or are of a mapping that was made for
    // this.
    let result = unsafe { libc::mmap(address, len, protection, flags, file, offset) };
    if result == libc::MAP_FAILED {
        Err(Errno::last())
    } else {
        Ok(result.expose_provenance() as u64)
    }
}

/// Maps anonymous memory at a place that must be free.
pub(crate) fn take(address: u32, len: usize, what: &str) -> Result<(), Failure> {
    let flags = ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    map(address.into(), up(len as u64), READ | WRITE, flags, -1, 0).map(drop).map_err(|error| {
        Failure::own(format!("no room for {what} at {address:#x}: {}", error.desc()))
    })
}

/// Gives memory back that the loader has taken, or the rest of it.
pub(crate) fn give_back(address: u32, len: usize) -> Result<(), Failure> {
    let place = std::ptr::with_exposed_provenance_mut(address as usize);
    // SAFETY: the loader has taken this memory, and nothing is in it.
    let result = unsafe { libc::munmap(place, up(len as u64) as usize) };
    Errno::result(result).map(drop).map_err(|error| {
        Failure::own(format!("cannot give memory at {address:#x} back: {}", error.desc()))
    })
}

/// Copies bytes to memory that the loader has mapped.
pub(crate) fn put(address: u32, bytes: &[u8]) {
    let to = std::ptr::with_exposed_provenance_mut(address as usize);
    // SAFETY: the callers have mapped the memory for these bytes.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
}

/// Takes the right to write away, and gives that to execute.
pub(crate) fn seal(address: u32, len: usize, is_code: bool) -> Result<(), Failure> {
    let place = std::ptr::with_exposed_provenance_mut(address as usize);
    let protection = if is_code { READ | libc::PROT_EXEC } else { READ };
    // SAFETY: this memory was mapped by the loader.
    let result = unsafe { libc::mprotect(place, up(len as u64) as usize, protection) };
    Errno::result(result).map(drop).map_err(|error| {
        Failure::own(format!("cannot protect memory at {address:#x}: {}", error.desc()))
    })
}

/// Takes all that is above 4 GiB.
pub(crate) fn reserve() -> Result<(), Failure> {
    let text = fs::read_to_string("/proc/self/maps").map_err(|error| {
        Failure::own(format!("cannot read /proc/self/maps: {error}; /proc has to be mounted"))
    })?;
    let mut start = END_32;
    let ends = text.lines().filter_map(|line| {
        let (from, to) = line.split_whitespace().next()?.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some((number(from)?, number(to)?))
    });
    let mut gaps = Vec::new();
    for (from, to) in ends.chain([(END_64, END_64)]) {
        let from = from.min(END_64);
        if from > start {
            gaps.push((start, from - start));
        }
        start = start.max(to);
    }
    for (address, len) in gaps {
        let flags = ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
        map(address, len, libc::PROT_NONE, flags, -1, 0).map_err(|error| {
            Failure::own(format!(
                "cannot keep the program below 4 GiB: {} at {address:#x}; if the size of address spaces is limited \
                 (`ulimit -v`), raise that",
                error.desc()
            ))
        })?;
        let place = std::ptr::with_exposed_provenance_mut(address as usize);
        // Otherwise a debugger's core file has all of it. Every kernel has this advice.
        // SAFETY: this memory has just been taken, and nothing is in it.
        unsafe { libc::madvise(place, len as usize, libc::MADV_DONTDUMP) };
    }
    Ok(())
}

/// Maps a stack; its end.
pub(crate) fn stack(is_executable: bool) -> Result<u32, Failure> {
    const DEFAULT: u64 = 8 << 20;
    const LARGEST: u64 = 256 << 20;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes the structure.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) };
    let size = match limit.rlim_cur {
        libc::RLIM_INFINITY => DEFAULT,
        _ if result != 0 => DEFAULT,
        size => up(size.clamp(128 << 10, LARGEST)),
    };
    let protection = READ | WRITE | if is_executable { libc::PROT_EXEC } else { 0 };
    let flags = ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    let start = map(0, size, protection, flags, -1, 0)
        .map_err(|error| Failure::own(format!("no room for a stack: {}", error.desc())))?;
    Ok((start + size) as u32)
}

/// Maps a program's segments; how far it was moved.
pub(crate) fn program(program: &Program) -> Result<u32, Failure> {
    let cannot = |error: Errno| {
        let path = program.path.display();
        match error {
            Errno::EEXIST => Failure::own(format!(
                "no room for {path}: its addresses are in use; link it elsewhere, or as a position-independent program"
            )),
            Errno::EPERM => Failure::own(format!(
                "no room for {path}: its addresses are below `sysctl vm.mmap_min_addr`"
            )),
            error => Failure::own(format!("no room below 4 GiB for {path}: {}", error.desc())),
        }
    };
    let (Some(first), Some(last)) = (program.segments.first(), program.segments.last()) else {
        return Err(Failure::own("a program without segments"));
    };
    let start = down(first.address.into());
    let len = up(u64::from(last.address) + u64::from(last.memory_size)) - start;
    let flags = ANONYMOUS | libc::MAP_NORESERVE;
    let place = if program.is_movable {
        map(0, len, libc::PROT_NONE, flags, -1, 0)
    } else {
        map(start, len, libc::PROT_NONE, flags | libc::MAP_FIXED_NOREPLACE, -1, 0)
    };
    let moved = place.map_err(cannot)?.wrapping_sub(start) as u32;
    for segment in &program.segments {
        self::segment(program, segment, moved).map_err(cannot)?;
    }
    Ok(moved)
}

fn segment(program: &Program, segment: &Segment, moved: u32) -> Result<(), Errno> {
    let Segment { offset, address, file_size, memory_size, flags } = *segment;
    let address = u64::from(address.wrapping_add(moved));
    let bit = |bit: u32, protection: c_int| if flags & bit == 0 { 0 } else { protection };
    let protection = bit(4, READ) | bit(2, WRITE) | bit(1, libc::PROT_EXEC);
    let start = down(address);
    let file_end = address + u64::from(file_size);
    if file_size > 0 {
        let offset = down(offset.into());
        let file = program.file.as_raw_fd();
        let flags = libc::MAP_PRIVATE | libc::MAP_FIXED;
        map(start, file_end - start, protection, flags, file, offset)?;
    }
    let end = address + u64::from(memory_size);
    if end > up(file_end) {
        let from = if file_size > 0 { up(file_end) } else { start };
        map(from, end - from, protection, ANONYMOUS | libc::MAP_FIXED, -1, 0)?;
    }
    if file_size > 0 && end > file_end && flags & 2 != 0 {
        let rest = up(file_end).min(up(end)) - file_end;
        put(file_end as u32, &vec![0; rest as usize]);
    }
    Ok(())
}
