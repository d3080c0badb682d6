//! A thread for which the kernel refuses legacy calls, as `legacy_syscalls=off` does it for all.
//!
//! By a seccomp filter, which every kernel has: what the patch does can be tried on one that lacks
//! it.
//!
//! # Invariants
//!
//! 1. The filter cannot be taken back. It holds for the thread that asks for it and for the
//!    processes that it makes.

#![expect(unsafe_code, reason = "gives the kernel a filter")]

use liblinux_abi::kernel::errno::ENOSYS;
use liblinux_abi::syscall::SYSCALLS;
use nix::libc::{
    BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP,
    SECCOMP_MODE_FILTER, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, prctl, sock_filter, sock_fprog,
};

/// Has the kernel refuse the legacy calls with `-ENOSYS` in this thread.
pub fn refuse_legacy() {
    let instruction = |code: u32, jt: u8, k: u32| sock_filter { code: code as u16, jt, jf: 0, k };
    // The number is the first word of `struct seccomp_data`.
    let mut filter = vec![instruction(BPF_LD | BPF_W | BPF_ABS, 0, 0)];
    let legacy: Vec<_> = SYSCALLS.iter().filter(|call| !call.successors().is_empty()).collect();
    for (index, call) in legacy.iter().enumerate() {
        let to_refusal = u8::try_from(legacy.len() - index).expect("a short filter");
        filter.push(instruction(BPF_JMP | BPF_JEQ | BPF_K, to_refusal, call.number));
    }
    filter.push(instruction(BPF_RET | BPF_K, 0, SECCOMP_RET_ALLOW));
    filter.push(instruction(BPF_RET | BPF_K, 0, SECCOMP_RET_ERRNO | ENOSYS as u32));
    let program = sock_fprog {
        len: u16::try_from(filter.len()).expect("a short filter"),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: takes no memory.
    let limited = unsafe { prctl(PR_SET_NO_NEW_PRIVS, 1_u64, 0_u64, 0_u64, 0_u64) };
    // SAFETY: the kernel reads the program and what it points to.
    let filtered =
        unsafe { prctl(PR_SET_SECCOMP, u64::from(SECCOMP_MODE_FILTER), &raw const program) };
    assert_eq!((limited, filtered), (0, 0), "{}", std::io::Error::last_os_error());
}
