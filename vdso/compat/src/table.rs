// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The i386 system-call table of Linux 7.3, a row for each call: who serves it.
//!
//! A row reads `number name way;`. Numbers and names are those of
//! `arch/x86/entry/syscalls/syscall_32.tbl`. The ways:
//!
//! - `same(name)`: the call of this name in the 64-bit table, with the arguments as they are. Both
//!   tables have the same function of the kernel for it, or one that does the same.
//! - `own(function)`: a function below `crate::native`, which converts and makes 64-bit calls.
//! - `refuse(error) "reason"`: no call is made.
//!
//! The numbers of 64-bit calls have their home in `liblinux_abi::syscall`.
//!
//! # Invariants
//!
//! 1. Rows ascend by number (asserted at compile time).
//! 2. There is a row for each line of the kernel's table, and the rows that say `same` are right
//!    (a test compares with the kernel's source).

use crate::call::Outcome;
use crate::frame::Frame;
use crate::native::{
    area, clock, control, directory, file, identity, ipc, limit, mapping, offset, program, select,
    signal, socket, status, thread, time, timer, vector, wait,
};
use liblinux_abi::kernel::errno::{ENOSYS, EPERM};
use liblinux_abi::syscall::number;

/// How a call is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the 64-bit call of this name, with the same arguments.
    Same(&'static str),
    /// By this function.
    Own(&'static str),
    /// With this error, for this reason.
    Refuse(isize, &'static str),
}

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The number in `eax`.
    pub number: u32,
    /// The kernel's name.
    pub name: &'static str,
    /// How it is served.
    pub way: Way,
}

/// Hands every row to the macro `$table`, in one invocation.
#[rustfmt::skip]
macro_rules! for_each_call {
    ($table:ident) => {
        $table! {
            0 restart_syscall same(restart_syscall);
            1 exit same(exit);
            2 fork own(thread::fork);
            3 read same(read);
            4 write same(write);
            5 open own(file::open);
            6 close same(close);
            7 waitpid own(wait::waitpid);
            8 creat same(creat);
            9 link same(link);
            10 unlink same(unlink);
            11 execve own(program::execve);
            12 chdir same(chdir);
            13 time own(time::time);
            14 mknod same(mknod);
            15 chmod same(chmod);
            16 lchown own(identity::lchown);
            17 break refuse(ENOSYS) "no kernel has it";
            18 oldstat own(status::oldstat);
            19 lseek own(offset::lseek);
            20 getpid same(getpid);
            21 mount same(mount);
            22 umount own(file::umount);
            23 setuid own(identity::setuid);
            24 getuid own(identity::getuid);
            25 stime own(time::stime);
            26 ptrace refuse(EPERM) "a tracer would see 64-bit registers";
            27 alarm same(alarm);
            28 oldfstat own(status::oldfstat);
            29 pause same(pause);
            30 utime own(time::utime);
            31 stty refuse(ENOSYS) "no kernel has it";
            32 gtty refuse(ENOSYS) "no kernel has it";
            33 access same(access);
            34 nice own(limit::nice);
            35 ftime refuse(ENOSYS) "no kernel has it";
            36 sync same(sync);
            37 kill same(kill);
            38 rename same(rename);
            39 mkdir same(mkdir);
            40 rmdir same(rmdir);
            41 dup same(dup);
            42 pipe same(pipe);
            43 times own(limit::times);
            44 prof refuse(ENOSYS) "no kernel has it";
            45 brk same(brk);
            46 setgid own(identity::setgid);
            47 getgid own(identity::getgid);
            48 signal own(signal::signal);
            49 geteuid own(identity::geteuid);
            50 getegid own(identity::getegid);
            51 acct same(acct);
            52 umount2 same(umount2);
            53 lock refuse(ENOSYS) "no kernel has it";
            54 ioctl own(control::ioctl);
            55 fcntl own(file::fcntl64);
            56 mpx refuse(ENOSYS) "no kernel has it";
            57 setpgid same(setpgid);
            58 ulimit refuse(ENOSYS) "no kernel has it";
            59 oldolduname own(limit::oldolduname);
            60 umask same(umask);
            61 chroot same(chroot);
            62 ustat refuse(ENOSYS) "the structure is not converted";
            63 dup2 same(dup2);
            64 getppid same(getppid);
            65 getpgrp same(getpgrp);
            66 setsid same(setsid);
            67 sigaction own(signal::sigaction);
            68 sgetmask own(signal::sgetmask);
            69 ssetmask own(signal::ssetmask);
            70 setreuid own(identity::setreuid);
            71 setregid own(identity::setregid);
            72 sigsuspend own(signal::sigsuspend);
            73 sigpending own(signal::sigpending);
            74 sethostname same(sethostname);
            75 setrlimit own(limit::setrlimit);
            76 getrlimit own(limit::old_getrlimit);
            77 getrusage own(limit::getrusage);
            78 gettimeofday own(time::gettimeofday);
            79 settimeofday own(time::settimeofday);
            80 getgroups own(identity::getgroups);
            81 setgroups own(identity::setgroups);
            82 select own(select::old_select);
            83 symlink same(symlink);
            84 oldlstat own(status::oldlstat);
            85 readlink own(file::readlink);
            86 uselib refuse(ENOSYS) "a library of the a.out format";
            87 swapon same(swapon);
            88 reboot same(reboot);
            89 readdir refuse(ENOSYS) "the structure is not converted";
            90 mmap own(mapping::mmap);
            91 munmap same(munmap);
            92 truncate own(offset::truncate);
            93 ftruncate own(offset::ftruncate);
            94 fchmod same(fchmod);
            95 fchown own(identity::fchown);
            96 getpriority same(getpriority);
            97 setpriority same(setpriority);
            98 profil refuse(ENOSYS) "no kernel has it";
            99 statfs own(file::statfs);
            100 fstatfs own(file::fstatfs);
            101 ioperm same(ioperm);
            102 socketcall own(socket::socketcall);
            103 syslog same(syslog);
            104 setitimer own(timer::setitimer);
            105 getitimer own(timer::getitimer);
            106 stat own(status::stat);
            107 lstat own(status::lstat);
            108 fstat own(status::fstat);
            109 olduname own(limit::olduname);
            110 iopl same(iopl);
            111 vhangup same(vhangup);
            112 idle refuse(ENOSYS) "no kernel has it";
            113 vm86old refuse(ENOSYS) "needs a mode of the processor that 64-bit kernels leave";
            114 wait4 own(wait::wait4);
            115 swapoff same(swapoff);
            116 sysinfo own(limit::sysinfo);
            117 ipc own(ipc::ipc);
            118 fsync same(fsync);
            119 sigreturn own(signal::sigreturn);
            120 clone own(thread::clone);
            121 setdomainname same(setdomainname);
            122 uname same(uname);
            123 modify_ldt same(modify_ldt);
            124 adjtimex refuse(ENOSYS) "the structure is not converted";
            125 mprotect same(mprotect);
            126 sigprocmask own(signal::sigprocmask);
            127 create_module refuse(ENOSYS) "no kernel has it";
            128 init_module same(init_module);
            129 delete_module same(delete_module);
            130 get_kernel_syms refuse(ENOSYS) "no kernel has it";
            131 quotactl refuse(ENOSYS) "the structures of quotas differ";
            132 getpgid same(getpgid);
            133 fchdir same(fchdir);
            134 bdflush refuse(ENOSYS) "no kernel has it";
            135 sysfs same(sysfs);
            136 personality same(personality);
            137 afs_syscall refuse(ENOSYS) "no kernel has it";
            138 setfsuid own(identity::setfsuid);
            139 setfsgid own(identity::setfsgid);
            140 _llseek own(offset::llseek);
            141 getdents own(directory::getdents);
            142 _newselect own(select::select);
            143 flock same(flock);
            144 msync same(msync);
            145 readv own(vector::readv);
            146 writev own(vector::writev);
            147 getsid same(getsid);
            148 fdatasync same(fdatasync);
            149 _sysctl refuse(ENOSYS) "no kernel has it";
            150 mlock same(mlock);
            151 munlock same(munlock);
            152 mlockall same(mlockall);
            153 munlockall same(munlockall);
            154 sched_setparam same(sched_setparam);
            155 sched_getparam same(sched_getparam);
            156 sched_setscheduler same(sched_setscheduler);
            157 sched_getscheduler same(sched_getscheduler);
            158 sched_yield same(sched_yield);
            159 sched_get_priority_max same(sched_get_priority_max);
            160 sched_get_priority_min same(sched_get_priority_min);
            161 sched_rr_get_interval own(time::sched_rr_get_interval);
            162 nanosleep own(time::nanosleep);
            163 mremap same(mremap);
            164 setresuid own(identity::setresuid);
            165 getresuid own(identity::getresuid);
            166 vm86 refuse(ENOSYS) "needs a mode of the processor that 64-bit kernels leave";
            167 query_module refuse(ENOSYS) "no kernel has it";
            168 poll same(poll);
            169 nfsservctl refuse(ENOSYS) "no kernel has it";
            170 setresgid own(identity::setresgid);
            171 getresgid own(identity::getresgid);
            172 prctl own(control::prctl);
            173 rt_sigreturn own(signal::rt_sigreturn);
            174 rt_sigaction own(signal::rt_sigaction);
            175 rt_sigprocmask own(signal::rt_sigprocmask);
            176 rt_sigpending same(rt_sigpending);
            177 rt_sigtimedwait own(signal::rt_sigtimedwait);
            178 rt_sigqueueinfo own(signal::rt_sigqueueinfo);
            179 rt_sigsuspend own(signal::rt_sigsuspend);
            180 pread64 own(offset::pread64);
            181 pwrite64 own(offset::pwrite64);
            182 chown own(identity::chown);
            183 getcwd same(getcwd);
            184 capget same(capget);
            185 capset same(capset);
            186 sigaltstack own(signal::sigaltstack);
            187 sendfile own(offset::sendfile);
            188 getpmsg refuse(ENOSYS) "no kernel has it";
            189 putpmsg refuse(ENOSYS) "no kernel has it";
            190 vfork own(thread::vfork);
            191 ugetrlimit own(limit::ugetrlimit);
            192 mmap2 own(mapping::mmap2);
            193 truncate64 own(offset::truncate64);
            194 ftruncate64 own(offset::ftruncate64);
            195 stat64 own(status::stat64);
            196 lstat64 own(status::lstat64);
            197 fstat64 own(status::fstat64);
            198 lchown32 same(lchown);
            199 getuid32 same(getuid);
            200 getgid32 same(getgid);
            201 geteuid32 same(geteuid);
            202 getegid32 same(getegid);
            203 setreuid32 same(setreuid);
            204 setregid32 same(setregid);
            205 getgroups32 same(getgroups);
            206 setgroups32 same(setgroups);
            207 fchown32 same(fchown);
            208 setresuid32 same(setresuid);
            209 getresuid32 same(getresuid);
            210 setresgid32 same(setresgid);
            211 getresgid32 same(getresgid);
            212 chown32 same(chown);
            213 setuid32 same(setuid);
            214 setgid32 same(setgid);
            215 setfsuid32 same(setfsuid);
            216 setfsgid32 same(setfsgid);
            217 pivot_root same(pivot_root);
            218 mincore same(mincore);
            219 madvise same(madvise);
            220 getdents64 same(getdents64);
            221 fcntl64 own(file::fcntl64);
            224 gettid same(gettid);
            225 readahead own(offset::readahead);
            226 setxattr same(setxattr);
            227 lsetxattr same(lsetxattr);
            228 fsetxattr same(fsetxattr);
            229 getxattr same(getxattr);
            230 lgetxattr same(lgetxattr);
            231 fgetxattr same(fgetxattr);
            232 listxattr same(listxattr);
            233 llistxattr same(llistxattr);
            234 flistxattr same(flistxattr);
            235 removexattr same(removexattr);
            236 lremovexattr same(lremovexattr);
            237 fremovexattr same(fremovexattr);
            238 tkill same(tkill);
            239 sendfile64 same(sendfile);
            240 futex own(time::futex);
            241 sched_setaffinity same(sched_setaffinity);
            242 sched_getaffinity same(sched_getaffinity);
            243 set_thread_area own(area::set);
            244 get_thread_area own(area::get);
            245 io_setup refuse(ENOSYS) "the structure is not converted";
            246 io_destroy refuse(ENOSYS) "the structure is not converted";
            247 io_getevents refuse(ENOSYS) "the structure is not converted";
            248 io_submit refuse(ENOSYS) "the structure is not converted";
            249 io_cancel refuse(ENOSYS) "the structure is not converted";
            250 fadvise64 own(offset::fadvise64);
            252 exit_group same(exit_group);
            253 lookup_dcookie refuse(ENOSYS) "no kernel has it";
            254 epoll_create same(epoll_create);
            255 epoll_ctl same(epoll_ctl);
            256 epoll_wait same(epoll_wait);
            257 remap_file_pages same(remap_file_pages);
            258 set_tid_address same(set_tid_address);
            259 timer_create own(timer::timer_create);
            260 timer_settime own(timer::timer_settime);
            261 timer_gettime own(timer::timer_gettime);
            262 timer_getoverrun same(timer_getoverrun);
            263 timer_delete same(timer_delete);
            264 clock_settime own(time::clock_settime);
            265 clock_gettime own(time::clock_gettime);
            266 clock_getres own(time::clock_getres);
            267 clock_nanosleep own(time::clock_nanosleep);
            268 statfs64 own(file::statfs64);
            269 fstatfs64 own(file::fstatfs64);
            270 tgkill same(tgkill);
            271 utimes own(time::utimes);
            272 fadvise64_64 own(offset::fadvise64_64);
            273 vserver refuse(ENOSYS) "no kernel has it";
            274 mbind same(mbind);
            275 get_mempolicy same(get_mempolicy);
            276 set_mempolicy same(set_mempolicy);
            277 mq_open refuse(ENOSYS) "the structure is not converted";
            278 mq_unlink same(mq_unlink);
            279 mq_timedsend refuse(ENOSYS) "the structure is not converted";
            280 mq_timedreceive refuse(ENOSYS) "the structure is not converted";
            281 mq_notify refuse(ENOSYS) "the structure is not converted";
            282 mq_getsetattr refuse(ENOSYS) "the structure is not converted";
            283 kexec_load refuse(ENOSYS) "the structure is not converted";
            284 waitid own(wait::waitid);
            286 add_key same(add_key);
            287 request_key same(request_key);
            288 keyctl own(control::keyctl);
            289 ioprio_set same(ioprio_set);
            290 ioprio_get same(ioprio_get);
            291 inotify_init same(inotify_init);
            292 inotify_add_watch same(inotify_add_watch);
            293 inotify_rm_watch same(inotify_rm_watch);
            294 migrate_pages same(migrate_pages);
            295 openat own(file::openat);
            296 mkdirat same(mkdirat);
            297 mknodat same(mknodat);
            298 fchownat same(fchownat);
            299 futimesat own(time::futimesat);
            300 fstatat64 own(status::fstatat64);
            301 unlinkat same(unlinkat);
            302 renameat same(renameat);
            303 linkat same(linkat);
            304 symlinkat same(symlinkat);
            305 readlinkat own(file::readlinkat);
            306 fchmodat same(fchmodat);
            307 faccessat same(faccessat);
            308 pselect6 own(select::pselect6);
            309 ppoll own(time::ppoll);
            310 unshare same(unshare);
            311 set_robust_list refuse(ENOSYS) "the kernel walks a list of 64-bit addresses";
            312 get_robust_list refuse(ENOSYS) "the kernel walks a list of 64-bit addresses";
            313 splice same(splice);
            314 sync_file_range own(offset::sync_file_range);
            315 tee same(tee);
            316 vmsplice own(vector::vmsplice);
            317 move_pages refuse(ENOSYS) "the structure is not converted";
            318 getcpu same(getcpu);
            319 epoll_pwait own(time::epoll_pwait);
            320 utimensat own(time::utimensat);
            321 signalfd own(signal::signalfd);
            322 timerfd_create same(timerfd_create);
            323 eventfd same(eventfd);
            324 fallocate own(offset::fallocate);
            325 timerfd_settime own(timer::timerfd_settime);
            326 timerfd_gettime own(timer::timerfd_gettime);
            327 signalfd4 own(signal::signalfd4);
            328 eventfd2 same(eventfd2);
            329 epoll_create1 same(epoll_create1);
            330 dup3 same(dup3);
            331 pipe2 same(pipe2);
            332 inotify_init1 same(inotify_init1);
            333 preadv own(vector::preadv);
            334 pwritev own(vector::pwritev);
            335 rt_tgsigqueueinfo own(signal::rt_tgsigqueueinfo);
            336 perf_event_open same(perf_event_open);
            337 recvmmsg own(socket::recvmmsg);
            338 fanotify_init same(fanotify_init);
            339 fanotify_mark own(offset::fanotify_mark);
            340 prlimit64 same(prlimit64);
            341 name_to_handle_at same(name_to_handle_at);
            342 open_by_handle_at same(open_by_handle_at);
            343 clock_adjtime refuse(ENOSYS) "the structure is not converted";
            344 syncfs same(syncfs);
            345 sendmmsg own(socket::sendmmsg);
            346 setns same(setns);
            347 process_vm_readv refuse(ENOSYS) "the structure is not converted";
            348 process_vm_writev refuse(ENOSYS) "the structure is not converted";
            349 kcmp same(kcmp);
            350 finit_module same(finit_module);
            351 sched_setattr same(sched_setattr);
            352 sched_getattr same(sched_getattr);
            353 renameat2 same(renameat2);
            354 seccomp own(control::seccomp);
            355 getrandom same(getrandom);
            356 memfd_create same(memfd_create);
            357 bpf same(bpf);
            358 execveat own(program::execveat);
            359 socket same(socket);
            360 socketpair same(socketpair);
            361 bind same(bind);
            362 connect same(connect);
            363 listen same(listen);
            364 accept4 same(accept4);
            365 getsockopt own(socket::getsockopt);
            366 setsockopt own(socket::setsockopt);
            367 getsockname same(getsockname);
            368 getpeername same(getpeername);
            369 sendto same(sendto);
            370 sendmsg own(socket::sendmsg);
            371 recvfrom same(recvfrom);
            372 recvmsg own(socket::recvmsg);
            373 shutdown same(shutdown);
            374 userfaultfd same(userfaultfd);
            375 membarrier same(membarrier);
            376 mlock2 same(mlock2);
            377 copy_file_range same(copy_file_range);
            378 preadv2 own(vector::preadv2);
            379 pwritev2 own(vector::pwritev2);
            380 pkey_mprotect same(pkey_mprotect);
            381 pkey_alloc same(pkey_alloc);
            382 pkey_free same(pkey_free);
            383 statx same(statx);
            384 arch_prctl own(control::arch_prctl);
            385 io_pgetevents refuse(ENOSYS) "the structure is not converted";
            386 rseq same(rseq);
            393 semget same(semget);
            394 semctl own(ipc::semctl);
            395 shmget same(shmget);
            396 shmctl own(ipc::shmctl);
            397 shmat same(shmat);
            398 shmdt same(shmdt);
            399 msgget same(msgget);
            400 msgsnd own(ipc::msgsnd);
            401 msgrcv own(ipc::msgrcv);
            402 msgctl own(ipc::msgctl);
            403 clock_gettime64 same(clock_gettime);
            404 clock_settime64 own(time::clock_settime64);
            405 clock_adjtime64 same(clock_adjtime);
            406 clock_getres_time64 same(clock_getres);
            407 clock_nanosleep_time64 own(time::clock_nanosleep64);
            408 timer_gettime64 same(timer_gettime);
            409 timer_settime64 own(timer::timer_settime64);
            410 timerfd_gettime64 same(timerfd_gettime);
            411 timerfd_settime64 own(timer::timerfd_settime64);
            412 utimensat_time64 own(time::utimensat64);
            413 pselect6_time64 own(select::pselect6_64);
            414 ppoll_time64 own(time::ppoll64);
            416 io_pgetevents_time64 refuse(ENOSYS) "the structure is not converted";
            417 recvmmsg_time64 own(socket::recvmmsg64);
            418 mq_timedsend_time64 same(mq_timedsend);
            419 mq_timedreceive_time64 same(mq_timedreceive);
            420 semtimedop_time64 own(ipc::semtimedop64);
            421 rt_sigtimedwait_time64 own(signal::rt_sigtimedwait64);
            422 futex_time64 own(time::futex64);
            423 sched_rr_get_interval_time64 same(sched_rr_get_interval);
            424 pidfd_send_signal own(signal::pidfd_send_signal);
            425 io_uring_setup refuse(ENOSYS) "the rings hold addresses in 64-bit structures";
            426 io_uring_enter refuse(ENOSYS) "the rings hold addresses in 64-bit structures";
            427 io_uring_register refuse(ENOSYS) "the rings hold addresses in 64-bit structures";
            428 open_tree same(open_tree);
            429 move_mount same(move_mount);
            430 fsopen same(fsopen);
            431 fsconfig same(fsconfig);
            432 fsmount same(fsmount);
            433 fspick same(fspick);
            434 pidfd_open same(pidfd_open);
            435 clone3 own(thread::clone3);
            436 close_range same(close_range);
            437 openat2 same(openat2);
            438 pidfd_getfd same(pidfd_getfd);
            439 faccessat2 same(faccessat2);
            440 process_madvise own(vector::process_madvise);
            441 epoll_pwait2 own(time::epoll_pwait2);
            442 mount_setattr same(mount_setattr);
            443 quotactl_fd same(quotactl_fd);
            444 landlock_create_ruleset same(landlock_create_ruleset);
            445 landlock_add_rule same(landlock_add_rule);
            446 landlock_restrict_self same(landlock_restrict_self);
            447 memfd_secret same(memfd_secret);
            448 process_mrelease same(process_mrelease);
            449 futex_waitv same(futex_waitv);
            450 set_mempolicy_home_node same(set_mempolicy_home_node);
            451 cachestat same(cachestat);
            452 fchmodat2 same(fchmodat2);
            453 map_shadow_stack same(map_shadow_stack);
            454 futex_wake same(futex_wake);
            455 futex_wait same(futex_wait);
            456 futex_requeue same(futex_requeue);
            457 statmount same(statmount);
            458 listmount same(listmount);
            459 lsm_get_self_attr same(lsm_get_self_attr);
            460 lsm_set_self_attr same(lsm_set_self_attr);
            461 lsm_list_modules same(lsm_list_modules);
            462 mseal same(mseal);
            463 setxattrat same(setxattrat);
            464 getxattrat same(getxattrat);
            465 listxattrat same(listxattrat);
            466 removexattrat same(removexattrat);
            467 open_tree_attr same(open_tree_attr);
            468 file_getattr same(file_getattr);
            469 file_setattr same(file_setattr);
            470 listns same(listns);
            471 rseq_slice_yield same(rseq_slice_yield);
            472 fchroot same(fchroot);
        }
    };
}

macro_rules! way {
    (same($name:ident)) => {
        Way::Same(stringify!($name))
    };
    (own($($path:ident)::+)) => {
        Way::Own(concat!($("::", stringify!($path)),+))
    };
    (refuse($error:ident) $why:literal) => {
        Way::Refuse($error, $why)
    };
}

macro_rules! rows {
    ($($number:literal $name:ident $kind:ident($($argument:tt)+) $($why:literal)?;)*) => {
        &[$(Row {
            number: $number,
            name: stringify!($name),
            way: way!($kind($($argument)+) $($why)?),
        }),*]
    };
}

/// Every row.
pub const ROWS: &[Row] = for_each_call!(rows);

/// The number behind the last one.
pub const END: u32 = ROWS[ROWS.len() - 1].number + 1;

/// For each number the 64-bit call that serves it with the same arguments, or `none`.
pub(crate) const fn same(none: u16) -> [u16; END as usize] {
    let mut numbers = [none; END as usize];
    let mut index = 0;
    while index < ROWS.len() {
        if let Way::Same(name) = ROWS[index].way {
            numbers[ROWS[index].number as usize] = number(name) as u16;
        }
        index += 1;
    }
    numbers
}

const _: () = {
    let mut index = 1;
    while index < ROWS.len() {
        assert!(ROWS[index - 1].number < ROWS[index].number, "rows must ascend by number");
        index += 1;
    }
};

macro_rules! serve {
    ($frame:ident same($name:ident)) => {
        // The entry makes these itself: see `same`.
        Err(ENOSYS)
    };
    ($frame:ident own($($path:ident)::+)) => {
        $($path)::+($frame)
    };
    ($frame:ident refuse($error:ident)) => {
        Err($error)
    };
}

macro_rules! dispatcher {
    ($($number:literal $name:ident $kind:ident($($argument:tt)+) $($why:literal)?;)*) => {
        /// Makes the call that the caller's `eax` names, unless the 64-bit ABI has the same.
        pub(crate) fn dispatch(frame: &Frame) -> Outcome {
            match frame.eax {
                $($number => serve!(frame $kind($($argument)+)),)*
                _ => clock::answer(frame).unwrap_or(Err(ENOSYS)),
            }
        }
    };
}

for_each_call!(dispatcher);
