//! The program headers: what loaders map, or believe to be mapped.
//!
//! The kernel maps the file itself and reads no program header, but every other reader computes the
//! load bias from the `PT_LOAD` entries, some from the first, some from the last. They agree on one
//! entry at zero.
//!
//! # Invariants
//!
//! 1. After `load-at-zero` a file offset and an address are the same number; the other rules count
//!    on it.

use crate::demand;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, demand, none_of};
use goblin::elf::program_header::{
    PF_R, PF_W, PF_X, PT_DYNAMIC, PT_GNU_EH_FRAME, PT_GNU_RELRO, PT_GNU_STACK, PT_INTERP, PT_LOAD,
    PT_NOTE, PT_TLS, ProgramHeader, pt_to_str,
};
use liblinux_abi::image::layout::PAGE_SIZE;

const REMEDY: &str = "look at PHDRS in {script}";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "one-load",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::ONE_LOAD],
        because: "glibc up to 2.42 crashes on a second PT_LOAD, CRIU refuses it, and the kernel maps the image R+X as a whole",
        remedy: REMEDY,
        check: one_load,
    },
    Rule {
        name: "load-at-zero",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::LOAD_AT_ZERO],
        because: "the kernel maps the file from its first byte, and loaders find the headers through this segment",
        remedy: REMEDY,
        check: load_at_zero,
    },
    Rule {
        name: "load-geometry",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::LOAD_ORDER],
        because: "loaders compute one bias for all segments, and a page can have only one protection",
        remedy: REMEDY,
        check: load_geometry,
    },
    Rule {
        name: "read-only-dynamic",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::DYNAMIC_SEGMENT],
        because: "glibc relocates a writable dynamic table in place, and every program crashes on the read-only page",
        remedy: "give the dynamic segment FLAGS(4) in PHDRS of {script}",
        check: read_only_dynamic,
    },
    Rule {
        name: "dynamic-ends",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::DYNAMIC_SEGMENT],
        because: "loaders read the dynamic table until DT_NULL, with no other bound",
        remedy: "keep .dynamic whole in {script}, and its segment on nothing else",
        check: dynamic_ends,
    },
    Rule {
        name: "known-segments",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::NO_EXTRA_SEGMENTS, demand::NOTES],
        because: "glibc aborts on PT_TLS, rustix refuses PT_INTERP and PT_GNU_RELRO, and no reader of a vDSO needs others",
        remedy: REMEDY,
        check: known_segments,
    },
    Rule {
        name: "segment-fields",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::LOAD_AT_ZERO, demand::LOAD_ORDER, demand::NOTES],
        because: "readers take one of two fields that should be the same, and step through notes by the alignment given",
        remedy: REMEDY,
        check: segment_fields,
    },
    Rule {
        name: "segments-in-load",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::LOAD_AT_ZERO, demand::DYNAMIC_SEGMENT, demand::UNWIND_TABLES],
        because: "readers add the load bias to a segment's address and read there, mapped or not",
        remedy: REMEDY,
        check: segments_in_load,
    },
];

fn segment_fields(subject: &Subject<'_>) -> Verdict {
    let mut wrong = Vec::new();
    for segment in subject.image.segments()? {
        let name = pt_to_str(segment.p_type);
        let is_empty =
            !subject.profile.is_liblinux() && (segment.p_filesz == 0 || segment.p_memsz == 0);
        if segment.p_type == PT_GNU_STACK || is_empty {
            continue; // It describes no bytes of the file, or none in memory.
        }
        if segment.p_paddr != segment.p_vaddr {
            wrong.push(format!(
                "p_paddr of {name} is {:#x}, not {:#x}",
                segment.p_paddr, segment.p_vaddr
            ));
        }
        if segment.p_memsz != segment.p_filesz {
            wrong.push(format!(
                "p_memsz of {name} is {:#x}, not {:#x}",
                segment.p_memsz, segment.p_filesz
            ));
        }
        if segment.p_type != PT_LOAD && segment.p_flags != PF_R {
            wrong.push(format!("{name} has flags {:#x}, not R", segment.p_flags));
        }
        let align = match segment.p_type {
            PT_LOAD => PAGE_SIZE as u64,
            PT_DYNAMIC => subject.image.class().word(),
            _ => 4,
        };
        // Kernels with larger pages align to these, and the linker aligns some notes to 8.
        let is_multiple = !subject.profile.is_liblinux()
            && segment.p_align.is_power_of_two()
            && (segment.p_align >= align || segment.p_type == PT_LOAD)
            && segment.p_vaddr.is_multiple_of(segment.p_align);
        if is_multiple {
            continue;
        }
        if segment.p_align != align || !segment.p_vaddr.is_multiple_of(align) {
            wrong.push(format!(
                "{name} at {:#x} is aligned to {:#x}",
                segment.p_vaddr, segment.p_align
            ));
        }
    }
    none_of("fields of program headers", &wrong)
}

fn one_load(subject: &Subject<'_>) -> Verdict {
    let loads = subject.image.segments_of(PT_LOAD)?;
    demand!(loads.len() == 1, "there are {} PT_LOAD program headers, not one", loads.len());
    demand!(loads[0].p_flags & PF_W == 0, "the PT_LOAD is writable");
    demand!(
        loads[0].p_flags == PF_R | PF_X,
        "the PT_LOAD has flags {:#x}, not R+X",
        loads[0].p_flags
    );
    Ok(())
}

