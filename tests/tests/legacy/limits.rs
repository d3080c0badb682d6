//! `getrlimit` and `setrlimit` with a null pointer, in a process that has mapped address 0.

use crate::Function;
use crate::child::Child;
use nix::libc;
use std::sync::atomic::Ordering::SeqCst;

/// `RLIMIT_CORE`.
const CORE: usize = 4;

/// Both calls with a null pointer; whether the process has something there, both results, and the limit afterwards.
fn at_zero([get, set]: [Function; 2], map: bool) -> [i64; 5] {
    let prlimit = Function::bare("prlimit64");
    let child = Child::start(|numbers| {
        let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: nothing is at address 0.
        let mapped =
            map && unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) }.is_null();
        // SAFETY: the kernel and the function write to address 0, or find that they cannot.
        let got = unsafe { get.call([CORE, 0, 3, 4, 5, 6]) };
        // SAFETY: they read from there, what was just written.
        let done = unsafe { set.call([CORE, 0, 3, 4, 5, 6]) };
        let mut limit = [0_u64; 2];
        // SAFETY: the kernel writes to `limit`.
        unsafe { prlimit.call([0, CORE, 0, (&raw mut limit).addr(), 0, 0]) };
        let values =
            [i64::from(mapped), got as i64, done as i64, limit[0].cast_signed(), limit[1].cast_signed()];
        for (number, value) in numbers.iter().zip(values) {
            number.store(value, SeqCst);
        }
    });
    let [mapped, got, done, soft, hard, ..] = child.end();
    [mapped, got, done, soft, hard]
}

#[test]
fn a_null_pointer_is_an_address() {
    let [get, set] = ["getrlimit", "setrlimit"].map(Function::both);
    for map in [false, true] {
        let [ours, bare] = [0, 1].map(|way| at_zero([get[way], set[way]], map));
        assert_eq!(ours, bare);
        // Only root may map address 0; then it is as good as any.
        let result = if ours[0] == 1 { 0 } else { -(libc::EFAULT as i64) };
        assert_eq!(ours[1..3], [result; 2]);
        println!("with address 0 {}mapped: {ours:?}", if ours[0] == 1 { "" } else { "not " });
    }
}
