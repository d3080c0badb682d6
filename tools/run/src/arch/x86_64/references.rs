//! The instructions of a text that reach out of their object, found by decoding all of it.
//!
//! # Invariants
//!
//! 1. References exist only of a text that decodes from end to end and that no branch leaves.

use anyhow::{Result, ensure};
use iced_x86::{Code, Decoder, DecoderOptions, OpKind};
use std::collections::BTreeSet;
use std::ops::Range;

/// An instruction that reaches out of its object, by a distance from itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    /// Offset of its distance, 4 bytes.
    pub(crate) place: usize,
    /// Offset of the next instruction, from which the distance counts.
    pub(crate) next: u64,
    /// Offset of the place that it reaches.
    pub(crate) target: u64,
}

/// The references of `text`, which begins at offset `start` of an object with the offsets `inside`.
/// Each of `functions` must be where an instruction begins.
pub(crate) fn references(
    text: &[u8],
    start: u64,
    inside: &Range<u64>,
    mut functions: BTreeSet<u64>,
) -> Result<Vec<Reference>> {
    let mut decoder = Decoder::with_ip(64, text, start, DecoderOptions::NONE);
    let mut references = Vec::new();
    while decoder.can_decode() {
        let instruction = decoder.decode();
        let ip = instruction.ip();
        ensure!(instruction.code() != Code::INVALID, "no instruction at {ip:#x}");
        functions.remove(&ip);
        let is_branch = matches!(instruction.op0_kind(), OpKind::NearBranch64);
        ensure!(
            !is_branch || inside.contains(&instruction.near_branch64()),
            "a branch out of it at {ip:#x}"
        );
        let target = instruction.memory_displacement64();
        if instruction.is_ip_rel_memory_operand() && !inside.contains(&target) {
            let offsets = decoder.get_constant_offsets(&instruction);
            ensure!(offsets.displacement_size() == 4, "no distance of 4 bytes at {ip:#x}");
            let place = usize::try_from(ip)? + offsets.displacement_offset();
            references.push(Reference { place, next: instruction.next_ip(), target });
        }
    }
    ensure!(functions.is_empty(), "a function begins inside of an instruction: {functions:x?}");
    Ok(references)
}
