//! The bytes of entries: stubs, jumps to bodies, the bodies of private calls, and the function that
//! makes cancellable calls.
//!
//! # Invariants
//!
//! 1. Encodings are spelled out here as a second source, because the image's assembler is what is
//!    being checked.

use liblinux_abi::image::cancel::Window;
use liblinux_abi::image::layout::{PRIVATE, SLOT_SIZE};
use liblinux_abi::kernel::errno::{ECANCELED, EFAULT, EINTR, ENOSYS};
use liblinux_abi::syscall::number;

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

/// `mov rax, -ERROR`.
fn answer(error: isize) -> Vec<u8> {
    [&[0x48, 0xc7, 0xc0], &((-error) as u32).to_le_bytes()[..]].concat()
}

/// `__vdso_syscall_cancellable` at an address, and its window.
#[rustfmt::skip]
pub(crate) fn cancellable(start: u64) -> (Vec<u8>, Window) {
    let entry: &[u8] = &[
        0xf3, 0x0f, 0x1e, 0xfa, // endbr64
        0x53, 0x56, // push rbx, rsi
        0x48, 0x89, 0xfb, // mov rbx, rdi
        0x48, 0x89, 0xf0, // mov rax, rsi
        0x48, 0x89, 0xd7, // mov rdi, rdx
        0x48, 0x89, 0xce, // mov rsi, rcx
        0x4c, 0x89, 0xc2, // mov rdx, r8
        0x4d, 0x89, 0xca, // mov r10, r9
        0x4c, 0x8b, 0x44, 0x24, 24, // mov r8, [rsp + 24]
        0x4c, 0x8b, 0x4c, 0x24, 32, // mov r9, [rsp + 32]
    ];
    let look: &[u8] = &[0x83, 0x3b, 0x00, 0x75, 0x16]; // cmp dword ptr [rbx], 0; jne EXIT
    let call: &[u8] = &[0x0f, 0x05]; // syscall
    let back: &[u8] = &[
        0x48, 0x83, 0xf8, (-EINTR) as u8, 0x74, 0x03, // cmp rax, -EINTR; je 3f
        0x59, 0x5b, 0xc3, // 2: pop rcx, rbx; ret
        0x83, 0x3c, 0x24, number("close") as u8, 0x74, 0xf7, // 3: cmp [rsp], CLOSE; je 2b
        0x83, 0x3b, 0x00, 0x74, 0xf2, // cmp dword ptr [rbx], 0; je 2b
    ];
    // EXIT: mov rax, -ECANCELED; jmp 2b; mov rax, -EFAULT; jmp 2b
    let refused = [answer(ECANCELED), vec![0xeb, 0xe9], answer(EFAULT), vec![0xeb, 0xe0]].concat();
    let at_start = start + entry.len() as u64;
    let at_call = at_start + look.len() as u64;
    let end = at_call + call.len() as u64;
    let window = Window { start: at_start, call: at_call, end, exit: end + back.len() as u64 };
    ([entry, look, call, back, &refused].concat(), window)
}

/// A jump or a call from behind an instruction that ends at `end`.
fn distance(end: u64, target: u64) -> [u8; 4] {
    (target.wrapping_sub(end) as u32).to_le_bytes()
}

