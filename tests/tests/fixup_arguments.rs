//! What the entries of exception fixups do with bad arguments, on a stock kernel under the client's
//! kind of handler.

#![expect(unsafe_code, reason = "writes and protects memory, and calls entries by address")]

use liblinux_abi::image::fixup::{Dso, Hit, MAX_CAPACITY, area_size};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::errno::{EEXIST, EFAULT, EINVAL, ENOENT, ENOSPC, ENOSYS};
use liblinux_tests::fixup::probe::Probe;
use liblinux_tests::fixup::{Area, entries, handler, image, map};
use nix::libc;
use nix::sys::mman::{ProtFlags, mprotect};
use std::ptr::NonNull;

const WRITABLE: ProtFlags = ProtFlags::PROT_READ.union(ProtFlags::PROT_WRITE);

fn pointer(address: u64) -> NonNull<libc::c_void> {
    NonNull::new(std::ptr::with_exposed_provenance_mut(address as usize)).expect("an address")
}

/// Two pages, of which the second cannot be accessed; the address between them.
fn edge() -> u64 {
    let edge = map(2 * PAGE_SIZE, WRITABLE) + PAGE_SIZE as u64;
    // SAFETY: the test's own page.
    unsafe { mprotect(pointer(edge), PAGE_SIZE, ProtFlags::PROT_NONE) }.expect("protected");
    edge
}

/// A page that can be read and not written.
fn read_only(from: u64, len: usize) -> u64 {
    let page = map(PAGE_SIZE, WRITABLE);
    let (source, target): (*const u8, *mut u8) = (
        std::ptr::with_exposed_provenance(from as usize),
        std::ptr::with_exposed_provenance_mut(page as usize),
    );
    // SAFETY: the callers give memory of their own, which fits a page.
    unsafe { target.copy_from_nonoverlapping(source, len) };
    // SAFETY: the test's own page.
    unsafe { mprotect(pointer(page), PAGE_SIZE, ProtFlags::PROT_READ) }.expect("protected");
    page
}

/// Addresses where 8 bytes cannot be read, all of them multiples of 64.
fn nowhere() -> Vec<u64> {
    // The first three are below what the kernel lets processes map.
    vec![0, 64, 0x1000, edge(), 1 << 47, 1 << 55, 1 << 63, 0xffff_8880_0000_0000, u64::MAX - 63]
}

fn address_of<T>(value: &T) -> u64 {
    (&raw const *value).expose_provenance() as u64
}

#[test]
fn bad_pointers_are_answered_with_efault() {
    handler::set_area(0);
    let probe = Probe::named("load");
    let (dso, good) = (probe.dso(), Area::new(2));
    let size = area_size(2).expect("a size");
    let fixups = entries();
    for bad in nowhere() {
        let place = format!("at {bad:#x}");
        assert_eq!((fixups.init)(bad, size, 2), -EFAULT, "init {place}");
        assert_eq!(
            (fixups.register)(bad, address_of(&dso)),
            -EFAULT,
            "register in an area {place}"
        );
        assert_eq!((fixups.register)(good.address, bad), -EFAULT, "register a DSO {place}");
        let table = Dso { table: bad, ..dso };
        let expected = if bad < (1 << 56) { -EFAULT } else { -EINVAL };
        assert_eq!(good.register(&table), expected, "register a table {place}");
        assert_eq!((fixups.unregister)(bad, dso.text_start), -EFAULT, "unregister {place}");
        assert_eq!((fixups.grow)(bad, good.address, size), -EFAULT, "grow from an area {place}");
        assert_eq!((fixups.grow)(good.address, bad, size), -EFAULT, "grow to an area {place}");
        let mut hit = Hit::default();
        let out = (&raw mut hit).expose_provenance() as u64;
        assert_eq!(
            (fixups.lookup)(bad, dso.text_start, out),
            -EFAULT,
            "look up in an area {place}"
        );
        assert_eq!(
            (fixups.dispatch)(good.address, bad, address_of(&[0_u64; 512])),
            -EFAULT,
            "siginfo {place}"
        );
        assert_eq!(
            (fixups.dispatch)(good.address, address_of(&[0_u64; 16]), bad),
            -EFAULT,
            "context {place}"
        );
    }
    // Nothing of this was a change.
    assert_eq!(good.register(&dso), 0);
    for bad in nowhere() {
        assert_eq!((fixups.lookup)(good.address, probe.fault, bad), -EFAULT, "a hit at {bad:#x}");
    }
    assert_eq!(good.unregister(dso.text_start), 0);
}

#[test]
fn memory_that_ends_in_the_middle_is_answered_with_efault() {
    handler::set_area(0);
    let probe = Probe::named("store");
    let (dso, fixups, edge) = (probe.dso(), entries(), edge());
    let write = |address: u64, words: &[u64]| {
        let target: *mut u64 = std::ptr::with_exposed_provenance_mut(address as usize);
        // SAFETY: a page lies below the edge, and no other code uses it.
        unsafe { target.copy_from_nonoverlapping(words.as_ptr(), words.len()) };
    };
    let good = Area::new(2);
    for words in 1..4 {
        let at = edge - 8 * words;
        let all = [dso.text_start, dso.text_len, dso.table, dso.count];
        write(at, &all[..words as usize]);
        assert_eq!((fixups.register)(good.address, at), -EFAULT, "{words} words of a DSO");
    }
    // Areas of which more and more is there.
    let size = area_size(4).expect("a size");
    for there in (0..size).step_by(64) {
        assert_eq!((fixups.init)(edge - there, size, 4), -EFAULT, "{there} bytes of an area");
        assert_eq!(
            (fixups.grow)(good.address, edge - there, size),
            -EFAULT,
            "{there} bytes to grow to"
        );
    }
    assert_eq!(good.register(&dso), 0);
    for words in 0..4 {
        let found = (fixups.lookup)(good.address, probe.fault, edge - 8 * words);
        assert_eq!(found, -EFAULT, "{words} words for a hit");
    }
    // The header of an area, and no more.
    let header: Vec<u64> = (0..16).map(|word| read(good.address + 8 * word)).collect();
    write(edge - 128, &header);
    assert_eq!((fixups.unregister)(edge - 128, dso.text_start), -EFAULT);
    assert_eq!(Area { address: edge - 128 }.lookup(probe.fault), Err(-EFAULT));
}

