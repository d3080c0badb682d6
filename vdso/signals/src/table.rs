//! The dispositions that libraries have: which library handles which signal, and how.

use crate::caller;
use crate::java;
use crate::libc::{EINVAL, SIG_DFL, SIG_IGN, Sigaction};
use crate::links::{COUNT, Links};
use crate::lock::KERNEL;
use crate::native;
use crate::shared::{CHAIN, HANDLER};
use core::ffi::c_int;
use liblinux::Errno;
use liblinux::chain::{Action, Link};

const ENOMEM: c_int = 12;

/// Whose a signal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// It has no handler but one that was there before.
    None,
    /// That of the library at an address, and the kernel has its action. `is_java` says that the
    /// library is a Java machine.
    One { library: usize, is_java: bool },
    /// The chain's.
    Shared,
}

/// The action of a library for a signal, as a link.
#[derive(Clone, Copy, Debug)]
struct Entry {
    signal: c_int,
    library: usize,
    place: usize,
    /// The action that the library was told when it had none.
    told: usize,
    is_java: bool,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Table {
    owners: [Owner; 65],
    /// The action of a signal before a library had one.
    before: [Action; 65],
    entries: [Option<Entry>; COUNT],
    links: Links,
    /// The library that gave up its handler of a signal last, and how often it said SIG_DFL since.
    given_up: [Option<(usize, u32)>; 65],
}

const NO_ACTION: Action = Action { handler: 0, flags: 0, restorer: 0, mask: 0 };

impl Table {
    pub(crate) const fn new() -> Self {
        Self {
            owners: [Owner::None; 65],
            before: [NO_ACTION; 65],
            entries: [None; COUNT],
            links: Links::new(),
            given_up: [None; 65],
        }
    }

    /// `sigaction` of a library. The old action, or an error number. `is_in_handler` says that the
    /// signal is blocked, as in its handler.
    pub(crate) fn exchange(
        &mut self,
        signal: c_int,
        new: Option<&Action>,
        library: usize,
        is_in_handler: bool,
    ) -> Result<Action, c_int> {
        let current = native::action(signal).ok_or(EINVAL)?;
        let number = signal as usize;
        let is_handler = new.is_some_and(|new| new.handler != SIG_DFL);
        let becomes_shared = is_handler && self.is_anothers(number, library);
        if becomes_shared {
            self.share(signal)?;
        }
        if self.owners[number] == Owner::Shared {
            return self.among_others(signal, new, library, is_in_handler);
        }
        let is_default = new.is_some_and(|new| new.handler == SIG_DFL);
        if is_in_handler && is_default && self.is_anothers(number, library) {
            // The handler's own library had this one say it: it means the process.
            native::install(signal, &Sigaction::of(&NO_ACTION))?;
            return Ok(current);
        }
        self.alone(signal, new, library, &current)
    }

    /// The same while no other library handles the signal.
    fn alone(
        &mut self,
        signal: c_int,
        new: Option<&Action>,
        library: usize,
        current: &Action,
    ) -> Result<Action, c_int> {
        let Some(new) = new else { return Ok(*current) };
        if self.is_anothers(signal as usize, library) {
            // SIG_DFL of a library that has no handler takes no other's away.
            return Ok(*current);
        }
        native::install(signal, &Sigaction::of(new))?;
        let owner = &mut self.owners[signal as usize];
        if *owner == Owner::None {
            self.before[signal as usize] = *current;
        }
        *owner = match new.handler {
            SIG_DFL => Owner::None,
            _ => Owner::One { library, is_java: java::is_setting() },
        };
        Ok(*current)
    }

    /// Makes the signal the chain's: the action that the kernel has becomes its owner's link.
    pub(crate) fn share(&mut self, signal: c_int) -> Result<(), c_int> {
        let number = signal as usize;
        let current = native::action(signal).ok_or(EINVAL)?;
        match self.owners[number] {
            Owner::Shared => return Ok(()),
            Owner::None => self.before[number] = current,
            Owner::One { library, is_java } => {
                let told = self.before[number].handler;
                // A handler that SA_RESETHAND took away is none.
                if current.handler != SIG_DFL {
                    self.add(signal, library, &current, told, is_java)?;
                }
            }
        }
        self.install(signal)?;
        self.owners[number] = Owner::Shared;
        Ok(())
    }

