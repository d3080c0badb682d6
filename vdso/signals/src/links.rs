//! The links that are made of actions: a fixed number, since a handler may install another.

#![expect(unsafe_code, reason = "reuses the memory of links")]

use core::cell::UnsafeCell;
use liblinux::chain::{Area, Error, Link};

/// How many links actions have room for: a few libraries for every signal.
pub(crate) const COUNT: usize = 384;

struct Place(UnsafeCell<Link>);

// SAFETY: a place is written by the thread that has the table, while no slot of the chain has it.
unsafe impl Sync for Place {}

static PLACES: [Place; COUNT] =
    [const { Place(UnsafeCell::new(Link::of_action(0, &NO_ACTION))) }; COUNT];

const NO_ACTION: liblinux::chain::Action =
    liblinux::chain::Action { handler: 0, flags: 0, restorer: 0, mask: 0 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Used,
    /// Removed, but a dispatcher may be at it.
    Leaving,
}

/// Which places are in use.
#[derive(Debug)]
pub(crate) struct Links {
    states: [State; COUNT],
}

impl Links {
    pub(crate) const fn new() -> Self {
        Self { states: [State::Free; COUNT] }
    }

    /// Adds a link to a chain; its place.
    pub(crate) fn add(&mut self, area: Area<'static>, link: Link) -> Result<usize, Error> {
        self.sweep(area);
        let free = |state: &State| *state == State::Free;
        let place = self.states.iter().position(free).ok_or(Error::FULL)?;
        // SAFETY: no slot has it, and so no dispatcher is at it.
        unsafe { PLACES[place].0.get().write(link) };
        // SAFETY: static, and what its handler is was the caller's to say. The table is locked.
        unsafe { area.add(PLACES[place].0.get()) }?;
        self.states[place] = State::Used;
        Ok(place)
    }

    /// Removes the link of a place. No signal goes to it any more; the place is used again when no
    /// dispatcher is at it.
    pub(crate) fn remove(&mut self, area: Area<'static>, place: usize) {
        self.states[place] = State::Leaving;
        // SAFETY: static, and the table is locked.
        if unsafe { area.remove(PLACES[place].0.get()) } != Err(Error::BUSY) {
            self.states[place] = State::Free;
        }
    }

    /// The link of a place that is in use.
    pub(crate) fn get(&self, place: usize) -> &'static Link {
        // SAFETY: it is not written while a slot has it.
        unsafe { &*PLACES[place].0.get() }
    }

    fn sweep(&mut self, area: Area<'static>) {
        for place in 0..COUNT {
            if self.states[place] == State::Leaving {
                self.remove(area, place);
            }
        }
    }
}
