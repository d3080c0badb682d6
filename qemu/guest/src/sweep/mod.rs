//! Every system-call entry of the image beside the bare instruction.
//!
//! For each call and each set of arguments, one child process calls the image's entry and another one, forked from the
//! same parent and set up the same way, makes the bare system call. The results must be equal, so must what the kernel
//! wrote to the caller's buffer, and the entry must have preserved every register that it promises to.
//!
//! Two children rather than one because many calls change their own later result: `umask`, `setsid`, a read from a pipe,
//! everything that hands out a file descriptor. A call that is refused changes nothing, so where that is
//! likely one child makes both, and two are only needed if it was not: half the time of a guest without hardware help.
//! The calls for which two children are not alike are in [`exceptions`].
//!
//! Most sets of arguments are refused by the kernel. That is no weakness: which of several errors it reports shows that
//! number and arguments arrived, and nothing happens to the machine.
//!
//! # Invariants
//!
//! 1. Every row of the system-call table that is exported gets exactly one result: equal, different, or a reason why it
//!    is not compared.
//! 2. A comparison that did not happen (a child died or hung) is a failure.
//! 3. No set of arguments changes anything outside the child but files in the sweep's own folder. On a developer's
//!    machine ([`Scope::Host`]) calls that concern the machine as a whole are left out too.

#![expect(unsafe_code, reason = "the entries are addresses that the caller vouches for")]

use std::io;
use std::path::Path;

use liblinux_abi::syscall::{Kind, SYSCALLS, Syscall};

use crate::ktap::Outcome;
use arguments::Set;
use child::{Answer, Area, Way};
use folder::Folder;

mod arguments;
mod child;
mod exceptions;
mod folder;

/// Where the sweep runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A developer's machine.
    Host,
    /// A guest, which is gone afterwards.
    Guest,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Calls whose entry and bare instruction were compared and agreed.
    pub equal: usize,
    /// Calls that can be compared here.
    pub comparable: usize,
    /// Calls that cannot.
    pub skipped: usize,
}

impl Count {
    /// Whether all that can be compared is equal, and something was.
    pub fn check(&self) -> Result<(), String> {
        match *self {
            Self { comparable: 0, .. } => Err("no call was compared".to_owned()),
            Self { equal, comparable, .. } if equal < comparable => {
                Err(format!("{} of {comparable} calls differ", comparable - equal))
            }
            _ => Ok(()),
        }
    }
}

/// The calls that have a result each, in order.
pub fn calls() -> impl Iterator<Item = &'static Syscall> {
    SYSCALLS.iter().filter(|call| call.is_exported())
}

/// Compares every call; `find` gives the address of the image's entry by its symbol.
///
/// Files are made in `place`. `report` gets one outcome for each of [`calls`].
///
/// # Safety
///
/// `find` must return addresses of the entries of an image that is mapped for as long as this function runs.
pub unsafe fn sweep(
    scope: Scope,
    place: &Path,
    find: &dyn Fn(&str) -> Option<usize>,
    report: &mut dyn FnMut(&Syscall, Outcome) -> io::Result<()>,
) -> io::Result<Count> {
    let area = Area::new()?;
    let folder = Folder::new(place)?;
    let mut count = Count::default();
    for call in calls() {
        let outcome = match (reason_to_skip(call, scope), find(call.symbol)) {
            (Some(reason), _) => Outcome::Skip(reason.to_owned()),
            (None, None) => Outcome::Fail(format!("the image has no {}", call.symbol)),
            (None, Some(entry)) => {
                // SAFETY: the caller vouches for the entry.
                unsafe { compare(call, entry, &area, &folder)? }.into()
            }
        };
        match outcome {
            Outcome::Skip(_) => count.skipped += 1,
            Outcome::Pass => count.equal += 1,
            Outcome::Fail(_) => {}
        }
        count.comparable += usize::from(!matches!(outcome, Outcome::Skip(_)));
        report(call, outcome)?;
    }
    Ok(count)
}

fn reason_to_skip(call: &Syscall, scope: Scope) -> Option<&'static str> {
    if call.kind == Kind::Standard {
        return Some("a standard function, not a plain call");
    }
    exceptions::reason_to_skip(call.name, scope)
}

/// Compares one call by all its sets of arguments.
///
/// # Safety
///
/// As for [`sweep`].
unsafe fn compare(
    call: &Syscall,
    entry: usize,
    area: &Area,
    folder: &Folder,
) -> io::Result<Result<(), String>> {
    let sets = arguments::sets(call.name);
    for set in &sets {
        // SAFETY: the caller vouches for the entry.
        let verdict = match unsafe { answers(call, entry, set, area, folder)? } {
            Ok([by_entry, bare]) => judge(call, &by_entry, &bare),
            Err(reason) => Err(reason),
        };
        if let Err(reason) = verdict {
            return Ok(Err(format!("{}({set}): {reason}", call.name)));
        }
    }
    Ok(if sets.is_empty() { Err("no arguments to compare it with".to_owned()) } else { Ok(()) })
}

/// Has the call made both ways, by the entry first.
///
/// # Safety
///
/// As for [`sweep`].
unsafe fn answers(
    call: &Syscall,
    entry: usize,
    set: &Set,
    area: &Area,
    folder: &Folder,
) -> io::Result<Result<[Answer; 2], String>> {
    let ways = [Way::Entry(entry), Way::Bare(call.number)];
    let in_one_child = exceptions::in_one_child(call.name);
    if in_one_child || set.is_default() {
        // SAFETY: the caller vouches for the entry, the tables of this module for the arguments.
        let together = unsafe { child::run(area, folder, set, &ways)? };
        // A child that died tells less than two children do: see below which way it was.
        if let Ok(Ok(both)) = together.map(<[Answer; 2]>::try_from)
            && (in_one_child || both.iter().all(Answer::is_refusal))
        {
            return Ok(Ok(both));
        }
    }
    let mut both = Vec::new();
    for way in ways {
        folder.reset()?;
        // SAFETY: as above.
        match unsafe { child::run(area, folder, set, &[way])? } {
            Ok(answer) => both.extend(answer),
            Err(reason) => return Ok(Err(format!("{} {reason}", way.name()))),
        }
    }
    Ok(both.try_into().map_err(|_| "there are not two answers".to_owned()))
}

/// Compares two answers.
fn judge(call: &Syscall, by_entry: &Answer, bare: &Answer) -> Result<(), String> {
    let clobbered: Vec<String> = by_entry.frame.clobbered().collect();
    let result = |answer: &Answer| {
        let base = if exceptions::names_process(call.name) { answer.process } else { 0 };
        answer.frame.result - base
    };
    if result(by_entry) != result(bare) {
        return Err(format!(
            "the entry returned {}, the bare call {}",
            by_entry.frame.result, bare.frame.result
        ));
    }
    if !clobbered.is_empty() {
        return Err(format!("the entry did not preserve {}", clobbered.join(", ")));
    }
    let differ = by_entry.buffer.iter().zip(&bare.buffer).position(|(a, b)| a != b);
    match differ.filter(|_| exceptions::compares_buffer(call.name)) {
        Some(offset) => Err(format!("the buffers differ from byte {offset} on")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
