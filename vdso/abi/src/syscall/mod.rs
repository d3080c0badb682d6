// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The native x86-64 system-call table, one row per call that Linux 7.3 implements.
//!
//! An older kernel line lacks the newest calls: there the same entry answers `-ENOSYS`, as the
//! kernel does. [`since`] says which calls these are.
//!
//! This is the one place where a system call is written down. The image's slots, the version
//! script, the ABI lock, the checker's expectations, the C header and the tests are all made from
//! these rows, through [`for_each_syscall!`](crate::for_each_syscall) where a macro is needed and
//! through [`SYSCALLS`] everywhere else.
//!
//! A row reads `number name kind("C parameter", ...) "note" ...;`. Numbers and names are those of
//! `arch/x86/entry/syscalls/syscall_64.tbl` (ABIs `common` and `64`), parameters those of the
//! call's `SYSCALL_DEFINE` without the kernel's `__user` mark. The notes depend on the kind, see
//! [`Kind`].
//!
//! # Invariants
//!
//! 1. Rows ascend by number; numbers and names are unique (asserted at compile time).
//! 2. A row exists exactly for the calls that the kernel implements: a table entry with an entry
//!    point other than `sys_ni_syscall` (a test compares with the source of each kernel line).
//! 3. A row never changes its number, and so never its slot: see [`crate::image::layout::slot`].

pub mod ctype;
pub mod descriptor;
pub mod hazard;
pub mod legacy;
pub mod manual;
pub mod pointer;
pub mod since;
pub mod standard;

/// How the image provides a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The 15-byte stub: number, `syscall`, return.
    Stub,
    /// Written by hand, because a plain stub cannot work for the reason given.
    Custom {
        /// Why a plain stub cannot work.
        because: &'static str,
    },
    /// A standard vDSO function: it answers from user space and falls back on the plain stub in the
    /// call's slot.
    Standard,
    /// Superseded by newer calls that can do all of its work: its entry is a function over them.
    /// See [`crate::syscall::legacy`].
    Legacy {
        /// The calls that the function makes, the one that supersedes it first.
        successors: &'static [&'static str],
    },
    /// Not exported.
    Absent {
        /// Why no function is offered.
        because: &'static str,
    },
}

/// One system call.
#[derive(Clone, Copy, Debug)]
pub struct Syscall {
    /// The number in `rax`.
    pub number: u32,
    /// The kernel's name.
    pub name: &'static str,
    /// The image's name for it, `__vdso_` and the kernel's name.
    pub symbol: &'static str,
    /// C declarations of the parameters, in order.
    pub parameters: &'static [&'static str],
    /// How the image provides it.
    pub kind: Kind,
}

impl Syscall {
    /// Whether the image exports an entry for it.
    pub const fn is_exported(&self) -> bool {
        !matches!(self.kind, Kind::Absent { .. })
    }

    /// Whether the call's slot holds the plain stub.
    pub const fn has_plain_stub(&self) -> bool {
        matches!(self.kind, Kind::Stub | Kind::Standard)
    }

    /// Whether the call's entry is written by hand, in its slot or in a body that the slot leads
    /// to.
    pub const fn is_hand_written(&self) -> bool {
        matches!(self.kind, Kind::Custom { .. } | Kind::Legacy { .. })
    }

    /// The calls that a legacy call's function makes; none for all other kinds.
    pub const fn successors(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Legacy { successors } => successors,
            _ => &[],
        }
    }
}

/// The number of the call `name`.
///
/// # Panics
///
/// If the table has no such call.
pub const fn number(name: &str) -> u32 {
    let mut row = 0;
    while row < SYSCALLS.len() {
        if equal(SYSCALLS[row].name.as_bytes(), name.as_bytes()) {
            return SYSCALLS[row].number;
        }
        row += 1;
    }
    panic!("no such system call")
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}

/// Finds the row of a call by its kernel name.
pub fn find(name: &str) -> Option<&'static Syscall> {
    SYSCALLS.iter().find(|call| call.name == name)
}

