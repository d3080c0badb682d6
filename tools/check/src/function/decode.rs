//! Bytes to instructions.

use iced_x86::{Code, Decoder, DecoderOptions, Instruction};

/// Decodes `bytes`, which lie at `address`, as 64-bit code.
pub fn decode(bytes: &[u8], address: u64) -> Vec<Instruction> {
    decode_as(64, bytes, address)
}

/// Decodes `bytes`, which lie at `address`, as code of that many bits.
pub fn decode_as(bits: u32, bytes: &[u8], address: u64) -> Vec<Instruction> {
    let mut instructions: Vec<Instruction> = Vec::new();
    let mut decoder = Decoder::with_ip(bits, bytes, address, DecoderOptions::NONE);
    while decoder.can_decode() {
        let (start, ip) = (decoder.position(), decoder.ip());
        let mut instruction = decoder.decode();
        if instruction.code() == Code::INVALID {
            // Continue behind the first byte, so that what follows is seen too.
            instruction.set_len(1);
            instruction.set_ip(ip);
            decoder
                .set_position(start + 1)
                .expect("inside the bytes, since an instruction was read there");
            decoder.set_ip(ip.wrapping_add(1));
        }
        instructions.push(instruction);
    }
    instructions
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
        // A nop, a byte that is not an instruction, a ret, and a jump that is cut off.
        assert_eq!(places[..3], [(0x1000, 1, false), (0x1001, 1, true), (0x1002, 1, false)]);
        assert!(places[3..].iter().any(|place| place.2), "{places:?}");
    }
}
