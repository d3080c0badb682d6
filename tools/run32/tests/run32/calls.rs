//! The same calls by the shim and by the kernel's own i386 ABI: results and memory are compared.
//!
//! `programs/calls.c` makes the calls. Each call is made with good arguments, and again with each
//! of its buffers at an address where nothing is.

use crate::workbench::{compiled, loader, output};
use liblinux_compat::table::ROWS;
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Calls, and arguments as `calls.c` reads them.
const CALLS: &[&str] = &[
    // Descriptors 3 and 4, which later calls use.
    "pipe &0",
    "fcntl64 3 4 800",
    "write 4 \"hello 5",
    "ioctl 3 541b &0",
    "read 3 &0 5",
    "read 3 &0 5",
    "poll &0 1 0 0=3:1",
    "_newselect 5 &0 &1 0 &2 0=8 1=10 2=0:0",
    "select &3 3=5:&0:&1:0:&2 0=8 1=10 2=0:0",
    "pselect6 5 &0 &1 0 &2 0 0=8 1=10 2=0:0",
    "pselect6_time64 5 &0 &1 0 &2 &3 0=8 1=10 2=0:0:0:0 3=0:8",
    "ppoll &0 1 &1 &2 8 0=3:1 1=0:0 2=0:0",
    "ppoll_time64 &0 1 &1 &2 8 0=3:1 1=0:0:0:0 2=0:0",
    "writev 4 &0 2 0=&1:4:&2:3",
    "readv 3 &0 2 0=&1:4:&2:3",
    "writev 4 &0 2 0=&1:ffffffff:&2:3",
    "writev 4 &0 500",
    // 5 is a file of 8000 bytes.
    "open \"data 2 0",
    "lseek 5 fffffff0 2",
    "lseek 5 ffffffff 0",
    "_llseek 5 0 10 &0 0",
    "_llseek 5 1 0 &0 0",
    "pread64 5 &0 10 8 0",
    "pread64 5 &0 10 0 ffffffff",
    "preadv 5 &0 1 8 0 0=&1:20",
    "preadv2 5 &0 1 8 0 0 0=&1:20",
    "pwrite64 5 &0 4 1f3c 0",
    "fstatat64 ffffff9c \"nonesuch &0 0",
    // 6 is a file that no call changes.
    "open \"still 0 0",
    "fstat64 6 &0",
    "fstat 6 &0",
    "oldfstat 6 &0",
    "stat64 \"still &0",
    "stat \"still &0",
    "oldstat \"still &0",
    "lstat64 \"other &0",
    "lstat \"other &0",
    "oldlstat \"other &0",
    "fstatat64 ffffff9c \"other &0 100",
    "close 6",
    "statfs64 \"/proc 54 &0",
    "statfs64 \"/proc 58 &0",
    "fstatfs64 5 53 &0",
    "statfs \"/proc &0",
    "fcntl64 5 d &0 0=0:0:1:0:0",
    "fcntl64 5 c &0 0=1:0:0:0:0:0",
    "fcntl64 5 5 &0 0=1:0:0:0",
    "fcntl 5 c &0 0=1:0:0:0:0:0",
    "fcntl64 5 d &0 0=2:0:0:0:0:0",
    "fcntl64 5 24 &0 0=1:0:0:0:0:0",
    "fcntl64 5 1 0",
    "truncate \"data 1f40",
    "truncate \"data ffffffff",
    "ftruncate64 5 1f40 0",
    "ftruncate64 5 0 80000000",
    "fallocate 5 0 0 0 10 0",
    "fallocate 5 1 0 0 0 0",
    "fadvise64 5 0 0 10 0",
    "fadvise64_64 5 0 0 10 0 9",
    "sync_file_range 5 0 0 10 0 0",
    "readahead 5 0 0 10",
    "sendfile 4 5 &0 4 0=10",
    "sendfile64 4 5 &0 4 0=10:0",
    "read 3 &0 40",
    "utime \"times &0 0=1000:2000",
    "utimes \"times &0 0=1000:1:2000:2",
    "utimensat ffffff9c \"times &0 0 0=1000:1:2000:2",
    "utimensat_time64 ffffff9c \"times &0 0 0=1000:0:1:ffffffff:2000:0:2:ffffffff",
    "futimesat ffffff9c \"times &0 0=1000:1:2000:2",
    "stat64 \"nonesuch &0",
    "getdents 5 &0 100",
    "open \"/sys/kernel/mm 10000 0",
    "getdents64 6 &0 200",
    "_llseek 6 0 0 &0 0",
    "getdents 6 &0 200",
    "getdents 6 &0 4",
    "_llseek 6 0 0 &0 0",
    "close 6",
    // Users and groups.
    "getuid",
    "getegid",
    "getresuid &0 &1 &2",
    "getresgid &0 &1 &2",
    "getresuid32 &0 &1 &2",
    "setreuid ffff ffff",
    "setfsuid ffff",
    "getgroups 0 &0",
    "getgroups 10 &0",
    "setgroups 10001 &0",
    "chown \"data ffff ffff",
    "lchown \"link ffff ffff",
    "fchown 63 0 0",
    // Signals.
    "rt_sigaction c &0 &1 8 0=5000:14000004:6000:15:aa",
    "rt_sigaction c 0 &1 8",
    "rt_sigaction c &0 0 4",
    "rt_sigaction 9 &0 0 8 0=5000:0:0:0:0",
    "rt_sigaction 40 0 &0 8",
    "sigaction c &0 &1 0=5000:15:10000000:0",
    "signal c 1",
    "signal c 0",
    "rt_sigprocmask 0 &0 &1 8 0=800:1",
    "rt_sigprocmask 2 0 &1 8",
    "sigprocmask 1 &0 &1 0=800",
    "sgetmask",
    "ssetmask 200",
    "sigpending &0",
    "rt_sigpending &0 8",
    "rt_sigtimedwait &0 &1 &2 8 0=200:0 2=0:0",
    "rt_sigtimedwait_time64 &0 &1 &2 8 0=200:0 2=0:0:0:0",
    "sigaltstack 0 &0",
    "sigaltstack &0 &1 0=10000000:0:2000",
    "sigaltstack &0 0 0=10000000:0:100",
    // Times.
    "nanosleep &0 &1 0=0:1",
    "nanosleep &0 &1 0=0:3b9aca00",
    "clock_nanosleep 1 0 &0 &1 0=0:1",
    "clock_nanosleep_time64 1 0 &0 &1 0=0:0:1:ffffffff",
    "clock_getres 1 &0",
    "clock_getres_time64 1 &0",
    "clock_gettime 63 &0",
    "clock_settime 1 &0 0=1:1",
    "clock_settime64 1 &0 0=1:0:1:0",
    "settimeofday 0 0",
    "setitimer 1 &0 &1 0=0:0:1000:0",
    "setitimer 1 &0 0 0=0:0:0:0",
    "getitimer 1 &0",
    "getitimer 9 &0",
    "timer_create 1 &0 &1 0=0:0:1:0",
    "timer_settime 0 0 &0 &1 0=0:0:0:0",
    "timer_gettime 0 &0",
    "timer_gettime64 0 &0",
    "timer_settime64 0 0 &0 &1 0=0:0:0:ffffffff:0:0:0:ffffffff",
    "timer_delete 0",
    "sched_rr_get_interval 0 &0",
    "sched_getaffinity 0 80 &0",
    "futex &0 0 0 &1 0=0 1=0:1",
    "futex &0 0 5 &1 0=0 1=0:1",
    "futex_time64 &0 0 0 &1 0=0 1=0:0:1:ffffffff",
    "futex &0 1 1",
    // Limits and the system.
    "ugetrlimit 7 &0",
    "getrlimit 7 &0",
    "ugetrlimit 63 &0",
    "setrlimit 4 &0 0=0:ffffffff",
    "ugetrlimit 4 &0",
    "prlimit64 0 4 0 &0",
    "uname &0",
    "olduname &0",
    "oldolduname &0",
    "nice 2",
    "nice 2",
    "getpriority 0 0",
    "getrusage ffffffff &0",
    "getrusage 63 &0",
    "sysinfo 10",
    "personality ffffffff",
    // Memory.
    "mmap2 10000000 2000 3 32 ffffffff 0",
    "mmap2 10002000 1000 1 12 5 1",
    "mmap &0 0=10004000:1000:3:32:ffffffff:0",
    "mmap &0 0=10004000:1000:3:32:ffffffff:10",
    "mmap2 0 0 3 22 ffffffff 0",
    "mprotect 10000000 1000 1",
    "mincore 10000000 1000 &0",
    "madvise 10000000 1000 4",
    "mremap 10000000 1000 1000 0",
    "munmap 10000000 5000",
    "munmap 10000001 1000",
    // Sockets: 6 and 7 are a pair.
    "socketpair 1 1 0 &0",
    "fcntl64 6 4 802",
    "fcntl64 7 4 802",
    "sendmsg 6 &0 0 0=0:0:&1:1:0:0:0 1=&2:5",
    "recvmsg 7 &0 0 0=0:0:&1:1:0:0:0 1=&2:5",
    "sendmsg 6 &0 0 0=0:0:&1:1:&3:10:0 1=&2:5 3=10:1:1:5",
    "recvmsg 7 &0 40000000 0=0:0:&1:1:&3:40:0 1=&2:5",
    "close 8",
    "sendmsg 6 &0 0 0=0:0:&1:1:&3:14:0 1=&2:5 3=14:1:1:5:5",
    "recvmsg 7 &0 0 0=0:0:&1:1:&3:10:0 1=&2:5",
    "close 8",
    "sendmsg 6 &0 0 0=0:0:&1:1:&3:10:0 1=&2:5 3=80:1:1:5",
    "sendmmsg 6 &0 2 0 0=0:0:&1:1:0:0:0:0:0:0:&1:1:0:0:0:0 1=&2:5",
    "recvmmsg 7 &0 2 40 0 0=0:0:&1:1:0:0:0:0:0:0:&1:1:0:0:0:0 1=&2:5",
    "setsockopt 6 1 14 &0 8 0=1:0",
    "getsockopt 6 1 14 &0 &1 1=8",
    "setsockopt 6 1 14 &0 4 0=1:0",
    "getsockopt 6 1 3 &0 &1 1=4",
    "socketcall 3 &0 0=6:&1:10",
    "socketcall 9 &0 0=6:&1:10:0",
    "socketcall a &0 0=7:&1:10:0",
    "socketcall f &0 0=6:1:3:&1:&2 2=4",
    "socketcall 15 &0",
    "getsockname 6 &0 &1 1=10",
    "recvfrom 7 &0 10 40 0 0",
    // Waiting and sending.
    "waitpid ffffffff &0 1",
    "wait4 ffffffff &0 1 &1",
    "waitid 0 0 &0 5 &1",
    "kill 7fffffff 0",
    "tgkill 7fffffff 7fffffff 0",
    "rt_sigqueueinfo 7fffffff c &0 0=c:0:ffffffff",
    // System V.
    "shmget 7fffffff 1000 0",
    "semget 7fffffff 2 0",
    "ipc 2 7fffffff 2 0 0",
    "ipc 63 0 0 0 0",
    "msgsnd 7fffffff &0 4 0 0=1",
    "msgrcv 7fffffff &0 4 0 0",
    "semctl 7fffffff 0 c 0",
    // Others.
    "epoll_create1 0",
    "epoll_ctl 8 1 3 &0 0=1:2:3",
    "epoll_pwait 8 &0 4 0 &1 8 1=0:0",
    "epoll_wait 8 &0 4 0",
    "signalfd4 ffffffff &0 8 0 0=200:0",
    "eventfd2 1 0",
    "timerfd_create 1 0",
    "timerfd_settime b 0 &0 &1 0=0:0:0:0",
    "timerfd_gettime b &0",
    "timerfd_settime64 b 0 &0 &1 0=0:0:0:ffffffff:0:0:0:ffffffff",
    "prctl 3 0",
    "arch_prctl 1002 &0",
    "arch_prctl 3001 &0",
    "ioctl 5 5401 &0",
    "ioctl 5 80046601 &0",
    "readlink \"link &0 100",
    "readlinkat ffffff9c \"link &0 2",
    "getcwd &0 2",
    "access \"data 4",
    "umask 12",
    "dup2 5 a",
    "copy_file_range 5 &0 5 &1 0 0 0=0:0 1=0:0",
    "splice 3 0 5 &0 0 0 0=0:0",
    "vmsplice 4 &0 1 0 0=&1:3",
    "close_range 8 b 0",
    "set_thread_area &0 0=ff:5:fffff:51",
    "get_thread_area &0 0=ff",
    "break",
    "ulimit",
    "vserver",
];

