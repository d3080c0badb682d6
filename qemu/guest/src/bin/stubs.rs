//! Compares every system-call entry of the image that this process has with the bare `syscall`
//! instruction.
//!
//! Prints KTAP: one line per call, and one for the whole.
//!
//! # Invariants
//!
//! 1. An image without any entry (the kernel's C image) is skipped; an image with some must have
//!    all. On a kernel that gives programs such an image `legacy_syscalls=off` means nothing.

#![expect(unsafe_code, reason = "the sweep calls addresses")]

use anyhow::{Context, Result};
use liblinux_abi::syscall::Kind;
use liblinux_guest::bare;
use liblinux_guest::image::Image;
use liblinux_guest::ktap::{Ktap, Outcome};
use liblinux_guest::sweep::{self, Legacy, Scope};
use liblinux_protocol::report::NOT_CARRIED;
use procfs::process::Process;
use std::io::{self, Write};
use std::process::ExitCode;

/// The word on the kernel's command line that has it refuse legacy calls.
const LEGACY_OFF: &str = "legacy_syscalls=off";

fn main() -> ExitCode {
    match run(&mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("stubs: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether the kernel makes a call that the image has no function for.
fn legacy_is_made() -> Result<(), String> {
    // SAFETY: `getpgrp` changes nothing.
    let group = unsafe { bare::call("getpgrp", [0; 6]) };
    if group >= 0 { Ok(()) } else { Err(format!("getpgrp returned {group}")) }
}

fn run(out: &mut dyn Write) -> Result<bool> {
    let image = Image::of(&Process::myself()?)?.context("the kernel gave this process no image")?;
    let mut list = Ktap::begin(out)?;
    // The standard functions are in every image.
    let plain = || sweep::calls().filter(|call| call.kind != Kind::Standard);
    if plain().all(|call| image.offset(call.symbol).is_none()) {
        list.plan(2)?;
        list.test(
            "entries",
            &Outcome::Skip("the image exports no system-call entries".to_owned()),
        )?;
        list.test("legacy calls are made", &legacy_is_made().into())?;
        return Ok(list.failures() == 0);
    }
    // A guest is recognized by our init; anything else is a developer's machine.
    let scope = if nix::unistd::getppid().as_raw() == 1
        && std::path::Path::new(liblinux_protocol::case::FILE).exists()
    {
        Scope::Guest
    } else {
        Scope::Host
    };
    let command_line =
        std::fs::read_to_string("/proc/cmdline").context("cannot read /proc/cmdline")?;
    let is_off = command_line.split_whitespace().any(|word| word == LEGACY_OFF);
    let legacy = if is_off { Legacy::Refused } else { Legacy::Carried };
    list.plan(sweep::calls().count() + 1)?;
    let find = |symbol: &str| usize::try_from(image.address + image.offset(symbol)?).ok();
    let place = std::env::temp_dir();
    // SAFETY: the addresses are those of functions that this process's own image exports, and it
    // stays mapped.
    let count = unsafe {
        sweep::sweep(scope, legacy, &place, &find, &mut |call, outcome| {
            list.test(call.name, &outcome)
        })?
    };
    list.note(&format!(
        "compared: {} of {}, skipped: {}",
        count.equal, count.comparable, count.skipped
    ))?;
    if legacy == Legacy::Refused {
        list.note(&format!("{NOT_CARRIED}: {}", count.refused))?;
    }
    list.test("compared", &count.check().into())?;
    Ok(list.failures() == 0)
}
