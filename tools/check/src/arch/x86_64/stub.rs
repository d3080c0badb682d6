//! The bytes of entries: stubs, jumps to bodies, and the bodies of private calls.
//!
//! # Invariants
//!
//! 1. Encodings are spelled out here as a second source, because the image's assembler is what is
//!    being checked.

use liblinux_abi::image::layout::{PRIVATE, SLOT_SIZE};
use liblinux_abi::kernel::errno::ENOSYS;

/// `int3`, which fills what is not code.
pub(crate) const INT3: u8 = 0xcc;

/// `endbr64; mov eax, NUMBER; mov r10, rcx; syscall; ret`.
pub(crate) fn plain_stub(number: u32) -> [u8; SLOT_SIZE] {
    let [a, b, c, d] = number.to_le_bytes();
    [0xf3, 0x0f, 0x1e, 0xfa, 0xb8, a, b, c, d, 0x49, 0x89, 0xca, 0x0f, 0x05, 0xc3, INT3]
}

/// `endbr64; mov eax, NUMBER; syscall; ud2`.
pub(crate) fn final_stub(number: u32) -> [u8; SLOT_SIZE] {
    let [a, b, c, d] = number.to_le_bytes();
    [0xf3, 0x0f, 0x1e, 0xfa, 0xb8, a, b, c, d, 0x0f, 0x05, 0x0f, 0x0b, INT3, INT3, INT3]
}

/// `mov rax, NUMBER; syscall; ud2`, the first two being the pattern that unwinders know.
pub(crate) fn restorer(number: u32) -> [u8; SLOT_SIZE] {
    let [a, b, c, d] = number.to_le_bytes();
    [0x48, 0xc7, 0xc0, a, b, c, d, 0x0f, 0x05, 0x0f, 0x0b, INT3, INT3, INT3, INT3, INT3]
}

/// `mov eax, [rip + PRIVATE]; test eax, eax; jz 2f; add eax, INDEX; mov r10, rcx; syscall; ret; 2: mov rax, -ENOSYS; ret`.
pub(crate) fn private_body(start: u64, index: u8) -> Vec<u8> {
    let distance = (PRIVATE as u64).wrapping_sub(start + 6) as u32;
    let error = (-ENOSYS) as u32;
    let load = [&[0x8b, 0x05], &distance.to_le_bytes()[..]].concat();
    let call = [0x85, 0xc0, 0x74, 0x09, 0x83, 0xc0, index, 0x49, 0x89, 0xca, 0x0f, 0x05, 0xc3];
    let refuse = [&[0x48, 0xc7, 0xc0], &error.to_le_bytes()[..], &[0xc3]].concat();
    [&load[..], &call, &refuse].concat()
}

/// Where an entry leads that is `endbr64; jmp TARGET`, and how many of its bytes that takes.
pub fn jump_of(entry: &[u8], address: u64) -> Option<(u64, usize)> {
    let (distance, used) = match *entry {
        [0xf3, 0x0f, 0x1e, 0xfa, 0xe9, a, b, c, d, ..] => (i32::from_le_bytes([a, b, c, d]), 9),
        [0xf3, 0x0f, 0x1e, 0xfa, 0xeb, a, ..] => (i8::from_le_bytes([a]).into(), 6),
        _ => return None,
    };
    Some((address.wrapping_add(used as u64).wrapping_add_signed(distance.into()), used))
}
