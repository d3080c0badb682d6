//! `client [FOLDER]`: runs the examples of `vdso/client` and judges what they did. They are in
//! `FOLDER`, in a guest in `/programs`.
//!
//! Prints KTAP, one line per example. It asks for the image of this process, so that it runs in a
//! guest as it does under a runner on a developer's machine.
//!
//! # Invariants
//!
//! 1. What an example did is looked at from outside: files are compared, ends are those that `wait`
//!    reports.

#![expect(unsafe_code, reason = "makes system calls by the image")]

use anyhow::{Context, Result, bail, ensure};
use liblinux::fixup::Fixups;
use liblinux::{Errno, Vdso, probe};
use liblinux_guest::ktap::Ktap;
use liblinux_guest::limit;
use liblinux_guest::plugin::Plugin;
use nix::sys::signal::Signal;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The word by which this program starts itself to break the rule that it has made.
const TRIP: &str = "--trip";

/// A line and how it is judged.
type Test = (&'static str, fn(&Path) -> Result<()>);

const TESTS: [Test; 21] = [
    ("calls", |_| calls()),
    ("registry", |folder| says(folder, &["registry"], "0 14\n")),
    ("linked", |folder| says(folder, &["linked"], "getpid agrees, mseal is there\n")),
    ("random", |folder| says(folder, &["random"], "4000 keys, 4000 of them different\n")),
    ("random-c", |folder| {
        says(folder, &["random-c"], "two requests differ, parent and child differ\n")
    }),
    ("cancel", |folder| says(folder, &["cancel"], CANCEL)),
    ("cancel-c", |folder| says(folder, &["cancel-c"], CANCEL)),
    ("threads", |folder| says(folder, &["threads"], "4 threads counted to 4000\n")),
    ("divide", |folder| says(folder, &["divide"], DIVIDE)),
    ("linear_memory", |folder| says(folder, &["linear_memory"], LINEAR_MEMORY)),
    ("peek", |folder| says(folder, &["peek"], PEEK)),
    ("jit", |folder| says(folder, &["jit"], JIT)),
    ("jit-c", |folder| says(folder, &["jit-c"], JIT_C)),
    ("jit that forgets", |folder| forgets(folder, "jit")),
    ("jit-c that forgets", |folder| forgets(folder, "jit-c")),
    ("no mapping is left", |_| limit::registers(&Vdso::find()?)),
    ("plugin", |folder| {
        let plugin = folder.join("plugin.so");
        says(
            folder,
            &["plugin-host", plugin.to_str().context("the folder's name is not text")?],
            PLUGIN,
        )
    }),
    ("sharing", shares),
    ("copytree", |folder| copies(folder, "copytree")),
    ("copytree-c", |folder| copies(folder, "copytree-c")),
    ("libc-trips", |_| trips()),
];

/// A worker that waits is called off.
const CANCEL: &str = "\
accept: called off
read: called off
futex: called off
descriptors lost: 0
";

/// A division that cannot be done is a result.
const DIVIDE: &str = "\
42 / 6 = 7
42 / 0 cannot be divided
-9223372036854775808 / -1 cannot be divided
-42 / 5 = -8
";

/// A module that leaves its memory, divides by zero or is unreachable has trapped; with more memory
/// it works.
const LINEAR_MEMORY: &str = "\
all of the memory: 0
one word more: trap: out of bounds at index 65536
far outside: trap: out of bounds at index 4294967292
nothing: trap: integer divide by zero
unreachable: trap: unreachable
one word more, after memory.grow: Ok(0)
";

/// A page, one that cannot be read, another page, and an address that none can have.
const PEEK: &str = "\
0x00fe8  08 07 06 05 04 03 02 01 08 07 06 05 04 03 02 01
0x00ff8  08 07 06 05 04 03 02 01 ?? ?? ?? ?? ?? ?? ?? ??
0x01ff8  ?? ?? ?? ?? ?? ?? ?? ?? 08 07 06 05 04 03 02 01
0x00000  ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ??
";

/// What compiled code cannot do is an error at the word that asked for it.
const JIT: &str = "\
x 6 *: 42
100 x /: trap at `/`: this cannot be divided
x -1 /: trap at `/`: this cannot be divided
x @ 1 +: 43
x @: trap at `@`: nothing is at 0x8
";

/// The same for two functions whose code was written through another mapping.
const JIT_C: &str = "\
load a word: 7
load from 8: nothing is at 0x8
42 / 6: 7
42 / 0: exception 0
";

/// What the plugin cannot do is an error in it; what its host does wrong is its host's, with the
/// plugin and without.
const PLUGIN: &str = "\
round 1: peek 42, peek nothing -1, 42 / 6 = 7, 42 / 0 = -1, own fault seen
round 1: unloaded, own fault seen
round 2: peek 42, peek nothing -1, 42 / 6 = 7, 42 / 0 = -1, own fault seen
round 2: unloaded, own fault seen
";

fn main() -> ExitCode {
    let argument = std::env::args_os().nth(1);
    if argument.as_ref().is_some_and(|argument| argument == TRIP) {
        return trip();
    }
    let folder = argument.map_or_else(|| PathBuf::from("/programs"), PathBuf::from);
    match run(&folder, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("client: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(folder: &Path, out: &mut dyn Write) -> Result<bool> {
    let mut list = Ktap::begin(out)?;
    list.plan(TESTS.len())?;
    for (name, test) in TESTS {
        list.test(name, &test(folder).map_err(|error| format!("{error:#}")).into())?;
    }
    Ok(list.failures() == 0)
}

/// Typed calls from a program with std.
fn calls() -> Result<()> {
    let vdso = Vdso::find()?;
    let missing: Vec<_> = vdso.missing().collect();
    ensure!(missing.is_empty(), "the image has no entry for {missing:?}");
    // SAFETY: changes nothing.
    let pid = unsafe { vdso.getpid() }?;
    ensure!(pid == std::process::id().cast_signed(), "getpid by the image: {pid}");
    // SAFETY: no descriptor has this number.
    let error = unsafe { vdso.close(-1) }.err().context("closing no descriptor worked")?;
    ensure!(error == Errno::EBADF, "closing no descriptor: {error}");
    Ok(())
}

/// Runs an example with its arguments, which says what it always says.
fn says(folder: &Path, command: &[&str], expected: &str) -> Result<()> {
    let (name, arguments) = command.split_first().context("no command")?;
    let output =
        Command::new(folder.join(name)).args(arguments).output().context(name.to_string())?;
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(
        output.status.success(),
        "{}; it said: {}",
        output.status,
        one_line(&format!("{said}{complained}"))
    );
    ensure!(said == expected, "it said: {}", one_line(&said));
    Ok(())
}

/// Code in memory that was mapped on top of an arena is not covered, neither by the kernel nor by
/// `dispatch`.
fn forgets(folder: &Path, name: &str) -> Result<()> {
    let output =
        Command::new(folder.join(name)).arg("--forget").output().context(name.to_owned())?;
    let end = output.status.signal();
    ensure!(end == Some(Signal::SIGSEGV as i32), "its fault landed: {}", output.status);
    Ok(())
}

/// A text as a diagnostic line can hold it.
fn one_line(text: &str) -> String {
    text.trim_end().replace('\n', " | ")
}

/// This program, in Rust, and the plugin, in C, find each other's area, in either order.
fn shares(folder: &Path) -> Result<()> {
    let vdso = Vdso::find()?;
    let bad = 8 as *const u8;
    for first in ["the plugin", "this program"] {
        let join = || Fixups::of_process(&vdso)?.register_own();
        let early = if first == "this program" { Some(join()?) } else { None };
        let plugin = Plugin::load(folder)?;
        let registration = early.map_or_else(join, Ok)?;
        ensure!(plugin.area() == registration.fixups().area(), "{first} first: two areas");
        let caught = plugin.catches_its_fault() && probe::read(bad).is_err();
        ensure!(caught, "{first} first: a fault was not caught");
        plugin.unload()?;
        ensure!(probe::read(bad).is_err(), "{first} first: unloading the plugin took ours away");
    }
    Ok(())
}

/// Copies a tree with one of everything, and compares.
fn copies(folder: &Path, name: &str) -> Result<()> {
    let scratch = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
    let (from, to) = (scratch.join("from"), scratch.join("to"));
    plant(&from)?;
    let output =
        Command::new(folder.join(name)).args([&from, &to]).output().context(name.to_owned())?;
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{}; it said: {said}{complained}", output.status);
    ensure!(said.starts_with("copied 303 files, 6 folders, 2 links, "), "it said: {said}");
    ensure!(said.ends_with("; every system call came from the vDSO\n"), "it said: {said}");
    compare(&from, &to)?;
    // What exists is not overwritten.
    let again = Command::new(folder.join(name)).args([&from, &to]).output()?;
    ensure!(again.status.code() == Some(1), "copied onto what exists: {}", again.status);
    ensure!(String::from_utf8_lossy(&again.stderr).contains("errno 17"), "EEXIST is not named");
    fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))
}

/// Makes the tree.
fn plant(root: &Path) -> Result<()> {
    let deep = root.join("a/b/c");
    fs::create_dir_all(&deep).with_context(|| format!("cannot make {}", deep.display()))?;
    fs::create_dir(root.join("empty"))?;
    fs::create_dir(root.join("many"))?;
    // More than one buffer of entries.
    for number in 0..300 {
        fs::write(root.join(format!("many/file-with-a-longer-name-{number}")), number.to_string())?;
    }
    fs::write(root.join("nothing"), "")?;
    let large: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(deep.join("large"), large)?;
    fs::write(root.join("a/tool"), "#!/bin/sh\n")?;
    fs::set_permissions(root.join("a/tool"), fs::Permissions::from_mode(0o751))?;
    fs::set_permissions(root.join("empty"), fs::Permissions::from_mode(0o700))?;
    symlink("a/tool", root.join("link"))?;
    symlink("/nonesuch", root.join("a/dangling"))?;
    nix::unistd::mkfifo(&root.join("fifo"), nix::sys::stat::Mode::S_IRUSR).context("mkfifo")
}

/// Compares two trees: kinds, modes, times of change, contents.
fn compare(from: &Path, to: &Path) -> Result<()> {
    let (ours, theirs) = (
        from.symlink_metadata()?,
        to.symlink_metadata().with_context(|| format!("{}", to.display()))?,
    );
    let differ = || format!("{} and {} differ", from.display(), to.display());
    ensure!(ours.mode() == theirs.mode(), "{} in mode", differ());
    if ours.is_symlink() {
        ensure!(fs::read_link(from)? == fs::read_link(to)?, "{} in target", differ());
        return Ok(());
    }
    ensure!(
        ours.mtime_nsec() == theirs.mtime_nsec() && ours.mtime() == theirs.mtime(),
        "{} in time",
        differ()
    );
    if ours.is_dir() {
        let mut names =
            fs::read_dir(from)?.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
        ensure!(fs::read_dir(to)?.count() == names.len(), "{} in length", differ());
        names.sort();
        names.iter().try_for_each(|name| compare(&from.join(name), &to.join(name)))
    } else if ours.file_type().is_fifo() {
        Ok(())
    } else {
        ensure!(fs::read(from)? == fs::read(to)?, "{} in content", differ());
        Ok(())
    }
}

/// Pins the origin of system calls and continues as an ordinary program does.
fn trip() -> ExitCode {
    match Vdso::find().map(|vdso| vdso.pin_origin()) {
        Ok(Ok(())) => match fs::metadata("/") {
            Ok(_) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        other => {
            eprintln!("client: cannot pin the origin of system calls: {other:?}");
            ExitCode::from(2)
        }
    }
}

/// An ordinary program is stopped at its first system call.
fn trips() -> Result<()> {
    let status = Command::new("/proc/self/exe")
        .arg(TRIP)
        .status()
        .context("cannot start this program again")?;
    match status.signal() {
        Some(signal) if signal == Signal::SIGSYS as i32 => Ok(()),
        _ => bail!("a pinned program made a system call by its libc, and: {status}"),
    }
}
