//! Saving and restoring what the kernel holds: states that are good and that are not, over areas of
//! every kind.

use super::beside::{Others, call};
use super::scene::{OUT, Scene};
use crate::walk::Walk;
use liblinux_abi::image::fixup::START;
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::image::state::{MAGIC, SIZE};

/// Rounds in which the kernel refuses for want of the call, does what it is asked, and refuses for
/// another reason; and in which a filter says that all is well, and that no area is attached;
/// and in which the kernel cannot mark.
const KERNELS: [u64; 6] = [0, 1, 2, 4, 5, 6];

/// Restores a state that says this.
fn restore(walk: &mut Walk<'_>, scene: &Scene, state: [u64; 4], others: &Others, round: u64) {
    let mut scene = scene.clone();
    for (word, value) in state.into_iter().enumerate() {
        scene.set(OUT + 8 * word, value);
    }
    let buffer = scene.address + OUT as u64;
    call(walk, &scene, "__vdso_state_restore", &[buffer, SIZE], others, round);
}

pub(super) fn calls(walk: &mut Walk<'_>, scenes: &[Scene], crowded: &Scene) {
    let (area, buffer) = (scenes[0].address, scenes[0].address + OUT as u64);
    for round in KERNELS {
        for len in [0, 8, SIZE] {
            call(walk, &scenes[0], "__vdso_state_save", &[buffer, len], &Others::none(), round);
        }
        call(walk, &scenes[0], "__vdso_state_restore", &[buffer, 8], &Others::none(), round);
        let sizes =
            [(area, 512), (0, 0), (area, 0), (0, 512), (area + 8, 512), (8, 512), (1 << 60, 512)];
        for (area, size) in sizes {
            restore(walk, &scenes[2], [MAGIC, SIZE, area, size], &Others::none(), round);
        }
        for wrong in [[0, SIZE, area, 512], [MAGIC, 0, area, 512]] {
            restore(walk, &scenes[2], wrong, &Others::none(), round);
        }
    }
    let good = [MAGIC, SIZE, area, 512];
    for scene in scenes.iter().chain([crowded]) {
        restore(walk, scene, good, &Others::none(), 1);
    }
    for commits_every in [10, 15, 20, 25, 30, 40, 60, 90] {
        for scene in [&scenes[2], crowded] {
            restore(walk, scene, good, &Others { commits_every, ..Others::none() }, 1);
        }
    }
    // Where a text was replaced, which shares its page with one that was not.
    for index in 0..2 {
        let mut replaced = scenes[2].clone();
        let text = (replaced.dso(index).text_start - replaced.address) as usize;
        replaced.set(text, !replaced.get(text));
        for round in KERNELS {
            restore(walk, &replaced, good, &Others::none(), round);
        }
        for commits_every in [10, 15, 20, 25, 30, 40, 60, 90] {
            restore(walk, &replaced, good, &Others { commits_every, ..Others::none() }, 1);
        }
        for fault_from in 0..200 {
            restore(
                walk,
                &replaced,
                good,
                &Others { fault_from: Some(fault_from), ..Others::none() },
                1,
            );
        }
    }
    // Where the text in front is on another page, and gone.
    let mut gone = scenes[2].clone();
    let start = gone.cell(true, 0, START);
    gone.set(start, area - 2 * PAGE_SIZE as u64);
    for round in KERNELS {
        restore(walk, &gone, good, &Others::none(), round);
    }
    // And the one behind it was replaced, once with a third text behind both.
    for scene in [&scenes[2], &scenes[3]] {
        let mut both = scene.clone();
        both.set(both.cell(true, 0, START), area - 2 * PAGE_SIZE as u64);
        let text = (both.dso(1).text_start - both.address) as usize & !7;
        both.set(text, !both.get(text));
        restore(walk, &both, good, &Others::none(), 1);
        for fault_from in 0..200 {
            restore(
                walk,
                &both,
                good,
                &Others { fault_from: Some(fault_from), ..Others::none() },
                1,
            );
        }
    }
    // In disorder: a text that was replaced is on another page than those around it, of which the
    // last was replaced as well.
    let mut disorder = scenes[3].clone();
    disorder.set(disorder.cell(true, 1, START), area + 8 * PAGE_SIZE as u64);
    let text = (disorder.dso(2).text_start - disorder.address) as usize & !7;
    disorder.set(text, !disorder.get(text));
    for round in KERNELS {
        restore(walk, &disorder, good, &Others::none(), round);
    }
    for fault_from in (0..1800).step_by(3) {
        let fault_from = Some(fault_from);
        restore(walk, &disorder, good, &Others { fault_from, ..Others::none() }, 1);
    }
    // Without the magic, or with room for more than there can be.
    for (offset, word) in [(0, 0), (16, 0), (16, 1 << 20)] {
        let mut scene = scenes[2].clone();
        scene.set(offset, word);
        restore(walk, &scene, good, &Others::none(), 1);
    }
    for fault_from in 0..120 {
        restore(
            walk,
            &scenes[2],
            good,
            &Others { fault_from: Some(fault_from), ..Others::none() },
            1,
        );
    }
}
