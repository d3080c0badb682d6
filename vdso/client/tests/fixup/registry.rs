//! The registry: how long it lasts, which libraries share it, and how it grows.

#![expect(unsafe_code, reason = "registers texts")]

use crate::{PAGE, VDSO, pages, passes, register};
use liblinux::fixup::{Dso, Entry, Fixups};
use liblinux::{Vdso, probe};
use liblinux_tests::stop::Stop;
use nix::sys::mman::ProtFlags;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

#[test]
fn a_registration_ends_and_comes_again() {
    passes(|| {
        let registration = register();
        let fixups = *registration.fixups();
        assert!(!fixups.by_kernel(), "this kernel consults no areas");
        let ip = probe::read::<u8>(8 as *const u8).expect_err("nothing is there").ip;
        assert_eq!(fixups.lookup(ip).unwrap().unwrap().text_start, registration.text_start());
        let again = fixups.register_own().unwrap_err();
        assert_eq!(again.name(), Some("EEXIST"));
        drop(registration);
        assert_eq!(fixups.lookup(ip), Ok(None));
        let _registration = fixups.register_own().unwrap();
        assert!(probe::read::<u8>(8 as *const u8).is_err());
    });
}

#[test]
fn all_of_a_process_share_one_area() {
    passes(|| {
        let first = Fixups::of_process(&VDSO).unwrap();
        let second = Fixups::of_process(&VDSO).unwrap();
        assert_eq!(first.area(), second.area());
        let _registration = second.register_own().unwrap();
        assert_eq!(first.register_own().unwrap_err().name(), Some("EEXIST"));
        // A child has what its parent had, and a handler for it.
        passes(|| assert!(probe::read::<u8>(8 as *const u8).is_err()));
    });
}

/// Texts of one page, each with a table of one entry behind its code.
struct Texts {
    start: *mut u8,
    count: usize,
}

impl Texts {
    fn new(count: usize) -> Self {
        let start = pages(count, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).as_ptr();
        let texts = Self { start, count };
        for number in 0..count {
            // The entry covers the first 8 bytes and lands behind them. Fields are relative to
            // their own addresses.
            let offset = -(PAGE as i32 / 2);
            let entry = Entry { start: offset, len: 8, landing: offset, flags: 0 };
            // SAFETY: memory of this test, and aligned.
            unsafe { texts.table(number).write(entry) };
        }
        texts
    }

    fn table(&self, number: usize) -> *mut Entry {
        self.start.wrapping_add(number * PAGE + PAGE / 2).cast()
    }

    fn dso(&self, number: usize) -> Dso {
        let text_start = self.start.wrapping_add(number * PAGE).addr() as u64;
        Dso { text_start, text_len: PAGE as u64, table: self.table(number).addr() as u64, count: 1 }
    }
}

#[test]
fn what_register_returns_is_the_registration() {
    passes(|| {
        let fixups = Fixups::of_process(&VDSO).unwrap();
        let dso = Texts::new(1).dso(0);
        // SAFETY: nothing is executed there.
        let registration = unsafe { fixups.register(&dso) }.unwrap();
        assert_eq!((*registration.dso(), registration.text_start()), (dso, dso.text_start));
        let hit = fixups.lookup(dso.text_start).unwrap().unwrap();
        assert_eq!((hit.text_start, hit.is_plain()), (dso.text_start, false));
        drop(registration);
        assert_eq!(fixups.lookup(dso.text_start), Ok(None));
        // SAFETY: as above.
        let kept = unsafe { fixups.register(&dso) }.unwrap().keep();
        assert!(fixups.lookup(kept.text_start).unwrap().is_some());
        fixups.unregister(kept.text_start).unwrap();
        assert_eq!(fixups.lookup(dso.text_start), Ok(None));
    });
}

