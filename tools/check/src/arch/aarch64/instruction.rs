//! Bytes to instructions, and where each leads.

use std::fmt;
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::{DecodeError, InstDecoder, Instruction as Decoded, Opcode, Operand};

/// Bytes of an instruction.
pub(crate) const SIZE: u64 = 4;

/// `retaa` and `retab`: they check the return address and return. The decoder does not know them.
const CHECKED_RETURNS: [u32; 2] = [0xd65f_0bff, 0xd65f_0fff];

/// `mov x8, #139`: the number of `rt_sigreturn`, which does not return.
const SIGRETURN: u32 = 0xd280_1168;

/// `nop`.
const NOP: u32 = 0xd503_201f;

/// An instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instruction {
    pub(crate) address: u64,
    word: u32,
    decoded: Result<Decoded, DecodeError>,
}

/// Where execution continues behind an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// To the next instruction.
    On,
    /// To a place.
    To(u64),
    /// To a place, or to the next instruction.
    Either(u64),
    /// To a function, and from there to the next instruction.
    Calls(u64),
    /// To a function whose address a register has, and from there to the next instruction.
    CallsRegister,
    /// To the address in a register.
    Register,
    /// To the address in that register, as a return does.
    Returns(u16),
    /// To the caller, after the signed return address has been checked.
    ReturnsChecked,
    /// Nowhere: it traps.
    Nowhere,
}

/// Decodes bytes that lie at an address; what is left of less than an instruction is not decoded.
pub(crate) fn decode(bytes: &[u8], address: u64) -> Vec<Instruction> {
    let decoder = InstDecoder::default();
    let words = bytes.chunks_exact(SIZE as usize).zip((0..).map(|index| SIZE * index));
    words
        .map(|(bytes, offset)| Instruction {
            address: address.wrapping_add(offset),
            word: bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte)),
            decoded: decoder.decode(&mut U8Reader::new(bytes)),
        })
        .collect()
}

impl Instruction {
    /// What the decoder made of it.
    pub(super) fn decoded(&self) -> Option<&Decoded> {
        self.decoded.as_ref().ok()
    }

    fn opcode(&self) -> Option<Opcode> {
        self.decoded().map(|decoded| decoded.opcode)
    }

    /// Whether it is not an instruction. What the decoder lacks may be one.
    pub(crate) fn is_invalid(&self) -> bool {
        let is_unknown =
            matches!(self.decoded, Err(DecodeError::InvalidOpcode | DecodeError::InvalidOperand));
        is_unknown && !CHECKED_RETURNS.contains(&self.word) || self.opcode() == Some(Opcode::UDF)
    }

    /// Whether it fills gaps between functions.
    pub(crate) fn is_padding(&self) -> bool {
        self.word == 0 || self.word == NOP || self.opcode() == Some(Opcode::BRK)
    }

    /// Whether it calls the kernel.
    pub(crate) fn is_system_call(&self) -> bool {
        self.opcode() == Some(Opcode::SVC)
    }

    /// Whether it sets the number of the call that does not return.
    pub(crate) fn is_number_of_sigreturn(&self) -> bool {
        self.word == SIGRETURN
    }

    /// Where it leads.
    pub(crate) fn leads(&self) -> Leads {
        if CHECKED_RETURNS.contains(&self.word) {
            return Leads::ReturnsChecked;
        }
        let Some(decoded) = self.decoded() else { return Leads::On };
        let target = decoded.operands.iter().find_map(|operand| match operand {
            Operand::PCOffset(by) => Some(self.address.wrapping_add_signed(*by)),
            _ => None,
        });
        match (decoded.opcode, target) {
            (Opcode::B, Some(target)) => Leads::To(target),
            (Opcode::BL, Some(target)) => Leads::Calls(target),
            (
                Opcode::Bcc(_) | Opcode::CBZ | Opcode::CBNZ | Opcode::TBZ | Opcode::TBNZ,
                Some(target),
            ) => Leads::Either(target),
            (Opcode::BLR, _) => Leads::CallsRegister,
            (Opcode::BR, _) => Leads::Register,
            (Opcode::RET, _) => match decoded.operands[0] {
                Operand::Register(_, register) => Leads::Returns(register),
                _ => Leads::Returns(super::state::LINK as u16),
            },
            (Opcode::BRK | Opcode::UDF | Opcode::HLT, _) => Leads::Nowhere,
            _ => Leads::On,
        }
    }
}

impl fmt::Display for Instruction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.decoded {
            Ok(decoded) => write!(out, "{decoded}"),
            Err(_) => write!(out, ".inst {:#010x}", self.word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(word: u32) -> Instruction {
        decode(&word.to_le_bytes(), 0x1000)[0]
    }

    #[test]
    fn branches_lead_where_the_manual_says() {
        for (word, leads) in [
            (0x1400_0004, Leads::To(0x1010)),
            (0x17ff_ffff, Leads::To(0xffc)),
            (0x5400_0041, Leads::Either(0x1008)),
            (0xb400_0040, Leads::Either(0x1008)),
            (0x3600_0040, Leads::Either(0x1008)),
            (0x9400_0002, Leads::Calls(0x1008)),
            (0xd63f_0020, Leads::CallsRegister),
            (0xd61f_0200, Leads::Register),
            (0xd65f_03c0, Leads::Returns(30)),
            (0xd65f_0020, Leads::Returns(1)),
            (0xd65f_0bff, Leads::ReturnsChecked),
            (0xd420_0000, Leads::Nowhere),
            (0xd400_0001, Leads::On),
            (NOP, Leads::On),
        ] {
            assert_eq!(of(word).leads(), leads, "{word:#x}");
        }
    }

    /// A decoder of hostile words: any may come.
    #[test]
    fn every_word_decodes_to_something() {
        let mut word = 1_u32;
        for _ in 0..200_000 {
            word = word.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            let instruction = of(word);
            assert!(!instruction.to_string().is_empty());
            let _ = (instruction.leads(), instruction.is_invalid(), instruction.is_padding());
        }
    }
}
