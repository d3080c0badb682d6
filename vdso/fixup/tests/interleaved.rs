//! Threads that change and read one registry, switched at every access by a scheduler: many
//! schedules, each one that fails is printed so that it can be run again.
//!
//! Threads stop for good in the middle of what they do, and children are forked at any moment.
//! Miri, which would try the processor's own reorderings as well, needs a nightly compiler; see
//! `arena` for why order is not in question here.

#[path = "arena/mod.rs"]
mod arena;
#[path = "interleaved/scene.rs"]
mod scene;

use arena::{Arena, Free, Hook as _};
use liblinux_abi::image::fixup::{Dso, area_size};
use liblinux_fixup::{Error, lookup, registry};
use scene::{CAPACITY, Scene};
use shuttle::rand::Rng as _;
use shuttle::sync::atomic::AtomicUsize;
use shuttle::sync::atomic::Ordering::SeqCst;
use std::sync::Arc;

/// Schedules that are tried of each test, by chance and by priorities.
const SCHEDULES: usize = 400;

/// The same of the test with many DSOs.
const CROWDED_SCHEDULES: usize = 40;

fn explore(test: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(test.clone(), SCHEDULES);
    shuttle::check_pct(test, SCHEDULES, 4);
}

#[test]
fn writers_lose_nothing_and_readers_see_each_registration_whole() {
    explore(|| {
        let scene = Scene::new();
        let dsos: Vec<Dso> = (2..5).map(|mark| scene.arena.dso(mark)).collect();
        let kept = scene.arena.dso(9);
        let mut threads: Vec<_> = dsos
            .iter()
            .map(|&dso| {
                scene.spawn(u64::MAX, move |scene, thread| {
                    scene.cycle(thread, &dso, 2).expect("nothing is in the way");
                })
            })
            .collect();
        threads.push(scene.spawn(u64::MAX, move |scene, thread| {
            registry::register(thread, scene.area, kept).expect("there is room");
        }));
        threads.push(scene.spawn(u64::MAX, |scene, thread| {
            for _ in 0..4 {
                let found = lookup::lookup(thread, scene.area, scene.fixed.text_start + 8);
                let is_right = match found {
                    Ok(hit) => hit.landing == scene.fixed.text_start + 40,
                    Err(error) => error == Error::OVERTAKEN,
                };
                assert!(is_right, "the fixed DSO: {found:?}");
            }
        }));
        threads.into_iter().for_each(|thread| thread.join().expect("no thread fails"));
        scene.has(&scene.arena, &[kept], &dsos, &[]);
    });
}

/// Chunks are split and merged, and a chunk moves, under readers and writers of which some stop.
#[test]
fn chunks_change_under_readers_and_writers() {
    shuttle::check_random(chunks_change, CROWDED_SCHEDULES);
    shuttle::check_pct(chunks_change, CROWDED_SCHEDULES, 4);
}

fn chunks_change() {
    let arena = Arena::new(256 << 10);
    let area = arena.area(60);
    // In three chunks, of which the first two have as few as can be: to remove one merges them.
    let dsos: Vec<Dso> = (0..58).map(|mark| arena.dso(mark)).collect();
    let free = arena.thread(Free);
    for dso in &dsos {
        registry::register(&free, area, *dso).expect("there is room");
    }
    for gone in dsos[..17].iter().chain(&dsos[25..42]) {
        registry::unregister(&free, area, gone.text_start).expect("it is there");
    }
    let fixed = dsos[57];
    let scene = Scene { arena, area, turn: Arc::new(AtomicUsize::new(0)), fixed };
    let mut threads: Vec<_> = [17, 42]
        .into_iter()
        .map(|index| {
            let dso = dsos[index];
            scene.spawn(u64::MAX, move |scene, thread| {
                registry::unregister(thread, scene.area, dso.text_start).expect("it is there");
                registry::register(thread, scene.area, dso).expect("there is room");
            })
        })
        .collect();
    // They fill the chunk that comes of it, or stop.
    threads.extend([0, 25].map(|first| {
        let dsos = dsos[first..first + 17].to_vec();
        let left = shuttle::rand::thread_rng().gen_range(1..20_000);
        scene.spawn(left, move |scene, thread| {
            for dso in dsos {
                let outcome = registry::register(thread, scene.area, dso);
                assert!(matches!(outcome, Ok(()) | Err(Error::FAULT)), "{outcome:?}");
            }
        })
    }));
    let (others, steady) = (dsos.clone(), dsos[50]);
    threads.push(scene.spawn(u64::MAX, move |scene, thread| {
        for _ in 0..20 {
            let found = lookup::lookup(thread, scene.area, steady.text_start + 8);
            let is_right = match found {
                Ok(hit) => hit.landing == steady.text_start + 40,
                Err(error) => error == Error::OVERTAKEN,
            };
            assert!(is_right, "a DSO that stays: {found:?}");
            scene.arena.starts(scene.arena.attached(), &others);
        }
    }));
    threads.into_iter().for_each(|thread| thread.join().expect("no thread fails"));
    let kept = [&dsos[17..25], &dsos[42..57]].concat();
    scene.has(&scene.arena, &kept, &[], &dsos);
}

