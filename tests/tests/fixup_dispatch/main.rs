//! Exceptions of every kind, on this kernel, with the image's `dispatch` in a signal handler.
//!
//! The kernel itself is the oracle: each probe first raises its exception without a fixup, and the
//! handler behind notes what the kernel reports. With the fixup, the registers at the landing have
//! to say the same.

#![expect(unsafe_code, reason = "maps memory and sends signals")]

mod mapped;

use liblinux_abi::image::fixup::SIGNAL_SHIFT;
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_tests::fixup::handler::{self, Seen};
use liblinux_tests::fixup::probe::{MARKS, OTHERS, Probe, Registers};
use liblinux_tests::fixup::{Area, entries, map};
use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mprotect, munmap};
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

const PAGE_FAULT: u64 = 14;

const ENOENT: isize = -2;

fn page(access: ProtFlags) -> u64 {
    map(PAGE_SIZE, access)
}

/// A page behind the end of its file.
fn page_past_the_end() -> u64 {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(b"x").expect("a byte");
    let len = NonZeroUsize::new(2 * PAGE_SIZE).expect("not empty");
    // SAFETY: a new mapping, at a place that the kernel chooses.
    let memory = unsafe { mmap(None, len, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, file, 0) };
    memory.expect("a mapping").as_ptr().expose_provenance() as u64 + PAGE_SIZE as u64
}

fn unmap(address: u64, len: usize) {
    let place =
        NonNull::new(std::ptr::with_exposed_provenance_mut(address as usize)).expect("an address");
    // SAFETY: the test's own pages.
    unsafe { munmap(place, len) }.expect("unmapped");
}

fn protect(address: u64, len: usize, access: ProtFlags) {
    let place =
        NonNull::new(std::ptr::with_exposed_provenance_mut(address as usize)).expect("an address");
    // SAFETY: the test's own pages.
    unsafe { mprotect(place, len, access) }.expect("protected");
}

/// An address where nothing is, and nothing comes: below what the kernel lets processes map.
const HOLE: u64 = 0x1000;

/// Maps memory where the kernel maps none of itself, so that what is unmapped there stays so.
fn map_apart(len: usize, access: ProtFlags, address: u64) -> u64 {
    let (place, len) =
        (NonZeroUsize::new(address as usize), NonZeroUsize::new(len).expect("not empty"));
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED_NOREPLACE;
    // SAFETY: a new mapping, which replaces none.
    let memory = unsafe { nix::sys::mman::mmap_anonymous(place, len, access, flags) };
    memory.expect("memory").as_ptr().expose_provenance() as u64
}

/// An address for [`map_apart`], another one each time.
fn apart() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0x2000_0000_0000);
    NEXT.fetch_add(1 << 20, Relaxed)
}

/// The kernel's report of a fault without a fixup, as the handler behind sees it. The registers at
/// that time, too.
fn without_a_fixup(probe: &Probe, argument: u64, area: Area) -> (Seen, Registers) {
    handler::set_area(area.address);
    handler::resume_at(probe.landing);
    let found =
        probe.raise(argument).unwrap_or_else(|| panic!("{}: nothing was raised", probe.name()));
    let seen = handler::seen().expect("the handler behind was called");
    assert_eq!((seen.dispatched, seen.is_untouched), (0, true), "{}: {seen:?}", probe.name());
    (seen, found)
}

/// A probe's name and argument, the signal, the exception's number.
fn cases() -> Vec<(&'static str, u64, libc::c_int, u64)> {
    let (read, write) = (ProtFlags::PROT_READ, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE);
    let [none, read_only, writable] = [ProtFlags::PROT_NONE, read, write].map(page);
    let (past_the_end, odd) = (page_past_the_end(), 1 << 60);
    let missing = HOLE;
    let (segv, bus, ill, fpe) = (libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE);
    vec![
        ("load", 0, segv, 14),
        ("load", missing, segv, 14),
        ("load", none, segv, 14),
        ("load", past_the_end, bus, 14),
        ("load", odd, segv, 13),
        ("load", 0xffff_ffff_8000_0000, segv, 14),
        ("store", missing, segv, 14),
        ("store", none, segv, 14),
        ("store", read_only, segv, 14),
        ("store", odd, segv, 13),
        ("stack", missing, segv, 14),
        ("stack", odd, bus, 12),
        ("undefined", 0, ill, 6),
        ("division by zero", 0, fpe, 0),
        ("division overflow", 0x8000_0000, fpe, 0),
        ("x87", 0, fpe, 16),
        ("sse", 0, fpe, 19),
        ("alignment", writable, bus, 17),
        ("privileged", 0, segv, 13),
        ("selector", 0, segv, 13),
    ]
}

