//! One registry under everything at once: threads that fault, register and unregister, moves to
//! other areas, children that are forked, and writers that are killed in the middle.
//!
//! The interleavings of the algorithm are tried one by one in `vdso/fixup/tests`; here the image
//! does it, on a real processor, under the real kernel.

#![expect(unsafe_code, reason = "forks, clones and kills")]

use liblinux_abi::image::fixup::{Dso, Hit, area_size};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::errno::{EAGAIN, ENOENT};
use liblinux_tests::bench::fixup::dsos;
use liblinux_tests::fixup::probe::Probe;
use liblinux_tests::fixup::{Area, entries, handler, map};
use liblinux_tests::stop::Stop;
use nix::libc;
use nix::sys::mman::ProtFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

/// How long the threads run.
const TIME: Duration = Duration::from_secs(4);

/// Threads that register and unregister.
const WRITERS: usize = 3;

/// Threads that fault.
const READERS: usize = 2;

/// DSOs that an area has room for: all that there are, and some.
const CAPACITY: u64 = 16;

/// How often the registry moves: callers of the first area are led on 16 times.
const MOVES: u32 = 12;

/// Looks an address up until writers leave the time for it.
fn landing(area: Area, address: u64) -> Result<u64, isize> {
    loop {
        match area.lookup(address) {
            Err(error) if error == -EAGAIN => {}
            found => return found.map(|hit| hit.landing),
        }
    }
}

/// Registers, finds and unregisters a DSO. Every result must be as if no other thread ran.
fn cycle(area: Area, dso: &Dso) -> Result<(), String> {
    let failed = |what: &str, found: isize| Err(format!("{what} {:#x}: {found}", dso.text_start));
    match area.register(dso) {
        0 => {}
        error => return failed("register", error),
    }
    match landing(area, dso.text_start) {
        Ok(found) if found == dso.text_start + 8 => {}
        Ok(found) => return failed("a wrong landing for", found.cast_signed() as isize),
        Err(error) => return failed("lost", error),
    }
    match area.unregister(dso.text_start) {
        0 => {}
        error => return failed("unregister", error),
    }
    match landing(area, dso.text_start) {
        Err(error) if error == -ENOENT => Ok(()),
        found => failed(
            "still there",
            found.map_or_else(|error| error, |found| found.cast_signed() as isize),
        ),
    }
}

/// What a child does with the registry that it was forked with: its exit status. Nothing here
/// allocates.
fn in_a_child(area: Area, own: &Dso, fixed: u64) -> i32 {
    // SAFETY: ends a child that does not end by itself.
    unsafe { libc::alarm(20) };
    let cell = std::mem::MaybeUninit::<Hit>::zeroed();
    let hit = cell.as_ptr().expose_provenance() as u64;
    let fixups = entries();
    for _ in 0..20 {
        if area.register(own) != 0 {
            return 1;
        }
        // No other thread runs, so none overtakes.
        if (fixups.lookup)(area.address, fixed, hit) != 0 {
            return 2;
        }
        if (fixups.lookup)(area.address, own.text_start, hit) != 0 {
            return 3;
        }
        if area.unregister(own.text_start) != 0 {
            return 4;
        }
    }
    0
}

/// Forks a child, and waits for it.
fn forked(area: Area, own: &Dso, fixed: u64) {
    // SAFETY: the child calls nothing but the image and `_exit`.
    match unsafe { fork() }.expect("a child") {
        ForkResult::Child => {
            let status = in_a_child(area, own, fixed);
            // SAFETY: ends the child.
            unsafe { libc::_exit(status) }
        }
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).expect("the child ends");
            assert_eq!(status, WaitStatus::Exited(child, 0), "a child with a broken registry");
        }
    }
}

/// A writer that never stops, with an area and a DSO. It shares its maker's thread-local storage,
/// and uses none.
extern "C" fn write_for_ever(work: *mut libc::c_void) -> libc::c_int {
    // SAFETY: ends a writer whose maker has died, without thread-local storage, for it cannot fail.
    unsafe { libc::alarm(20) };
    // SAFETY: its maker gave it, and waits for it.
    let (area, own) = unsafe { work.cast::<(Area, &Dso)>().read() };
    loop {
        // The result does not matter: the process may be killed anywhere in here.
        area.register(own);
        area.unregister(own.text_start);
    }
}

