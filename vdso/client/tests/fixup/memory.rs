//! Probes of memory that is not there.

#![expect(unsafe_code, reason = "maps, unmaps and writes memory")]

use crate::{PAGE, pages, passes, register};
use liblinux::probe;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::signal::Signal;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

#[test]
fn probes_report_every_kind_of_bad_address() {
    passes(|| {
        let _registration = register();
        let nothing = pages(1, ProtFlags::PROT_NONE).as_ptr();
        let read_only = pages(1, ProtFlags::PROT_READ).as_ptr();
        let unmapped = pages(1, ProtFlags::PROT_READ).as_ptr();
        let file = tempfile::tempfile().expect("a file");
        let length = NonZeroUsize::new(PAGE).expect("not zero");
        // SAFETY: a new mapping, of a file without any bytes.
        let past_end =
            unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &file, 0) };
        let past_end = past_end.expect("a mapping").as_ptr().cast::<u8>();
        // The last thing that is done, so that nothing is mapped there again.
        // SAFETY: no other code uses it.
        unsafe { munmap(NonNull::new(unmapped.cast()).expect("not null"), PAGE) }
            .expect("unmapped");

        let (segv, bus) = (Some(Signal::SIGSEGV as u32), Some(Signal::SIGBUS as u32));
        for (kind, address, signal) in [
            ("PROT_NONE", nothing, segv),
            ("unmapped", unmapped, segv),
            ("past the end", past_end, bus),
            ("null", 8 as *mut u8, segv),
        ] {
            let fault = probe::read::<u32>(address.cast()).expect_err(kind);
            assert_eq!(fault.signal(), signal, "{kind}");
            assert_eq!((fault.trap, fault.address), (14, address.addr() as u64), "{kind}");
            assert_eq!(fault.error_code & 2, 0, "{kind}: a read");
            assert!(probe::read::<[u8; 3]>(address.cast()).is_err(), "{kind}");
        }
        // Not canonical: a general protection fault, which has no address.
        let fault = probe::read::<u64>((1_usize << 62) as *const u64).expect_err("not canonical");
        assert_eq!((fault.trap, fault.address, fault.signal()), (13, 0, segv));
        assert_eq!(probe::read::<u16>(read_only.cast()), Ok(0));
        // SAFETY: no code uses these pages.
        let fault = unsafe { probe::write(read_only.cast(), 7_u16) }.expect_err("read-only");
        assert_eq!(
            (fault.trap, fault.address, fault.error_code & 3),
            (14, read_only.addr() as u64, 3)
        );
        // SAFETY: memory of this test.
        assert_eq!(unsafe { probe::write(&raw mut *Box::new(1_u128), 2) }, Ok(()));
    });
}

#[test]
fn a_copy_stops_where_the_memory_ends() {
    passes(|| {
        let _registration = register();
        let two = pages(2, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).as_ptr();
        let second = two.wrapping_add(PAGE);
        // SAFETY: no code uses it.
        unsafe { munmap(NonNull::new(second.cast()).expect("not null"), PAGE) }.expect("unmapped");
        let source = [5_u8; 64];
        // SAFETY: the part that is mapped is this test's.
        let fault = unsafe { probe::copy(second.wrapping_sub(10), source.as_ptr(), 64) }
            .expect_err("the end");
        assert_eq!((fault.address, fault.error_code & 2), (second.addr() as u64, 2));
        assert_eq!(
            probe::read::<[u8; 12]>(second.wrapping_sub(12).cast()),
            Ok([0, 0, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5])
        );
        let mut target = [0_u8; 64];
        // SAFETY: memory of this test.
        let fault = unsafe { probe::copy(target.as_mut_ptr(), second.wrapping_sub(10), 64) }
            .expect_err("the end");
        assert_eq!((fault.address, target[9], target[10]), (second.addr() as u64, 5, 0));
    });
}