#[test]
fn every_exception_lands_with_what_the_kernel_reports() {
    let (empty, area) = (Area::new(1), Area::new(1));
    for (name, argument, signal, trap) in cases() {
        let probe = Probe::named(name);
        let (seen, control) = without_a_fixup(probe, argument, empty);
        let place = format!("{name} with {argument:#x}: {seen:?}");
        assert_eq!((seen.signal, seen.trap, seen.rip), (signal, trap, probe.fault), "{place}");

        assert_eq!(area.register(&probe.dso()), 0, "{place}");
        let handled = handler::set_area(area.address);
        let landed = probe.raise(argument).unwrap_or_else(|| panic!("{place}: it did not land"));
        assert_eq!(handler::set_area(0) - handled, 1, "{place}: one signal");
        let address = if trap == PAGE_FAULT { seen.address } else { 0 };
        let rsi = seen.error_code | (signal as u64) << SIGNAL_SHIFT;
        let expected = Registers { rdi: trap, rsi, rdx: address, rcx: probe.fault, ..control };
        assert_eq!(landed, expected, "{place}");
        assert_eq!(landed.others, OTHERS, "{place}");
        assert_eq!(area.unregister(probe.start()), 0, "{place}");
    }
}

#[test]
fn a_plain_fixup_changes_rip_alone() {
    let area = Area::new(1);
    let probe = Probe::named("plain load");
    assert_eq!(area.register(&probe.dso()), 0);
    handler::set_area(area.address);
    let landed = probe.raise(64).expect("a landing");
    let [rdi, rsi, rdx, rcx] = MARKS;
    assert_eq!(landed, Registers { rax: 64, rdi, rsi, rdx, rcx, others: OTHERS });
}

#[test]
fn debug_exceptions_and_breakpoints_are_never_taken() {
    let area = Area::new(2);
    for (name, trap) in [("breakpoint", 3), ("debug", 1)] {
        let probe = Probe::named(name);
        assert_eq!(area.register(&probe.dso()), 0);
        // It is a trap: what is reported is the next instruction, which the fixup covers.
        assert_eq!(area.lookup(probe.fault + 1).map(|hit| hit.landing), Ok(probe.landing));
        let (seen, _) = without_a_fixup(probe, 0, area);
        assert_eq!(
            (seen.signal, seen.trap, seen.rip),
            (libc::SIGTRAP, trap, probe.fault + 1),
            "{seen:?}"
        );
    }
}

/// Sends a signal to this thread while it is at an instruction that has a fixup.
fn while_at_a_fixup(
    name: &str,
    signal: libc::c_int,
    send: impl FnOnce(libc::pid_t, libc::pid_t) + Send,
) {
    let area = Area::new(1);
    let probe = Probe::named("loop");
    assert_eq!(area.register(&probe.dso()), 0);
    handler::set_area(area.address);
    handler::resume_at(probe.landing);
    let stop = std::sync::atomic::AtomicU32::new(0);
    // SAFETY: has no preconditions.
    let process = unsafe { libc::getpid() };
    // SAFETY: as above.
    let thread = unsafe { libc::gettid() };
    let landed = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            send(process, thread);
        });
        probe.raise(stop.as_ptr().expose_provenance() as u64)
    });
    assert!(landed.is_some(), "{name}: the handler behind was to leave the loop");
    let seen = handler::seen().unwrap_or_else(|| panic!("{name}: it was taken for an exception"));
    assert_eq!(
        (seen.signal, seen.dispatched, seen.is_untouched),
        (signal, 0, true),
        "{name}: {seen:?}"
    );
    assert!((probe.fault..probe.landing).contains(&seen.rip), "{name}: not at a fixup: {seen:?}");
    assert!(seen.code <= 0, "{name}: {seen:?}");
}

#[test]
fn signals_that_are_sent_are_never_taken() {
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
        while_at_a_fixup("tgkill", signal, |process, thread| {
            // SAFETY: sends a signal that has a handler.
            let sent = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) };
            assert_eq!(sent, 0);
        });
    }
    while_at_a_fixup("queued to a thread", libc::SIGSEGV, |process, thread| {
        // SAFETY: all zeros is a valid value of the C struct.
        let mut information: libc::siginfo_t = unsafe { std::mem::zeroed() };
        information.si_code = libc::SI_QUEUE;
        let information = &raw const information;
        // SAFETY: sends a signal that has a handler.
        let sent = unsafe {
            libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread, libc::SIGSEGV, information)
        };
        assert_eq!(sent, 0);
    });
    while_at_a_fixup("a timer", libc::SIGBUS, |_, thread| {
        // SAFETY: all zeros is a valid value of the C struct.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGBUS;
        event.sigev_notify_thread_id = thread;
        let mut timer: libc::timer_t = std::ptr::null_mut();
        // SAFETY: makes a timer for a signal that has a handler.
        let status =
            unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
        assert_eq!(status, 0);
        let soon = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let once = libc::itimerspec { it_interval: zero, it_value: soon };
        // SAFETY: the timer was just made.
        let status =
            unsafe { libc::timer_settime(timer, 0, &raw const once, std::ptr::null_mut()) };
        assert_eq!(status, 0);
    });
}

#[test]
fn areas_that_are_gone_or_rubbish_are_areas_without_fixups() {
    let probe = Probe::named("load");
    let rubbish = page(ProtFlags::PROT_READ | ProtFlags::PROT_WRITE);
    let gone = Area {
        address: map_apart(PAGE_SIZE, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, apart()),
    };
    assert_eq!((entries().init)(gone.address, PAGE_SIZE as u64, 1), 0);
    assert_eq!(gone.register(&probe.dso()), 0);
    unmap(gone.address, PAGE_SIZE);
    for area in [0, 64, 1 << 60, u64::MAX - 63, rubbish, rubbish + 8, gone.address, HOLE] {
        without_a_fixup(probe, 0, Area { address: area });
    }
}
