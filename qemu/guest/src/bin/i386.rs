//! Runs i386 programs by the loader of 32-bit programs, and compares what they print with what they
//! print on a kernel's own 32-bit ABI.
//!
//! - `i386 keep`: on a kernel with that ABI. Each program runs natively, which is kept for the
//!   guest that follows.
//! - `i386 compare`: on a kernel without it, after a guest that has kept. The kernel is told to
//!   start the loader for i386 programs.
//!
//! Prints KTAP: a line per program, and lines about the kernel and the loader.
//!
//! # Invariants
//!
//! 1. A program that prints fewer lines than it must, natively or not, has failed: two runs that
//!    fail in the same way are not the same.
//! 2. On a kernel without the ABI nothing passes unless that kernel refuses an i386 program.

use anyhow::{Context as _, Result, bail, ensure};
use liblinux_guest::ktap::Ktap;
use liblinux_guest::origin;
use liblinux_protocol::{i386, port};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// The loader.
const LOADER: &str = "/programs/liblinux-run32";
/// A static program that makes its calls by `int $0x80`.
const TRAP: &str = "/programs/trap";
/// Where programs run.
const PLACE: &str = "/tmp/i386";
/// Where the kernel takes the formats of programs that others start.
const FORMATS: &str = "/proc/sys/fs/binfmt_misc";
/// The line for i386 programs: the first bytes of an ELF file of 32 bits, executable or movable,
/// for i386.
const FORMAT: &str = r":i386:M::\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x03\x00:\xff\xff\xff\xff\xff\xff\xff\xfc\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/programs/liblinux-run32:";

/// A program with a script for it.
struct Work {
    name: &'static str,
    /// The program, below the folder of the i386 system.
    program: &'static str,
    script: &'static str,
    /// Words behind the script.
    words: &'static [&'static str],
    /// The fewest lines that it prints where it works.
    lines: usize,
    /// Whether it runs natively as well. Threads do not: the small kernel has no
    /// `COMPAT_32BIT_TIME`, and so its own ABI no `futex` of i386.
    is_native: bool,
}

const WORK: [Work; 5] = [
    Work {
        name: "busybox",
        program: "bin/busybox",
        script: include_str!("../../../../tools/run32/tests/work/shell.sh"),
        words: &[".", "/i386/bin/busybox"],
        lines: 60,
        is_native: true,
    },
    Work {
        name: "commands",
        program: "bin/bash",
        script: include_str!("../../../../tools/run32/tests/work/commands.sh"),
        words: &[],
        lines: 600,
        is_native: true,
    },
    Work {
        name: "perl",
        program: "usr/bin/perl",
        script: include_str!("../../../../tools/run32/tests/work/perl.pl"),
        words: &[],
        lines: 24,
        is_native: true,
    },
    Work {
        name: "python",
        program: "usr/bin/python3.11",
        script: include_str!("../../../../tools/run32/tests/work/python.py"),
        words: &[],
        lines: 60,
        is_native: false,
    },
    Work {
        name: "git",
        program: "bin/bash",
        script: include_str!("../../../../tools/run32/tests/work/git.sh"),
        words: &[],
        lines: 100,
        is_native: true,
    },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let run = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["keep"] => keep(),
        ["compare"] => compare(),
        _ => Err(anyhow::anyhow!("`keep` or `compare`")),
    };
    match run {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("i386: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn keep() -> Result<bool> {
    let mut out = io::stdout().lock();
    let mut list = Ktap::begin(&mut out)?;
    let natively = || WORK.iter().filter(|work| work.is_native);
    list.plan(natively().count() + 2)?;
    fs::create_dir_all(port::KEPT_FOLDER).context("cannot create a folder")?;
    for work in natively() {
        let kept = run(work, None).and_then(|text| Ok(fs::write(kept(work), text)?));
        list.test(&format!("{}, natively", work.name), &said(kept).into())?;
    }
    own_ways(&mut list)?;
    Ok(list.failures() == 0)
}

fn compare() -> Result<bool> {
    let mut out = io::stdout().lock();
    let mut list = Ktap::begin(&mut out)?;
    list.plan(WORK.len() + 4)?;
    list.test("the kernel refuses i386 programs", &said(refused()).into())?;
    // From here on programs for x86-64 can start those for i386, as they can natively.
    list.test("started by the kernel (binfmt_misc)", &said(transparent()).into())?;
    own_ways(&mut list)?;
    for work in &WORK {
        let text = run(work, Some(LOADER));
        if !work.is_native {
            list.test(work.name, &said(text.and_then(|text| without_errors(&text))).into())?;
            continue;
        }
        let same = text.and_then(|text| same(work, &text));
        if let Ok(lines) = same {
            list.note(&format!("{}: {lines} lines are the native ones", work.name))?;
        }
        list.test(work.name, &said(same.map(drop)).into())?;
    }
    Ok(list.failures() == 0)
}

/// How the loader's programs come to the kernel: by a trap, and by the image.
fn own_ways(list: &mut Ktap<'_>) -> Result<()> {
    list.test("int $0x80", &said(trap(Command::new(LOADER).arg(TRAP))).into())?;
    list.test("its calls are the image's", &said(calls_by_image()).into())?;
    Ok(())
}

fn said(result: Result<()>) -> Result<(), String> {
    result.map_err(|error| format!("{error:#}"))
}

/// Where the native output is.
fn kept(work: &Work) -> PathBuf {
    Path::new(port::KEPT_FOLDER).join(work.name)
}

/// A command for an i386 program, natively or by a loader, with nothing of the caller's.
fn command(program: &Path, loader: Option<&str>) -> Command {
    let mut command = Command::new(loader.map_or(program, Path::new));
    if loader.is_some() {
        command.arg(program);
    }
    let path =
        ["bin", "usr/bin", "usr/sbin"].map(|folder| format!("{}/{folder}", i386::FOLDER)).join(":");
    command.stdin(Stdio::null()).env_clear().env("PATH", path).env("TZ", "UTC");
    command.env("PYTHONHOME", format!("{}/usr", i386::FOLDER)).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("GIT_EXEC_PATH", format!("{}/usr/lib/git-core", i386::FOLDER));
    command.env("GIT_TEMPLATE_DIR", format!("{}/usr/share/git-core/templates", i386::FOLDER));
    command
}

/// What the program prints, and how it ended.
fn run(work: &Work, loader: Option<&str>) -> Result<String> {
    let folder = Path::new(PLACE).join(work.name);
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot remove the last run's files")?;
    }
    fs::create_dir_all(&folder).context("cannot create a folder")?;
    let script = folder.with_extension("script");
    fs::write(&script, work.script).context("cannot write the script")?;
    let program = Path::new(i386::FOLDER).join(work.program);
    let mut command = command(&program, loader);
    if work.name == "busybox" {
        command.arg("sh");
    }
    command.arg(&script).args(work.words).current_dir(&folder);
    let output = command.output().with_context(|| format!("cannot start {}", program.display()))?;
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let text = format!("{stdout}{stderr}{}\n", output.status);
    let lines = text.lines().count();
    if lines < work.lines {
        eprintln!("{}:\n{text}", work.name);
        bail!("it printed {lines} lines, and not {} or more", work.lines);
    }
    Ok(text)
}

