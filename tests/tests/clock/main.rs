//! The clocks: bit for bit what the kernel's C image says, and what the arithmetic of a textbook
//! says.

#![expect(unsafe_code, reason = "calls entries of images")]

mod clocks;
mod moment;

use clocks::{Clocks, hypervisor_page};
use liblinux_abi::arch::x86_64::hypervisor::{HypervPage, PVCLOCK_TSC_STABLE, PvclockPage};
use liblinux_abi::kernel::clock::{
    AUXILIARY, COARSE, HIGH_RESOLUTION, MONOTONIC, MONOTONIC_RAW, RAW, REALTIME, REALTIME_COARSE,
};
use liblinux_abi::kernel::datapage::{
    AUXILIARY_CLOCKS, CLOCK_MODE_HVCLOCK, CLOCK_MODE_PVCLOCK, CLOCKS,
};
use liblinux_tests::arch::counter;
use liblinux_tests::image::Image;
use liblinux_tests::kernel::{Source, variant};
use liblinux_tests::update::{self, COUNTER, FIRST};
use moment::{Moment, NSEC_PER_SEC, Numbers, auxiliary_clocks, timens_page};
use std::sync::atomic::Ordering::Relaxed;

#[test]
fn equals_the_c_image_bit_for_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let theirs = if AUXILIARY_CLOCKS == 0 {
        Clocks::theirs()
    } else {
        let source = Source::cached();
        Clocks::map(&variant::c_image(&source, folder.path(), variant::AUXILIARY), |_| ())
    };
    let images = [Clocks::ours(), theirs];
    let mut numbers = Numbers(1);
    let mut compared = 0;
    for round in 0..20_000 {
        let mut moment = Moment::any(&mut numbers);
        let in_namespace = round % 4 == 1;
        let with_pvclock = round % 4 == 2;
        if with_pvclock {
            moment.mode = CLOCK_MODE_PVCLOCK;
        }
        let offsets = std::array::from_fn(|_| [numbers.any_size(), numbers.below(1_000_000_000)]);
        let (mul, shift) = (numbers.next() as u32, numbers.below(12) as i8 - 12);
        // The hypervisor's time is near the update, as the counter is: the C image counts seconds
        // one by one.
        let tsc = moment.counter.wrapping_sub(numbers.below(1 << 32));
        let pvclock = [tsc, moment.cycle_last.wrapping_sub(numbers.below(1 << 20))];
        for image in images.iter().map(|clocks| &clocks.image) {
            counter::set(image, moment.counter);
            moment.publish_page(if in_namespace { image.system_clocks() } else { image.clocks() });
            if in_namespace {
                timens_page(&offsets, image.clocks());
            }
            let page: &PvclockPage = hypervisor_page(image, "pvclock_page");
            page.flags.store(PVCLOCK_TSC_STABLE, Relaxed);
            page.tsc_timestamp.store(pvclock[0], Relaxed);
            page.system_time.store(pvclock[1], Relaxed);
            page.tsc_to_system_mul.store(mul, Relaxed);
            page.tsc_shift.store(shift, Relaxed);
        }
        // A counter whose highest bit is set cannot come from a TSC mode; the kernel is asked then,
        // at two moments.
        let all = moment::clocks(HIGH_RESOLUTION | RAW | COARSE);
        for clock in all.chain(auxiliary_clocks()) {
            let [ours, theirs] = images.each_ref().map(|clocks| clocks.get_time(clock));
            assert_eq!(
                ours, theirs,
                "clock {clock}, round {round}, namespace {in_namespace}: {moment:?}"
            );
            compared += 1;
        }
        let [ours, theirs] = images.each_ref().map(|clocks| {
            let (mut time, mut zone, mut seconds) = ([-1; 2], [-1; 2], -1);
            let plain = ((clocks.gettimeofday)(&mut time, std::ptr::null_mut()), time);
            let zoned = ((clocks.gettimeofday)(&mut time, &mut zone), time, zone);
            let seconds =
                ((clocks.time)(std::ptr::null_mut()), (clocks.time)(&mut seconds), seconds);
            let resolution = |clock: usize| {
                let mut resolution = [-1; 2];
                ((clocks.clock_getres)(clock as i32, &mut resolution), resolution)
            };
            let resolutions: Vec<_> =
                (0..AUXILIARY + 2 * AUXILIARY_CLOCKS).map(resolution).collect();
            (plain, zoned, seconds, resolutions)
        });
        assert_eq!(ours, theirs, "round {round}: {moment:?}");
    }
    println!("{compared} readings are equal");
}

