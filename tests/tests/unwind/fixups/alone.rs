//! Calls that are alone, over each of the scenes.

use super::beside::{Others, call};
use super::scene::{ARGUMENT, CAPACITY, CONTEXT, LARGER, OUT, SIGINFO, Scene};
use crate::walk::Walk;
use liblinux_abi::arch::x86_64::signal;
use liblinux_abi::image::fixup::{HEADER_SIZE, area_size};

/// Makes the calls that there are.
pub(super) fn calls(walk: &mut Walk<'_>, scene: &Scene) {
    let (area, larger) = (scene.address, scene.address + LARGER as u64);
    let places = [ARGUMENT, OUT, SIGINFO, CONTEXT].map(|offset| area + offset as u64);
    let size = area_size(CAPACITY + 1).expect("a size");
    for index in 0..4 {
        let mut scene = scene.clone();
        scene.write_argument(index);
        let text = scene.dso(index).text_start;
        let calls: [(&str, &[u64]); 6] = [
            ("__vdso_fixup_register", &[area, places[0]]),
            ("__vdso_fixup_unregister", &[area, text]),
            ("__vdso_fixup_unregister", &[area + 8, text]),
            ("__vdso_fixup_grow", &[area, larger, size]),
            ("__vdso_fixup_lookup", &[area, text + 4, places[1]]),
            ("__vdso_fixup_dispatch", &[area, places[2], places[3]]),
        ];
        for (name, arguments) in calls {
            call(walk, &scene, name, arguments, &Others::none(), 1);
        }
        let dispatch = |walk: &mut Walk<'_>, scene: &Scene| {
            call(
                walk,
                scene,
                "__vdso_fixup_dispatch",
                &[area, places[2], places[3]],
                &Others::none(),
                1,
            );
        };
        for (number, code, trap, offset) in
            [(11, 1, 14, 6), (4, 2, 6, 6), (4, 2, 6, 4), (64, 1, 14, 4), (11, 9, 14, 4)]
        {
            scene.raised(number, code, trap);
            scene.set(CONTEXT + signal::RIP, text + offset);
            dispatch(walk, &scene);
        }
        for (magic, stack) in [(0, area + 4096), (signal::FPSTATE_MAGIC, area + 4096), (0, 16)] {
            scene.raised_without_flag(magic, stack);
            dispatch(walk, &scene);
        }
    }
}

/// Areas that have room for none, that are in front of the old one, and that are too small; for a
/// registry that has moved to one as large, and to a smaller one.
pub(super) fn sizes_of_areas(walk: &mut Walk<'_>) {
    let scene = Scene::sealed(walk);
    let (area, larger) = (scene.address, scene.address + LARGER as u64);
    let fits = area_size(CAPACITY + 1).expect("a size");
    let small = area_size(CAPACITY).expect("a size");
    let larger_yet = area_size(CAPACITY + 2).expect("a size");
    for arguments in [
        [area, larger, HEADER_SIZE + 200],
        [larger, area, fits],
        [larger, area, small],
        [area, area, fits],
        [area, area, larger_yet],
    ] {
        call(walk, &scene, "__vdso_fixup_grow", &arguments, &Others::none(), 1);
    }
}

/// A text is registered where the kernel says that another one is gone: as long, and not.
pub(super) fn known_to_be_gone(walk: &mut Walk<'_>) {
    const UNMARKED: u64 = 7;
    let mut scene = Scene::new(walk, 2);
    scene.write_argument(0);
    let len = scene.get(ARGUMENT + 8);
    for len in [len - 16, len, len + 16] {
        scene.set(ARGUMENT + 8, len);
        let arguments = [scene.address, scene.address + ARGUMENT as u64];
        call(walk, &scene, "__vdso_fixup_register", &arguments, &Others::none(), UNMARKED);
    }
}
