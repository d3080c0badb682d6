//! Landings with a frame: dispatch begins one or takes one back, and the functions at the two ends
//! of a landing.

use super::beside::{OFFERED, Others, call};
use super::scene::{CONTEXT, SIGINFO, Scene};
use crate::walk::{REFUSED, Walk, answer};
use liblinux_abi::arch::x86_64::exception::{PKEY_ERROR, SI_KERNEL};
use liblinux_abi::arch::x86_64::signal;
use liblinux_abi::image::fixup::Frame;
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::datapage::FRAMES;
use liblinux_tests::arch::stepper::{Call, MARKS, Next, RETURN_ADDRESS, Stop};
use std::mem::offset_of;

/// The scene's landing with a frame is that of the second DSO, for its byte at 6.
const COVERED: u64 = 6;

const DISPATCH: &str = "__vdso_fixup_dispatch";

pub(super) fn calls(walk: &mut Walk<'_>, scene: &Scene) {
    // An image for a kernel line without frames takes no DSO that has such a landing.
    if FRAMES {
        begun(walk, scene);
    }
    taken_back(walk, scene);
    ends(walk);
    entered(walk);
}

/// Where the handler runs on the thread's stack and where not; stacks without room; a kernel that
/// has offered the landing before.
fn begun(walk: &mut Walk<'_>, scene: &Scene) {
    let mut scene = scene.extended();
    let area = scene.address;
    let places = [SIGINFO, CONTEXT].map(|offset| area + offset as u64);
    scene.set(CONTEXT + signal::RIP, scene.dso(1).text_start + COVERED);
    let far = area + 3 * PAGE_SIZE as u64;
    for (code, trap) in [(1, 14), (PKEY_ERROR, 14), (SI_KERNEL, 13)] {
        for (stack, size, round) in
            [(far, 0, 1), (far, PAGE_SIZE as u64, 1), (16, PAGE_SIZE as u64, 1), (far, 0, OFFERED)]
        {
            scene.raised(11, code, trap);
            scene.set(CONTEXT + signal::FLAGS, signal::FLAGS_RESUME);
            scene.set(CONTEXT + signal::RSP, stack);
            scene.set(CONTEXT + signal::STACK_START, area);
            scene.set(CONTEXT + signal::STACK_SIZE, size);
            call(walk, &scene, DISPATCH, &[area, places[0], places[1]], &Others::none(), round);
        }
    }
    // Not where a kernel has its context.
    let mut moved = scene.clone();
    for offset in (0..256).step_by(8).rev() {
        moved.set(CONTEXT + 8 + offset, scene.get(CONTEXT + offset));
    }
    moved.set(CONTEXT + 8 + signal::STACK_SIZE, 0);
    let arguments = [area, places[0], places[1] + 8];
    call(walk, &moved, DISPATCH, &arguments, &Others::none(), 1);

    // With a shadow stack.
    scene.set(CONTEXT + signal::STACK_SIZE, 0);
    scene.put(walk);
    let prepared = walk.prepared(DISPATCH, &[area, places[0], places[1]]);
    let landed = walk.run(DISPATCH, &prepared, &mut |stop| {
        if shadows(&stop) {
            return read_shadow(stop);
        }
        answer(stop, &|_| REFUSED)
    });
    assert_eq!(landed, Some(0), "a landing that could not resume");
}

/// `rdsspq`.
fn shadows(stop: &Stop<'_>) -> bool {
    matches!(stop.instruction, [0xf3, 0x48 | 0x49, 0x0f, 0x1e, 0xc8..0xd0])
}

/// As if there were a shadow stack.
fn read_shadow(stop: Stop<'_>) -> Next {
    let registers = stop.registers;
    let number = (stop.instruction[4] & 7) | (stop.instruction[1] & 1) << 3;
    let register = match number {
        0 => &mut registers.rax,
        1 => &mut registers.rcx,
        2 => &mut registers.rdx,
        3 => &mut registers.rbx,
        5 => &mut registers.rbp,
        6 => &mut registers.rsi,
        7 => &mut registers.rdi,
        8 => &mut registers.r8,
        9 => &mut registers.r9,
        10 => &mut registers.r10,
        11 => &mut registers.r11,
        12 => &mut registers.r12,
        13 => &mut registers.r13,
        14 => &mut registers.r14,
        15 => &mut registers.r15,
        other => panic!("no shadow stack is read into register {other}"),
    };
    *register = 8;
    registers.rip += stop.instruction.len() as u64;
    Next::Skip
}

