//! Calls that make a child: the child really runs, on the right stack, and the parent comes back.

#![expect(unsafe_code, reason = "calls entries of the image")]

use liblinux_abi::kernel::clone;
use liblinux_tests::child::{MARKS, Spawn};
use liblinux_tests::image::Image;
use std::hint::black_box;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

static IMAGE: LazyLock<Image> = LazyLock::new(Image::load);

// `include/uapi/linux/sched.h`, `include/uapi/asm-generic/signal.h`.
const CLONE_VM: usize = clone::CLONE_VM as usize;
const CLONE_VFORK: usize = 0x4000;
const CLONE_THREAD: usize = 0x0001_0000 | 0x200 | 0x400 | 0x800 | 0x0004_0000; // With FS, FILES, SIGHAND, SYSVSEM.
const CLONE_CHILD_CLEARTID: usize = 0x0020_0000;
const SIGCHLD: usize = 17;

/// What parent and child share, or do not.
struct Shared {
    exit: extern "C" fn(i32) -> isize,
    ran: AtomicU32,
    /// Cleared by the kernel when a thread is gone.
    alive: AtomicU32,
}

impl Shared {
    fn new(exit: &str) -> Self {
        let exit = IMAGE.require(exit);
        // SAFETY: both entries used here, `exit` and `exit_group`, take the status and return only
        // on error.
        let exit = unsafe { std::mem::transmute::<usize, extern "C" fn(i32) -> isize>(exit) };
        Self { exit, ran: AtomicU32::new(0), alive: AtomicU32::new(1) }
    }
}

/// The child: uses a lot of stack, leaves a mark, and is gone with status 7.
extern "C" fn child(shared: *const ()) -> ! {
    // SAFETY: every test passes a `Shared` that outlives the child.
    let shared = unsafe { &*shared.cast::<Shared>() };
    overwrite(16);
    shared.ran.fetch_add(1, SeqCst);
    (shared.exit)(7);
    unreachable!("exit returned");
}

/// Overwrites the stack below.
#[inline(never)]
fn overwrite(depth: usize) {
    let waste = black_box([0xdead_beef_usize; 64]);
    if depth > 0 {
        overwrite(depth - 1);
    }
    black_box(waste);
}

/// Waits for a child process and returns its exit status.
fn status_of(pid: isize) -> i32 {
    let wait4 = IMAGE.require("__vdso_wait4");
    // SAFETY: `pid_t wait4(pid, *status, options, *usage)`.
    let wait4 = unsafe {
        std::mem::transmute::<usize, extern "C" fn(isize, *mut i32, i32, usize) -> isize>(wait4)
    };
    let mut status = 0;
    assert_eq!(wait4(pid, &raw mut status, 0, 0), pid);
    assert_eq!(status & 0x7f, 0, "the child died of a signal: status {status:#x}");
    status >> 8
}

/// A child to be made through `entry`. It stays where it is: the child writes what it found into
/// it.
fn prepare(entry: &str, arguments: [usize; 5], shared: &Shared) -> Box<Spawn> {
    let argument = (&raw const *shared).cast();
    Box::new(Spawn {
        entry: IMAGE.require(entry),
        arguments,
        main: child,
        argument,
        found: [0; 10],
    })
}

/// Makes the child and returns what the parent got.
fn call(spawn: &mut Spawn) -> isize {
    // SAFETY: each test gives arguments for which `child` has a stack and memory.
    unsafe { spawn.call() }
}

/// A stack for a child, and its top.
fn stack() -> (Vec<u128>, usize) {
    let stack = vec![0_u128; 4096];
    let top = stack.as_ptr_range().end.addr();
    (stack, top)
}

#[track_caller]
fn assert_registers(spawn: &Spawn) {
    let [rdi, rsi, rdx, _, r8] = spawn.arguments;
    assert_eq!(spawn.found[..4], [rdi, rsi, rdx, r8], "argument registers in the child");
    assert_eq!(spawn.found[4..9], MARKS, "callee-saved registers in the child");
}

#[test]
fn fork_returns_twice() {
    let shared = Shared::new("__vdso_exit_group");
    let mut spawn = prepare("__vdso_fork", [0; 5], &shared);
    let pid = call(&mut spawn);
    assert!(pid > 0, "fork: {pid}");
    assert_eq!(status_of(pid), 7);
    assert_eq!(shared.ran.load(SeqCst), 0, "a forked child has memory of its own");
}

