//! The auxiliary vector: where the kernel tells a new process about its image.
//!
//! There are three ways to it, and a program takes the first that it has:
//!
//! 1. The initial stack, which a program with an entry point of its own sees ([`on_stack`]).
//! 2. Its libc ([`in_libc`], with the feature `libc`).
//! 3. `/proc/self/auxv` ([`in_proc`]), for those that have neither. It is what the kernel gave to
//!    `execve`; a tool that puts another image in place by changing the stack (a debugger, a
//!    runner) is not seen there.

#![expect(unsafe_code, reason = "reads the initial stack, and a file by bare system calls")]

use crate::{Call, Errno, arch};
use liblinux_abi::kernel::auxv;

/// The tag of the image's address.
pub const AT_SYSINFO_EHDR: usize = auxv::AT_SYSINFO_EHDR as usize;

/// The tag of the last entry.
const AT_NULL: usize = auxv::AT_NULL as usize;

/// Entries that are read at most; the kernel fills about twenty.
const ENTRIES: usize = 64;

/// The image's address in the vector above the environment of the initial stack; 0 if it is not
/// there.
///
/// # Safety
///
/// `stack` must be what `rsp` was at the program's entry point: the argument count, the arguments,
/// the environment and the vector stand there as the kernel (or a dynamic loader) left them.
pub unsafe fn on_stack(stack: *const usize) -> usize {
    // SAFETY: the argument count is the first word.
    let arguments = unsafe { stack.read() };
    // Behind the count are the arguments and a null pointer.
    let mut place = stack.wrapping_add(arguments.wrapping_add(2));
    loop {
        // SAFETY: within the environment, whose end is the first null pointer.
        let variable = unsafe { place.read() };
        place = place.wrapping_add(1);
        if variable == 0 {
            break;
        }
    }
    for _ in 0..ENTRIES {
        // SAFETY: within the vector, whose last entry has been looked for in all entries before.
        let tag = unsafe { place.read() };
        if tag == AT_NULL {
            break;
        }
        if tag == AT_SYSINFO_EHDR {
            // SAFETY: an entry is a tag and its value.
            return unsafe { place.wrapping_add(1).read() };
        }
        place = place.wrapping_add(2);
    }
    0
}

/// The image's address as the libc knows it; 0 if it knows of none.
#[cfg(feature = "libc")]
pub fn in_libc() -> usize {
    unsafe extern "C" {
        safe fn getauxval(tag: core::ffi::c_ulong) -> core::ffi::c_ulong;
    }
    getauxval(AT_SYSINFO_EHDR as core::ffi::c_ulong) as usize
}

/// The image's address in `/proc/self/auxv`; 0 if it is not there.
pub fn in_proc() -> Result<usize, Errno> {
    const AT_FDCWD: usize = -100_isize as usize;
    const O_CLOEXEC: usize = 0o2_000_000;
    let path = c"/proc/self/auxv".as_ptr().expose_provenance();
    // SAFETY: the path is a C string.
    let file = unsafe { bare(Call::openat, [AT_FDCWD, path, O_CLOEXEC, 0, 0, 0]) }?;
    let mut words = [0_usize; 2 * ENTRIES];
    let (start, size) = (words.as_mut_ptr().expose_provenance(), size_of_val(&words));
    // The kernel writes the whole vector in one read, whose size is a multiple of an entry's.
    // SAFETY: the buffer has that size.
    let read = unsafe { bare(Call::read, [file, start, size, 0, 0, 0]) };
    // SAFETY: no other code has the descriptor. Closing a file that was only read has no error of
    // interest.
    let _ = unsafe { bare(Call::close, [file, 0, 0, 0, 0, 0]) };
    let (entries, _) = words[..read? / size_of::<usize>()].as_chunks::<2>();
    Ok(entries.iter().find(|entry| entry[0] == AT_SYSINFO_EHDR).map_or(0, |entry| entry[1]))
}

/// Makes a call before there is an image to make it by.
unsafe fn bare(call: Call, arguments: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: the caller's contract.
    Errno::result(unsafe { arch::syscall(call.number(), arguments) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_entry_behind_arguments_and_environment() {
        let stack =
            [2, 0x100, 0x200, 0, 0x300, 0x400, 0x500, 0, 6, 4096, AT_SYSINFO_EHDR, 0x7000, 0, 0];
        // SAFETY: laid out as an initial stack.
        assert_eq!(unsafe { on_stack(stack.as_ptr()) }, 0x7000);
        let none = [0, 0, 0, 6, 4096, AT_NULL, 0, AT_SYSINFO_EHDR, 0x7000];
        // SAFETY: as above, without arguments and environment.
        assert_eq!(unsafe { on_stack(none.as_ptr()) }, 0);
    }

    #[test]
    fn proc_says_what_the_map_says() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line =
            maps.lines().find(|line| line.ends_with("[vdso]")).expect("this process has a vDSO");
        let start = line.split('-').next().unwrap();
        assert_eq!(in_proc(), Ok(usize::from_str_radix(start, 16).unwrap()));
    }
}
