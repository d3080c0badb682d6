//! Exception fixups: every way through the registry, over areas that are good, that hold rubbish,
//! or that change while they are worked on, as they do when other threads are at work.
//!
//! What is in the way of a writer is too much to list, so much of it comes by chance, in a sequence
//! that is the same each time. What the calls return is judged elsewhere; here it is the way back
//! that counts.

mod alone;
mod beside;
mod chunks;
mod frames;
mod scene;
mod state;

use crate::walk::{REFUSED, Walk};
use beside::{Others, PRIVATE_BASE, call};
use liblinux_abi::arch::x86_64::exception::SI_KERNEL;
use liblinux_abi::arch::x86_64::signal;
use liblinux_abi::image::export;
use liblinux_abi::image::fixup::{
    ABORT, FINGERPRINT, KIND_SHIFT, MAX_CAPACITY, MOVE, REGISTER, SIZES, START, TABLE, UNREGISTER,
    area_size, counts,
};
use liblinux_abi::image::layout::{PRIVATE, TEXT};
use scene::{ARGUMENT, CAPACITY, CONTEXT, Chance, LARGER, OUT, SIGINFO, Scene};

/// Calls that are made by chance.
const ROUNDS: u64 = 700;

/// Registries of every kind: the good ones with none to three DSOs, those in disorder, and last one
/// that has more than there is room for.
fn scenes(walk: &mut Walk<'_>) -> Vec<Scene> {
    private_calls(walk);
    let mut scenes: Vec<Scene> = (0..4).map(|registered| Scene::new(walk, registered)).collect();
    for (kind, cells) in
        [(REGISTER, 1), (REGISTER, 2), (REGISTER, 3), (REGISTER, 4), (UNREGISTER, 1), (7, 1)]
    {
        scenes.push(scenes[2].pending(kind, cells));
    }
    scenes.extend([scenes[0].pending(REGISTER, 4), scenes[0].pending(UNREGISTER, 1)]);
    for column in [TABLE, SIZES, FINGERPRINT] {
        let mut aborted = scenes[2].pending(REGISTER, 4);
        aborted.set(64 + 16 * column, ABORT);
        scenes.push(aborted);
    }
    let sealed = Scene::sealed(walk);
    scenes.extend([0, 8, 1 << 55, sealed.address].map(|target| sealed.leads_to(target)));
    // In the new area an operation is pending, or it leads back.
    let mut circle = sealed.clone();
    circle.set(LARGER + 64, circle.address | MOVE << KIND_SHIFT);
    circle.set(LARGER + 72, circle.get(LARGER + 8) + 1);
    scenes.extend([sealed, circle]);
    // The last row is in front of the others, reaches over them, and is not what was registered.
    let mut disorder = scenes[3].clone();
    let place = |column| disorder.cell(true, 2, column);
    let [start, sizes] = [place(START), place(SIZES)];
    disorder.set(start, disorder.dso(0).text_start - 8);
    disorder.set(sizes, 1024);
    // Or it is where the first one is, behind its start.
    let mut behind = disorder.clone();
    behind.set(start, disorder.dso(0).text_start + 8);
    // There are more than there is room for.
    let mut crowded = scenes[3].clone();
    crowded.set(counted(&crowded), counts(CAPACITY + 1, 1, 0));
    // There are as many as there is room for, and another one is pending.
    let mut full = scenes[2].pending(REGISTER, 4);
    full.set(counted(&full), counts(CAPACITY, 1, 0));
    // The chunk is full, and the area says that it is not.
    let mut fuller = scenes[3].pending(REGISTER, 4);
    fuller.set(counted(&fuller), counts(CAPACITY - 1, 1, 0));
    // A row of the side that is not in use is one of a later generation.
    let mut later = scenes[2].pending(UNREGISTER, 1);
    let next = later.get(8) + 1;
    later.set(later.cell(false, 0, START) + 8, next + 1);
    // So is its count.
    let mut late = scenes[2].pending(UNREGISTER, 1);
    late.set(40 + 16 * ((late.get(8) + 1) & 1) as usize, late.get(8) + 2);
    scenes.extend([disorder, behind, full, fuller, later, late, crowded]);
    scenes
}

/// Where the counts are of the generation that is in use.
fn counted(scene: &Scene) -> usize {
    32 + 16 * (scene.get(8) & 1) as usize
}

/// Calls that are alone.
pub(crate) fn alone(walk: &mut Walk<'_>) {
    for capacity in [0, 1, MAX_CAPACITY, MAX_CAPACITY + 1] {
        walk.call("__vdso_fixup_area_size", &[capacity]);
    }
    for scene in scenes(walk) {
        alone::calls(walk, &scene);
    }
    alone::sizes_of_areas(walk);
    alone::known_to_be_gone(walk);
}

/// Calls over registries of several chunks.
pub(crate) fn in_chunks(walk: &mut Walk<'_>) {
    private_calls(walk);
    let base = Scene::new(walk, 2);
    chunks::calls(walk, &base);
}

