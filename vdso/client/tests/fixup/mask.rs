//! Probes where the signals that faults become are blocked.

#![expect(unsafe_code, reason = "installs signal handlers, and maps a file")]

use crate::label::{divide, undefined};
use crate::{PAGE, VDSO, dies, pages, passes, register};
use liblinux::fixup::{Dso, Fixups};
use liblinux::probe;
use nix::libc::{REG_RIP, siginfo_t, ucontext_t};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use std::arch::naked_asm;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

/// Whether the handler asks for faults to be let through.
static UNBLOCKS: AtomicBool = AtomicBool::new(false);

/// How many probes reported a fault.
static FAULTS: AtomicU64 = AtomicU64::new(0);

/// A handler that looks at memory, as one does that walks a stack, and steps over an instruction of
/// two bytes.
extern "C" fn prober(signal: i32, _: *mut siginfo_t, context: *mut std::ffi::c_void) {
    let fixups = Fixups::of_process(&VDSO).expect("fixups");
    let before = SigSet::thread_get_mask().expect("the mask");
    let open = UNBLOCKS.load(SeqCst).then(|| fixups.unblock().expect("an unblocked thread"));
    for _ in 0..3 {
        let fault = probe::read::<u32>(8 as *const u32).expect_err("nothing is there");
        assert_eq!(fault.address, 8);
        FAULTS.fetch_add(1, SeqCst);
    }
    drop(open);
    assert_eq!(SigSet::thread_get_mask(), Ok(before));
    if signal == Signal::SIGSEGV as i32 {
        // SAFETY: the kernel's context, which no other code has.
        let registers = unsafe { &mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs };
        registers[REG_RIP as usize] += 2;
    }
}

/// Reads through a null pointer, by an instruction of two bytes.
#[unsafe(naked)]
extern "C" fn fault() {
    naked_asm!("xor eax, eax", "mov al, [rax]", "ret")
}

fn install(signal: Signal, mask: SigSet) {
    let action = SigAction::new(SigHandler::SigAction(prober), SaFlags::SA_SIGINFO, mask);
    // SAFETY: the handler is the one above.
    unsafe { sigaction(signal, &action) }.expect("a disposition");
}

/// A handler of SIGSEGV without `SA_NODEFER`, there before this crate's: it is called with SIGSEGV
/// blocked.
fn in_a_handler_of_faults(unblocks: bool) {
    UNBLOCKS.store(unblocks, SeqCst);
    install(Signal::SIGSEGV, SigSet::empty());
    let _registration = register();
    fault();
    fault();
    assert_eq!(FAULTS.load(SeqCst), 6);
}

/// A handler of another signal, with a mask of all.
fn in_a_handler_with_a_mask(unblocks: bool) {
    UNBLOCKS.store(unblocks, SeqCst);
    let _registration = register();
    install(Signal::SIGUSR1, SigSet::all());
    raise(Signal::SIGUSR1).expect("a signal");
    assert_eq!(FAULTS.load(SeqCst), 3);
}

#[test]
fn a_handler_that_blocks_faults_probes_under_a_guard() {
    passes(|| in_a_handler_of_faults(true));
    passes(|| in_a_handler_with_a_mask(true));
    // This is what the guard is for.
    dies(Signal::SIGSEGV, || in_a_handler_of_faults(false));
    dies(Signal::SIGSEGV, || in_a_handler_with_a_mask(false));
}

/// A page behind the end of its file.
fn page_past_the_end() -> *const u8 {
    let (file, length) =
        (tempfile::tempfile().expect("a file"), NonZeroUsize::new(PAGE).expect("not zero"));
    // SAFETY: a new mapping.
    let page = unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, file, 0) };
    page.expect("a mapping").as_ptr().cast::<u8>()
}

/// Each of the four signals.
fn raise_all() -> [bool; 4] {
    [
        probe::read(8 as *const u8).is_err(),
        probe::read(page_past_the_end()).is_err(),
        divide(1, 0) == Err(0),
        undefined(),
    ]
}

