//! `pointers`: gives every function of the image that writes to its caller's memory every kind of
//! bad pointer.
//!
//! The image answers `-EFAULT` where other vDSOs die of SIGSEGV; the kernel makes that come about,
//! by the image's exception table. So the program's first proof is that it is alive at the end.
//!
//! # Invariants
//!
//! 1. Every pointer argument of every standard function is tried with every kind; a function that
//!    is missing fails.
//! 2. Behind a pointer that reaches into a bad page from a good one, the good part is ours to be
//!    written.

#![expect(unsafe_code, reason = "maps pages and calls addresses")]

use anyhow::{Context, Result};
use liblinux_abi::kernel::clock;
use liblinux_abi::kernel::errno::EFAULT;
use liblinux_guest::image::Image;
use liblinux_guest::ktap::{Ktap, Outcome};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use procfs::process::Process;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;

const PAGE_SIZE: usize = liblinux_abi::image::layout::PAGE_SIZE;

/// A function of the image with five arguments at most.
type Function = extern "C" fn(usize, usize, usize, usize, usize) -> isize;

/// A pointer argument of a function.
struct Argument {
    function: &'static str,
    /// All arguments; the one at `place` is replaced.
    arguments: [usize; 5],
    place: usize,
    /// Bytes that the function writes there.
    size: usize,
    /// Whether null asks for nothing to be written.
    may_be_null: bool,
}

/// A bad pointer: its kind, and an address from where so many bytes cannot be written.
struct Bad {
    kind: &'static str,
    address: usize,
}

