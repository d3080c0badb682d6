//! `divide DIVIDEND DIVISOR`: a division whose trap is a result.
//!
//! The processor knows best whether it can divide: a quotient that does not fit traps as a divisor
//! of 0 does. So nothing is checked before, and a trap becomes an error.

#![expect(unsafe_code, reason = "divides in assembly")]

use liblinux::{Vdso, fixup, fixup::Fixups};
use std::arch::asm;
use std::error::Error;

/// The processor's number of the exception that a division raises.
const DIVIDE_ERROR: u64 = 0;

/// The quotient, or the number of the exception.
fn divide(dividend: i64, divisor: i64) -> Result<i64, u64> {
    let (quotient, trapped, exception): (i64, u64, u64);
    // SAFETY: a division. If it traps, execution continues behind it, with four registers changed
    // that are outputs.
    unsafe {
        asm!(
            "mov {trapped:e}, 1",
            "cqo",
            "2: idiv {divisor}",
            "3: xor {trapped:e}, {trapped:e}",
            "4:",
            fixup!("2b" .. "3b" => "4b"),
            divisor = in(reg) divisor,
            trapped = out(reg) trapped,
            inout("rax") dividend => quotient,
            out("rdx") _,
            out("rdi") exception,
            out("rsi") _,
            out("rcx") _,
        );
    }
    if trapped == 0 { Ok(quotient) } else { Err(exception) }
}

fn main() -> Result<(), Box<dyn Error>> {
    let vdso = Vdso::find()?;
    // For good: a program is not unloaded, and its threads may fault behind the end of `main`.
    Fixups::of_process(&vdso)?.register_own()?.keep();
    for (dividend, divisor) in [(42, 6), (42, 0), (i64::MIN, -1), (-42, 5)] {
        match divide(dividend, divisor) {
            Ok(quotient) => println!("{dividend} / {divisor} = {quotient}"),
            Err(DIVIDE_ERROR) => println!("{dividend} / {divisor} cannot be divided"),
            Err(exception) => println!("{dividend} / {divisor}: exception {exception}"),
        }
    }
    Ok(())
}
