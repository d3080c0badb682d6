//! Functions of the image, decoded into instructions.
//!
//! The functions are those of the symbol table, the code slots of the system-call table, and the replacements of the
//! kernel's alternatives, which are code too once the kernel has copied them. Decoding is linear from the function's
//! first byte: the image has no data between instructions, and the rule `decodes` refuses what does not decode.
//!
//! # Invariants
//!
//! 1. Functions ascend by address; two symbols of one range are one function with two names.
//! 2. The instructions of a function lie inside its range.

use crate::image::Image;
use crate::rule::Fault;
use crate::rules::alternatives;
use crate::subject::Subject;
use goblin::elf::sym::STT_FUNC;
use iced_x86::{Code, Decoder, DecoderOptions, Instruction};
use liblinux_abi::image::export::{BODY, PRIVATE, SGX_ENTER_ENCLAVE};
use liblinux_abi::image::layout::{SLOT_SIZE, slot};
use liblinux_abi::syscall::{SYSCALLS, Syscall};
use std::ops::Range;

/// Stands for the name of what an alternative puts in; no symbol has a space in its name.
const REPLACEMENT: &str = "a replacement";

/// One decoded function.
#[derive(Clone, Debug)]
pub struct Function<'a> {
    /// Its names, more than one if it has aliases.
    pub names: Vec<&'a str>,
    /// Its addresses.
    pub range: Range<u64>,
    /// Whether this is what an alternative puts in place of other instructions.
    pub is_replacement: bool,
    /// Its instructions, in order of address; one that does not decode is invalid and one byte long.
    pub instructions: Vec<Instruction>,
}

impl Function<'_> {
    /// The first name.
    pub fn name(&self) -> &str {
        self.names.first().copied().unwrap_or("a slot")
    }

    /// The system call whose slot this function is.
    pub fn slot_owner(&self) -> Option<&'static Syscall> {
        SYSCALLS.iter().find(|call| slot(call.number) as u64 == self.range.start)
    }

    /// The system call whose hand-written body this function is, by its name `SYMBOL.body`.
    pub fn body_owner(&self) -> Option<&'static Syscall> {
        let owner = |name: &&str| {
            let symbol = name.strip_suffix(BODY)?;
            SYSCALLS.iter().find(|call| call.symbol == symbol && call.is_hand_written())
        };
        self.names.iter().find_map(owner)
    }

    /// The private call whose body this function is: its index.
    pub fn private_call(&self) -> Option<usize> {
        let bodies = self.names.iter().filter_map(|name| name.strip_suffix(BODY));
        bodies.filter_map(|name| PRIVATE.iter().position(|private| *private == name)).next()
    }

    /// Whether this is the function that enters enclaves: nothing else needs `enclu`, or calls a function of the caller's.
    pub fn enters_enclaves(&self) -> bool {
        self.names.iter().any(|name| name.strip_suffix(BODY) == Some(SGX_ENTER_ENCLAVE))
    }

    /// Names an instruction of this function for a message.
    pub fn place(&self, instruction: &Instruction) -> String {
        let offset = instruction.ip().wrapping_sub(self.range.start);
        format!("{}+{offset:#x} ({instruction} at {:#x})", self.name(), instruction.ip())
    }
}

/// The addresses of a call's slot.
pub fn slot_range(call: &Syscall) -> Range<u64> {
    let start = slot(call.number) as u64;
    start..start + SLOT_SIZE as u64
}

/// Decodes `bytes`, which lie at `address`.
pub fn decode(bytes: &[u8], address: u64) -> Vec<Instruction> {
    let mut instructions: Vec<Instruction> = Vec::new();
    let mut decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
    while decoder.can_decode() {
        let (start, ip) = (decoder.position(), decoder.ip());
        let mut instruction = decoder.decode();
        if instruction.code() == Code::INVALID {
            // Go on behind the first byte, so that what follows is seen too.
            instruction.set_len(1);
            instruction.set_ip(ip);
            decoder.set_position(start + 1).expect("inside the bytes, since an instruction was read there");
            decoder.set_ip(ip.wrapping_add(1));
        }
        instructions.push(instruction);
    }
    instructions
}

/// All functions of the subject, ascending by address.
pub(crate) fn decode_all<'a>(subject: &Subject<'a>) -> Result<Vec<Function<'a>>, Fault> {
    let mut named: Vec<(Range<u64>, Option<&'a str>)> = subject
        .symbols()?
        .iter()
        .filter(|symbol| symbol.kind == STT_FUNC && symbol.size > 0)
        .map(|symbol| (symbol.value..symbol.end(), Some(symbol.name)))
        .collect();
    if named.is_empty() {
        return Err(Fault::Wrong("the symbol table names no function".into()));
    }
    named.extend(SYSCALLS.iter().filter(|call| call.is_exported()).map(|call| (slot_range(call), None)));
    named.extend(
        alternatives::replacements(&subject.image)?.into_iter().map(|range| (range, Some(REPLACEMENT))),
    );
    named.sort_by_key(|(range, name)| (range.start, range.end, name.is_none()));

    let mut functions: Vec<Function<'a>> = Vec::new();
    for (range, name) in named {
        match functions.last_mut() {
            Some(last) if last.range == range => last.names.extend(name),
            _ => functions.push(function(&subject.image, range, name)?),
        }
    }
    Ok(functions)
}

fn function<'a>(image: &Image<'_>, range: Range<u64>, name: Option<&'a str>) -> Result<Function<'a>, String> {
    let bytes = image
        .at(range.start, range.end - range.start)
        .map_err(|error| format!("the code of {}: {error}", name.unwrap_or("a slot")))?;
    Ok(Function {
        names: name.into_iter().collect(),
        is_replacement: name == Some(REPLACEMENT),
        instructions: decode(bytes, range.start),
        range,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_goes_on_behind_what_does_not_decode() {
        let places: Vec<(u64, usize, bool)> = decode(&[0x90, 0x06, 0xc3, 0xe9, 0x00], 0x1000)
            .iter()
            .map(|instruction| (instruction.ip(), instruction.len(), instruction.is_invalid()))
            .collect();
        // A nop, a byte that is no instruction, a ret, and a jump that is cut off.
        assert_eq!(places[..3], [(0x1000, 1, false), (0x1001, 1, true), (0x1002, 1, false)]);
        assert!(places[3..].iter().any(|place| place.2), "{places:?}");
    }
}
