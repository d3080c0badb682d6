//! One child process that makes a call, in one way or in several, and leaves the answers in shared
//! memory.
//!
//! # Invariants
//!
//! 1. Between `fork` and its end the child only makes bare system calls and touches [`Memory`]: the
//!    parent may have other threads, whose locks (the allocator's, say) stay taken forever in the
//!    child.
//! 2. At the call every child has the same descriptors, whatever the parent had open: those of
//!    [`descriptors`].
//! 3. The parent reads [`Memory`] only when the child is gone, so it is not written to meanwhile.
//! 4. A child lives [`PATIENCE`] at most.

#![expect(unsafe_code, reason = "fork, shared memory and raw system calls")]

use super::arguments::{self, BUFFER, Set};
use super::descriptors;
use super::folder::Folder;
use super::{exceptions, newer};
use crate::arch::{self, Frame};
use crate::bare::number;
use liblinux_abi::syscall::Syscall;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::time::Duration;

/// `F_GETFD` and `F_GETFL` of `include/uapi/asm-generic/fcntl.h`.
const F_GETFD: u64 = 1;
const F_GETFL: u64 = 3;

/// `RLIMIT_CORE` of `include/uapi/asm-generic/resource.h`, the limit that the sweep sets.
const RLIMIT_CORE: u64 = 4;

/// Status of a child that a call has made.
const CHILD_STATUS: u64 = 7;

/// Status of a child that could not have itself interrupted; higher than the numbers of other
/// steps.
const PREPARATION_FAILED: u64 = 99;

/// Status of a child that does not know how newer calls do it.
const UNKNOWN: u64 = 100;
const UNKNOWN_STATUS: i32 = UNKNOWN as i32;

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a call is made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// Through the image's entry at this address.
    Entry(usize),
    /// By the bare instruction with this number.
    Bare(u32),
    /// By newer calls, made by [`newer`].
    Newer,
}

impl Way {
    /// What a message calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Entry(_) => "the entry",
            Self::Bare(_) => "the bare call",
            Self::Newer => "the newer call",
        }
    }
}

/// What a call did.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Answer {
    /// One if the call returned.
    done: u64,
    /// The process that made it.
    pub(super) process: i64,
    /// Result and registers; no registers for the bare instruction.
    pub(super) frame: Frame,
    /// The buffer after the call.
    pub(super) buffer: [u8; BUFFER],
    /// What calls leave in the process: the flags of [`DESCRIPTORS`], and a limit.
    pub(super) traces: [i64; TRACES],
}

/// The numbers that new descriptors get: the lowest that are free, and the one that the sweep asks
/// for.
const DESCRIPTORS: [u64; 3] = [3, 4, 120];

/// Two kinds of flags for each descriptor, and the two words of a limit.
const TRACES: usize = 2 * DESCRIPTORS.len() + 2;

/// How many ways there are to make a call.
pub(super) const WAYS: usize = 3;

impl Answer {
    /// Whether the kernel refused the call with an error.
    pub(super) fn is_refusal(&self) -> bool {
        (-4095..0).contains(&self.frame.result)
    }
}

/// What parent and child share.
#[repr(C)]
struct Memory {
    /// What [`arguments::Argument::Buffer`] points to; on a page of its own, which calls may remap.
    buffer: [u8; BUFFER],
    /// What [`arguments::Argument::Vector`] points to: one `struct iovec` over part of the buffer.
    vector: [u64; 2],
    answers: [Answer; WAYS],
}

/// Memory that parent and children share.
pub(super) struct Area {
    memory: NonNull<Memory>,
}

impl Area {
    pub(super) fn new() -> io::Result<Self> {
        let size = NonZeroUsize::new(size_of::<Memory>()).ok_or(io::ErrorKind::InvalidInput)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at a place that the kernel chooses touches no memory that is in
        // use.
        let memory = unsafe { mmap_anonymous(None, size, protection, MapFlags::MAP_SHARED)? };
        Ok(Self { memory: memory.cast() })
    }

    /// Clears everything for the next child.
    fn clear(&self) {
        // SAFETY: the mapping is this large and no child looks at it (invariant 3); zeros are a
        // valid `Memory`.
        unsafe { self.memory.write_bytes(0, 1) };
    }

