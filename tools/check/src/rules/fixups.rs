//! Exception fixups: the entries of their functions, the private calls, and the image's own fixups.
//!
//! # Invariants
//!
//! 1. Encodings are spelled out here as a second source, because the image's assembler is what is being checked.

use super::extable;
use crate::image::Image;
use crate::rule::{Fault, Rule, Verdict, demand, none_of};
use crate::subject::Subject;
use liblinux_abi::image::export::{BODY, FIXUPS, PRIVATE};
use liblinux_abi::image::fixup::Entry;
use liblinux_abi::image::layout::{self, SLOT_SIZE, fixup_slot};
use liblinux_abi::kernel::errno::ENOSYS;

const SECTION: &str = ".fixups";

/// `int3`, which fills what is not code.
const INT3: u8 = 0xcc;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "fixup-slots",
        rows: &[17, 18],
        because: "old checkpoints hold the addresses of these entries, while what they jump to may move",
        remedy: "compare vdso/image/src/arch/x86_64/fixups.rs with `export::FIXUPS` and `layout::fixup_slot` in vdso/abi",
        check: fixup_slots,
    },
    Rule {
        name: "private-calls",
        rows: &[27],
        because: "the kernel writes one number into the image, and what an entry adds to it decides which call is made",
        remedy: "compare vdso/image/src/arch/x86_64/private.rs with `export::PRIVATE` in vdso/abi",
        check: private_calls,
    },
    Rule {
        name: "own-fixups",
        rows: &[26],
        because: "a signal handler stands in for the kernel with this table: what differs from the kernel's is a crash there",
        remedy: "use `on_fault!` of vdso/image/src/arch/x86_64/exception.rs for every access, then `cargo xtask image`",
        check: own_fixups,
    },
];

fn fixup_slots(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let exports = image.exports()?;
    let text = image.text()?;
    let mut wrong = Vec::new();
    for (index, name) in FIXUPS.into_iter().enumerate() {
        let start = fixup_slot(index) as u64;
        let size = SLOT_SIZE as u64;
        let is_exported =
            exports.iter().any(|symbol| (symbol.name, symbol.value, symbol.size) == (name, start, size));
        let (distance, used) = match *image.at(start, size)? {
            [0xf3, 0x0f, 0x1e, 0xfa, 0xe9, a, b, c, d, ..] => {
                (i64::from(i32::from_le_bytes([a, b, c, d])), 9)
            }
            [0xf3, 0x0f, 0x1e, 0xfa, 0xeb, a, ..] => (i64::from(i8::from_le_bytes([a])), 6),
            _ => {
                wrong.push(format!("{name} at {start:#x} is no jump"));
                continue;
            }
        };
        let target = start.wrapping_add(used).wrapping_add_signed(distance);
        let is_padded = image.at(start + used, size - used)?.iter().all(|byte| *byte == INT3);
        if !is_exported || !is_padded || !text.contains(&target) {
            wrong.push(format!("{name}: {start:#x} is not its slot, which ends with a jump"));
        }
        if PRIVATE.contains(&name) && body(subject, name)?.0 != target {
            wrong.push(format!("{name} jumps to {target:#x}, which is not its body"));
        }
    }
    none_of("entries of exception fixups that are not in their slots", &wrong)
}

/// Address and size of a private call's body.
fn body(subject: &Subject<'_>, name: &str) -> Result<(u64, u64), Fault> {
    let is_body = |symbol: &str| symbol.strip_suffix(BODY) == Some(name);
    let symbols = subject.symbols()?;
    let found = symbols.iter().find(|symbol| is_body(symbol.name));
    found
        .map(|symbol| (symbol.value, symbol.size))
        .ok_or_else(|| Fault::Wrong(format!("there is no function {name}{BODY}")))
}

fn private_calls(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let word = layout::PRIVATE as u64;
    demand!(image.at(word, 4)? == [0; 4], "the file has a number for the first private call at {word:#x}");
    let mut wrong = Vec::new();
    for (index, name) in (0..).zip(PRIVATE) {
        let (start, size) = body(subject, name)?;
        if image.at(start, size)? != private_body(start, index) {
            wrong.push(format!("{name}.body at {start:#x}"));
        }
    }
    none_of("private calls that do not make the call of their name and nothing else", &wrong)
}

/// `mov eax, [rip + PRIVATE]; test eax, eax; jz 2f; add eax, INDEX; mov r10, rcx; syscall; ret; 2: mov rax, -ENOSYS; ret`.
fn private_body(start: u64, index: u8) -> Vec<u8> {
    let distance = (layout::PRIVATE as u64).wrapping_sub(start + 6) as u32;
    let error = (-ENOSYS) as u32;
    let load = [&[0x8b, 0x05], &distance.to_le_bytes()[..]].concat();
    let call = [0x85, 0xc0, 0x74, 0x09, 0x83, 0xc0, index, 0x49, 0x89, 0xca, 0x0f, 0x05, 0xc3];
    let refuse = [&[0x48, 0xc7, 0xc0], &error.to_le_bytes()[..], &[0xc3]].concat();
    [&load[..], &call, &refuse].concat()
}

/// Instruction, bytes covered, landing and flags of every entry, at least one.
fn mapped(image: &Image<'_>) -> Result<Vec<(u64, u32, u64, u32)>, Fault> {
    const SIZE: usize = size_of::<Entry>();
    let section = image.section(SECTION)?;
    let (start, size) = (section.header.sh_addr, section.header.sh_size);
    demand!(size > 0, "{SECTION} is empty");
    demand!(size.is_multiple_of(SIZE as u64), "{SECTION} has {size} bytes, no multiple of {SIZE}");
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word: u32, byte| word << 8 | u32::from(*byte));
    let entry = |(bytes, place): (&[u8], u64)| {
        let lead = |at: usize| {
            let offset = word(&bytes[at..at + 4]).cast_signed();
            place.wrapping_add(at as u64).wrapping_add_signed(offset.into())
        };
        (lead(0), word(&bytes[4..8]), lead(8), word(&bytes[12..]))
    };
    let places = (start..).step_by(SIZE);
    Ok(image.contents(section)?.chunks_exact(SIZE).zip(places).map(entry).collect())
}

fn own_fixups(subject: &Subject<'_>) -> Verdict {
    let kernel = extable::entries(subject.debug()?)?;
    let own = mapped(&subject.image)?;
    let odd = own.iter().find(|(_, len, _, flags)| (*len, *flags) != (1, 0));
    demand!(odd.is_none(), "an entry of {SECTION} covers more than one instruction, or has flags: {odd:x?}");
    let own: Vec<(u64, u64)> =
        own.into_iter().map(|(instruction, _, landing, _)| (instruction, landing)).collect();
    // The kernel's is sorted, or `extable-order` says so.
    let differing = kernel.iter().zip(&own).find(|(kernel, own)| kernel != own);
    demand!(differing.is_none(), "{SECTION} and the kernel's table differ: {differing:x?}");
    demand!(
        kernel.len() == own.len(),
        "{SECTION} has {} entries, the kernel's table {}",
        own.len(),
        kernel.len()
    );
    Ok(())
}
