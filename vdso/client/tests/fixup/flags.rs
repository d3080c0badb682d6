//! Every flag of a handler that was there before: the facts that it sees under the client's
//! handlers, against those that it sees alone.
//!
//! The kernel is the oracle: each case runs without the client first, in the same process.

#![expect(unsafe_code, reason = "faults, and installs signal handlers")]

use crate::cover::Cover;
use crate::{PAGE, pages, passes};
use nix::errno::Errno;
use nix::libc::{self, c_int, siginfo_t, ucontext_t};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};
use nix::unistd::{getpid, gettid};
use std::arch::naked_asm;
use std::mem::zeroed;
use std::ptr::{null, null_mut, with_exposed_provenance_mut};
use std::sync::Mutex;

/// The facts that a handler sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    signal: c_int,
    /// `rax`, and where the frame is: how far below the interrupted stack pointer, or its address
    /// on another stack.
    rax: u64,
    sp: usize,
    /// Where information, context and floating-point state are, from there.
    arguments: [usize; 3],
    /// `siginfo_t`, which is not written without SA_SIGINFO.
    information: [u64; 4],
    /// Flags, link and stack of the context; its mask.
    context: [u64; 5],
    mask_before: u64,
    /// The interrupted `rip`, exception, error code, address and flags.
    registers: [i64; 5],
    /// `MXCSR`, whether there is extended state and how much, and the word that ends it.
    state: [u32; 4],
    /// The handler's own mask, whether it is on the alternate stack and how large that is, and
    /// `errno`.
    mask: u64,
    stack: (c_int, usize),
    errno: c_int,
}

static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

fn mask() -> u64 {
    let mut mask = 0_u64;
    // SAFETY: asks for the mask, which has 8 bytes.
    let _ = unsafe { libc::syscall(libc::SYS_rt_sigprocmask, 0, null::<u64>(), &raw mut mask, 8) };
    mask
}

fn stack() -> (c_int, usize) {
    // SAFETY: all zeros is a valid value of the C struct.
    let mut stack: libc::stack_t = unsafe { zeroed() };
    // SAFETY: asks for the stack.
    assert_eq!(unsafe { libc::sigaltstack(null(), &raw mut stack) }, 0);
    (stack.ss_flags, stack.ss_size)
}

/// The handler, with the state of the processor at its entry as arguments.
#[unsafe(naked)]
pub(crate) extern "C" fn handler(signal: c_int, info: *mut siginfo_t, context: *mut ucontext_t) {
    naked_asm!("mov rcx, rsp", "mov r8, rax", "push rax", "call {}", "pop rcx", "ret", sym record)
}

extern "C" fn record(
    signal: c_int,
    info: *const siginfo_t,
    context: *mut ucontext_t,
    sp: usize,
    rax: u64,
) {
    let errno = Errno::last_raw();
    // SAFETY: the kernel's information, 128 bytes.
    let information = unsafe { info.cast::<[u64; 4]>().read() };
    // SAFETY: the kernel's context, which no other code has.
    let context = unsafe { &mut *context };
    let state = context.uc_mcontext.fpregs.addr();
    // SAFETY: the state has 512 bytes, and more where the word at 464 says so.
    let word = |offset: usize| unsafe { with_exposed_provenance_mut::<u32>(state + offset).read() };
    let is_extended = word(464) == 0x4650_5853;
    let size = if is_extended { word(468) } else { 512 };
    let gregs = &context.uc_mcontext.gregs;
    let register = |index: c_int| gregs[index as usize];
    let below = (register(libc::REG_RSP) as usize).wrapping_sub(sp);
    let context_at = (&raw const *context).addr();
    let mask_at = (context_at + 296) as *const u64;
    SEEN.lock().expect("not poisoned").push(Seen {
        signal,
        rax,
        sp: if below < 4 * PAGE { below } else { sp },
        arguments: [info.addr() - sp, context_at - sp, state - sp],
        information,
        context: [
            context.uc_flags,
            context.uc_link.addr() as u64,
            context.uc_stack.ss_sp.addr() as u64,
            context.uc_stack.ss_flags as u64,
            context.uc_stack.ss_size as u64,
        ],
        // SAFETY: in the kernel's context.
        mask_before: unsafe { mask_at.read() },
        registers: [libc::REG_RIP, libc::REG_TRAPNO, libc::REG_ERR, libc::REG_CR2, libc::REG_EFL]
            .map(register),
        state: [
            word(24),
            u32::from(is_extended),
            size,
            if is_extended { word(size as usize - 4) } else { 0 },
        ],
        mask: mask(),
        stack: stack(),
        errno,
    });
    if RAISERS
        .iter()
        .any(|raise| *raise as usize + BEFORE_THE_FAULT == register(libc::REG_RIP) as usize)
    {
        context.uc_mcontext.gregs[libc::REG_RIP as usize] += 2;
    }
}

