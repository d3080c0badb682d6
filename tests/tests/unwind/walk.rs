//! Calls made instruction by instruction, in all the ways that one call can go.

use crate::Place;
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_tests::arch::code::Code;
use liblinux_tests::arch::stepper::{Call, Next, Stepper, Stop};
use liblinux_tests::arch::unwinder::Unwinder;
use liblinux_tests::image::Image;
use nix::libc::user_regs_struct;
use std::collections::BTreeSet;

/// `syscall`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// `ud2`, behind calls that do not return.
const UD2: [u8; 2] = [0x0f, 0x0b];
/// `dec eax`, at the end of a double round of ChaCha20.
const ROUND: [u8; 2] = [0xff, 0xc8];
/// How many double rounds there are.
const ROUNDS: u64 = 10;
/// Exception number of a page fault.
pub(crate) const PAGE_FAULT: u64 = 14;
/// `-ENOSYS`, what the tracer answers for the kernel.
pub(crate) const REFUSED: i64 = -38;

/// How many moments of a call are looked at.
const MOMENTS: usize = 4;

/// Answers a system call in the kernel's place, given the registers.
pub(crate) type Kernel<'k> = dyn Fn(&user_regs_struct) -> i64 + 'k;

/// Pages of memory that the child may write.
pub(crate) const PAGES: usize = 4;

/// Memory at the same place in parent and child.
#[repr(align(4096))]
struct Page([u8; PAGES * PAGE_SIZE]);

/// One child and the calls that it makes.
pub(crate) struct Walk<'a> {
    pub(crate) stepper: Stepper<'a>,
    pub(crate) image: &'a Image,
    page: Box<Page>,
    /// Instructions at which a fault was raised.
    pub(crate) faulted: BTreeSet<Place>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        image: &'a Image,
        code: &'a Code,
        unwinder: &'a Unwinder<'a>,
        faulted: BTreeSet<Place>,
    ) -> Self {
        let page = Box::new(Page([0; PAGES * PAGE_SIZE]));
        let stepper = Stepper::new(image, code, unwinder);
        Self { stepper, image, page, faulted }
    }

    /// Address of the pages that the child may write.
    pub(crate) fn page(&self) -> usize {
        self.page.0.as_ptr().addr()
    }

    /// Makes the call, and again until each instruction with a landing that it reaches has faulted
    /// once in some call; what it returned when none did. `prepare` writes memory before each.
    pub(crate) fn call_to(
        &mut self,
        name: &str,
        arguments: &[u64],
        prepare: &dyn Fn(&Stepper<'_>),
        kernel: &Kernel<'_>,
    ) -> Option<i64> {
        let call = self.prepared(name, arguments);
        loop {
            prepare(&self.stepper);
            let mut injected = false;
            let faulted = &mut self.faulted;
            let mut hook = |stop: Stop<'_>| {
                if stop.may_fault && faulted.insert((stop.offset, stop.instruction.to_vec())) {
                    injected = true;
                    return Next::Raise(PAGE_FAULT);
                }
                answer(stop, kernel)
            };
            let result = self.stepper.call(&call, &mut hook);
            let result = result.unwrap_or_else(|error| panic!("{name}({arguments:x?}): {error}"));
            if !injected {
                return result;
            }
        }
    }

    /// As [`Walk::call_to`], with nothing to prepare and a kernel that refuses.
    pub(crate) fn call(&mut self, name: &str, arguments: &[u64]) -> Option<i64> {
        self.call_to(name, arguments, &|_| {}, &|_| REFUSED)
    }

    /// Makes the call again and again, with `disturb` done before another one of its instructions
    /// each time.
    pub(crate) fn disturbed(
        &mut self,
        name: &str,
        arguments: &[u64],
        prepare: &dyn Fn(&Stepper<'_>),
        kernel: &Kernel<'_>,
        disturb: &dyn Fn(&std::fs::File),
    ) {
        let call = self.prepared(name, arguments);
        let mut length = 0;
        prepare(&self.stepper);
        self.run(name, &call, &mut |stop| {
            length = stop.count;
            answer(stop, kernel)
        });
        for moment in (0..=length).step_by(1 + length / MOMENTS) {
            prepare(&self.stepper);
            self.run(name, &call, &mut |stop| {
                if stop.count == moment {
                    disturb(stop.memory);
                }
                answer(stop, kernel)
            });
        }
    }

    /// Makes a call under a hook.
    pub(crate) fn run(
        &mut self,
        name: &str,
        call: &Call,
        hook: &mut dyn FnMut(Stop<'_>) -> Next,
    ) -> Option<i64> {
        self.stepper.call(call, hook).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A call of an export with up to seven arguments.
    pub(crate) fn prepared(&self, name: &str, arguments: &[u64]) -> Call {
        let argument = |index: usize| arguments.get(index).copied().unwrap_or(0);
        Call {
            entry: self.image.require(name),
            arguments: std::array::from_fn(argument),
            seventh: argument(6),
        }
    }
}

/// Executes what is not a system call, and ends with what traps.
pub(crate) fn answer(stop: Stop<'_>, kernel: &Kernel<'_>) -> Next {
    if stop.instruction == UD2 {
        return Next::End;
    }
    let registers = stop.registers;
    if stop.instruction == ROUND && registers.rax == ROUNDS {
        // All rounds are alike: the last but one is next.
        registers.rax = 2;
        return Next::Skip;
    }
    if stop.instruction != SYSCALL {
        return Next::Execute;
    }
    registers.rax = kernel(registers).cast_unsigned();
    registers.rip += SYSCALL.len() as u64;
    (registers.rcx, registers.r11) = (registers.rip, registers.eflags);
    Next::Skip
}