    /// The answers that the child left.
    fn answers(&self) -> [Answer; WAYS] {
        // SAFETY: the field is inside the mapping.
        let answers = unsafe { &raw const (*self.memory.as_ptr()).answers };
        // SAFETY: the pointer is valid and the child is gone (invariant 3).
        unsafe { answers.read() }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: nothing refers to the mapping any more. An error would leave it mapped, which
        // does no harm.
        let _ = unsafe { munmap(self.memory.cast(), size_of::<Memory>()) };
    }
}

/// Has a child make the call in each of `ways`, one after the other; the error says what happened
/// to the child.
///
/// # Safety
///
/// A [`Way::Entry`] must be an entry of an image; the call must be harmless with these arguments.
pub(super) unsafe fn run(
    area: &Area,
    folder: &Folder,
    call: &Syscall,
    set: &Set,
    ways: &[Way],
) -> io::Result<Result<Vec<Answer>, String>> {
    area.clear();
    // SAFETY: the child keeps to invariant 1.
    let pid = match unsafe { fork()? } {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            // SAFETY: this is the child, which has one thread; the caller vouches for the call.
            unsafe { live(area.memory.as_ptr(), folder, call, set, ways) }
        }
    };
    Ok(match wait(pid)? {
        WaitStatus::Exited(_, 0) => {
            let answers = area.answers();
            if answers.iter().take(ways.len()).all(|answer| answer.done == 1) {
                Ok(answers[..ways.len()].to_vec())
            } else {
                Err("did not return".to_owned())
            }
        }
        WaitStatus::Exited(_, UNKNOWN_STATUS) => Err("is not known to the sweep".to_owned()),
        WaitStatus::Exited(_, step) => {
            Err(format!("was not made: step {step} of its preparation failed"))
        }
        WaitStatus::Signaled(_, Signal::SIGKILL, _) => {
            Err(format!("blocks: it was killed after {} s", PATIENCE.as_secs()))
        }
        WaitStatus::Signaled(_, signal, _) => Err(format!("died of {signal}")),
        other => Err(format!("left its process in a strange state: {other:?}")),
    })
}

/// Waits for the child, but not longer than [`PATIENCE`].
fn wait(pid: Pid) -> io::Result<WaitStatus> {
    let arguments = [u64::from(pid.as_raw().unsigned_abs()), 0, 0, 0, 0, 0];
    // SAFETY: the call makes a descriptor and nothing else.
    let descriptor = unsafe { arch::syscall(const { number("pidfd_open") }, arguments) };
    let Ok(descriptor @ 0..) = i32::try_from(descriptor) else {
        kill(pid, Signal::SIGKILL)?;
        waitpid(pid, None)?;
        return Err(io::Error::from_raw_os_error(i32::try_from(-descriptor).unwrap_or_default()));
    };
    // SAFETY: the kernel has just made it for us alone.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let timeout = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
    let mut events = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
    if !matches!(poll(&mut events, timeout), Ok(1)) {
        kill(pid, Signal::SIGKILL)?;
    }
    Ok(waitpid(pid, None)?)
}

