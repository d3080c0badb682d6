//! Unlocking a robust futex: what the C image does, and what the kernel relies on at every
//! instruction.

#![expect(unsafe_code, reason = "calls entries of images")]

use liblinux_abi::image::export::{ROBUST, ROBUST_SECTIONS, ROBUST_SINCE};
use liblinux_abi::syscall::since::reaches;
use liblinux_tests::arch::code::Code;
use liblinux_tests::arch::stepper::{Call, Next, Stepper};
use liblinux_tests::arch::unwinder::Unwinder;
use liblinux_tests::image::Image;
use liblinux_tests::kernel::Source;
use liblinux_workspace::skip::skip;
use std::os::unix::fs::FileExt as _;

type Unlock = extern "C" fn(*mut u32, u32, *mut u64) -> u32;

/// A thread's number, and what its pending operation holds: with bits in both halves.
const OWNER: u32 = 4711;
const PENDING: u64 = 0x1122_3344_5566_7788;

/// `FUTEX_WAITERS` and `FUTEX_OWNER_DIED` of `include/uapi/linux/futex.h`.
const WAITERS: u32 = 1 << 31;
const OWNER_DIED: u32 = 1 << 30;

/// The zero flag.
const ZERO: u64 = 1 << 6;

/// The words of a lock, and whether [`OWNER`] can unlock it.
const LOCKS: [(u32, bool); 6] = [
    (OWNER, true),
    (0, false),
    (OWNER + 1, false),
    (OWNER | WAITERS, false),
    (OWNER | OWNER_DIED, false),
    (u32::MAX, false),
];

/// The pending operation after a successful unlock, by the place of a function in [`ROBUST`].
const CLEARED: [u64; 2] = [0, PENDING & !0xffff_ffff];

fn has_functions() -> bool {
    reaches(Image::line().version, ROBUST_SINCE)
}

fn function(image: &Image, name: &str) -> Unlock {
    // SAFETY: `__u32 NAME(__u32 *lock, __u32 tid, POINTER *pop)`.
    unsafe { std::mem::transmute::<usize, Unlock>(image.require(name)) }
}

#[test]
fn an_image_has_the_functions_if_its_kernel_has_them() {
    let image = Image::load();
    let source = Source::cached();
    let theirs = Image::map(std::fs::read(source.c_image()).expect("the C image"));
    for name in ROBUST {
        assert_eq!(image.entry(name).is_some(), has_functions(), "{name}");
        assert_eq!(theirs.entry(name).is_some(), has_functions(), "{name} of the C image");
    }
}

#[test]
fn unlocks_as_the_c_image_does() {
    if !has_functions() {
        skip(&format!("Linux {} has no such functions", Image::line().version));
        return;
    }
    let theirs = Image::map(std::fs::read(Source::cached().c_image()).expect("the C image"));
    let images = [Image::load_patched(), theirs];
    for (name, cleared) in ROBUST.into_iter().zip(CLEARED) {
        for (word, is_owned) in LOCKS {
            for image in &images {
                let (mut lock, mut pending) = (word, PENDING);
                let answer = function(image, name)(&mut lock, OWNER, &mut pending);
                let expected = if is_owned { (0, cleared) } else { (word, PENDING) };
                assert_eq!((answer, (lock, pending)), (word, expected), "{name} of {word:#x}");
            }
        }
    }
}

/// The kernel looks at a thread that is between start and end: the zero flag says whether the lock
/// was given up, and `rdx` where the pending operation is. Outside, lock and pending operation
/// belong together.
#[test]
fn every_instruction_tells_the_kernel_the_truth() {
    if !has_functions() {
        skip(&format!("Linux {} has no such functions", Image::line().version));
        return;
    }
    let image = Image::load_patched();
    let (code, unwinder) = (Code::of(&image), Unwinder::new(image.file()));
    let unwinder = unwinder.expect("call-frame information");
    let mut stepper = Stepper::new(&image, &code, &unwinder);
    let words = Box::new([0_u64; 2]);
    let place = words.as_ptr().addr();
    let (lock, pending) = (place, place + 8);
    for ((name, section), cleared) in ROBUST.into_iter().zip(ROBUST_SECTIONS).zip(CLEARED) {
        let [start, end] = section.map(|symbol| (image.internal(symbol) - image.base()) as u64);
        let arguments = [lock as u64, OWNER.into(), pending as u64, 0, 0, 0];
        let call = Call { entry: image.require(name), arguments, seventh: 0 };
        for (word, is_owned) in LOCKS {
            stepper.write(lock, &word.to_ne_bytes());
            stepper.write(pending, &PENDING.to_ne_bytes());
            let mut inside = 0;
            let result = stepper.call(&call, &mut |stop| {
                let read = |at: usize| {
                    let mut bytes = [0; 8];
                    stop.memory.read_exact_at(&mut bytes, at as u64).expect("the words");
                    u64::from_ne_bytes(bytes)
                };
                let is_unlocked = is_owned && read(lock) as u32 == 0;
                let is_inside = (start..end).contains(&stop.offset);
                let is_cleared = is_unlocked && read(pending) == cleared;
                if is_inside {
                    inside += 1;
                    let says = stop.registers.eflags & ZERO != 0;
                    assert_eq!(says, is_unlocked, "{name} of {word:#x} at {:#x}", stop.offset);
                    assert_eq!(stop.registers.rdx, pending as u64, "{name} at {:#x}", stop.offset);
                    assert!(!stop.may_fault, "{name} has a landing at {:#x}", stop.offset);
                } else {
                    assert_eq!(is_unlocked, is_cleared, "{name} at {:#x}", stop.offset);
                }
                Next::Execute
            });
            assert_eq!(result, Ok(Some(i64::from(word))), "{name} of {word:#x}");
            assert_eq!(inside, if is_owned { 2 } else { 1 }, "{name} of {word:#x}");
        }
    }
}
