// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What the shim is told about its process: the page in front of its code.
//!
//! The loader fills the page before the program's first instruction and takes the right to write
//! to it away. So it is not state: every thread, and every forked child, reads the same.

/// The page in front of the shim's code.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// A function `(number, a1, ..., a6)` that makes a system call.
    pub syscall: u64,
    /// A function with the arguments of `clone` that makes it, and whose child returns from it on
    /// the new stack or on the shared one.
    pub clone: u64,
    /// Where `rt_sigreturn` is made, with the stack pointer at the context.
    pub sigreturn: u64,
    /// The text from which the kernel takes system calls; where it is empty, from everywhere.
    pub dispatch_start: u64,
    /// Bytes of that text.
    pub dispatch_size: u64,
    /// The text of the 64-bit entries above.
    pub entries_start: u64,
    /// Bytes of that text.
    pub entries_size: u64,
    /// `__kernel_sigreturn` of the 32-bit image.
    pub kernel_sigreturn: u32,
    /// `__kernel_rt_sigreturn` of the 32-bit image.
    pub kernel_rt_sigreturn: u32,
    /// The C string that the program reads from `/proc/self/exe`.
    pub program: u64,
    /// Bytes of it, without the zero at its end.
    pub program_len: u64,
    /// The first words with which the loader is started for another program: `words_len`
    /// addresses of C strings. `argv[0]` of the program and its file follow.
    pub words: u64,
    /// How many these are.
    pub words_len: u64,
    /// The C string by which the loader is found.
    pub loader: u64,
    /// `__vdso_clock_gettime` of the process's 64-bit image, whichever that is; 0 without one.
    pub clock_gettime: u64,
}

/// The first number behind those of system calls, for the functions of the 32-bit image that read
/// clocks. They come by the same entry.
pub const CLOCKS: u32 = 0x7c10_0000;

/// Where the page is: below the loader, which is linked at [`LOADER_BASE`]. Few i386 programs want
/// this place: most are linked far below, and the others take any.
pub const BASE: u32 = 0x55f0_0000;

/// Where the 32-bit image is: at a page's start.
pub const GATE_AT: u32 = BASE + 0x8_0000;

/// Where the loader is. The kernel puts the `brk` of a process behind its program, so the 32-bit
/// program's is below 4 GiB, too, with room to grow.
pub const LOADER_BASE: u32 = 0x5600_0000;

/// Bytes of the page.
pub const FACTS_SIZE: usize = 4096;

/// Offsets from the page's start, which stand at the beginning of the shim's code.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Where 32-bit code enters, by a far jump.
    pub enter: u32,
    /// Where the loader jumps to, to start a program.
    pub start: u32,
    /// [`Facts::syscall`] of a process without our image.
    pub syscall: u32,
    /// [`Facts::clone`] of it.
    pub clone: u32,
    /// [`Facts::sigreturn`] of it.
    pub sigreturn: u32,
    /// The end of these three functions, which are the only ones with the instruction `syscall`.
    pub entries_end: u32,
}
