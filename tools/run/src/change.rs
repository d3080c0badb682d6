//! A change of a traced process, as `wait` tells it.
//!
//! # Invariants
//!
//! 1. Every status that `wait` can return decodes, signals without a name (`SIGRTMIN` and above)
//!    too. So signals are numbers here, and not an enumeration.

use nix::libc;

/// A change of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is gone, or needs no more service.
    Gone,
    /// It begins to exit: the kernel has stopped it before it takes anything of it down.
    Exiting,
    /// It has become another program, and has not executed an instruction of it.
    Exec,
    /// It stands before or behind a system call to which the tracer sent it.
    SystemCall,
    /// This signal is about to be delivered.
    Signal(i32),
    /// It is stopped, as by Ctrl-Z, until a process sends `SIGCONT`.
    GroupStop,
    /// Something that needs no answer: it is new, has made a process or a thread, or continues
    /// after a stop.
    Trivial,
}

impl Change {
    /// Decodes a status of `wait`.
    pub(crate) fn of(status: i32) -> Self {
        if !libc::WIFSTOPPED(status) {
            return Self::Gone;
        }
        let signal = libc::WSTOPSIG(status);
        match status >> 16 {
            0 if signal == libc::SIGTRAP | 0x80 => Self::SystemCall,
            0 => Self::Signal(signal),
            libc::PTRACE_EVENT_EXEC => Self::Exec,
            libc::PTRACE_EVENT_EXIT => Self::Exiting,
            // With SIGTRAP it only says that something about stops has changed.
            libc::PTRACE_EVENT_STOP if signal != libc::SIGTRAP => Self::GroupStop,
            _ => Self::Trivial,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status of a stop by `signal` with `event`, as `ptrace(2)` has it.
    fn stop(signal: i32, event: i32) -> i32 {
        event << 16 | signal << 8 | 0x7f
    }

    #[test]
    fn decodes_what_the_manual_page_lists() {
        for (status, change) in [
            (0, Change::Gone),
            (3 << 8, Change::Gone),
            (libc::SIGKILL, Change::Gone),
            (stop(libc::SIGTRAP | 0x80, 0), Change::SystemCall),
            (stop(libc::SIGTRAP, 0), Change::Signal(libc::SIGTRAP)),
            (stop(libc::SIGSTOP, 0), Change::Signal(libc::SIGSTOP)),
            (stop(64, 0), Change::Signal(64)),
            (stop(libc::SIGTRAP, libc::PTRACE_EVENT_EXEC), Change::Exec),
            (stop(libc::SIGTRAP, libc::PTRACE_EVENT_EXIT), Change::Exiting),
            (stop(libc::SIGTRAP, libc::PTRACE_EVENT_STOP), Change::Trivial),
            (stop(libc::SIGTSTP, libc::PTRACE_EVENT_STOP), Change::GroupStop),
            (stop(libc::SIGTRAP, libc::PTRACE_EVENT_FORK), Change::Trivial),
        ] {
            assert_eq!(Change::of(status), change, "{status:#x}");
        }
    }
}