/// `__vdso_fixup_resume.body` at an address, with the body of the call that resumes a thread with a
/// shadow stack, and behind it how a frame is completed that dispatch has begun.
#[rustfmt::skip]
pub(crate) fn resume(start: u64, call: u64) -> Vec<u8> {
    let load: &[u8] = &[
        0x31, 0xc0, 0xf3, 0x48, 0x0f, 0x1e, 0xc8, // xor eax, eax; rdsspq rax
        0x48, 0x85, 0xc0, 0x75, 0x44, // test rax, rax; jne 2f
        0x4c, 0x8b, 0x3f, // mov r15, [rdi]
        0x4c, 0x8b, 0x77, 8, 0x4c, 0x8b, 0x6f, 16, 0x4c, 0x8b, 0x67, 24, // mov r14, r13, r12
        0x48, 0x8b, 0x6f, 32, 0x48, 0x8b, 0x5f, 40, // mov rbp, rbx
        0x4c, 0x8b, 0x5f, 48, 0x4c, 0x8b, 0x57, 56, // mov r11, r10
        0x4c, 0x8b, 0x4f, 64, 0x4c, 0x8b, 0x47, 72, // mov r9, r8
        0x48, 0x8b, 0x47, 80, 0x48, 0x8b, 0x4f, 88, // mov rax, rcx
        0x48, 0x8b, 0x57, 96, 0x48, 0x8b, 0x77, 104, // mov rdx, rsi
        0x48, 0x8d, 0xa7, 128, 0, 0, 0, // lea rsp, [rdi + 128]
        0x48, 0x8b, 0x7f, 112, 0x48, 0xcf, // mov rdi, [rdi + 112]; iretq
        0xbe, 1, 0, 0, 0, 0xe9, // 2: mov esi, 1; jmp CALL
    ];
    let store: &[u8] = &[
        0x48, 0x8d, 0x64, 0x24, 0x88, // lea rsp, [rsp - 120]
        0x48, 0x89, 0x7c, 0x24, 112, 0x48, 0x89, 0x74, 0x24, 104, // mov [rsp + 112], rdi, rsi
        0x48, 0x89, 0x54, 0x24, 96, 0x48, 0x89, 0x4c, 0x24, 88, // rdx, rcx
        0x48, 0x89, 0x44, 0x24, 80, 0x4c, 0x89, 0x44, 0x24, 72, // rax, r8
        0x4c, 0x89, 0x4c, 0x24, 64, 0x4c, 0x89, 0x54, 0x24, 56, // r9, r10
        0x4c, 0x89, 0x5c, 0x24, 48, 0x48, 0x89, 0x5c, 0x24, 40, // r11, rbx
        0x48, 0x89, 0x6c, 0x24, 32, 0x4c, 0x89, 0x64, 0x24, 24, // rbp, r12
        0x4c, 0x89, 0x6c, 0x24, 16, 0x4c, 0x89, 0x74, 0x24, 8, // r13, r14
        0x4c, 0x89, 0x3c, 0x24, // r15
        0x48, 0x89, 0xe7, 0xff, 0x64, 0x24, 120, // mov rdi, rsp; jmp [rsp + 120]
    ];
    let to_call = distance(start + load.len() as u64 + 4, call);
    [load, &to_call, store].concat()
}

/// `__vdso_fixup_decline.body` at an address, with the body of the call that has the kernel raise
/// the signal.
#[rustfmt::skip]
pub(crate) fn decline(start: u64, call: u64) -> Vec<u8> {
    let ask: &[u8] = &[
        0x48, 0x83, 0x7f, 120, 0, 0x75, 0x07, // cmp qword ptr [rdi + 120], 0; jne 2f
        0x31, 0xf6, 0xe8, // xor esi, esi; call CALL
    ];
    let raise: &[u8] = &[
        0x8b, 0x87, 180, 0, 0, 0, // 2: mov eax, [rdi + 180]
        0x83, 0xf8, 4, 0x74, 0x17, 0x83, 0xf8, 8, 0x74, 0x14, // cmp eax, 4; je 3f; cmp 8; je 4f
        0x83, 0xf8, 7, 0x74, 0x13, // cmp eax, 7; je 5f
        0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x48, 0x8b, 0x00, // movabs rax; mov rax, [rax]
        0x0f, 0x0b, // 3: ud2
        0x31, 0xc0, 0xf7, 0xf0, // 4: xor eax, eax; div eax
        0x48, 0xbd, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x48, 0x8b, 0x45, 0x00, // 5: movabs rbp; mov rax, [rbp]
        0x0f, 0x0b, // ud2
    ];
    let to_call = distance(start + ask.len() as u64 + 4, call);
    [ask, &to_call, raise].concat()
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
