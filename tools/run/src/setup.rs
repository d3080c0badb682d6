//! Giving the image to one process, which has just become another program and has not executed an
//! instruction of it.
//!
//! The tracer has the process make two mappings beside the kernel's vDSO, whose data the copy has
//! to reach. The first has pages of zeros, in place of the kernel's data. The second lies in the
//! upper part of the first, once the kernel has said where that is: the image's copy for that
//! place, readable and executable.
//!
//! The copy is in a file in memory, so that `/proc/PID/maps` has a name for it. Where the process
//! cannot make such a file (a `seccomp` filter, a limit, a `/proc` of another PID namespace), the
//! mapping is anonymous. The tracer writes to its first page once more: the kernel puts the whole
//! of a mapping into a core file only if some page of it is private.
//!
//! Then the tracer makes `AT_SYSINFO_EHDR` point at the image: on the stack, where programs look,
//! and in the kernel's copy of the auxiliary vector, where debuggers look, if the kernel permits
//! it.
//!
//! # Invariants
//!
//! 1. A process is left alone as it was ([`Outcome::LeftAlone`]), has the image wholly
//!    ([`Outcome::Given`]), or is made to exit with [`FAILURE`] ([`Outcome::Ended`]).
//! 2. Under a `seccomp` filter the process is made to map memory and nothing else: every program's
//!    loader does that, and a filter may kill for other calls.

use crate::arch;
use crate::copy::{Copy, Image};
use crate::folder::{Folder, SCRATCH};
use crate::injection::Injection;
use crate::memory::Memory;
use crate::running::Running;
use crate::stack::{Edit, Stack};
use crate::status::FAILURE;
use crate::tracee;
use anyhow::{Context as _, Result, bail};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::datapage::DATA_SIZE;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Write as _;

/// The name of the mapping.
const NAME: &[u8] = b"liblinux-vdso\0";

/// More bytes than the kernel's data pages, which lie directly below its vDSO, take.
const KERNEL_DATA_MAX: u64 = 1 << 16;

/// How near to the kernel's vDSO the image has to be: well within what an instruction reaches.
const NEAR: u64 = 1 << 30;

/// The most of a stack that is searched for the auxiliary vector: more than the kernel lets
/// arguments take.
const STACK_MAX: usize = 64 << 20;

/// The result for a process.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It has the image.
    Given(Given),
    /// It has the kernel's vDSO, because of this.
    LeftAlone(String),
    /// It ends when it is resumed, because of this.
    Ended(anyhow::Error),
    /// It was killed meanwhile.
    Gone,
}

/// Where the image is.
#[derive(Debug)]
pub(crate) struct Given {
    /// Its first byte.
    pub(crate) base: u64,
    /// The kernel's vDSO, if there is one.
    pub(crate) kernel: Option<u64>,
    /// The functions that are led to its code.
    pub(crate) redirected: Vec<&'static str>,
    /// Why the others are not.
    pub(crate) obstacle: Option<String>,
    /// Bytes of the copy.
    pub(crate) size: usize,
}

/// The facts about a process before anything is changed.
struct Plan {
    stack_pointer: u64,
    stack: Stack,
    kernel: Option<u64>,
    has_filter: bool,
}

/// Gives `image` to the process `pid`. `kernel` is the last vDSO seen.
pub(crate) fn give(pid: Pid, image: &Image, kernel: &mut Running) -> Outcome {
    match prepare(pid, kernel) {
        Ok((memory, plan)) => install(pid, &memory, &plan, image, kernel),
        Err(error) if is_stopped(pid) => Outcome::LeftAlone(format!("{error:#}")),
        Err(_) => Outcome::Gone,
    }
}

/// Looks at the process; an error is a reason to leave it alone.
fn prepare(pid: Pid, known: &mut Running) -> Result<(Memory, Plan)> {
    const NOT_NATIVE: &str = "it is not a 64-bit program";
    let registers = tracee::registers(pid)?;
    if !arch::is_native(&registers) {
        bail!(NOT_NATIVE);
    }
    let memory = Memory::open(pid)?;
    let stack_pointer = arch::stack_pointer(&registers);
    let stack = read_stack(&memory, stack_pointer)?;
    if !stack.is_native() {
        bail!(NOT_NATIVE);
    }
    let kernel = stack.vdso();
    *known = match kernel {
        Some(address) => Running::of(&memory, address, std::mem::take(known))?,
        None => Running::default(),
    };
    // Without `/proc` the process may have a filter.
    let mode = memory.folder().and_then(|folder| folder.status("Seccomp").ok()?);
    let has_filter = mode.is_none_or(|mode| mode != b"0");
    Ok((memory, Plan { stack_pointer, stack, kernel, has_filter }))
}

