//! The parts that a libc would bring: the entry point, the panic handler, and the functions that
//! compilers call.

#![expect(
    unsafe_code,
    reason = "the entry point is assembly, and compilers call these functions by name"
)]

use core::arch::{asm, naked_asm};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::slice;
use liblinux::Vdso;

/// Where the kernel starts the program: `rsp` points at the argument count, and nothing is below.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    naked_asm!("xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {start}", "ud2", start = sym start)
}

/// Runs `main` on what the kernel put on the initial stack, and ends.
extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: `stack` is what `rsp` was at the entry point.
    let image = unsafe { Vdso::from_stack(stack) };
    // SAFETY: the argument count is the first word.
    let count = unsafe { stack.read() };
    // SAFETY: the arguments stand behind it.
    let arguments =
        unsafe { slice::from_raw_parts(stack.wrapping_add(1).cast::<*const c_char>(), count) };
    let (vdso, status) = crate::main(image, Arguments(arguments));
    // SAFETY: there is nothing left to do in this process.
    let _ = unsafe { vdso.exit_group(status) };
    die()
}

/// The arguments of the program, its name first: C strings that the kernel put on the initial
/// stack.
pub(crate) struct Arguments(&'static [*const c_char]);

impl Arguments {
    /// One of them.
    pub(crate) fn get(&self, index: usize) -> Option<&'static CStr> {
        // SAFETY: a C string, which stays where it is.
        self.0.get(index).map(|argument| unsafe { CStr::from_ptr(*argument) })
    }
}

/// Ends the process without any system call.
fn die() -> ! {
    // SAFETY: an instruction that always traps.
    unsafe { asm!("ud2", options(noreturn, nostack)) }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    die()
}

/// The function that unwinding would call. Nothing unwinds here, but the compiled `core` names it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {
    die()
}

/// `memcpy` of C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut c_void, from: *const c_void, count: usize) -> *mut c_void {
    // SAFETY: the caller's contract is that both have `count` bytes. The direction flag is clear by
    // the psABI.
    unsafe {
        asm!(
            "rep movsb",
            inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags),
        );
    }
    to
}

/// `memmove` of C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut c_void, from: *const c_void, count: usize) -> *mut c_void {
    if to.addr().wrapping_sub(from.addr()) >= count {
        // SAFETY: the caller's contract; copying upwards does not overtake itself.
        return unsafe { memcpy(to, from, count) };
    }
    let (last_to, last_from) =
        (to.cast::<u8>().wrapping_add(count - 1), from.cast::<u8>().wrapping_add(count - 1));
    // SAFETY: as in `memcpy`, downwards; the direction flag is clear again at the end.
    unsafe {
        asm!(
            "std",
            "rep movsb",
            "cld",
            inout("rcx") count => _, inout("rdi") last_to => _, inout("rsi") last_from => _,
            options(nostack),
        );
    }
    to
}

/// `memset` of C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut c_void, byte: c_int, count: usize) -> *mut c_void {
    // SAFETY: the caller's contract is that there are `count` bytes. The direction flag is clear by
    // the psABI.
    unsafe {
        asm!(
            "rep stosb",
            inout("rcx") count => _, inout("rdi") to => _, in("al") byte as u8,
            options(nostack, preserves_flags),
        );
    }
    to
}

/// `memcmp` of C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const c_void, b: *const c_void, count: usize) -> c_int {
    for index in 0..count {
        // SAFETY: the caller's contract is that both have `count` bytes. Volatile, or this would
        // become a call of `memcmp`.
        let left = unsafe { a.cast::<u8>().wrapping_add(index).read_volatile() };
        // SAFETY: as above.
        let right = unsafe { b.cast::<u8>().wrapping_add(index).read_volatile() };
        if left != right {
            return c_int::from(left) - c_int::from(right);
        }
    }
    0
}

/// `bcmp` of C.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const c_void, b: *const c_void, count: usize) -> c_int {
    // SAFETY: the same contract.
    unsafe { memcmp(a, b, count) }
}

/// `strlen` of C.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const c_char) -> usize {
    let mut length = 0;
    // SAFETY: the caller's contract is that a null byte ends the text. Volatile, or this would
    // become a call of `strlen`.
    while unsafe { text.wrapping_add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}
