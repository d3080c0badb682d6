//! The least code that could do what a function does: the call and the loads and stores that
//! nothing can avoid.
//!
//! A floor checks nothing: neither the clock's id nor whether the data changed meanwhile. What a
//! real function takes beyond it is the price of being right.
//!
//! # Invariants
//!
//! 1. Floors are called as the functions are, so that a call is part of both: each has a cache line
//!    of its own, as an entry has, in a mapping that is as far from the caller as the images are. A
//!    call that goes far, or a function in two lines, costs as much as the shortest floors do.

#![expect(unsafe_code, reason = "functions in assembly, in memory of their own")]

use crate::arch::alternatives::has;
use liblinux_abi::arch::x86_64::alternative::FEATURE_RDPID;
use liblinux_abi::arch::x86_64::segment::{CPUNODE_BITS, CPUNODE_SEGMENT};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::clock::REALTIME;
use liblinux_abi::kernel::datapage::{ClockData, Timestamp};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use std::arch::global_asm;
use std::mem::{offset_of, size_of};
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Offset of the clock that [`Code::Time`] and [`Code::TimeOfDay`] read.
const BASE: usize = offset_of!(ClockData, base) + REALTIME * size_of::<Timestamp>();

macro_rules! floors {
    ($($(#[$doc:meta])* $name:ident: $($line:literal),+;)*) => {
        /// A floor, as the number of its cache line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        const COUNT: usize = [$(Code::$name),*].len();

        global_asm!(
            ".pushsection .text.liblinux_floors, \"ax\", @progbits",
            ".hidden liblinux_floors_start, liblinux_floors_end",
            ".globl liblinux_floors_start, liblinux_floors_end",
            ".balign {line}, 0xcc",
            "liblinux_floors_start:",
            $($($line,)+ ".balign {line}, 0xcc",)*
            "liblinux_floors_end:",
            ".popsection",
            line = const LINE,
            cycle_last = const offset_of!(ClockData, cycle_last),
            mult = const offset_of!(ClockData, mult),
            shift = const offset_of!(ClockData, shift),
            sec = const BASE + offset_of!(Timestamp, sec),
            nsec = const BASE + offset_of!(Timestamp, nsec),
            segment = const CPUNODE_SEGMENT,
            bits = const CPUNODE_BITS,
        );
    };
}

floors! {
    /// Only returns.
    Nothing: "xor eax, eax", "ret";
    /// Reads the TSC, as the kernel's clocks do.
    Counter: "rdtscp", "ret";
    /// Copies two words from `rdi` to `rsi`: a clock that is only read.
    Pair: "mov rax, [rdi]", "mov rdx, [rdi + 8]", "mov [rsi], rax", "mov [rsi + 8], rdx", "xor eax, eax", "ret";
    /// Copies one word from `rdi` to `rsi` and returns it.
    Word: "mov rax, [rdi]", "mov [rsi], rax", "ret";
    /// Returns the word at `rdi`.
    Load: "mov rax, [rdi]", "ret";
    /// Stores zero and the 32-bit word at `rdi` to `rsi`: a resolution.
    Resolution: "mov eax, [rdi]", "mov qword ptr [rsi], 0", "mov [rsi + 8], rax", "xor eax, eax", "ret";
    /// Stores the processor to `rdi` and the node to `rsi`.
    Rdpid:
        ".byte 0xf3, 0x0f, 0xc7, 0xf8", // rdpid rax: the name needs a target feature.
        "mov edx, eax", "and edx, (1 << {bits}) - 1", "mov [rdi], edx", "shr eax, {bits}", "mov [rsi], eax",
        "xor eax, eax", "ret";
    /// As `Rdpid`, for processors without it.
    Lsl:
        "mov eax, {segment}", "lsl eax, eax",
        "mov edx, eax", "and edx, (1 << {bits}) - 1", "mov [rdi], edx", "shr eax, {bits}", "mov [rsi], eax",
        "xor eax, eax", "ret";
    /// Makes the system call `edx` with two arguments.
    SystemCall: "mov eax, edx", "syscall", "ret";
    /// Stores the time by the clocksource at `rdi` to `rsi`: what has to be done with the counter,
    /// and nothing else.
    Time:
        "rdtscp", "sub eax, [rdi + {cycle_last}]", "mov edx, [rdi + {mult}]", "mov ecx, [rdi + {shift}]",
        "imul rax, rdx", "add rax, [rdi + {nsec}]", "mov rdx, [rdi + {sec}]", "shr rax, cl",
        "mov [rsi], rdx", "mov [rsi + 8], rax", "xor eax, eax", "ret";
    /// The same in microseconds: a division by 1000.
    TimeOfDay:
        "rdtscp", "sub eax, [rdi + {cycle_last}]", "mov edx, [rdi + {mult}]", "mov ecx, [rdi + {shift}]",
        "imul rax, rdx", "add rax, [rdi + {nsec}]", "mov rdx, [rdi + {sec}]", "shr rax, cl",
        "imul rax, rax, 274877907", "shr rax, 38",
        "mov [rsi], rdx", "mov [rsi + 8], rax", "xor eax, eax", "ret";
}

/// The floors, mapped.
#[derive(Clone, Copy, Debug)]
pub struct Floors(NonNull<u8>);

impl Floors {
    /// Maps the floors, for good.
    pub fn map() -> Self {
        unsafe extern "C" {
            static liblinux_floors_start: u8;
            static liblinux_floors_end: u8;
        }
        let (start, end) = (&raw const liblinux_floors_start, &raw const liblinux_floors_end);
        let size = end.addr() - start.addr();
        assert!(size == COUNT * LINE && size <= PAGE_SIZE, "a floor does not fit its cache line");
        let (whole, access) = (
            NonZeroUsize::new(PAGE_SIZE).expect("a page"),
            ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
        );
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let page =
            unsafe { mmap_anonymous(None, whole, access, MapFlags::MAP_PRIVATE) }.expect("a page");
        // SAFETY: the code is `size` bytes long and the page new; the code has no address in it.
        unsafe { page.cast::<u8>().as_ptr().copy_from_nonoverlapping(start, size) };
        // SAFETY: no code writes to the page from here on.
        unsafe { mprotect(page, PAGE_SIZE, ProtFlags::PROT_READ | ProtFlags::PROT_EXEC) }
            .expect("executable");
        Self(page.cast())
    }

    /// Where a floor is.
    pub fn address(self, code: Code) -> usize {
        self.0.as_ptr().addr() + code as usize * LINE
    }

    /// The floor of `getcpu`.
    pub fn processor(self) -> usize {
        self.address(if has(FEATURE_RDPID) { Code::Rdpid } else { Code::Lsl })
    }
}

/// Copies bytes.
///
/// # Safety
///
/// Both buffers have that many bytes and do not overlap.
pub unsafe extern "C" fn copy(to: *mut u8, from: *const u8, len: usize) -> isize {
    // SAFETY: the caller's promise.
    unsafe { to.copy_from_nonoverlapping(from, len) };
    0
}
