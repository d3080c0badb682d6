//! Writers that stop for good, are interrupted, or are forked away from, at every single step.
//!
//! One writer at a time is cut, so all cases there are can be tried. `interleaved.rs` has many at
//! once.

#[path = "arena/mod.rs"]
mod arena;

use arena::{Arena, Free, Hook, Thread};
use liblinux_abi::image::fixup::{Dso, area_size};
use liblinux_fixup::{Error, Fault, registry};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

const CAPACITY: u64 = 8;

/// The action of a writer that is cut.
#[derive(Clone, Copy, Debug)]
enum Action {
    Register,
    Unregister,
    Grow,
    RegisterAfterGrow,
}

const ACTIONS: [Action; 4] =
    [Action::Register, Action::Unregister, Action::Grow, Action::RegisterAfterGrow];

/// A process with an area of two DSOs, a third one, and memory to grow into.
struct Scene {
    arena: Arc<Arena>,
    area: u64,
    /// Memory to grow into, for one who does, and for one who interrupts him.
    larger: [u64; 2],
    first: Dso,
    second: Dso,
    new: Dso,
}

impl Scene {
    fn new(action: Action) -> Self {
        let arena = Arena::new(16 << 10);
        let area = arena.area(CAPACITY);
        let [first, new, second] = [1, 2, 3].map(|mark| arena.dso(mark));
        let thread = arena.thread(Free);
        for dso in [first, second] {
            registry::register(&thread, area, dso).expect("there is room");
        }
        let size = area_size(2 * CAPACITY).expect("a size");
        let larger = [arena.take(size), arena.take(size)];
        if matches!(action, Action::RegisterAfterGrow) {
            registry::grow(&thread, area, larger[0], size).expect("there is memory");
        }
        Self { arena, area, larger, first, second, new }
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
            Action::Register | Action::RegisterAfterGrow => {
                registry::register(thread, self.area, self.new)
            }
            Action::Unregister => registry::unregister(thread, self.area, self.first.text_start),
            Action::Grow => {
                let size = area_size(2 * CAPACITY).expect("a size");
                registry::grow(thread, self.area, larger, size)
            }
        }
    }

    /// Steps of an action that is not cut.
    fn steps(action: Action) -> u64 {
        let scene = Self::new(action);
        let thread = scene.arena.thread(Stop { left: Cell::new(u64::MAX) });
        scene.act(action, &thread).expect("nothing is in the way");
        u64::MAX - thread.hook().left.get()
    }

    /// The registry is whole: readers see it so at once, it can be changed, and the change of the
    /// cut writer can be made. `arena` is this process's or a child's.
    fn is_whole(&self, action: Action, arena: &Arc<Arena>, place: &str) {
        let thread = arena.thread(Free);
        let finds = |dso: &Dso| arena.finds(&thread, self.area, dso);
        assert!(finds(&self.second), "{place}: a DSO is lost");
        let is_first = finds(&self.first);
        let is_new = finds(&self.new);
        assert!(is_first || matches!(action, Action::Unregister), "{place}: a DSO is lost");
        assert!(
            !is_new || matches!(action, Action::Register | Action::RegisterAfterGrow),
            "{place}"
        );

        let other = arena.dso(4);
        let known = [self.first, self.second, self.new, other];
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
        assert!(removed.is_ok() || matches!(action, Action::Unregister), "{place}: {removed:?}");
        for dso in [self.new, self.second, other] {
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

fn each_step(test: impl Fn(Action, u64)) {
    for action in ACTIONS {
        let steps = Scene::steps(action);
        assert!(steps > 20, "{action:?} took {steps} steps, too few to be what it says");
        (0..=steps).for_each(|step| test(action, step));
    }
}

#[test]
fn a_writer_that_stops_for_good_leaves_a_registry_that_works() {
    each_step(|action, step| {
        let scene = Scene::new(action);
        let outcome = scene.act(action, &scene.arena.thread(Stop { left: Cell::new(step) }));
        let place = format!("{action:?} stopped after {step} steps ({outcome:?})");
        scene.is_whole(action, &scene.arena, &place);
    });
}

#[test]
fn a_child_that_was_forked_in_the_middle_goes_on() {
    each_step(|action, step| {
        let scene = Scene::new(action);
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
    each_step(|action, step| {
        let scene = Scene::new(action);
        let other = scene.arena.dso(5);
        let handler: Box<dyn FnOnce() + '_> = Box::new(|| {
            let thread = scene.arena.thread(Free);
            registry::register(&thread, scene.area, other).expect("a handler can register");
            assert!(scene.arena.finds(&thread, scene.area, &other), "the handler's DSO");
            let known = [scene.first, scene.second, scene.new, other];
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
    each_step(|action, step| {
        let scene = Scene::new(action);
        let inner = Cell::new(None);
        let handler: Box<dyn FnOnce() + '_> = Box::new(|| {
            inner.set(Some(scene.act_into(action, &scene.arena.thread(Free), scene.larger[1])));
        });
        let hook = Interrupt { left: Cell::new(step), handler: RefCell::new(Some(handler)) };
        let outer = scene.act(action, &scene.arena.thread(hook));
        // One of the two did it, or both did where that is not a contradiction.
        let place =
            format!("{action:?} done by a handler at step {step}: {outer:?}, {:?}", inner.get());
        let done = [Some(outer), inner.get()].into_iter().flatten().filter(Result::is_ok).count();
        match action {
            Action::Grow => assert!(done == 2 || inner.get().is_none(), "{place}"),
            _ => assert_eq!(done, 1, "{place}"),
        }
        scene.is_whole(action, &scene.arena, &place);
    });
}