/// Calls of which results alone are compared, with the reason.
const RESULTS_ALONE: [(&str, &str); 1] = [(
    "getdents",
    "the kernel leaves the bytes between a name and its type as they were, and the shim clears them",
)];

/// Bytes of the file that the calls read.
const SIZE: usize = 8000;

/// A call as `calls.c` reads it, and the same with each buffer in turn at a bad address.
fn variants(call: &str) -> Vec<String> {
    let mut words = call.split(' ');
    let name = words.next().unwrap();
    let row = ROWS.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no call {name}"));
    let (contents, mut arguments): (Vec<&str>, Vec<&str>) =
        words.partition(|word| word.contains('='));
    arguments.resize(6, "0");
    let line = |arguments: &[&str]| {
        let all = [arguments, &contents[..]].concat();
        format!("{:x},{}", row.number, all.join(","))
    };
    let mut lines = vec![line(&arguments)];
    for index in 0..6 {
        if arguments[index].starts_with('&') {
            let mut bad = arguments.clone();
            bad[index] = "10";
            lines.push(line(&bad));
        }
    }
    lines
}

/// The same folder for every run: files, whose times later reading does not change.
fn prepare(folder: &Path) {
    fs::write(folder.join("data"), [b'x'; SIZE]).unwrap();
    fs::write(folder.join("times"), "").unwrap();
    for link in ["link", "other"] {
        std::os::unix::fs::symlink("still", folder.join(link)).unwrap();
    }
    let still = folder.join("still");
    fs::write(&still, "still").unwrap();
    let late = SystemTime::now() + Duration::from_secs(1 << 20);
    File::open(&still).unwrap().set_times(FileTimes::new().set_accessed(late)).unwrap();
}

