//! Functions of the image, decoded into instructions.
//!
//! The functions are those of the symbol table, the code slots of the system-call table, and the
//! replacements of the kernel's alternatives, which are code too once the kernel has copied them. A
//! stripped image has kept what is needed without names: the dynamic symbols, an entry of
//! call-frame information for every function, and in each slot the jump to the body that is its.
//! Decoding is linear from the function's first byte: the image has no data between instructions,
//! and the rule `decodes` refuses what does not decode.
//!
//! # Invariants
//!
//! 1. Functions ascend by address; two symbols of one range are one function with two names.
//! 2. The instructions of a function lie inside its range.
//! 3. What is asked of a function for each of its instructions does not depend on how many it has.
//! 4. Overlapping functions are decoded up to `OVERLAP` times the file's size, and refused beyond.

pub(crate) mod aarch64;
mod callee;
mod decode;
mod frame;

use crate::arch::stub::jump_of;
use crate::image::Image;
use crate::symbol::Symbol;
use crate::verdict::Fault;
use crate::view::alternatives;
pub use decode::{decode, decode_as};
use goblin::elf::sym::STT_FUNC;
use iced_x86::{FlowControl, Instruction, Mnemonic};
use liblinux_abi::image::export::{BODY, FIXUPS, FRAME_ENDS, PRIVATE, SGX_ENTER_ENCLAVE};
use liblinux_abi::image::layout::{SLOT_SIZE, SLOTS, fixup_slot, slot};
use liblinux_abi::syscall::{SYSCALLS, Syscall};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// How many bytes of functions are decoded for each byte of the file: aliases share theirs, others
/// do not overlap.
const OVERLAP: u64 = 2;

/// The most bytes of functions that are decoded; an image has some tens of thousands.
pub const CODE_LIMIT: u64 = 1 << 17;

/// The most instructions that are followed: what is known in front of each takes
/// up to two kilobytes.
pub const INSTRUCTION_LIMIT: usize = 20_000;

/// The name of code that an alternative puts in. No symbol has a space in its name.
const REPLACEMENT: &str = "a replacement";

/// One decoded function.
#[derive(Clone, Debug)]
pub struct Function<'a> {
    /// Its names, more than one if it has aliases.
    pub names: Vec<&'a str>,
    /// Its addresses.
    pub range: Range<u64>,
    /// Whether it is one of liblinux's.
    pub is_liblinux: bool,
    /// Whether it is in liblinux's table of slots.
    pub is_slot: bool,
    /// The entry whose body it is: named `ENTRY.body`, or where the entry's slot jumps to.
    pub body_of: Option<&'static str>,
    /// Whether this is what an alternative puts in place of other instructions.
    pub is_replacement: bool,
    /// Whether it begins with a jump to another function, and so is a name of that one: what
    /// follows is not executed. The runner makes such functions of those that are the running
    /// kernel's.
    pub leads_elsewhere: bool,
    /// Its instructions, in order of address; one that does not decode is invalid and one byte
    /// long.
    pub instructions: Vec<Instruction>,
    /// Whether one of these is an `iretq`.
    has_iretq: bool,
    /// Whether one of these is an `enclu`.
    has_enclu: bool,
    /// Whether one of these is a call.
    pub(crate) has_call: bool,
}