/// Calls that others disturb, those of other files, and what comes by chance.
pub(crate) fn beside_others(walk: &mut Walk<'_>) {
    let mut scenes = scenes(walk);
    let crowded = scenes.pop().expect("the last one");
    own_fixups(walk, &scenes[1]);
    overtaken(walk, &scenes[2]);
    outrun(walk, &scenes[2]);
    state::calls(walk, &scenes, &crowded);
    for commits_every in 8..60 {
        let arguments =
            [crowded.address, crowded.dso(0).text_start + 6, crowded.address + OUT as u64];
        let others = Others { commits_every, ..Others::none() };
        call(walk, &crowded, "__vdso_fixup_lookup", &arguments, &others, 1);
    }
    unmapped(walk, &scenes[2]);
    frames::calls(walk, &scenes[2]);

    // A registration that was overtaken, and faults when it looks again.
    let mut scene = scenes[2].clone();
    scene.write_argument(2);
    let arguments = [scene.address, scene.address + ARGUMENT as u64];
    for commits_every in (200..900).step_by(50) {
        for fault_from in (commits_every..commits_every + 800).step_by(20) {
            let others = Others { commits_every, fault_from: Some(fault_from), ..Others::none() };
            call(walk, &scene, "__vdso_fixup_register", &arguments, &others, 1);
        }
    }

    let mut chance = Chance(0x1234_5678_9abc_def1);
    for round in 0..ROUNDS {
        let mut scene = scenes[chance.below(scenes.len() as u64) as usize].clone();
        let (name, arguments) = scene.call(&mut chance);
        for _ in 0..chance.of(&[0, 0, 1, 1, 2, 5]) {
            let (place, word) = (scene.place(&mut chance), scene.word(&mut chance));
            scene.set(place, word);
        }
        let others = Others {
            writes: (0..chance.of(&[0, 0, 1, 3]))
                .map(|_| {
                    (chance.below(600) as usize, scene.place(&mut chance), scene.word(&mut chance))
                })
                .collect(),
            first_exchange: (chance.below(3) == 0).then(|| chance.below(6)),
            lead: chance.below(4),
            spoil: None,
            finish: None,
            fault_from: (chance.below(4) == 0).then(|| chance.below(400) as usize),
            fault_exchange: (chance.below(16) == 0).then(|| chance.below(30)),
            commits_every: if chance.below(8) == 0 {
                20 + chance.below(40) as usize
            } else {
                usize::MAX
            },
        };
        call(walk, &scene, name, &arguments, &others, round);
    }
}

/// A proposer continues just when it is taken for dead, with each of the cells that it had not
/// written.
fn overtaken(walk: &mut Walk<'_>, scene: &Scene) {
    for (cells, lead) in [1, 2, 3].into_iter().flat_map(|cells| [0, 1, 2].map(|lead| (cells, lead)))
    {
        let mut scene = scene.pending(REGISTER, cells);
        scene.write_argument(3);
        let arguments = [scene.address, scene.address + ARGUMENT as u64];
        let others = Others { first_exchange: Some(0), lead, ..Others::none() };
        call(walk, &scene, "__vdso_fixup_register", &arguments, &others, 1);
    }
}

/// Another writer is quicker with the first exchanges.
fn outrun(walk: &mut Walk<'_>, scene: &Scene) {
    let mut scene = scene.clone();
    scene.write_argument(3);
    let (area, size) = (scene.address, area_size(CAPACITY + 1).expect("a size"));
    for (first, lead) in
        [0, 1, 2, 3].into_iter().flat_map(|first| [0, 1, 2].map(|lead| (first, lead)))
    {
        let others = Others { first_exchange: Some(first), lead, ..Others::none() };
        call(walk, &scene, "__vdso_fixup_register", &[area, area + ARGUMENT as u64], &others, 1);
        call(walk, &scene, "__vdso_fixup_unregister", &[area, scene.dso(1).text_start], &others, 1);
        call(walk, &scene, "__vdso_fixup_grow", &[area, area + LARGER as u64, size], &others, 1);
    }
}

/// The area goes away at any moment.
fn unmapped(walk: &mut Walk<'_>, scene: &Scene) {
    let size = area_size(CAPACITY + 1).expect("a size");
    let (area, text) = (scene.address, scene.dso(1).text_start);
    for exchange in [0, 1] {
        let others = Others { fault_exchange: Some(exchange), ..Others::none() };
        call(walk, scene, "__vdso_fixup_unregister", &[area, text], &others, 1);
        call(walk, scene, "__vdso_fixup_grow", &[area, area + LARGER as u64, size], &others, 1);
    }
    for fault_from in (0..200).step_by(3) {
        let others = Others { fault_from: Some(fault_from), ..Others::none() };
        call(walk, scene, "__vdso_fixup_unregister", &[area, text], &others, 1);
        call(walk, scene, "__vdso_fixup_grow", &[area, area + LARGER as u64, size], &others, 1);
    }
}

/// With and without a kernel that has them. From then on, it has.
fn private_calls(walk: &mut Walk<'_>) {
    let word = walk.image.base() + PRIVATE;
    for base in [0, PRIVATE_BASE] {
        walk.stepper.write(word, &base.to_ne_bytes());
        for name in export::PRIVATE {
            assert_eq!(walk.call(name, &[1, 2]), Some(REFUSED), "{name}");
        }
    }
}

/// A fault of the image itself, given to `dispatch`.
fn own_fixups(walk: &mut Walk<'_>, scene: &Scene) {
    let mut scene = scene.clone();
    let text = (walk.image.base() + TEXT) as u64;
    let places = [SIGINFO, CONTEXT].map(|offset| scene.address + offset as u64);
    scene.set(CONTEXT + signal::FLAGS, signal::FLAGS_RESUME);
    for offset in 0..0x60 {
        scene.set(CONTEXT + signal::RIP, text + offset);
        for (code, trap) in [(1, 14), (SI_KERNEL, 13)] {
            scene.raised(11, code, trap);
            call(
                walk,
                &scene,
                "__vdso_fixup_dispatch",
                &[scene.address, places[0], places[1]],
                &Others::none(),
                0,
            );
        }
    }
}