fn load_at_zero(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let load = image.load()?;
    demand!(load.p_offset == 0, "the PT_LOAD begins at file offset {:#x}, not 0", load.p_offset);
    let address = load.p_vaddr.wrapping_add(subject.base);
    demand!(address == 0, "the PT_LOAD is for address {address:#x}, not 0");
    demand!(
        load.p_memsz == load.p_filesz,
        "the PT_LOAD has {:#x} bytes in memory and {:#x} in the file",
        load.p_memsz,
        load.p_filesz
    );
    demand!(
        image.slice(load.p_offset, load.p_filesz).is_some(),
        "the PT_LOAD reaches beyond the file"
    );
    let size = image.class().segment() * u64::from(image.header.e_phnum);
    let headers = image.header.e_phoff.saturating_add(size);
    demand!(headers <= load.p_filesz, "the PT_LOAD ends before the program headers do");
    Ok(())
}

fn load_geometry(subject: &Subject<'_>) -> Verdict {
    let loads = subject.image.segments_of(PT_LOAD)?;
    let base = loads[0].p_vaddr.wrapping_sub(loads[0].p_offset);
    let mut free_from = None;
    for load in loads {
        demand!(
            load.p_vaddr.wrapping_sub(load.p_offset) == base,
            "the PT_LOAD at {:#x} has another bias than the first",
            load.p_vaddr
        );
        demand!(
            load.p_align == PAGE_SIZE as u64 || !subject.profile.is_liblinux(),
            "the PT_LOAD at {:#x} is aligned to {:#x}, not to a page",
            load.p_vaddr,
            load.p_align
        );
        demand!(
            inside(load, subject.image.bytes.len() as u64),
            "the PT_LOAD at {:#x} reaches beyond the file",
            load.p_vaddr
        );
        let page = load.p_vaddr / PAGE_SIZE as u64;
        demand!(
            free_from.is_none_or(|free| page >= free),
            "the PT_LOAD at {:#x} shares a page with the one before it, or comes before it",
            load.p_vaddr
        );
        free_from = Some(load.p_vaddr.saturating_add(load.p_memsz).div_ceil(PAGE_SIZE as u64));
    }
    Ok(())
}

fn read_only_dynamic(subject: &Subject<'_>) -> Verdict {
    let tables = subject.image.segments_of(PT_DYNAMIC)?;
    demand!(tables.len() == 1, "there are {} PT_DYNAMIC program headers, not one", tables.len());
    demand!(
        tables[0].p_flags & PF_W == 0,
        "the PT_DYNAMIC is writable (flags {:#x})",
        tables[0].p_flags
    );
    demand!(
        tables[0].p_flags & PF_R != 0,
        "the PT_DYNAMIC is not readable (flags {:#x})",
        tables[0].p_flags
    );
    Ok(())
}

fn dynamic_ends(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let table = image.segments_of(PT_DYNAMIC)?[0];
    demand!(
        table.p_offset >= image.class().header(),
        "the dynamic table begins inside the ELF header"
    );
    let word = image.class().word();
    demand!(
        table.p_vaddr.is_multiple_of(word),
        "the dynamic table is at {:#x}, not a multiple of {word}",
        table.p_vaddr
    );
    demand!(
        table.p_memsz == table.p_filesz && table.p_filesz.is_multiple_of(2 * word),
        "the dynamic table's size {:#x} is not a whole number of entries",
        table.p_filesz
    );
    let bytes = image.at(table.p_offset, table.p_filesz)?;
    let mut entries = bytes.chunks_exact(2 * word as usize);
    let ends = entries.any(|entry| entry[..word as usize].iter().all(|byte| *byte == 0));
    demand!(ends, "the dynamic table has no DT_NULL in its {:#x} bytes", table.p_memsz);
    Ok(())
}

fn known_segments(subject: &Subject<'_>) -> Verdict {
    let segments = subject.image.segments()?;
    for (kind, name) in
        [(PT_TLS, "PT_TLS"), (PT_INTERP, "PT_INTERP"), (PT_GNU_RELRO, "PT_GNU_RELRO")]
    {
        demand!(!segments.iter().any(|segment| segment.p_type == kind), "there is a {name}");
    }
    let known = |segment: &&ProgramHeader| match segment.p_type {
        PT_LOAD | PT_DYNAMIC | PT_NOTE | PT_GNU_EH_FRAME => true,
        PT_GNU_STACK => segment.p_flags & PF_X == 0,
        _ => false,
    };
    let names: Vec<String> = segments
        .iter()
        .filter(|segment| !known(segment))
        .map(|segment| format!("{} ({:#x})", pt_to_str(segment.p_type), segment.p_type))
        .collect();
    // Of other segments no reader minds any but these; linkers add some for each machine.
    if !subject.profile.is_liblinux() {
        return Ok(());
    }
    none_of("program headers that a vDSO does not have", &names)
}

fn segments_in_load(subject: &Subject<'_>) -> Verdict {
    let load = subject.image.load()?;
    // A header of nothing in memory leads no reader anywhere, such as PT_RISCV_ATTRIBUTES.
    let is_nothing = |segment: &ProgramHeader| {
        !subject.profile.is_liblinux()
            && segment.p_memsz == 0
            && !matches!(segment.p_type, PT_LOAD | PT_DYNAMIC)
    };
    let outside = |segment: &&ProgramHeader| {
        segment.p_type != PT_GNU_STACK
            && !is_nothing(segment)
            && (segment.p_vaddr != segment.p_offset
                || !inside(segment, load.p_filesz)
                || segment.p_filesz == 0)
    };
    let names: Vec<String> = subject
        .image
        .segments()?
        .iter()
        .filter(outside)
        .map(|segment| format!("{} at {:#x}", pt_to_str(segment.p_type), segment.p_vaddr))
        .collect();
    none_of(
        "program headers that are empty, outside the PT_LOAD, or at an address that is not their offset",
        &names,
    )
}

fn inside(segment: &ProgramHeader, len: u64) -> bool {
    segment.p_offset.checked_add(segment.p_filesz).is_some_and(|end| end <= len)
}
