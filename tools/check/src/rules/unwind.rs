//! Call-frame information: what unwinders, debuggers and profilers know about the image's frames.
//!
//! A profiler may stop a thread at any instruction, and a debugger shows the frames of a thread blocked in a stub. So
//! every function has an entry, found by the binary search table that unwinders use, and covering its code exactly.
//!
//! # Invariants
//!
//! 1. gimli reads both sections; each query that yields no entry is a refusal.

use crate::image::Image;
use crate::rule::{Fault, Rule, Verdict, demand, none_of};
use crate::subject::Subject;
use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, Register,
    UnwindContext, UnwindSection,
};
use goblin::elf::program_header::PT_GNU_EH_FRAME;
use goblin::elf::sym::STT_FUNC;
use liblinux_abi::syscall::find;

const REMEDY: &str = "put .cfi_startproc and .cfi_endproc round the function's code in vdso/image";

/// The DWARF number of `rsp`.
const RSP: Register = Register(7);

type Bytes<'a> = EndianSlice<'a, LittleEndian>;
type Entry<'a> = gimli::FrameDescriptionEntry<Bytes<'a>>;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "eh-frame-hdr",
        rows: &[22],
        because: "unwinders search this table and nothing else: an entry missing from it, or out of order, is not found",
        remedy: "link with --eh-frame-hdr, and keep .eh_frame_hdr and .eh_frame in linker/x86_64/vdso.lds",
        check: eh_frame_hdr,
    },
    Rule {
        name: "unwind-entries",
        rows: &[22],
        because: "a debugger or profiler that stops in an entry without call-frame information loses the whole stack",
        remedy: REMEDY,
        check: unwind_entries,
    },
    Rule {
        name: "unwind-functions",
        rows: &[22],
        because: "a thread can be stopped in local functions too, and the stack is lost there as well",
        remedy: REMEDY,
        check: unwind_functions,
    },
    Rule {
        name: "unwind-rows",
        rows: &[22],
        because: "at an entry's first instruction the return address is at the top of the stack, whatever comes later",
        remedy: REMEDY,
        check: unwind_rows,
    },
    Rule {
        name: "signal-frame",
        rows: &[22],
        because: "unwinders look a return address up minus one, and go through a signal frame only if its entry says so",
        remedy: "look at custom_rt_sigreturn in vdso/image: .cfi_signal_frame, beginning one byte before the entry",
        check: signal_frame,
    },
];

/// Both sections, and what addresses in them are relative to.
struct Frames<'a> {
    header: EhFrameHdr<Bytes<'a>>,
    frame: EhFrame<Bytes<'a>>,
    bases: BaseAddresses,
}

impl<'a> Frames<'a> {
    fn of(image: &Image<'a>) -> Result<Self, String> {
        let headers = image.segments_of(PT_GNU_EH_FRAME)?;
        if headers.len() != 1 {
            return Err(format!("there are {} PT_GNU_EH_FRAME program headers, not one", headers.len()));
        }
        let section = image.section(".eh_frame")?;
        let bases = BaseAddresses::default()
            .set_eh_frame_hdr(headers[0].p_vaddr)
            .set_eh_frame(section.header.sh_addr)
            .set_text(image.text()?.start);
        Ok(Self {
            header: EhFrameHdr::new(image.at(headers[0].p_offset, headers[0].p_filesz)?, LittleEndian),
            frame: EhFrame::new(image.contents(section)?, LittleEndian),
            bases,
        })
    }

    /// All entries of `.eh_frame`, ascending by address, at least one.
    fn entries(&self) -> Result<Vec<Entry<'a>>, String> {
        let broken = |error: gimli::Error| format!(".eh_frame cannot be read: {error}");
        let mut found = Vec::new();
        let mut entries = self.frame.entries(&self.bases);
        while let Some(entry) = entries.next().map_err(broken)? {
            if let CieOrFde::Fde(partial) = entry {
                found.push(partial.parse(EhFrame::cie_from_offset).map_err(broken)?);
            }
        }
        found.sort_by_key(Entry::initial_address);
        if found.is_empty() { Err(".eh_frame has no entry".into()) } else { Ok(found) }
    }

    /// The search table: start of code, offset of the entry in `.eh_frame`.
    fn table(&self) -> Result<Vec<(u64, u64)>, String> {
        let broken = |error: gimli::Error| format!(".eh_frame_hdr cannot be read: {error}");
        let header = self.header.parse(&self.bases, 8).map_err(broken)?;
        let frame = header.eh_frame_ptr().direct().map_err(broken)?;
        if Some(frame) != self.bases.eh_frame.section {
            return Err(format!("the table's pointer leads to {frame:#x}, which is not .eh_frame"));
        }
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
}

/// Bytes of stack, the return address included, that a function has in use before the instruction at an address.
pub(crate) fn stack_at(image: &Image<'_>, address: u64) -> Result<u64, String> {
    let frames = Frames::of(image)?;
    let mut context = UnwindContext::new();
    let row = frames
        .frame
        .unwind_info_for_address(&frames.bases, &mut context, address, EhFrame::cie_from_offset)
        .map_err(|error| format!("there is no call-frame information for {address:#x}: {error}"))?;
    match row.cfa() {
        CfaRule::RegisterAndOffset { register: RSP, offset } => {
            u64::try_from(*offset).map_err(|_| format!("the frame at {address:#x} is below the stack"))
        }
        other => Err(format!("the frame at {address:#x} is not relative to rsp: {other:?}")),
    }
}