/// A frame at the start of the page, whose registers are the caller's, with its stack.
fn frame(walk: &Walk<'_>, stack: u64, via: u64, signal: u32, trap: u64) -> u64 {
    let [rbx, rbp, r12, r13, r14, r15] = MARKS;
    let words = [
        r15,
        r14,
        r13,
        r12,
        rbp,
        rbx,
        11,
        10,
        9,
        8,
        7,
        6,
        5,
        4,
        3,
        via,
        RETURN_ADDRESS,
        0x33,
        0x202,
        stack,
        0x2b,
        trap,
        u64::from(signal) << 32,
        8,
        1,
        0,
    ];
    assert_eq!(words.len() * 8, size_of::<Frame>());
    let bytes: Vec<u8> = words.iter().flat_map(|word: &u64| word.to_ne_bytes()).collect();
    walk.stepper.write(walk.page(), &bytes);
    walk.page() as u64
}

/// The signal by which a landing declines, at each place where that may be raised.
fn taken_back(walk: &mut Walk<'_>, scene: &Scene) {
    let area = scene.address;
    let places = [SIGINFO, CONTEXT].map(|offset| area + offset as u64);
    let site = walk.image.internal("vdso_decline_start") as u64;
    for (signal, trap) in [(11, 14), (11, 13), (4, 6), (8, 0), (7, 12)] {
        let mut scene = scene.extended();
        scene.raised(11, SI_KERNEL, 13);
        scene.set(CONTEXT + signal::RIP, site);
        scene.set(CONTEXT + signal::RDI, area + PAGE_SIZE as u64);
        let frame = PAGE_SIZE;
        scene.set(frame + offset_of!(Frame, trap), trap);
        scene.set(frame + offset_of!(Frame, error), signal << 32);
        scene.set(CONTEXT + signal::FLAGS, signal::FLAGS_RESUME);
        call(walk, &scene, DISPATCH, &[area, places[0], places[1]], &Others::none(), 1);
    }
}

/// The stack pointer with which a function begins.
fn top(walk: &mut Walk<'_>) -> u64 {
    let mut top = 0;
    let call = walk.prepared("__vdso_getpid", &[]);
    walk.run("getpid", &call, &mut |stop| {
        top = stop.registers.rsp;
        Next::End
    });
    top
}

/// A landing resumes, with and without a shadow stack, and declines each signal, with and without a
/// kernel that raises it.
fn ends(walk: &mut Walk<'_>) {
    let stack = top(walk) + 8;
    let at = frame(walk, stack, 0, 11, 14);
    let resume = walk.prepared("__vdso_fixup_resume", &[at]);
    assert_eq!(walk.run("resume", &resume, &mut |_| Next::Execute), Some(7));
    let found = walk.stepper.registers();
    let others = [found.r11, found.r10, found.r9, found.r8, found.rcx, found.rdx, found.rsi];
    assert_eq!((others, found.rdi), ([11, 10, 9, 8, 6, 5, 4], 3));
    let refused = walk.run("resume", &resume, &mut |stop| {
        if shadows(&stop) {
            return read_shadow(stop);
        }
        answer(stop, &|_| REFUSED)
    });
    assert_eq!(refused, Some(REFUSED), "the private call's answer");

    for (via, signal) in [(0, 11), (1, 11), (1, 4), (1, 8), (1, 7)] {
        let at = frame(walk, stack, via, signal, 14);
        let decline = walk.prepared("__vdso_fixup_decline", &[at]);
        let ended = walk.run("decline", &decline, &mut |stop| match stop.instruction {
            // Where it raises SIGSEGV and SIGFPE.
            [0x48, 0x8b, 0x00] | [0xf7, 0xf0] => Next::End,
            // SIGBUS.
            [0x48, 0x8b, 0x45, 0x00] => {
                stop.registers.rip += 4;
                Next::Skip
            }
            _ => answer(stop, &|_| REFUSED),
        });
        assert_eq!(ended, None, "signal {signal}: a landing that declines does not return");
    }
}

/// A frame that dispatch has begun is completed.
fn entered(walk: &mut Walk<'_>) {
    let top = top(walk);
    // The landing and the address are where the caller of any function has the address to return
    // to, and its seventh argument.
    walk.stepper.write(top as usize + 32, &(top + 8).to_ne_bytes());
    let entry = walk.image.internal("vdso_fixup_enter");
    let call = Call { entry, arguments: [1, 2, 3, 4, 5, 6], seventh: RETURN_ADDRESS };
    let ended = walk.run("enter", &call, &mut |stop| match stop.instruction {
        [0xff, 0x64, 0x24, ..] => Next::End,
        _ => Next::Execute,
    });
    let registers = walk.stepper.registers();
    assert_eq!((ended, registers.rdi, registers.rsp), (None, top - 120, top - 120));
    let mut words = [0; 120];
    std::os::unix::fs::FileExt::read_exact_at(walk.stepper.memory(), &mut words, top - 120)
        .expect("the child's stack");
    let words: Vec<u64> =
        words.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    let [rbx, rbp, r12, r13, r14, r15] = MARKS;
    assert_eq!(words[..6], [r15, r14, r13, r12, rbp, rbx]);
    assert_eq!(words[8..], [6, 5, registers.rax, 4, 3, 2, 1]);
}
