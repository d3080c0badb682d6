//! Labels in assembly, and where they lead.

#![expect(unsafe_code, reason = "executes instructions that trap")]

use crate::{dies, passes, register};
use liblinux::fixup;
use nix::sys::signal::Signal;
use std::arch::asm;

/// Divides; the number of the exception if that trapped.
pub(crate) fn divide(dividend: u64, divisor: u64) -> Result<u64, u64> {
    let (quotient, trap): (u64, u64);
    // SAFETY: a division; if it traps, execution continues behind it with four registers changed,
    // all of them outputs.
    unsafe {
        asm!(
            "2: div {divisor}",
            "3: xor edi, edi",
            "4:",
            fixup!("2b" .. "3b" => "4b"),
            divisor = in(reg) divisor,
            inout("rax") dividend => quotient,
            inout("rdx") 0_u64 => _,
            out("rdi") trap,
            out("rsi") _,
            out("rcx") _,
        );
    }
    if trap == 0 && divisor != 0 { Ok(quotient) } else { Err(trap) }
}

/// Executes an undefined instruction; whether the landing was reached with all registers as they
/// were.
pub(crate) fn undefined() -> bool {
    let (moved, after): (u64, u64);
    // SAFETY: the instruction traps, and execution continues behind it with no register changed.
    unsafe {
        asm!(
            "mov {moved}, rsp",
            "mov rdi, 1",
            "mov rsi, 2",
            "mov rdx, 3",
            "mov rcx, 4",
            "2: ud2",
            "3: xor ecx, ecx",
            "4: lea rdi, [rdi + 2 * rsi]",
            "lea rdi, [rdi + 4 * rdx]",
            "lea {after}, [rdi + 8 * rcx]",
            "sub {moved}, rsp",
            fixup!(plain "2b" .. "3b" => "4b"),
            moved = out(reg) moved,
            after = out(reg) after,
            out("rdi") _, out("rsi") _, out("rdx") _, out("rcx") _,
        );
    }
    moved == 0 && after == 1 + 4 + 12 + 32
}

#[test]
fn labels_in_assembly_become_entries() {
    passes(|| {
        let _registration = register();
        assert_eq!(divide(42, 6), Ok(7));
        assert_eq!(divide(42, 0), Err(0), "#DE is number 0");
        assert!(undefined());
    });
    // Without a registration, it is what it always was.
    dies(Signal::SIGFPE, || assert_eq!(divide(1, 0), Ok(0)));
}
