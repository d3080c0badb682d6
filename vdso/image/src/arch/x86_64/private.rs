// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Private calls: system calls without a number of their own.
//!
//! The kernel picks their numbers at boot and writes the first one into the image. If it wrote
//! none, the kernel has no private calls, and an entry answers without asking. Each call has one
//! *site*, the `syscall` in its body: the kernel takes the call's number from there alone, and says
//! `-ENOSYS` everywhere else, also to `__vdso_syscall`. The kernel's `vdso2c` finds a site by the
//! local symbol `vdso_NAME_site`, which is the address behind the instruction. seccomp, ptrace and
//! audit see a number that they do not know.
//!
//! # Invariants
//!
//! 1. As a plain stub, a private call changes `rax`, `rcx`, `r10` and `r11` and no other register,
//!    and its `syscall` can be executed again with the registers as they are.
//! 2. The body of a call is the one place in the image that makes it (the checker compares).

#![expect(unsafe_code, reason = "defines functions in assembly and calls them")]

use core::arch::{asm, global_asm};
use core::mem::MaybeUninit;
use liblinux_abi::image::fixup::{
    Attached, PRIVATE_ATTACH, PRIVATE_MARK, PRIVATE_MARKED, PRIVATE_QUERY, PRIVATE_RETURN,
};
use liblinux_abi::image::layout::BODY_ALIGN;
use liblinux_abi::kernel::errno::ENOSYS;
use liblinux_fixup::Error;

global_asm!(
    ".macro private_call name, index, section=body",
    "    .pushsection .text.\\section\\().\\name, \"ax\", @progbits",
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
    "    .local vdso_\\name\\()_site",
    "    vdso_\\name\\()_site:",
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
    "private_call fixup_marked, {marked}, later",
    "private_call fixup_return, {returned}, later",
    ".purgem private_call",
    body_align = const BODY_ALIGN,
    enosys = const ENOSYS,
    attach = const PRIVATE_ATTACH,
    query = const PRIVATE_QUERY,
    mark = const PRIVATE_MARK,
    marked = const PRIVATE_MARKED,
    returned = const PRIVATE_RETURN,
);

macro_rules! private {
    ($(#[$doc:meta])* $name:ident = $symbol:literal ($($argument:ident = $register:tt),+)) => {
        $(#[$doc])*
        #[inline]
        pub(super) fn $name($($argument: u64),+) -> isize {
            let result: isize;
            // SAFETY: changes the registers listed; the kernel checks what it is given, and it
            // writes to memory of this function's caller.
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
    /// Marks text as registered.
    mark = "fixup_mark"(start = "rdi", len = "rsi")
}
private! {
    /// Whether text is marked: one of the answers of `abi::image::fixup`.
    marked = "fixup_marked"(start = "rdi", len = "rsi")
}

/// Which area the kernel consults for this process, with its size.
pub(super) fn attached() -> Result<(u64, u64), Error> {
    // Two zeros side by side would be stored by a vector register.
    let mut out = MaybeUninit::<Attached>::uninit();
    let out = out.as_mut_ptr();
    // SAFETY: the field is in a variable of this function.
    let area = unsafe { &raw mut (*out).area };
    // SAFETY: likewise.
    unsafe { area.write(0) };
    Error::check(query(out.expose_provenance() as u64))?;
    // SAFETY: written above, and since then by the kernel at most.
    let area = unsafe { area.read() };
    if area == 0 {
        // A filter answered: the kernel writes the area's address, which is never 0.
        return Err(Error::UNKNOWN);
    }
    // SAFETY: the kernel wrote the area, so it wrote both.
    let size = unsafe { (*out).size };
    Ok((area, size))
}
