//! The guest as a machine: its file systems, the ports to the host, the power switch.
//!
//! # Invariants
//!
//! 1. Only process 1 of a guest calls these.
//! 2. No legacy call is made: the guest's kernel may refuse them.

use crate::bare;
use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::stat::{Mode, mkdirat};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often something that is waited for is looked at.
const TICK: Duration = Duration::from_millis(10);

/// How long the port's driver may take to appear, and the clock source to settle: a second or so.
const PATIENCE: Duration = Duration::from_secs(5);

/// Permissions of the folders that file systems are mounted on.
const FOLDER_MODE: Mode = Mode::S_IRWXU.union(Mode::S_IRWXG).union(Mode::S_IRWXO);

/// Type and place of each file system, whose parent is there.
const FILE_SYSTEMS: [(&str, &str); 5] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("devpts", "/dev/pts"),
    ("tmpfs", "/tmp"),
];

/// Mounts what programs expect; `/tmp` only if nothing was brought there.
pub fn mount_all() -> Result<()> {
    for (kind, place) in FILE_SYSTEMS {
        if place == "/tmp" && fs::read_dir(place).is_ok_and(|mut entries| entries.next().is_some())
        {
            continue;
        }
        match mkdirat(AT_FDCWD, place, FOLDER_MODE) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot create {place}")),
        }
        // Two programs that look at the same file one after the other must see the same.
        match mount(Some(kind), place, Some(kind), MsFlags::MS_NOATIME, None::<&str>) {
            // The kernel may have mounted devtmpfs itself.
            Ok(()) | Err(Errno::EBUSY) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot mount {kind} on {place}"));
            }
        }
    }
    Ok(())
}

/// Starts the processors that the kernel was told to leave (`maxcpus=1`).
pub fn start_processors() -> Result<()> {
    let folder = "/sys/devices/system/cpu";
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {folder}"))? {
        let online = entry?.path().join("online");
        // The first processor has no such file, and folders that are not processors have none
        // either.
        if fs::read_to_string(&online).is_ok_and(|state| state.trim() == "0") {
            fs::write(&online, "1")
                .with_context(|| format!("cannot write {}", online.display()))?;
        }
    }
    let [online, present] =
        ["online", "present"].map(|list| fs::read_to_string(format!("{folder}/{list}")));
    let (online, present) = (online?, present?);
    ensure!(
        online == present,
        "processors {} are there, but only {} run",
        present.trim(),
        online.trim()
    );
    Ok(())
}

/// Opens the port to the host called `name`.
pub fn open_port(name: &str) -> Result<File> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(port) = find_port(name)? {
            return Ok(port);
        }
        if Instant::now() > deadline {
            bail!(
                "no virtio port is named {name}; start QEMU with -device virtserialport,name={name}"
            );
        }
        std::thread::sleep(TICK);
    }
}

fn find_port(wanted: &str) -> Result<Option<File>> {
    let ports = match fs::read_dir("/sys/class/virtio-ports") {
        Ok(ports) => ports,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("cannot list the virtio ports"),
    };
    for port in ports {
        let port = port?;
        // A port has no name until its driver has heard from the host.
        let name = fs::read_to_string(port.path().join("name")).unwrap_or_default();
        if name.trim_end() != wanted {
            continue;
        }
        let device = Path::new("/dev").join(port.file_name());
        return match OpenOptions::new().write(true).open(&device) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot open {}", device.display())),
        };
    }
    Ok(None)
}

/// The clock source that the kernel uses now.
pub fn clocksource() -> String {
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    fs::read_to_string(path)
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim_end().to_owned())
}

/// The resolution of the kernel's timers, in nanoseconds.
pub fn timer_resolution() -> Option<i64> {
    bare::clock_getres(bare::CLOCK_MONOTONIC)
}

/// Waits while the clock source is the one of early boot, and timers are as coarse as a tick, so
/// that neither changes under a program. Timers that stay coarse are for the host to judge.
pub fn await_clocks() {
    let deadline = Instant::now() + PATIENCE;
    let is_early = || {
        clocksource() == "tsc-early" || timer_resolution().is_none_or(|resolution| resolution > 1)
    };
    while is_early() && Instant::now() < deadline {
        std::thread::sleep(TICK);
    }
}

/// Reaps the processes that were left to process 1. No program may be running.
pub fn reap_orphans() {
    while let Ok(status) = waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            break;
        }
    }
}

/// Ends the guest. QEMU runs with `-no-reboot`, so a reboot ends it too.
pub fn power_off() -> ! {
    for mode in [RebootMode::RB_POWER_OFF, RebootMode::RB_AUTOBOOT] {
        let Err(error) = reboot(mode);
        eprintln!("init: cannot end the guest: {error}");
    }
    // Process 1 must not return: the host's watchdog does the rest.
    loop {
        std::thread::park();
    }
}
