//! Starting: this process becomes the program, and a tracer beside it gives it the image.
//!
//! The other way round, with the program as the tracer's child, the tracer would stand between the
//! program and its caller: it would have to hand on exit statuses, deaths by signals, stops, the
//! terminal. So the tracer is a grandchild for which no process waits, in a session of its own that
//! no terminal's signal reaches. The program has the process, the parent, the group and the
//! terminal that were meant for it.
//!
//! A process whose parent has ended becomes the child of the namespace's first process, or of an
//! ancestor that asks for orphans (`PR_SET_CHILD_SUBREAPER`). Where that is this process itself,
//! the program would get a child that it did not make. A program that waits until it has no
//! children would then wait for the tracer, and the tracer for the program. So there the tracer
//! stays this process's child, but one that sends no signal at its end: `wait` does not see such a
//! child without `__WCLONE` or `__WALL`.
//!
//! ```text
//! this process                 the tracer
//!   forks, mostly twice  ->
//!   permits its tracing  <-    its process number
//!                        ->    may attach
//!                        <-    whether it traces
//!   becomes the program        maps the image, lets it go, serves until the last process is gone
//! ```
//!
//! # Invariants
//!
//! 1. No program runs unless the tracer has attached; if the tracer dies, the kernel kills what it
//!    traced.
//! 2. The program inherits nothing of the runner: no descriptor, no child that `wait` sees, no
//!    pending signal, no changed signal handling, no changed limit.
//! 3. There is one thread until the program runs, so a forked child may call any function.

#![expect(unsafe_code, reason = "processes are made by the bare call")]

use crate::allowance::Allowance;
use crate::copy::Image;
use crate::descriptor;
use crate::messages::Messages;
use crate::obstacle;
use crate::pin::Pin;
use crate::tracee;
use crate::tracer::Tracer;
use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::libc::{self, c_int};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, chdir, execvp, getpid, setsid};
use std::ffi::CString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// How a program is run.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The program and its arguments.
    pub(crate) words: Vec<CString>,
    /// The image that it gets, if it is not to keep the kernel's.
    pub(crate) image: Option<Image>,
    /// Whether programs that it becomes or starts get it too.
    pub(crate) is_following: bool,
    /// Whether system calls may come from the image alone, and what is to be reported then.
    pub(crate) pin: Option<Pin>,
    /// Whether to say the place of each image.
    pub(crate) is_verbose: bool,
}

impl Launch {
    /// Runs the program in this process. Returns only if that fails: the error of `execvp`.
    pub(crate) fn run(self) -> Result<Errno> {
        let (words, program) = (self.words.clone(), getpid());
        let (ours, theirs) = UnixStream::pair().context("cannot create a socket")?;
        let [ours, theirs] = [ours, theirs].map(OwnedFd::from).map(descriptor::above_streams);
        let (ours, theirs) = (ours?, theirs?);
        let is_reaper = is_reaper();
        let Some(child) = fork().context("cannot create a process")? else {
            if !is_reaper && !matches!(fork(), Ok(None)) {
                // Its end lets go of the tracer. If the second fork failed, the program's side sees
                // the end of the conversation.
                exit();
            }
            self.trace(program, theirs);
        };
        drop(theirs);
        if !is_reaper {
            waitpid(child, Some(WaitPidFlag::__WALL)).context("cannot wait for a process")?;
        }
        be_traced(File::from(ours))?;
        let Err(error) = execvp(&words[0], &words);
        Ok(error)
    }

    /// The tracer's life.
    fn trace(self, program: Pid, conversation: OwnedFd) -> ! {
        descriptor::close_all_but(&conversation);
        descriptor::discard(libc::STDIN_FILENO);
        descriptor::discard(libc::STDOUT_FILENO);
        // It must outlive the programs, also where a signal is sent to all processes.
        let outlive = || -> nix::Result<()> {
            setsid()?;
            chdir("/")?;
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)
        };
        let mut conversation = File::from(conversation);
        let attached = outlive().and_then(|()| {
            let mut go = [0];
            let introduced = conversation
                .write_all(&getpid().as_raw().to_ne_bytes())
                .and_then(|()| conversation.read_exact(&mut go));
            introduced.map_err(|_| Errno::EPIPE)?;
            tracee::seize(program)
        });
        let answer = attached.err().map_or(0, |error| error as i32);
        if conversation.write_all(&answer.to_ne_bytes()).is_ok() && answer == 0 {
            drop(conversation);
            let messages = Messages::new(self.is_verbose, program);
            let allowance = Allowance::take();
            Tracer::new(self.image, self.is_following, self.pin, messages, allowance).serve();
        }
        exit()
    }
}

/// The program's side of the conversation: this process is traced when it returns.
fn be_traced(mut conversation: File) -> Result<()> {
    const SILENT: &str = "the tracer ended before it began";
    let mut number = [0; 4];
    conversation.read_exact(&mut number).context(SILENT)?;
    let tracer = i32::from_ne_bytes(number);
    permit(tracer);
    conversation.write_all(&[0]).context(SILENT)?;
    conversation.read_exact(&mut number).context(SILENT)?;
    permit(0);
    match Errno::from_raw(i32::from_ne_bytes(number)) {
        Errno::UnknownErrno => Ok(()),
        error => bail!("{}", obstacle::explain(error)),
    }
}

/// Lets the process `tracer` trace this one, where the security module Yama asks for it; 0 takes
/// that back.
fn permit(tracer: i32) {
    // An error means that the kernel has no Yama. SAFETY: takes a number.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::c_long::from(tracer)) };
}

/// Whether orphans among this process's descendants become its children.
fn is_reaper() -> bool {
    let mut asks: c_int = 0;
    // SAFETY: writes an int to `asks`.
    let result = unsafe { libc::prctl(libc::PR_GET_CHILD_SUBREAPER, &raw mut asks) };
    getpid().as_raw() == 1 || (result == 0 && asks != 0)
}

/// Makes a child that sends this process no signal when it ends; returns none in the child.
fn fork() -> nix::Result<Option<Pid>> {
    // SAFETY: no flags: the child has copies of everything. There is one thread (invariant 3).
    let pid =
        unsafe { libc::syscall(libc::SYS_clone, 0_usize, 0_usize, 0_usize, 0_usize, 0_usize) };
    let pid = Errno::result(pid)?;
    Ok((pid != 0).then(|| Pid::from_raw(pid as i32)))
}

/// Ends a child without the functions that the program's side has registered for its exit.
fn exit() -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(0) }
}
