//! Private calls: system calls without a number of their own.
//!
//! The kernel picks their numbers at boot, writes the first one into the image, and takes them from the image's text
//! alone. Where it wrote none there are none, and an entry answers without asking. seccomp, ptrace and audit see a number
//! that they do not know; the kernel that is asked from elsewhere says `-ENOSYS`, as for any unknown number.
//!
//! # Invariants
//!
//! 1. As a plain stub, a private call changes `rax`, `rcx`, `r10` and `r11` and no other register, and its `syscall` can
//!    be executed again with the registers as they are.

#![expect(unsafe_code, reason = "defines functions in assembly and calls them")]

use core::arch::{asm, global_asm};
use core::mem::MaybeUninit;
use liblinux_abi::image::fixup::{Attached, PRIVATE_ATTACH, PRIVATE_MARK, PRIVATE_QUERY};
use liblinux_abi::image::layout::BODY_ALIGN;
use liblinux_abi::kernel::errno::ENOSYS;
use liblinux_fixup::Error;

global_asm!(
    ".macro private_call name, index",
    "    .pushsection .text.body.\\name, \"ax\", @progbits",
    "    .balign {body_align}",
    "    .type __vdso_\\name\\().body, @function",
    "    __vdso_\\name\\().body:",
    "    .cfi_startproc",
    "    mov eax, [rip + vdso_private]",
    "    test eax, eax",
    "    jz 2f",
    "    add eax, \\index",
    "    mov r10, rcx",
    "    syscall",
    "    ret",
    "    2: mov rax, -{enosys}",
    "    ret",
    "    .cfi_endproc",
    "    .size __vdso_\\name\\().body, . - __vdso_\\name\\().body",
    "    .popsection",
    ".endm",
    "private_call fixup_attach, {attach}",
    "private_call fixup_query, {query}",
    "private_call fixup_mark, {mark}",
    ".purgem private_call",
    body_align = const BODY_ALIGN,
    enosys = const ENOSYS,
    attach = const PRIVATE_ATTACH,
    query = const PRIVATE_QUERY,
    mark = const PRIVATE_MARK,
);

macro_rules! private {
    ($(#[$doc:meta])* $name:ident = $symbol:literal ($($argument:ident = $register:tt),+)) => {
        $(#[$doc])*
        #[inline]
        pub(super) fn $name($($argument: u64),+) -> isize {
            let result: isize;
            // SAFETY: changes the registers listed; the kernel checks what it is given, and what it writes is ours.
            unsafe {
                asm!(
                    concat!("call __vdso_", $symbol, ".body"),
                    $(in($register) $argument,)+
                    lateout("rax") result,
                    out("rcx") _,
                    out("r10") _,
                    out("r11") _,
                );
            }
            result
        }
    };
}

private! {
    /// Has the kernel consult the area.
    attach = "fixup_attach"(area = "rdi", size = "rsi")
}
private! {
    /// Stores which area the kernel consults.
    query = "fixup_query"(out = "rdi")
}
private! {
    /// Marks text as what is registered.
    mark = "fixup_mark"(start = "rdi", len = "rsi")
}

/// Which area the kernel consults for this process, with its size.
pub(super) fn attached() -> Result<(u64, u64), Error> {
    // Two zeros side by side would be stored by a vector register.
    let mut out = MaybeUninit::<Attached>::uninit();
    let out = out.as_mut_ptr();
    // SAFETY: the field is in a variable of ours.
    let area = unsafe { &raw mut (*out).area };
    // SAFETY: likewise.
    unsafe { area.write(0) };
    Error::check(query(out.expose_provenance() as u64))?;
    // SAFETY: written above, and since then by the kernel at most.
    let area = unsafe { area.read() };
    if area == 0 {
        // Who answered was a filter: the kernel writes the area, and none is at 0.
        return Err(Error::UNKNOWN);
    }
    // SAFETY: the kernel wrote the area, so it wrote both.
    let size = unsafe { (*out).size };
    Ok((area, size))
}