fn eh_frame_hdr(subject: &Subject<'_>) -> Verdict {
    let frames = Frames::of(&subject.image)?;
    let entries = frames.entries()?;
    let table = frames.table()?;
    let disorder = table.windows(2).find(|pair| pair[0].0 >= pair[1].0);
    if let Some(pair) = disorder {
        return Err(Fault::Wrong(format!("the search table has {:#x} before {:#x}", pair[0].0, pair[1].0)));
    }
    let mut listed: Vec<(u64, u64)> =
        entries.iter().map(|entry| (entry.initial_address(), entry.offset() as u64)).collect();
    listed.sort_unstable();
    demand!(
        listed.len() == table.len(),
        "the search table has {} entries, .eh_frame has {}",
        table.len(),
        listed.len()
    );
    let differing = listed.iter().zip(&table).find(|(entry, row)| entry != row);
    if let Some((entry, _)) = differing {
        return Err(Fault::Wrong(format!("the search table does not lead to the entry for {:#x}", entry.0)));
    }
    let mut before: Option<&Entry<'_>> = None;
    for entry in &entries {
        let start = entry.initial_address();
        demand!(
            before.is_none_or(|before| before.end_address() <= start),
            "two entries cover the code at {start:#x}"
        );
        before = Some(entry);
    }
    Ok(())
}

/// What is wrong unless one of the `entries` (ascending) covers the code at `start..end` from its first byte to its last
/// instruction.
fn uncovered(image: &Image<'_>, entries: &[Entry<'_>], name: &str, start: u64, end: u64) -> Option<String> {
    let before = entries.partition_point(|entry| entry.initial_address() <= start);
    let Some(entry) = entries[..before].last().filter(|entry| entry.contains(start)) else {
        return Some(format!("{name} has none"));
    };
    // One byte early is a signal frame; the rule `signal-frame` says which function may be one.
    let early = u64::from(entry.is_signal_trampoline());
    if entry.initial_address() != start - early.min(start) {
        return Some(format!("{name}: from {:#x}, not {start:#x}", entry.initial_address()));
    }
    let code = image.at(start, end - start).unwrap_or_default();
    let padding = code.iter().rev().take_while(|byte| **byte == 0xcc).count() as u64;
    if entry.end_address() > end || entry.end_address() < end - padding {
        return Some(format!(
            "{name}: up to {:#x}, but the code ends at {:#x}",
            entry.end_address(),
            end - padding
        ));
    }
    None
}

fn unwind_entries(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let entries = Frames::of(image)?.entries()?;
    let exports = image.exports()?;
    let wrong: Vec<String> = exports
        .iter()
        .filter_map(|symbol| uncovered(image, &entries, symbol.name, symbol.value, symbol.end()))
        .collect();
    none_of("entries without exact call-frame information", &wrong)
}

fn unwind_functions(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let entries = Frames::of(image)?.entries()?;
    let functions: Vec<_> = subject.symbols()?.iter().filter(|symbol| symbol.kind == STT_FUNC).collect();
    demand!(!functions.is_empty(), "the symbol table names no function");
    let wrong: Vec<String> = functions
        .iter()
        .filter_map(|symbol| uncovered(image, &entries, symbol.name, symbol.value, symbol.end()))
        .collect();
    none_of("functions without exact call-frame information", &wrong)
}

fn unwind_rows(subject: &Subject<'_>) -> Verdict {
    let frames = Frames::of(&subject.image)?;
    let mut context = UnwindContext::new();
    let mut wrong = Vec::new();
    for entry in frames.entries()? {
        let start = entry.initial_address();
        let mut first = None;
        let mut walk = || -> gimli::Result<()> {
            let mut rows = entry.rows(&frames.frame, &frames.bases, &mut context)?;
            while let Some(row) = rows.next_row()? {
                first.get_or_insert_with(|| row.cfa().clone());
            }
            Ok(())
        };
        if let Err(error) = walk() {
            wrong.push(format!("{start:#x} cannot be evaluated: {error}"));
        } else if !entry.is_signal_trampoline()
            && first != Some(CfaRule::RegisterAndOffset { register: RSP, offset: 8 })
        {
            wrong.push(format!("{start:#x} does not begin with the frame at rsp+8"));
        }
    }
    none_of("call-frame information", &wrong)
}

fn signal_frame(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let name = find("rt_sigreturn").map_or("", |call| call.symbol);
    let exports = image.exports()?;
    let restorer = exports.iter().find(|symbol| symbol.name == name);
    let Some(restorer) = restorer else { return Err(Fault::Wrong(format!("{name} is not exported"))) };
    let entries = Frames::of(image)?.entries()?;
    let signal: Vec<u64> =
        entries.iter().filter(|entry| entry.is_signal_trampoline()).map(Entry::initial_address).collect();
    let wanted = restorer.value.wrapping_sub(1);
    let found: Vec<String> = signal.iter().map(|start| format!("{start:#x}")).collect();
    demand!(
        signal == [wanted],
        "signal frames begin at [{}], but {name} wants one, at {wanted:#x}, one byte before it",
        found.join(", ")
    );
    Ok(())
}
