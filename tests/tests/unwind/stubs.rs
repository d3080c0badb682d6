//! The entry of every system call, and `__vdso_syscall`.

use crate::walk::{REFUSED, Walk, answer};
use liblinux_abi::image::export::{SYSCALL, standard};
use liblinux_abi::image::layout::slot;
use liblinux_abi::syscall::{Kind, SYSCALLS};
use liblinux_tests::arch::stepper::Call;

const ONES: [u64; 6] = [u64::MAX; 6];

pub(crate) fn calls(walk: &mut Walk<'_>) {
    let mut count = 0;
    for call in
        SYSCALLS.iter().filter(|call| call.is_exported() && !matches!(call.kind, Kind::Standard))
    {
        if call.name == "rt_sigreturn" {
            continue; // Its frame is a signal frame: see `signal`.
        }
        if !call.successors().is_empty() {
            continue; // A function: see `legacy`.
        }
        let wanted = if matches!(call.name, "exit" | "exit_group") { None } else { Some(REFUSED) };
        assert_eq!(walk.call(call.symbol, &ONES), wanted, "{}", call.name);
        count += 1;
    }
    assert!(count > 0, "no stub was called");
    // The fallbacks of the standard functions, of which some have no use for theirs.
    for call in standard() {
        let entry = walk.image.base() + slot(call.number);
        let call = Call { entry, arguments: ONES, seventh: 0 };
        assert_eq!(
            walk.run("fallback", &call, &mut |stop| answer(stop, &|_| REFUSED)),
            Some(REFUSED)
        );
    }
    assert_eq!(walk.call(SYSCALL, &ONES), Some(REFUSED));
}