/// Hands every row to the macro `$table`, in one invocation.
#[rustfmt::skip]
#[macro_export]
macro_rules! for_each_syscall {
    ($table:ident) => {
        $table! {
            0 read stub("unsigned int fd", "char *buf", "size_t count");
            1 write stub("unsigned int fd", "const char *buf", "size_t count");
            2 open legacy("const char *filename", "int flags", "umode_t mode") "openat";
            3 close stub("unsigned int fd");
            4 stat legacy("const char *filename", "struct stat *statbuf") "newfstatat";
            5 fstat stub("unsigned int fd", "struct stat *statbuf");
            6 lstat legacy("const char *filename", "struct stat *statbuf") "newfstatat";
            7 poll stub("struct pollfd *ufds", "unsigned int nfds", "int timeout_msecs");
            8 lseek stub("unsigned int fd", "off_t offset", "unsigned int whence");
            9 mmap stub("unsigned long addr", "unsigned long len", "unsigned long prot", "unsigned long flags", "unsigned long fd", "unsigned long off");
            10 mprotect stub("unsigned long start", "size_t len", "unsigned long prot");
            11 munmap stub("unsigned long addr", "size_t len");
            12 brk stub("unsigned long brk");
            13 rt_sigaction stub("int sig", "const struct sigaction *act", "struct sigaction *oact", "size_t sigsetsize");
            14 rt_sigprocmask stub("int how", "sigset_t *nset", "sigset_t *oset", "size_t sigsetsize");
            15 rt_sigreturn custom() "a jump target for sa_restorer, not a function: the stack holds a signal frame";
            16 ioctl stub("unsigned int fd", "unsigned int cmd", "unsigned long arg");
            17 pread64 stub("unsigned int fd", "char *buf", "size_t count", "loff_t pos");
            18 pwrite64 stub("unsigned int fd", "const char *buf", "size_t count", "loff_t pos");
            19 readv stub("unsigned long fd", "const struct iovec *vec", "unsigned long vlen");
            20 writev stub("unsigned long fd", "const struct iovec *vec", "unsigned long vlen");
            21 access legacy("const char *filename", "int mode") "faccessat";
            22 pipe legacy("int *fildes") "pipe2";
            23 select stub("int n", "fd_set *inp", "fd_set *outp", "fd_set *exp", "struct __kernel_old_timeval *tvp");
            24 sched_yield stub();
            25 mremap stub("unsigned long addr", "unsigned long old_len", "unsigned long new_len", "unsigned long flags", "unsigned long new_addr");
            26 msync stub("unsigned long start", "size_t len", "int flags");
            27 mincore stub("unsigned long start", "size_t len", "unsigned char *vec");
            28 madvise stub("unsigned long start", "size_t len_in", "int behavior");
            29 shmget stub("key_t key", "size_t size", "int shmflg");
            30 shmat stub("int shmid", "char *shmaddr", "int shmflg");
            31 shmctl stub("int shmid", "int cmd", "struct shmid_ds *buf");
            32 dup stub("unsigned int fildes");
            33 dup2 legacy("unsigned int oldfd", "unsigned int newfd") "dup3" "fcntl";
            34 pause legacy() "ppoll";
            35 nanosleep stub("struct __kernel_timespec *rqtp", "struct __kernel_timespec *rmtp");
            36 getitimer stub("int which", "struct __kernel_old_itimerval *value");
            37 alarm stub("unsigned int seconds");
            38 setitimer stub("int which", "struct __kernel_old_itimerval *value", "struct __kernel_old_itimerval *ovalue");
            39 getpid stub();
            40 sendfile stub("int out_fd", "int in_fd", "loff_t *offset", "size_t count");
            41 socket stub("int family", "int type", "int protocol");
            42 connect stub("int fd", "struct sockaddr *uservaddr", "int addrlen");
            43 accept stub("int fd", "struct sockaddr *upeer_sockaddr", "int *upeer_addrlen");
            44 sendto stub("int fd", "void *buff", "size_t len", "unsigned int flags", "struct sockaddr *addr", "int addr_len");
            45 recvfrom stub("int fd", "void *ubuf", "size_t size", "unsigned int flags", "struct sockaddr *addr", "int *addr_len");
            46 sendmsg stub("int fd", "struct user_msghdr *msg", "unsigned int flags");
            47 recvmsg stub("int fd", "struct user_msghdr *msg", "unsigned int flags");
            48 shutdown stub("int fd", "int how");
            49 bind stub("int fd", "struct sockaddr *umyaddr", "int addrlen");
            50 listen stub("int fd", "int backlog");
            51 getsockname stub("int fd", "struct sockaddr *usockaddr", "int *usockaddr_len");
            52 getpeername stub("int fd", "struct sockaddr *usockaddr", "int *usockaddr_len");
            53 socketpair stub("int family", "int type", "int protocol", "int *usockvec");
            54 setsockopt stub("int fd", "int level", "int optname", "char *optval", "int optlen");
            55 getsockopt stub("int fd", "int level", "int optname", "char *optval", "int *optlen");
            56 clone custom("unsigned long clone_flags", "unsigned long newsp", "int *parent_tidptr", "int *child_tidptr", "unsigned long tls") "a child on a new stack finds no return address there, one on the shared stack destroys the parent's";
            57 fork legacy() "clone";
            58 vfork custom() "the child would overwrite our return address on the stack that it shares with the parent";
            59 execve stub("const char *filename", "const char *const *argv", "const char *const *envp");
            60 exit custom("int error_code") "never returns, and the stack may be gone by then";
            61 wait4 stub("pid_t upid", "int *stat_addr", "int options", "struct rusage *ru");
            62 kill stub("pid_t pid", "int sig");
            63 uname stub("struct new_utsname *name");
            64 semget stub("key_t key", "int nsems", "int semflg");
            65 semop stub("int semid", "struct sembuf *tsops", "unsigned int nsops");
            66 semctl stub("int semid", "int semnum", "int cmd", "unsigned long arg");
            67 shmdt stub("char *shmaddr");
            68 msgget stub("key_t key", "int msgflg");
            69 msgsnd stub("int msqid", "struct msgbuf *msgp", "size_t msgsz", "int msgflg");
            70 msgrcv stub("int msqid", "struct msgbuf *msgp", "size_t msgsz", "long msgtyp", "int msgflg");
            71 msgctl stub("int msqid", "int cmd", "struct msqid_ds *buf");
            72 fcntl stub("unsigned int fd", "unsigned int cmd", "unsigned long arg");
            73 flock stub("unsigned int fd", "unsigned int cmd");
            74 fsync stub("unsigned int fd");
            75 fdatasync stub("unsigned int fd");
            76 truncate stub("const char *path", "long length");
            77 ftruncate stub("unsigned int fd", "off_t length");
            78 getdents legacy("unsigned int fd", "struct linux_dirent *dirent", "unsigned int count") "getdents64";
            79 getcwd stub("char *buf", "unsigned long size");
            80 chdir stub("const char *filename");
            81 fchdir stub("unsigned int fd");
            82 rename legacy("const char *oldname", "const char *newname") "renameat2";
            83 mkdir legacy("const char *pathname", "umode_t mode") "mkdirat";
            84 rmdir legacy("const char *pathname") "unlinkat";
            85 creat legacy("const char *pathname", "umode_t mode") "openat";
            86 link legacy("const char *oldname", "const char *newname") "linkat";
            87 unlink legacy("const char *pathname") "unlinkat";
            88 symlink legacy("const char *oldname", "const char *newname") "symlinkat";
            89 readlink legacy("const char *path", "char *buf", "int bufsiz") "readlinkat";
            90 chmod legacy("const char *filename", "umode_t mode") "fchmodat";
            91 fchmod stub("unsigned int fd", "umode_t mode");
            92 chown legacy("const char *filename", "uid_t user", "gid_t group") "fchownat";
            93 fchown stub("unsigned int fd", "uid_t user", "gid_t group");
            94 lchown legacy("const char *filename", "uid_t user", "gid_t group") "fchownat";
            95 umask stub("int mask");
            96 gettimeofday standard("struct __kernel_old_timeval *tv", "struct timezone *tz");
            97 getrlimit stub("unsigned int resource", "struct rlimit *rlim");
            98 getrusage stub("int who", "struct rusage *ru");
            99 sysinfo stub("struct sysinfo *info");
            100 times stub("struct tms *tbuf");
            101 ptrace stub("long request", "long pid", "unsigned long addr", "unsigned long data");
            102 getuid stub();
            103 syslog stub("int type", "char *buf", "int len");
            104 getgid stub();
            105 setuid stub("uid_t uid");
            106 setgid stub("gid_t gid");
            107 geteuid stub();
            108 getegid stub();
            109 setpgid stub("pid_t pid", "pid_t pgid");
            110 getppid stub();
            111 getpgrp legacy() "getpgid";
            112 setsid stub();
            113 setreuid stub("uid_t ruid", "uid_t euid");
            114 setregid stub("gid_t rgid", "gid_t egid");
            115 getgroups stub("int gidsetsize", "gid_t *grouplist");
            116 setgroups stub("int gidsetsize", "gid_t *grouplist");
            117 setresuid stub("uid_t ruid", "uid_t euid", "uid_t suid");
            118 getresuid stub("uid_t *ruidp", "uid_t *euidp", "uid_t *suidp");
            119 setresgid stub("gid_t rgid", "gid_t egid", "gid_t sgid");
            120 getresgid stub("gid_t *rgidp", "gid_t *egidp", "gid_t *sgidp");
            121 getpgid stub("pid_t pid");
            122 setfsuid stub("uid_t uid");
            123 setfsgid stub("gid_t gid");
            124 getsid stub("pid_t pid");
            125 capget stub("cap_user_header_t header", "cap_user_data_t dataptr");
            126 capset stub("cap_user_header_t header", "const cap_user_data_t data");
            127 rt_sigpending stub("sigset_t *uset", "size_t sigsetsize");
            128 rt_sigtimedwait stub("const sigset_t *uthese", "siginfo_t *uinfo", "const struct __kernel_timespec *uts", "size_t sigsetsize");
            129 rt_sigqueueinfo stub("pid_t pid", "int sig", "siginfo_t *uinfo");
            130 rt_sigsuspend stub("sigset_t *unewset", "size_t sigsetsize");
            131 sigaltstack stub("const stack_t *uss", "stack_t *uoss");
            132 utime legacy("char *filename", "struct utimbuf *times") "utimensat";
            133 mknod legacy("const char *filename", "umode_t mode", "unsigned dev") "mknodat";
            135 personality stub("unsigned int personality");
            136 ustat stub("unsigned dev", "struct ustat *ubuf");
            137 statfs stub("const char *pathname", "struct statfs *buf");
            138 fstatfs stub("unsigned int fd", "struct statfs *buf");
            139 sysfs stub("int option", "unsigned long arg1", "unsigned long arg2");
            140 getpriority stub("int which", "int who");
            141 setpriority stub("int which", "int who", "int niceval");
            142 sched_setparam stub("pid_t pid", "struct sched_param *param");
            143 sched_getparam stub("pid_t pid", "struct sched_param *param");
            144 sched_setscheduler stub("pid_t pid", "int policy", "struct sched_param *param");
            145 sched_getscheduler stub("pid_t pid");
            146 sched_get_priority_max stub("int policy");
            147 sched_get_priority_min stub("int policy");
            148 sched_rr_get_interval stub("pid_t pid", "struct __kernel_timespec *interval");
            149 mlock stub("unsigned long start", "size_t len");
            150 munlock stub("unsigned long start", "size_t len");
            151 mlockall stub("int flags");
            152 munlockall stub();
            153 vhangup stub();
            154 modify_ldt stub("int func", "void *ptr", "unsigned long bytecount");
            155 pivot_root stub("const char *new_root", "const char *put_old");
            157 prctl stub("int option", "unsigned long arg2", "unsigned long arg3", "unsigned long arg4", "unsigned long arg5");
            158 arch_prctl stub("int option", "unsigned long arg2");
            159 adjtimex stub("struct __kernel_timex *txc_p");
            160 setrlimit stub("unsigned int resource", "struct rlimit *rlim");
            161 chroot stub("const char *filename");
            162 sync stub();
            163 acct stub("const char *name");
            164 settimeofday stub("struct __kernel_old_timeval *tv", "struct timezone *tz");
            165 mount stub("char *dev_name", "char *dir_name", "char *type", "unsigned long flags", "void *data");
            166 umount2 stub("char *name", "int flags");
            167 swapon stub("const char *specialfile", "int swap_flags");
            168 swapoff stub("const char *specialfile");
            169 reboot stub("int magic1", "int magic2", "unsigned int cmd", "void *arg");
            170 sethostname stub("char *name", "int len");
            171 setdomainname stub("char *name", "int len");
            172 iopl stub("unsigned int level");
            173 ioperm stub("unsigned long from", "unsigned long num", "int turn_on");
            175 init_module stub("void *umod", "unsigned long len", "const char *uargs");
            176 delete_module stub("const char *name_user", "unsigned int flags");
            179 quotactl stub("unsigned int cmd", "const char *special", "qid_t id", "void *addr");
            186 gettid stub();
            187 readahead stub("int fd", "loff_t offset", "size_t count");
            188 setxattr stub("const char *pathname", "const char *name", "const void *value", "size_t size", "int flags");
            189 lsetxattr stub("const char *pathname", "const char *name", "const void *value", "size_t size", "int flags");
            190 fsetxattr stub("int fd", "const char *name", "const void *value", "size_t size", "int flags");
            191 getxattr stub("const char *pathname", "const char *name", "void *value", "size_t size");
            192 lgetxattr stub("const char *pathname", "const char *name", "void *value", "size_t size");
            193 fgetxattr stub("int fd", "const char *name", "void *value", "size_t size");
            194 listxattr stub("const char *pathname", "char *list", "size_t size");
            195 llistxattr stub("const char *pathname", "char *list", "size_t size");
            196 flistxattr stub("int fd", "char *list", "size_t size");
            197 removexattr stub("const char *pathname", "const char *name");
            198 lremovexattr stub("const char *pathname", "const char *name");
            199 fremovexattr stub("int fd", "const char *name");
            200 tkill stub("pid_t pid", "int sig");
            201 time standard("__kernel_old_time_t *tloc");
            202 futex stub("u32 *uaddr", "int op", "u32 val", "const struct __kernel_timespec *utime", "u32 *uaddr2", "u32 val3");
            203 sched_setaffinity stub("pid_t pid", "unsigned int len", "unsigned long *user_mask_ptr");
            204 sched_getaffinity stub("pid_t pid", "unsigned int len", "unsigned long *user_mask_ptr");
            206 io_setup stub("unsigned nr_events", "aio_context_t *ctxp");
            207 io_destroy stub("aio_context_t ctx");
            208 io_getevents stub("aio_context_t ctx_id", "long min_nr", "long nr", "struct io_event *events", "struct __kernel_timespec *timeout");
            209 io_submit stub("aio_context_t ctx_id", "long nr", "struct iocb **iocbpp");
            210 io_cancel stub("aio_context_t ctx_id", "struct iocb *iocb", "struct io_event *result");
            213 epoll_create legacy("int size") "epoll_create1";
            216 remap_file_pages stub("unsigned long start", "unsigned long size", "unsigned long prot", "unsigned long pgoff", "unsigned long flags");
            217 getdents64 stub("unsigned int fd", "struct linux_dirent64 *dirent", "unsigned int count");
            218 set_tid_address stub("int *tidptr");
            219 restart_syscall stub();
            220 semtimedop stub("int semid", "struct sembuf *tsops", "unsigned int nsops", "const struct __kernel_timespec *timeout");
            221 fadvise64 stub("int fd", "loff_t offset", "size_t len", "int advice");
            222 timer_create stub("const clockid_t which_clock", "struct sigevent *timer_event_spec", "timer_t *created_timer_id");
            223 timer_settime stub("timer_t timer_id", "int flags", "const struct __kernel_itimerspec *new_setting", "struct __kernel_itimerspec *old_setting");
            224 timer_gettime stub("timer_t timer_id", "struct __kernel_itimerspec *setting");
            225 timer_getoverrun stub("timer_t timer_id");
            226 timer_delete stub("timer_t timer_id");
            227 clock_settime stub("const clockid_t which_clock", "const struct __kernel_timespec *tp");
            228 clock_gettime standard("const clockid_t which_clock", "struct __kernel_timespec *tp");
            229 clock_getres standard("const clockid_t which_clock", "struct __kernel_timespec *tp");
            230 clock_nanosleep stub("const clockid_t which_clock", "int flags", "const struct __kernel_timespec *rqtp", "struct __kernel_timespec *rmtp");
            231 exit_group custom("int error_code") "never returns, and the stack may be gone by then";
            232 epoll_wait legacy("int epfd", "struct epoll_event *events", "int maxevents", "int timeout") "epoll_pwait";
            233 epoll_ctl stub("int epfd", "int op", "int fd", "struct epoll_event *event");
            234 tgkill stub("pid_t tgid", "pid_t pid", "int sig");
            235 utimes legacy("char *filename", "struct __kernel_old_timeval *utimes") "utimensat";
            237 mbind stub("unsigned long start", "unsigned long len", "unsigned long mode", "const unsigned long *nmask", "unsigned long maxnode", "unsigned int flags");
            238 set_mempolicy stub("int mode", "const unsigned long *nmask", "unsigned long maxnode");
            239 get_mempolicy stub("int *policy", "unsigned long *nmask", "unsigned long maxnode", "unsigned long addr", "unsigned long flags");
            240 mq_open stub("const char *u_name", "int oflag", "umode_t mode", "struct mq_attr *u_attr");
            241 mq_unlink stub("const char *u_name");
            242 mq_timedsend stub("mqd_t mqdes", "const char *u_msg_ptr", "size_t msg_len", "unsigned int msg_prio", "const struct __kernel_timespec *u_abs_timeout");
            243 mq_timedreceive stub("mqd_t mqdes", "char *u_msg_ptr", "size_t msg_len", "unsigned int *u_msg_prio", "const struct __kernel_timespec *u_abs_timeout");
            244 mq_notify stub("mqd_t mqdes", "const struct sigevent *u_notification");
            245 mq_getsetattr stub("mqd_t mqdes", "const struct mq_attr *u_mqstat", "struct mq_attr *u_omqstat");
            246 kexec_load stub("unsigned long entry", "unsigned long nr_segments", "struct kexec_segment *segments", "unsigned long flags");
            247 waitid stub("int which", "pid_t upid", "struct siginfo *infop", "int options", "struct rusage *ru");
            248 add_key stub("const char *_type", "const char *_description", "const void *_payload", "size_t plen", "key_serial_t ringid");
            249 request_key stub("const char *_type", "const char *_description", "const char *_callout_info", "key_serial_t destringid");
            250 keyctl stub("int option", "unsigned long arg2", "unsigned long arg3", "unsigned long arg4", "unsigned long arg5");
            251 ioprio_set stub("int which", "int who", "int ioprio");
            252 ioprio_get stub("int which", "int who");
            253 inotify_init legacy() "inotify_init1";
            254 inotify_add_watch stub("int fd", "const char *pathname", "u32 mask");
            255 inotify_rm_watch stub("int fd", "__s32 wd");
            256 migrate_pages stub("pid_t pid", "unsigned long maxnode", "const unsigned long *old_nodes", "const unsigned long *new_nodes");
            257 openat stub("int dfd", "const char *filename", "int flags", "umode_t mode");
            258 mkdirat stub("int dfd", "const char *pathname", "umode_t mode");
            259 mknodat stub("int dfd", "const char *filename", "umode_t mode", "unsigned int dev");
            260 fchownat stub("int dfd", "const char *filename", "uid_t user", "gid_t group", "int flag");
            261 futimesat legacy("int dfd", "const char *filename", "struct __kernel_old_timeval *utimes") "utimensat";
            262 newfstatat stub("int dfd", "const char *filename", "struct stat *statbuf", "int flag");
            263 unlinkat stub("int dfd", "const char *pathname", "int flag");
            264 renameat legacy("int olddfd", "const char *oldname", "int newdfd", "const char *newname") "renameat2";
            265 linkat stub("int olddfd", "const char *oldname", "int newdfd", "const char *newname", "int flags");
            266 symlinkat stub("const char *oldname", "int newdfd", "const char *newname");
            267 readlinkat stub("int dfd", "const char *pathname", "char *buf", "int bufsiz");
            268 fchmodat stub("int dfd", "const char *filename", "umode_t mode");
            269 faccessat stub("int dfd", "const char *filename", "int mode");
            270 pselect6 stub("int n", "fd_set *inp", "fd_set *outp", "fd_set *exp", "struct __kernel_timespec *tsp", "void *sig");
            271 ppoll stub("struct pollfd *ufds", "unsigned int nfds", "struct __kernel_timespec *tsp", "const sigset_t *sigmask", "size_t sigsetsize");
            272 unshare stub("unsigned long unshare_flags");
            273 set_robust_list stub("struct robust_list_head *head", "size_t len");
            274 get_robust_list stub("int pid", "struct robust_list_head **head_ptr", "size_t *len_ptr");
            275 splice stub("int fd_in", "loff_t *off_in", "int fd_out", "loff_t *off_out", "size_t len", "unsigned int flags");
            276 tee stub("int fdin", "int fdout", "size_t len", "unsigned int flags");
            277 sync_file_range stub("int fd", "loff_t offset", "loff_t nbytes", "unsigned int flags");
            278 vmsplice stub("int fd", "const struct iovec *uiov", "unsigned long nr_segs", "unsigned int flags");
            279 move_pages stub("pid_t pid", "unsigned long nr_pages", "const void **pages", "const int *nodes", "int *status", "int flags");
            280 utimensat stub("int dfd", "const char *filename", "struct __kernel_timespec *utimes", "int flags");
            281 epoll_pwait stub("int epfd", "struct epoll_event *events", "int maxevents", "int timeout", "const sigset_t *sigmask", "size_t sigsetsize");
            282 signalfd legacy("int ufd", "sigset_t *user_mask", "size_t sizemask") "signalfd4";
            283 timerfd_create stub("int clockid", "int flags");
            284 eventfd legacy("unsigned int count") "eventfd2";
            285 fallocate stub("int fd", "int mode", "loff_t offset", "loff_t len");
            286 timerfd_settime stub("int ufd", "int flags", "const struct __kernel_itimerspec *utmr", "struct __kernel_itimerspec *otmr");
            287 timerfd_gettime stub("int ufd", "struct __kernel_itimerspec *otmr");
            288 accept4 stub("int fd", "struct sockaddr *upeer_sockaddr", "int *upeer_addrlen", "int flags");
            289 signalfd4 stub("int ufd", "sigset_t *user_mask", "size_t sizemask", "int flags");
            290 eventfd2 stub("unsigned int count", "int flags");
            291 epoll_create1 stub("int flags");
            292 dup3 stub("unsigned int oldfd", "unsigned int newfd", "int flags");
            293 pipe2 stub("int *fildes", "int flags");
            294 inotify_init1 stub("int flags");
            295 preadv stub("unsigned long fd", "const struct iovec *vec", "unsigned long vlen", "unsigned long pos_l", "unsigned long pos_h");
            296 pwritev stub("unsigned long fd", "const struct iovec *vec", "unsigned long vlen", "unsigned long pos_l", "unsigned long pos_h");
            297 rt_tgsigqueueinfo stub("pid_t tgid", "pid_t pid", "int sig", "siginfo_t *uinfo");
            298 perf_event_open stub("struct perf_event_attr *attr_uptr", "pid_t pid", "int cpu", "int group_fd", "unsigned long flags");
            299 recvmmsg stub("int fd", "struct mmsghdr *mmsg", "unsigned int vlen", "unsigned int flags", "struct __kernel_timespec *timeout");
            300 fanotify_init stub("unsigned int flags", "unsigned int event_f_flags");
            301 fanotify_mark stub("int fanotify_fd", "unsigned int flags", "__u64 mask", "int dfd", "const char *pathname");
            302 prlimit64 stub("pid_t pid", "unsigned int resource", "const struct rlimit64 *new_rlim", "struct rlimit64 *old_rlim");
            303 name_to_handle_at stub("int dfd", "const char *name", "struct file_handle *handle", "void *mnt_id", "int flag");
            304 open_by_handle_at stub("int mountdirfd", "struct file_handle *handle", "int flags");
            305 clock_adjtime stub("const clockid_t which_clock", "struct __kernel_timex *utx");
            306 syncfs stub("int fd");
            307 sendmmsg stub("int fd", "struct mmsghdr *mmsg", "unsigned int vlen", "unsigned int flags");
            308 setns stub("int fd", "int flags");
            309 getcpu standard("unsigned *cpup", "unsigned *nodep", "void *unused");
            310 process_vm_readv stub("pid_t pid", "const struct iovec *lvec", "unsigned long liovcnt", "const struct iovec *rvec", "unsigned long riovcnt", "unsigned long flags");
            311 process_vm_writev stub("pid_t pid", "const struct iovec *lvec", "unsigned long liovcnt", "const struct iovec *rvec", "unsigned long riovcnt", "unsigned long flags");
            312 kcmp stub("pid_t pid1", "pid_t pid2", "int type", "unsigned long idx1", "unsigned long idx2");
            313 finit_module stub("int fd", "const char *uargs", "int flags");
            314 sched_setattr stub("pid_t pid", "struct sched_attr *uattr", "unsigned int flags");
            315 sched_getattr stub("pid_t pid", "struct sched_attr *uattr", "unsigned int usize", "unsigned int flags");
            316 renameat2 stub("int olddfd", "const char *oldname", "int newdfd", "const char *newname", "unsigned int flags");
            317 seccomp stub("unsigned int op", "unsigned int flags", "void *uargs");
            318 getrandom standard("char *ubuf", "size_t len", "unsigned int flags");
            319 memfd_create stub("const char *uname", "unsigned int flags");
            320 kexec_file_load stub("int kernel_fd", "int initrd_fd", "unsigned long cmdline_len", "const char *cmdline_ptr", "unsigned long flags");
            321 bpf stub("int cmd", "union bpf_attr *uattr", "unsigned int size", "struct bpf_common_attr *uattr_common", "unsigned int size_common");
            322 execveat stub("int fd", "const char *filename", "const char *const *argv", "const char *const *envp", "int flags");
            323 userfaultfd stub("int flags");
            324 membarrier stub("int cmd", "unsigned int flags", "int cpu_id");
            325 mlock2 stub("unsigned long start", "size_t len", "int flags");
            326 copy_file_range stub("int fd_in", "loff_t *off_in", "int fd_out", "loff_t *off_out", "size_t len", "unsigned int flags");
            327 preadv2 stub("unsigned long fd", "const struct iovec *vec", "unsigned long vlen", "unsigned long pos_l", "unsigned long pos_h", "rwf_t flags");
            328 pwritev2 stub("unsigned long fd", "const struct iovec *vec", "unsigned long vlen", "unsigned long pos_l", "unsigned long pos_h", "rwf_t flags");
            329 pkey_mprotect stub("unsigned long start", "size_t len", "unsigned long prot", "int pkey");
            330 pkey_alloc stub("unsigned long flags", "unsigned long init_val");
            331 pkey_free stub("int pkey");
            332 statx stub("int dfd", "const char *filename", "unsigned flags", "unsigned int mask", "struct statx *buffer");
            333 io_pgetevents stub("aio_context_t ctx_id", "long min_nr", "long nr", "struct io_event *events", "struct __kernel_timespec *timeout", "const struct __aio_sigset *usig");
            334 rseq stub("struct rseq *rseq", "u32 rseq_len", "int flags", "u32 sig");
            335 uretprobe absent() "only the kernel's own return-probe trampoline may issue it; any other caller gets SIGILL";
            336 uprobe absent() "only the kernel's own probe trampoline may issue it; any other caller gets an error";
            424 pidfd_send_signal stub("int pidfd", "int sig", "siginfo_t *info", "unsigned int flags");
            425 io_uring_setup stub("u32 entries", "struct io_uring_params *params");
            426 io_uring_enter stub("unsigned int fd", "u32 to_submit", "u32 min_complete", "u32 flags", "const void *argp", "size_t argsz");
            427 io_uring_register stub("unsigned int fd", "unsigned int opcode", "void *arg", "unsigned int nr_args");
            428 open_tree stub("int dfd", "const char *filename", "unsigned flags");
            429 move_mount stub("int from_dfd", "const char *from_pathname", "int to_dfd", "const char *to_pathname", "unsigned int flags");
            430 fsopen stub("const char *_fs_name", "unsigned int flags");
            431 fsconfig stub("int fd", "unsigned int cmd", "const char *_key", "const void *_value", "int aux");
            432 fsmount stub("int fs_fd", "unsigned int flags", "unsigned int attr_flags");
            433 fspick stub("int dfd", "const char *path", "unsigned int flags");
            434 pidfd_open stub("pid_t pid", "unsigned int flags");
            435 clone3 custom("struct clone_args *uargs", "size_t size") "a child on a new stack finds no return address there, one on the shared stack destroys the parent's";
            436 close_range stub("unsigned int fd", "unsigned int max_fd", "unsigned int flags");
            437 openat2 stub("int dfd", "const char *filename", "struct open_how *how", "size_t usize");
            438 pidfd_getfd stub("int pidfd", "int fd", "unsigned int flags");
            439 faccessat2 stub("int dfd", "const char *filename", "int mode", "int flags");
            440 process_madvise stub("int pidfd", "const struct iovec *vec", "size_t vlen", "int behavior", "unsigned int flags");
            441 epoll_pwait2 stub("int epfd", "struct epoll_event *events", "int maxevents", "const struct __kernel_timespec *timeout", "const sigset_t *sigmask", "size_t sigsetsize");
            442 mount_setattr stub("int dfd", "const char *path", "unsigned int flags", "struct mount_attr *uattr", "size_t usize");
            443 quotactl_fd stub("unsigned int fd", "unsigned int cmd", "qid_t id", "void *addr");
            444 landlock_create_ruleset stub("const struct landlock_ruleset_attr *const attr", "const size_t size", "const __u32 flags");
            445 landlock_add_rule stub("const int ruleset_fd", "const enum landlock_rule_type rule_type", "const void *const rule_attr", "const __u32 flags");
            446 landlock_restrict_self stub("const int ruleset_fd", "const __u32 flags");
            447 memfd_secret stub("unsigned int flags");
            448 process_mrelease stub("int pidfd", "unsigned int flags");
            449 futex_waitv stub("struct futex_waitv *waiters", "unsigned int nr_futexes", "unsigned int flags", "struct __kernel_timespec *timeout", "clockid_t clockid");
            450 set_mempolicy_home_node stub("unsigned long start", "unsigned long len", "unsigned long home_node", "unsigned long flags");
            451 cachestat stub("unsigned int fd", "struct cachestat_range *cstat_range", "struct cachestat *cstat", "unsigned int flags");
            452 fchmodat2 stub("int dfd", "const char *filename", "umode_t mode", "unsigned int flags");
            453 map_shadow_stack stub("unsigned long addr", "unsigned long size", "unsigned int flags");
            454 futex_wake stub("void *uaddr", "unsigned long mask", "int nr", "unsigned int flags");
            455 futex_wait stub("void *uaddr", "unsigned long val", "unsigned long mask", "unsigned int flags", "struct __kernel_timespec *timeout", "clockid_t clockid");
            456 futex_requeue stub("struct futex_waitv *waiters", "unsigned int flags", "int nr_wake", "int nr_requeue");
            457 statmount stub("const struct mnt_id_req *req", "struct statmount *buf", "size_t bufsize", "unsigned int flags");
            458 listmount stub("const struct mnt_id_req *req", "u64 *mnt_ids", "size_t nr_mnt_ids", "unsigned int flags");
            459 lsm_get_self_attr stub("unsigned int attr", "struct lsm_ctx *ctx", "u32 *size", "u32 flags");
            460 lsm_set_self_attr stub("unsigned int attr", "struct lsm_ctx *ctx", "u32 size", "u32 flags");
            461 lsm_list_modules stub("u64 *ids", "u32 *size", "u32 flags");
            462 mseal stub("unsigned long start", "size_t len", "unsigned long flags");
            463 setxattrat stub("int dfd", "const char *pathname", "unsigned int at_flags", "const char *name", "const struct xattr_args *uargs", "size_t usize");
            464 getxattrat stub("int dfd", "const char *pathname", "unsigned int at_flags", "const char *name", "struct xattr_args *uargs", "size_t usize");
            465 listxattrat stub("int dfd", "const char *pathname", "unsigned int at_flags", "char *list", "size_t size");
            466 removexattrat stub("int dfd", "const char *pathname", "unsigned int at_flags", "const char *name");
            467 open_tree_attr stub("int dfd", "const char *filename", "unsigned flags", "struct mount_attr *uattr", "size_t usize");
            468 file_getattr stub("int dfd", "const char *filename", "struct file_attr *ufattr", "size_t usize", "unsigned int at_flags");
            469 file_setattr stub("int dfd", "const char *filename", "struct file_attr *ufattr", "size_t usize", "unsigned int at_flags");
            470 listns stub("const struct ns_id_req *req", "u64 *ns_ids", "size_t nr_ns_ids", "unsigned int flags");
            471 rseq_slice_yield stub();
            472 fchroot stub("int fd", "unsigned int flags");
        }
    };
}

