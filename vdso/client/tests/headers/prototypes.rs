//! The C header's types: what a program has in its libc's types is taken, and what would go wrong
//! is refused.

use crate::compiler::{check, run};
use liblinux_abi::arch::x86_64::signal::Action;
use liblinux_abi::syscall::SYSCALLS;
use liblinux_abi::syscall::ctype::{ALIASES, find};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::mem::offset_of;

/// Every header of glibc that declares a function with the name of a call, or a structure of one.
const LIBC: &str = "
#define _GNU_SOURCE 1
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/inotify.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include \"liblinux.h\"
";

/// Whether our function can be called with the arguments of the libc's. The number makes each a
/// type of its own, as a compiler complains about each type once.
const ACCEPTS: &str = "
#include <utility>
template<int N, class F> struct libc_function;
template<int N, class R, class... A> struct libc_function<N, R(A...)> {
\ttemplate<class G> static auto with(G *g) -> decltype(g(std::declval<A>()...));
};
template<int N, class R, class... A> struct libc_function<N, R(A...) noexcept> : libc_function<N, R(A...)> {};
template<int N, class R, class... A> struct libc_function<N, R(A..., ...)> : libc_function<N, R(A...)> {};
template<int N, class R, class... A> struct libc_function<N, R(A..., ...) noexcept> : libc_function<N, R(A...)> {};
";

/// Calls that the libc's function of the name gives more or fewer arguments, and adds or leaves out
/// the rest itself.
const OTHER_ARGUMENTS: &[&str] = &[
    "clone",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd",
    "faccessat",
    "fchmodat",
    "fcntl",
    "getcpu",
    "getrandom",
    "ioctl",
    "mq_open",
    "open",
    "openat",
    "ppoll",
    "prctl",
    "preadv",
    "preadv2",
    "ptrace",
    "pwritev",
    "pwritev2",
    "reboot",
    "semctl",
    "waitid",
];

/// Calls that have addresses as numbers, as the kernel does: their results are such numbers.
const NUMBERS: &[&str] = &[
    "brk",
    "madvise",
    "mincore",
    "mlock",
    "mlock2",
    "mmap",
    "mprotect",
    "mremap",
    "msync",
    "munlock",
    "munmap",
    "pkey_mprotect",
    "remap_file_pages",
];

/// Calls whose timer is another thing than the libc's, so that it has to be refused.
const TIMERS: &[&str] =
    &["timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime"];