/// The child's life.
///
/// # Safety
///
/// `memory` is an [`Area`]'s, the process has one thread, and the caller of [`run`] vouches for the
/// calls.
unsafe fn live(memory: *mut Memory, folder: &Folder, call: &Syscall, set: &Set, ways: &[Way]) -> ! {
    // SAFETY: as this function's contract.
    let failed_step = unsafe { descriptors::prepare(folder) };
    if let Some(step) = failed_step {
        end(step);
    }
    // SAFETY: the field is inside the mapping.
    let buffer = unsafe { &raw mut (*memory).buffer };
    // SAFETY: likewise.
    let vector = unsafe { &raw mut (*memory).vector };
    let resolved =
        set.resolve(buffer.expose_provenance() as u64, vector.expose_provenance() as u64);
    if exceptions::is_interrupted(call.name) && !interrupt_often() {
        end(PREPARATION_FAILED);
    }
    for (index, way) in ways.iter().take(WAYS).enumerate() {
        // SAFETY: the buffer is inside the mapping, and only this process uses it now.
        unsafe { buffer.write(arguments::BUFFER_BEFORE) };
        // SAFETY: likewise.
        unsafe { vector.write([buffer.expose_provenance() as u64, arguments::VECTOR_SIZE]) };
        let mut frame = Frame::new(resolved);
        match *way {
            // SAFETY: the caller of `run` vouches for the entry and the arguments; one thread.
            Way::Entry(entry) => unsafe { arch::call(entry, &mut frame) },
            // SAFETY: likewise.
            Way::Bare(number) => frame.result = unsafe { arch::syscall(number, resolved) },
            // SAFETY: likewise.
            Way::Newer => match unsafe { newer::call(call, resolved) } {
                Some(result) => frame.result = result,
                None => end(UNKNOWN),
            },
        }
        if exceptions::makes_child(call.name) {
            // SAFETY: this is the child's own child, or the child, which has no other.
            frame.result = unsafe { meet_child(frame.result) };
        }
        // SAFETY: the call only returns a value.
        let process = unsafe { arch::syscall(const { number("getpid") }, [0; 6]) };
        // SAFETY: the field is inside the mapping.
        let answers = unsafe { &raw mut (*memory).answers }.cast::<Answer>();
        // SAFETY: `index` is below the number of answers.
        let answer = unsafe { answers.add(index) };
        // SAFETY: the buffer is inside the mapping.
        let buffer_after = unsafe { buffer.read() };
        // SAFETY: the answer is inside the mapping, and the parent does not look yet.
        unsafe {
            answer.write(Answer { done: 1, process, frame, buffer: buffer_after, traces: traces() })
        };
    }
    end(0)
}

/// The effects of the call that remain in this process.
fn traces() -> [i64; TRACES] {
    let mut traces = [0; TRACES];
    let flags =
        DESCRIPTORS.iter().flat_map(|descriptor| [[*descriptor, F_GETFD], [*descriptor, F_GETFL]]);
    for (trace, [descriptor, what]) in traces.iter_mut().zip(flags) {
        // SAFETY: the call only returns a value.
        *trace =
            unsafe { arch::syscall(const { number("fcntl") }, [descriptor, what, 0, 0, 0, 0]) };
    }
    let mut limit = [0_u64; 2];
    let pointer = (&raw mut limit).expose_provenance() as u64;
    // SAFETY: the kernel writes to `limit` alone.
    unsafe { arch::syscall(const { number("prlimit64") }, [0, RLIMIT_CORE, 0, pointer, 0, 0]) };
    let [.., soft, hard] = &mut traces;
    (*soft, *hard) = (limit[0].cast_signed(), limit[1].cast_signed());
    traces
}

/// Has a signal with a handler come every few milliseconds.
fn interrupt_often() -> bool {
    extern "C" fn ignore(_: std::ffi::c_int) {}
    let action = SigAction::new(SigHandler::Handler(ignore), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler does nothing.
    let handled = unsafe { sigaction(Signal::SIGALRM, &action) }.is_ok();
    let every = [0_u64, 5000, 0, 5000];
    let pointer = every.as_ptr().expose_provenance() as u64;
    // SAFETY: the kernel reads `every`.
    let set = unsafe { arch::syscall(const { number("setitimer") }, [0, pointer, 0, 0, 0, 0]) };
    handled && set == 0
}

/// Where a call has made a child: the child ends, and the parent returns how it ended.
///
/// # Safety
///
/// `result` is that of the call in the process that runs this, and the process has no other child.
unsafe fn meet_child(result: i64) -> i64 {
    if result == 0 {
        end(CHILD_STATUS);
    }
    if result < 0 {
        return result;
    }
    let mut status = 0_i32;
    let pointer = (&raw mut status).expose_provenance() as u64;
    // SAFETY: the kernel writes to `status` alone.
    unsafe {
        arch::syscall(const { number("wait4") }, [result.cast_unsigned(), pointer, 0, 0, 0, 0])
    };
    i64::from(status)
}

/// Ends the child.
fn end(status: u64) -> ! {
    // SAFETY: ending a process that has nothing to clean up.
    unsafe { arch::syscall(const { number("exit_group") }, [status, 0, 0, 0, 0, 0]) };
    unreachable!("exit_group returned")
}
