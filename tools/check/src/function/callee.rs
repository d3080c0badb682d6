//! Functions that have neither a name nor call-frame information, and that only calls know: a
//! stripped image keeps nothing else of a local function in assembly. And where functions without a
//! name end.

use super::decode::decode_as;
use super::{CODE_LIMIT, OVERLAP};
use crate::arch::stub::INT3;
use crate::image::Image;
use iced_x86::{Instruction, Mnemonic};
use std::collections::BTreeSet;
use std::ops::Range;

/// `nop`, with which compilers pad.
const NOP: u8 = 0x90;

/// `endbr64`.
const ENDBR: &[u8] = &[0xf3, 0x0f, 0x1e, 0xfa];

/// The functions that the `known` ones call and that are none of these: each reaches up to the next
/// function, or to the end of `.text`, without the padding.
pub(super) fn unnamed(image: &Image<'_>, known: &[Range<u64>]) -> Result<Vec<Range<u64>>, String> {
    let (Ok(text), Some(bits)) = (image.text(), image.x86_bits()) else { return Ok(Vec::new()) };
    let len = |range: &Range<u64>| range.end.saturating_sub(range.start);
    let total = known.iter().map(len).fold(0, u64::saturating_add);
    if total > OVERLAP * image.bytes.len() as u64 || total > CODE_LIMIT {
        return Ok(Vec::new()); // They are refused for their size or overlap.
    }
    let mut targets = BTreeSet::new();
    for range in known {
        let code = image.at(range.start, len(range));
        let code = decode_as(bits, code.unwrap_or_default(), range.start);
        let calls = code.iter().filter(|found| found.mnemonic() == Mnemonic::Call);
        targets.extend(calls.map(Instruction::near_branch_target));
    }
    let mut sorted = known.to_vec();
    sorted.sort_unstable_by_key(|range| range.start);
    let before = |place: u64| sorted.partition_point(|range| range.start <= place);
    let is_new = |place: &u64| {
        let home = before(*place).checked_sub(1).map(|home| &sorted[home]);
        text.contains(place) && home.is_none_or(|home| !home.contains(place))
    };
    let starts: Vec<u64> = targets.into_iter().filter(is_new).collect();
    let mut found = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let next =
            [sorted.get(before(*start)).map(|next| next.start), starts.get(index + 1).copied()];
        let end = next.into_iter().flatten().fold(text.end, u64::min);
        let code = image.at(*start, end - start)?;
        // Behind it may be the mark of a function whose entry begins late.
        let code = code.strip_suffix(ENDBR).unwrap_or(code);
        let padding = code.iter().rev().take_while(|byte| matches!(**byte, NOP | INT3)).count();
        found.push(*start..*start + (code.len() - padding) as u64);
    }
    Ok(found)
}

/// Where a function without a name ends that begins and ends there: call-frame information may be
/// wrong about the end, so it reaches over all code up to the `next` function.
pub(super) fn end_of(image: &Image<'_>, range: &Range<u64>, next: u64) -> u64 {
    let len = next.saturating_sub(range.end);
    let (Some(bits), Ok(gap)) = (image.x86_bits(), image.at(range.end, len)) else {
        return range.end;
    };
    let is_padding = |found: &Instruction| {
        let mnemonic = found.mnemonic();
        matches!(mnemonic, Mnemonic::Nop | Mnemonic::Int3 | Mnemonic::Endbr64 | Mnemonic::Endbr32)
    };
    let code = decode_as(bits, gap, range.end);
    code.iter().rfind(|found| !is_padding(found)).map_or(range.end, Instruction::next_ip)
}