/// Functions whose second instruction, of two bytes, faults.
const RAISERS: [extern "C" fn(usize, usize); 3] = [load, undefined, divide];
const BEFORE_THE_FAULT: usize = 3;

#[unsafe(naked)]
extern "C" fn load(address: usize, _: usize) {
    naked_asm!("mov rax, rdi", "mov al, [rax]", "ret")
}

#[unsafe(naked)]
extern "C" fn undefined(_: usize, _: usize) {
    naked_asm!("mov rax, rdi", "ud2", "ret")
}

#[unsafe(naked)]
extern "C" fn divide(_: usize, zero: usize) {
    naked_asm!("mov rax, rdi", "div esi", "ret")
}

/// Calls a function on another stack.
#[unsafe(naked)]
extern "C" fn on_stack(top: usize, function: extern "C" fn(usize, usize), address: usize) {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "mov rsp, rdi",
        "mov rax, rsi",
        "mov rdi, rdx",
        "xor esi, esi",
        "call rax",
        "mov rsp, rbp",
        "pop rbp",
        "ret"
    )
}

/// Calls a function on this stack, at a multiple of 64: on that depends where a frame goes.
#[unsafe(naked)]
extern "C" fn on_this_stack(function: extern "C" fn(usize, usize), address: usize) {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "and rsp, -64",
        "mov rax, rdi",
        "mov rdi, rsi",
        "xor esi, esi",
        "call rax",
        "mov rsp, rbp",
        "pop rbp",
        "ret"
    )
}

/// Sends a signal to this thread.
extern "C" fn send(signal: usize, _: usize) {
    let (process, thread) = (getpid().as_raw(), gettid().as_raw());
    // SAFETY: a signal that has a handler.
    assert_eq!(unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) }, 0);
}

/// A way to raise a signal: a function, its argument, the signal.
pub(crate) type Cause = (extern "C" fn(usize, usize), usize, c_int);

/// A fault of each signal that exceptions become, and each of them sent.
pub(crate) fn causes() -> Vec<Cause> {
    let file = tempfile::tempfile().expect("a file");
    let length = std::num::NonZeroUsize::new(PAGE).expect("not zero");
    // SAFETY: a new mapping, of a file without any bytes.
    let past_end =
        unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &file, 0) };
    let past_end = past_end.expect("a mapping").as_ptr().addr();
    let faults: [Cause; 5] = [
        (load, 8, libc::SIGSEGV),
        (load, 1 << 62, libc::SIGSEGV),
        (load, past_end, libc::SIGBUS),
        (undefined, 0, libc::SIGILL),
        (divide, 0, libc::SIGFPE),
    ];
    let sent = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];
    faults
        .into_iter()
        .chain(sent.map(|signal| (send as extern "C" fn(usize, usize), signal as usize, signal)))
        .collect()
}

pub(crate) fn install(signal: c_int, flags: c_int, mask: &[c_int]) {
    // SAFETY: all zeros is a valid value of the C struct.
    let mut action: libc::sigaction = unsafe { zeroed() };
    action.sa_sigaction = (handler as extern "C" fn(_, _, _)) as usize;
    action.sa_flags = flags;
    for signal in mask {
        // SAFETY: a mask of this function.
        assert_eq!(unsafe { libc::sigaddset(&raw mut action.sa_mask, *signal) }, 0);
    }
    // SAFETY: the handler steps over faults.
    assert_eq!(unsafe { libc::sigaction(signal, &raw const action, null_mut()) }, 0);
}

