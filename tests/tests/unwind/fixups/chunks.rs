//! Registries of several chunks: split, merged, moved, and searched.

use super::beside::{Finish, Others, call};
use super::scene::{ARGUMENT, OUT, Scene};
use crate::walk::Walk;
use liblinux_abi::image::fixup::{
    CHUNK_ROWS, COLUMNS, FIRST_GENERATION, MAGIC, area_size, chunk, counts, fill, range, row, sizes,
};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::image::state;

/// DSOs that the area has room for: the pages have the first three of its chunks.
const CAPACITY: u64 = CHUNK_ROWS + 8;

/// Where the area is.
const AREA: usize = PAGE_SIZE;

/// Exchanges that decide an operation.
const OPERATION: u64 = COLUMNS as u64;

/// Exchanges at the end of a change that are behind its rows, and some of its rows.
const LAST: u64 = 24;

/// The DSO of the scene that is registered.
const NEW: usize = 3;

/// An area of chunks with so many rows, in slots of these numbers.
struct Layout<'l> {
    rows: &'l [u64],
    slots: &'l [u64],
    /// Rows that are in front of the new text.
    below: u64,
    /// Whether the range behind the new text begins in it.
    reaches: bool,
}

impl Layout<'_> {
    /// Where the text of a row starts: on a page of its own.
    fn start(&self, scene: &Scene, index: u64) -> u64 {
        let (text, page) = (scene.dso(NEW).text_start, PAGE_SIZE as u64);
        match index.checked_sub(self.below) {
            None => text - page * (self.below - index),
            Some(behind) => text + page * (behind + 1),
        }
    }

    /// The scene with this area.
    fn scene(&self, base: &Scene) -> Scene {
        let mut scene = base.extended();
        let all: u64 = self.rows.iter().sum();
        scene.set(AREA, MAGIC);
        scene.set(AREA + 8, FIRST_GENERATION);
        scene.set(AREA + 16, CAPACITY);
        scene.set(AREA + 48, counts(all, self.rows.len() as u64, 0));
        scene.set(AREA + 56, FIRST_GENERATION);
        let mut index = 0;
        for (number, (rows, slot)) in self.rows.iter().zip(self.slots).enumerate() {
            let place = chunk(CAPACITY, *slot);
            let mut first = if number == 0 { 0 } else { self.start(&scene, index) };
            if self.reaches && index == self.below && number > 0 {
                first = scene.dso(NEW).text_start + 8;
            }
            let at = AREA + range(number as u64, 0) as usize;
            scene.set(at, first);
            scene.set(at + 16, place);
            scene.set(AREA + place as usize, fill(*rows, 0, 0, FIRST_GENERATION));
            for line in 0..*rows {
                let at = AREA + (place + row(0, line)) as usize;
                let values = [self.start(&scene, index), scene.dso(NEW).table, sizes(16, 1), 1];
                for (column, value) in values.into_iter().enumerate() {
                    scene.set(at + 16 * column, value);
                    scene.set(at + 16 * column + 8, FIRST_GENERATION);
                }
                index += 1;
            }
        }
        scene
    }
}

/// Makes a change, and again where another writer finishes it in the midst: at the first and the
/// last exchanges, and around those of a row that is written.
fn change(walk: &mut Walk<'_>, scene: &Scene, name: &str, argument: u64, row: Option<u64>) {
    let arguments = [scene.address + AREA as u64, argument];
    let exchanges = call(walk, scene, name, &arguments, &Others::none(), 1);
    let row = row.map(|row| OPERATION + COLUMNS as u64 * row);
    for before in 0..exchanges {
        let is_near = row.is_some_and(|row| (row.saturating_sub(2)..row + 5).contains(&before));
        if !is_near && before >= OPERATION && before + LAST < exchanges {
            continue;
        }
        // If it is one generation ahead, the call ends with the next cell.
        for lead in if before % 8 == 0 { 0..2 } else { 1..2 } {
            let finish = Some(Finish { area: AREA, before, lead });
            call(walk, scene, name, &arguments, &Others { finish, ..Others::none() }, 1);
        }
    }
}

/// Registers the new text.
fn register(walk: &mut Walk<'_>, base: &Scene, layout: &Layout<'_>) {
    let mut scene = layout.scene(base);
    scene.write_argument(NEW);
    let argument = scene.address + ARGUMENT as u64;
    change(walk, &scene, "__vdso_fixup_register", argument, Some(layout.below));
    // Others commit in the midst of it.
    for commits_every in [150, 330, 600] {
        let others = Others { commits_every, ..Others::none() };
        let arguments = [scene.address + AREA as u64, argument];
        call(walk, &scene, "__vdso_fixup_register", &arguments, &others, 1);
    }
}

/// Unregisters the text of a row.
fn unregister(walk: &mut Walk<'_>, base: &Scene, layout: &Layout<'_>, index: u64) {
    let scene = layout.scene(base);
    change(walk, &scene, "__vdso_fixup_unregister", layout.start(&scene, index), None);
}

