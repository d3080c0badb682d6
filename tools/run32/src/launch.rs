//! From a path to a running program.
//!
//! # Invariants
//!
//! 1. Nothing of the loader runs after the program's first instruction but the shim: its handlers,
//!    its thread-local storage and its restartable sequences are taken back before.

#![expect(unsafe_code, reason = "asks the kernel, and jumps")]

use crate::arguments::{Arguments, quoted};
use crate::descriptor;
use crate::file::{self, Kind, Program};
use crate::memory;
use crate::status::{Failure, NOT_EXECUTABLE, NOT_FOUND};
use crate::system;
use crate::words::{Content, Words};
use nix::libc;
use std::arch::asm;
use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// How many scripts may name each other.
const MOST_SCRIPTS: usize = 5;

/// Runs a program; returns only if that fails.
pub(crate) fn run(arguments: Arguments) -> Result<Infallible, Failure> {
    let mut path = find(&arguments.program)?;
    let name = arguments.name.unwrap_or(arguments.program);
    let mut words = vec![name.into_vec()];
    words.extend(arguments.rest.into_iter().map(|word| word.into_vec()));
    let mut is_script = false;
    for _ in 0..MOST_SCRIPTS {
        match file::open(&path)? {
            Kind::Program(program) => {
                return start(program, arguments.prefix.as_deref(), &words);
            }
            Kind::Native if is_script => return Err(native(&path, &words)),
            Kind::Native => {
                return Err(Failure::new(
                    NOT_EXECUTABLE,
                    format!(
                        "cannot run {}: it is a program for x86-64, which needs no loader: start it itself",
                        quoted(path.as_os_str())
                    ),
                ));
            }
            Kind::Script(interpreter, argument) => {
                is_script = true;
                words[0] = path.into_os_string().into_vec();
                let leading = [Some(interpreter.as_os_str().as_bytes().to_vec()), argument];
                words.splice(0..0, leading.into_iter().flatten());
                path = interpreter;
            }
        }
    }
    let why = "more than 5 scripts name each other";
    Err(Failure::new(NOT_EXECUTABLE, format!("cannot run {}: {why}", path.display())))
}

/// The file of a program: that of a path, or the first of its name on the `PATH`.
fn find(program: &OsStr) -> Result<PathBuf, Failure> {
    if program.as_bytes().contains(&b'/') {
        return Ok(program.into());
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            let why = "there is no such program on the PATH";
            Failure::new(NOT_FOUND, format!("cannot run {}: {why}", quoted(program)))
        })
}

/// Becomes the 64-bit program that a script is for; why that failed.
fn native(path: &Path, words: &[Vec<u8>]) -> Failure {
    let text = |bytes: &[u8]| CString::new(bytes).unwrap_or_default();
    let program = text(path.as_os_str().as_bytes());
    let words: Vec<CString> = words.iter().map(|word| text(word)).collect();
    let Err(error) = nix::unistd::execv(&program, &words);
    Failure::new(NOT_EXECUTABLE, format!("cannot run {}: {}", path.display(), error.desc()))
}

/// Opens the interpreter that a program names.
fn interpreter(program: &Program, prefix: Option<&Path>) -> Result<Option<Program>, Failure> {
    let Some(name) = &program.interpreter else { return Ok(None) };
    let below = prefix.map(|prefix| prefix.join(name.strip_prefix("/").unwrap_or(name)));
    let path = below.filter(|path| path.exists()).unwrap_or_else(|| name.clone());
    if !path.exists() {
        let package = match name.file_name().map(OsStr::as_bytes) {
            Some(b"ld-linux.so.2") => "libc6:i386",
            Some(b"ld-musl-i386.so.1") => "musl:i386",
            _ => "the one of its C library",
        };
        return Err(Failure::new(
            NOT_FOUND,
            format!(
                "cannot run {}: its interpreter {} does not exist; Debian's package {package} has it (`dpkg \
                 --add-architecture i386`), or name the folder of another system with --prefix",
                quoted(program.path.as_os_str()),
                name.display()
            ),
        ));
    }
    match file::open(&path)? {
        Kind::Program(interpreter) => Ok(Some(interpreter)),
        Kind::Script(..) | Kind::Native => Err(Failure::new(
            NOT_EXECUTABLE,
            format!(
                "cannot run {}: its interpreter {} is not an i386 program",
                quoted(program.path.as_os_str()),
                path.display()
            ),
        )),
    }
}