/// A handler that reports crashes: in front, without `SA_NODEFER`, and it passes nothing on.
extern "C" fn reporter(_: i32, _: *mut siginfo_t, context: *mut std::ffi::c_void) {
    let word = 42_u64;
    assert_eq!(probe::read_by_call(&VDSO, &raw const word), Ok(42));
    let error = probe::read_by_call(&VDSO, 8 as *const [u8; 16]).expect_err("nothing is there");
    assert_eq!(error.name(), Some("EFAULT"));
    FAULTS.fetch_add(1, SeqCst);
    // SAFETY: the kernel's context, which no other code has.
    let registers = unsafe { &mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs };
    registers[REG_RIP as usize] += 2;
}

#[test]
fn a_reporter_of_crashes_reads_by_calls() {
    passes(|| {
        let _registration = register();
        let action =
            SigAction::new(SigHandler::SigAction(reporter), SaFlags::SA_SIGINFO, SigSet::all());
        // SAFETY: the handler is the one above.
        unsafe { sigaction(Signal::SIGSEGV, &action) }.expect("a disposition");
        fault();
        assert_eq!(FAULTS.load(SeqCst), 1);
        // A value that reaches behind the end of the memory is not read.
        let page = pages(2, ProtFlags::PROT_READ).as_ptr();
        let second = NonNull::new(page.wrapping_add(PAGE).cast()).expect("not null");
        // SAFETY: no other code uses it.
        unsafe { munmap(second, PAGE) }.expect("unmapped");
        let last = page.wrapping_add(PAGE - 8);
        assert_eq!(probe::read_by_call(&VDSO, last.cast::<u64>()), Ok(0));
        assert!(probe::read_by_call(&VDSO, last.cast::<[u8; 9]>()).is_err());
    });
}

/// The image's own accesses to its caller's memory have fixups like any others.
#[test]
fn a_bad_pointer_for_the_image_needs_the_guard_too() {
    let bad = |unblocks: bool| {
        let fixups = Fixups::of_process(&VDSO).expect("fixups");
        SigSet::all().thread_block().expect("all are blocked");
        let _open = unblocks.then(|| fixups.unblock().expect("an unblocked thread"));
        let text = register as *const () as u64;
        let dso = Dso { text_start: text, text_len: 16, table: 16, count: 1 };
        // SAFETY: the address has no table.
        let error = unsafe { fixups.register(&dso) }.expect_err("the address has no table");
        assert_eq!(error.name(), Some("EFAULT"));
    };
    passes(|| bad(true));
    dies(Signal::SIGSEGV, || bad(false));
}

#[test]
fn every_fault_comes_through_and_the_mask_comes_back() {
    passes(|| {
        let registration = register();
        SigSet::all().thread_block().expect("all are blocked");
        let before = SigSet::thread_get_mask().expect("the mask");
        {
            let _open = registration.fixups().unblock().expect("an unblocked thread");
            assert_eq!(raise_all(), [true; 4]);
            // One in another: the outer one blocks again.
            drop(registration.fixups().unblock().expect("an unblocked thread"));
            assert_eq!(raise_all(), [true; 4]);
            let inside = SigSet::thread_get_mask().expect("the mask");
            let differ: Vec<Signal> = Signal::iterator()
                .filter(|signal| before.contains(*signal) != inside.contains(*signal))
                .collect();
            assert_eq!(differ, [Signal::SIGILL, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGSEGV]);
        }
        assert_eq!(SigSet::thread_get_mask(), Ok(before));
    });
    passes(|| {
        let registration = register();
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGBUS);
        mask.thread_block().expect("one is blocked");
        drop(registration.fixups().unblock().expect("an unblocked thread"));
        let after = SigSet::thread_get_mask().expect("the mask");
        assert!(after.contains(Signal::SIGBUS) && !after.contains(Signal::SIGSEGV), "{after:?}");
    });
}
