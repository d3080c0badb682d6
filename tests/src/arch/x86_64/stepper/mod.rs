//! A child process that runs an image's code one instruction at a time, and is unwound at each.
//!
//! The child is a copy of the test's process that never runs code of its own again: for each call
//! its registers are set as a caller would have set them, with marks in those that a function has
//! to preserve and a return address where nothing is. Before each instruction the frames from there
//! to the caller are unwound, and have to give that address, the caller's stack pointer and the
//! marks.
//!
//! A [`Hook`] sees every stop and may do what the instruction would, which is how system calls are
//! made that must not be made, and enclaves entered that do not exist. Faults resume where
//! `__ex_table` says, as the kernel would have it.
//!
//! The processor could stop behind each instruction by itself (`PTRACE_SINGLESTEP`). In a virtual
//! machine that takes four times as long: the kernel asks a debug register what happened, which the
//! hypervisor answers. So during a call all of the text is breakpoints but for the one instruction
//! that is executed.
//!
//! # Invariants
//!
//! 1. The child ends with its tracer, and in any case when the [`Stepper`] is dropped.
//! 2. Every instruction of the image that the child stops at is unwound and counted, or the call is
//!    an error. So is a place where a linear decode of the function finds no instruction.
//! 3. Between calls the text is as it was.

#![expect(unsafe_code, reason = "forks")]

mod backtrace;

use crate::arch::code::Code;
use crate::arch::unwinder::{Frame, Unwinder};
use crate::image::Image;
use nix::errno::Errno;
use nix::libc::{SI_KERNEL, user_regs_struct};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// `rbx`, `rbp`, `r12` to `r15` of the caller: no addresses, so that a use of one faults.
pub const MARKS: [u64; 6] =
    [0x5a5a_00b3, 0x5a5a_00b6, 0x5a5a_0012, 0x5a5a_0013, 0x5a5a_0014, 0x5a5a_0015];

/// Where the caller continues: nothing is mapped there.
pub const RETURN_ADDRESS: u64 = 0xca11;

/// More steps than this are an endless loop.
const STEPS_MAX: usize = 100_000;

/// `int3`, which leaves the instruction pointer behind it.
const BREAKPOINT: u8 = 0xcc;

/// Words of the caller's stack, and where in it calls are made.
const STACK: usize = 4096;
const STACK_USED: usize = 2048;

/// A call of a function.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call {
    /// Its address.
    pub entry: usize,
    /// The arguments in registers.
    pub arguments: [u64; 6],
    /// The argument on the stack.
    pub seventh: u64,
}

/// What happens at a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The processor executes the instruction.
    Execute,
    /// The hook has done what the instruction would: look at the registers anew.
    Skip,
    /// The exception of this number is raised in place of the instruction.
    Raise(u64),
    /// The call is over.
    End,
}

/// A stop, before an instruction.
#[derive(Debug)]
pub struct Stop<'s> {
    /// The registers; changes count if the answer is [`Next::Skip`].
    pub registers: &'s mut user_regs_struct,
    /// The bytes of the instruction; none at a function outside that the image has called.
    pub instruction: &'s [u8],
    /// Its offset in the image.
    pub offset: u64,
    /// How many stops were before this one.
    pub count: usize,
    /// Whether there is a landing for a fault of the instruction.
    pub may_fault: bool,
    /// The process's memory.
    pub memory: &'s File,
}

/// Decides what happens at each stop.
pub type Hook<'h> = dyn FnMut(Stop<'_>) -> Next + 'h;

/// The child.
#[derive(Debug)]
pub struct Stepper<'a> {
    image: &'a Image,
    code: &'a Code,
    unwinder: &'a Unwinder<'a>,
    child: Pid,
    memory: File,
    stack: Box<[u64; STACK]>,
    /// Offset and bytes of each instruction that was unwound from.
    pub seen: BTreeSet<(u64, Vec<u8>)>,
    /// Instructions unwound from, each as often as it was.
    pub steps: usize,
    /// Bytes of the caller's stack that were used at most, the return address included.
    pub deepest: u64,
}

