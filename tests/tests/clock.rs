//! The clocks: bit for bit what the kernel's C image says, and what the arithmetic of a textbook
//! says.

#![expect(unsafe_code, reason = "calls entries of images")]

use liblinux_abi::arch::x86_64::hypervisor::{HypervPage, PVCLOCK_TSC_STABLE, PvclockPage};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::clock::{
    COARSE, HIGH_RESOLUTION, MONOTONIC, MONOTONIC_RAW, RAW, REALTIME, REALTIME_COARSE,
};
use liblinux_abi::kernel::datapage::{
    CLOCK_MODE_HVCLOCK, CLOCK_MODE_PVCLOCK, CLOCK_MODE_TIMENS, CLOCK_MODE_TSC, CLOCKS, ClockData,
    DataPage,
};
use liblinux_mkimage::embed::set_tick;
use liblinux_tests::arch::counter;
use liblinux_tests::image::Image;
use liblinux_tests::kernel::{Source, hyperv};
use liblinux_tests::update::{self, COUNTER, FIRST};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

const NSEC_PER_SEC: u128 = 1_000_000_000;

type GetTime = extern "C" fn(i32, *mut [i64; 2]) -> isize;
type GetTimeOfDay = extern "C" fn(*mut [i64; 2], *mut [i32; 2]) -> isize;
type Time = extern "C" fn(*mut i64) -> isize;

/// An image and its functions.
struct Clocks {
    image: Image,
    clock_gettime: GetTime,
    clock_getres: GetTime,
    gettimeofday: GetTimeOfDay,
    time: Time,
}

impl Clocks {
    /// Maps an image file, edited, with a counter that the test sets.
    fn map(path: &Path, edit: impl FnOnce(&mut [u8])) -> Self {
        let mut file =
            std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        counter::fix(&mut file);
        edit(&mut file);
        let image = Image::map(file);
        let get_time = |name| {
            // SAFETY: `int NAME(clockid_t, struct timespec *)`, for the two functions named below.
            unsafe { std::mem::transmute::<usize, GetTime>(image.require(name)) }
        };
        let (clock_gettime, clock_getres) =
            (get_time("__vdso_clock_gettime"), get_time("__vdso_clock_getres"));
        let gettimeofday = image.require("__vdso_gettimeofday");
        // SAFETY: `int gettimeofday(struct timeval *, struct timezone *)`.
        let gettimeofday = unsafe { std::mem::transmute::<usize, GetTimeOfDay>(gettimeofday) };
        // SAFETY: `time_t time(time_t *)`.
        let time = unsafe { std::mem::transmute::<usize, Time>(image.require("__vdso_time")) };
        Self { image, clock_gettime, clock_getres, gettimeofday, time }
    }

    fn ours() -> Self {
        let hz = Source::cached().config_number("CONFIG_HZ");
        Self::map(&Image::path(), |file| set_tick(file, hz).expect("an image with a tick"))
    }

    fn theirs() -> Self {
        Self::map(&Source::cached().c_image(), |_| ())
    }

    fn get_time(&self, clock: usize) -> (isize, [i64; 2]) {
        let mut time = [-1; 2];
        ((self.clock_gettime)(clock as i32, &mut time), time)
    }
}