fn read(address: u64) -> u64 {
    let source: *const u64 = std::ptr::with_exposed_provenance(address as usize);
    // SAFETY: the callers' own memory.
    unsafe { source.read() }
}

#[test]
fn areas_that_cannot_be_written_can_be_read() {
    handler::set_area(0);
    let probe = Probe::named("load");
    let (dso, fixups, good) = (probe.dso(), entries(), Area::new(2));
    assert_eq!(good.register(&dso), 0);
    let frozen = Area { address: read_only(good.address, area_size(2).expect("a size") as usize) };
    assert_eq!(frozen.lookup(probe.fault).map(|hit| hit.landing), Ok(probe.landing));
    assert_eq!(frozen.register(&Probe::named("store").dso()), -EFAULT);
    assert_eq!(frozen.unregister(dso.text_start), -EFAULT);
    assert_eq!((fixups.init)(frozen.address, PAGE_SIZE as u64, 2), -EFAULT);
    assert_eq!(
        (fixups.grow)(frozen.address, Area::new(4).address, area_size(4).expect("a size")),
        -EFAULT
    );
    let hit = read_only(address_of(&[0_u64; 4]), 32);
    assert_eq!((fixups.lookup)(good.address, probe.fault, hit), -EFAULT);
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let fixups = entries();
    for (capacity, size) in
        [(0, -EINVAL), (1, 384), (1024, 128 + 129 * 4224), (MAX_CAPACITY, 128 + 8193 * 4224)]
    {
        assert_eq!((fixups.area_size)(capacity), size, "{capacity} DSOs");
    }
    for capacity in [MAX_CAPACITY + 1, 1 << 32, u64::MAX] {
        assert_eq!((fixups.area_size)(capacity), -EINVAL, "{capacity} DSOs");
    }
    let area = Area::new(1);
    let size = area_size(1).expect("a size");
    assert_eq!((fixups.init)(area.address + 8, size, 1), -EINVAL, "not aligned");
    assert_eq!((fixups.init)(area.address, size - 1, 1), -EINVAL, "too small");
    let [first, second] = ["load", "store"].map(|name| Probe::named(name).dso());
    assert_eq!(area.register(&Dso { text_len: 8, ..first }), -EINVAL, "fixups outside the text");
    assert_eq!(area.register(&first), 0);
    assert_eq!(area.register(&first), -EEXIST, "twice");
    assert_eq!(area.register(&second), -ENOSPC, "one too many");
    assert_eq!(area.unregister(second.text_start), -ENOENT);
    assert_eq!(area.lookup(second.text_start), Err(-ENOENT));
    assert_eq!((fixups.grow)(area.address, area.address, size), -EINVAL, "into itself");
    let larger = Area::new(4);
    assert_eq!((fixups.grow)(area.address, larger.address, size - 1), -EINVAL, "too small");
    let size = area_size(4).expect("a size");
    assert_eq!((fixups.grow)(area.address, larger.address, size), 0);
    assert_eq!(area.register(&second), 0, "where the registry went");
    for probe in ["load", "store"].map(Probe::named) {
        assert_eq!(larger.lookup(probe.fault).map(|hit| hit.landing), Ok(probe.landing));
        assert_eq!(area.lookup(probe.fault), larger.lookup(probe.fault));
    }
}

#[test]
fn without_private_calls_nobody_is_asked() {
    let fixups = entries();
    for result in [(fixups.attach)(64, 64), (fixups.query)(0), (fixups.mark)(0, 4096)] {
        assert_eq!(result, -ENOSYS);
    }
}

#[test]
fn other_entries_answer_bad_pointers_under_the_handler_as_well() {
    handler::set_area(0);
    type Entry = extern "C" fn(u64, u64, u64, u64, u64) -> isize;
    // Coarse clock, time, processor: each stores at the given address, without a system call.
    let calls = [
        ("__vdso_clock_getres", 1),
        ("__vdso_time", 0),
        ("__vdso_getcpu", 0),
        ("__vdso_getrandom", 3),
    ];
    for bad in nowhere().into_iter().filter(|address| *address != 0) {
        for (name, argument) in calls {
            // SAFETY: these functions take at most as many words.
            let entry = unsafe { std::mem::transmute::<usize, Entry>(image().require(name)) };
            let mut words = [0; 5];
            words[argument] = bad;
            if name == "__vdso_getrandom" {
                // The probe for parameters.
                words[4] = u64::MAX;
            }
            let [a, b, c, d, e] = words;
            assert_eq!(entry(a, b, c, d, e), -EFAULT, "{name} with {bad:#x}");
        }
    }
}
