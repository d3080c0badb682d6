//! x86-64: the bare `syscall` instruction, accesses that may fault, and where the running DSO is.

#![expect(unsafe_code, reason = "makes system calls by the bare instruction")]

mod bare;
mod clone;
mod own;
pub(crate) mod probe;

pub(crate) use bare::bare;
pub(crate) use clone::clone3;
use core::arch::asm;
pub(crate) use own::own;

/// `EM_X86_64`: the machine that an image's header must name (`elf.h`).
pub(crate) const MACHINE: u16 = 62;

/// Makes a system call by the bare instruction, and returns the kernel's result.
///
/// # Safety
///
/// The call must leave this process in a state that Rust can live with.
pub(crate) unsafe fn syscall(number: u32, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    let result: isize;
    // SAFETY: the instruction clobbers rcx and r11 and returns in rax; the caller's contract covers
    // the effects of the call.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}
