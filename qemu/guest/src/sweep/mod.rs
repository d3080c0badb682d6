//! Every system-call entry of the image beside the bare instruction.
//!
//! For each call and each set of arguments, one child process calls the image's entry and another
//! one, forked from the same parent and set up the same way, makes the bare system call. The
//! results must be equal, so must what the kernel wrote to the caller's buffer, and the entry must
//! have preserved every register that it promises to.
//!
//! Two children rather than one because many calls change their own later result: `umask`,
//! `setsid`, a read from a pipe, everything that hands out a file descriptor. A call that is
//! refused changes nothing, so where that is likely one child makes both, and two are only needed
//! if it was not: half the time of a guest without hardware help. The calls for which two children
//! are not alike are in `exceptions`.
//!
//! Most sets of arguments are refused by the kernel. That is not a weakness: the error that it
//! reports, one of several, shows that number and arguments arrived, and nothing happens to the
//! machine.
//!
//! Where several children were needed, the files of the sweep's folder must be the same after each,
//! too.
//!
//! A legacy call is made in a third way, by `newer`. Where the kernel takes the legacy number, that
//! one is the reference for both. Where it refuses it, it must do so with `-ENOSYS`, and the third
//! way is the reference.
//!
//! # Invariants
//!
//! 1. Every row of the system-call table that is exported gets exactly one result: equal,
//!    different, or a reason why it is not compared.
//! 2. A comparison that did not happen (a child died or hung) is a failure, and so is a legacy call
//!    that never succeeded.
//! 3. No set of arguments changes anything outside the child but files in the sweep's own folder.
//!    On a developer's machine ([`Scope::Host`]) calls that concern the machine as a whole are left
//!    out too.

#![expect(unsafe_code, reason = "the entries are addresses that the caller vouches for")]

use crate::arch::STATUS_FLAGS;
use crate::ktap::Outcome;
use arguments::Set;
use child::{Answer, Area, Way};
pub use exceptions::Scope;
use folder::{Folder, State};
use liblinux_abi::kernel::errno::ENOSYS;
use liblinux_abi::syscall::legacy::CHANGES_FLAGS;
use liblinux_abi::syscall::{Kind, SYSCALLS, Syscall};
use std::io;
use std::path::Path;

mod arguments;
mod child;
mod descriptors;
mod exceptions;
mod folder;
mod newer;
mod sets;

