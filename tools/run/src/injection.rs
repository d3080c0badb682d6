//! System calls made in a process that has just become another program.
//!
//! The process is stopped inside `execve`. The tracer leads it to the end of that call. From there
//! the tracer sends it to a `syscall` instruction with the registers of the wanted call, and stops
//! it again at the end of that. No instruction of the program itself runs. The instruction is one
//! of the kernel's vDSO. On a kernel without a vDSO the tracer writes it over the program's first
//! bytes, and puts these back at the end.
//!
//! The tracer uses stops at system calls and not single steps: a step is a signal, which changes
//! how the process handles `SIGTRAP`.
//!
//! # Invariants
//!
//! 1. Signals are blocked meanwhile, so that none is lost and none runs a handler;
//!    [`Injection::finish`] restores the mask. `SIGSTOP` cannot be blocked: it is sent again at the
//!    end.
//! 2. After [`Injection::finish`] the registers are those that the kernel gave the new program, but
//!    for the stack pointer.

use crate::arch::{self, Registers, SYSTEM_CALL};
use crate::change::Change;
use crate::memory::Memory;
use crate::tracee;
use anyhow::{Context as _, Result, anyhow, bail};
use liblinux_abi::syscall;
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The highest error number that a system call returns.
const ERRNO_MAX: i64 = 4095;

/// A process that makes system calls for the tracer.
#[derive(Debug)]
pub(crate) struct Injection<'a> {
    pid: Pid,
    memory: &'a Memory,
    site: u64,
    /// The program's own bytes in the place of the instruction.
    overwritten: Option<Vec<u8>>,
    registers: Registers,
    signal_mask: u64,
    is_stopped: bool,
}

impl<'a> Injection<'a> {
    /// Leads a process that is stopped inside `execve` to its end. `system_call` is where it has
    /// such an instruction.
    pub(crate) fn begin(pid: Pid, memory: &'a Memory, system_call: Option<u64>) -> Result<Self> {
        let registers = tracee::registers(pid)?;
        let signal_mask = tracee::signal_mask(pid)?;
        let (site, overwritten) = match system_call {
            Some(site) => (site, None),
            None => {
                let site = arch::instruction_pointer(&registers);
                let overwritten =
                    memory.read(site, SYSTEM_CALL.len()).context("the program's first bytes")?;
                memory.write(site, &SYSTEM_CALL).context("the program's first bytes")?;
                (site, Some(overwritten))
            }
        };
        tracee::set_signal_mask(pid, !0)?;
        let mut injection =
            Self { pid, memory, site, overwritten, registers, signal_mask, is_stopped: false };
        injection.go()?;
        injection.registers = tracee::registers(pid)?;
        Ok(injection)
    }

    /// Makes a system call; its result, or its error.
    pub(crate) fn call<const N: usize>(&mut self, name: &str, arguments: [u64; N]) -> Result<u64> {
        self.enter(name, arguments)?;
        self.go()?;
        let result = arch::result(&tracee::registers(self.pid)?);
        if (-ERRNO_MAX..0).contains(&result) {
            let errno = Errno::from_raw(i32::try_from(-result)?);
            return Err(anyhow!(errno).context(format!("{name} in the process")));
        }
        Ok(result.cast_unsigned())
    }

    /// Leads it to where it exits with this status as soon as it is resumed.
    pub(crate) fn exit(mut self, status: u64) -> Result<()> {
        self.enter("exit_group", [status])
    }

    /// Leads it to where a system call begins.
    fn enter<const N: usize>(&mut self, name: &str, arguments: [u64; N]) -> Result<()> {
        let number = syscall::find(name).with_context(|| format!("no system call {name}"))?.number;
        let mut all = [0; 6];
        all[..N].copy_from_slice(&arguments);
        tracee::set_registers(
            self.pid,
            arch::prepare_call(&self.registers, self.site, number, all),
        )?;
        self.go()
    }

    /// Lets it run to the next end or beginning of a system call.
    fn go(&mut self) -> Result<()> {
        loop {
            tracee::resume_to_system_call(self.pid, 0)?;
            match tracee::wait(Some(self.pid))?.1 {
                Change::SystemCall => return Ok(()),
                Change::Signal(libc::SIGSTOP) | Change::GroupStop => self.is_stopped = true,
                Change::Trivial => {}
                Change::Gone => bail!(Errno::ESRCH),
                other => bail!("the process was not to run, but: {other:?}"),
            }
        }
    }

    /// Puts everything back, with another stack pointer. The process is stopped before its first
    /// instruction.
    pub(crate) fn finish(self, stack_pointer: u64) -> Result<()> {
        if let Some(bytes) = &self.overwritten {
            self.memory.write(self.site, bytes).context("the program's first bytes")?;
        }
        let mut registers = self.registers;
        arch::set_stack_pointer(&mut registers, stack_pointer);
        tracee::set_registers(self.pid, registers)?;
        tracee::set_signal_mask(self.pid, self.signal_mask)?;
        if self.is_stopped {
            kill(self.pid, Signal::SIGSTOP)?;
        }
        Ok(())
    }
}