fn read_stack(memory: &Memory, stack_pointer: u64) -> Result<Stack> {
    let mut size = 2 * PAGE_SIZE;
    loop {
        let bytes = memory.read_some(stack_pointer, size).context("its stack cannot be read")?;
        match Stack::read(&bytes) {
            Ok(Some(stack)) => return Ok(stack),
            Ok(None) if bytes.len() == size && size < STACK_MAX => size *= 2,
            _ => bail!("there is no auxiliary vector on its stack"),
        }
    }
}

fn install(pid: Pid, memory: &Memory, plan: &Plan, image: &Image, kernel: &Running) -> Outcome {
    let kernel = plan.kernel.map(|address| (address, kernel));
    let site =
        kernel.and_then(|(address, kernel)| Some(address + kernel.functions().system_call()?));
    let mut injection = match Injection::begin(pid, memory, site) {
        Ok(injection) => injection,
        Err(error) => return killed(pid, error),
    };
    match map(&mut injection, memory, plan, image, kernel) {
        Ok((given, stack_pointer)) => match injection.finish(stack_pointer) {
            Ok(()) => Outcome::Given(given),
            Err(error) => killed(pid, error),
        },
        Err(error) => match injection.exit(FAILURE.into()) {
            Ok(()) => Outcome::Ended(error),
            Err(_) => killed(pid, error),
        },
    }
}

/// Ends a process that cannot be made to exit by itself, as a rule because another process has
/// killed it.
fn killed(pid: Pid, error: anyhow::Error) -> Outcome {
    let is_there = is_stopped(pid);
    // An error means that it is gone already.
    let _ = kill(pid, Signal::SIGKILL);
    if is_there { Outcome::Ended(error) } else { Outcome::Gone }
}

/// Whether it is there and stopped: then it has registers.
fn is_stopped(pid: Pid) -> bool {
    tracee::registers(pid).is_ok()
}

/// Maps the image and points the program at it; where the stack pointer is then.
fn map(
    injection: &mut Injection<'_>,
    memory: &Memory,
    plan: &Plan,
    image: &Image,
    kernel: Option<(u64, &Running)>,
) -> Result<(Given, u64)> {
    let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let base = find_room(injection, plan, image, kernel)?;
    let copy = image.copy_for(base, kernel);
    let file =
        if plan.has_filter { None } else { create_file(injection, memory, plan, &copy.bytes)? };
    let (flags, descriptor) = match file {
        Some(file) => (libc::MAP_PRIVATE, file),
        None => (anonymous, u64::MAX),
    };
    let (size, execute) = (copy.bytes.len(), (libc::PROT_READ | libc::PROT_EXEC) as u64);
    let fixed = (flags | libc::MAP_FIXED) as u64;
    injection
        .call("mmap", [base, size as u64, execute, fixed, descriptor, 0])
        .context("the image cannot be mapped executable")?;
    let missing = match file {
        Some(file) => {
            injection.call("close", [file])?;
            &copy.bytes[..PAGE_SIZE]
        }
        None => &copy.bytes,
    };
    memory.write(base, missing).context("the image cannot be written to the process")?;

    let edit = plan.stack.point_at(base);
    let stack_pointer = plan.stack_pointer - edit.lower;
    memory
        .write(stack_pointer + edit.offset, &edit.bytes)
        .context("its auxiliary vector cannot be written")?;
    if !plan.has_filter {
        // Refused by kernels without checkpointing; then debuggers see the kernel's vDSO, and
        // nothing else is missing.
        let _ = tell_kernel(injection, memory, stack_pointer, &edit);
    }
    let Copy { redirected, obstacle, .. } = copy;
    Ok((Given { base, kernel: plan.kernel, redirected, obstacle, size }, stack_pointer))
}

