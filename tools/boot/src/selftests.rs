//! The kernel's own selftests: judges of the image that nobody here wrote.
//!
//! They come from the source of the kernel that the guest runs and are compiled where they lie, with the flags of their
//! Makefiles: a line of gcc each, because the Makefiles of the five folders agree on nothing, build all or nothing, and
//! cannot say when to build again. As in those Makefiles the programs are dynamic: `dlopen("linux-vdso.so.1")`, with
//! which some look for the image, finds nothing in a static program, and they would test nothing. rseq's library alone
//! is linked in, since no loader of the guest would find it.
//!
//! Here is every selftest that runs; the case `qemu/cases/selftests.toml` says which were left out, and why.
//!
//! # Invariants
//!
//! 1. Nothing of the kernel's is copied into the project or written into its tree.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program of the kernel's selftests.
#[derive(Clone, Copy, Debug)]
pub struct Selftest {
    /// Its folder in `tools/testing/selftests` and its name: `vDSO/vdso_test_abi`.
    pub name: &'static str,
    /// Files beside `NAME.c`.
    more: &'static [&'static str],
    /// Flags beside the folder's.
    flags: &'static [&'static str],
}

const fn selftest(name: &'static str) -> Selftest {
    Selftest { name, more: &[], flags: &[] }
}

const fn with(name: &'static str, more: &'static [&'static str], flags: &'static [&'static str]) -> Selftest {
    Selftest { name, more, flags }
}

const PARSER: &[&str] = &["parse_vdso.c"];

/// Every selftest there is.
pub const SELFTESTS: &[Selftest] = &[
    with("vDSO/vdso_test_gettimeofday", PARSER, &[]),
    with("vDSO/vdso_test_getcpu", PARSER, &[]),
    with("vDSO/vdso_test_abi", PARSER, &[]),
    selftest("vDSO/vdso_test_clock_getres"),
    with(
        "vDSO/vdso_standalone_test_x86",
        PARSER,
        &["-nostdlib", "-fno-asynchronous-unwind-tables", "-fno-stack-protector"],
    ),
    with("vDSO/vdso_test_mremap", PARSER, &[]),
    selftest("vDSO/vdso_test_correctness"),
    with(
        "vDSO/vdso_test_getrandom",
        PARSER,
        &["-isystem", "TREE/tools/include", "-isystem", "TREE/include/uapi"],
    ),
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
    selftest("syscall_user_dispatch/sud_test"),
];

/// A folder with what its Makefile says: more files, and flags. `TREE` is the kernel's source.
const FOLDERS: &[(&str, &[&str], &[&str])] = &[
    (
        "rseq",
        &["rseq.c"],
        &["-O2", "-pthread", "-ITREE/tools/testing/selftests/rseq", "-ITREE/tools/include"],
    ),
    ("syscall_user_dispatch", &[], &[]),
    ("timens", &[], &["-pthread"]),
    ("vDSO", &[], &["-O2", "-std=gnu99"]),
    ("x86", &[], &["-O2", "-std=gnu99", "-pthread", "-no-pie", "-DCAN_BUILD_64"]),
];

impl Selftest {
    /// Its main file in the kernel's source `tree`.
    pub fn source(&self, tree: &Path) -> PathBuf {
        tree.join("tools/testing/selftests").join(format!("{}.c", self.name))
    }

    /// The command that builds it into `output`.
    pub fn command(&self, tree: &Path, output: &Path) -> Command {
        let source = self.source(tree);
        let (folder, _) = self.name.split_once('/').expect("the table's names have a folder");
        let (_, more, flags) =
            FOLDERS.iter().find(|(name, ..)| *name == folder).expect("the table's folders are known");
        let mut command = Command::new("gcc");
        // As `lib.mk` says; without symbols, which the guest would have to unpack.
        command.args(["-D_GNU_SOURCE=", "-s", "-w"]);
        for flag in flags.iter().chain(self.flags) {
            command.arg(flag.replace("TREE", &tree.to_string_lossy()));
        }
        command.arg("-o").arg(output).arg(&source);
        command.args(more.iter().chain(self.more).map(|file| source.with_file_name(file)));
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case;

    #[test]
    fn the_line_has_the_folders_and_the_tests_own_words() {
        let line = |name: &str| {
            let test = SELFTESTS.iter().find(|test| test.name == name).unwrap();
            format!("{:?}", test.command(Path::new("/k"), Path::new("/o"))).replace('"', "")
        };
        assert_eq!(
            line("rseq/basic_test"),
            "gcc -D_GNU_SOURCE= -s -w -O2 -pthread -I/k/tools/testing/selftests/rseq -I/k/tools/include -o /o \
             /k/tools/testing/selftests/rseq/basic_test.c /k/tools/testing/selftests/rseq/rseq.c"
        );
        let line = line("x86/sysret_rip");
        assert!(line.contains(" -no-pie ") && line.ends_with("/x86/clang_helpers_64.S"), "{line}");
    }

    #[test]
    fn every_selftest_has_a_folder_and_a_name_of_its_own() {
        let mut names: Vec<&str> = SELFTESTS.iter().map(|test| test.name).collect();
        for test in SELFTESTS {
            test.command(Path::new("/k"), Path::new("/o"));
        }
        names.sort();
        assert!(names.is_sorted_by(|a, b| a < b), "twice in the table: {names:?}");
    }

    #[test]
    fn every_selftest_is_in_a_case() {
        let cases = case::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap();
        for test in SELFTESTS {
            let mut programs = cases.iter().flat_map(|case| &case.programs);
            assert!(programs.any(|program| program.name == test.name), "no case runs {}", test.name);
        }
    }
}
