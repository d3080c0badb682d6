//! The handler, beside others: those that were there before it, and senders of signals.

#![expect(unsafe_code, reason = "faults, and installs signal handlers")]

use crate::{VDSO, dies, passes, register};
use liblinux::probe;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::unistd::getpid;
use std::arch::naked_asm;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The facts that the predecessor saw: the signal, the fault's address, the interrupted
/// instruction, and its own signal mask.
static SEEN: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// A handler that was there before: notes what it is given, and steps over the instruction.
extern "C" fn predecessor(
    signal: i32,
    info: *mut nix::libc::siginfo_t,
    context: *mut std::ffi::c_void,
) {
    let context = context.cast::<nix::libc::ucontext_t>();
    SEEN[0].store(signal as u64, SeqCst);
    // SAFETY: the kernel's information about the signal.
    let info = unsafe { &*info };
    // SAFETY: of a fault, which has an address.
    SEEN[1].store(unsafe { info.si_addr() }.addr() as u64, SeqCst);
    let rip = nix::libc::REG_RIP as usize;
    // SAFETY: the kernel's context.
    let ip = unsafe { &mut (*context).uc_mcontext.gregs[rip] };
    SEEN[2].store(*ip as u64, SeqCst);
    *ip += 2;
    let mut mask = 0_u64;
    // SAFETY: asks for the mask, which has 8 bytes.
    let _ = unsafe { VDSO.rt_sigprocmask(0, std::ptr::null_mut(), (&raw mut mask).cast(), 8) };
    SEEN[3].store(mask, SeqCst);
}

/// Reads through a null pointer, by an instruction of two bytes.
#[unsafe(naked)]
extern "C" fn fault() {
    naked_asm!("xor eax, eax", "mov al, [rax]", "ret")
}

fn install(handler: SigHandler, flags: SaFlags, mask: SigSet) {
    for signal in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE] {
        // SAFETY: the handler is one of the above.
        unsafe { sigaction(signal, &SigAction::new(handler, flags, mask)) }.expect("a disposition");
    }
}

#[test]
fn the_handler_before_gets_what_is_nobodys_as_if_we_were_not_there() {
    passes(|| {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGUSR2);
        install(SigHandler::SigAction(predecessor), SaFlags::SA_SIGINFO, mask);
        fault();
        let alone: Vec<u64> = SEEN.iter().map(|word| word.swap(0, SeqCst)).collect();
        assert_eq!(alone[..2], [11, 0]);
        assert_eq!(alone[3], 1 << (Signal::SIGUSR2 as u32 - 1) | 1 << (Signal::SIGSEGV as u32 - 1));
        let _registration = register();
        fault();
        let behind: Vec<u64> = SEEN.iter().map(|word| word.swap(0, SeqCst)).collect();
        assert_eq!(alone, behind);
        // And a fault that an entry covers does not reach it.
        assert!(probe::read::<u8>(8 as *const u8).is_err());
        assert_eq!(SEEN[0].load(SeqCst), 0);
        // It is asked again, not once.
        fault();
        assert_eq!(SEEN[0].load(SeqCst), 11);
    });
}

#[test]
fn a_handler_for_one_signal_is_called_once() {
    dies(Signal::SIGSEGV, || {
        install(
            SigHandler::SigAction(predecessor),
            SaFlags::SA_SIGINFO | SaFlags::SA_RESETHAND | SaFlags::SA_NODEFER,
            SigSet::empty(),
        );
        let _registration = register();
        fault();
        assert_eq!((SEEN[0].load(SeqCst), SEEN[3].load(SeqCst)), (11, 0));
        fault();
    });
}

#[test]
fn without_a_handler_before_a_fault_kills_as_ever() {
    for handler in [SigHandler::SigDfl, SigHandler::SigIgn] {
        dies(Signal::SIGSEGV, || {
            install(handler, SaFlags::empty(), SigSet::empty());
            let _registration = register();
            fault();
        });
    }
    // The client's faults stay the client's until then.
    passes(|| {
        install(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        let _registration = register();
        assert!(probe::read::<u8>(8 as *const u8).is_err());
    });
}

#[test]
fn signals_that_somebody_sent_are_not_faults() {
    let send = || {
        let _registration = register();
        for signal in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL] {
            kill(getpid(), signal).expect("a signal");
        }
        assert!(probe::read::<u8>(8 as *const u8).is_err());
    };
    passes(|| {
        install(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        send();
    });
    dies(Signal::SIGSEGV, || {
        install(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        send();
    });
}

#[test]
fn a_pinned_thread_recovers_from_faults() {
    passes(|| {
        let registration = register();
        VDSO.pin_origin().expect("a kernel with Syscall User Dispatch");
        // The handler returns by the image, too.
        let caught = (0..3).filter(|_| probe::read::<u8>(8 as *const u8).is_err()).count();
        let fixups = *registration.fixups();
        drop(registration);
        let again = fixups.register_own();
        let is_good = caught == 3 && again.is_ok() && probe::read::<u8>(8 as *const u8).is_err();
        // SAFETY: ends the child; a panic's message would be written by the libc, and trip.
        let _ = unsafe { VDSO.exit_group(if is_good { 0 } else { 1 }) };
    });
}
