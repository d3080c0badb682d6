//! Numbers, offsets and sizes of `liblinux-abi` against the kernel's headers.

use liblinux_abi::arch::x86_64::hypervisor::{HypervPage, PvclockPage};
use liblinux_abi::arch::x86_64::sgx::EnclaveRun;
use liblinux_abi::arch::x86_64::signal::Action;
use liblinux_abi::arch::x86_64::{alternative, hypervisor, segment, sgx, signal};
use liblinux_abi::image::layout;
use liblinux_abi::kernel::clone::CloneArgs;
use liblinux_abi::kernel::datapage::LAYOUTS;
use liblinux_abi::kernel::random::{Parameters, State};
use liblinux_abi::kernel::{auxv, clock, clone, errno, random};
use liblinux_abi::syscall::legacy;
use liblinux_tests::kernel::Source;
use liblinux_tests::kernel::header::{Fact, compare};
use liblinux_workspace::line;
use std::mem::{offset_of, size_of};

const PRELUDE: &str = "
#include <vdso/datapage.h>
#include <asm/alternative.h>
#include <asm/cpufeatures.h>
#include <asm/pvclock-abi.h>
#include <asm/segment.h>
#include <linux/signal.h>
#include <asm/sigframe.h>
#include <linux/auxvec.h>
#include <linux/dirent.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <vdso/getrandom.h>
#include <asm/enclu.h>
#include <uapi/asm/sgx.h>
#define at(type, member) __builtin_offsetof(struct type, member)
";

/// More, by kernel line.
const PRELUDES: [(&str, &str); 2] = [
    ("7.3", "#include <asm/vdso/vsyscall.h>\n#include <hyperv/hvhdk.h>\n"),
    (
        "6.12",
        "#include <asm/hyperv-tlfs.h>
#undef _ASM_X86_VVAR_H
#undef _SINGLE_DATA
#define EMIT_VVAR(name, offset) enum { at_##name = offset };
#include <asm/vvar.h>
",
    ),
];

macro_rules! facts {
    ($($expression:literal = $value:expr;)*) => { [$(Fact { expression: $expression, value: $value as usize }),*] };
}

