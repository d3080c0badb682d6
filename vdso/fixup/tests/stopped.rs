//! Writers that stop for good, are interrupted, or are forked away from, at every single step.
//!
//! One writer at a time is cut, so all cases there are can be tried. `interleaved.rs` has many at
//! once.

#[path = "stopped/action.rs"]
mod action;
#[path = "arena/mod.rs"]
mod arena;

use action::{ACTIONS, Action};
use arena::{Arena, Free, Hook, Thread};
use liblinux_abi::image::fixup::{Dso, area_size};
use liblinux_fixup::{Error, Fault, registry};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A process with an area of two DSOs or more, another one, and memory to grow into.
#[derive(Clone)]
struct Scene {
    arena: Arc<Arena>,
    area: u64,
    capacity: u64,
    /// All that were registered at the beginning.
    crowd: Vec<Dso>,
    /// Memory to grow into, for one who does, and for one who interrupts him.
    larger: [u64; 2],
    first: Dso,
    second: Dso,
    new: Dso,
}

impl Scene {
    fn new(action: Action) -> Self {
        let arena = Arena::new(256 << 10);
        let (capacity, count, gone) = action.crowd();
        let area = arena.area(capacity);
        // With room for a new one behind each.
        let dsos: Vec<[Dso; 2]> =
            (0..count).map(|mark| [2 * mark, 2 * mark + 1].map(|mark| arena.dso(mark))).collect();
        let thread = arena.thread(Free);
        for [dso, _] in &dsos {
            registry::register(&thread, area, *dso).expect("there is room");
        }
        for index in &gone {
            registry::unregister(&thread, area, dsos[*index as usize][0].text_start)
                .expect("it is there");
        }
        let crowd: Vec<Dso> = (0..count)
            .filter(|index| !gone.contains(index))
            .map(|index| dsos[index as usize][0])
            .collect();
        let (first, second) = (crowd[0], *crowd.last().expect("some"));
        let mut new = dsos[0][1];
        if matches!(action, Action::Reach) {
            // Over the place of the one that is gone, where the next range began.
            new = dsos[24][1];
            new.text_len = dsos[25][1].text_start - new.text_start;
        }
        let size = area_size(2 * capacity).expect("a size");
        let larger = [arena.take(size), arena.take(size)];
        if matches!(action, Action::RegisterAfterGrow) {
            registry::grow(&thread, area, larger[0], size).expect("there is memory");
        }
        Self { arena, area, capacity, crowd, larger, first, second, new }
    }

    /// The same in memory of its own.
    fn fresh(&self) -> Self {
        Self { arena: self.arena.fork(), ..self.clone() }
    }

    fn act<H: Hook>(&self, action: Action, thread: &Thread<H>) -> Result<(), Error> {
        self.act_into(action, thread, self.larger[0])
    }

    fn act_into<H: Hook>(
        &self,
        action: Action,
        thread: &Thread<H>,
        larger: u64,
    ) -> Result<(), Error> {
        match action {
            _ if action.registers() => registry::register(thread, self.area, self.new),
            _ if action.unregisters() => {
                registry::unregister(thread, self.area, self.first.text_start)
            }
            _ => {
                let size = area_size(2 * self.capacity).expect("a size");
                registry::grow(thread, self.area, larger, size)
            }
        }
    }

    /// Steps of an action that is not cut.
    fn steps(&self, action: Action) -> u64 {
        let scene = self.fresh();
        let thread = scene.arena.thread(Stop { left: Cell::new(u64::MAX) });
        scene.act(action, &thread).expect("nothing is in the way");
        let word = |address: u64| scene.arena.word(address).expect("memory").load(Relaxed);
        let area = scene.arena.attached();
        let counts = word(area + 32 + 16 * (word(area + 8) & 1));
        assert_eq!(counts << 1 >> 33, action.chunks(), "chunks after {action:?}");
        u64::MAX - thread.hook().left.get()
    }

    /// All that may be in the registry.
    fn known(&self, other: Dso) -> Vec<Dso> {
        self.crowd.iter().copied().chain([self.new, other]).collect()
    }

    /// The registry is whole: readers see it so at once, it can be changed, and the change of the
    /// cut writer can be made. `arena` is this process's or a child's.
    fn is_whole(&self, action: Action, arena: &Arc<Arena>, place: &str) {
        let thread = arena.thread(Free);
        let finds = |dso: &Dso| arena.finds(&thread, self.area, dso);
        assert!(finds(&self.second), "{place}: a DSO is lost");
        let is_first = finds(&self.first);
        let is_new = finds(&self.new);
        assert!(self.crowd[1..].iter().all(finds), "{place}: a DSO is lost");
        assert!(is_first || action.unregisters(), "{place}: a DSO is lost");
        assert!(!is_new || action.registers(), "{place}");

        let other = arena.dso(4);
        let known = self.known(other);
        arena.starts(arena.attached(), &known);
        registry::register(&thread, self.area, other)
            .unwrap_or_else(|error| panic!("{place}: {error:?} when another is registered"));
        assert!(finds(&other) && finds(&self.second), "{place}: after another was registered");
        // The kernel has followed wherever the registry went.
        let seen = arena.starts(arena.attached(), &known);
        assert!(
            seen.contains(&other.text_start),
            "{place}: the kernel does not see what was registered"
        );
        // A change that was helped is there now, one that was not is not.
        let expected = |is_there: bool| if is_there { Err(Error::EXISTS) } else { Ok(()) };
        let is_new = finds(&self.new);
        assert_eq!(registry::register(&thread, self.area, self.new), expected(is_new), "{place}");
        let removed = registry::unregister(&thread, self.area, self.first.text_start);
        assert!(removed.is_ok() || action.unregisters(), "{place}: {removed:?}");
        let rest = [self.new, other].into_iter().chain(self.crowd[1..].iter().copied());
        for dso in rest {
            assert!(finds(&dso), "{place}: at the end");
            registry::unregister(&thread, self.area, dso.text_start).expect("it is there");
            assert!(!finds(&dso), "{place}: it was unregistered");
        }
    }
}

