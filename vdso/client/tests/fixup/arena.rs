//! Code that is made at run time, in an arena: covered where it was committed, and nowhere else.

#![expect(unsafe_code, reason = "writes code, runs it, and maps memory")]

use crate::{PAGE, VDSO, dies, pages, passes};
use liblinux::fixup::{Arena, Dso, Entry, Fixups, Stubs};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous};
use nix::sys::signal::Signal;
use nix::unistd::ftruncate;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;

/// `mov rax, rcx`, `ret`: the address of the instruction that faulted.
const LANDING: [u8; 4] = [0x48, 0x89, 0xc8, 0xc3];

/// `mov rax, [8]`, `ret`.
const LOAD: [u8; 9] = [0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0, 0xc3];

const READ_WRITE_EXEC: u64 = 7;
const GRANULE: usize = 2 * PAGE;

fn arena() -> Arena<'static> {
    let fixups = Fixups::of_process(&VDSO).expect("fixups");
    let stubs = Stubs { code: &[&[0xcc; 16][..], &LANDING].concat(), landing: 16, flags: 0 };
    // SAFETY: the landing returns from the function that faulted.
    unsafe { Arena::reserve(fixups, 8 * GRANULE, GRANULE, stubs) }.expect("an arena")
}

/// Writes the function to a place that is mapped, and calls it there.
fn call(place: usize) -> usize {
    write(place);
    run(place)
}

fn write(place: usize) {
    let target: *mut [u8; LOAD.len()] = std::ptr::with_exposed_provenance_mut(place);
    // SAFETY: the caller mapped it.
    unsafe { target.write(LOAD) };
}

fn run(place: usize) -> usize {
    // SAFETY: the function is there.
    let function = unsafe { std::mem::transmute::<usize, extern "C" fn() -> usize>(place) };
    function()
}

/// Maps on top of a place, as a runtime does that knows nothing of arenas.
fn map_on_top(place: usize, length: usize) {
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC;
    let length = NonZeroUsize::new(length).expect("not empty");
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED;
    // SAFETY: the test's own memory.
    let mapped = unsafe { mmap_anonymous(NonZeroUsize::new(place), length, protection, flags) };
    assert_eq!(mapped.expect("memory").as_ptr().addr(), place);
}

#[test]
fn what_is_committed_is_covered_and_nothing_else_is() {
    passes(|| {
        let arena = arena();
        let at = |offset: usize| arena.address() + offset;
        // SAFETY: nothing is there.
        unsafe { arena.commit(GRANULE..3 * GRANULE, READ_WRITE_EXEC) }.expect("memory");
        for place in
            [at(GRANULE), at(2 * GRANULE + 5), at(3 * GRANULE - LOAD.len()), at(2 * GRANULE - 4)]
        {
            assert_eq!(call(place), place, "it lands, and says where it was");
        }
        // A mapping on top that the arena is not told of, as HotSpot commits: a signal, as on a
        // kernel with marks.
        map_on_top(at(4 * GRANULE), GRANULE);
        dies(Signal::SIGSEGV, || {
            call(at(4 * GRANULE));
        });
        arena.cover(4 * GRANULE..5 * GRANULE).expect("covered");
        assert_eq!(call(at(4 * GRANULE)), at(4 * GRANULE));
        arena.uncover(4 * GRANULE..5 * GRANULE).expect("uncovered");
        dies(Signal::SIGSEGV, || {
            run(at(4 * GRANULE));
        });
        // SAFETY: the test's function.
        unsafe { arena.decommit(2 * GRANULE..3 * GRANULE) }.expect("memory is gone");
        assert_eq!(call(at(GRANULE)), at(GRANULE), "its neighbour stays");
        dies(Signal::SIGSEGV, || {
            run(at(2 * GRANULE));
        });
        map_on_top(at(2 * GRANULE), GRANULE);
        dies(Signal::SIGSEGV, || {
            call(at(2 * GRANULE));
        });
        // SAFETY: as above.
        unsafe { arena.commit(2 * GRANULE..3 * GRANULE, READ_WRITE_EXEC) }.expect("memory again");
        assert_eq!(call(at(2 * GRANULE)), at(2 * GRANULE));
    });
}