/// Maps pages of zeros for the image and the data below it; where the image begins.
///
/// The kernel's vDSO is somewhere above the stack, or among other mappings. In the first case there
/// is room above it or below it; in the second the kernel's own choice is near enough. A place that
/// is taken costs one more call.
fn find_room(
    injection: &mut Injection<'_>,
    plan: &Plan,
    image: &Image,
    kernel: Option<(u64, &Running)>,
) -> Result<u64> {
    let (data, read) = (DATA_SIZE as u64, libc::PROT_READ as u64);
    let (size, flags) = (
        data + image.size(kernel.map(|(_, kernel)| kernel)) as u64,
        (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64,
    );
    let mut map = |wish: u64| {
        let mapped = injection.call("mmap", [wish, size, read, flags, u64::MAX, 0]);
        mapped.with_context(|| format!("there is no room for the image's {} KiB", size >> 10))
    };
    let Some((home, kernel)) = kernel else { return Ok(map(0)? + data) };
    let is_near = |place: u64| place.abs_diff(home) < NEAR;
    let mut place = map(home + kernel.functions().bytes().len() as u64)?;
    if !is_near(place) {
        let below = home.saturating_sub(KERNEL_DATA_MAX + size) & !(PAGE_SIZE as u64 - 1);
        if let Ok(mut other) = map(below) {
            if is_near(other) {
                std::mem::swap(&mut place, &mut other);
            }
            // A filter may not know the call. Pages of zeros that nothing uses do not harm.
            if !plan.has_filter {
                injection.call("munmap", [other, size])?;
            }
        }
    }
    Ok(place + data)
}

/// Has the process create a file in memory with the image in it; its descriptor, none if it cannot
/// make such a file.
fn create_file(
    injection: &mut Injection<'_>,
    memory: &Memory,
    plan: &Plan,
    bytes: &[u8],
) -> Result<Option<u64>> {
    let created = with_scratch(memory, plan.stack_pointer, NAME, |name| {
        injection.call("memfd_create", [name, libc::MFD_CLOEXEC.into()])
    });
    let Ok(file) = created else { return Ok(None) };
    let opened = memory.folder().map(|folder| folder.open(&format!("fd/{file}"), OFlag::O_WRONLY));
    if opened.is_none_or(|opened| opened.and_then(|mut opened| opened.write_all(bytes)).is_err()) {
        injection.call("close", [file])?;
        return Ok(None);
    }
    Ok(Some(file))
}

/// Has the kernel take the auxiliary vector that is on the stack now for the process's
/// (`PR_SET_MM_MAP`).
fn tell_kernel(
    injection: &mut Injection<'_>,
    memory: &Memory,
    stack_pointer: u64,
    edit: &Edit,
) -> Result<()> {
    let stat = memory.folder().map(Folder::stat).context("there is no /proc")??;
    // Start and end of code, data, heap (twice its start), stack (its start), arguments and
    // environment.
    let parts = [26, 27, 45, 46, 47, 47, 28, 48, 49, 50, 51];
    let parts = parts.map(|field| stat.address(field)).into_iter().collect::<Result<Vec<_>>>()?;
    let (auxv, auxv_size) = edit.auxv;
    // `struct prctl_mm_map`: all as it is, but for the vector. No program file, a descriptor, is
    // given.
    let vector = [stack_pointer + auxv, auxv_size | u64::from(u32::MAX) << 32];
    let bytes: Vec<u8> = parts.iter().chain(&vector).flat_map(|word| word.to_ne_bytes()).collect();
    with_scratch(memory, stack_pointer, &bytes, |map| {
        let (option, what) = (libc::PR_SET_MM as u64, libc::PR_SET_MM_MAP as u64);
        injection.call("prctl", [option, what, map, bytes.len() as u64, 0])
    })
    .map(drop)
}

/// Puts `bytes` below the stack pointer while `work` needs them there.
fn with_scratch<T>(
    memory: &Memory,
    stack_pointer: u64,
    bytes: &[u8],
    work: impl FnOnce(u64) -> Result<T>,
) -> Result<T> {
    let place = stack_pointer - SCRATCH;
    memory.write(place, bytes)?;
    let result = work(place);
    memory.write(place, &vec![0; bytes.len()])?;
    result
}
