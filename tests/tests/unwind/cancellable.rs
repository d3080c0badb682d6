//! Cancellable calls: made, called off before and after, with a state that cannot be read; and the
//! functions beside them.

use crate::walk::{REFUSED, Walk};
use liblinux_abi::arch::x86_64::signal::{CS, RBX, RIP};
use liblinux_abi::image::export::{CANCEL, SYSCALL_CANCELLABLE};
use liblinux_abi::kernel::errno::{ECANCELED, EFAULT, EINTR};
use liblinux_abi::syscall::number;
use liblinux_tests::arch::stepper::{Next, Stepper};

const CANCELLED: i64 = -(ECANCELED as i64);
const INTERRUPTED: i64 = -(EINTR as i64);
const BAD: i64 = -(EFAULT as i64);

/// Where in the page the context is, behind the state.
const CONTEXT: usize = 1024;

pub(crate) fn calls(walk: &mut Walk<'_>) {
    let page = walk.page();
    let (state, read, close) = (page as u64, number("read").into(), number("close").into());
    let set =
        move |word: u32| move |stepper: &Stepper<'_>| stepper.write(page, &word.to_ne_bytes());
    for (call, before, said, result) in [
        (read, 0, REFUSED, REFUSED),
        (read, 0, 7, 7),
        (read, 1, 7, CANCELLED),
        (read, 0, INTERRUPTED, INTERRUPTED),
        (close, 0, INTERRUPTED, INTERRUPTED),
    ] {
        let arguments = [state, call, 1, 2, 3, 4, 5];
        let found = walk.call_to(SYSCALL_CANCELLABLE, &arguments, &set(before), &|_| said);
        assert_eq!(found, Some(result), "call {call}, state {before}, the kernel says {said}");
    }
    assert_eq!(walk.call(SYSCALL_CANCELLABLE, &[1, read]), Some(BAD));
    interrupted(walk, read, CANCELLED);
    interrupted(walk, close, INTERRUPTED);
    neighbours(walk);
}

/// The state is set while the kernel has the thread, which it then interrupts.
fn interrupted(walk: &mut Walk<'_>, call: u64, result: i64) {
    let page = walk.page();
    walk.stepper.write(page, &0_u32.to_ne_bytes());
    let call = walk.prepared(SYSCALL_CANCELLABLE, &[page as u64, call, 1, 2, 3, 4, 5]);
    let found = walk.run(SYSCALL_CANCELLABLE, &call, &mut |stop| {
        if stop.instruction != [0x0f, 0x05] {
            return Next::Execute;
        }
        let memory: &std::fs::File = stop.memory;
        std::os::unix::fs::FileExt::write_all_at(memory, &1_u32.to_ne_bytes(), page as u64)
            .expect("memory of the child");
        stop.registers.rax = INTERRUPTED.cast_unsigned();
        stop.registers.rip += 2;
        Next::Skip
    });
    assert_eq!(found, Some(result));
}

/// The window is written, and a context is moved out of it.
fn neighbours(walk: &mut Walk<'_>) {
    let [dispatch, window] = CANCEL;
    let page = walk.page();
    assert_eq!(walk.call(window, &[1]), Some(BAD));
    assert_eq!(walk.call(window, &[page as u64]), Some(0));
    let mut found = [0; 32];
    std::os::unix::fs::FileExt::read_exact_at(walk.stepper.memory(), &mut found, page as u64)
        .expect("memory of the child");
    let found = found.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word));
    let [start, call, end, exit] = found.collect::<Vec<u64>>()[..] else {
        panic!("four words");
    };
    assert!(start < call && call < end && end < exit);

    let segment = walk.stepper.registers().cs;
    for (ip, state, moved) in
        [(start - 1, 1, 0), (start, 0, 0), (start, 1, 1), (call, 1, 1), (end, 1, 0), (exit, 1, 0)]
    {
        let write = |stepper: &Stepper<'_>| {
            stepper.write(page, &u32::to_ne_bytes(state));
            for (register, value) in [(RIP, ip), (CS, segment), (RBX, page as u64)] {
                stepper.write(page + CONTEXT + register, &value.to_ne_bytes());
            }
        };
        let context = (page + CONTEXT) as u64;
        let said = walk.call_to(dispatch, &[context], &write, &|_| REFUSED);
        assert_eq!(said, Some(moved), "at {ip:#x} with state {state}");
    }
    assert_eq!(walk.call(dispatch, &[1]), Some(BAD));
}