impl Function<'_> {
    /// The first name, or what else is known of the function.
    pub fn name(&self) -> Cow<'_, str> {
        match (self.names.first(), self.body_of) {
            (Some(name), _) => Cow::Borrowed(name),
            (None, Some(entry)) => Cow::Owned(format!("{entry}{BODY}")),
            (None, None) => Cow::Owned(format!("the function at {:#x}", self.range.start)),
        }
    }

    /// Where the instruction at an address is in `instructions`.
    pub fn index_of(&self, address: u64) -> Option<usize> {
        self.instructions.binary_search_by_key(&address, Instruction::ip).ok()
    }

    /// The system call whose slot this function is.
    pub fn slot_owner(&self) -> Option<&'static Syscall> {
        let is_own = |call: &&Syscall| slot(call.number) as u64 == self.range.start;
        SYSCALLS.iter().filter(|_| self.is_slot).find(is_own)
    }

    /// The system call whose hand-written body this function is.
    pub fn body_owner(&self) -> Option<&'static Syscall> {
        let symbol = self.body_of?;
        SYSCALLS.iter().find(|call| call.symbol == symbol && call.is_hand_written())
    }

    /// The private call whose body this function is: its index.
    pub fn private_call(&self) -> Option<usize> {
        PRIVATE.iter().position(|private| Some(*private) == self.body_of)
    }

    /// Whether this is a function that ends a landing. It is not left as it was entered, so it is
    /// compared byte by byte (`frame-ends`), and not followed. Where no names are known, a function
    /// that returns to an interrupted place is taken for one.
    pub fn ends_landing(&self) -> bool {
        self.body_of.is_some_and(|entry| FRAME_ENDS.contains(&entry))
            || !self.is_liblinux && self.has_iretq
    }

    /// Whether this is the function that enters enclaves: no other needs `enclu`, or calls a
    /// function of the caller.
    pub fn enters_enclaves(&self) -> bool {
        self.body_of == Some(SGX_ENTER_ENCLAVE) || !self.is_liblinux && self.has_enclu
    }

    /// Names an instruction of this function for a message.
    pub fn place(&self, instruction: &Instruction) -> String {
        let offset = instruction.ip().wrapping_sub(self.range.start);
        format!("{}+{offset:#x} ({instruction} at {:#x})", self.name(), instruction.ip())
    }
}

/// How many functions that begin in front of a place may overlap there.
const NESTED: usize = 8;

/// The function that a place is in; `functions` ascend.
pub fn home<'f, 'a>(functions: &'f [Function<'a>], place: u64) -> Option<&'f Function<'a>> {
    let before = functions.partition_point(|function| function.range.start <= place);
    let mut near = functions[..before].iter().rev().take(NESTED);
    near.find(|function| function.range.contains(&place))
}

/// The addresses of a call's slot.
pub fn slot_range(call: &Syscall) -> Range<u64> {
    let start = slot(call.number) as u64;
    start..start + SLOT_SIZE as u64
}

/// The entries that may have a body, with their addresses.
fn entries<'s>(symbols: &'s [Symbol<'_>]) -> impl Iterator<Item = (&'static str, u64)> + 's {
    let calls = SYSCALLS.iter().filter(|call| call.is_hand_written());
    let calls = calls.map(|call| (call.symbol, slot(call.number) as u64));
    let fixups = FIXUPS.iter().zip(0..).map(|(name, index)| (*name, fixup_slot(index) as u64));
    let enclave = symbols.iter().filter(|symbol| symbol.name == SGX_ENTER_ENCLAVE);
    calls.chain(fixups).chain(enclave.map(|symbol| (SGX_ENTER_ENCLAVE, symbol.value)))
}

/// The entry whose body begins at each address.
fn bodies(
    image: &Image<'_>,
    symbols: &[Symbol<'_>],
) -> Result<BTreeMap<u64, &'static str>, String> {
    let mut by_name = BTreeMap::new();
    let mut by_jump = BTreeMap::new();
    for (name, address) in entries(image.dynsym()?) {
        let is_body = |symbol: &&Symbol<'_>| symbol.name.strip_suffix(BODY) == Some(name);
        by_name.extend(symbols.iter().filter(is_body).map(|symbol| (symbol.value, name)));
        let entry = image.at(address, SLOT_SIZE as u64).unwrap_or_default();
        by_jump.extend(jump_of(entry, address).map(|(target, _)| (target, name)));
    }
    by_jump.extend(by_name);
    Ok(by_jump)
}

/// Why the code cannot be judged if its functions are not known: rules about the table that names
/// them refuse that.
fn unknown(is_liblinux: bool, why: String) -> Fault {
    match is_liblinux {
        true => Fault::Wrong(why),
        false => Fault::NotJudged(format!("the functions are not known, because {why}")),
    }
}