/// Why there are arenas: a handler cannot see that a mapping is new.
#[test]
fn a_text_that_is_registered_as_a_whole_depends_on_the_kernel() {
    passes(|| {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC;
        let start = pages(4, access).as_ptr().expose_provenance();
        let landing: *mut [u8; 4] = std::ptr::with_exposed_provenance_mut(start + 16);
        // SAFETY: new memory.
        unsafe { landing.write(LANDING) };
        let table = start + 4 * PAGE - size_of::<Entry>();
        let covered = start as u64 + 32..table as u64;
        let entry = Entry::new(table as u64, covered, start as u64 + 16, 0).expect("an entry");
        let place: *mut Entry = std::ptr::with_exposed_provenance_mut(table);
        // SAFETY: new memory.
        unsafe { place.write(entry) };
        let text_len = 4 * PAGE as u64;
        let dso = Dso { text_start: start as u64, text_len, table: table as u64, count: 1 };
        let fixups = Fixups::of_process(&VDSO).expect("fixups");
        // SAFETY: the landing returns.
        let registration = unsafe { fixups.register(&dso) }.expect("a registration");
        map_on_top(start + PAGE, PAGE);
        assert_eq!(
            call(start + PAGE),
            start + PAGE,
            "this kernel has no mark that the mapping could take away"
        );
        registration
            .mark((start + PAGE) as u64..(start + 2 * PAGE) as u64)
            .expect("this kernel has no marks");
        assert_eq!(run(start + PAGE), start + PAGE);
    });
}

#[test]
fn code_is_written_through_a_second_mapping() {
    passes(|| {
        let arena = arena();
        let file: OwnedFd = memfd_create("code", MFdFlags::empty()).expect("a file");
        ftruncate(&file, GRANULE as i64).expect("its size");
        let (place, length) =
            (arena.address() + GRANULE, NonZeroUsize::new(GRANULE).expect("not empty"));
        let read_exec = ProtFlags::PROT_READ | ProtFlags::PROT_EXEC;
        let (shared, fixed) = (MapFlags::MAP_SHARED, MapFlags::MAP_SHARED | MapFlags::MAP_FIXED);
        let read_write = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping.
        let writable = unsafe { mmap(None, length, read_write, shared, &file, 0) };
        write(writable.expect("a view").as_ptr().expose_provenance());
        // SAFETY: addresses of the arena in which nothing is.
        unsafe { mmap(NonZeroUsize::new(place), length, read_exec, fixed, &file, 0) }
            .expect("a view");
        dies(Signal::SIGSEGV, || {
            run(place);
        });
        arena.cover(GRANULE..2 * GRANULE).expect("covered");
        assert_eq!(run(place), place);
    });
}

#[test]
fn an_arena_ends() {
    passes(|| {
        let arena = arena();
        // SAFETY: nothing is there.
        unsafe { arena.commit(0..GRANULE, READ_WRITE_EXEC) }.expect("memory");
        let (place, stubs, fixups) = (arena.address(), arena.stubs(), *arena.fixups());
        assert_eq!(fixups.lookup(place as u64).unwrap().unwrap().text_start, stubs as u64);
        // A child has it, too, and its own from then on.
        passes(|| {
            assert_eq!(call(place), place);
            // SAFETY: the test's function.
            unsafe { arena.decommit(0..GRANULE) }.expect("memory is gone");
            assert_eq!(fixups.lookup(place as u64), Ok(None));
        });
        assert_eq!(call(place), place);
        drop(arena);
        assert_eq!(fixups.lookup(place as u64), Ok(None));
        map_on_top(stubs, 4 * PAGE);
        dies(Signal::SIGSEGV, || {
            call(place);
        });
    });
}

#[test]
fn what_does_not_fit_is_refused() {
    passes(|| {
        let fixups = Fixups::of_process(&VDSO).expect("fixups");
        let code = [0xc3; PAGE];
        let reserve = |len: usize, granule: usize, size: usize, landing: usize, flags: u32| {
            let stubs = Stubs { code: &code[..size], landing, flags };
            // SAFETY: nothing is executed there.
            unsafe { Arena::reserve(fixups, len, granule, stubs) }
                .map(drop)
                .map_err(|error| error.name())
        };
        assert_eq!(reserve(PAGE, PAGE, PAGE - 16, PAGE - 17, 1), Ok(()));
        for (len, granule, size, landing, flags) in [
            (0, PAGE, 1, 0, 0),
            (PAGE, 0, 1, 0, 0),
            (PAGE, 64, 1, 0, 0),
            (3 * PAGE, 2 * PAGE, 1, 0, 0),
            (PAGE, PAGE, 0, 0, 0),
            (PAGE, PAGE, 1, 1, 0),
            (PAGE, PAGE, PAGE - 15, 0, 0),
            (PAGE, PAGE, 1, 0, 4),
            (1 << 31, PAGE, 1, 0, 0),
            ((1 << 31) - PAGE, (1 << 31) - PAGE, 1, 0, 0),
            (usize::MAX - PAGE + 1, PAGE, 1, 0, 0),
        ] {
            let wish = (len, granule, size, landing, flags);
            assert_eq!(
                reserve(len, granule, size, landing, flags),
                Err(Some("EINVAL")),
                "{wish:?}"
            );
        }
        let arena = arena();
        for range in [0..0, 0..PAGE, PAGE..GRANULE, 0..9 * GRANULE, 8 * GRANULE..9 * GRANULE] {
            for refused in [arena.cover(range.clone()), arena.uncover(range.clone())] {
                assert_eq!(refused.unwrap_err().name(), Some("EINVAL"), "{range:?}");
            }
        }
    });
}