/// Raises a signal, and says what the handler saw; and the state behind it.
pub(crate) fn observe(
    (function, argument, _): Cause,
    top: Option<usize>,
) -> (Seen, u64, (c_int, usize)) {
    SEEN.lock().expect("not poisoned").clear();
    Errno::set_raw(77);
    match top {
        Some(top) => on_stack(top, function, argument),
        None => on_this_stack(function, argument),
    }
    let mut seen = SEEN.lock().expect("not poisoned");
    assert_eq!(seen.len(), 1, "the handler is called once");
    (seen.pop().expect("one"), mask(), stack())
}

const STACK_SIZE: usize = 32 * PAGE;
const SS_AUTODISARM: c_int = 1 << 31;

/// The kind of alternate stack, and whether the interrupted code runs on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stack {
    flags: c_int,
    is_used: bool,
}

pub(crate) const STACKS: [Stack; 5] = [
    Stack { flags: libc::SS_DISABLE, is_used: false },
    Stack { flags: 0, is_used: false },
    Stack { flags: 0, is_used: true },
    Stack { flags: SS_AUTODISARM, is_used: false },
    Stack { flags: SS_AUTODISARM, is_used: true },
];

impl Stack {
    /// Makes it this thread's; where code that is to run on it may begin.
    pub(crate) fn enter(self) -> Option<usize> {
        let memory =
            pages(STACK_SIZE / PAGE, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).as_ptr();
        let stack =
            libc::stack_t { ss_sp: memory.cast(), ss_flags: self.flags, ss_size: STACK_SIZE };
        // SAFETY: memory that stays mapped.
        assert_eq!(unsafe { libc::sigaltstack(&raw const stack, null_mut()) }, 0);
        self.is_used.then(|| memory.addr() + STACK_SIZE / 2)
    }
}

/// Every set of flags that a handler may have, but for [`libc::SA_RESTART`], which it does not see.
fn flags() -> impl Iterator<Item = c_int> {
    let flags = [libc::SA_SIGINFO, libc::SA_ONSTACK, libc::SA_NODEFER, libc::SA_RESETHAND];
    (0..1 << flags.len()).map(move |set| {
        flags
            .iter()
            .enumerate()
            .map(|(index, flag)| if set >> index & 1 != 0 { *flag } else { 0 })
            .sum()
    })
}

/// Compares what the handler sees of these signals alone and under each cover.
fn compare(causes: &[Cause], flags: c_int, mask: &[c_int], stack: Stack) {
    for cover in Cover::ALL {
        compare_under(cover, causes, flags, mask, stack);
    }
}

fn compare_under(cover: Cover, causes: &[Cause], flags: c_int, mask: &[c_int], stack: Stack) {
    passes(|| {
        let top = stack.enter();
        let see = |cause: &Cause| {
            let (mut seen, mask, stack) = observe(*cause, top);
            if flags & libc::SA_SIGINFO == 0 {
                seen.information = [0; 4];
            }
            if !RAISERS.contains(&cause.0) {
                seen.registers = [0; 5]; // Of the function that sent it, and of the exception before.
            }
            (seen, mask, stack)
        };
        let install_all = || causes.iter().for_each(|(_, _, signal)| install(*signal, flags, mask));
        install_all();
        let alone: Vec<_> = causes.iter().map(see).collect();
        install_all();
        let registration = cover.install(causes.iter().map(|cause| cause.2).collect());
        for (cause, alone) in causes.iter().zip(alone) {
            assert_eq!(
                alone,
                see(cause),
                "{cover:?}, flags {flags:#x}, mask {mask:?}, {stack:?}, {cause:?}"
            );
        }
        // The client's own faults land all the same.
        if registration.is_some() {
            assert!(liblinux::probe::read::<u8>(8 as *const u8).is_err());
        }
    });
}

#[test]
fn a_handler_sees_what_it_sees_alone() {
    let causes = causes();
    for flags in flags() {
        for stack in STACKS {
            for mask in [&[][..], &[libc::SIGUSR2, libc::SIGBUS]] {
                if flags & libc::SA_RESETHAND == 0 {
                    compare(&causes, flags, mask, stack);
                } else {
                    causes
                        .iter()
                        .for_each(|cause| compare(std::slice::from_ref(cause), flags, mask, stack));
                }
            }
        }
    }
}
