//! `sandboxed [FOLDER]`: the client's exception fixups where seccomp answers for the kernel.
//! `plugin.so` is in `FOLDER`, in a guest in `/programs`.
//!
//! A filter cannot be taken off, so each test is a process of its own:
//! `sandboxed --in FOLDER TEST ERRNO`.
//!
//! # Invariants
//!
//! 1. Whose hit it was is seen, not asked: with SIGSEGV blocked a hit is the kernel's, or the
//!    process ends.
//! 2. A filter refuses private calls alone, so every failure is one of these.

#![expect(unsafe_code, reason = "faults, forks, and makes system calls by the image")]

use anyhow::{Context, Result, anyhow, bail, ensure};
use liblinux::fixup::Fixups;
use liblinux::{Call, Errno, Vdso, probe};
use liblinux_guest::filter::{self, Answer};
use liblinux_guest::jit::{self, Function};
use liblinux_guest::ktap::Ktap;
use liblinux_guest::plugin::Plugin;
use liblinux_guest::query::Query;
use nix::libc;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::ptr::{null, null_mut};
use std::sync::LazyLock;

static VDSO: LazyLock<Vdso> = LazyLock::new(|| Vdso::find().expect("an image"));

/// The word by which this program starts itself for one test.
const IN: &str = "--in";

/// What filters answer: a list of systemd's, one of Docker's, another, and two that could be a
/// kernel's.
const ANSWERS: [(&str, i32); 5] = [
    ("EPERM", libc::EPERM),
    ("ENOSYS", libc::ENOSYS),
    ("EACCES", libc::EACCES),
    ("ENOENT", libc::ENOENT),
    ("success", 0),
];

