//! Call-frame information as unwinders find it: from `PT_GNU_EH_FRAME` to the search table, from
//! there to the entries.
//!
//! # Invariants
//!
//! 1. gimli reads both tables; each query that yields no entry is an error.

use crate::arch::dwarf::RSP;
use crate::image::Image;
use crate::machine::ARM64;
use gimli::{
    BaseAddresses, CallFrameInstruction, CfaRule, CieOrFde, EhFrame, EhFrameHdr, EndianSlice,
    LittleEndian, Register, RegisterRule, UnwindContext, UnwindExpression, UnwindSection, Vendor,
};
use goblin::elf::program_header::PT_GNU_EH_FRAME;
use std::ops::Range;

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// The most entries that are read; an image has some hundreds.
pub const ENTRY_LIMIT: usize = 4096;

/// The most bytes of an entry; an image's have some tens.
pub const ENTRY_SIZE: usize = 2048;

/// The call-frame information of one function.
pub type Entry<'a> = gimli::FrameDescriptionEntry<Bytes<'a>>;

/// What is known of the frame at some addresses.
#[derive(Clone, Debug)]
pub struct Row {
    /// The addresses.
    pub addresses: Range<u64>,
    /// Where the frame is.
    pub cfa: CfaRule<usize>,
    /// Where the caller's registers are.
    pub registers: Vec<(Register, RegisterRule<usize>)>,
}

/// Both tables, and what addresses in them are relative to.
#[derive(Debug)]
pub struct Frames<'a> {
    /// Whether a zero ends the entries.
    pub ends: bool,
    /// Bytes of an address.
    word: u8,
    header: EhFrameHdr<Bytes<'a>>,
    frame: EhFrame<Bytes<'a>>,
    bases: BaseAddresses,
    /// Where the entries begin.
    pub start: u64,
    /// Bytes of the entries, the zero that ends them too.
    pub size: u64,
}

impl<'a> Frames<'a> {
    /// Finds both tables.
    pub fn of(image: &Image<'a>) -> Result<Self, String> {
        let headers = image.segments_of(PT_GNU_EH_FRAME)?;
        if headers.len() != 1 {
            return Err(format!(
                "there are {} PT_GNU_EH_FRAME program headers, not one",
                headers.len()
            ));
        }
        let header =
            EhFrameHdr::new(image.at(headers[0].p_vaddr, headers[0].p_memsz)?, LittleEndian);
        let bases = BaseAddresses::default().set_eh_frame_hdr(headers[0].p_vaddr);
        let broken = |error: gimli::Error| format!(".eh_frame_hdr cannot be read: {error}");
        let word = image.class().word() as u8;
        let start =
            header.parse(&bases, word).map_err(broken)?.eh_frame_ptr().direct().map_err(broken)?;
        let (size, ends) = match size(image, start) {
            Ok(size) => (size, true),
            Err(error) => (section_size(image, start).ok_or(error)?, false),
        };
        let mut frame = EhFrame::new(image.at(start, size)?, LittleEndian);
        frame.set_address_size(word);
        if image.is_for(&ARM64) {
            // Where return addresses are signed, a vendor's instruction says so.
            frame.set_vendor(Vendor::AArch64);
        }
        Ok(Self { ends, word, header, frame, bases: bases.set_eh_frame(start), start, size })
    }