/// Numbers without a pattern, the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Of any magnitude: as many numbers of 5 bits as of 50.
    fn any_size(&mut self) -> u64 {
        let shift = self.next() % 64;
        self.next() >> shift
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// One clocksource's data with a plausible scale, and a counter that is usually near.
#[derive(Clone, Debug)]
struct Moment {
    mode: i32,
    cycle_last: u64,
    max_cycles: u64,
    mult: u32,
    shift: u32,
    base: [[u64; 2]; CLOCKS],
    resolution: u32,
    counter: u64,
}

impl Moment {
    /// A count is between a hundredth of a nanosecond and two of them, and an update is at most
    /// half an hour old: the C image counts the seconds since an update one by one.
    fn any(numbers: &mut Numbers) -> Self {
        let shift = 24 + numbers.below(8) as u32;
        let mult = ((1_u64 << shift) / 100 + numbers.below(1 << shift)) as u32;
        let cycle_last = numbers.any_size() >> 1;
        let magnitude = 1 + numbers.below(40);
        let elapsed = numbers.below(1 << magnitude);
        // As the kernel has it, beyond this the product needs more than 64 bits; a smaller one must
        // do no harm.
        let max_cycles = if numbers.below(4) == 0 {
            elapsed.saturating_sub(1)
        } else {
            u64::MAX / u64::from(mult) / 2
        };
        let counter = match numbers.below(8) {
            0 => cycle_last.wrapping_sub(elapsed),
            _ => cycle_last.wrapping_add(elapsed),
        };
        let base = std::array::from_fn(|clock| {
            let shift = if COARSE >> clock & 1 != 0 { 0 } else { shift };
            [numbers.below(1 << 35), numbers.below(1_000_000_000 << shift)]
        });
        let resolution = [1, 4_000_000][numbers.below(2) as usize];
        Self {
            mode: CLOCK_MODE_TSC,
            cycle_last,
            max_cycles,
            mult,
            shift,
            base,
            resolution,
            counter,
        }
    }

    fn publish(&self, data: &ClockData) {
        data.sequence.store(2, Relaxed);
        data.mode.store(self.mode, Relaxed);
        data.cycle_last.store(self.cycle_last, Relaxed);
        data.max_cycles.store(self.max_cycles, Relaxed);
        data.mask.store(u64::MAX, Relaxed);
        data.mult.store(self.mult, Relaxed);
        data.shift.store(self.shift, Relaxed);
        for (slot, [sec, nsec]) in data.base.iter().zip(self.base) {
            slot.sec.store(sec, Relaxed);
            slot.nsec.store(nsec, Relaxed);
        }
    }

    /// Writes the whole page.
    fn publish_page(&self, page: &DataPage) {
        self.publish(&page.hres_coarse);
        self.publish(&page.raw);
        let (west, daylight_saving) = page.time_zone();
        west.store(-60, Relaxed);
        daylight_saving.store(3, Relaxed);
        page.hrtimer_res().store(self.resolution, Relaxed);
    }

    /// What the data means: nanoseconds since the epoch of the clock, by plain arithmetic on 128
    /// bits.
    fn time(&self, clock: usize, counter: u64) -> u128 {
        let [sec, nsec] = self.base[clock].map(u128::from);
        let elapsed = i128::from(counter) - i128::from(self.cycle_last);
        let elapsed = u128::try_from(elapsed).unwrap_or(0); // Time does not run backwards.
        sec * NSEC_PER_SEC + ((nsec + elapsed * u128::from(self.mult)) >> self.shift)
    }
}

fn clocks(set: u32) -> impl Iterator<Item = usize> {
    (0..CLOCKS).filter(move |clock| set >> clock & 1 != 0)
}

/// Writes a time namespace's page: offsets, and zeros for all that the kernel leaves alone.
fn timens_page(offsets: &[[u64; 2]; CLOCKS], page: &DataPage) {
    page.hrtimer_res().store(0, Relaxed);
    for data in [&page.hres_coarse, &page.raw] {
        data.sequence.store(1, Relaxed);
        data.mode.store(CLOCK_MODE_TIMENS, Relaxed);
        for (slot, [sec, nsec]) in data.base.iter().zip(offsets) {
            slot.sec.store(*sec, Relaxed);
            slot.nsec.store(*nsec, Relaxed);
        }
    }
}

/// A hypervisor's page.
fn hypervisor_page<'i, T>(image: &'i Image, symbol: &str) -> &'i T {
    assert!(size_of::<T>() <= PAGE_SIZE);
    // SAFETY: the pages are mapped for good and zeroed, and both hypervisors' layouts are all
    // atomics.
    unsafe { image.data(symbol).cast().as_ref() }
}

#[test]
fn equals_the_c_image_bit_for_bit() {
    let images = [Clocks::ours(), Clocks::theirs()];
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
        for clock in self::clocks(HIGH_RESOLUTION | RAW | COARSE) {
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
                self::clocks(HIGH_RESOLUTION | RAW | COARSE).map(resolution).collect();
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
        for clock in self::clocks(HIGH_RESOLUTION | RAW) {
            let expected = moment.time(clock, moment.counter);
            let expected = [(expected / NSEC_PER_SEC) as i64, (expected % NSEC_PER_SEC) as i64];
            assert_eq!(clocks.get_time(clock), (0, expected), "clock {clock}: {moment:?}");
        }
    }
}

#[test]
fn reads_the_page_of_hyper_v() {
    let folder = tempfile::tempdir().expect("a folder");
    let theirs = Clocks::map(&hyperv::c_image(&Source::cached(), folder.path()), |_| ());
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
        for clock in self::clocks(HIGH_RESOLUTION | RAW) {
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
        for clock in self::clocks(HIGH_RESOLUTION | RAW | COARSE) {
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