    /// Makes the chain's handler the kernel's, where it is not.
    fn install(&self, signal: c_int) -> Result<(), c_int> {
        let before = self.before[signal as usize];
        let installed = match HANDLER.install(&KERNEL, signal) {
            // A handler that did not come by this library is in front, and stays.
            Err(Errno::EEXIST) => return Ok(()),
            installed => installed,
        };
        let installed = installed.and_then(|()| HANDLER.set_earlier(signal, &before));
        installed.map_err(i32::from)
    }

    fn among_others(
        &mut self,
        signal: c_int,
        new: Option<&Action>,
        library: usize,
        is_in_handler: bool,
    ) -> Result<Action, c_int> {
        let own = self.find(signal, library);
        let newest = self.newest(signal, |_| true);
        let old = match own {
            Some((_, entry)) => self.links.get(entry.place).action().unwrap_or(NO_ACTION),
            None => newest,
        };
        let Some(new) = new else { return Ok(old) };
        let is_none = new.handler == SIG_DFL && own.is_none();
        if is_none && (self.insists(signal, library) || is_in_handler) {
            // It gave up its handler before, and the signal came again: it means the process.
            return native::install(signal, &Sigaction::of(new)).map(|()| old);
        }
        let gives_back = |entry: Entry| new.handler == entry.told && new.handler > SIG_IGN;
        if new.handler == SIG_DFL || own.is_some_and(|(_, entry)| gives_back(entry)) {
            if let Some((index, entry)) = own {
                self.entries[index] = None;
                self.links.remove(CHAIN.area(), entry.place);
                self.given_up[signal as usize] = Some((library, 0));
            }
            return Ok(old);
        }
        let told = own.map_or(newest.handler, |(_, entry)| entry.told);
        self.add(signal, library, new, told, java::is_setting())?;
        self.install(signal)?;
        // Behind the new one, so that the signal has one at every moment.
        if let Some((index, entry)) = own {
            self.entries[index] = None;
            self.links.remove(CHAIN.area(), entry.place);
        }
        Ok(old)
    }

    fn add(
        &mut self,
        signal: c_int,
        library: usize,
        action: &Action,
        told: usize,
        is_java: bool,
    ) -> Result<(), c_int> {
        let entry = self.entries.iter_mut().find(|entry| entry.is_none()).ok_or(ENOMEM)?;
        let mut link = Link::of_action(signal, action).order(if is_java { -1 } else { 0 });
        if let Some(text) = caller::library(action.handler) {
            link = link.text(text.start as u64, text.len() as u64);
        }
        let place = self.links.add(CHAIN.area(), link).map_err(|_| ENOMEM)?;
        *entry = Some(Entry { signal, library, place, told, is_java });
        Ok(())
    }

    /// Whether a library that gave up its handler says SIG_DFL for the second time since. In a
    /// handler with SA_NODEFER the signal is not blocked, so that alone does not tell.
    fn insists(&mut self, signal: c_int, library: usize) -> bool {
        match &mut self.given_up[signal as usize] {
            Some((last, times)) if *last == library => {
                *times += 1;
                *times >= 2
            }
            _ => false,
        }
    }

    /// Whether another library alone has the signal.
    fn is_anothers(&self, number: usize, caller: usize) -> bool {
        matches!(self.owners[number], Owner::One { library, .. } if library != caller)
    }

    fn find(&self, signal: c_int, library: usize) -> Option<(usize, Entry)> {
        let of = |entry: &Entry| entry.signal == signal && entry.library == library;
        let mut entries = self.entries.iter().enumerate();
        entries.find_map(|(index, entry)| entry.filter(of).map(|entry| (index, entry)))
    }

    /// The action that was installed last, of those that are asked for; or the one before all.
    fn newest(&self, signal: c_int, is_asked: impl Fn(&Entry) -> bool) -> Action {
        let entries = self.entries.iter().flatten();
        let entries = entries.filter(|entry| entry.signal == signal && is_asked(entry));
        let links = entries.map(|entry| self.links.get(entry.place));
        let links = links.filter_map(|link| Some((link.age(), link.action()?)));
        let newest = links.max_by_key(|(age, _)| *age).map(|(_, action)| action);
        newest.unwrap_or(self.before[signal as usize])
    }

    /// The action that a Java machine passes a signal on to, if it is not the machine's own.
    pub(crate) fn behind_java(&self, signal: c_int) -> Option<Action> {
        if self.owners.get(signal as usize) != Some(&Owner::Shared) {
            return None;
        }
        let action = self.newest(signal, |entry| !entry.is_java);
        (action.handler != SIG_DFL).then_some(action)
    }
}