macro_rules! kind {
    (stub) => {
        Kind::Stub
    };
    (standard) => {
        Kind::Standard
    };
    (custom $note:literal) => {
        Kind::Custom { because: $note }
    };
    (legacy $($note:literal)+) => {
        Kind::Legacy { successors: &[$($note),+] }
    };
    (absent $note:literal) => {
        Kind::Absent { because: $note }
    };
}

macro_rules! rows {
    ($($number:literal $name:ident $kind:ident($($parameter:literal),*) $($note:literal)*;)*) => {
        &[$(Syscall {
            number: $number,
            name: stringify!($name),
            symbol: concat!("__vdso_", stringify!($name)),
            parameters: &[$($parameter),*],
            kind: kind!($kind $($note)*),
        }),*]
    };
}

/// Every row, ascending by number.
pub const SYSCALLS: &[Syscall] = for_each_syscall!(rows);

const _: () = {
    let mut row = 1;
    while row < SYSCALLS.len() {
        assert!(SYSCALLS[row - 1].number < SYSCALLS[row].number, "rows must ascend by number");
        row += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successors_are_rows_of_their_own() {
        let mut legacy = 0;
        for call in SYSCALLS {
            for successor in call.successors() {
                let modern = find(successor)
                    .unwrap_or_else(|| panic!("{}: no row for {successor}", call.name));
                assert!(
                    modern.successors().is_empty(),
                    "{}: {successor} is legacy itself",
                    call.name
                );
                legacy += 1;
            }
        }
        assert!(legacy > 0, "no legacy rows were compared");
    }

    #[test]
    fn numbers_are_found_by_name() {
        assert_eq!(number("read"), 0);
        assert_eq!(number("readv"), 19);
    }

    #[test]
    fn names_are_unique() {
        let mut names: std::vec::Vec<_> = SYSCALLS.iter().map(|call| call.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SYSCALLS.len());
    }
}
