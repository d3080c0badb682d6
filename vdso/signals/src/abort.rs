//! The end of a process whose table is not as this library made it, where there is no std.

#![expect(unsafe_code, reason = "executes an instruction that no processor has")]

use core::arch::asm;
use core::panic::PanicInfo;

/// Raises SIGILL, as `abort` of std does.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: does not continue.
    unsafe { asm!("ud2", options(noreturn, nomem, nostack)) }
}
