//! Legacy calls: the image's functions beside the kernel's own calls.
//!
//! A call is measured with arguments with which it can be made again and again. What makes a
//! descriptor is refused or makes the same one, but for `eventfd` and `inotify_init`, which cannot
//! be: what they make is closed. `getdents` starts at the folder's beginning each time. `fork` and
//! `pause` are not measured.
//!
//! Three calls are not functions because the newer calls take longer, whatever is round them. Rows
//! without a target say how much: the bare newer call over the bare old one.
//!
//! # Invariants
//!
//! 1. Files are looked at, not made: paths are those of a memory file of our own, or lead nowhere.

#![expect(unsafe_code, reason = "calls functions by address")]

use super::call::Call;
use super::case::{Answer, Case, GETPPID, Reference};
use crate::image::Image;
use liblinux_abi::syscall::find;
use liblinux_abi::syscall::number as number_of;
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::arch::naked_asm;
use std::ffi::CString;
use std::os::fd::{AsRawFd as _, IntoRawFd as _};
use std::sync::atomic::AtomicUsize;

/// What a function may take of the direct call's time.
const TARGET: f64 = 1.05;

/// `AT_FDCWD`.
const HERE: usize = -100_isize as usize;

/// A descriptor number that no other code uses.
const FREE: usize = 900;

/// What is done beside the call.
#[derive(Clone, Copy)]
enum Beside {
    Nothing,
    /// The descriptor that it makes is closed.
    Close,
    /// The descriptor that it reads is rewound.
    Rewind,
}

fn beside(name: &str) -> Beside {
    match name {
        "inotify_init" | "eventfd" => Beside::Close,
        "getdents" => Beside::Rewind,
        _ => Beside::Nothing,
    }
}

fn leak(text: &str) -> usize {
    CString::new(text).expect("a text without zeros").into_raw().expose_provenance()
}

