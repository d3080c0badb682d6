//! Threads without a libc: the code on them, the memory that they leave, and the stacks that they
//! refuse.

#![expect(unsafe_code, reason = "starts threads")]

#[path = "headers/compiler.rs"]
mod compiler;

use compiler::{check, print};
use liblinux::thread::Thread;
use liblinux::{Errno, Vdso};
use liblinux_tests::image::Image;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

const STACK: usize = 64 << 10;

fn ours() -> Vdso {
    // SAFETY: mapped for good, as its headers say.
    unsafe { Vdso::at(Image::load().base()) }.expect("our image is fit")
}

/// Counts, and notes where its stack is.
unsafe extern "C" fn work(argument: *mut c_void) -> c_int {
    let local = 0;
    // SAFETY: each thread is given two counters.
    let counters = unsafe { &*argument.cast::<[AtomicUsize; 2]>() };
    counters[0].fetch_add(1, Ordering::Relaxed);
    counters[1].store((&raw const local).addr(), Ordering::Relaxed);
    0
}

#[test]
fn threads_run_on_their_stacks_and_end() {
    let vdso = ours();
    for _ in 0..50 {
        let counters = [const { [const { AtomicUsize::new(0) }; 2] }; 4];
        let mut stacks = vec![[0_u128; STACK / 16]; counters.len()];
        let ranges: Vec<_> = stacks.iter().map(|stack| stack.as_ptr_range()).collect();
        let threads: Vec<Thread> = stacks
            .iter_mut()
            .zip(&counters)
            .map(|(stack, counters)| {
                let argument = std::ptr::from_ref(counters).cast_mut().cast();
                Thread::new(stack.as_mut_ptr().cast(), STACK, work, argument)
            })
            .collect();
        for thread in &threads {
            // SAFETY: the stack is the thread's alone, large enough for `work`, and outlives it: it
            // is waited for below.
            assert!(unsafe { thread.start(&vdso) }.expect("a thread") > 0);
        }
        for thread in &threads {
            thread.join(&vdso).expect("it ends");
        }
        for (counters, range) in counters.iter().zip(ranges) {
            assert_eq!(counters[0].load(Ordering::Relaxed), 1);
            let place = std::ptr::without_provenance(counters[1].load(Ordering::Relaxed));
            assert!(range.contains(&place), "{place:?} is not in {range:?}");
        }
    }
}

#[test]
fn what_cannot_be_started_says_why() {
    let vdso = ours();
    let stack = std::ptr::without_provenance_mut(0x10008);
    let start = |vdso: &Vdso, stack, size| {
        let thread = Thread::new(stack, size, work, std::ptr::null_mut());
        // SAFETY: refused before a thread begins.
        let started = unsafe { thread.start(vdso) };
        thread.join(vdso).expect("it was not started");
        started
    };
    assert_eq!(start(&vdso, stack, STACK), Err(Errno::EINVAL));
    assert_eq!(start(&vdso, std::ptr::null_mut(), STACK), Err(Errno::EINVAL));
    // The kernel's own answer: a stack of no bytes.
    assert_eq!(start(&vdso, std::ptr::without_provenance_mut(0x10000), 0), Err(Errno::EINVAL));
    assert_eq!(start(&Vdso::none().or_syscall(), stack, STACK), Err(Errno::NO_ENTRY));
}

/// The C header's threads, in every optimization, dialect and unwind mode.
#[test]
fn threads_of_c_run_and_end() {
    const PROGRAM: &str = "
#include \"liblinux.h\"
#include \"liblinux/thread.h\"
static char stacks[4][16384] __attribute__((aligned(16)));
static int count;
static int work(void *argument)
{
\tint step;

\tfor (step = 0; step < 1000; step++)
\t\t__atomic_fetch_add((int *)argument, 1, __ATOMIC_RELAXED);
\treturn 0;
}
int main(int arguments, char **names)
{
\tconst void *image = map(names[arguments - 1]);
\tstruct liblinux_thread threads[4], bad = { stacks[0] + 8, sizeof(stacks[0]), 0, work, 0, 0 };
\tint each, round;

\tfor (round = 0; round < 50; round++) {
\t\tfor (each = 0; each < 4; each++) {
\t\t\tstruct liblinux_thread one = { stacks[each], sizeof(stacks[each]), 0, work, &count, 0 };

\t\t\tthreads[each] = one;
\t\t\tif (liblinux_thread_start(image, &threads[each]) <= 0)
\t\t\t\treturn 1;
\t\t}
\t\tfor (each = 0; each < 4; each++)
\t\t\tif (liblinux_thread_join(image, &threads[each]))
\t\t\t\treturn 1;
\t}
\tprintf(\"%d %ld\\n\", count, liblinux_thread_start(image, &bad));
\treturn 0;
}
";
    let program = [include_str!("map.h"), PROGRAM].concat();
    let image = Image::path();
    let header = "#include \"liblinux/thread.h\"\n";
    for flags in [["-x", "c", "-std=c99", "-pedantic"], ["-x", "c++", "-std=c++98", "-pedantic"]] {
        check("gcc", &flags, header).unwrap_or_else(|why| panic!("{flags:?}:\n{why}"));
    }
    for (compiler, flags) in [
        ("gcc", ["-x", "c", "-O0", "-g"].as_slice()),
        ("gcc", &["-x", "c", "-O2", "-flto"]),
        ("gcc", &["-x", "c", "-O2", "-masm=intel", "-fomit-frame-pointer"]),
        ("gcc", &["-x", "c", "-Os", "-fno-asynchronous-unwind-tables"]),
        ("g++", &["-x", "c++", "-std=c++11", "-O2"]),
        ("musl-gcc", &["-x", "c", "-O2", "-static"]),
    ] {
        let said = print(compiler, flags, &program, &[image.to_str().expect("UTF-8")]);
        assert_eq!(said, "200000 -22\n", "{compiler} {flags:?}");
    }
}