#[test]
fn a_mark_is_of_part_of_its_text() {
    passes(|| {
        let fixups = Fixups::of_process(&VDSO).unwrap();
        let dso = Texts::new(1).dso(0);
        // SAFETY: nothing is executed there.
        let registration = unsafe { fixups.register(&dso) }.unwrap();
        let (start, end) = (dso.text().start, dso.text().end);
        // This kernel has no marks.
        for range in [start..end, start..start + 1, end - 1..end] {
            assert_eq!(registration.mark(range), Ok(()));
        }
        for range in [start - 1..end, start..end + 1, start..start, end..start, 0..1] {
            assert_eq!(
                registration.mark(range.clone()).unwrap_err().name(),
                Some("EINVAL"),
                "{range:?}"
            );
        }
    });
}

#[test]
fn a_full_registry_grows() {
    passes(|| {
        let registration = register();
        let fixups = *registration.fixups();
        let before = fixups.area();
        let texts = Texts::new(700);
        for number in 0..texts.count {
            // SAFETY: nothing is executed there.
            unsafe { fixups.register(&texts.dso(number)) }
                .unwrap_or_else(|error| panic!("number {number}: {error}"))
                .keep();
        }
        assert_ne!(fixups.area(), before);
        for number in 0..texts.count {
            let text = texts.dso(number).text_start;
            assert_eq!(
                fixups.lookup(text + 7).unwrap().unwrap().landing,
                text + 8,
                "number {number}"
            );
            assert_eq!(fixups.lookup(text + 8), Ok(None));
        }
        assert!(probe::read::<u8>(8 as *const u8).is_err(), "the handler follows");
        // A library that joins now finds the new area.
        assert_eq!(Fixups::of_process(&VDSO).unwrap().area(), fixups.area());
    });
}

/// Callers of an area are led on by so many moves, and there are more threads.
#[test]
fn threads_that_find_it_full_together_move_it_once() {
    const THREADS: usize = 4 * liblinux_abi::image::fixup::SEALS as usize;
    const EACH: usize = 24;
    passes(|| {
        let fixups = Fixups::of_process(&VDSO).unwrap();
        let first = fixups.area();
        let texts = Texts::new(THREADS * EACH);
        let dsos: Vec<Dso> = (0..texts.count).map(|number| texts.dso(number)).collect();
        let barrier = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for share in dsos.chunks(EACH) {
                let barrier = &barrier;
                scope.spawn(move || {
                    for dso in share {
                        barrier.wait();
                        // SAFETY: nothing is executed there.
                        let registered = unsafe { fixups.register(dso) };
                        registered.expect("a larger area has room").keep();
                    }
                });
            }
        });
        assert_ne!(fixups.area(), first, "the registry moved");
        for dso in dsos {
            fixups.unregister(dso.text_start).expect("the first area leads there");
        }
    });
}

#[test]
fn threads_fault_while_the_registry_moves() {
    passes(|| {
        let registration = register();
        let fixups = *registration.fixups();
        let before = fixups.area();
        let (stop, faults) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let _stop = Stop(&stop);
                    while !stop.load(SeqCst) {
                        assert!(
                            probe::read::<u64>(std::ptr::without_provenance::<u64>(8)).is_err()
                        );
                        faults.fetch_add(1, SeqCst);
                    }
                });
            }
            let _stop = Stop(&stop);
            let texts = Texts::new(400);
            for _ in 0..3 {
                for number in 0..texts.count {
                    // SAFETY: nothing is executed there.
                    unsafe { fixups.register(&texts.dso(number)) }.unwrap().keep();
                }
                for number in 0..texts.count {
                    fixups.unregister(texts.dso(number).text_start).unwrap();
                }
                let seen = faults.load(SeqCst);
                while faults.load(SeqCst) == seen {
                    assert!(!stop.load(SeqCst), "a thread failed");
                    std::thread::yield_now();
                }
            }
        });
        assert_ne!(fixups.area(), before, "the registry moved");
    });
}

#[test]
fn a_kernels_own_image_has_no_fixups() {
    let vdso = Vdso::find().expect("this kernel has a vDSO").or_syscall();
    assert!(
        vdso.symbol("__vdso_fixup_query").is_none(),
        "this is tested on a stock kernel, without the runner"
    );
    assert_eq!(Fixups::of_process(&vdso).unwrap_err(), liblinux::Errno::NO_ENTRY);
}
