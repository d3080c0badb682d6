//! Faults of an image's code, resumed as the kernel resumes those of the vDSO that it mapped
//! itself.
//!
//! A test's image is one that this kernel knows nothing of. The handler here does what its
//! `fixup_vdso_exception` would, so that functions that access their caller's memory can be given
//! bad pointers on any kernel.
//!
//! # Invariants
//!
//! 1. The handler reads what was there before it was installed and writes to the interrupted
//!    registers alone.
//! 2. A fault without a landing ends the process by its signal, as it would have without the
//!    handler.

#![expect(unsafe_code, reason = "handles signals")]

use crate::arch::code::Code;
use crate::image::Image;
use nix::libc::{REG_ERR, REG_RDI, REG_RDX, REG_RIP, REG_RSI, REG_TRAPNO, siginfo_t, ucontext_t};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

/// Addresses of instructions and of where a fault of each resumes.
static LANDINGS: OnceLock<Vec<(i64, i64)>> = OnceLock::new();

/// Resumes faults of this image from now on, in this process and in those that it forks. For one
/// image of a process.
pub fn resume_faults(image: &Image) {
    let code = Code::of(image);
    let address = |offset: u64| (image.base() as u64 + offset).cast_signed();
    let landings = code.faulting().map(|offset| {
        (address(offset), address(code.landing(offset).expect("an instruction that has a landing")))
    });
    let landings: Vec<_> = landings.collect();
    assert!(
        LANDINGS.get_or_init(|| landings.clone()) == &landings,
        "another image's faults are resumed"
    );
    let action = SigAction::new(SigHandler::SigAction(land), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGSEGV, Signal::SIGBUS] {
        // SAFETY: the handler keeps to invariant 1.
        unsafe { sigaction(signal, &action) }.expect("a handler");
    }
}

extern "C" fn land(signal: c_int, information: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gave the handler a context, which no other code looks at.
    let context = unsafe { &mut *context.cast::<ucontext_t>() };
    let registers = &mut context.uc_mcontext.gregs;
    let landing = |(instruction, landing): &(i64, i64)| {
        (*instruction == registers[REG_RIP as usize]).then_some(*landing)
    };
    let Some(landing) = LANDINGS.get().and_then(|all| all.iter().find_map(landing)) else {
        let action = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        let signal = Signal::try_from(signal).expect("a signal");
        // SAFETY: the default runs no code of this process; the instruction faults again.
        unsafe { sigaction(signal, &action) }.expect("the default");
        return;
    };
    // SAFETY: the kernel gave the handler a description, which no other code looks at.
    let information = unsafe { &*information };
    // SAFETY: it describes a fault, which has an address.
    let address = unsafe { information.si_addr() };
    registers[REG_RIP as usize] = landing;
    registers[REG_RDI as usize] = registers[REG_TRAPNO as usize];
    registers[REG_RSI as usize] = registers[REG_ERR as usize];
    registers[REG_RDX as usize] = (address.addr() as u64).cast_signed();
}