/// A call and its arguments.
type Line = (&'static str, [usize; 4]);

/// One case for each legacy call that can be measured; `memory` is where ours and the reference
/// write, `floor` a function that makes the system call that its third argument says.
pub(super) fn cases(image: &Image, memory: [usize; 2], floor: usize) -> Vec<Case> {
    let file = memfd_create(c"bench", MFdFlags::empty()).expect("a memory file");
    let folder = std::fs::File::open("/").expect("the root folder");
    let own = leak(&format!("/proc/self/fd/{}", file.as_raw_fd()));
    let [file, folder] =
        [file.into_raw_fd(), folder.into_raw_fd()].map(|fd| fd.unsigned_abs() as usize);
    let [root, none, text] = [leak("/"), leak("/no-such-file"), leak("text")];
    let times = Box::leak(Box::new([1_usize, 2, 3, 4])).as_ptr().addr();
    let lines = |memory: usize| -> [Line; 29] {
        [
            ("open", [none, 0, 0, 0]),
            ("stat", [root, memory, 0, 0]),
            ("lstat", [root, memory, 0, 0]),
            ("access", [root, 4, 0, 0]),
            ("pipe", [8, 0, 0, 0]),
            ("dup2", [file, FREE, 0, 0]),
            ("getdents", [folder, memory, 4096, 0]),
            ("rename", [none, root, 0, 0]),
            ("mkdir", [root, 0o700, 0, 0]),
            ("rmdir", [none, 0, 0, 0]),
            ("creat", [root, 0o600, 0, 0]),
            ("link", [none, root, 0, 0]),
            ("unlink", [none, 0, 0, 0]),
            ("symlink", [text, root, 0, 0]),
            ("readlink", [own, memory, 64, 0]),
            ("chmod", [own, 0o600, 0, 0]),
            ("chown", [own, usize::MAX, usize::MAX, 0]),
            ("lchown", [own, usize::MAX, usize::MAX, 0]),
            ("getpgrp", [0, 0, 0, 0]),
            ("utime", [own, times, 0, 0]),
            ("mknod", [root, 0o010600, 0, 0]),
            ("epoll_create", [0, 0, 0, 0]),
            ("epoll_wait", [file, memory, 1, 0]),
            ("utimes", [own, times, 0, 0]),
            ("futimesat", [HERE, own, times, 0]),
            ("renameat", [HERE, none, HERE, root]),
            ("signalfd", [file, times, 8, 0]),
            ("inotify_init", [0; 4]),
            ("eventfd", [0; 4]),
        ]
    };
    // SAFETY: the call takes nothing and always succeeds.
    let floor = unsafe { Call::new(floor, &[0, 0, GETPPID]) };
    let case = |name: String, symbol, target, [ours, reference]: [Call; 2]| Case {
        name,
        symbol,
        against: Reference::Number,
        floor_name: "syscall",
        target,
        floor_target: None,
        ours,
        reference,
        floor,
        answer: Answer::Constant,
    };
    let functions =
        lines(memory[0]).into_iter().zip(lines(memory[1])).map(|((name, ours), reference)| {
            let call = find(name).expect("a row");
            let beside = beside(name);
            let ours = make(image.require(call.symbol), call.number, ours, beside);
            case(
                format!("legacy {name}"),
                call.symbol,
                Some(TARGET),
                [ours, bare(reference, beside)],
            )
        });
    let timer = Box::leak(Box::new([const { AtomicUsize::new(0) }; 4])).as_ptr().addr();
    let slower: [[Line; 2]; 3] = [
        [("setitimer", [0, timer, timer, 0]), ("alarm", [0; 4])],
        [("prlimit64", [0, 7, 0, memory[0]]), ("getrlimit", [7, memory[1], 0, 0])],
        [("prlimit64", [0, 4, times, 0]), ("setrlimit", [4, times, 0, 0])],
    ];
    let slower = slower.map(|[newer, old]| {
        let symbol = find(old.0).expect("a row").symbol;
        case(
            format!("{} for {}", newer.0, old.0),
            symbol,
            None,
            [newer, old].map(|line| bare(line, Beside::Nothing)),
        )
    });
    functions.chain(slower).collect()
}

/// The bare call.
fn bare((name, arguments): Line, beside: Beside) -> Call {
    make((number as *const ()).addr(), number_of(name), arguments, beside)
}

/// A call of an entry or of [`number`], both with as many arguments, so that both are called by the
/// same loop. The bare call gets its number as the fifth.
fn make(function: usize, number: u32, [a, b, c, d]: [usize; 4], beside: Beside) -> Call {
    let number = number as usize;
    let (function, arguments) = match beside {
        Beside::Nothing => (function, [a, b, c, d, number]),
        Beside::Close => ((closed as *const ()).addr(), [a, b, c, function, number]),
        Beside::Rewind => ((rewound as *const ()).addr(), [a, b, c, function, number]),
    };
    // SAFETY: see `cases`: each may be made at any time.
    unsafe { Call::new(function, &arguments) }
}

/// Makes the system call that the fifth argument says, with the first four.
#[unsafe(naked)]
extern "C" fn number() -> isize {
    naked_asm!("mov eax, r8d", "mov r10, rcx", "syscall", "ret")
}

/// Calls the function that the fourth argument says, with the others in their places, and closes
/// the descriptor that it returns.
#[unsafe(naked)]
extern "C" fn closed() -> isize {
    naked_asm!(
        "sub rsp, 8",
        "call rcx",
        "mov edi, eax",
        "mov eax, {close}",
        "syscall",
        "add rsp, 8",
        "ret",
        close = const number_of("close")
    )
}

/// Moves the descriptor that is the first argument to its beginning, and calls the function that
/// the fourth argument says, with the others in their places.
#[unsafe(naked)]
extern "C" fn rewound() -> isize {
    naked_asm!(
        "push rcx",
        "mov r9, rsi",
        "mov r10, rdx",
        "xor esi, esi",
        "xor edx, edx",
        "mov eax, {lseek}",
        "syscall",
        "mov rsi, r9",
        "mov rdx, r10",
        "pop rcx",
        "jmp rcx",
        lseek = const number_of("lseek")
    )
}
