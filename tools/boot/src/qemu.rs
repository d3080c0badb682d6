//! One guest, from power-on to its verdict.
//!
//! The verdict comes through a virtio port of its own into a file. The console goes to another file
//! and never decides that a test passed: a log that says "ok" proves nothing, and a guest that says
//! nothing has failed. QEMU interprets (TCG), which is slower than KVM, but the same on every
//! machine.
//!
//! # Invariants
//!
//! 1. No QEMU outlives its [`run`]: it is killed on every way out, and by the kernel if this
//!    process is killed first.
//! 2. [`run`] returns a verdict only of a guest that powered itself off; each other end is an error
//!    that shows the console's last lines and its path.

use crate::job;
use anyhow::{Context, Result};
use liblinux_protocol::port;
use liblinux_workspace::ARCHITECTURE;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

const CONSOLE: &str = "console.log";
const VERDICT: &str = "verdict.ktap";
const ERRORS: &str = "qemu.log";

/// The file that a guest leaves for the next one: an archive, empty from most guests.
pub const KEPT: &str = "kept.cpio";

/// The start of every kernel's command line.
///
/// - A panic ends QEMU at once: the kernel reboots (`panic=-1`), and QEMU takes that as an exit
///   (`-no-reboot`).
/// - The kernel patches its code while it starts, and sets breakpoints for that. TCG can run such a
///   breakpoint on another processor after it has gone from memory. So init starts the other
///   processors later (`maxcpus=1`).
/// - A processor that starts then would count ticks to learn how long a loop takes, but the idle
///   first processor makes none. So the command line says it (`lpj`, about that of 2.5 GHz):
///   nothing in a guest waits for hardware.
/// - The kernel would count ticks to learn whether the timer's interrupt arrives, and panic if a
///   busy host let them come late (`IO-APIC + timer doesn't work`). So the command line says that
///   it does (`no_timer_check`).
const COMMAND_LINE: &str = "console=ttyS0 panic=-1 maxcpus=1 lpj=10000000 no_timer_check";

const POLL: Duration = Duration::from_millis(20);
const SHOWN_LINES: usize = 20;

/// The parts of a guest.
pub struct Guest {
    /// The folder for the guest's files; exists.
    pub folder: PathBuf,
    /// The kernel.
    pub bz_image: PathBuf,
    /// The initramfs's bytes.
    pub initramfs: Vec<u8>,
    /// Words added to the kernel command line.
    pub command_line: String,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Whether time is the number of instructions, in nanoseconds.
    pub counts_instructions: bool,
    /// Whether the processor has no SMAP.
    pub lacks_smap: bool,
    /// Memory, in MiB.
    pub memory_mib: u32,
    /// Names of more ports; each is a file of that name in the folder.
    pub streams: &'static [&'static str],
}

/// How long a guest may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until the first line of the verdict.
    pub first_line: Duration,
    /// Between two lines: no test may take longer.
    pub each_line: Duration,
    /// For everything.
    pub overall: Duration,
}

/// Runs `guest` to its end; the text of its verdict.
pub fn run(guest: &Guest, limits: Limits) -> Result<String> {
    run_watched(guest, limits, &mut || Ok(()))
}