/// Stops the thread for good after so many steps.
struct Stop {
    left: Cell<u64>,
}

impl Hook for Stop {
    fn step(&self) -> Result<(), Fault> {
        let left = self.left.get().checked_sub(1).ok_or(Fault)?;
        self.left.set(left);
        Ok(())
    }
}

/// Runs something else once, before the last of so many steps.
struct Interrupt<'a> {
    left: Cell<u64>,
    handler: RefCell<Option<Box<dyn FnOnce() + 'a>>>,
}

impl Hook for Interrupt<'_> {
    fn step(&self) -> Result<(), Fault> {
        if self.left.get() > 0 {
            self.left.set(self.left.get() - 1);
        } else if let Some(handler) = self.handler.take() {
            handler();
        }
        Ok(())
    }
}

fn each_step(test: impl Fn(Action, Scene, u64)) {
    for action in ACTIONS {
        let scene = Scene::new(action);
        let steps = scene.steps(action);
        assert!(steps > 20, "{action:?} took {steps} steps, too few to be what it says");
        (0..=steps).for_each(|step| test(action, scene.fresh(), step));
    }
}

#[test]
fn a_writer_that_stops_for_good_leaves_a_registry_that_works() {
    each_step(|action, scene, step| {
        let outcome = scene.act(action, &scene.arena.thread(Stop { left: Cell::new(step) }));
        let place = format!("{action:?} stopped after {step} steps ({outcome:?})");
        scene.is_whole(action, &scene.arena, &place);
    });
}

#[test]
fn a_child_that_was_forked_in_the_middle_goes_on() {
    each_step(|action, scene, step| {
        let child = RefCell::new(None);
        let handler: Box<dyn FnOnce()> = Box::new(|| drop(child.replace(Some(scene.arena.fork()))));
        let hook = Interrupt { left: Cell::new(step), handler: RefCell::new(Some(handler)) };
        scene.act(action, &scene.arena.thread(hook)).expect("the parent notices nothing");
        let child = child.take().unwrap_or_else(|| scene.arena.fork());
        scene.is_whole(action, &child, &format!("{action:?} in a child forked at step {step}"));
    });
}

#[test]
fn a_signal_handler_may_change_what_the_interrupted_code_was_changing() {
    each_step(|action, scene, step| {
        let other = scene.arena.dso(5);
        let handler: Box<dyn FnOnce() + '_> = Box::new(|| {
            let thread = scene.arena.thread(Free);
            registry::register(&thread, scene.area, other).expect("a handler can register");
            assert!(scene.arena.finds(&thread, scene.area, &other), "the handler's DSO");
            let known = scene.known(other);
            let seen = scene.arena.starts(scene.arena.attached(), &known);
            assert!(seen.contains(&other.text_start), "the kernel does not see the handler's DSO");
            assert!(scene.arena.finds(&thread, scene.area, &scene.second), "a DSO is lost");
        });
        let hook = Interrupt { left: Cell::new(step), handler: RefCell::new(Some(handler)) };
        let thread = scene.arena.thread(hook);
        let place = format!("{action:?} interrupted at step {step}");
        assert_eq!(scene.act(action, &thread), Ok(()), "{place}");
        if thread.hook().handler.borrow().is_none() {
            registry::unregister(&thread, scene.area, other.text_start)
                .unwrap_or_else(|error| panic!("{place}: the handler's DSO is lost: {error:?}"));
        }
        scene.is_whole(action, &scene.arena, &place);
    });
}

#[test]
fn a_handler_may_do_the_very_same() {
    each_step(|action, scene, step| {
        let inner = Cell::new(None);
        let handler: Box<dyn FnOnce() + '_> = Box::new(|| {
            inner.set(Some(scene.act_into(action, &scene.arena.thread(Free), scene.larger[1])));
        });
        let hook = Interrupt { left: Cell::new(step), handler: RefCell::new(Some(handler)) };
        let outer = scene.act(action, &scene.arena.thread(hook));
        // One of the two did it.
        let place =
            format!("{action:?} done by a handler at step {step}: {outer:?}, {:?}", inner.get());
        let done = [Some(outer), inner.get()].into_iter().flatten().filter(Result::is_ok).count();
        assert_eq!(done, 1, "{place}");
        scene.is_whole(action, &scene.arena, &place);
    });
}
