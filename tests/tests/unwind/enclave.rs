//! `__vdso_sgx_enter_enclave`: an enclave that raises exceptions, and one that returns with
//! everything changed.

use crate::walk::{PAGE_FAULT, REFUSED, Walk, answer};
use liblinux_abi::arch::x86_64::sgx::{EENTER, EEXIT, ERESUME, EnclaveRun};
use liblinux_abi::image::export::SGX_ENTER_ENCLAVE;
use liblinux_abi::kernel::errno::{EFAULT, EINVAL};
use liblinux_tests::arch::stepper::{Next, Stepper, Stop};
use nix::libc::user_regs_struct;
use std::mem::offset_of;
use std::os::unix::fs::FileExt as _;

/// `enclu`.
const ENCLU: [u8; 3] = [0x0f, 0x01, 0xd7];
/// Where the handler is: nothing is mapped there.
const HANDLER: u64 = 0x4a4d1e;
/// Number of the exception that a processor without SGX raises.
const INVALID_OPCODE: u64 = 6;
/// The direction flag.
const DIRECTION: u64 = 1 << 10;

/// What is passed through in `r8` and `r9`.
const PASSED: [u64; 2] = [8, 9];

/// How the enclave is left.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Exit {
    /// By an exception, as the processor raises one.
    Exception,
    /// By itself: with other registers and data on the stack.
    Return,
}

pub(crate) fn calls(walk: &mut Walk<'_>) {
    let run = walk.page();
    let einval = -(EINVAL as i64);
    let enter = |function: u32| [1, 2, 3, function.into(), PASSED[0], PASSED[1], run as u64];
    for function in [0, 1, 4, u32::MAX] {
        assert_eq!(walk.call(SGX_ENTER_ENCLAVE, &enter(function)), Some(einval));
    }
    let reserved = offset_of!(EnclaveRun, reserved);
    for at in [0, 7, 8, 215] {
        let prepare = |stepper: &Stepper<'_>| stepper.write(run + reserved + at, &[1]);
        assert_eq!(
            walk.call_to(SGX_ENTER_ENCLAVE, &enter(EENTER), &prepare, &|_| REFUSED),
            Some(einval)
        );
        walk.stepper.write(run + reserved + at, &[0]);
    }
    // The processor's own exception, and a fault of every access to the run structure.
    assert_eq!(walk.call(SGX_ENTER_ENCLAVE, &enter(EENTER)), Some(0));
    for bad in [0, 1 << 63, u64::MAX] {
        let [a, b, c, d, e, f, _] = enter(ERESUME);
        assert_eq!(walk.call(SGX_ENTER_ENCLAVE, &[a, b, c, d, e, f, bad]), Some(-(EFAULT as i64)));
    }
    nowhere_to_report(walk, run);
    for exit in [Exit::Exception, Exit::Return] {
        let mut results = |wanted: i64, calls: usize, results: &[i32]| {
            assert_eq!(
                with_handler(walk, run, exit, results),
                (wanted, calls),
                "{exit:?}, {results:?}"
            );
        };
        results(0, 0, &[]);
        results(0, 1, &[0]);
        results(-5, 1, &[-5]);
        results(-7, 3, &[2, 3, -7]);
        results(einval, 1, &[4]);
    }
}

/// The enclave returns, and the run structure is gone.
fn nowhere_to_report(walk: &mut Walk<'_>, run: usize) {
    walk.stepper.write(run, &[0; size_of::<EnclaveRun>()]);
    let call = walk
        .prepared(SGX_ENTER_ENCLAVE, &[1, 2, 3, EENTER.into(), PASSED[0], PASSED[1], run as u64]);
    let (mut is_left, mut faulted) = (false, Vec::new());
    let result = walk.run(SGX_ENTER_ENCLAVE, &call, &mut |stop: Stop<'_>| {
        if stop.instruction == ENCLU {
            is_left = true;
            leave(stop.registers);
            return Next::Skip;
        }
        if is_left && stop.may_fault {
            faulted.push((stop.offset, stop.instruction.to_vec()));
            return Next::Raise(PAGE_FAULT);
        }
        answer(stop, &|_| REFUSED)
    });
    assert_eq!((result, faulted.len()), (Some(-(EFAULT as i64)), 1));
    assert_eq!(walk.stepper.registers().eflags & DIRECTION, 0, "the direction flag is clear");
    walk.faulted.extend(faulted);
}

/// Enters with a handler that returns `results`, or without one if there are none; the result, and
/// how often the handler was called.
fn with_handler(walk: &mut Walk<'_>, run: usize, exit: Exit, results: &[i32]) -> (i64, usize) {
    walk.stepper.write(run, &[0; size_of::<EnclaveRun>()]);
    if !results.is_empty() {
        walk.stepper.write(run + offset_of!(EnclaveRun, user_handler), &HANDLER.to_ne_bytes());
    }
    let call = walk
        .prepared(SGX_ENTER_ENCLAVE, &[1, 2, 3, EENTER.into(), PASSED[0], PASSED[1], run as u64]);
    let mut count = 0;
    // Where an enclave that pushes and does not pop finds the stack the next time.
    let mut stack = None;
    let result = walk.run(SGX_ENTER_ENCLAVE, &call, &mut |stop: Stop<'_>| {
        if stop.registers.rip == HANDLER {
            let result = results.get(count).expect("a call that was asked for");
            count += 1;
            return handle(stop, run, stack, *result);
        }
        if stop.instruction == ENCLU && exit == Exit::Return {
            assert!(
                stack.is_none_or(|stack| stop.registers.rsp == stack),
                "the stack pointer changed"
            );
            leave(stop.registers);
            stack = Some(stop.registers.rsp);
            return Next::Skip;
        }
        if stop.instruction == ENCLU {
            return Next::Raise(INVALID_OPCODE); // Whatever this processor would raise.
        }
        answer(stop, &|_| REFUSED)
    });
    assert_eq!(walk.stepper.registers().eflags & DIRECTION, 0, "the direction flag is clear");
    (result.expect("it returns"), count)
}

/// What an enclave may do: change every register but `rbp`, and use the stack.
fn leave(registers: &mut user_regs_struct) {
    assert_eq!(registers.rcx, registers.rip, "the asynchronous exit pointer");
    registers.rip += ENCLU.len() as u64;
    registers.rsp -= 24;
    registers.eflags |= DIRECTION;
    (registers.rax, registers.rbx, registers.rcx) = (EEXIT.into(), 0xbad, 0xbad);
}

/// The handler: looks at what it was given, and returns.
fn handle(stop: Stop<'_>, run: usize, stack: Option<u64>, result: i32) -> Next {
    let registers = stop.registers;
    assert_eq!(registers.eflags & DIRECTION, 0, "the direction flag is clear");
    assert_eq!((registers.rsp + 8) % 16, 0, "the stack is aligned");
    assert_eq!([registers.r8, registers.r9], PASSED);
    match stack {
        Some(stack) => assert_eq!(registers.rcx, stack, "the enclave's stack pointer"),
        None => assert_eq!(registers.rdi, INVALID_OPCODE, "the exception"),
    }
    let word = |address: u64| {
        let mut word = [0; 8];
        stop.memory.read_exact_at(&mut word, address).expect("the stack");
        u64::from_ne_bytes(word)
    };
    assert_eq!(word(registers.rsp + 8), run as u64, "the seventh argument");
    registers.rip = word(registers.rsp);
    registers.rsp += 8;
    registers.rax = result.cast_unsigned().into();
    Next::Skip
}
