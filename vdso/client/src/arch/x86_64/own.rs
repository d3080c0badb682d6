//! Where the running DSO is: the program or library that this crate was linked into.

#![expect(unsafe_code, reason = "names what the linker defines")]

use core::arch::asm;

/// Addresses of the DSO's ELF header, of its fixups and of their end.
pub(crate) fn own() -> [usize; 3] {
    let (header, start, end);
    // SAFETY: computes addresses, of symbols that the linker defines in the DSO that this code is
    // in.
    unsafe {
        asm!(
            ".hidden __ehdr_start",
            ".hidden __start_fixup_table",
            ".hidden __stop_fixup_table",
            "lea {header}, [rip + __ehdr_start]",
            "lea {start}, [rip + __start_fixup_table]",
            "lea {end}, [rip + __stop_fixup_table]",
            header = out(reg) header,
            start = out(reg) start,
            end = out(reg) end,
            options(nomem, nostack, preserves_flags),
        );
    }
    [header, start, end]
}