#[test]
fn writers_that_stop_for_good_stop_nobody_else() {
    explore(|| {
        let scene = Scene::new();
        let dying: Vec<Dso> = (2..4).map(|mark| scene.arena.dso(mark)).collect();
        let mut threads: Vec<_> = dying
            .iter()
            .map(|&dso| {
                let left = shuttle::rand::thread_rng().gen_range(1..400);
                scene.spawn(left, move |scene, thread| {
                    let outcome = scene.cycle(thread, &dso, 3);
                    assert!(matches!(outcome, Ok(()) | Err(Error::FAULT)), "{outcome:?}");
                })
            })
            .collect();
        let kept = scene.arena.dso(9);
        threads.push(scene.spawn(u64::MAX, move |scene, thread| {
            scene.cycle(thread, &kept, 1).expect("nothing is in the way");
            registry::register(thread, scene.area, kept).expect("there is room");
        }));
        threads.into_iter().for_each(|thread| thread.join().expect("no thread fails"));
        let thread = scene.arena.thread(Free);
        for dso in &dying {
            // A pending operation is carried out first: it may add this text, and it may remove it.
            let outcome = registry::unregister(&thread, scene.area, dso.text_start);
            assert!(matches!(outcome, Ok(()) | Err(Error::ABSENT)), "{outcome:?}");
        }
        scene.has(&scene.arena, &[kept], &dying, &[]);
    });
}

#[test]
fn the_registry_moves_under_readers_and_writers() {
    explore(|| {
        let scene = Scene::new();
        let dsos: Vec<Dso> = (2..4).map(|mark| scene.arena.dso(mark)).collect();
        let size = area_size(2 * CAPACITY).expect("a size");
        let targets = [scene.arena.take(size), scene.arena.take(size)];
        let moves = Arc::new(AtomicUsize::new(0));
        let mut threads: Vec<_> = targets
            .into_iter()
            .map(|target| {
                let moves = Arc::clone(&moves);
                scene.spawn(u64::MAX, move |scene, thread| {
                    match registry::grow(thread, scene.area, target, size) {
                        Ok(()) => drop(moves.fetch_add(1, SeqCst)),
                        error => assert_eq!(error, Err(Error::EXISTS), "the other has moved it"),
                    }
                })
            })
            .collect();
        let known = [scene.fixed, dsos[0], dsos[1]];
        threads.extend(dsos.iter().map(|&dso| {
            scene.spawn(u64::MAX, move |scene, thread| {
                scene.cycle(thread, &dso, 1).expect("nothing is in the way");
                registry::register(thread, scene.area, dso).expect("there is room");
                let seen = scene.arena.starts(scene.arena.attached(), &known);
                assert!(
                    seen.contains(&dso.text_start),
                    "the kernel does not see what was registered"
                );
            })
        }));
        threads.into_iter().for_each(|thread| thread.join().expect("no thread fails"));
        assert_eq!(moves.load(SeqCst), 1, "the registry moved once");
        scene.has(&scene.arena, &dsos, &[], &[]);
    });
}

#[test]
fn children_forked_at_any_moment_have_a_registry_that_works() {
    explore(|| {
        let scene = Scene::new();
        let dsos: Vec<Dso> = (2..4).map(|mark| scene.arena.dso(mark)).collect();
        let threads: Vec<_> = dsos
            .iter()
            .map(|&dso| {
                scene.spawn(u64::MAX, move |scene, thread| {
                    scene.cycle(thread, &dso, 2).expect("nothing is in the way");
                })
            })
            .collect();
        let others = dsos.clone();
        let forker = scene.spawn(u64::MAX, move |scene, thread| {
            for _ in 0..shuttle::rand::thread_rng().gen_range(0..200) {
                let _ = thread.hook().step();
            }
            let child = scene.arena.fork();
            let inside = child.thread(Free);
            let new = child.dso(7);
            registry::register(&inside, scene.area, new).expect("the child can register");
            scene.has(&child, &[new], &[], &others);
        });
        threads
            .into_iter()
            .chain([forker])
            .for_each(|thread| thread.join().expect("no thread fails"));
        scene.has(&scene.arena, &[], &dsos, &[]);
    });
}