/// All functions of an image, ascending by address. `local` is all its symbols, or why they are not
/// at hand. liblinux has code slots.
pub(crate) fn decode_all<'a>(
    image: &Image<'a>,
    is_liblinux: bool,
    local: &Result<&[Symbol<'a>], Fault>,
) -> Result<Vec<Function<'a>>, Fault> {
    let symbols = match local {
        Ok(symbols) => *symbols,
        Err(Fault::NotJudged(_)) => image.dynsym().map_err(|why| unknown(is_liblinux, why))?,
        Err(fault) => return Err(fault.clone()),
    };
    let mut named: Vec<(Range<u64>, Option<&'a str>)> = symbols
        .iter()
        .filter(|symbol| symbol.kind == STT_FUNC && symbol.size > 0)
        .map(|symbol| (symbol.value..symbol.end(), Some(symbol.name)))
        .collect();
    if named.is_empty() {
        return Err(unknown(is_liblinux, "the symbol table names no function".into()));
    }
    let slots = SYSCALLS.iter().filter(|call| is_liblinux && call.is_exported());
    named.extend(slots.map(|call| (slot_range(call), None)));
    let replacements =
        alternatives::replacements(image, alternatives::followed(image, is_liblinux)?);
    named.extend(replacements.into_iter().map(|range| (range, Some(REPLACEMENT))));
    // In other images than liblinux a symbol that reaches out of the code has no instructions: the
    // rule `decodes` refuses it, and the other rules judge code alone.
    let text = image.text().ok().filter(|_| !is_liblinux);
    let is_code = |range: &Range<u64>, name: Option<&str>| {
        let is_inside = |text: &Range<u64>| text.start <= range.start && range.end <= text.end;
        name == Some(REPLACEMENT) || text.as_ref().is_none_or(is_inside)
    };
    let known: BTreeSet<u64> = named.iter().map(|(range, _)| range.start).collect();
    match frame::nameless(image, is_liblinux, &known) {
        // An entry that begins late is of the function that it begins in.
        Ok(ranges) => {
            let mut already: Vec<Range<u64>> =
                named.iter().map(|(range, _)| range.clone()).collect();
            already.sort_unstable_by_key(|range| range.start);
            let is_inside = |start: u64| {
                let after = already.partition_point(|range| range.start <= start);
                !is_liblinux && already[..after].last().is_some_and(|home| home.contains(&start))
            };
            let ranges = ranges.into_iter().filter(|range| !is_inside(range.start));
            named.extend(ranges.map(|range| (range, None)));
        }
        // liblinux's functions are known by it alone.
        Err(error) if is_liblinux && local.is_err() => return Err(Fault::Wrong(error)),
        // Call-frame information that cannot be read is for its own rules to refuse.
        Err(_) => {}
    }
    if !is_liblinux {
        let called = called(image, &named, is_code).map_err(|why| unknown(is_liblinux, why))?;
        named.extend(called.into_iter().map(|range| (range, None)));
        reach_to_the_next(image, &mut named);
    }
    named.sort_by_key(|(range, name)| (range.start, range.end, name.is_none()));

    let bodies = if is_liblinux { bodies(image, symbols)? } else { BTreeMap::new() };
    let mut code = 0;
    let mut room = OVERLAP * image.bytes.len() as u64;
    let mut functions: Vec<Function<'a>> = Vec::new();
    for (range, name) in named {
        match functions.last_mut() {
            Some(last) if last.range == range => last.names.extend(name),
            _ if !is_code(&range, name) => functions.push(without_code(range, name)),
            _ => {
                let left = room.checked_sub(range.end.saturating_sub(range.start));
                room = left.ok_or_else(|| {
                    let what = "the functions overlap: together they have over";
                    unknown(is_liblinux, format!("{what} {OVERLAP} times the file's bytes"))
                })?;
                code += range.end.saturating_sub(range.start);
                if code > CODE_LIMIT {
                    let what = "the functions overlap, or have more than the";
                    return Err(unknown(
                        is_liblinux,
                        format!("{what} {CODE_LIMIT} bytes of an image"),
                    ));
                }
                let body_of = bodies.get(&range.start).copied();
                let is_slot = is_liblinux && range.start >= SLOTS as u64;
                let found = function(image, range, name, body_of);
                let found = found.map_err(|why| unknown(is_liblinux, why))?;
                functions.push(Function { is_liblinux, is_slot, ..found });
            }
        }
    }
    let count: usize = functions.iter().map(|function| function.instructions.len()).sum();
    if count > INSTRUCTION_LIMIT {
        let limit = format!("an image has fewer than {INSTRUCTION_LIMIT}");
        let what = format!("the functions have {count} instructions; {limit}");
        return Err(unknown(is_liblinux, what));
    }
    Ok(functions)
}

