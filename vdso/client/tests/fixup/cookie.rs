//! Texts that are made at run time, each with a handler of its own: one function, and a cookie.

#![expect(unsafe_code, reason = "writes code, runs it, and maps memory")]

use crate::{PAGE, VDSO, dies, passes};
use core::ffi::c_void;
use liblinux::fixup::frame::{Frame, Verdict, stub};
use liblinux::fixup::{Arena, FRAME, Fixups, Stubs};
use liblinux::frame_landing;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};
use nix::sys::signal::Signal;
use std::num::NonZeroUsize;

const READ_WRITE_EXEC: u64 = 7;
const SIGBUS: u32 = 7;
const SIGSEGV: u32 = 11;

/// `mov rax, [rdi]`, `ret`.
const LOAD: [u8; 4] = [0x48, 0x8b, 0x07, 0xc3];

/// What an engine knows of its faults.
#[derive(Default)]
struct Engine {
    number: u64,
    signals: Vec<u32>,
}

frame_landing! {
    fn landing(cookie) => on_fault
}

/// Steps over a load from the first page or from a file, which loads the engine's number.
fn on_fault(frame: &mut Frame, cookie: *mut c_void) -> Verdict {
    // SAFETY: the cookie of the arenas below, which one thread uses.
    let engine = unsafe { &mut *cookie.cast::<Engine>() };
    engine.signals.push(frame.signal);
    if frame.signal != SIGBUS && frame.address >= PAGE as u64 {
        return Verdict::Decline;
    }
    frame.ip += 3;
    frame.rax = engine.number;
    Verdict::Resume
}

/// An engine's code, which loads from an address.
fn arena(engine: *mut Engine) -> Arena<'static> {
    let fixups = Fixups::of_process(&VDSO).expect("fixups");
    let code = stub(landing as *const (), engine.cast());
    let stubs = Stubs { code: &code, landing: 0, flags: FRAME };
    // SAFETY: the landing resumes or declines.
    let arena = unsafe { Arena::reserve(fixups, PAGE, PAGE, stubs) }.expect("an arena");
    // SAFETY: nothing is there.
    unsafe { arena.commit(0..PAGE, READ_WRITE_EXEC) }.expect("memory");
    let place: *mut [u8; LOAD.len()] = std::ptr::with_exposed_provenance_mut(arena.address());
    // SAFETY: committed above.
    unsafe { place.write(LOAD) };
    arena
}

fn load(arena: &Arena<'_>, address: usize) -> u64 {
    // SAFETY: `arena` wrote the function there.
    let function =
        unsafe { std::mem::transmute::<usize, extern "C" fn(usize) -> u64>(arena.address()) };
    function(address)
}

/// A page of a file that is empty.
fn empty_file() -> usize {
    let file = memfd_create("empty", MFdFlags::empty()).expect("a file");
    let length = NonZeroUsize::new(PAGE).expect("not empty");
    // SAFETY: a new mapping.
    let page = unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, file, 0) };
    page.expect("memory").as_ptr().expose_provenance()
}

#[test]
fn each_texts_faults_are_calls_with_its_own_cookie() {
    passes(|| {
        let mut engines = [1, 2].map(|number| Engine { number, signals: vec![] });
        let arenas = engines.each_mut().map(|engine| arena(&raw mut *engine));
        let file = empty_file();
        for (arena, number) in arenas.iter().zip(1..) {
            assert_eq!(load(arena, 8), number);
            assert_eq!(load(arena, file), number);
        }
        let word = 7_u64;
        assert_eq!(load(&arenas[0], (&raw const word).expose_provenance()), 7);
        drop(arenas);
        assert!(engines.iter().all(|engine| engine.signals == [SIGSEGV, SIGBUS]));
    });
}

#[test]
fn what_it_declines_is_the_signal_that_it_was() {
    dies(Signal::SIGSEGV, || {
        let mut engine = Engine::default();
        load(&arena(&raw mut engine), 2 * PAGE);
    });
}
