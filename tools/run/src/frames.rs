//! Call-frame information (`.eh_frame`) of two objects as one: an unwinder looks into one section
//! of a mapped object.
//!
//! A description of a function says where the function begins, relative to itself. So a description
//! can move with that word written anew. Everything else of a record is relative to the record, the
//! section or the function.
//!
//! # Invariants
//!
//! 1. Records that say anything else by an address (personalities, tables of a language) are
//!    refused.

use anyhow::{Context as _, Result, anyhow, ensure};
use gimli::constants::{DW_EH_PE_pcrel, DW_EH_PE_sdata4};
use gimli::{BaseAddresses, CieOrFde, EhFrame, Format, LittleEndian, UnwindSection as _};
use liblinux_check::image::Image as Elf;

/// The place in a description of the word that says where the function begins: behind length and
/// pointer.
const START: usize = 8;

/// The end of a section.
const END: [u8; 4] = [0; 4];

/// Alignment of the section.
const ALIGNMENT: usize = 8;

/// `.eh_frame_hdr` begins with its version and three encodings: the section by a distance of 4
/// bytes, the count of functions in 4 bytes, the table by distances of 4 bytes from the header.
const HEADER: [u8; 4] = [1, 0x1b, 0x03, 0x3b];

/// The records of one object.
#[derive(Debug)]
pub(crate) struct Frames {
    /// All records, without the end mark.
    records: Vec<u8>,
    /// Where a description begins among the records, and where its function begins in the object.
    functions: Vec<(usize, u64)>,
}

/// Both sections, one behind the other.
#[derive(Debug)]
pub(crate) struct Sections {
    /// `.eh_frame_hdr`, padded to where the next one begins.
    pub(crate) header: Vec<u8>,
    /// `.eh_frame`
    pub(crate) records: Vec<u8>,
}

impl Frames {
    /// The records of an object.
    pub(crate) fn of(elf: &Elf<'_>) -> Result<Self> {
        let error = |what: String| anyhow!(what);
        let section = elf.section(".eh_frame").map_err(error)?;
        let bytes = elf.contents(section).map_err(error)?;
        let bases = BaseAddresses::default().set_eh_frame(section.header.sh_addr);
        let frames = EhFrame::new(bytes, LittleEndian);
        let (mut entries, mut functions, mut end) = (frames.entries(&bases), Vec::new(), 0);
        while let Some(entry) = entries.next()? {
            let (offset, len, encoding) = match entry {
                CieOrFde::Cie(cie) => (cie.offset(), cie.entry_len(), cie.encoding()),
                CieOrFde::Fde(partial) => {
                    let fde = partial.parse(EhFrame::cie_from_offset)?;
                    let is_near =
                        fde.cie().fde_address_encoding() == Some(DW_EH_PE_pcrel | DW_EH_PE_sdata4);
                    let is_plain = fde.personality().is_none() && fde.lsda().is_none();
                    ensure!(
                        is_near && is_plain,
                        "a description at {:#x} cannot move",
                        fde.offset()
                    );
                    functions.push((fde.offset(), fde.initial_address()));
                    (fde.offset(), fde.entry_len(), fde.cie().encoding())
                }
            };
            ensure!(
                encoding.format == Format::Dwarf32,
                "a record at {offset:#x} has a length of 64 bits"
            );
            end = offset + size_of::<u32>() + len;
        }
        ensure!(!functions.is_empty(), "there is no call-frame information");
        let records = bytes.get(..end).context("a record reaches beyond its section")?.to_vec();
        Ok(Self { records, functions })
    }
}

/// The sections for one object that has all of these in it, each at its address; the header will be
/// at `place`.
pub(crate) fn join(parts: &[(&Frames, u64)], place: u64) -> Result<Sections> {
    let count: usize = parts.iter().map(|(frames, _)| frames.functions.len()).sum();
    let header_size = (HEADER.len() + 8 + 8 * count).next_multiple_of(ALIGNMENT);
    let records_at = place + header_size as u64;
    let distance = |from: u64, to: u64| i32::try_from(to.wrapping_sub(from).cast_signed());
    let (mut records, mut table) = (Vec::new(), Vec::new());
    for (frames, bias) in parts {
        let first = records.len();
        records.extend(&frames.records);
        for (offset, start) in &frames.functions {
            let (record, start) = (first + offset, start + bias);
            let word = record + START;
            let relative = distance(records_at + word as u64, start)?;
            records[word..word + size_of::<i32>()].copy_from_slice(&relative.to_le_bytes());
            table.push((distance(place, start)?, distance(place, records_at + record as u64)?));
        }
    }
    records.extend(END);
    table.sort_unstable();
    let mut header = HEADER.to_vec();
    header.extend(distance(place + HEADER.len() as u64, records_at)?.to_le_bytes());
    header.extend(u32::try_from(count)?.to_le_bytes());
    header.extend(
        table.iter().flat_map(|(start, record)| [*start, *record]).flat_map(i32::to_le_bytes),
    );
    header.resize(header_size, 0);
    Ok(Sections { header, records })
}