/// The same, and calls `watch` all the while, and once after the end.
pub fn run_watched(
    guest: &Guest,
    limits: Limits,
    watch: &mut dyn FnMut() -> Result<()>,
) -> Result<String> {
    let verdict = guest.folder.join(VERDICT);
    for name in [CONSOLE, VERDICT, ERRORS, KEPT].iter().chain(guest.streams) {
        let path = guest.folder.join(name);
        File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    }
    let initramfs = guest.folder.join("initramfs.cpio");
    fs::write(&initramfs, &guest.initramfs)
        .with_context(|| format!("cannot write {}", initramfs.display()))?;

    let mut running = start(guest)?;
    let started = Instant::now();
    let (mut length, mut last_line) = (0, started);
    let status = loop {
        let ended = running.0.try_wait().context("cannot wait for QEMU")?;
        watch()?;
        if let Some(status) = ended {
            break status;
        }
        let now = Instant::now();
        let written = fs::metadata(&verdict).map_or(0, |data| data.len());
        if written != length {
            (length, last_line) = (written, now);
        }
        if let Some(reason) = overdue(limits, length > 0, now - started, now - last_line) {
            drop(running);
            return Err(failure(&guest.folder, &reason));
        }
        std::thread::sleep(POLL);
    };
    let text = fs::read(&verdict).with_context(|| format!("cannot read {}", verdict.display()))?;
    if let Some(reason) = bad_end(status, &guest.folder, text.is_empty()) {
        return Err(failure(&guest.folder, &reason));
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The console's text, of the guest's kernel and its processes.
pub fn console(folder: &Path) -> String {
    String::from_utf8_lossy(&fs::read(folder.join(CONSOLE)).unwrap_or_default()).into_owned()
}

/// An error that says `reason` and shows the end of the guest's console.
pub fn failure(folder: &Path, reason: &str) -> anyhow::Error {
    let console = folder.join(CONSOLE);
    anyhow::anyhow!(
        "{reason}; the last lines of its console ({}) are\n{}",
        console.display(),
        job::tail(&console, SHOWN_LINES)
    )
}

/// QEMU, which ends when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if QEMU has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(guest: &Guest) -> Result<Running> {
    let errors = guest.folder.join(ERRORS);
    let errors =
        File::create(&errors).with_context(|| format!("cannot create {}", errors.display()))?;
    let command_line = format!("{COMMAND_LINE} {}", guest.command_line);
    let mut qemu = job::supervised("KILL", ARCHITECTURE.emulator);
    // File names are relative to the folder: a comma in its path would end a QEMU option.
    qemu.current_dir(&guest.folder)
        .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"])
        .args(["-machine", ARCHITECTURE.machine, "-accel", "tcg"])
        .args(["-cpu", if guest.lacks_smap { "max,-smap" } else { "max" }])
        .args(["-smp", &guest.cpus.to_string(), "-m", &guest.memory_mib.to_string()])
        .arg("-kernel")
        .arg(&guest.bz_image)
        .args(["-initrd", "initramfs.cpio", "-append", command_line.trim_end()])
        .args([
            "-chardev",
            &format!("file,id=console,path={CONSOLE}"),
            "-serial",
            "chardev:console",
        ])
        .args([
            "-device",
            "virtio-serial-pci",
            "-chardev",
            &format!("file,id=verdict,path={VERDICT}"),
        ])
        .args(["-device", &format!("virtserialport,chardev=verdict,name={}", port::VERDICT)])
        .args(["-chardev", &format!("file,id=kept,path={KEPT}")])
        .args(["-device", &format!("virtserialport,chardev=kept,name={}", port::KEPT)])
        .args(["-device", "virtio-rng-pci"])
        .args(if guest.counts_instructions {
            ["-icount", "shift=0,sleep=off"].as_slice()
        } else {
            &[]
        })
        .stdout(errors.try_clone().context("cannot duplicate a file")?)
        .stderr(errors);
    for name in guest.streams {
        qemu.args(["-chardev", &format!("file,id={name},path={name}")]);
        qemu.args(["-device", &format!("virtserialport,chardev={name},name={name}")]);
    }
    let child = qemu.spawn().context("cannot run setpriv (Debian's util-linux) to start QEMU")?;
    Ok(Running(child))
}

/// The reason to give the guest up, if there is one.
fn overdue(
    limits: Limits,
    reported: bool,
    elapsed: Duration,
    since_line: Duration,
) -> Option<String> {
    if !reported && elapsed >= limits.first_line {
        Some(format!("the guest printed no verdict within {} s", limits.first_line.as_secs_f32()))
    } else if reported && since_line >= limits.each_line {
        Some(format!(
            "the guest hangs: nothing new in its verdict for {} s, and it has not powered off",
            limits.each_line.as_secs_f32()
        ))
    } else if elapsed >= limits.overall {
        Some(format!("the guest was still running after {} s", limits.overall.as_secs_f32()))
    } else {
        None
    }
}

/// The fault of a guest that has ended, if there was one.
fn bad_end(status: ExitStatus, folder: &Path, silent: bool) -> Option<String> {
    if let Some((_, panic)) = console(folder).split_once("Kernel panic - not syncing:") {
        let why = panic.lines().next().unwrap_or_default().trim();
        return Some(format!("the guest's kernel panicked: {why}"));
    }
    if !status.success() {
        let said = job::tail(&folder.join(ERRORS), SHOWN_LINES);
        return Some(format!("QEMU failed ({status}), saying\n{said}\n"));
    }
    silent.then(|| "the guest powered off without printing a verdict".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn the_watchdogs() {
        let s = Duration::from_secs;
        let limits = Limits { first_line: s(20), each_line: s(60), overall: s(300) };
        assert_eq!(overdue(limits, false, s(19), s(19)), None);
        assert!(overdue(limits, false, s(20), s(20)).unwrap().contains("no verdict within 20 s"));
        assert_eq!(overdue(limits, true, s(100), s(59)), None);
        assert!(overdue(limits, true, s(100), s(60)).unwrap().contains("hangs"));
        assert!(overdue(limits, true, s(300), s(0)).unwrap().contains("still running"));
    }

    #[test]
    fn bad_ends() {
        let folder = tempfile::tempdir().unwrap();
        let ended =
            |code: i32, silent| bad_end(ExitStatus::from_raw(code << 8), folder.path(), silent);
        assert_eq!(ended(0, false), None);
        assert!(ended(0, true).unwrap().contains("without printing"));
        fs::write(folder.path().join(ERRORS), "no such device\n").unwrap();
        assert!(ended(1, true).unwrap().contains("no such device"));
        fs::write(folder.path().join(CONSOLE), "x\n[ 1] Kernel panic - not syncing: No init\ny\n")
            .unwrap();
        assert!(ended(0, false).unwrap().ends_with("panicked: No init"));
    }
}