#[test]
fn facts_are_the_kernels() {
    let facts = facts! {
        "PAGE_SIZE" = layout::PAGE_SIZE;
        "at(pvclock_vcpu_time_info, version)" = offset_of!(PvclockPage, version);
        "at(pvclock_vcpu_time_info, tsc_timestamp)" = offset_of!(PvclockPage, tsc_timestamp);
        "at(pvclock_vcpu_time_info, system_time)" = offset_of!(PvclockPage, system_time);
        "at(pvclock_vcpu_time_info, tsc_to_system_mul)" = offset_of!(PvclockPage, tsc_to_system_mul);
        "at(pvclock_vcpu_time_info, tsc_shift)" = offset_of!(PvclockPage, tsc_shift);
        "at(pvclock_vcpu_time_info, flags)" = offset_of!(PvclockPage, flags);
        "PVCLOCK_TSC_STABLE_BIT" = hypervisor::PVCLOCK_TSC_STABLE;
        "at(ms_hyperv_tsc_page, tsc_sequence)" = offset_of!(HypervPage, sequence);
        "at(ms_hyperv_tsc_page, tsc_scale)" = offset_of!(HypervPage, scale);
        "at(ms_hyperv_tsc_page, tsc_offset)" = offset_of!(HypervPage, offset);
        "VDSO_HRES" = clock::HIGH_RESOLUTION;
        "VDSO_COARSE" = clock::COARSE;
        "VDSO_RAW" = clock::RAW;
        "CLOCK_REALTIME" = clock::REALTIME;
        "CLOCK_MONOTONIC" = clock::MONOTONIC;
        "CLOCK_MONOTONIC_RAW" = clock::MONOTONIC_RAW;
        "CLOCK_REALTIME_COARSE" = clock::REALTIME_COARSE;
        "CLOCK_MONOTONIC_COARSE" = clock::MONOTONIC_COARSE;
        "CLOCK_BOOTTIME" = clock::BOOTTIME;
        "CLOCK_TAI" = clock::TAI;
        "sizeof(struct alt_instr)" = alternative::ENTRY_SIZE;
        "X86_FEATURE_RDTSCP" = alternative::FEATURE_RDTSCP;
        "X86_FEATURE_RDPID" = alternative::FEATURE_RDPID;
        "X86_FEATURE_AVX2" = alternative::FEATURE_AVX2;
        "X86_FEATURE_AVX512VL" = alternative::FEATURE_AVX512VL;
        "__CPUNODE_SEG" = segment::CPUNODE_SEGMENT;
        "VDSO_CPUNODE_BITS" = segment::CPUNODE_BITS;
        "EFAULT" = errno::EFAULT;
        "EINVAL" = errno::EINVAL;
        "ENOSYS" = errno::ENOSYS;
        "sizeof(struct vgetrandom_state)" = size_of::<State>();
        "at(vgetrandom_state, batch)" = offset_of!(State, batch);
        "at(vgetrandom_state, key)" = offset_of!(State, key);
        "at(vgetrandom_state, generation)" = offset_of!(State, generation);
        "at(vgetrandom_state, pos)" = offset_of!(State, pos);
        "at(vgetrandom_state, in_use)" = offset_of!(State, in_use);
        "CHACHA_BLOCK_SIZE" = random::BLOCK_SIZE;
        "CHACHA_KEY_SIZE" = random::KEY_SIZE;
        "sizeof(struct vgetrandom_opaque_params)" = size_of::<Parameters>();
        "at(vgetrandom_opaque_params, size_of_opaque_state)" = offset_of!(Parameters, size_of_opaque_state);
        "at(vgetrandom_opaque_params, mmap_prot)" = offset_of!(Parameters, mmap_prot);
        "at(vgetrandom_opaque_params, mmap_flags)" = offset_of!(Parameters, mmap_flags);
        "at(vgetrandom_opaque_params, reserved)" = offset_of!(Parameters, reserved);
        "PROT_READ" = random::PROT_READ;
        "PROT_WRITE" = random::PROT_WRITE;
        "MAP_DROPPABLE" = random::MAP_DROPPABLE;
        "MAP_ANONYMOUS" = random::MAP_ANONYMOUS;
        "GRND_NONBLOCK" = random::GRND_NONBLOCK;
        "GRND_RANDOM" = random::GRND_RANDOM;
        "GRND_INSECURE" = random::GRND_INSECURE;
        "MAX_RW_COUNT" = random::MAX_RW_COUNT;
        "CLONE_VM" = clone::CLONE_VM;
        "CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID"
            = clone::THREAD_FLAGS;
        "CLONE_SETTLS" = clone::CLONE_SETTLS;
        "sizeof(struct clone_args)" = size_of::<CloneArgs>();
        "at(clone_args, flags)" = clone::CLONE_ARGS_FLAGS;
        "at(clone_args, child_tid)" = offset_of!(CloneArgs, child_tid);
        "at(clone_args, parent_tid)" = offset_of!(CloneArgs, parent_tid);
        "at(clone_args, stack)" = clone::CLONE_ARGS_STACK;
        "at(clone_args, stack_size)" = offset_of!(CloneArgs, stack_size);
        "at(clone_args, tls)" = offset_of!(CloneArgs, tls);
        "at(clone_args, cgroup)" = offset_of!(CloneArgs, cgroup);
        "sizeof(struct sigaction)" = size_of::<Action>();
        "at(sigaction, sa_handler)" = offset_of!(Action, handler);
        "at(sigaction, sa_flags)" = offset_of!(Action, flags);
        "at(sigaction, sa_restorer)" = offset_of!(Action, restorer);
        "at(sigaction, sa_mask)" = offset_of!(Action, mask);
        "SA_SIGINFO" = signal::SA_SIGINFO;
        "SA_RESTORER" = signal::SA_RESTORER;
        "SA_ONSTACK" = signal::SA_ONSTACK;
        "SA_RESTART" = signal::SA_RESTART;
        "SA_NODEFER" = signal::SA_NODEFER;
        "SA_RESETHAND" = signal::SA_RESETHAND;
        "CLONE_ARGS_SIZE_VER0" = clone::CLONE_ARGS_SIZE_VER0;
        "-AT_FDCWD" = -legacy::AT_FDCWD;
        "AT_SYMLINK_NOFOLLOW" = legacy::AT_SYMLINK_NOFOLLOW;
        "AT_REMOVEDIR" = legacy::AT_REMOVEDIR;
        "O_CREAT | O_WRONLY | O_TRUNC" = legacy::CREATE;
        "F_GETFD" = legacy::F_GETFD;
        "FD_CLOEXEC" = legacy::FD_CLOEXEC;
        "SIGCHLD" = legacy::SIGCHLD;
        "AT_NULL" = auxv::AT_NULL;
        "AT_SYSINFO_EHDR" = auxv::AT_SYSINFO_EHDR;
        "NSEC_PER_SEC" = clock::NSEC_PER_SEC;
        "USEC_PER_SEC" = clock::USEC_PER_SEC;
        "NSEC_PER_USEC" = clock::NSEC_PER_USEC;
        "at(linux_dirent64, d_reclen)" = legacy::DIRENT_RECLEN;
        "at(linux_dirent64, d_type)" = legacy::DIRENT_RECLEN + 2;
        "at(linux_dirent64, d_name)" = legacy::DIRENT_RECLEN + 3;
        "EENTER" = sgx::EENTER;
        "ERESUME" = sgx::ERESUME;
        "EEXIT" = sgx::EEXIT;
        "sizeof(struct sgx_enclave_run)" = size_of::<EnclaveRun>();
        "at(sgx_enclave_run, tcs)" = offset_of!(EnclaveRun, tcs);
        "at(sgx_enclave_run, function)" = offset_of!(EnclaveRun, function);
        "at(sgx_enclave_run, exception_vector)" = offset_of!(EnclaveRun, exception_vector);
        "at(sgx_enclave_run, exception_error_code)" = offset_of!(EnclaveRun, exception_error_code);
        "at(sgx_enclave_run, exception_addr)" = offset_of!(EnclaveRun, exception_addr);
        "at(sgx_enclave_run, user_handler)" = offset_of!(EnclaveRun, user_handler);
        "at(sgx_enclave_run, user_data)" = offset_of!(EnclaveRun, user_data);
        "at(sgx_enclave_run, reserved)" = offset_of!(EnclaveRun, reserved);
        "at(ucontext, uc_stack.ss_sp)" = signal::STACK_START;
        "at(ucontext, uc_stack.ss_flags)" = signal::STACK_FLAGS;
        "at(ucontext, uc_stack.ss_size)" = signal::STACK_SIZE;
        "at(ucontext, uc_mcontext)" = signal::MCONTEXT;
        "at(ucontext, uc_sigmask)" = signal::SIGNAL_MASK;
        "at(ucontext, uc_mcontext.bx)" = signal::RBX;
        "at(ucontext, uc_mcontext.sp)" = signal::RSP;
        "at(ucontext, uc_mcontext.ip)" = signal::RIP;
        "at(ucontext, uc_mcontext.flags)" = signal::FLAGS;
        "at(ucontext, uc_mcontext.fpstate)" = signal::FPSTATE;
        "X86_EFLAGS_RF" = signal::FLAGS_RESUME as usize;
        "sizeof(struct _fpstate_64)" = signal::FPSTATE_SIZE;
        "at(_fpstate_64, sw_reserved.magic1)" = signal::FPSTATE_MAGIC_AT;
        "at(_fpstate_64, sw_reserved.extended_size)" = signal::FPSTATE_SIZE_AT;
        "FP_XSTATE_MAGIC1" = signal::FPSTATE_MAGIC as usize;
        "at(rt_sigframe, uc)" = size_of::<usize>();
    };
    for (version, more) in PRELUDES {
        let line = line::find(version).expect("a kernel line");
        let Some(source) = Source::of_line(line) else { continue };
        let prelude = [PRELUDE, more].concat();
        let data = LAYOUTS.iter().find(|layout| layout.line == version).expect("a layout");
        let data = data.facts.iter().map(|&(expression, value)| Fact { expression, value });
        let facts: Vec<Fact> = facts.into_iter().chain(data).collect();
        if let Err(complaints) = compare(&source, &prelude, &facts) {
            panic!("Linux {version} disagrees:\n{complaints}");
        }
        // The comparison can fail.
        let wrong = [Fact { expression: "PAGE_SIZE", value: layout::PAGE_SIZE + 1 }];
        assert!(compare(&source, &prelude, &wrong).is_err(), "a wrong fact was accepted");
    }
}
