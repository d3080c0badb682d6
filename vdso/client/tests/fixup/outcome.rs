//! How a process ends without a stack, and which calls continue behind a signal: under the client's
//! handler, and alone.

#![expect(unsafe_code, reason = "faults, and installs signal handlers")]

use crate::flags::{Cause, STACKS, causes, handler, install, observe};
use crate::{child, register};
use nix::libc::{self, c_int, siginfo_t, ucontext_t};
use nix::sys::wait::WaitStatus;
use nix::unistd::{getpid, gettid};
use std::arch::naked_asm;
use std::mem::zeroed;
use std::ptr::null_mut;

/// Exceptions, and an endless loop, where the stack is lost.
#[unsafe(naked)]
extern "C" fn divide_without_stack(_: usize, zero: usize) {
    naked_asm!("mov esp, 16", "div esi", "ud2")
}

#[unsafe(naked)]
extern "C" fn load_without_stack(address: usize, _: usize) {
    naked_asm!("mov esp, 16", "mov al, [rdi]", "ud2")
}

#[unsafe(naked)]
extern "C" fn spin_without_stack(_: usize, _: usize) {
    naked_asm!("mov esp, 16", "2: pause", "jmp 2b")
}

/// Ends the process with a status that says what the signal was.
extern "C" fn leave(_: c_int, info: *const siginfo_t, _: *mut ucontext_t) {
    const SI_KERNEL: c_int = 0x80;
    // SAFETY: the kernel's information.
    let code = unsafe { (*info).si_code };
    // SAFETY: ends the child.
    unsafe { libc::_exit(if code == SI_KERNEL { 42 } else { 43 }) };
}

/// Loses the stack with this disposition of SIGSEGV; how the process ends.
fn lose_the_stack(
    (function, argument, signal): Cause,
    segv: (usize, c_int),
    registers: bool,
) -> (c_int, c_int) {
    let status = child(|| {
        STACKS[1].enter();
        if signal != libc::SIGSEGV {
            install(signal, 0, &[]);
        }
        // SAFETY: all zeros is a valid value of the C struct.
        let mut action: libc::sigaction = unsafe { zeroed() };
        (action.sa_sigaction, action.sa_flags) = segv;
        // SAFETY: the handler ends the process.
        assert_eq!(unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, null_mut()) }, 0);
        let _registration = registers.then(register);
        // SAFETY: sets a timer, for a signal that ends the process where it has no handler.
        unsafe { libc::alarm(if signal == libc::SIGALRM { 1 } else { 10 }) };
        function(argument, 0);
    });
    match status {
        WaitStatus::Exited(_, code) => (0, code),
        WaitStatus::Signaled(_, signal, _) => (signal as c_int, 0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stack_without_room_for_the_frame_ends_as_it_ends_alone() {
    let causes: [Cause; 3] = [
        (divide_without_stack, 0, libc::SIGFPE),
        (load_without_stack, 8, libc::SIGSEGV),
        (spin_without_stack, 0, libc::SIGALRM),
    ];
    let handler = leave as extern "C" fn(_, _, _) as usize;
    let dispositions = [
        (libc::SIG_DFL, 0),
        (libc::SIG_IGN, 0),
        (handler, libc::SA_SIGINFO),
        (handler, libc::SA_SIGINFO | libc::SA_ONSTACK),
    ];
    for cause in causes {
        for segv in dispositions {
            let [alone, under] =
                [false, true].map(|registers| lose_the_stack(cause, segv, registers));
            assert_eq!(alone, under, "{cause:?}, SIGSEGV {segv:?}");
            let ends =
                if segv.1 & libc::SA_ONSTACK == 0 { (libc::SIGSEGV, 0) } else { (0, alone.1) };
            assert_eq!(alone, ends, "{cause:?}, SIGSEGV {segv:?}");
        }
    }
}

/// Reads from a pipe, and is sent a signal meanwhile; whether that interrupted it.
fn is_interrupted(disposition: usize, flags: c_int, registers: bool) -> bool {
    let status = child(|| {
        // SAFETY: all zeros is a valid value of the C struct.
        let mut action: libc::sigaction = unsafe { zeroed() };
        (action.sa_sigaction, action.sa_flags) = (disposition, flags);
        // SAFETY: the handler returns from a signal that was sent.
        assert_eq!(unsafe { libc::sigaction(libc::SIGFPE, &raw const action, null_mut()) }, 0);
        let _registration = registers.then(register);
        let mut ends = [0; 2];
        // SAFETY: two descriptors.
        assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
        let (process, thread) = (getpid().as_raw(), gettid().as_raw());
        std::thread::spawn(move || {
            let pause = || std::thread::sleep(std::time::Duration::from_millis(50));
            pause();
            // SAFETY: a signal that does not kill.
            unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGFPE) };
            pause();
            // SAFETY: a byte.
            unsafe { libc::write(ends[1], [0_u8].as_ptr().cast(), 1) };
        });
        let mut byte = 0_u8;
        // SAFETY: a byte.
        let read = unsafe { libc::read(ends[0], (&raw mut byte).cast(), 1) };
        // SAFETY: ends the child.
        unsafe { libc::_exit(if read == 1 { 1 } else { 2 }) };
    });
    let WaitStatus::Exited(_, code @ 1..=2) = status else { panic!("{status:?}") };
    code == 2
}

#[test]
fn calls_are_restarted_as_they_are_alone() {
    let handler = handler as extern "C" fn(_, _, _) as usize;
    for (disposition, flags, expected) in
        [(handler, 0, true), (handler, libc::SA_RESTART, false), (libc::SIG_IGN, 0, false)]
    {
        for registers in [false, true] {
            assert_eq!(
                is_interrupted(disposition, flags, registers),
                expected,
                "{flags:#x}, client: {registers}"
            );
        }
    }
}

#[test]
fn a_handler_for_one_signal_is_called_once_by_each_cause() {
    for cause in causes() {
        for registers in [false, true] {
            let status = child(|| {
                install(cause.2, libc::SA_SIGINFO | libc::SA_RESETHAND | libc::SA_NODEFER, &[]);
                let _registration = registers.then(register);
                observe(cause, None);
                (cause.0)(cause.1, 0);
            });
            assert!(
                matches!(status, WaitStatus::Signaled(_, of, _) if of as c_int == cause.2),
                "{cause:?} {status:?}"
            );
        }
    }
}
