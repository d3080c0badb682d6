//! Legacy calls: every way through the functions that take their place.

use crate::walk::{REFUSED, Walk};
use liblinux_abi::kernel::clock::USEC_PER_SEC;
use liblinux_abi::kernel::errno::{EFAULT, EINVAL};
use liblinux_abi::syscall::SYSCALLS;
use liblinux_abi::syscall::legacy::{DIRENT_MIN, DIRENT_RECLEN, STACK};
use liblinux_tests::arch::stepper::Stepper;

const ONES: [u64; 6] = [u64::MAX; 6];
const BAD: i64 = -(EFAULT as i64);
const INVALID: i64 = -(EINVAL as i64);

pub(crate) fn calls(walk: &mut Walk<'_>) {
    let mut count = 0;
    for call in SYSCALLS.iter().filter(|call| !call.successors().is_empty()) {
        let reads = matches!(call.name, "utime" | "utimes" | "futimesat");
        assert_eq!(
            walk.call(call.symbol, &ONES),
            Some(if reads { BAD } else { REFUSED }),
            "{}",
            call.name
        );
        count += 1;
    }
    assert!(count > 0, "no legacy call was made");
    descriptors(walk);
    times(walk);
    directory(walk);
    let deepest = walk.stepper.deepest;
    assert_eq!(deepest, STACK as u64, "bytes of stack that a legacy function uses");
}

fn descriptors(walk: &mut Walk<'_>) {
    for (said, result) in [(0, 7), (1, 7), (-9, -9)] {
        assert_eq!(walk.call_to("__vdso_dup2", &[7, 7], &|_| {}, &|_| said), Some(result));
    }
    assert_eq!(walk.call_to("__vdso_dup2", &[7, 8], &|_| {}, &|_| 8), Some(8));
    for size in [0, 1] {
        walk.call("__vdso_epoll_create", &[size]);
    }
}

fn times(walk: &mut Walk<'_>) {
    let page = walk.page();
    let times = page as u64;
    let second = USEC_PER_SEC as u64;
    for (words, result) in [
        ([1, 2, 3, 4], REFUSED),
        ([1, second, 3, 4], INVALID),
        ([1, 2, 3, second], INVALID),
        ([1, u64::MAX, 3, 4], INVALID),
    ] {
        let write = |stepper: &Stepper<'_>| {
            for (index, word) in words.iter().enumerate() {
                stepper.write(page + index * 8, &word.to_ne_bytes());
            }
        };
        let mut set = |name: &str, arguments: &[u64], result: i64| {
            let said = walk.call_to(name, arguments, &write, &|_| REFUSED);
            assert_eq!(said, Some(result), "{name}: {words:?}");
        };
        set("__vdso_utime", &[8, times], REFUSED);
        set("__vdso_utimes", &[8, times], result);
        set("__vdso_futimesat", &[5, 8, times], result);
    }
    for (name, arguments) in
        [("__vdso_utime", [8, 0, 0]), ("__vdso_utimes", [8, 0, 0]), ("__vdso_futimesat", [5, 8, 0])]
    {
        assert_eq!(walk.call(name, &arguments), Some(REFUSED));
    }
}

fn directory(walk: &mut Walk<'_>) {
    let page = walk.page();
    // Lengths of entries, and where the kernel says that they end: good ones, and some that only
    // another thread writes.
    let cases: [(&[usize], i64); 8] = [
        (&[], 0),
        (&[24], 24),
        (&[24, 32, 48], 104),
        (&[24, 16], 48),
        (&[24, 0], 48),
        (&[24, 28], 56),
        (&[24, 64], 48),
        (&[24, 24], 40),
    ];
    for (lengths, said) in cases {
        let write = |stepper: &Stepper<'_>| {
            let mut at = page;
            for length in lengths {
                stepper.write(at, &[0; DIRENT_MIN]);
                stepper.write(at + DIRENT_RECLEN, &(*length as u16).to_ne_bytes());
                at += length;
            }
        };
        let result = walk.call_to("__vdso_getdents", &[5, page as u64, 4096], &write, &|_| said);
        assert_eq!(result, Some(said), "{lengths:?}");
    }
}