    /// All entries of `.eh_frame`, ascending by address, at least one.
    pub fn entries(&self) -> Result<Vec<Entry<'a>>, String> {
        let broken = |error: gimli::Error| format!(".eh_frame cannot be read: {error}");
        let mut found = Vec::new();
        let mut entries = self.frame.entries(&self.bases);
        while let Some(entry) = entries.next().map_err(broken)? {
            if let CieOrFde::Fde(partial) = entry {
                let entry = partial.parse(EhFrame::cie_from_offset).map_err(broken)?;
                let len = entry.entry_len().max(entry.cie().entry_len());
                if found.len() == ENTRY_LIMIT || len > ENTRY_SIZE {
                    return Err(format!(
                        ".eh_frame has more than {ENTRY_LIMIT} entries, or one of more than {ENTRY_SIZE} bytes, more than an image has"
                    ));
                }
                found.push(entry);
            }
        }
        found.sort_by_key(Entry::initial_address);
        if found.is_empty() { Err(".eh_frame has no entry".into()) } else { Ok(found) }
    }

    /// The search table: start of code, offset of the entry in `.eh_frame`.
    pub fn table(&self) -> Result<Vec<(u64, u64)>, String> {
        let broken = |error: gimli::Error| format!(".eh_frame_hdr cannot be read: {error}");
        let header = self.header.parse(&self.bases, self.word).map_err(broken)?;
        let frame = self.start;
        let table = header.table().ok_or("the header has no search table")?;
        let mut found = Vec::new();
        for row in table.iter(&self.bases) {
            let (start, entry) = row.map_err(broken)?;
            // gimli's own conversion overflows where the entry is in front of the section.
            let offset = entry.direct().map_err(broken)?.checked_sub(frame);
            let offset = offset.ok_or("the search table leads to a place in front of .eh_frame")?;
            found.push((start.direct().map_err(broken)?, offset));
        }
        if found.is_empty() { Err("the search table is empty".into()) } else { Ok(found) }
    }

    /// The rows of an entry: addresses, the frame's rule, the registers' rules.
    pub fn rows(&self, entry: &Entry<'a>) -> Result<Vec<Row>, String> {
        let mut context = UnwindContext::new();
        let mut found = Vec::new();
        let mut walk = || -> gimli::Result<()> {
            let mut rows = entry.rows(&self.frame, &self.bases, &mut context)?;
            while let Some(row) = rows.next_row()? {
                let registers =
                    row.registers().map(|(register, rule)| (*register, rule.clone())).collect();
                found.push(Row {
                    addresses: row.start_address()..row.end_address(),
                    cfa: row.cfa().clone(),
                    registers,
                });
            }
            Ok(())
        };
        walk().map_err(|error| {
            format!("{:#x} cannot be evaluated: {error}", entry.initial_address())
        })?;
        Ok(found)
    }
}

/// Bytes of stack, the return address included, that a function has in use before the instruction
/// at an address.
pub fn stack_at(image: &Image<'_>, address: u64) -> Result<u64, String> {
    let frames = Frames::of(image)?;
    let mut context = UnwindContext::new();
    let row = frames
        .frame
        .unwind_info_for_address(&frames.bases, &mut context, address, EhFrame::cie_from_offset)
        .map_err(|error| format!("no call-frame information covers {address:#x}: {error}"))?;
    match row.cfa() {
        CfaRule::RegisterAndOffset { register: RSP, offset } => u64::try_from(*offset)
            .map_err(|_| format!("the frame at {address:#x} is below the stack")),
        other => Err(format!("the frame at {address:#x} is not relative to rsp: {other:?}")),
    }
}

impl<'a> Frames<'a> {
    /// The bytes of an expression in a row.
    pub fn expression(&self, expression: &UnwindExpression<usize>) -> Result<&'a [u8], String> {
        let broken = |error: gimli::Error| format!("an expression cannot be read: {error}");
        Ok(expression.get(&self.frame).map_err(broken)?.0.slice())
    }
}

impl<'a> Frames<'a> {
    /// The instructions of an entry, with the padding behind them.
    pub fn instructions(
        &self,
        entry: &Entry<'a>,
    ) -> Result<Vec<CallFrameInstruction<usize>>, String> {
        let mut instructions = entry.instructions(&self.frame, &self.bases);
        let mut found = Vec::new();
        while let Some(one) = instructions
            .next()
            .map_err(|error| format!("{:#x} cannot be read: {error}", entry.initial_address()))?
        {
            found.push(one);
        }
        Ok(found)
    }
}

/// Bytes of the section `.eh_frame`, if it begins there: its end ends the entries for readers of
/// sections.
fn section_size(image: &Image<'_>, start: u64) -> Option<u64> {
    let section = image.find_section(".eh_frame").ok().flatten()?;
    (section.header.sh_addr == start && section.header.sh_size > 0)
        .then_some(section.header.sh_size)
}

/// Bytes from the first entry to behind the zero that ends them.
fn size(image: &Image<'_>, start: u64) -> Result<u64, String> {
    let mut at = start;
    loop {
        let len = image
            .u32(at)
            .map_err(|error| format!(".eh_frame does not end with a zero: {error}"))?;
        at = at.saturating_add(4).saturating_add(len.into());
        if len == 0 {
            return Ok(at - start);
        }
    }
}
