//! A signal in the middle of a stub: from each instruction of `rt_sigreturn` the interrupted
//! registers are found.
//!
//! Here the kernel takes part: it makes the signal frame, and `rt_sigreturn` undoes it.

use crate::walk::Walk;
use liblinux_tests::arch::stepper::Next;
use liblinux_tests::arch::unwinder::Frame;
use nix::sys::signal::Signal;
use std::arch::naked_asm;

// `include/uapi/asm-generic/signal.h`, `arch/x86/include/uapi/asm/signal.h`.
const SA_SIGINFO: u64 = 4;
const SA_RESTORER: u64 = 0x0400_0000;

#[unsafe(naked)]
extern "C" fn handler() {
    naked_asm!("ret")
}

pub(crate) fn calls(walk: &mut Walk<'_>) {
    let restorer = walk.image.require("__vdso_rt_sigreturn") as u64;
    let handler = (handler as *const ()).addr() as u64;
    // `struct kernel_sigaction`.
    let action = [handler, SA_SIGINFO | SA_RESTORER, restorer, 0];
    let action: Vec<u8> = action.iter().flat_map(|word| word.to_ne_bytes()).collect();
    walk.stepper.write(walk.page(), &action);
    let install =
        walk.prepared("__vdso_rt_sigaction", &[Signal::SIGUSR1 as u64, walk.page() as u64, 0, 8]);
    assert_eq!(walk.run("rt_sigaction", &install, &mut |_| Next::Execute), Some(0));

    let call = walk.prepared("__vdso_getppid", &[1, 2, 3, 4, 5, 6]);
    let mut interruptions = 0;
    for moment in 0.. {
        let ended = walk.run("getppid", &call, &mut |stop| {
            if stop.count == moment { Next::End } else { Next::Execute }
        });
        if ended.is_some() {
            break; // It returned before.
        }
        interrupt(walk, handler, restorer);
        interruptions += 1;
    }
    assert_eq!(interruptions, 5, "one at each instruction of a stub");
}

/// Delivers a signal where the child is, and steps through its return.
fn interrupt(walk: &mut Walk<'_>, handler: u64, restorer: u64) {
    let stepper = &mut walk.stepper;
    let interrupted = Frame::innermost(&stepper.registers());
    assert_eq!(stepper.step(Some(Signal::SIGUSR1)), Ok(Signal::SIGTRAP));
    let mut registers = stepper.registers();
    assert_eq!(registers.rip, handler, "the handler starts");

    // From the handler's return address, which an unwinder looks up a byte before.
    stepper.unwind_callee(&registers).expect("frames from the handler to the caller");

    assert_eq!(stepper.step(None), Ok(Signal::SIGTRAP));
    registers = stepper.registers();
    assert_eq!(registers.rip, restorer, "the handler returns");
    loop {
        stepper.unwind(&registers).expect("frames from the restorer to the caller");
        let found =
            stepper.caller(&Frame::innermost(&registers), 0).expect("the interrupted frame");
        assert_eq!(found, interrupted, "at {:#x}", registers.rip - restorer);
        if registers.rip == restorer + 7 {
            break;
        }
        assert_eq!(stepper.step(None), Ok(Signal::SIGTRAP));
        registers = stepper.registers();
    }
    // The trap behind the call, which is never reached.
    registers.rip += 2;
    stepper.unwind(&registers).expect("frames from the trap to the caller");

    assert_eq!(stepper.step(None), Ok(Signal::SIGTRAP));
    assert_eq!(Frame::innermost(&stepper.registers()), interrupted, "after the return");
}