#[test]
fn vfork_survives_a_child_that_overwrites_the_stack() {
    let shared = Shared::new("__vdso_exit_group");
    let mut spawn = prepare("__vdso_vfork", [1, 2, 3, 4, 5], &shared);
    let pid = call(&mut spawn);
    assert!(pid > 0, "vfork: {pid}");
    assert_eq!(
        shared.ran.load(SeqCst),
        1,
        "the child shares memory and has run before vfork returns"
    );
    assert_registers(&spawn);
    assert_eq!(status_of(pid), 7);
}

#[test]
fn clone_without_a_stack_forks() {
    let shared = Shared::new("__vdso_exit_group");
    let mut spawn = prepare("__vdso_clone", [SIGCHLD, 0, 0, 0, 0], &shared);
    let pid = call(&mut spawn);
    assert!(pid > 0, "clone: {pid}");
    assert_eq!(status_of(pid), 7);
    assert_eq!(shared.ran.load(SeqCst), 0);
}

#[test]
fn clone_on_the_shared_stack_survives_its_child() {
    let shared = Shared::new("__vdso_exit_group");
    let mut spawn =
        prepare("__vdso_clone", [CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0], &shared);
    let pid = call(&mut spawn);
    assert!(pid > 0, "clone: {pid}");
    assert_eq!(shared.ran.load(SeqCst), 1);
    assert_registers(&spawn);
    assert_eq!(status_of(pid), 7);
}

#[test]
fn clone_with_a_new_stack_makes_a_thread() {
    let shared = Shared::new("__vdso_exit");
    let (_stack, top) = stack();
    let flags = CLONE_VM | CLONE_THREAD | CLONE_CHILD_CLEARTID;
    let alive = (&raw const shared.alive).addr();
    let mut spawn = prepare("__vdso_clone", [flags, top, 0, alive, 0], &shared);
    let tid = call(&mut spawn);
    assert!(tid > 0, "clone: {tid}");
    join(&shared);
    assert_registers(&spawn);
    assert_eq!(spawn.found[9], top, "the child starts with the stack pointer it was given");
}

#[test]
fn clone3_makes_a_process_and_a_thread() {
    let shared = Shared::new("__vdso_exit_group");
    // `struct clone_args`: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size,
    // tls.
    let arguments = [0_u64, 0, 0, 0, SIGCHLD as u64, 0, 0, 0];
    let pointer = arguments.as_ptr().addr();
    let mut spawn = prepare("__vdso_clone3", [pointer, 64, 0, 0, 0], &shared);
    let pid = call(&mut spawn);
    assert!(pid > 0, "clone3: {pid}");
    assert_eq!(status_of(pid), 7);
    assert_eq!(shared.ran.load(SeqCst), 0);

    let shared = Shared::new("__vdso_exit");
    let (stack, top) = stack();
    let flags = CLONE_VM | CLONE_THREAD | CLONE_CHILD_CLEARTID;
    let size = size_of_val(stack.as_slice());
    let alive = (&raw const shared.alive).addr();
    let arguments = [flags, 0, alive, 0, 0, top - size, size, 0].map(|word| word as u64);
    let mut spawn = prepare("__vdso_clone3", [arguments.as_ptr().addr(), 64, 2, 3, 5], &shared);
    let tid = call(&mut spawn);
    assert!(tid > 0, "clone3: {tid}");
    join(&shared);
    assert_registers(&spawn);
    assert_eq!(spawn.found[9], top);
}

#[test]
fn clone3_on_the_shared_stack_survives_its_child() {
    let shared = Shared::new("__vdso_exit_group");
    let arguments = [(CLONE_VM | CLONE_VFORK) as u64, 0, 0, 0, SIGCHLD as u64, 0, 0, 0];
    let mut spawn = prepare("__vdso_clone3", [arguments.as_ptr().addr(), 64, 0, 0, 0], &shared);
    let pid = call(&mut spawn);
    assert!(pid > 0, "clone3: {pid}");
    assert_eq!(shared.ran.load(SeqCst), 1);
    assert_eq!(status_of(pid), 7);
}

#[test]
fn clone3_leaves_bad_sizes_to_the_kernel() {
    let shared = Shared::new("__vdso_exit_group");
    let mut spawn = prepare("__vdso_clone3", [8, 0, 0, 0, 0], &shared);
    let result = call(&mut spawn);
    assert_eq!(result, -22, "EINVAL, and the bad pointer is not read");
}

/// Waits until the kernel has cleared `alive`: the thread no longer uses its stack.
fn join(shared: &Shared) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while shared.alive.load(SeqCst) != 0 {
        assert!(std::time::Instant::now() < deadline, "the thread did not end");
        std::thread::yield_now();
    }
    assert_eq!(shared.ran.load(SeqCst), 1, "the thread ran");
}
