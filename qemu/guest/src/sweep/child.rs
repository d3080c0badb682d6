//! One child process that makes a call, once or twice, and leaves the answers in shared memory.
//!
//! # Invariants
//!
//! 1. Between `fork` and its end the child only makes bare system calls and touches [`Memory`]: the parent may have other
//!    threads, whose locks (the allocator's, say) stay taken forever in the child.
//! 2. At the call every child has the same descriptors, whatever the parent had open: those of [`super::arguments`].
//! 3. The parent reads [`Memory`] only when the child is gone, so nobody writes meanwhile.
//! 4. A child lives [`PATIENCE`] at most.

#![expect(unsafe_code, reason = "fork, shared memory and raw system calls")]

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use super::arguments::{self, Set};
use super::folder::Folder;
use crate::arch::{self, Frame};
use crate::bare::number;

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of the buffer that calls are given.
pub(super) const BUFFER: usize = 4096;

/// How a call is made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// Through the image's entry at this address.
    Entry(usize),
    /// By the bare instruction with this number.
    Bare(u32),
}

impl Way {
    /// What a message calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Entry(_) => "the entry",
            Self::Bare(_) => "the bare call",
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
}

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
    answers: [Answer; 2],
}

/// Memory that parent and children share.
pub(super) struct Area {
    memory: NonNull<Memory>,
}

impl Area {
    pub(super) fn new() -> io::Result<Self> {
        let size = NonZeroUsize::new(size_of::<Memory>()).ok_or(io::ErrorKind::InvalidInput)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at a place that the kernel chooses touches no memory that is in use.
        let memory = unsafe { mmap_anonymous(None, size, protection, MapFlags::MAP_SHARED)? };
        Ok(Self { memory: memory.cast() })
    }

    /// Clears everything for the next child.
    fn clear(&self) {
        // SAFETY: the mapping is this large and nobody else looks at it (invariant 3); zeros are a valid `Memory`.
        unsafe { self.memory.write_bytes(0, 1) };
    }

    /// The answers that the child left.
    fn answers(&self) -> [Answer; 2] {
        // SAFETY: the field is inside the mapping.
        let answers = unsafe { &raw const (*self.memory.as_ptr()).answers };
        // SAFETY: the pointer is valid and the child is gone (invariant 3).
        unsafe { answers.read() }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: nothing refers to the mapping any more. An error would leave it mapped, which does no harm.
        let _ = unsafe { munmap(self.memory.cast(), size_of::<Memory>()) };
    }
}

/// Has a child make the call in each of `ways`, one after the other; the error says what happened to the child.
///
/// # Safety
///
/// A [`Way::Entry`] must be an entry of an image; the call must be harmless with these arguments.
pub(super) unsafe fn run(
    area: &Area,
    folder: &Folder,
    set: &Set,
    ways: &[Way],
) -> io::Result<Result<Vec<Answer>, String>> {
    area.clear();
    // SAFETY: the child keeps to invariant 1.
    let pid = match unsafe { fork()? } {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            // SAFETY: this is the child, which has one thread; the caller vouches for the call.
            unsafe { live(area.memory.as_ptr(), folder, set, ways) }
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
        WaitStatus::Exited(_, step) => Err(format!("was not made: step {step} of its preparation failed")),
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
/// `memory` is an [`Area`]'s, the process has one thread, and the caller of [`run`] vouches for the calls.
unsafe fn live(memory: *mut Memory, folder: &Folder, set: &Set, ways: &[Way]) -> ! {
    // SAFETY: as this function's contract.
    let failed_step = unsafe { arguments::prepare(folder) };
    if let Some(step) = failed_step {
        end(step);
    }
    // SAFETY: the field is inside the mapping.
    let buffer = unsafe { &raw mut (*memory).buffer };
    // SAFETY: likewise.
    let vector = unsafe { &raw mut (*memory).vector };
    let resolved = set.resolve(buffer.expose_provenance() as u64, vector.expose_provenance() as u64);
    for (index, way) in ways.iter().take(2).enumerate() {
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
        }
        // SAFETY: the call only returns a value.
        let process = unsafe { arch::syscall(const { number("getpid") }, [0; 6]) };
        // SAFETY: the field is inside the mapping.
        let answers = unsafe { &raw mut (*memory).answers }.cast::<Answer>();
        // SAFETY: `index` is below two, the number of answers.
        let answer = unsafe { answers.add(index) };
        // SAFETY: the buffer is inside the mapping.
        let buffer_after = unsafe { buffer.read() };
        // SAFETY: the answer is inside the mapping, and the parent does not look yet.
        unsafe { answer.write(Answer { done: 1, process, frame, buffer: buffer_after }) };
    }
    end(0)
}

/// Ends the child.
fn end(status: u64) -> ! {
    // SAFETY: ending a process that has nothing to clean up.
    unsafe { arch::syscall(const { number("exit_group") }, [status, 0, 0, 0, 0, 0]) };
    unreachable!("exit_group returned")
}