#[test]
fn equals_plain_arithmetic() {
    let clocks = Clocks::ours();
    let image = &clocks.image;
    let mut numbers = Numbers(2);
    for _ in 0..20_000 {
        let moment = Moment::any(&mut numbers);
        if moment.counter > i64::MAX as u64 {
            continue; // The sign bit marks a counter that cannot be read.
        }
        counter::set(image, moment.counter);
        moment.publish_page(image.clocks());
        for clock in moment::clocks(HIGH_RESOLUTION | RAW) {
            let expected = moment.time(clock, moment.counter);
            let expected = [(expected / NSEC_PER_SEC) as i64, (expected % NSEC_PER_SEC) as i64];
            assert_eq!(clocks.get_time(clock), (0, expected), "clock {clock}: {moment:?}");
        }
        for clock in auxiliary_clocks() {
            let expected = moment.time(0, moment.counter);
            let second = (expected / NSEC_PER_SEC) as i64 + (clock - AUXILIARY) as i64;
            let expected = [second, (expected % NSEC_PER_SEC) as i64];
            assert_eq!(clocks.get_time(clock), (0, expected), "clock {clock}: {moment:?}");
        }
    }
}

#[test]
fn reads_the_page_of_hyper_v() {
    let folder = tempfile::tempdir().expect("a folder");
    let theirs =
        Clocks::map(&variant::c_image(&Source::cached(), folder.path(), variant::HYPERV), |_| ());
    let images = [Clocks::ours(), theirs];
    let mut numbers = Numbers(3);
    for round in 0..10_000 {
        let (scale, offset) = (numbers.next(), numbers.below(1 << 40));
        let tsc = numbers.below(1 << 50);
        let counter = ((u128::from(tsc) * u128::from(scale)) >> 64) as u64 + offset;
        let moment = Moment {
            mode: CLOCK_MODE_HVCLOCK,
            cycle_last: counter - numbers.below(offset.min(1 << 32) + 1),
            ..Moment::any(&mut numbers)
        };
        for image in images.iter().map(|clocks| &clocks.image) {
            let page: &HypervPage = hypervisor_page(image, "hvclock_page");
            page.sequence.store(1, Relaxed);
            page.scale.store(scale, Relaxed);
            page.offset.store(offset, Relaxed);
            counter::set(image, tsc);
            moment.publish_page(image.clocks());
        }
        for clock in moment::clocks(HIGH_RESOLUTION | RAW) {
            let expected = moment.time(clock, counter);
            let expected = [(expected / NSEC_PER_SEC) as i64, (expected % NSEC_PER_SEC) as i64];
            for clocks in &images {
                assert_eq!(
                    clocks.get_time(clock),
                    (0, expected),
                    "clock {clock}, round {round}: {moment:?}"
                );
            }
        }
    }
}