/// The program says that nothing went wrong in it, and has ended well.
fn without_errors(text: &str) -> Result<()> {
    let is_good = !text.contains("Traceback") && text.ends_with("exit status: 0\n");
    if !is_good {
        eprintln!("{text}");
    }
    ensure!(is_good, "it has met an error; the console has all of its output");
    Ok(())
}

/// How many lines there are, each of which is the native one.
fn same(work: &Work, text: &str) -> Result<usize> {
    let native = fs::read_to_string(kept(work)).context("the native output is missing")?;
    let (here, there): (Vec<&str>, Vec<&str>) = (text.lines().collect(), native.lines().collect());
    let differs = |index: &usize| here.get(*index) != there.get(*index);
    let all: Vec<usize> = (0..here.len().max(there.len())).filter(differs).collect();
    let line =
        |lines: &[&str], index: usize| lines.get(index).copied().unwrap_or_default().to_owned();
    for index in all.iter().take(20) {
        eprintln!("{} {}: {}", work.name, index + 1, line(&here, *index));
        eprintln!("{} {}, natively: {}", work.name, index + 1, line(&there, *index));
    }
    if let Some(first) = all.first() {
        let (here, there) = (line(&here, *first), line(&there, *first));
        bail!("{} lines differ; line {} is `{here}`, natively `{there}`", all.len(), first + 1);
    }
    Ok(here.len())
}

/// This kernel has no ABI for such programs.
fn refused() -> Result<()> {
    match Command::new(Path::new(i386::FOLDER).join("bin/busybox")).arg("true").status() {
        Err(error) if error.raw_os_error() == Some(Errno::ENOEXEC as i32) => Ok(()),
        Err(error) => Err(error).context("another error"),
        Ok(status) => bail!("it runs them: {status}"),
    }
}

/// The program by `int $0x80`: it prints a word, and ends as its child did.
fn trap(command: &mut Command) -> Result<()> {
    let output = command.output().context("cannot start it")?;
    ensure!(
        (output.status.code(), &output.stdout[..]) == (Some(9), b"trap.\n"),
        "{}: {output:?}",
        output.status
    );
    Ok(())
}

/// A program that waits does so in the image's text.
fn calls_by_image() -> Result<()> {
    let mut command = command(&Path::new(i386::FOLDER).join("bin/busybox"), Some(LOADER));
    let mut child = command.arg("cat").stdin(Stdio::piped()).spawn().context("cannot start it")?;
    let place = origin::of_waiting(child.id());
    // Its input ends.
    drop(child.stdin.take());
    let status = child.wait().context("cannot wait for it")?;
    ensure!(status.success(), "it ended with {status}");
    let place = place?;
    ensure!(place.is_vdso, "a call came from {:#x}, which is not the image's text", place.address);
    Ok(())
}

/// The kernel starts the loader for an i386 program.
fn transparent() -> Result<()> {
    let none: Option<&str> = None;
    mount(Some("binfmt_misc"), FORMATS, Some("binfmt_misc"), MsFlags::empty(), none)
        .context("cannot mount binfmt_misc")?;
    fs::write(format!("{FORMATS}/register"), FORMAT).context("the kernel refuses the line")?;
    trap(&mut Command::new(TRAP))?;
    let mut bash = command(&Path::new(i386::FOLDER).join("bin/bash"), None);
    let script = "/bin/busybox echo $MACHTYPE | cat; exec $BASH -c 'readlink /proc/self/exe'";
    let output = bash.args(["-c", script]).output().context("cannot start it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && text == "i686-pc-linux-gnu\n/i386/bin/readlink\n",
        "{output:?}"
    );
    Ok(())
}