#[test]
fn calls_give_the_same_results_and_the_same_memory() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled("calls", folder.path());
    if !crate::workbench::has_i386(&program) {
        return;
    }
    let lines: Vec<String> = CALLS.iter().flat_map(|call| variants(call)).collect();
    let place = tempfile::tempdir().unwrap();
    prepare(place.path());
    let run = |mut command: Command| {
        output(command.args(&lines).current_dir(place.path()).env_clear())
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let there = run(Command::new(&program));
    let here = run(loader([&program]));
    assert_eq!((here.len(), there.len()), (lines.len(), lines.len()));
    let mut differences = Vec::new();
    for ((line, here), there) in lines.iter().zip(here).zip(there) {
        let number = u32::from_str_radix(line.split(',').next().unwrap(), 16).unwrap();
        let name = ROWS.iter().find(|row| row.number == number).unwrap().name;
        let is_result_alone = RESULTS_ALONE.iter().any(|(alone, _)| *alone == name);
        let part = |line: &str| line.split(' ').next().map(str::to_owned);
        if here != there && !(is_result_alone && part(&here) == part(&there)) {
            differences.push(format!("{name} {line}\n  shim   {here}\n  kernel {there}"));
        }
    }
    println!("{} of {} calls are the same", lines.len() - differences.len(), lines.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Each kind of row is among the calls that are compared.
#[test]
fn most_converted_calls_are_compared() {
    use liblinux_compat::table::Way;
    let names: Vec<&str> = CALLS.iter().map(|call| call.split(' ').next().unwrap()).collect();
    let converted: Vec<&str> =
        ROWS.iter().filter(|row| matches!(row.way, Way::Own(_))).map(|row| row.name).collect();
    let left: Vec<&&str> = converted.iter().filter(|name| !names.contains(name)).collect();
    println!(
        "{} of {} converted calls; not {left:?}",
        converted.len() - left.len(),
        converted.len()
    );
    assert!(left.len() * 3 < converted.len(), "{left:?}");
}