#[test]
fn asks_the_kernel_when_the_counter_cannot_be_read() {
    let clocks = Clocks::ours();
    let image = &clocks.image;
    let mut moment = Moment::any(&mut Numbers(4));
    for mode in [0, CLOCK_MODE_PVCLOCK, CLOCK_MODE_HVCLOCK] {
        moment.mode = mode; // The hypervisors' pages are zero: not stable, not valid.
        moment.publish_page(image.clocks());
        for clock in [REALTIME, MONOTONIC, MONOTONIC_RAW] {
            let before = nix_time(clock);
            let (result, [sec, nsec]) = clocks.get_time(clock);
            assert_eq!(result, 0);
            let now = sec as u128 * NSEC_PER_SEC + nsec as u128;
            assert!((before..=nix_time(clock)).contains(&now), "mode {mode}, clock {clock}");
        }
    }
    for (clock, result) in [(12, -22), (63, -22), (usize::MAX, -22), (1 << 31, -22), (2, 0), (3, 0)]
    {
        assert_eq!(clocks.get_time(clock).0, result, "clock {clock}");
    }
}

#[test]
fn asks_the_kernel_for_a_tick_that_nobody_filled_in() {
    let clocks = Clocks::map(&Image::path(), |_| ());
    let mut ours = [-1; 2];
    assert_eq!((clocks.clock_getres)(REALTIME_COARSE as i32, &mut ours), 0);
    let clock = nix::time::ClockId::CLOCK_REALTIME_COARSE;
    let kernels = nix::time::clock_getres(clock).expect("a clock");
    assert_eq!(ours, [kernels.tv_sec(), kernels.tv_nsec()]);
}

/// The kernel's own time of a clock, in nanoseconds.
fn nix_time(clock: usize) -> u128 {
    let time =
        nix::time::clock_gettime(nix::time::ClockId::from_raw(clock as i32)).expect("a clock");
    time.tv_sec() as u128 * NSEC_PER_SEC + time.tv_nsec() as u128
}

/// Readers while the data is written: what they see belongs to one update, and time does not run
/// backwards.
#[test]
fn a_reader_never_sees_half_an_update() {
    const READERS: usize = 2;
    let clocks = Clocks::ours();
    let image = &clocks.image;
    let page = image.clocks();
    Moment::any(&mut Numbers(5)).publish_page(page);
    counter::set(image, COUNTER);
    let write = |number| {
        [&page.hres_coarse, &page.raw].into_iter().for_each(|data| update::write(data, number))
    };
    write(FIRST);
    let (updates, seen) = std::thread::scope(|scope| {
        let readers: [_; READERS] = std::array::from_fn(|_| scope.spawn(|| read_updates(&clocks)));
        let mut number = FIRST;
        while readers.iter().any(|reader| !reader.is_finished()) {
            number += 1;
            write(number);
        }
        (number - FIRST, readers.map(|reader| reader.join().expect("a reader")))
    });
    assert!(
        updates > 1000 && seen.iter().all(|seen| *seen > 10),
        "{updates} updates, {seen:?} seen"
    );
    println!("{updates} updates, {seen:?} of them seen");
}

/// Reads every clock many times; how many different updates were seen.
fn read_updates(clocks: &Clocks) -> u64 {
    let (mut last, mut last_of_day, mut seen) = ([0; CLOCKS], 0, 0);
    for _ in 0..100_000 {
        for clock in moment::clocks(HIGH_RESOLUTION | RAW | COARSE) {
            let (result, [sec, nsec]) = clocks.get_time(clock);
            assert!(
                result == 0 && sec == nsec,
                "clock {clock} is torn: {sec} and {nsec}, result {result}"
            );
            assert!(
                sec >= last[clock],
                "clock {clock} ran backwards from {} to {sec}",
                last[clock]
            );
            seen += u64::from(sec != last[clock]);
            last[clock] = sec;
        }
        let mut time = [-1; 2];
        assert_eq!((clocks.gettimeofday)(&mut time, std::ptr::null_mut()), 0);
        let [sec, usec] = time;
        assert_eq!(usec, sec / 1000, "gettimeofday is torn: {sec} and {usec}");
        assert!(sec >= last_of_day, "gettimeofday ran backwards from {last_of_day} to {sec}");
        last_of_day = sec;
        let second = (clocks.time)(std::ptr::null_mut()) as i64;
        assert!(second >= last_of_day, "time ran backwards from {last_of_day} to {second}");
        last_of_day = second;
    }
    seen
}
