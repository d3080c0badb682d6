//! A traced process: the requests of `ptrace(2)`, and waiting for it.
//!
//! Signals are numbers here because those without a name pass through as well; the wrappers of the
//! nix crate know only named ones.
//!
//! The tracer lets go of a process that begins to exit. If it traced the process to its end, the
//! tracer would have to reap it first. The parent would see from a pidfd that its child has ended,
//! but `waitid` with `WNOHANG` would not find it.
//!
//! # Invariants
//!
//! 1. No request makes this process's memory unsafe: the kernel writes to one of its pointers only
//!    where a local variable of the right size is passed.

#![expect(unsafe_code, reason = "ptrace and wait take raw arguments")]

use crate::change::Change;
use nix::errno::Errno;
use nix::libc::{self, c_long, c_uint, c_void};
use nix::sys::ptrace::{self, Options};
pub(crate) use nix::sys::ptrace::{getregs as registers, setregs as set_registers};
use nix::unistd::Pid;
use std::ptr::{null_mut, without_provenance_mut};

/// Bytes that `ptrace` reads or writes at once. A word at a multiple of this lies in one page.
pub(crate) const WORD: usize = size_of::<c_long>();

/// Bytes of the kernel's signal set.
const SIGNAL_SET_SIZE: usize = 8;

/// Begins to trace a process, and everything that it will start. If this process ends, all of them
/// are killed.
pub(crate) fn seize(pid: Pid) -> nix::Result<()> {
    let follow =
        Options::PTRACE_O_TRACEFORK | Options::PTRACE_O_TRACEVFORK | Options::PTRACE_O_TRACECLONE;
    let report =
        Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEEXIT;
    ptrace::seize(pid, follow | report | Options::PTRACE_O_EXITKILL)
}

/// Waits for a change of `pid`, or of any traced process. Lets go of one that begins to exit, and
/// returns it as gone.
pub(crate) fn wait(pid: Option<Pid>) -> nix::Result<(Pid, Change)> {
    let mut status = 0;
    // SAFETY: the kernel writes an int to `status`.
    let result =
        unsafe { libc::waitpid(pid.map_or(-1, Pid::as_raw), &raw mut status, libc::__WALL) };
    match Errno::result(result) {
        Err(Errno::EINTR) => wait(pid),
        result => result.map(|pid| {
            let pid = Pid::from_raw(pid);
            match Change::of(status) {
                Change::Exiting => {
                    // An error means that it was killed meanwhile: the next status is its end.
                    let _ = detach(pid, 0);
                    (pid, Change::Gone)
                }
                change => (pid, change),
            }
        }),
    }
}

/// Lets it continue, with `signal` delivered unless that is 0.
pub(crate) fn resume(pid: Pid, signal: i32) -> nix::Result<()> {
    request(libc::PTRACE_CONT, pid, null_mut(), signal as usize as *mut c_void)
}

/// Lets it run to where its next system call begins, or to where the present one ends, with
/// `signal` delivered unless that is 0.
pub(crate) fn resume_to_system_call(pid: Pid, signal: i32) -> nix::Result<()> {
    request(libc::PTRACE_SYSCALL, pid, null_mut(), signal as usize as *mut c_void)
}

/// Lets a thread make system calls from this range alone.
pub(crate) fn pin(pid: Pid, start: u64, size: u64) -> nix::Result<()> {
    const ON: u64 = 1;
    let mut range = libc::ptrace_sud_config { mode: ON, selector: 0, offset: start, len: size };
    let length = size_of_val(&range) as *mut c_void;
    let range = (&raw mut range).cast();
    request(libc::PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG, pid, length, range)
}

/// The number of the call that it is about to make, if it stands before one.
pub(crate) fn call_at_entry(pid: Pid) -> Option<u64> {
    // `op`, the architecture, the places of instruction and stack, then the call's number.
    let mut info = [0_u64; 11];
    let size = size_of_val(&info) as *mut c_void;
    request(libc::PTRACE_GET_SYSCALL_INFO, pid, size, info.as_mut_ptr().cast()).ok()?;
    let operation = info[0].to_ne_bytes()[0];
    (operation == libc::PTRACE_SYSCALL_INFO_ENTRY).then_some(info[3])
}

/// Where it tried to make a call, and the call's number, if the signal that is about to be
/// delivered is that of Syscall User Dispatch.
pub(crate) fn dispatched(pid: Pid) -> Option<(u64, u64)> {
    /// `si_code` of that signal.
    const SYS_USER_DISPATCH: i32 = 2;
    let info = ptrace::getsiginfo(pid).ok()?;
    if info.si_code != SYS_USER_DISPATCH {
        return None;
    }
    // Behind three numbers and a gap: the address, the number of the call, the architecture.
    // SAFETY: a `siginfo_t` has 128 bytes, of which any value is one.
    let [_, _, address, number] = unsafe { (&raw const info).cast::<[u64; 4]>().read() };
    Some((address, number & u64::from(u32::MAX)))
}

/// Leaves it stopped until a process sends `SIGCONT`.
pub(crate) fn listen(pid: Pid) -> nix::Result<()> {
    request(libc::PTRACE_LISTEN, pid, null_mut(), null_mut())
}

/// Traces it no more, with `signal` delivered unless that is 0.
pub(crate) fn detach(pid: Pid, signal: i32) -> nix::Result<()> {
    request(libc::PTRACE_DETACH, pid, null_mut(), signal as usize as *mut c_void)
}

/// Stops it as soon as it can be stopped, without a signal.
pub(crate) fn interrupt(pid: Pid) -> nix::Result<()> {
    request(libc::PTRACE_INTERRUPT, pid, null_mut(), null_mut())
}

/// The signals that it blocks, a bit each.
pub(crate) fn signal_mask(pid: Pid) -> nix::Result<u64> {
    let mut mask: u64 = 0;
    request(libc::PTRACE_GETSIGMASK, pid, SIGNAL_SET_SIZE as *mut c_void, (&raw mut mask).cast())?;
    Ok(mask)
}

/// Sets the signals that it blocks.
pub(crate) fn set_signal_mask(pid: Pid, mut mask: u64) -> nix::Result<()> {
    request(libc::PTRACE_SETSIGMASK, pid, SIGNAL_SET_SIZE as *mut c_void, (&raw mut mask).cast())
}

/// Reads the word at `address`.
pub(crate) fn peek(pid: Pid, address: u64) -> nix::Result<[u8; WORD]> {
    Ok(ptrace::read(pid, without_provenance_mut(address as usize))?.to_ne_bytes())
}

/// Writes the word at `address`.
pub(crate) fn poke(pid: Pid, address: u64, word: [u8; WORD]) -> nix::Result<()> {
    ptrace::write(pid, without_provenance_mut(address as usize), c_long::from_ne_bytes(word))
}

fn request(request: c_uint, pid: Pid, address: *mut c_void, data: *mut c_void) -> nix::Result<()> {
    // SAFETY: invariant 1; the callers are above.
    Errno::result(unsafe { libc::ptrace(request, pid.as_raw(), address, data) }).map(drop)
}
