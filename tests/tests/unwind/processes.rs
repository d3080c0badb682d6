//! Calls that make a child: the return address is in a register while the stack belongs to both.

use crate::walk::Walk;
use liblinux_abi::kernel::clone::{
    CLONE_ARGS_FLAGS, CLONE_ARGS_SIZE_VER0, CLONE_ARGS_STACK, CLONE_VM,
};

pub(crate) fn calls(walk: &mut Walk<'_>) {
    // In the parent, in the child, and refused.
    for result in [42, 0, -11] {
        let page = walk.page();
        let mut made = |name: &str, arguments: &[u64], word: (usize, u64)| {
            let write = |stepper: &liblinux_tests::arch::stepper::Stepper<'_>| {
                stepper.write(page, &[0; CLONE_ARGS_SIZE_VER0]);
                stepper.write(page + word.0, &word.1.to_ne_bytes());
            };
            assert_eq!(walk.call_to(name, arguments, &write, &|_| result), Some(result), "{name}");
        };
        let shared = CLONE_VM.into();
        made("__vdso_fork", &[], (0, 0));
        made("__vdso_vfork", &[], (0, 0));
        // A new stack is the kernel's to give: here the child stays on the old one.
        for arguments in [[0, 0], [shared, 0], [0, 16]] {
            made("__vdso_clone", &arguments, (0, 0));
        }
        let args = page as u64;
        for size in [0, CLONE_ARGS_SIZE_VER0 as u64] {
            made("__vdso_clone3", &[args, size], (CLONE_ARGS_FLAGS, 0));
            made("__vdso_clone3", &[args, size], (CLONE_ARGS_FLAGS, shared));
            made("__vdso_clone3", &[args, size], (CLONE_ARGS_STACK, 16));
        }
        made("__vdso_clone3", &[8, CLONE_ARGS_SIZE_VER0 as u64], (0, 0));
    }
}
