//! Starting programs, and where they come from.

#![expect(unsafe_code, reason = "a filter is set between fork and exec")]

use liblinux_boot::cache::Cache;
use liblinux_boot::i386;
use liblinux_workspace::skip::skip;
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The loader.
pub(crate) const LOADER: &str = env!("CARGO_BIN_EXE_liblinux-run32");

/// The folder of the i386 system; says that the test is skipped if it cannot be had.
pub(crate) fn system() -> Option<&'static Path> {
    static SYSTEM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let system = SYSTEM.get_or_init(|| {
        let cache = Cache::open().map_err(|error| format!("{error:#}"))?;
        i386::system(&cache).map_err(|error| format!("{error:#}"))
    });
    match system {
        Ok(system) => Some(system),
        Err(why) => {
            skip(&format!("there are no packages for i386: {why}"));
            None
        }
    }
}

/// The loader on a program, without a call of the i386 ABI.
pub(crate) fn loader<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(LOADER);
    command.args(words);
    without_i386_calls(&mut command);
    command
}

/// The loader on a program of the system, with the system's libraries.
pub(crate) fn inside<S: AsRef<OsStr>>(
    system: &Path,
    program: &str,
    words: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = loader([OsStr::new("--prefix"), system.as_os_str()]);
    command.arg(system.join(program)).args(words).env("LD_LIBRARY_PATH", libraries(system));
    command
}

/// The system's libraries.
pub(crate) fn libraries(system: &Path) -> String {
    ["lib", "usr/lib"]
        .map(|folder| system.join(folder).join("i386-linux-gnu").display().to_string())
        .join(":")
}

/// Lets the kernel kill the process for a call of the i386 ABI.
pub(crate) fn without_i386_calls(command: &mut Command) {
    // SAFETY: the function makes system calls alone.
    unsafe { command.pre_exec(filter) };
}

fn filter() -> io::Result<()> {
    use nix::libc;
    const ARCHITECTURE_AT: u32 = 4;
    const AUDIT_ARCH_I386: u32 = 0x4000_0003;
    const LOAD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const KILL: u32 = 0x8000_0000;
    const ALLOW: u32 = 0x7fff_0000;
    let step = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        step(LOAD, ARCHITECTURE_AT, 0, 0),
        step(JUMP_IF_EQUAL, AUDIT_ARCH_I386, 0, 1),
        step(RETURN, KILL, 0, 0),
        step(RETURN, ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: takes no address.
    let no_privileges = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the kernel reads the program.
    let filtered =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if no_privileges == 0 && filtered == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Runs a command and returns what it has printed; it must succeed.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// How a command has ended, for messages.
pub(crate) fn told(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Whether this kernel runs i386 programs itself, so that there is something to compare with. Says
/// that the test is skipped if not.
pub(crate) fn has_i386(program: &Path) -> bool {
    let runs = Command::new(program).arg("true").status().is_ok_and(|status| status.success());
    if !runs {
        skip("this kernel does not run i386 programs, so there is nothing to compare with");
    }
    runs
}

#[test]
fn the_filter_kills_a_call_of_the_i386_abi() {
    let Some(system) = system() else { return };
    let busybox = system.join("bin/busybox");
    if !has_i386(&busybox) {
        return;
    }
    let mut command = Command::new(&busybox);
    without_i386_calls(command.arg("true"));
    let status = command.status().unwrap();
    assert_eq!(status.signal(), Some(nix::libc::SIGSYS), "{status}");
}

/// The source of a program of this folder.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}

/// A program in assembly, for i386.
pub(crate) fn assembled(name: &str, folder: &Path) -> PathBuf {
    let (object, program) = (folder.join(format!("{name}.o")), folder.join(name));
    let mut assemble = Command::new("as");
    assemble.arg("--32").arg(source(&format!("{name}.S"))).arg("-o").arg(&object);
    liblinux_workspace::command::run(&mut assemble).unwrap();
    let mut link = Command::new("ld");
    link.args(["-m", "elf_i386"]).arg(&object).arg("-o").arg(&program);
    liblinux_workspace::command::run(&mut link).unwrap();
    program
}

/// A program in C without a C library, for i386.
pub(crate) fn compiled(name: &str, folder: &Path) -> PathBuf {
    let program = folder.join(name);
    let mut compile = Command::new("gcc");
    compile.args(["-m32", "-O1", "-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-no-pie"]);
    compile.args(["-fno-stack-protector", "-fomit-frame-pointer"]);
    compile.arg(source(&format!("{name}.c"))).arg("-o").arg(&program);
    liblinux_workspace::command::run(&mut compile).unwrap();
    program
}
