//! The calls that the sweep treats differently, each with the reason.
//!
//! # Invariants
//!
//! 1. Every name is a row of the system-call table that is compared otherwise (a test looks).

/// Where the sweep runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A developer's machine.
    Host,
    /// A guest, which is gone afterwards.
    Guest,
}

/// What is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exception {
    /// Not compared at all.
    Skip,
    /// Not compared on a developer's machine.
    SkipOnHost,
    /// Compared only by the sets of arguments that are listed for it.
    NoDefault,
    /// Entry and bare call are made by one child.
    OneChild,
    /// The result is the caller's process; compared relative to it.
    OwnProcess,
    /// What the kernel writes differs from one moment to the next.
    NoBuffer,
    /// Makes a child: it ends at once, and its status is compared.
    MakesChild,
    /// Ends only by a signal handler, so one runs again and again.
    Interrupted,
}

use Exception::{
    Interrupted, MakesChild, NoBuffer, NoDefault, OneChild, OwnProcess, Skip, SkipOnHost,
};

/// Why a call is not compared; `None` if it is.
pub(super) fn reason_to_skip(name: &str, scope: Scope) -> Option<&'static str> {
    EXCEPTIONS
        .iter()
        .find(|(call, exception, _)| {
            *call == name
                && (*exception == Skip || (*exception == SkipOnHost && scope == Scope::Host))
        })
        .map(|(_, _, reason)| *reason)
}

/// Whether bad arguments are harmless for the call.
pub(super) fn takes_default(name: &str) -> bool {
    !has(name, NoDefault)
}

/// Whether the same process must make both calls.
pub(super) fn in_one_child(name: &str) -> bool {
    has(name, OneChild)
}

/// Whether the result is to be compared relative to the process.
pub(super) fn names_process(name: &str) -> bool {
    has(name, OwnProcess)
}

/// Whether what the kernel writes is the same each time.
pub(super) fn compares_buffer(name: &str) -> bool {
    !has(name, NoBuffer)
}

/// Whether the call makes a child with memory of its own.
pub(super) fn makes_child(name: &str) -> bool {
    has(name, MakesChild)
}

/// Whether the call has to be interrupted.
pub(super) fn is_interrupted(name: &str) -> bool {
    has(name, Interrupted)
}

fn has(name: &str, exception: Exception) -> bool {
    EXCEPTIONS.iter().any(|(call, what, _)| *call == name && *what == exception)
}

#[rustfmt::skip]
pub(super) const EXCEPTIONS: &[(&str, Exception, &str)] = &[
    ("clone", Skip, "returns twice: tests of its own see the child run"),
    ("clone3", Skip, "returns twice: tests of its own see the child run"),
    ("vfork", Skip, "returns twice: tests of its own see the child run"),
    ("exit", Skip, "never returns"),
    ("exit_group", Skip, "never returns"),
    ("rt_sigreturn", Skip, "a jump target, not a function: tests of its own return from a signal"),
    ("vhangup", Skip, "hangs up the terminal, whatever its arguments"),

    ("acct", SkipOnHost, "concerns the whole machine"),
    ("adjtimex", SkipOnHost, "concerns the whole machine"),
    ("bpf", SkipOnHost, "concerns the whole machine"),
    ("chroot", SkipOnHost, "concerns the whole machine"),
    ("clock_adjtime", SkipOnHost, "concerns the whole machine"),
    ("clock_settime", SkipOnHost, "concerns the whole machine"),
    ("delete_module", SkipOnHost, "concerns the whole machine"),
    ("finit_module", SkipOnHost, "concerns the whole machine"),
    ("init_module", SkipOnHost, "concerns the whole machine"),
    ("ioperm", SkipOnHost, "concerns the whole machine"),
    ("iopl", SkipOnHost, "concerns the whole machine"),
    ("kexec_file_load", SkipOnHost, "concerns the whole machine"),
    ("kexec_load", SkipOnHost, "concerns the whole machine"),
    ("mount", SkipOnHost, "concerns the whole machine"),
    ("pivot_root", SkipOnHost, "concerns the whole machine"),
    ("quotactl", SkipOnHost, "concerns the whole machine"),
    ("reboot", SkipOnHost, "concerns the whole machine"),
    ("setdomainname", SkipOnHost, "concerns the whole machine"),
    ("sethostname", SkipOnHost, "concerns the whole machine"),
    ("settimeofday", SkipOnHost, "concerns the whole machine"),
    ("swapoff", SkipOnHost, "concerns the whole machine"),
    ("swapon", SkipOnHost, "concerns the whole machine"),
    ("sync", SkipOnHost, "concerns the whole machine"),
    ("syslog", SkipOnHost, "concerns the whole machine"),
    ("umount2", SkipOnHost, "concerns the whole machine"),

    ("kill", NoDefault, "process -1 is every process"),
    ("msgget", NoDefault, "flags of all ones create a queue that is never removed"),
    ("semget", NoDefault, "flags of all ones create a set that is never removed"),
    ("shmget", NoDefault, "flags of all ones create a segment that is never removed"),

    ("fork", MakesChild, "returns twice"),
    ("pause", Interrupted, "returns only from a signal handler"),

    ("brk", OneChild, "the end of the heap moves with the parent's"),

    ("getpid", OwnProcess, "the result is the process itself"),
    ("gettid", OwnProcess, "the result is the process itself"),
    ("set_tid_address", OwnProcess, "the result is the process itself"),
    ("setsid", OwnProcess, "the result is the process itself"),

    ("fstatfs", NoBuffer, "free space changes"),
    ("getrusage", NoBuffer, "time passes"),
    ("statfs", NoBuffer, "free space changes"),
    ("sysinfo", NoBuffer, "time passes"),
    ("ustat", NoBuffer, "free space changes"),
];