/// Calls over registries of one to three chunks.
pub(super) fn calls(walk: &mut Walk<'_>, base: &Scene) {
    let layouts: [(&[u64], u64, bool); 9] = [
        (&[32], 10, false),
        (&[32], 16, false),
        (&[32], 20, false),
        (&[32], 32, false),
        (&[32, 4], 10, false),
        (&[32, 4], 32, true),
        (&[5, 12], 5, true),
        (&[5, 12, 4], 5, true),
        (&[5, 12], 17, false),
    ];
    for (rows, below, reaches) in layouts {
        register(walk, base, &Layout { rows, slots: &[0, 1, 2], below, reaches });
    }
    let layouts: [(&[u64], &[u64], &[u64]); 9] = [
        (&[8, 8], &[0, 1], &[0, 9]),
        (&[8, 8], &[1, 0], &[0, 9]),
        (&[8, 8, 9], &[0, 1, 2], &[0, 9, 20]),
        (&[9, 8, 8], &[0, 1, 2], &[20]),
        (&[8, 8, 9], &[2, 0, 1], &[0, 9]),
        (&[8, 8, 9], &[1, 2, 0], &[0, 9]),
        (&[1, 20], &[0, 1], &[0]),
        (&[20, 1], &[1, 0], &[20]),
        (&[12, 12, 12], &[2, 1, 0], &[13]),
    ];
    for (rows, slots, gone) in layouts {
        for index in gone {
            let layout = Layout { rows, slots, below: 4, reaches: false };
            unregister(walk, base, &layout, *index);
        }
    }
    spoiled(walk, base);
    searches(walk, base);
}

/// Chunks are nowhere when a change is made that others decided on.
fn spoiled(walk: &mut Walk<'_>, base: &Scene) {
    let layout = Layout { rows: &[5, 12, 4], slots: &[0, 1, 2], below: 5, reaches: true };
    let mut scene = layout.scene(base);
    scene.write_argument(NEW);
    let text = layout.start(&scene, 6);
    for number in 0..3 {
        let place = AREA + range(number, 0) as usize + 16;
        let others = |before| Others { spoil: Some((before, place, 8)), ..Others::none() };
        let arguments = [scene.address + AREA as u64, scene.address + ARGUMENT as u64];
        call(walk, &scene, "__vdso_fixup_register", &arguments, &others(OPERATION - 1), 1);
        let arguments = [scene.address + AREA as u64, text];
        call(walk, &scene, "__vdso_fixup_unregister", &arguments, &others(0), 1);
    }
}

/// Looks for addresses in several chunks, and for all rows.
fn searches(walk: &mut Walk<'_>, base: &Scene) {
    let layout = Layout { rows: &[3, 4, 20], slots: &[1, 0, 2], below: 4, reaches: false };
    let good = layout.scene(base);
    let area = good.address + AREA as u64;
    let size = area_size(CAPACITY).expect("a size");
    let place = AREA + chunk(CAPACITY, 1) as usize;
    // A chunk of the next generation; empty ones; one with too many rows; one
    // that is nowhere.
    let changes = [
        (0, 0),
        (AREA + chunk(CAPACITY, 0) as usize, fill(0, 3, 0, FIRST_GENERATION)),
        (AREA + chunk(CAPACITY, 2) as usize, fill(0, 3, 0, FIRST_GENERATION)),
        (place, fill(9, 3, 1, FIRST_GENERATION + 1)),
        (place, fill(CHUNK_ROWS + 1, 3, 0, FIRST_GENERATION)),
        (AREA + range(0, 0) as usize + 16, 8),
        (AREA + range(1, 0) as usize + 16, u64::MAX),
    ];
    for (offset, word) in changes {
        let mut scene = good.clone();
        if offset > 0 {
            scene.set(offset, word);
        }
        for index in [0, 2, 5, 26] {
            let arguments = [area, layout.start(&scene, index) + 4, scene.address + OUT as u64];
            call(walk, &scene, "__vdso_fixup_lookup", &arguments, &Others::none(), 1);
            let arguments = [area, layout.start(&scene, index)];
            call(walk, &scene, "__vdso_fixup_unregister", &arguments, &Others::none(), 1);
        }
        scene.write_argument(NEW);
        let arguments = [area, scene.address + ARGUMENT as u64];
        call(walk, &scene, "__vdso_fixup_register", &arguments, &Others::none(), 1);
        let words = [state::MAGIC, state::SIZE, area, size];
        for (index, word) in words.into_iter().enumerate() {
            scene.set(OUT + 8 * index, word);
        }
        let arguments = [scene.address + OUT as u64, state::SIZE];
        call(walk, &scene, "__vdso_state_restore", &arguments, &Others::none(), 1);
        // The last chunk goes away in the midst of it.
        for moment in (0..2000).step_by(100) {
            let writes = vec![(moment, AREA + range(2, 0) as usize + 16, 8)];
            let others = Others { writes, ..Others::none() };
            call(walk, &scene, "__vdso_state_restore", &arguments, &others, 1);
        }
    }
}
