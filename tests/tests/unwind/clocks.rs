//! The clocks and `getcpu`, over data pages in every state.

use crate::walk::{REFUSED, Walk, answer};
use liblinux_abi::arch::x86_64::hypervisor::{HypervPage, PVCLOCK_TSC_STABLE, PvclockPage};
use liblinux_abi::kernel::clock::{MONOTONIC_RAW, REALTIME, REALTIME_COARSE};
use liblinux_abi::kernel::datapage::{
    CLOCK_MODE_HVCLOCK, CLOCK_MODE_NONE, CLOCK_MODE_PVCLOCK, CLOCK_MODE_TIMENS, CLOCK_MODE_TSC,
    ClockData, DataPage,
};
use liblinux_tests::arch::stepper::Stepper;
use liblinux_tests::image::Image;
use liblinux_tests::synthetic::{Clocksource, Moment};
use std::fs::File;
use std::mem::offset_of;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::Ordering::Relaxed;

/// Writes data pages.
pub(crate) type Prepare = fn(&Image);

/// Data pages by name.
pub(crate) const PAGES: [(&str, Prepare); 11] = [
    ("no counter", |_| {}),
    ("TSC", tsc),
    ("TSC, far ahead", |image| each(image, |data| data.max_cycles.store(0, Relaxed))),
    ("TSC, backwards", |image| each(image, |data| data.cycle_last.store(u64::MAX >> 2, Relaxed))),
    ("TSC, a second to carry", |image| stopped(image, 1_500_000_000)),
    ("TSC, seconds to carry", |image| stopped(image, 3_500_000_000)),
    ("pvclock", |image| each(image, |data| data.mode.store(CLOCK_MODE_PVCLOCK, Relaxed))),
    ("Hyper-V", |image| each(image, |data| data.mode.store(CLOCK_MODE_HVCLOCK, Relaxed))),
    ("time namespace", |image| namespace(image, CLOCK_MODE_TSC, 1)),
    ("time namespace, seconds to carry", |image| namespace(image, CLOCK_MODE_TSC, 999_999_999)),
    ("time namespace, no counter", |image| namespace(image, CLOCK_MODE_NONE, 1)),
];

/// Places of the sequence counters in a data page.
const SEQUENCES: [usize; 2] = [
    offset_of!(DataPage, hres_coarse) + offset_of!(ClockData, sequence),
    offset_of!(DataPage, raw) + offset_of!(ClockData, sequence),
];

const _: () =
    assert!(offset_of!(PvclockPage, version) == 0 && offset_of!(HypervPage, sequence) == 0);

fn tsc(image: &Image) {
    Clocksource::of(2_000_000).publish(&Moment::now(), image.clocks());
}

/// A page on the TSC, with something different.
fn each(image: &Image, change: impl Fn(&ClockData)) {
    if image.clocks().hres_coarse.mult.load(Relaxed) == 0 {
        tsc(image);
    }
    change(&image.clocks().hres_coarse);
    change(&image.clocks().raw);
}

/// A page on a TSC that hardly counts, at some nanoseconds of a second.
fn stopped(image: &Image, nsec: u64) {
    each(image, |data| {
        data.mult.store(1, Relaxed);
        data.shift.store(20, Relaxed);
        data.base.iter().for_each(|base| base.nsec.store(nsec << 20, Relaxed));
    });
}

/// The pages of a time namespace that is some nanoseconds ahead.
pub(crate) fn namespace(image: &Image, mode: i32, ahead: u64) {
    let (shown, system) = (image.clocks(), image.system_clocks());
    Clocksource::of(2_000_000).publish(&Moment::now(), system);
    for (shown, system) in [(&shown.hres_coarse, &system.hres_coarse), (&shown.raw, &system.raw)] {
        system.mode.store(mode, Relaxed);
        shown.mode.store(CLOCK_MODE_TIMENS, Relaxed);
        shown.sequence.store(1, Relaxed);
        shown.base.iter().for_each(|offset| offset.nsec.store(ahead, Relaxed));
    }
}

