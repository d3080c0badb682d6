//! A process whose threads a scheduler switches at every access.

use crate::arena::{Arena, Free, Hook, Thread};
use liblinux_abi::image::fixup::Dso;
use liblinux_fixup::{Error, Fault, lookup, registry};
use shuttle::sync::atomic::AtomicUsize;
use shuttle::sync::atomic::Ordering::SeqCst;
use shuttle::thread;
use std::cell::Cell;
use std::sync::Arc;

/// DSOs that the area has room for.
pub(crate) const CAPACITY: u64 = 6;

/// A thread that the scheduler may switch at each step, and that stops for good after some.
pub(crate) struct Scheduled {
    turn: Arc<AtomicUsize>,
    left: Cell<u64>,
}

impl Hook for Scheduled {
    fn step(&self) -> Result<(), Fault> {
        let left = self.left.get().checked_sub(1).ok_or(Fault)?;
        self.left.set(left);
        // Any access to the scheduler's own memory is where it switches.
        self.turn.load(SeqCst);
        Ok(())
    }

    fn pause(&self) {
        thread::yield_now();
    }
}

/// A process, and how its threads are made.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) arena: Arc<Arena>,
    pub(crate) area: u64,
    pub(crate) turn: Arc<AtomicUsize>,
    /// Registered before anything begins, and for good.
    pub(crate) fixed: Dso,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let arena = Arena::new(32 << 10);
        let area = arena.area(CAPACITY);
        let fixed = arena.dso(1);
        registry::register(&arena.thread(Free), area, fixed).expect("there is room");
        Self { arena, area, turn: Arc::new(AtomicUsize::new(0)), fixed }
    }

    /// Makes a thread that lives for so many steps.
    pub(crate) fn hook(&self, left: u64) -> Scheduled {
        Scheduled { turn: Arc::clone(&self.turn), left: Cell::new(left) }
    }

    pub(crate) fn spawn(
        &self,
        left: u64,
        body: impl FnOnce(&Self, &Thread<Scheduled>) + Send + 'static,
    ) -> thread::JoinHandle<()> {
        let scene = self.clone();
        thread::spawn(move || body(&scene, &scene.arena.thread(scene.hook(left))))
    }

    /// Registers, finds and unregisters a DSO, `times` times over. Stops where the thread does.
    pub(crate) fn cycle(
        &self,
        thread: &Thread<Scheduled>,
        dso: &Dso,
        times: usize,
    ) -> Result<(), Error> {
        for _ in 0..times {
            registry::register(thread, self.area, *dso)?;
            match lookup::lookup(thread, self.area, dso.text_start + 8) {
                Ok(hit) => assert_eq!(hit.landing, dso.text_start + 40),
                Err(Error::OVERTAKEN) => {}
                // To a thread that is stopped, everything is gone.
                Err(error) => assert_eq!(thread.hook().left.get(), 0, "lost: {error:?}"),
            }
            registry::unregister(thread, self.area, dso.text_start)?;
        }
        Ok(())
    }

    /// The registry is whole, and besides the fixed DSO has all of some, none of others, and maybe
    /// some of the rest.
    pub(crate) fn has(&self, arena: &Arc<Arena>, present: &[Dso], absent: &[Dso], rest: &[Dso]) {
        let thread = arena.thread(Free);
        let finds = |dso: &Dso| arena.finds(&thread, self.area, dso);
        assert!(finds(&self.fixed), "the fixed DSO is lost");
        assert!(present.iter().all(finds), "a registration is lost");
        assert!(!absent.iter().any(finds), "a registration is left");
        let known = [&[self.fixed], present, absent, rest].concat();
        assert!(arena.starts(arena.attached(), &known).len() > present.len());
    }
}