/// Starts a writer that shares this memory, kills it, and sees to it that it left nothing.
fn killed(area: Area, own: &Dso, after: Duration, stack: &mut [u64]) {
    let mut work = (area, own);
    let work = (&raw mut work).cast();
    let flags = libc::CLONE_VM | libc::SIGCHLD;
    // SAFETY: the writer has a stack of its own, and what it is given outlives it.
    let writer =
        unsafe { libc::clone(write_for_ever, stack.as_mut_ptr_range().end.cast(), flags, work) };
    assert!(writer > 0, "a writer");
    let writer = Pid::from_raw(writer);
    sleep(after);
    kill(writer, Signal::SIGKILL).expect("a process");
    let status = waitpid(writer, None).expect("it ends");
    assert_eq!(status, WaitStatus::Signaled(writer, Signal::SIGKILL, false), "it ended by itself");
    let left = area.unregister(own.text_start);
    assert!([0, -ENOENT].contains(&left), "{left} for what a killed writer may have left");
    cycle(area, own).expect("after a writer was killed");
}

#[test]
fn one_registry_under_everything_at_once() {
    let area = Area::new(CAPACITY);
    let probe = Probe::named("load");
    assert_eq!(area.register(&probe.dso()), 0);
    let all: &'static [Dso] = dsos(WRITERS + 2, 16).leak();
    let [for_children, for_killed] = [&all[WRITERS], &all[WRITERS + 1]];
    let (stop, [cycles, faults, forks, kills]) =
        (AtomicBool::new(false), [const { AtomicU64::new(0) }; 4]);
    let go_on = || !stop.load(SeqCst);
    handler::install();
    scope(|scope| {
        for dso in &all[..WRITERS] {
            scope.spawn(|| {
                let _stop = Stop(&stop);
                while go_on() {
                    cycle(area, dso).unwrap_or_else(|error| panic!("{error}"));
                    cycles.fetch_add(1, Relaxed);
                }
            });
        }
        for _ in 0..READERS {
            scope.spawn(|| {
                let _stop = Stop(&stop);
                handler::set_area(area.address);
                while go_on() {
                    let landed = probe.raise(64).expect("the fault lands");
                    assert_eq!((landed.rdi, landed.rdx, landed.rcx), (14, 64, probe.fault));
                    faults.fetch_add(1, Relaxed);
                }
            });
        }
        scope.spawn(|| {
            let _stop = Stop(&stop);
            while go_on() {
                forked(area, for_children, probe.fault);
                forks.fetch_add(1, Relaxed);
            }
        });
        scope.spawn(|| {
            let _stop = Stop(&stop);
            let mut stack = vec![0_u64; 8 * PAGE_SIZE];
            let mut after = 1;
            while go_on() {
                after = after * 16807 % 2_147_483_647_u64; // Lewis, Goodman and Miller.
                killed(area, for_killed, Duration::from_micros(after % 500), &mut stack);
                kills.fetch_add(1, Relaxed);
            }
        });
        let _stop = Stop(&stop);
        let start = Instant::now();
        let size = area_size(CAPACITY).expect("a size");
        let mut newest = area.address;
        for _ in 0..MOVES {
            sleep(TIME / (MOVES + 1));
            let larger = map(size as usize, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE);
            assert_eq!((entries().grow)(newest, larger, size), 0, "the registry moves");
            newest = larger;
        }
        sleep(TIME.saturating_sub(start.elapsed()));
    });
    let [cycles, faults, forks, kills] = [cycles, faults, forks, kills].map(AtomicU64::into_inner);
    println!(
        "{cycles} registrations, {faults} faults, {forks} children, {kills} killed writers, {MOVES} moves"
    );
    assert!(cycles > 100 && faults > 100 && forks > 5 && kills > 20, "too little has happened");
    assert!(
        all.iter().all(|dso| landing(area, dso.text_start) == Err(-ENOENT)),
        "a registration is left"
    );
    assert_eq!(
        landing(area, probe.fault),
        Ok(probe.landing),
        "what was there from the start is lost"
    );
}
