//! Functions of an arm64 image, decoded into instructions.
//!
//! They are those that symbols name (`__kernel_rt_sigreturn` has no type), those that call-frame
//! information alone knows, and those that only a `bl` of these knows.
//!
//! # Invariants
//!
//! 1. Functions ascend by address, lie inside `.text`, and do not overlap.

use super::CODE_LIMIT;
use crate::arch::aarch64::instruction::{Instruction, Leads, SIZE, decode};
use crate::image::Image;
use crate::symbol::Symbol;
use crate::verdict::Fault;
use crate::view::frames::Frames;
use goblin::elf::sym::{STT_FUNC, STT_NOTYPE};
use std::collections::BTreeMap;
use std::ops::Range;

/// One decoded function.
#[derive(Debug)]
pub(crate) struct Function<'a> {
    name: Option<&'a str>,
    /// Its addresses.
    pub(crate) range: Range<u64>,
    /// Its instructions, in order of address.
    pub(crate) instructions: Vec<Instruction>,
}

impl Function<'_> {
    /// Its name, or what else is known of it.
    pub(crate) fn name(&self) -> String {
        let unnamed = || format!("the function at {:#x}", self.range.start);
        self.name.map_or_else(unnamed, str::to_owned)
    }

    /// Where the instruction at an address is in `instructions`.
    pub(crate) fn index_of(&self, address: u64) -> Option<usize> {
        let offset = address.checked_sub(self.range.start)?;
        let index = usize::try_from(offset / SIZE).ok()?;
        (offset.is_multiple_of(SIZE) && index < self.instructions.len()).then_some(index)
    }

    /// Names an instruction of this function for a message.
    pub(crate) fn place(&self, instruction: &Instruction) -> String {
        let offset = instruction.address.wrapping_sub(self.range.start);
        format!("{}+{offset:#x} ({instruction} at {:#x})", self.name(), instruction.address)
    }
}

/// All functions of an image. `symbols` is all its symbols, or those that are exported.
pub(crate) fn decode_all<'a>(
    image: &Image<'a>,
    symbols: &[Symbol<'a>],
) -> Result<Vec<Function<'a>>, Fault> {
    let text = image.text()?;
    if text.end - text.start > CODE_LIMIT {
        return Err(Fault::Wrong(format!(
            ".text has more than the {CODE_LIMIT} bytes of an image's code"
        )));
    }
    let is_code = |range: &Range<u64>| {
        text.start <= range.start && range.start < range.end && range.end <= text.end
    };
    let named = symbols.iter().filter(|symbol| matches!(symbol.kind, STT_FUNC | STT_NOTYPE));
    let mut ranges: BTreeMap<u64, (u64, Option<&'a str>)> = named
        .filter(|symbol| is_code(&(symbol.value..symbol.end())))
        .map(|symbol| (symbol.value, (symbol.end(), Some(symbol.name))))
        .collect();
    if ranges.is_empty() {
        return Err(Fault::NotJudged("no symbol names a function in .text".into()));
    }
    let entries = Frames::of(image).and_then(|frames| frames.entries()).unwrap_or_default();
    for entry in entries {
        let range = entry.initial_address()..entry.end_address();
        if is_code(&range) && home(&ranges, range.start).is_none() {
            ranges.insert(range.start, (range.end, None));
        }
    }
    for target in called(image, &ranges)? {
        if text.contains(&target) && home(&ranges, target).is_none() {
            ranges.insert(target, (text.end, None));
        }
    }
    functions(image, &ranges)
}

/// The function that an address is in.
fn home(ranges: &BTreeMap<u64, (u64, Option<&str>)>, address: u64) -> Option<u64> {
    let (start, (end, _)) = ranges.range(..=address).next_back()?;
    (address < *end).then_some(*start)
}

/// What the functions call.
fn called(
    image: &Image<'_>,
    ranges: &BTreeMap<u64, (u64, Option<&str>)>,
) -> Result<Vec<u64>, String> {
    let mut targets = Vec::new();
    for (start, end) in apart(ranges) {
        let calls = decode(image.at(start, end - start)?, start);
        targets.extend(calls.iter().filter_map(|one| match one.leads() {
            Leads::Calls(target) => Some(target),
            _ => None,
        }));
    }
    Ok(targets)
}

/// Start and end of each function; where two overlap, the first ends where the second begins.
fn apart<'r>(
    ranges: &'r BTreeMap<u64, (u64, Option<&str>)>,
) -> impl Iterator<Item = (u64, u64)> + 'r {
    let next = ranges.keys().skip(1).map(|start| Some(*start)).chain([None]);
    ranges
        .iter()
        .zip(next)
        .map(|((start, (end, _)), next)| (*start, next.map_or(*end, |next| next.min(*end))))
}

fn functions<'a>(
    image: &Image<'a>,
    ranges: &BTreeMap<u64, (u64, Option<&'a str>)>,
) -> Result<Vec<Function<'a>>, Fault> {
    let names = ranges.values().map(|(_, name)| *name);
    let mut functions = Vec::new();
    for ((start, end), name) in apart(ranges).zip(names) {
        let mut instructions = decode(image.at(start, end - start)?, start);
        // What only a call knows reaches up to the next function, with the padding in front of it.
        while name.is_none() && instructions.last().is_some_and(Instruction::is_padding) {
            instructions.pop();
        }
        let end = start + SIZE * instructions.len() as u64;
        if !instructions.is_empty() {
            functions.push(Function { name, range: start..end, instructions });
        }
    }
    Ok(functions)
}
