//! The selftests, and what the Makefiles of their folders say. `TREE` is the kernel's source.

use super::Selftest;

const fn selftest(name: &'static str) -> Selftest {
    with(name, &[], &[])
}

const fn with(
    name: &'static str,
    more: &'static [&'static str],
    flags: &'static [&'static str],
) -> Selftest {
    Selftest { name, more, flags, line_flags: None, has_blocks: false, edit: None }
}

const PARSER: &[&str] = &["parse_vdso.c"];

/// Every selftest there is.
pub const SELFTESTS: &[Selftest] = &[
    with("vDSO/vdso_test_gettimeofday", PARSER, &[]),
    with("vDSO/vdso_test_getcpu", PARSER, &[]),
    with("vDSO/vdso_test_abi", PARSER, &[]),
    selftest("vDSO/vdso_test_clock_getres"),
    Selftest {
        line_flags: Some((
            "7.3",
            &[
                "-nostdinc",
                "-ffreestanding",
                "-include",
                "TREE/tools/include/nolibc/nolibc.h",
                "-ITREE/tools/include/nolibc",
            ],
        )),
        ..with(
            "vDSO/vdso_standalone_test_x86",
            PARSER,
            &["-nostdlib", "-fno-asynchronous-unwind-tables", "-fno-stack-protector"],
        )
    },
    with("vDSO/vdso_test_mremap", PARSER, &[]),
    selftest("vDSO/vdso_test_unmap"),
    with("vDSO/vdso_test_fixup", &["parse_vdso.c", "vdso_test_fixup_probes.S"], &[]),
    with("vDSO/vdso_test_fixup_marks", PARSER, &[]),
    with("vDSO/vdso_test_traced", &["parse_vdso.c", "vdso_test_fixup_probes.S"], &[]),
    with("vDSO/vdso_test_cancel", PARSER, &[]),
    with("vDSO/vdso_test_frames", &["parse_vdso.c", "vdso_test_frames_probes.S"], &[]),
    // It takes `__kernel_time_t` from a header that a newer C library includes.
    with("vDSO/vdso_test_correctness", PARSER, &["-include", "linux/types.h"]),
    with(
        "vDSO/vdso_test_getrandom",
        PARSER,
        &["-isystem", "TREE/tools/include", "-isystem", "TREE/include/uapi"],
    ),
    Selftest {
        has_blocks: true,
        edit: Some(("TRIALS = 1000", "TRIALS = 20")),
        ..with("vDSO/vdso_test_chacha", &[], &["-idirafter", "TREE/tools/include"])
    },
    selftest("timens/timens"),
    selftest("timens/timerfd"),
    selftest("timens/timer"),
    selftest("timens/clock_nanosleep"),
    selftest("timens/procfs"),
    selftest("timens/exec"),
    selftest("timens/futex"),
    selftest("timens/vfork_exec"),
    selftest("x86/single_step_syscall"),
    selftest("x86/syscall_nt"),
    selftest("x86/test_mremap_vdso"),
    with("x86/check_initial_reg_state", &[], &["-Wl,-ereal_start", "-static"]),
    selftest("x86/sigreturn"),
    selftest("x86/iopl"),
    selftest("x86/ioperm"),
    selftest("x86/test_vsyscall"),
    selftest("x86/mov_ss_trap"),
    selftest("x86/sigtrap_loop"),
    selftest("x86/syscall_arg_fault"),
    with("x86/fsgsbase_restore", &["clang_helpers_64.S"], &[]),
    selftest("x86/sigaltstack"),
    with("x86/nx_stack", &[], &["-Wl,-z,noexecstack"]),
    selftest("x86/fsgsbase"),
    with("x86/sysret_rip", &["clang_helpers_64.S"], &[]),
    selftest("x86/corrupt_xstate_header"),
    selftest("x86/ldt_gdt"),
    selftest("x86/ptrace_syscall"),
    selftest("rseq/basic_test"),
    selftest("rseq/param_test"),
    selftest("rseq/syscall_errors_test"),
    selftest("rseq/check_optimized"),
    selftest("syscall_user_dispatch/sud_test"),
    selftest("futex/functional/futex_lock_pi_exiting"),
    selftest("futex/functional/futex_requeue_pi"),
    selftest("futex/functional/futex_requeue_pi_mismatched_ops"),
    selftest("futex/functional/futex_requeue_pi_signal_restart"),
    selftest("futex/functional/futex_wait_private_mapped_file"),
    selftest("futex/functional/futex_wait_timeout"),
    selftest("futex/functional/futex_wait_uninitialized_heap"),
    selftest("futex/functional/futex_wait_wouldblock"),
    selftest("futex/functional/futex_waitv"),
    Selftest {
        edit: Some(("SLEEP_US 100\n", "SLEEP_US 500000\n")),
        ..selftest("futex/functional/robust_list")
    },
    with("mm/mseal_test", &["vm_util.c"], &[]),
    selftest("mseal_system_mappings/sysmap_is_sealed"),
];

/// A folder with what its Makefile says: more files, and flags.
pub(super) const FOLDERS: &[(&str, &[&str], &[&str])] = &[
    (
        "futex",
        &[],
        &[
            "-O2",
            "-pthread",
            "-D_FILE_OFFSET_BITS=64",
            "-D_TIME_BITS=64",
            "-DLIBNUMA_VER_NO=1",
            "-ITREE/tools/testing/selftests/futex/include",
        ],
    ),
    ("mm", &[], &["-O2", "-no-pie", "-ITREE/tools/include"]),
    ("mseal_system_mappings", &[], &["-O2"]),
    (
        "rseq",
        &["rseq.c"],
        &[
            "-O2",
            "-pthread",
            "-ITREE/tools/testing/selftests/rseq",
            "-ITREE/tools/include",
            "-ITREE/tools/arch/x86/include",
        ],
    ),
    ("syscall_user_dispatch", &[], &[]),
    ("timens", &[], &["-pthread"]),
    ("vDSO", &[], &["-O2", "-std=gnu99"]),
    ("x86", &[], &["-O2", "-std=gnu99", "-pthread", "-no-pie", "-DCAN_BUILD_64"]),
];