/// A test: its name, whether each answer has a run of its own, what runs, and the signal that ends
/// it.
type Test = (&'static str, bool, fn(Answer, &Path) -> Result<()>, Option<Signal>);

const TESTS: [Test; 9] = [
    ("a filter before the first use", true, |answer, _| before(answer), None),
    ("a filter after it", true, |answer, _| after(answer), None),
    ("a registry that grows behind a filter", false, |answer, _| grows(answer), None),
    ("a library behind a filter", false, |answer, folder| library(answer, folder, true), None),
    (
        "a library that stands in first",
        false,
        |answer, folder| library(answer, folder, false),
        None,
    ),
    ("a filter that refuses handlers", false, |answer, _| refuses_handlers(answer), None),
    ("a filter that kills spares what is registered", false, |_, _| spared(), None),
    ("and kills whoever registers", false, |_, _| killed(), Some(Signal::SIGSYS)),
    ("strict mode spares what is registered", false, |_, _| strict(), None),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [IN, folder, test, number] => one(Path::new(folder), test, number).map(|()| true),
        [folder] => all(Path::new(folder)),
        [] => all(&PathBuf::from("/programs")),
        _ => Err(anyhow!("usage: sandboxed [FOLDER]")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn all(folder: &Path) -> Result<bool> {
    let mut out = io::stdout().lock();
    let mut list = Ktap::begin(&mut out)?;
    let runs = TESTS
        .iter()
        .flat_map(|test| ANSWERS.iter().take(if test.1 { 3 } else { 1 }).map(move |a| (test, a)));
    list.plan(runs.clone().count())?;
    for ((test, each, _, end), (answer, number)) in runs {
        let name = if *each { format!("{test}: {answer}") } else { (*test).to_owned() };
        let outcome = process(folder, test, *number, *end).map_err(|error| format!("{error:#}"));
        list.test(&name, &outcome.into())?;
    }
    Ok(list.failures() == 0)
}

/// Runs a test in a process of its own.
fn process(folder: &Path, test: &str, number: i32, end: Option<Signal>) -> Result<()> {
    let mut command = Command::new("/proc/self/exe");
    let output = command.arg(IN).arg(folder).args([test, &number.to_string()]).output()?;
    let signal = output.status.signal();
    let is_good = end.map_or(output.status.success(), |end| signal == Some(end as i32));
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(is_good, "{}: {}", output.status, said.trim_end().replace('\n', " | "));
    Ok(())
}

fn one(folder: &Path, name: &str, number: &str) -> Result<()> {
    let (.., test, _) = TESTS.iter().find(|test| test.0 == name).context("no such test")?;
    test(Answer::Errno(number.parse()?), folder)
}

/// What the kernel says to a question after the area.
fn query() -> Result<i64> {
    Ok(Query::find()?.by_image())
}

/// The handler of SIGSEGV. A program with std has one, which knows nothing of fixups.
fn handler() -> Result<u64> {
    let mut action = [0_u64; 4];
    // SAFETY: asks for the disposition.
    let asked =
        unsafe { VDSO.rt_sigaction(Signal::SIGSEGV as i32, null(), action.as_mut_ptr().cast(), 8) };
    ensure!(asked == Ok(0), "rt_sigaction: {asked:?}");
    Ok(action[0])
}

/// Good addresses are read, and bad ones are faults.
fn probes_work() -> Result<()> {
    let word = 42_u32;
    ensure!(probe::read(&raw const word) == Ok(42), "a good address is a fault");
    for address in [8_usize, 1 << 62] {
        let fault = probe::read(std::ptr::without_provenance::<u32>(address)).err();
        let fault = fault.with_context(|| format!("{address:#x} is a good address"))?;
        let expected = if address == 8 { (14, 8) } else { (13, 0) };
        ensure!((fault.trap, fault.address) == expected, "{address:#x}: {fault}");
    }
    Ok(())
}

/// How a child ends that does this with all signals blocked.
fn blocked(body: impl FnOnce() -> bool) -> Result<WaitStatus> {
    // SAFETY: this process has one thread.
    match unsafe { fork() }.context("cannot fork")? {
        ForkResult::Parent { child } => Ok(waitpid(child, None)?),
        ForkResult::Child => {
            let is_good = SigSet::all().thread_block().is_ok() && body();
            // SAFETY: ends the child.
            let _ = unsafe { VDSO.exit_group(if is_good { 0 } else { 1 }) };
            unreachable!("exit_group returned");
        }
    }
}

/// Whose hits this has: the kernel's or the handler's.
fn ensure_hits(by_kernel: bool, body: impl Fn() -> bool) -> Result<()> {
    ensure!(body(), "no hit");
    match blocked(body)? {
        WaitStatus::Exited(_, 0) if by_kernel => Ok(()),
        WaitStatus::Signaled(_, Signal::SIGSEGV, _) if !by_kernel => Ok(()),
        other => bail!("with SIGSEGV blocked: {other:?}"),
    }
}

fn ensure_misses(body: impl Fn() -> bool) -> Result<()> {
    // SAFETY: this process has one thread.
    match unsafe { fork() }.context("cannot fork")? {
        ForkResult::Parent { child } => {
            let end = waitpid(child, None)?;
            ensure!(
                matches!(end, WaitStatus::Signaled(_, Signal::SIGSEGV, _)),
                "a fault that no entry covers: {end:?}"
            );
            Ok(())
        }
        ForkResult::Child => {
            body();
            // SAFETY: ends the child.
            let _ = unsafe { VDSO.exit_group(0) };
            unreachable!("exit_group returned");
        }
    }
}

fn own_fault() -> bool {
    probe::read(std::ptr::without_provenance::<u8>(8)).is_err()
}

fn faults(function: Function) -> impl Fn() -> bool {
    move || function.call() == jit::ADDRESS
}

/// The filter is there before any registration: the client takes a handler, and nothing is the
/// kernel's.
fn before(answer: Answer) -> Result<()> {
    let Answer::Errno(number) = answer else { bail!("a filter that answers") };
    ensure!(query()? == -i64::from(libc::ENOENT), "something is attached: {}", query()?);
    filter::set(&VDSO, answer, None)?;
    ensure!(query()? == -i64::from(number), "the kernel answers: {}", query()?);
    let earlier = handler()?;
    let fixups = Fixups::of_process(&VDSO)?;
    ensure!(!fixups.by_kernel() && handler()? != earlier, "the client has no handler");
    let registration = fixups.register_own()?;
    probes_work()?;
    ensure_hits(false, own_fault)?;
    ensure_hits(false, faults(Function::register(&fixups)?))?;
    drop(registration);
    ensure_misses(own_fault)
}

/// Joined and registered while the kernel could be asked, then a filter: what is registered then
/// stays the kernel's, and what comes later is a handler's.
fn after(answer: Answer) -> Result<()> {
    let fixups = jit::by_kernel(&VDSO)?;
    let registration = fixups.register_own()?;
    let early = Function::register(&fixups)?;
    let (area, earlier) = (fixups.area(), handler()?);
    filter::set(&VDSO, answer, None)?;
    ensure_hits(true, own_fault)?;
    ensure_hits(true, faults(early))?;
    ensure!(handler()? == earlier, "a handler came with the filter");

    let late = Function::register(&fixups)?;
    ensure_hits(false, faults(late))?;
    ensure!(handler()? != earlier, "it was not the handler");
    ensure_hits(true, own_fault)?;
    ensure_hits(true, faults(early))?;
    ensure!(fixups.area() == area, "another area");
    let here = Fixups::of_process(&VDSO)?;
    ensure!(!here.by_kernel() && here.area() == area, "a later registration finds another area");
    let again = here.register_own().err().context("registered twice")?;
    ensure!(again.name() == Some("EEXIST"), "registered twice: {again}");
    ensure!(fixups.lookup(late.text_start())?.is_some(), "the late text is not found");

    fixups.unregister(late.text_start())?;
    ensure_misses(faults(late))?;
    fixups.unregister(early.text_start())?;
    ensure_misses(faults(early))?;
    drop(registration);
    ensure_misses(own_fault)?;
    // The mark is there still, and does what it says.
    let _registration = here.register_own()?;
    ensure_hits(true, own_fault)
}

/// The kernel stays behind in the old area when the registry moves, and continues to read the rows
/// of it.
fn grows(answer: Answer) -> Result<()> {
    let fixups = jit::by_kernel(&VDSO)?;
    let _registration = fixups.register_own()?;
    filter::set(&VDSO, answer, None)?;
    let functions = (0..300).map(|_| Function::register(&fixups)).collect::<Result<Vec<_>>>()?;
    ensure!(functions.iter().all(|function| faults(*function)()), "a text is lost");
    ensure_hits(true, own_fault)?;
    ensure_hits(false, faults(functions[0]))?;
    for function in &functions {
        fixups.unregister(function.text_start())?;
        ensure!(fixups.lookup(function.text_start())?.is_none(), "a text stays");
    }
    ensure_misses(faults(functions[299]))
}

/// A library that is loaded behind the filter cannot ask where the area is. It finds a handler of
/// this program's, or brings one, which this program uses from then on.
fn library(answer: Answer, folder: &Path, handler_first: bool) -> Result<()> {
    let fixups = jit::by_kernel(&VDSO)?;
    let registration = fixups.register_own()?;
    filter::set(&VDSO, answer, None)?;
    let first = if handler_first { Some(Function::register(&fixups)?) } else { None };
    let plugin = Plugin::load(folder)?;
    ensure_hits(false, || plugin.catches_its_fault())?;
    let late = Function::register(&fixups)?;
    ensure!(plugin.area() == fixups.area(), "two areas");
    ensure_hits(false, faults(late))?;
    ensure_hits(true, own_fault)?;
    for function in [Some(late), first].into_iter().flatten() {
        ensure_hits(false, faults(function))?;
        fixups.unregister(function.text_start())?;
    }
    plugin.unload()?;
    ensure_hits(true, own_fault)?;
    drop(registration);
    ensure_misses(own_fault)
}

/// Neither the kernel nor a handler: a registration that cannot do anything fails.
fn refuses_handlers(answer: Answer) -> Result<()> {
    let Answer::Errno(number) = answer else { bail!("a filter that answers") };
    let fixups = jit::by_kernel(&VDSO)?;
    let _registration = fixups.register_own()?;
    filter::set(&VDSO, answer, Some(Call::rt_sigaction))?;
    let error =
        Function::register(&fixups).err().context("registered, although the kernel refused")?;
    let error = error.downcast_ref::<Errno>().context("no error number")?;
    ensure!(error.number() == number, "{error}");
    let own = probe::read(std::ptr::without_provenance::<u8>(8)).err().context("no fault")?.ip;
    ensure!(fixups.lookup(own)?.is_some(), "the registry is lost");
    ensure_hits(true, own_fault)
}

fn spared() -> Result<()> {
    let fixups = jit::by_kernel(&VDSO)?;
    let registration = fixups.register_own()?;
    let function = Function::register(&fixups)?;
    filter::set(&VDSO, Answer::Kill, None)?;
    probes_work()?;
    ensure_hits(true, own_fault)?;
    ensure_hits(true, faults(function))?;
    fixups.unregister(function.text_start())?;
    drop(registration);
    ensure_misses(own_fault)
}

fn killed() -> Result<()> {
    filter::set(&VDSO, Answer::Kill, None)?;
    Fixups::of_process(&VDSO)?;
    Ok(())
}

/// Nothing but read, write, exit and sigreturn from here on.
fn strict() -> Result<()> {
    let fixups = jit::by_kernel(&VDSO)?;
    std::mem::forget(fixups.register_own()?);
    let function = Function::register(&fixups)?;
    SigSet::all().thread_block()?;
    // SAFETY: asks for strict mode, which has no arguments.
    let set = unsafe { VDSO.seccomp(libc::SECCOMP_SET_MODE_STRICT, 0, null_mut()) };
    let is_good =
        set == Ok(0) && own_fault() && function.call() == jit::ADDRESS && probes_work().is_ok();
    // SAFETY: ends the thread, which is the only one.
    let _ = unsafe { VDSO.exit(if is_good { 0 } else { 3 }) };
    unreachable!("exit returned");
}
