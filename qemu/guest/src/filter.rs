//! A seccomp filter as sandboxes have it: a list of numbers that are allowed, and one answer to all
//! others.
//!
//! The list is every number that the kernel's table has, so the filter refuses private calls alone.
//!
//! # Invariants
//!
//! 1. A filter stays for the rest of the process, and of those that it starts.

#![expect(unsafe_code, reason = "makes system calls by the image")]

use anyhow::{Context, Result, ensure};
use liblinux::{Call, Vdso};
use nix::libc::{self, sock_filter, sock_fprog};

/// No number of the table is as large.
const FIRST_UNKNOWN: u32 = 600;

/// `linux/audit.h`: `EM_X86_64`, 64-bit, little-endian.
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;

/// The answer to a call that is not on the list.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// It fails with this number.
    Errno(u16),
    /// The process ends with SIGSYS.
    Kill,
    /// It passes, and is in the audit log.
    Log,
}

/// Sets the filter, which refuses also this one of the table's calls.
pub fn set(vdso: &Vdso, answer: Answer, also: Option<Call>) -> Result<()> {
    let load = |offset: usize| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset as u32);
    let action = match answer {
        Answer::Errno(number) => libc::SECCOMP_RET_ERRNO | u32::from(number),
        Answer::Kill => libc::SECCOMP_RET_KILL_PROCESS,
        Answer::Log => libc::SECCOMP_RET_LOG,
    };
    let also = also.map_or(u32::MAX, |call| call.number());
    let mut code = [
        load(std::mem::offset_of!(libc::seccomp_data, arch)),
        jump(libc::BPF_JEQ, AUDIT_ARCH_X86_64, 0, 4),
        load(std::mem::offset_of!(libc::seccomp_data, nr)),
        jump(libc::BPF_JGE, FIRST_UNKNOWN, 2, 0),
        jump(libc::BPF_JEQ, also, 1, 0),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
        statement(libc::BPF_RET | libc::BPF_K, action),
    ];
    let mut program = sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
    nix::sys::prctl::set_no_new_privs().context("cannot give up new privileges")?;
    // SAFETY: the kernel copies the program.
    let set = unsafe { vdso.seccomp(libc::SECCOMP_SET_MODE_FILTER, 0, (&raw mut program).cast()) };
    ensure!(set == Ok(0), "cannot set a filter: {set:?}");
    Ok(())
}

fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Skips so many statements where the comparison holds, and so many where it does not.
fn jump(comparison: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (libc::BPF_JMP | comparison | libc::BPF_K) as u16, jt, jf, k }
}