/// The calls among `names` for which the compiler complains, by whether it knows a function of that
/// name.
fn complaints(names: &[&'static str]) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let mut program = format!("{LIBC}{ACCEPTS}");
    let first = program.lines().count() + 1;
    for (number, name) in names.iter().enumerate() {
        let function = format!("libc_function<{number}, decltype(::{name})>");
        writeln!(program, "auto c_{name}() -> decltype({function}::with(&__vdso_{name}));")
            .unwrap();
    }
    let flags =
        ["-x", "c++", "-std=gnu++17", "-fsyntax-only", "-fmax-errors=0", "-Wno-ignored-attributes"];
    let output = run("g++", &flags, &program);
    let (mut refused, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        let Some((place, complaint)) = line.split_once(": error: ") else { continue };
        let number = place.strip_prefix("<stdin>:").and_then(|place| place.split(':').next());
        let number: usize =
            number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        let Some(name) = number.checked_sub(first).map(|index| names[index]) else { continue };
        if complaint.starts_with("no matching function") { &mut refused } else { &mut unknown }
            .insert(name);
    }
    (refused, unknown)
}

#[test]
fn a_call_takes_the_arguments_of_the_libcs_function() {
    let names: Vec<_> =
        SYSCALLS.iter().filter(|call| call.is_exported()).map(|call| call.name).collect();
    let (_, unknown) = complaints(&names);
    let known: Vec<_> = names.iter().filter(|name| !unknown.contains(*name)).copied().collect();
    assert!(known.len() > 250, "glibc has functions for most calls: {unknown:?}");
    let (refused, unknown) = complaints(&known);
    assert!(unknown.is_empty(), "{unknown:?}");
    let expected: BTreeSet<_> = [OTHER_ARGUMENTS, NUMBERS, TIMERS].concat().into_iter().collect();
    assert_eq!(refused, expected, "calls that do not take what a program has");
    println!("{} of {} functions", known.len() - refused.len(), known.len());
}

/// The structures of calls that libcs have, too, under the name that the header uses or the one of
/// `ALIASES`.
#[test]
fn structures_are_the_libcs_of_that_name() {
    let mut tags = BTreeSet::new();
    for parameter in SYSCALLS.iter().flat_map(|call| call.parameters) {
        let words = parameter.replace('*', " ");
        let words: Vec<_> = words.split_whitespace().filter(|word| *word != "const").collect();
        if let ["struct" | "union", ..] = words.as_slice() {
            tags.insert(words[..2].join(" "));
        }
    }
    let mut compared = 0;
    for (kernels, libcs) in ALIASES {
        assert!(tags.remove(*kernels), "{kernels} is of no parameter");
        // Both are declared by headers of user space only for some.
        let both = format!("{LIBC}#include <linux/time_types.h>\n_Static_assert(");
        let size = format!("{both}sizeof({libcs}) == sizeof({kernels}), \"\");\n");
        let exists = format!("{both}sizeof({kernels}), \"\");\n");
        if check("gcc", &["-x", "c"], &exists).is_ok() {
            check("gcc", &["-x", "c"], &size).unwrap_or_else(|why| panic!("{libcs}: {why}"));
            compared += 1;
        }
        // A pointer to it is taken in both languages, by every call that has one.
        assert_eq!(find(kernels).map(|row| row.c), Some("void"), "{kernels}");
    }
    assert!(compared > 3, "{compared} structures were compared");
}

/// In C and in C++, with glibc and with musl, without a warning.
#[test]
fn the_right_structures_are_taken() {
    const USE: &str = "
long use(const void *image, struct timespec *time, struct timeval *old, struct msghdr *message, siginfo_t *info);
long use(const void *image, struct timespec *time, struct timeval *old, struct msghdr *message, siginfo_t *info)
{
\tconst struct timespec *until = time;
\tstruct itimerspec timer;
\tstruct sockaddr address;
\tstruct utsname name;
\tstruct rlimit limit;
\tstruct stat status;
\tsocklen_t length = sizeof(address);
\tsigset_t set;
\toff_t offset = 0;

\treturn LIBLINUX(image, clock_gettime)(CLOCK_MONOTONIC, time) +
\t       LIBLINUX(image, clock_nanosleep)(CLOCK_MONOTONIC, TIMER_ABSTIME, until, time) +
\t       LIBLINUX(image, gettimeofday)(old, 0) + LIBLINUX(image, utimensat)(-1, \"\", until, 0) +
\t       LIBLINUX(image, sendmsg)(0, message, 0) + LIBLINUX(image, recvmsg)(0, message, 0) +
\t       LIBLINUX(image, waitid)(P_ALL, 0, info, WEXITED, 0) + LIBLINUX(image, uname)(&name) +
\t       LIBLINUX(image, rt_sigtimedwait)(&set, info, until, 8) + LIBLINUX(image, fstat)(0u, &status) +
\t       LIBLINUX(image, timerfd_settime)(0, 0, &timer, &timer) +
\t       LIBLINUX(image, prlimit64)(0, RLIMIT_CORE, &limit, &limit) +
\t       LIBLINUX(image, accept)(0, &address, &length) + LIBLINUX(image, bind)(0, &address, (int)length) +
\t       LIBLINUX(image, sendfile)(0, 0, &offset, 0);
}
";
    for (compiler, flags) in [
        ("gcc", ["-x", "c", "-std=gnu17"].as_slice()),
        ("g++", &["-x", "c++", "-std=c++11"]),
        ("musl-gcc", &["-x", "c", "-std=gnu17"]),
    ] {
        // musl has no <sys/fanotify.h> for all of the kernel's types; this program needs few of the
        // headers.
        let program = [LIBC, USE].concat();
        check(compiler, flags, &program).unwrap_or_else(|why| panic!("{compiler}:\n{why}"));
    }
}

/// The libc's has other bytes under the same name.
#[test]
fn a_libcs_sigaction_is_refused_and_ours_is_the_kernels() {
    let call = |what: &str| {
        format!(
            "{LIBC}long use(const void *image, {what} *act);\nlong use(const void *image, {what} *act) {{ return LIBLINUX(image, rt_sigaction)(1, act, 0, 8); }}\n"
        )
    };
    for (compiler, flags) in
        [("gcc", ["-x", "c"]), ("g++", ["-x", "c++"]), ("musl-gcc", ["-x", "c"])]
    {
        assert!(check(compiler, &flags, &call("struct sigaction")).is_err(), "{compiler}");
        check(compiler, &flags, &call("const struct liblinux_sigaction")).unwrap();
    }
    let offsets = [
        ("handler", offset_of!(Action, handler)),
        ("flags", offset_of!(Action, flags)),
        ("restorer", offset_of!(Action, restorer)),
        ("mask", offset_of!(Action, mask)),
    ];
    let mut program = format!(
        "{LIBC}_Static_assert(sizeof(struct liblinux_sigaction) == {}, \"\");\n",
        size_of::<Action>()
    );
    for (field, offset) in offsets {
        writeln!(
            program,
            "_Static_assert(__builtin_offsetof(struct liblinux_sigaction, {field}) == {offset}, \"\");"
        )
        .unwrap();
    }
    check("gcc", &["-x", "c"], &program).unwrap();
}
