//! A linear memory as WebAssembly has it: 4 GiB are reserved, accesses are not checked, and a trap
//! is an error.
//!
//! An index has 32 bits, so no access leaves the reserved range: an engine compiles `i32.load` to
//! one instruction. Its whole code is one entry of the table: a trap anywhere in it leads to its
//! exit, and says which instruction it was.

#![expect(unsafe_code, reason = "compiled code, and the memory that it works in")]

use liblinux::{Vdso, fixup, fixup::Fixups};
use std::arch::naked_asm;
use std::error::Error;
use std::fmt;

/// A page of WebAssembly.
const PAGE: usize = 65536;
/// The bytes that an index of 32 bits and an access of 8 bytes can reach, and a guard.
const RESERVED: usize = (1 << 32) + PAGE;
// `asm/mman.h`.
const PROT_NONE: u64 = 0;
const PROT_READ_WRITE: u64 = 3;
const MAP_PRIVATE_ANONYMOUS_NORESERVE: u64 = 0x4022;

/// Why a module stopped.
#[derive(Debug, PartialEq, Eq)]
enum Trap {
    OutOfBounds { index: u64 },
    DivideByZero,
    Unreachable,
    Other { exception: u64 },
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds { index } => write!(f, "trap: out of bounds at index {index}"),
            Self::DivideByZero => f.write_str("trap: integer divide by zero"),
            Self::Unreachable => f.write_str("trap: unreachable"),
            Self::Other { exception } => write!(f, "trap: exception {exception}"),
        }
    }
}

/// The result of compiled code: a value, or an exception and the address of a page fault.
#[derive(Default)]
#[repr(C)]
struct Outcome {
    value: u64,
    /// 0 for no trap, else one more than the exception's number.
    trapped: u64,
    address: u64,
}

/// A compiled module, `average(index, count)`: the average of so many words. With a count of
/// `u32::MAX` it is `unreachable`.
#[unsafe(naked)]
unsafe extern "C" fn average(memory: *mut u8, index: u32, count: u32, outcome: *mut Outcome) {
    naked_asm!(
        "mov r8, rcx",
        "mov r10d, esi",
        "mov r11d, edx",
        "xor eax, eax",
        // From here to its end the compiled code of the module.
        "2: cmp r11d, -1",
        "je 7f",
        "mov ecx, r11d",
        "5: test ecx, ecx",
        "jz 6f",
        "mov edx, [rdi + r10]",
        "add rax, rdx",
        "add r10d, 4",
        "dec ecx",
        "jmp 5b",
        "6: xor edx, edx",
        "div r11",
        "mov [r8], rax",
        "ret",
        "7: ud2",
        "3:",
        // Execution continues here after a trap: rdi is the exception, rdx the address.
        "4: inc rdi",
        "mov [r8 + 8], rdi",
        "mov [r8 + 16], rdx",
        "ret",
        fixup!("2b" .. "3b" => "4b"),
    )
}

/// A memory, of which the first pages are there.
struct Memory<'a> {
    vdso: &'a Vdso,
    base: usize,
    pages: usize,
}

impl<'a> Memory<'a> {
    fn new(vdso: &'a Vdso) -> Result<Self, liblinux::Errno> {
        let size = RESERVED as u64;
        // SAFETY: a new mapping.
        let base =
            unsafe { vdso.mmap(0, size, PROT_NONE, MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0) }?;
        Ok(Self { vdso, base, pages: 0 })
    }

    /// `memory.grow`
    fn grow(&mut self, pages: usize) -> Result<(), liblinux::Errno> {
        let start = (self.base + self.pages * PAGE) as u64;
        // SAFETY: pages of this program that hold nothing.
        unsafe { self.vdso.mprotect(start, pages * PAGE, PROT_READ_WRITE) }?;
        self.pages += pages;
        Ok(())
    }

    fn average(&self, index: u32, count: u32) -> Result<u64, Trap> {
        let mut outcome = Outcome::default();
        // SAFETY: every access is in the reserved range or writes `outcome`.
        unsafe { average(self.base as *mut u8, index, count, &raw mut outcome) };
        match outcome.trapped.checked_sub(1) {
            None => Ok(outcome.value),
            Some(14) => Err(Trap::OutOfBounds { index: outcome.address - self.base as u64 }),
            Some(0) => Err(Trap::DivideByZero),
            Some(6) => Err(Trap::Unreachable),
            Some(exception) => Err(Trap::Other { exception }),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let vdso = Vdso::find()?;
    // For good: a program is not unloaded, and its threads may fault behind the end of `main`.
    Fixups::of_process(&vdso)?.register_own()?.keep();
    let mut memory = Memory::new(&vdso)?;
    memory.grow(1)?;
    let calls = [
        ("all of the memory", 0, 16384),
        ("one word more", 0, 16385),
        ("far outside", u32::MAX - 3, 1),
        ("nothing", 0, 0),
        ("unreachable", 0, u32::MAX),
    ];
    for (what, index, count) in calls {
        match memory.average(index, count) {
            Ok(value) => println!("{what}: {value}"),
            Err(trap) => println!("{what}: {trap}"),
        }
    }
    memory.grow(1)?;
    println!("one word more, after memory.grow: {:?}", memory.average(0, 16385));
    Ok(())
}