/// Maps the program and jumps to it.
fn start(
    program: Program,
    prefix: Option<&Path>,
    words: &[Vec<u8>],
) -> Result<Infallible, Failure> {
    let interpreter = interpreter(&program, prefix)?;
    descriptor::wait_until_forgotten()?;
    let absolute = fs::canonicalize(&program.path).unwrap_or_else(|_| program.path.clone());
    let system = system::map(&absolute, prefix)?;
    memory::reserve()?;
    let stack = memory::stack(program.has_executable_stack)?;
    let moved = memory::program(&program)?;
    let base = interpreter.as_ref().map(memory::program).transpose()?;
    let (entry, base) = match (&interpreter, base) {
        (Some(interpreter), Some(base)) => (interpreter.entry.wrapping_add(base), base),
        _ => (program.entry.wrapping_add(moved), 0),
    };
    let environment: Vec<Vec<u8>> = env::vars_os()
        .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
        .collect();
    let vector = vector(&program, moved, base, &system);
    let content = Content {
        arguments: words,
        environment: &environment,
        program: program.path.as_os_str().as_bytes(),
        random: random(),
        vector: &vector,
    };
    let top = Words::new(stack).put(&content);
    name(&program.path);
    forget();
    // The program finds the descriptors that this process was started with.
    drop((program.file, interpreter));
    // SAFETY: the shim's start takes these two, and what it needs is mapped.
    unsafe {
        asm!(
            "mov rsp, {top}",
            "jmp {start}",
            top = in(reg) u64::from(top),
            start = in(reg) u64::from(system.start),
            in("edi") entry,
            options(noreturn),
        )
    }
}

/// The auxiliary vector: what the kernel says to this process, and what is different for a 32-bit
/// program.
fn vector(program: &Program, moved: u32, base: u32, system: &system::System) -> Vec<(u32, u32)> {
    const AT_SYSINFO: u32 = 32;
    const AT_MINSIGSTKSZ: u64 = 51;
    /// Bytes that the shim takes of a signal's stack, beside the kernel's frame.
    const OWN_FRAME: u32 = 2048;
    const HEADER: u32 = 32;
    // SAFETY: has no precondition.
    let own = |kind: u64| unsafe { libc::getauxval(kind) } as u32;
    let (headers, count) = program.headers;
    let mapped = program
        .segments
        .iter()
        .find(|segment| (segment.offset..segment.offset + segment.file_size).contains(&headers));
    let headers = mapped
        .map_or(0, |segment| segment.address.wrapping_add(moved) + (headers - segment.offset));
    let mut vector = vec![
        (AT_SYSINFO, system.vsyscall),
        (libc::AT_SYSINFO_EHDR as u32, system.gate),
        (libc::AT_PHDR as u32, headers),
        (libc::AT_PHENT as u32, HEADER),
        (libc::AT_PHNUM as u32, count.into()),
        (libc::AT_BASE as u32, base),
        (libc::AT_FLAGS as u32, 0),
        (libc::AT_ENTRY as u32, program.entry.wrapping_add(moved)),
        (AT_MINSIGSTKSZ as u32, own(AT_MINSIGSTKSZ) + OWN_FRAME),
    ];
    for kind in [
        libc::AT_HWCAP,
        libc::AT_HWCAP2,
        libc::AT_PAGESZ,
        libc::AT_CLKTCK,
        libc::AT_UID,
        libc::AT_EUID,
        libc::AT_GID,
        libc::AT_EGID,
        libc::AT_SECURE,
    ] {
        vector.push((kind as u32, own(kind)));
    }
    vector
}

/// The random bytes that the kernel gave to this process, which does not use them any more.
fn random() -> [u8; 16] {
    // SAFETY: has no precondition.
    let address = unsafe { libc::getauxval(libc::AT_RANDOM) } as usize;
    let place = std::ptr::with_exposed_provenance::<[u8; 16]>(address);
    if place.is_null() {
        return [0; 16];
    }
    // SAFETY: the kernel has put 16 bytes there.
    unsafe { place.read_unaligned() }
}

/// Gives the process the program's name, as `ps` shows it.
fn name(path: &Path) {
    let name = path.file_name().unwrap_or_default();
    if let Ok(name) = CString::new(name.as_bytes()) {
        // SAFETY: the kernel reads the C string.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    }
}

/// Takes back what the C library has told the kernel about this thread.
fn forget() {
    const RSEQ_FLAG_UNREGISTER: u32 = 1;
    const SIGNATURE: u32 = 0x5305_3053;
    let (offset, size) = (symbol::<isize>(c"__rseq_offset"), symbol::<u32>(c"__rseq_size"));
    if let (Some(offset), Some(size)) = (offset, size) {
        let thread: usize;
        // SAFETY: the first word of the C library's thread structure is its own address.
        unsafe {
            asm!("mov {}, fs:0", out(reg) thread, options(nostack, readonly, preserves_flags));
        }
        let place = thread.wrapping_add_signed(offset);
        // The size that was registered is at least the first one.
        let size = size.max(32);
        // SAFETY: no restartable sequence of this thread is in use.
        unsafe { libc::syscall(libc::SYS_rseq, place, size, RSEQ_FLAG_UNREGISTER, SIGNATURE) };
    }
    let none: usize = 0;
    // SAFETY: takes the list and the place away that the thread has registered.
    unsafe { libc::syscall(libc::SYS_set_tid_address, none) };
    // SAFETY: as above; an empty list is one at address 0, which cannot be read.
    unsafe { libc::syscall(libc::SYS_set_robust_list, none, 24_usize) };
}

/// A variable of the C library.
fn symbol<T: Copy>(name: &std::ffi::CStr) -> Option<T> {
    // SAFETY: the name is a C string.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: the C library defines the variable with this type.
    (!address.is_null()).then(|| unsafe { address.cast::<T>().read() })
}