impl<'a> Stepper<'a> {
    /// Makes a child with the memory that this process has now.
    pub fn new(image: &'a Image, code: &'a Code, unwinder: &'a Unwinder<'a>) -> Self {
        let stack = Box::new([0; STACK]);
        // SAFETY: the child makes three system calls and stops for good.
        let child = match unsafe { fork() }.expect("a child") {
            ForkResult::Parent { child } => child,
            ForkResult::Child => {
                let stopped = ptrace::traceme().and_then(|()| raise(Signal::SIGSTOP));
                // SAFETY: ends the process, without the destructors of its parent's objects.
                unsafe { nix::libc::_exit(i32::from(stopped.is_err())) }
            }
        };
        let stop = waitpid(child, None).expect("the child stops");
        assert_eq!(stop, WaitStatus::Stopped(child, Signal::SIGSTOP));
        ptrace::setoptions(child, ptrace::Options::PTRACE_O_EXITKILL).expect("a traced child");
        let memory = File::options().read(true).write(true).open(format!("/proc/{child}/mem"));
        let memory = memory.expect("the child's memory");
        Self {
            image,
            code,
            unwinder,
            child,
            memory,
            stack,
            seen: BTreeSet::new(),
            steps: 0,
            deepest: 0,
        }
    }

    /// Its memory.
    pub fn memory(&self) -> &File {
        &self.memory
    }

    /// Its registers.
    pub fn registers(&self) -> user_regs_struct {
        ptrace::getregs(self.child).expect("a stopped child")
    }

    /// Sets its registers.
    pub fn set_registers(&self, registers: user_regs_struct) {
        ptrace::setregs(self.child, registers).expect("a stopped child");
    }

    /// Writes to its memory.
    pub fn write(&self, address: usize, bytes: &[u8]) {
        self.memory.write_all_at(bytes, address as u64).expect("memory of the child");
    }

    /// Makes a call; what it returned, or none if the hook ended it.
    pub fn call(&mut self, call: &Call, hook: &mut Hook<'_>) -> Result<Option<i64>, String> {
        let text = self.code.text();
        self.write_text(text.start, &vec![BREAKPOINT; text.len()]);
        let result = self.run(call, hook);
        let image = self.image;
        self.write_text(text.start, &image.file()[text]);
        result
    }

    fn write_text(&self, offset: usize, bytes: &[u8]) {
        self.write(self.image.base() + offset, bytes);
    }

    fn run(&mut self, call: &Call, hook: &mut Hook<'_>) -> Result<Option<i64>, String> {
        let mut registers = self.start(call);
        self.set_registers(registers);
        for count in 0..STEPS_MAX {
            if registers.rip == RETURN_ADDRESS {
                self.returned(&registers)?;
                return Ok(Some(registers.rax.cast_signed()));
            }
            let offset = self.offset(registers.rip);
            let inside = self.contains(registers.rip);
            if inside {
                self.unwind(&registers)?;
            } else {
                self.unwind_callee(&registers)?;
            }
            let instruction = self.code.instruction(offset).unwrap_or_default();
            let may_fault = self.code.landing(offset).is_some();
            let stop = Stop {
                registers: &mut registers,
                instruction,
                offset,
                count,
                may_fault,
                memory: &self.memory,
            };
            match hook(stop) {
                Next::End => return Ok(None),
                Next::Skip => self.set_registers(registers),
                Next::Raise(vector) => self.land(&mut registers, vector, 0)?,
                Next::Execute if inside => self.execute(&mut registers, instruction)?,
                Next::Execute => return Err(format!("{:#x} is not in the image", registers.rip)),
            }
        }
        Err(format!("no end after {STEPS_MAX} instructions"))
    }