fn main() -> ExitCode {
    match run(&mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("pointers: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(out: &mut dyn Write) -> Result<bool> {
    let image = Image::of(&Process::myself()?)?.context("the kernel gave this process no image")?;
    let arguments = arguments()?;
    let mut list = Ktap::begin(out)?;
    let trials: Vec<_> = arguments
        .iter()
        .map(|argument| Ok((argument, bad_pointers(argument.size)?)))
        .collect::<Result<_>>()?;
    let is_tried = |argument: &Argument, bad: &Bad| bad.address != 0 || !argument.may_be_null;
    let tests =
        trials.iter().flat_map(|(argument, all)| all.iter().filter(|bad| is_tried(argument, bad)));
    list.plan(tests.count())?;
    for (argument, all) in &trials {
        let address = image.offset(argument.function).map(|offset| image.address + offset);
        for bad in all.iter().filter(|bad| is_tried(argument, bad)) {
            let name =
                format!("{} {} argument {}", argument.function, first(argument), argument.place)
                    + " "
                    + bad.kind;
            let outcome = match address {
                Some(address) => judge(call(usize::try_from(address)?, argument, bad)),
                None => Outcome::Fail("the image does not export it".to_owned()),
            };
            list.test(&name, &outcome)?;
        }
    }
    Ok(list.failures() == 0)
}

/// The clock, for functions that take one.
fn first(argument: &Argument) -> String {
    if argument.place == 1 && argument.arguments[0] < 16 {
        argument.arguments[0].to_string()
    } else {
        String::new()
    }
}

fn judge(result: isize) -> Outcome {
    if result == -EFAULT {
        Outcome::Pass
    } else {
        Outcome::Fail(format!("returned {result}, not {}", -EFAULT))
    }
}

fn call(address: usize, argument: &Argument, bad: &Bad) -> isize {
    // SAFETY: the address is that of an exported function, which takes its arguments in registers.
    let function = unsafe { std::mem::transmute::<usize, Function>(address) };
    let mut arguments = argument.arguments;
    arguments[argument.place] = bad.address;
    let [a, b, c, d, e] = arguments;
    function(a, b, c, d, e)
}

/// Every pointer argument of every standard function.
fn arguments() -> Result<Vec<Argument>> {
    let good = map(ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?;
    let mut all = Vec::new();
    let mut add = |function, arguments, place, size, may_be_null| {
        all.push(Argument { function, arguments, place, size, may_be_null });
    };
    for id in [
        clock::REALTIME,
        clock::MONOTONIC,
        clock::MONOTONIC_RAW,
        clock::REALTIME_COARSE,
        clock::MONOTONIC_COARSE,
        clock::BOOTTIME,
        clock::TAI,
        2, // Of the process's CPU time: by the system call.
    ] {
        add("__vdso_clock_gettime", [id, 0, 0, 0, 0], 1, 16, false);
        add("__vdso_clock_getres", [id, 0, 0, 0, 0], 1, 16, true);
    }
    add("__vdso_gettimeofday", [0; 5], 0, 16, true);
    add("__vdso_gettimeofday", [0; 5], 1, 8, true);
    add("__vdso_gettimeofday", [good, 0, 0, 0, 0], 1, 8, true);
    add("__vdso_gettimeofday", [0, good, 0, 0, 0], 0, 16, true);
    add("__vdso_time", [0; 5], 0, 8, true);
    add("__vdso_getcpu", [0; 5], 0, 4, true);
    add("__vdso_getcpu", [0; 5], 1, 4, true);
    add("__vdso_getcpu", [0, good, 0, 0, 0], 0, 4, true);
    add("__vdso_getcpu", [good, 0, 0, 0, 0], 1, 4, true);
    // Lengths that come out of the state's batch, and that are generated straight into the buffer.
    let state_size = size_of::<liblinux_abi::kernel::random::State>();
    for len in [1, 8, 17, 200, 1000] {
        add("__vdso_getrandom", [0, len, 0, good, state_size], 0, len, false);
        add("__vdso_getrandom", [good + 1024, len, 0, 0, state_size], 3, 0, false);
    }
    add("__vdso_getrandom", [0, 0, 0, 0, usize::MAX], 3, 64, false);
    Ok(all)
}

/// Addresses at which `size` bytes cannot be written; a size of 0 leaves out those that only a size
/// makes bad.
fn bad_pointers(size: usize) -> Result<Vec<Bad>> {
    let gone = map(ProtFlags::PROT_NONE)?;
    // SAFETY: mapped just now; no other code uses it.
    unsafe { munmap(std::ptr::NonNull::new(gone as *mut _).context("a page at 0")?, PAGE_SIZE) }?;
    let mut all = vec![
        Bad { kind: "null", address: 0 },
        Bad { kind: "in the first page", address: 0x10 },
        Bad { kind: "unmapped", address: gone },
        Bad { kind: "without access", address: map(ProtFlags::PROT_NONE)? },
        Bad { kind: "read-only", address: map(ProtFlags::PROT_READ)? },
        Bad { kind: "non-canonical", address: 0x0008_0000_0000_0000 },
        Bad { kind: "just beyond user space", address: 1 << 47 },
        Bad { kind: "in the kernel's half", address: 0xffff_8000_0000_0000 },
        Bad { kind: "at the end of everything", address: usize::MAX & !0xfff },
    ];
    if size > 1 {
        let pair = map_pair()?;
        all.push(Bad {
            kind: "crossing into an unmapped page",
            address: pair + PAGE_SIZE - size / 2,
        });
        all.push(Bad {
            kind: "with its last byte in an unmapped page",
            address: pair + PAGE_SIZE + 1 - size,
        });
    }
    Ok(all)
}

fn map(protection: ProtFlags) -> Result<usize> {
    let size = NonZeroUsize::new(PAGE_SIZE).context("a page has a size")?;
    // SAFETY: a new mapping, at a place that the kernel chooses.
    let page = unsafe { mmap_anonymous(None, size, protection, MapFlags::MAP_PRIVATE) }?;
    Ok(page.as_ptr().addr())
}

/// A page that can be written, with nothing behind it.
fn map_pair() -> Result<usize> {
    let size = NonZeroUsize::new(2 * PAGE_SIZE).context("a page has a size")?;
    // SAFETY: a new mapping, at a place that the kernel chooses.
    let pages = unsafe {
        mmap_anonymous(
            None,
            size,
            ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            MapFlags::MAP_PRIVATE,
        )
    }?;
    // SAFETY: inside the mapping.
    let second = unsafe { pages.byte_add(PAGE_SIZE) };
    // SAFETY: mapped just now; no other code uses it.
    unsafe { munmap(second, PAGE_SIZE) }?;
    Ok(pages.as_ptr().addr())
}