pub(crate) fn calls(walk: &mut Walk<'_>) {
    let (good, other) = (walk.page() as u64, walk.page() as u64 + 64);
    for id in [REALTIME as u64, MONOTONIC_RAW as u64, REALTIME_COARSE as u64, 2, 100, u64::MAX] {
        for (name, pointer) in [
            ("__vdso_clock_gettime", good),
            ("__vdso_clock_getres", good),
            ("__vdso_clock_getres", 0),
        ] {
            let result = walk.call(name, &[id, pointer]);
            assert!(matches!(result, Some(0 | REFUSED)), "{name}({id}): {result:?}");
        }
    }
    for (first, second) in [(good, other), (good, 0), (0, other), (0, 0)] {
        let result = walk.call("__vdso_gettimeofday", &[first, second]);
        assert!(matches!(result, Some(0 | REFUSED)), "gettimeofday: {result:?}");
        assert_eq!(walk.call("__vdso_getcpu", &[first, second]), Some(0));
        assert!(walk.call("__vdso_time", &[first]).is_some_and(|now| now >= 0));
    }
    let mode = walk.image.clocks().hres_coarse.mode.load(Relaxed);
    let page = data(
        walk.image,
        if mode == CLOCK_MODE_TIMENS { "timens_page" } else { "vdso_u_time_data" },
    );
    during_updates(walk, &SEQUENCES.map(|place| page + place));
    match mode {
        CLOCK_MODE_TSC => {
            // Another thread has the process enter a time namespace, and the page changes under the
            // call.
            let place = page + offset_of!(DataPage, hres_coarse) + offset_of!(ClockData, mode);
            let initial =
                |stepper: &Stepper<'_>| stepper.write(place, &CLOCK_MODE_TSC.to_ne_bytes());
            walk.disturbed(
                "__vdso_gettimeofday",
                &[good, other],
                &initial,
                &|_| REFUSED,
                &|memory| {
                    memory
                        .write_all_at(&CLOCK_MODE_TIMENS.to_ne_bytes(), place as u64)
                        .expect("the data page");
                },
            );
        }
        CLOCK_MODE_PVCLOCK => {
            for shift in [-1, 1_i8] {
                let page = data(walk.image, "pvclock_page");
                let fields = [shift.cast_unsigned(), PVCLOCK_TSC_STABLE];
                walk.stepper.write(page + offset_of!(PvclockPage, tsc_shift), &fields);
                during_updates(walk, &[page]);
            }
        }
        CLOCK_MODE_HVCLOCK => {
            let page = data(walk.image, "hvclock_page");
            walk.stepper.write(page, &2_u32.to_ne_bytes());
            during_updates(walk, &[page]);
        }
        _ => {}
    }
}

/// Address of data.
fn data(image: &Image, symbol: &str) -> usize {
    image.data(symbol).addr().get()
}

/// Adds to counters of updates.
fn add(memory: &File, counters: &[usize], by: u32) {
    for &counter in counters {
        let mut word = [0; 4];
        memory.read_exact_at(&mut word, counter as u64).expect("the data page");
        let count = u32::from_ne_bytes(word).wrapping_add(by);
        memory.write_all_at(&count.to_ne_bytes(), counter as u64).expect("the data page");
    }
}

/// Reads clocks while data is written: at several moments of the call, and from before it until
/// well into it.
fn during_updates(walk: &mut Walk<'_>, counters: &[usize]) {
    let good = walk.page() as u64;
    for (name, arguments) in [
        ("__vdso_clock_gettime", [REALTIME as u64, good]),
        ("__vdso_clock_gettime", [MONOTONIC_RAW as u64, good]),
        ("__vdso_clock_gettime", [REALTIME_COARSE as u64, good]),
        ("__vdso_gettimeofday", [good, good + 64]),
    ] {
        walk.disturbed(name, &arguments, &|_| {}, &|_| REFUSED, &|memory| add(memory, counters, 2));
        let call = walk.prepared(name, &arguments);
        let mut is_written = false;
        walk.run(name, &call, &mut |stop| {
            if stop.count == 0 || (stop.count == 100 && is_written) {
                is_written = !is_written;
                add(stop.memory, counters, 1);
            }
            answer(stop, &|_| REFUSED)
        });
        if is_written {
            add(walk.stepper.memory(), counters, 1);
        }
    }
}
