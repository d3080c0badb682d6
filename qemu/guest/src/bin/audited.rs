//! What audit sees of a private call: its records are in the kernel's log where no daemon takes
//! them.
//!
//! A seccomp filter has numbers that are in no table logged, and lets them pass. One call is made
//! by the image, one with the same number from here.
//!
//! Prints KTAP.
//!
//! # Invariants
//!
//! 1. A record counts only if it names this process and this number.

use anyhow::{Context, Result};
use liblinux::Vdso;
use liblinux_abi::kernel::errno::{ENOENT, ENOSYS};
use liblinux_guest::filter::{self, Answer};
use liblinux_guest::ktap::Ktap;
use liblinux_guest::query::Query;
use nix::libc;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// `AUDIT_SECCOMP` of `include/uapi/linux/audit.h`.
const RECORD: &str = "type=1326";

/// How long a record may take to appear in the log.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("audited: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool> {
    let query = Query::find()?;
    filter::set(&Vdso::find()?, Answer::Log, None)?;
    let (by_image, from_here) = (query.by_image(), query.from_here());

    let mut out = io::stdout().lock();
    let mut list = Ktap::begin(&mut out)?;
    list.plan(3)?;
    let expect = |what: &str, result: i64, errno: isize| match result == -(errno as i64) {
        true => Ok(()),
        false => Err(format!("{what} returned {result}")),
    };
    list.test("the image's call passes", &expect("the entry", by_image, ENOENT).into())?;
    list.test(
        "the same number from here is unknown",
        &expect("the call", from_here, ENOSYS).into(),
    )?;
    let records = records(query.number())?;
    list.test(
        "both are in the log",
        &(if records == 2 { Ok(()) } else { Err(format!("{records} records")) }).into(),
    )?;
    Ok(list.failures() == 0)
}

/// How many records of this process and this number there are, once there are two or time is up.
fn records(number: u32) -> Result<usize> {
    let mut log = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg")?;
    let (pid, number) = (format!(" pid={} ", std::process::id()), format!(" syscall={number} "));
    let deadline = Instant::now() + PATIENCE;
    let mut count = 0;
    // One message a read.
    let mut message = [0; 8192];
    while count < 2 && Instant::now() < deadline {
        match log.read(&mut message) {
            Ok(len) => {
                let text = String::from_utf8_lossy(&message[..len]);
                count +=
                    usize::from([RECORD, &pid, &number].iter().all(|part| text.contains(part)));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(10))
            }
            // Older messages were overwritten meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
            Err(error) => return Err(error).context("cannot read the kernel's log"),
        }
    }
    Ok(count)
}
