//! Process 1 of the guest: runs the programs of `/case`, tells the host what it saw, powers off. A
//! guest that was made for one program of the user's has `/session` instead.
//!
//! As any other process it runs the programs of a case file that is its only argument, and prints
//! the verdict: the way to try a case on one's own machine.
//!
//! # Invariants
//!
//! 1. As process 1 it never returns and never panics past [`guest`]: the guest powers off in any
//!    event.

use anyhow::Result;
use liblinux_guest::{handover, machine, namespace, session, verdict};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::process::id() == 1 {
        guest();
        machine::power_off();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [case] = arguments.as_slice() else {
        eprintln!("usage: init CASE-FILE (it is process 1 of a guest, which takes /case)");
        return ExitCode::from(2);
    };
    match verdict::run_file(case, &mut std::io::stdout().lock(), &mut || ()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("init: {case}: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Everything between the kernel's start of process 1 and the end of the guest.
fn guest() {
    let mut port = match machine::mount_all()
        .and_then(|()| machine::open_port(liblinux_protocol::port::VERDICT))
    {
        Ok(port) => port,
        // No other reader is left to tell; the host notices the silence.
        Err(error) => return eprintln!("init: {error:#}"),
    };
    let why = match catch_unwind(AssertUnwindSafe(|| tell(&mut port))) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "panicked; see the console".to_owned(),
    };
    eprintln!("init: {why}");
    // Half a verdict may have gone out; this line makes the whole of it void.
    let _ = port.write_all(format!("Bail out! init: {}\n", why.replace('\n', " ")).as_bytes());
}

/// Runs the session, if there is one, or the case; a case that cannot be read becomes a verdict
/// that says so.
fn tell(port: &mut dyn Write) -> Result<()> {
    if let Some(session) = session::read()? {
        machine::await_clocks();
        machine::start_processors()?;
        return session.run(port);
    }
    let case = std::fs::read_to_string(liblinux_protocol::case::FILE).map_err(anyhow::Error::from);
    match case.and_then(|text| liblinux_protocol::case::Case::parse(&text)) {
        Ok(case) => {
            machine::await_clocks();
            machine::start_processors()?;
            namespace::enter_if_asked()?;
            verdict::run(&case, port, &mut machine::reap_orphans).map(drop)?;
            handover::send()?;
        }
        Err(error) => verdict::give_up(port, &format!("/case: {error:#}"))?,
    }
    Ok(())
}
