//! The tracer: gives the image to every program that the first one and its descendants become.
//!
//! Nothing is asked of the kernel but to stop a process when it has become another program. To see that in every
//! descendant, the kernel has to tell of new processes and threads too. A running program is not stopped for its system
//! calls; it is for its signals, which a tracer cannot decline, and they are passed on as they are.
//!
//! # Invariants
//!
//! 1. No process is ever left stopped: each stop is answered. Where the answer fails, the process was killed, and `wait`
//!    tells so next.
//! 2. The tracer remembers nothing about processes: what a stop says is all that is needed to answer it.
//! 3. Once the first program is gone, nothing of the user's is open here: whoever reads its standard error sees the end.

use crate::folder::Folder;
use crate::image::Image;
use crate::kernel::Functions;
use crate::messages::Messages;
use crate::setup::{self, Given, Outcome};
use crate::tracee;
use crate::{change::Change, privileges};
use liblinux_abi::layout::DATA_SIZE;
use nix::unistd::Pid;

/// The tracer.
#[derive(Debug)]
pub(crate) struct Tracer {
    image: Image,
    first: Pid,
    /// Whether other programs than the first get the image, too.
    is_following: bool,
    messages: Messages,
    functions: Functions,
}

impl Tracer {
    /// A tracer whose first program the traced process `first` will become.
    pub(crate) fn new(image: Image, first: Pid, is_following: bool, messages: Messages) -> Self {
        Self { image, first, is_following, messages, functions: Functions::default() }
    }

    /// Serves until no traced process is left.
    pub(crate) fn serve(mut self) {
        while let Ok((pid, change)) = tracee::wait(None) {
            // Invariant 1: an error here is answered by the next `wait`.
            let _ = match change {
                Change::Gone => {
                    self.gone(pid);
                    Ok(())
                }
                Change::Exec => self.exec(pid),
                Change::GroupStop => tracee::listen(pid),
                Change::Signal(signal) => tracee::resume(pid, signal),
                Change::SystemCall | Change::Trivial => tracee::resume(pid, 0),
            };
        }
    }

    fn gone(&mut self, pid: Pid) {
        if pid == self.first {
            self.messages.close();
        }
    }

    /// Gives the image to a process that has become another program.
    fn exec(&mut self, pid: Pid) -> nix::Result<()> {
        let outcome = setup::give(pid, &self.image, &mut self.functions);
        let folder = Folder::of(pid).ok();
        let program = folder.as_ref().and_then(|folder| folder.program().ok());
        let program = program.map_or_else(|| "?".to_owned(), |path| path.display().to_string());
        match outcome {
            Outcome::Given(given) => {
                self.messages.detail(|| format!("{pid} {program}: {}", self.tell(&given)))
            }
            Outcome::LeftAlone(why) => {
                self.messages.say(&format!("{pid} {program}: runs with the kernel's vDSO: {why}"));
            }
            Outcome::Ended(error) => {
                self.messages.say(&format!("{pid} {program}: ends before it began: {error:#}"));
                return tracee::resume(pid, 0);
            }
            Outcome::Gone => {
                self.gone(pid);
                return Ok(());
            }
        }
        if let Some(privileges) = folder.as_ref().and_then(privileges::withheld) {
            self.messages.say(&format!(
                "{pid} {program}: runs without {privileges} privileges, which the kernel gives to no traced \
                 program: start it outside, or as root"
            ));
        }
        if self.is_following { tracee::resume(pid, 0) } else { tracee::detach(pid) }
    }

    fn tell(&self, given: &Given) -> String {
        let Given { base, kernel, redirected, obstacle, size } = given;
        let (size, data) = (size >> 10, DATA_SIZE >> 10);
        let image =
            format!("image {} at {base:#x}, {size} KiB, below it {data} KiB of zeros", self.image.build_id());
        match kernel {
            Some(kernel) => {
                let names = redirected.iter().map(|symbol| symbol.trim_start_matches("__vdso_"));
                let names = names.collect::<Vec<_>>().join(" ");
                let obstacle = obstacle.as_ref().map_or_else(String::new, |why| format!("; {why}"));
                format!("{image}; by the code of the kernel's vDSO at {kernel:#x}: {names}{obstacle}")
            }
            None => format!("{image}; this kernel has no vDSO, standard functions make system calls"),
        }
    }
}