/// The functions that only calls know.
fn called(
    image: &Image<'_>,
    named: &[(Range<u64>, Option<&str>)],
    is_code: impl Fn(&Range<u64>, Option<&str>) -> bool,
) -> Result<Vec<Range<u64>>, String> {
    let mut known = Vec::new();
    let mut beyond = BTreeSet::new();
    for (range, name) in named {
        if is_code(range, *name) {
            known.push(range.clone());
        } else {
            beyond.insert(range.start);
        }
    }
    let mut found = callee::unnamed(image, &known)?;
    // A function that reaches out of the code has no instructions, called or not.
    found.retain(|range| !beyond.contains(&range.start));
    Ok(found)
}

/// Ends functions without a name where their code does.
fn reach_to_the_next(image: &Image<'_>, named: &mut [(Range<u64>, Option<&str>)]) {
    let Ok(text) = image.text() else { return };
    let starts: BTreeSet<u64> = named.iter().map(|(range, _)| range.start).collect();
    let nameless = named.iter_mut().filter(|(_, name)| name.is_none());
    for (range, _) in nameless.filter(|(range, _)| text.contains(&range.start)) {
        let next = starts.range(range.start + 1..).next().copied().unwrap_or(text.end);
        let next = next.min(text.end);
        if next - range.start <= CODE_LIMIT {
            range.end = callee::end_of(image, range, next);
        }
    }
}

fn function<'a>(
    image: &Image<'_>,
    range: Range<u64>,
    name: Option<&'a str>,
    body_of: Option<&'static str>,
) -> Result<Function<'a>, String> {
    let bytes = image
        .at(range.start, range.end - range.start)
        .map_err(|error| format!("the code of {}: {error}", name.unwrap_or("a function")))?;
    let bits = image.x86_bits().unwrap_or(64);
    let mut instructions = decode_as(bits, bytes, range.start);
    let leads_elsewhere = instructions.first().is_some_and(|first| {
        // Through memory only in the runner's copy, to a function that is too far for another jump.
        let is_far = first.flow_control() == FlowControl::IndirectBranch
            && first.is_ip_rel_memory_operand()
            && !image.kernel_copy().is_empty();
        let is_near = first.flow_control() == FlowControl::UnconditionalBranch;
        is_far
            || is_near && name != Some(REPLACEMENT) && !range.contains(&first.near_branch_target())
    });
    if leads_elsewhere {
        instructions.retain(|kept| kept.ip() == range.start && !kept.is_ip_rel_memory_operand());
    }
    let has = |mnemonic| instructions.iter().any(|found| found.mnemonic() == mnemonic);
    Ok(Function {
        leads_elsewhere,
        body_of,
        has_iretq: has(Mnemonic::Iretq),
        has_enclu: has(Mnemonic::Enclu),
        has_call: instructions.iter().any(|found| found.flow_control() == FlowControl::Call),
        instructions,
        ..without_code(range, name)
    })
}

/// A function of which nothing is decoded.
fn without_code<'a>(range: Range<u64>, name: Option<&'a str>) -> Function<'a> {
    Function {
        names: name.into_iter().collect(),
        range,
        is_liblinux: false,
        is_slot: false,
        body_of: None,
        is_replacement: name == Some(REPLACEMENT),
        leads_elsewhere: false,
        instructions: Vec::new(),
        has_iretq: false,
        has_enclu: false,
        has_call: false,
    }
}