    /// Lets the child execute one instruction; a fault resumes at its landing.
    fn execute(&self, registers: &mut user_regs_struct, instruction: &[u8]) -> Result<(), String> {
        let offset = self.offset(registers.rip) as usize;
        self.write_text(offset, instruction);
        ptrace::cont(self.child, None).map_err(|error| error.to_string())?;
        let signal = self.stopped()?;
        self.write_text(offset, &vec![BREAKPOINT; instruction.len()]);
        let mut now = self.registers();
        if signal == Signal::SIGTRAP {
            now.rip -= 1;
            self.set_registers(now);
        }
        // Where nothing is mapped, the next instruction faults before it begins.
        if signal == Signal::SIGTRAP || now.rip != registers.rip {
            *registers = now;
            return Ok(());
        }
        match signal {
            Signal::SIGILL => self.land(registers, 6, 0),
            // An address relative to `rsp` or `rbp` that no address can be.
            Signal::SIGBUS => self.land(registers, 12, 0),
            Signal::SIGSEGV => {
                let information =
                    ptrace::getsiginfo(self.child).map_err(|error| error.to_string())?;
                // SAFETY: a signal of the processor has an address.
                let address = unsafe { information.si_addr() }.addr() as u64;
                self.land(
                    registers,
                    if information.si_code == SI_KERNEL { 13 } else { 14 },
                    address,
                )
            }
            other => Err(format!("{:#x}: {other}", registers.rip)),
        }
    }

    /// Lets the child execute one instruction, or take a signal; why it stopped then.
    pub fn step(&self, signal: Option<Signal>) -> Result<Signal, String> {
        ptrace::step(self.child, signal).map_err(|error| error.to_string())?;
        self.stopped()
    }

    /// Waits until the child stops; why it did.
    fn stopped(&self) -> Result<Signal, String> {
        match waitpid(self.child, None).map_err(|error| error.to_string())? {
            WaitStatus::Stopped(_, why) => Ok(why),
            other => Err(format!("the child is gone: {other:?}")),
        }
    }

    /// What the kernel's `fixup_vdso_exception` does.
    fn land(
        &self,
        registers: &mut user_regs_struct,
        vector: u64,
        address: u64,
    ) -> Result<(), String> {
        let offset = self.offset(registers.rip);
        let landing = self.code.landing(offset).ok_or_else(|| {
            format!("{offset:#x}: exception {vector} at {address:#x}, and the exception table has no landing")
        })?;
        registers.rip = self.image.base() as u64 + landing;
        (registers.rdi, registers.rsi, registers.rdx) = (vector, 0, address);
        self.set_registers(*registers);
        Ok(())
    }

    fn start(&self, call: &Call) -> user_regs_struct {
        let top = self.top();
        self.write(top as usize, &RETURN_ADDRESS.to_ne_bytes());
        self.write(top as usize + 8, &call.seventh.to_ne_bytes());
        let mut registers = self.registers();
        [registers.rdi, registers.rsi, registers.rdx, registers.rcx, registers.r8, registers.r9] =
            call.arguments;
        [
            registers.rbx,
            registers.rbp,
            registers.r12,
            registers.r13,
            registers.r14,
            registers.r15,
        ] = MARKS;
        registers.rsp = top;
        registers.rip = call.entry as u64;
        registers.orig_rax = u64::MAX; // Not in a system call that could be restarted.
        registers
    }

    /// Where the return address is, 8 below a multiple of 16.
    fn top(&self) -> u64 {
        (self.stack[STACK_USED..].as_ptr().addr() as u64 & !15) - 8
    }

    fn offset(&self, address: u64) -> u64 {
        address.wrapping_sub(self.image.base() as u64)
    }

    fn contains(&self, address: u64) -> bool {
        self.offset(address) < self.image.file().len() as u64
    }

    fn returned(&self, registers: &user_regs_struct) -> Result<(), String> {
        backtrace::is_caller(&Frame::innermost(registers), self.top())
    }

    fn word(&self, address: u64) -> Result<u64, String> {
        let mut word = [0; 8];
        self.memory
            .read_exact_at(&mut word, address)
            .map_err(|error| format!("{address:#x}: {error}"))?;
        Ok(u64::from_ne_bytes(word))
    }
}

impl Drop for Stepper<'_> {
    fn drop(&mut self) {
        // It may be gone already.
        if kill(self.child, Signal::SIGKILL).is_ok() {
            while !matches!(
                waitpid(self.child, Some(WaitPidFlag::__WALL)),
                Ok(WaitStatus::Signaled(..) | WaitStatus::Exited(..)) | Err(Errno::ECHILD)
            ) {}
        }
    }
}