/// What the kernel does with the numbers of legacy calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legacy {
    /// It makes the calls.
    Carried,
    /// It refuses them (`legacy_syscalls=off`).
    Refused,
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
    /// Calls that agreed although the kernel refuses their numbers.
    pub refused: usize,
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
/// `find` must return addresses of the entries of an image that is mapped for as long as this
/// function runs.
pub unsafe fn sweep(
    scope: Scope,
    legacy: Legacy,
    place: &Path,
    find: &dyn Fn(&str) -> Option<usize>,
    report: &mut dyn FnMut(&Syscall, Outcome) -> io::Result<()>,
) -> io::Result<Count> {
    let sweep = Sweep { legacy, area: Area::new()?, folder: Folder::new(place)? };
    let mut count = Count::default();
    for call in calls() {
        let outcome = match (reason_to_skip(call, scope), find(call.symbol)) {
            (Some(reason), _) => Outcome::Skip(reason.to_owned()),
            (None, None) => Outcome::Fail(format!("the image has no {}", call.symbol)),
            (None, Some(entry)) => {
                // SAFETY: the caller vouches for the entry.
                unsafe { sweep.compare(call, entry)? }.into()
            }
        };
        match outcome {
            Outcome::Skip(_) => count.skipped += 1,
            Outcome::Pass => {
                count.equal += 1;
                count.refused += usize::from(sweep.is_refused(call));
            }
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

/// What all comparisons share.
struct Sweep {
    legacy: Legacy,
    area: Area,
    folder: Folder,
}

/// What was seen of one way to make a call: the answer, and the files afterwards if nothing else
/// changed them.
struct Seen {
    way: Way,
    answer: Answer,
    files: Option<Vec<State>>,
}

impl Sweep {
    /// Whether the kernel must refuse the call's number.
    fn is_refused(&self, call: &Syscall) -> bool {
        self.legacy == Legacy::Refused && !call.successors().is_empty()
    }

    /// Compares one call by all its sets of arguments.
    ///
    /// # Safety
    ///
    /// As for [`sweep`].
    unsafe fn compare(&self, call: &Syscall, entry: usize) -> io::Result<Result<(), String>> {
        let ways: &[Way] = match call.successors() {
            [] => &[Way::Entry(entry), Way::Bare(call.number)],
            _ if self.is_refused(call) => &[Way::Entry(entry), Way::Newer],
            _ => &[Way::Entry(entry), Way::Newer, Way::Bare(call.number)],
        };
        let sets = sets::sets(call.name);
        let mut succeeded = call.successors().is_empty() || exceptions::is_interrupted(call.name);
        for set in &sets {
            // SAFETY: the caller vouches for the entry.
            let mut verdict = match unsafe { self.answers(call, set, ways)? } {
                Ok(seen) => {
                    succeeded |= seen.iter().all(|one| !one.answer.is_refusal());
                    judge(call, &seen)
                }
                Err(reason) => Err(reason),
            };
            if verdict.is_ok() && self.is_refused(call) {
                // SAFETY: the number is refused; where it is not, the comparison has shown that the
                // call is harmless.
                verdict = unsafe { self.require_refusal(call, set)? };
            }
            if let Err(reason) = verdict {
                return Ok(Err(format!("{}({set}): {reason}", call.name)));
            }
        }
        Ok(match (sets.is_empty(), succeeded) {
            (true, _) => Err("no arguments to compare it with".to_owned()),
            (_, false) => {
                Err("is refused with all arguments, so it was never seen to work".to_owned())
            }
            (false, true) => Ok(()),
        })
    }

    /// Has the call made each way, by the entry first.
    ///
    /// # Safety
    ///
    /// As for [`sweep`].
    unsafe fn answers(
        &self,
        call: &Syscall,
        set: &Set,
        ways: &[Way],
    ) -> io::Result<Result<Vec<Seen>, String>> {
        let in_one_child = exceptions::in_one_child(call.name);
        if in_one_child || set.is_default() {
            // SAFETY: the caller vouches for the entry, the tables of this module for the
            // arguments.
            let together = unsafe { child::run(&self.area, &self.folder, call, set, ways)? };
            // A child that died tells less than several children do: see below which way it was.
            if let Ok(all) = together
                && (in_one_child || all.iter().all(Answer::is_refusal))
            {
                let seen = |(&way, answer)| Seen { way, answer, files: None };
                return Ok(Ok(ways.iter().zip(all).map(seen).collect()));
            }
        }
        let mut all = Vec::new();
        for &way in ways {
            self.folder.reset()?;
            // SAFETY: as above.
            match unsafe { child::run(&self.area, &self.folder, call, set, &[way])? } {
                Ok(answers) => {
                    let files = self.folder.state()?;
                    let seen = |answer| Seen { way, answer, files: Some(files.clone()) };
                    all.extend(answers.into_iter().map(seen));
                }
                Err(reason) => return Ok(Err(format!("{} {reason}", way.name()))),
            }
        }
        Ok(Ok(all))
    }

    /// Makes the call by its number, which the kernel must refuse.
    ///
    /// # Safety
    ///
    /// As for [`sweep`].
    unsafe fn require_refusal(&self, call: &Syscall, set: &Set) -> io::Result<Result<(), String>> {
        self.folder.reset()?;
        // SAFETY: the tables of this module vouch for the arguments.
        Ok(
            match unsafe {
                child::run(&self.area, &self.folder, call, set, &[Way::Bare(call.number)])?
            } {
                Ok(answers)
                    if answers.iter().all(|answer| answer.frame.result == -(ENOSYS as i64)) =>
                {
                    Ok(())
                }
                Ok(answers) => {
                    let results: Vec<_> =
                        answers.iter().map(|answer| answer.frame.result).collect();
                    Err(format!(
                        "the bare call returned {results:?}, where the kernel should refuse it"
                    ))
                }
                Err(reason) => Err(format!("the bare call {reason}")),
            },
        )
    }
}

/// Compares each way to make a call with the last, which is the reference.
fn judge(call: &Syscall, seen: &[Seen]) -> Result<(), String> {
    let Some((reference, others)) = seen.split_last() else {
        return Err("the call was not made".to_owned());
    };
    if others.is_empty() {
        return Err("there is nothing to compare with".to_owned());
    }
    others.iter().try_for_each(|one| equal(call, one, reference))
}

/// Compares two ways.
fn equal(call: &Syscall, one: &Seen, reference: &Seen) -> Result<(), String> {
    let (way, other) = (one.way.name(), reference.way.name());
    let result = |answer: &Answer| {
        let base = if exceptions::names_process(call.name) { answer.process } else { 0 };
        answer.frame.result - base
    };
    let (ours, theirs) = (&one.answer, &reference.answer);
    if result(ours) != result(theirs) {
        return Err(format!(
            "{way} returned {}, {other} {}",
            ours.frame.result, theirs.frame.result
        ));
    }
    if let Way::Entry(_) = one.way {
        let may_change = |name: &String| name == STATUS_FLAGS && CHANGES_FLAGS.contains(&call.name);
        let clobbered: Vec<String> =
            ours.frame.clobbered().filter(|name| !may_change(name)).collect();
        if !clobbered.is_empty() {
            return Err(format!("{way} did not preserve {}", clobbered.join(", ")));
        }
    }
    if ours.traces != theirs.traces {
        return Err(format!("{way} left {:?}, {other} {:?}", ours.traces, theirs.traces));
    }
    if let Some(offset) = ours.buffer.iter().zip(&theirs.buffer).position(|(a, b)| a != b)
        && exceptions::compares_buffer(call.name)
    {
        return Err(format!("the buffers of {way} and {other} differ from byte {offset} on"));
    }
    if let (Some(files), Some(reference)) = (&one.files, &reference.files)
        && files != reference
    {
        return Err(format!("{way} left these files: {files:?}, {other} these: {reference:?}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
