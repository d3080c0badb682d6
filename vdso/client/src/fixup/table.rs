//! Tables: how assembly adds an entry to the one of its DSO.
//!
//! Entries are in the section `fixup_table`. Each is linked to the section of the code that it is for (`SHF_LINK_ORDER`):
//! the linker puts them in the order of the code, and leaves out those whose code it leaves out. And each is of the same group
//! as that section, if any, for functions that several objects have. So the DSO's table is
//! sorted as registration asks, and needs neither relocations nor code that runs at start.

/// A line of `asm!`, `naked_asm!` or `global_asm!`: if an instruction from one label to another faults, go on at a third.
///
/// At the landing, `rdi` is the number of the exception, `rsi` its error code, `rdx` the address of a page fault (or 0), and
/// `rcx` the address of the instruction; every other register is as it was. With `plain` these four are, too. The
/// landing must be in the same DSO, the range in the section in which the line stands.
///
/// ```no_run
/// # #[cfg(target_arch = "x86_64")]
/// fn divide(dividend: u32, divisor: u32) -> Option<u32> {
///     let (quotient, trapped): (u32, u32);
///     // SAFETY: a division; if it traps, the fixup goes on behind it.
///     unsafe {
///         core::arch::asm!(
///             "mov {trapped:e}, 1",
///             "2: div {divisor:e}",
///             "3: xor {trapped:e}, {trapped:e}",
///             "4:",
///             liblinux::fixup!(plain "2b" .. "3b" => "4b"),
///             divisor = in(reg) divisor,
///             trapped = out(reg) trapped,
///             inout("eax") dividend => quotient,
///             inout("edx") 0 => _,
///         );
///     }
///     (trapped == 0).then_some(quotient)
/// }
/// ```
#[macro_export]
macro_rules! fixup {
    ($start:literal .. $end:literal => $landing:literal) => {
        $crate::fixup!(@ $start, $end, $landing, "0")
    };
    (plain $start:literal .. $end:literal => $landing:literal) => {
        $crate::fixup!(@ $start, $end, $landing, "1")
    };
    (@ $start:literal, $end:literal, $landing:literal, $flags:literal) => {
        // The section needs a label in the code that it is for, and the compiler may copy this code: so the label's name
        // has a number in it, which the assembler counts up.
        concat!(
            ".ifndef .Lliblinux_fixups\n",
            ".set .Lliblinux_fixups, 0\n",
            ".endif\n",
            ".set .Lliblinux_fixups, .Lliblinux_fixups + 1\n",
            ".macro liblinux_fixup number\n",
            ".Lliblinux_fixup\\number:\n",
            ".pushsection fixup_table, \"ao?\", @progbits, .Lliblinux_fixup\\number\n",
            ".balign 4\n",
            ".long ", $start, " - .\n",
            ".long ", $end, " - ", $start, "\n",
            ".long ", $landing, " - .\n",
            ".long ", $flags, "\n",
            ".popsection\n",
            ".endm\n",
            ".altmacro\n",
            "liblinux_fixup %.Lliblinux_fixups\n",
            ".noaltmacro\n",
            ".purgem liblinux_fixup"
        )
    };
}

const _: () = assert!(liblinux_abi::fixup::PLAIN == 1, "the macro writes it as a number");
