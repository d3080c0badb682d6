//! vDSO images inside the bytes of an uncompressed kernel or of an emulator: x86 kernels have them
//! in `vdso_image` arrays, others include the file as it is; both at a multiple of a page. QEMU's
//! programs for Linux have an array, too, which begins anywhere.
//!
//! # Invariants
//!
//! 1. What is taken for an image has a header, program headers and a dynamic table that lie inside
//!    it. Everything else is for the rules to judge.

use super::{Found, IMAGE_LIMIT, IMAGES_LIMIT};
use goblin::container::Ctx;
use goblin::elf::header::ET_DYN;
use goblin::elf::program_header::{PT_DYNAMIC, PT_INTERP, PT_LOAD, ProgramHeader};
use goblin::elf::section_header::SectionHeader;
use liblinux_abi::image::layout::PAGE_SIZE;

/// The images in a kernel's bytes.
pub(super) fn images(name: &str, kernel: &[u8]) -> Result<Vec<Found>, String> {
    let mut found: Vec<Found> = Vec::new();
    // Places in the file and in memory differ by less than a page in some formats.
    let mut at = 0;
    while let Some(next) = magic(kernel, at) {
        at = next + 4;
        let Some(len) = image_at(&kernel[next..]) else { continue };
        // What is not at a page is not padded to one: other data follow.
        let unit = if next.is_multiple_of(PAGE_SIZE) { PAGE_SIZE } else { 1 };
        let end = next.saturating_add(len.next_multiple_of(unit)).min(kernel.len());
        let bytes = &kernel[next..end];
        at = end;
        if found.iter().all(|other| other.bytes != bytes) {
            if found.len() == IMAGES_LIMIT {
                return Err(format!(
                    "{name} holds more than {IMAGES_LIMIT} images, and no kernel does; give one of them"
                ));
            }
            let name = format!("{name}: image at {next:#x}");
            found.push(Found { name, bytes: bytes.to_vec(), debug: None });
        }
    }
    Ok(found)
}

/// Where the next ELF header is, from `at` on.
fn magic(kernel: &[u8], at: usize) -> Option<usize> {
    let mut from = at;
    loop {
        let next = from + kernel.get(from..)?.iter().position(|byte| *byte == 0x7f)?;
        if kernel[next..].starts_with(b"\x7fELF") {
            return Some(next);
        }
        from = next + 1;
    }
}

/// How many bytes the image has that begins here, if one does.
fn image_at(bytes: &[u8]) -> Option<usize> {
    let bytes = &bytes[..bytes.len().min(IMAGE_LIMIT as usize)];
    let header = goblin::elf::Elf::parse_header(bytes).ok()?;
    let is_small = header.e_shnum < 64 && (1..=16).contains(&header.e_phnum);
    if header.e_type != ET_DYN || header.e_ident[5] != 1 || !is_small {
        return None;
    }
    // The headers alone: the length is not known yet, and there may be thousands of such places.
    let ctx = Ctx::new(header.container().ok()?, header.endianness().ok()?);
    let table = usize::try_from(header.e_phoff).ok()?;
    let segments = ProgramHeader::parse(bytes, table, usize::from(header.e_phnum), ctx).ok()?;
    let load = segments.iter().find(|segment| segment.p_type == PT_LOAD)?;
    let has = |kind: u32| segments.iter().any(|segment| segment.p_type == kind);
    if load.p_offset != 0 || !has(PT_DYNAMIC) || has(PT_INTERP) {
        return None;
    }
    let sections = SectionHeader::size(ctx) as u64 * u64::from(header.e_shnum);
    let table = header.e_shoff.checked_add(sections)?;
    let len = usize::try_from(table.max(load.p_filesz)).ok()?;
    (len <= bytes.len()).then_some(len)
}
