//! What a landing with a frame costs where a handler stands in for the kernel: a fault that it
//! steps over and resumes, and the same by a handler alone. And two parts of that: `iretq`, by
//! which it resumes, and a call that the kernel does not have, by which `dispatch` asks whether the
//! kernel has offered the landing before.
//!
//! # Invariants
//!
//! 1. Both continue at the instruction behind the load, with the registers that they found.

#![expect(unsafe_code, reason = "writes code and runs it")]

use super::fixup::{AREA, dispatching, install};
use crate::fixup::{Area, image, map};
use core::arch::asm;
use core::mem::{offset_of, transmute};
use liblinux_abi::image::fixup::{Dso, Entry, FRAME, Frame};
use liblinux_abi::image::layout::PAGE_SIZE;
use nix::libc::{self, c_int, siginfo_t, ucontext_t};
use nix::sys::mman::ProtFlags;
use std::sync::atomic::Ordering::Relaxed;

/// `mov rax, [rdi]`, `ret`.
const LOAD: [u8; 4] = [0x48, 0x8b, 0x07, 0xc3];

/// Bytes of the load, without the return.
const STEP: u8 = 3;

/// Offsets in the page: of the landing, and of the table behind the text.
const LANDING: u64 = 16;
const TABLE: u64 = 64;

/// A load that faults, in a registered text.
#[derive(Debug)]
pub struct Steps {
    area: Area,
    text: u64,
}

impl Steps {
    /// In memory of its own.
    pub fn new() -> Self {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC;
        let text = map(PAGE_SIZE, access);
        write(text, &LOAD);
        write(text + LANDING, &landing());
        let entry = Entry::new(text + TABLE, text..text + u64::from(STEP), text + LANDING, FRAME);
        let place: *mut Entry = std::ptr::with_exposed_provenance_mut((text + TABLE) as usize);
        // SAFETY: aligned, in the page that was just mapped.
        unsafe { place.write(entry.expect("an entry")) };
        let area = Area::new(1);
        let dso = Dso { text_start: text, text_len: TABLE, table: text + TABLE, count: 1 };
        assert_eq!(area.register(&dso), 0, "{dso:x?}");
        Self { area, text }
    }

    /// Faults so many times, and continues behind the load: by the landing, or by a handler that
    /// knows how.
    pub fn step_over(&self, times: u64, by_dispatch: bool) {
        AREA.store(self.area.address, Relaxed);
        install(if by_dispatch { dispatching } else { stepping });
        // SAFETY: `new` wrote the function there.
        let load = unsafe { transmute::<usize, extern "C" fn(u64) -> u64>(self.text as usize) };
        for _ in 0..times {
            load(8);
        }
    }
}

/// Continues behind an `iretq` so many times.
pub fn return_by_iretq(times: u64) {
    for _ in 0..times {
        // SAFETY: continues at the label, with the stack and the flags that were there. What is
        // pushed is below the red zone.
        unsafe {
            asm!(
                "mov rcx, rsp", "sub rsp, 128",
                "mov eax, ss", "push rax", "push rcx", "pushfq",
                "mov eax, cs", "push rax",
                "lea rax, [rip + 2f]", "push rax",
                "iretq",
                "2:",
                out("rax") _, out("rcx") _,
            );
        }
    }
}

/// Makes a call that the kernel does not have so many times.
pub fn call_in_vain(times: u64) {
    /// Of no architecture, and of no range that a kernel uses.
    const NONE: libc::c_long = 0x7fff_ff01;
    for _ in 0..times {
        // SAFETY: has no effect.
        unsafe { libc::syscall(NONE) };
    }
}

impl Default for Steps {
    fn default() -> Self {
        Self::new()
    }
}

/// `add qword ptr [rdi + ip], 3`; `mov rax, resume`; `jmp rax`.
fn landing() -> [u8; 20] {
    let mut code = [0; 20];
    code[..3].copy_from_slice(&[0x48, 0x83, 0x87]);
    code[3..7].copy_from_slice(&(offset_of!(Frame, ip) as u32).to_le_bytes());
    code[7] = STEP;
    code[8..10].copy_from_slice(&[0x48, 0xb8]);
    let resume = image().require("__vdso_fixup_resume");
    code[10..18].copy_from_slice(&resume.to_le_bytes());
    code[18..].copy_from_slice(&[0xff, 0xe0]);
    code
}

fn write(address: u64, code: &[u8]) {
    let place: *mut u8 = std::ptr::with_exposed_provenance_mut(address as usize);
    // SAFETY: in the page that `Steps::new` just mapped.
    unsafe { place.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
}

/// A handler that knows what to do.
extern "C" fn stepping(_: c_int, _: *const siginfo_t, context: *mut ucontext_t) {
    // SAFETY: the kernel gave it to this handler.
    let registers = unsafe { &mut (*context).uc_mcontext.gregs };
    registers[libc::REG_RIP as usize] += i64::from(STEP);
}
