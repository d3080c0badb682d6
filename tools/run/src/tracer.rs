//! The tracer: gives the image to every program that the first one and its descendants become.
//!
//! The tracer asks the kernel to stop a process that has become another program. To see that in
//! every descendant, it has to follow new processes and threads, too. The kernel does not stop a
//! running program for its system calls. It does for signals, which a tracer cannot decline; the
//! tracer passes them on as they are.
//!
//! # Invariants
//!
//! 1. No process stays stopped: the tracer answers each stop. Where the answer fails, the process
//!    was killed, and the next `wait` says so.
//! 2. The tracer remembers nothing about processes but their numbers, and these only where its own
//!    CPU time is limited: a stop says all that its answer needs.
//! 3. Once the first program runs, no file of the user is open here: a reader of the program's
//!    standard error sees its end ([`crate::messages`]).

use crate::allowance::Allowance;
use crate::change::Change;
use crate::copy::Image;
use crate::folder::Folder;
use crate::messages::{Messages, printable};
use crate::privileges;
use crate::running::Running;
use crate::setup::{self, Given, Outcome};
use crate::storm::Storm;
use crate::tracee;
use liblinux_abi::kernel::datapage::DATA_SIZE;
use nix::unistd::Pid;
use std::collections::HashSet;

/// The tracer.
#[derive(Debug)]
pub(crate) struct Tracer {
    image: Image,
    /// Whether other programs than the first get the image, too.
    is_following: bool,
    messages: Messages,
    kernel: Running,
    allowance: Allowance,
    storm: Storm,
    /// The traced processes, where the allowance is limited; some may be gone.
    known: HashSet<Pid>,
    /// Whether the tracer lets go of each process that stops.
    is_ending: bool,
}

impl Tracer {
    /// A tracer of the process that this one has seized.
    pub(crate) fn new(
        image: Image,
        is_following: bool,
        messages: Messages,
        allowance: Allowance,
    ) -> Self {
        let (kernel, storm, known) = (Running::default(), Storm::new(), HashSet::new());
        Self { image, is_following, messages, kernel, allowance, storm, known, is_ending: false }
    }

    /// Serves until no traced process is left.
    pub(crate) fn serve(mut self) {
        while let Ok((pid, change)) = tracee::wait(None) {
            self.account(pid, change);
            // Invariant 1: an error here is answered by the next `wait`.
            let _ = match change {
                Change::Exiting | Change::Gone => {
                    self.messages.gone(pid);
                    Ok(())
                }
                Change::Exec => self.exec(pid),
                Change::GroupStop if !self.is_ending => tracee::listen(pid),
                Change::Signal(signal) => {
                    self.warn_of_storm(pid, signal);
                    self.answer(pid, signal)
                }
                Change::GroupStop | Change::SystemCall | Change::Trivial => self.answer(pid, 0),
            };
        }
    }

    /// Lets a stopped process run, with `signal` delivered unless that is 0.
    fn answer(&self, pid: Pid, signal: i32) -> nix::Result<()> {
        if self.is_ending { tracee::detach(pid, signal) } else { tracee::resume(pid, signal) }
    }

    fn warn_of_storm(&mut self, pid: Pid, signal: i32) {
        if self.storm.strikes(pid) {
            self.messages.say(
                pid,
                &format!(
                    "{pid}: signal {signal} comes again before the program has executed an instruction, so it stands \
                     still: make the timer slower, or start the program with --no-follow"
                ),
            );
        }
    }

    /// Begins to let go of all processes when the tracer's CPU time is about to end.
    fn account(&mut self, pid: Pid, change: Change) {
        if self.is_ending || !self.allowance.is_limited() {
            return;
        }
        match change {
            Change::Gone => self.known.remove(&pid),
            _ => self.known.insert(pid),
        };
        if self.allowance.is_used_up() {
            self.is_ending = true;
            self.messages.say(
                pid,
                "the CPU time that `ulimit -t` leaves to the tracer is used up: running programs keep the image, and \
                 programs that start from now on have the kernel's vDSO",
            );
            for pid in &self.known {
                // An error means that it is gone.
                let _ = tracee::interrupt(*pid);
            }
        }
    }

    /// Gives the image to a process that has become another program.
    fn exec(&mut self, pid: Pid) -> nix::Result<()> {
        let outcome = setup::give(pid, &self.image, &mut self.kernel);
        let folder = Folder::of(pid).ok();
        let program = folder.as_ref().and_then(|folder| folder.program().ok());
        let program = program.map_or_else(|| "?".to_owned(), |path| printable(&path));
        match outcome {
            Outcome::Given(given) => {
                self.messages.detail(pid, || format!("{pid} {program}: {}", self.tell(&given)))
            }
            Outcome::LeftAlone(why) => {
                self.messages
                    .say(pid, &format!("{pid} {program}: runs with the kernel's vDSO: {why}"));
            }
            Outcome::Ended(error) => {
                self.messages
                    .say(pid, &format!("{pid} {program}: ends before it began: {error:#}"));
                return self.answer(pid, 0);
            }
            Outcome::Gone => {
                self.messages.gone(pid);
                return Ok(());
            }
        }
        if let Some(privileges) = folder.as_ref().and_then(privileges::withheld) {
            self.messages.say(pid, &format!(
                "{pid} {program}: runs without {privileges} privileges, which the kernel gives to no traced \
                 program: start it outside, or as root"
            ));
        }
        self.messages.begun(pid);
        if self.is_following { self.answer(pid, 0) } else { tracee::detach(pid, 0) }
    }

    fn tell(&self, given: &Given) -> String {
        let Given { base, kernel, redirected, obstacle, size } = given;
        let (size, data) = (size >> 10, DATA_SIZE >> 10);
        let image = format!(
            "image {} at {base:#x}, {size} KiB, below it {data} KiB of zeros",
            self.image.build_id()
        );
        match kernel {
            Some(kernel) => {
                let names = redirected.iter().map(|symbol| symbol.trim_start_matches("__vdso_"));
                let names = names.collect::<Vec<_>>().join(" ");
                let obstacle = obstacle.as_ref().map_or_else(String::new, |why| format!("; {why}"));
                format!(
                    "{image}; by the code of the kernel's vDSO at {kernel:#x}: {names}{obstacle}"
                )
            }
            None => {
                format!("{image}; this kernel has no vDSO, standard functions make system calls")
            }
        }
    }
}
