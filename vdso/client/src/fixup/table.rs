//! Tables: how assembly adds an entry to the one of its DSO, and how a compiler at run time makes
//! one.
//!
//! Entries are in the section `fixup_table`. Each is linked to the section of the code that it is
//! for (`SHF_LINK_ORDER`): the linker puts them in the order of the code, and leaves out those
//! whose code it leaves out. And each is of the same group as that section, if any, for functions
//! that several objects have. So the DSO's table is sorted as registration asks, and needs neither
//! relocations nor code that runs at start.

use core::ops::Range;
use liblinux_abi::image::entry::Unsound;
use liblinux_abi::image::fixup::{Dso, Entry, USER_END};

/// A text and the fixups in it, while they are put together: for code that is made at run time.
///
/// ```
/// use liblinux::fixup::{Entry, Table};
///
/// // A load of 3 bytes at the start of the text, and where it lands.
/// let text = [0x48, 0x8b, 0x07, 0xc3, 0x31, 0xc0, 0xc3].as_ptr_range();
/// let (start, end) = (text.start.addr() as u64, text.end.addr() as u64);
/// let mut entries = [Entry::default(); 1];
/// # // Constants may be far from the stack: as if the table were behind the text.
/// let mut table = Table::new(start..end, &mut entries).at(end.next_multiple_of(4));
/// table.cover(start..start + 3, start + 4, 0)?;
/// let dso = table.dso()?; // for `Fixups::register`
/// # assert_eq!(dso.count, 1);
/// # Ok::<(), liblinux::fixup::Unsound>(())
/// ```
#[derive(Debug)]
pub struct Table<'t> {
    text: Range<u64>,
    entries: &'t mut [Entry],
    address: u64,
    count: usize,
}

impl<'t> Table<'t> {
    /// A table for the text at these addresses, without fixups yet. `entries` is where it will be
    /// registered.
    pub fn new(text: Range<u64>, entries: &'t mut [Entry]) -> Self {
        let address = entries.as_ptr().expose_provenance() as u64;
        Self { text, entries, address, count: 0 }
    }

    /// The same, registered at another address: of memory that is mapped twice, once to be written.
    pub fn at(self, address: u64) -> Self {
        Self { address, ..self }
    }

    /// A fault of an instruction in `range` lands at `landing`. Ranges ascend; flags are 0 or
    /// [`PLAIN`](super::PLAIN), or [`FRAME`](super::FRAME) for a landing of
    /// [`frame_landing!`](crate::frame_landing!).
    pub fn cover(&mut self, range: Range<u64>, landing: u64, flags: u32) -> Result<(), Unsound> {
        let at = self.address.wrapping_add((self.count * size_of::<Entry>()) as u64);
        let entry = Entry::new(at, range.clone(), landing, flags)?;
        if range.start < self.text.start || range.end > self.text.end {
            return Err(Unsound::Range);
        }
        if !self.text.contains(&landing) {
            return Err(Unsound::Landing);
        }
        // The place of the entry before.
        let before = at.wrapping_sub(size_of::<Entry>() as u64);
        if let Some(last) = self.count.checked_sub(1).and_then(|index| self.entries.get(index))
            && range.start < before.wrapping_add_signed(last.start.into()) + u64::from(last.len)
        {
            return Err(Unsound::Order);
        }
        *self.entries.get_mut(self.count).ok_or(Unsound::Full)? = entry;
        self.count += 1;
        Ok(())
    }

    /// The text and its table, to be registered.
    pub fn dso(&self) -> Result<Dso, Unsound> {
        let Range { start, end } = self.text;
        if start == 0 || start >= end || end > USER_END || end - start > u64::from(u32::MAX) {
            return Err(Unsound::Text);
        }
        let count = self.count as u64;
        let room =
            USER_END.checked_sub(self.address).map_or(0, |bytes| bytes / size_of::<Entry>() as u64);
        let is_placed =
            self.address != 0 && self.address.is_multiple_of(align_of::<Entry>() as u64);
        if count == 0 || count > u64::from(u32::MAX) || count > room || !is_placed {
            return Err(Unsound::Table);
        }
        Ok(Dso { text_start: start, text_len: end - start, table: self.address, count })
    }
}

/// A line of `asm!`, `naked_asm!` or `global_asm!`: if an instruction from one label to another
/// faults, continue at a third.
///
/// At the landing, `rdi` is the number of the exception, `rdx` the address of a page fault (or 0),
/// and `rcx` the address of the instruction. The lower half of `rsi` is the error code, the upper
/// half the number of the signal that would have come. Every other register is as it was. With
/// `plain` these four are, too. With `frame` the landing is made by
/// [`frame_landing!`](crate::frame_landing!). The landing must be in the same DSO, the range in the
/// section in which the line stands.
///
/// ```no_run
/// # #[cfg(target_arch = "x86_64")]
/// fn divide(dividend: u32, divisor: u32) -> Option<u32> {
///     let (quotient, trapped): (u32, u32);
///     // SAFETY: a division; if it traps, execution continues behind it.
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
    (frame $start:literal .. $end:literal => $landing:literal) => {
        $crate::fixup!(@ $start, $end, $landing, "2")
    };
    (@ $start:literal, $end:literal, $landing:literal, $flags:literal) => {
        // The section needs a label in the code that it is for, and the compiler may copy this
        // code: so the label's name has a number in it, which the assembler counts up.
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

const _: () = {
    use liblinux_abi::image::fixup::{FRAME, PLAIN};
    assert!(PLAIN == 1 && FRAME == 2, "the macro writes them as numbers");
};
