//! A clock is read while the kernel updates its data: at every instruction of the reading, wholly
//! or in part.
//!
//! Threads that race hit some moments of a reading and not others (`clock` has them too). Here a
//! child makes the call one instruction at a time, and its data page is written in between. The
//! tracer also answers for the counter, which stands still, so a reading is the number of the
//! update that it belongs to.

use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::clock::{
    BOOTTIME, MONOTONIC, MONOTONIC_COARSE, MONOTONIC_RAW, REALTIME, REALTIME_COARSE, TAI,
};
use liblinux_abi::kernel::datapage::{CLOCK_MODE_TIMENS, CLOCK_MODE_TSC, ClockData, DataPage};
use liblinux_tests::arch::code::Code;
use liblinux_tests::arch::stepper::{Call, Next, Stepper, Stop};
use liblinux_tests::arch::unwinder::Unwinder;
use liblinux_tests::image::Image;
use liblinux_tests::update::{self, COUNTER, FIRST};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::Ordering::Relaxed;

const RDTSC: [u8; 2] = [0x0f, 0x31];
const RDTSCP: [u8; 3] = [0x0f, 0x01, 0xf9];

/// For how many instructions an update is under way; 0 is an update between two instructions.
const DURATIONS: [usize; 3] = [0, 5, 40];

/// Calls, the clock that they read, and what divides the nanoseconds that they store.
const CALLS: [(&str, usize, u64); 8] = [
    ("__vdso_clock_gettime", REALTIME, 1),
    ("__vdso_clock_gettime", MONOTONIC, 1),
    ("__vdso_clock_gettime", MONOTONIC_RAW, 1),
    ("__vdso_clock_gettime", BOOTTIME, 1),
    ("__vdso_clock_gettime", TAI, 1),
    ("__vdso_clock_gettime", REALTIME_COARSE, 1),
    ("__vdso_clock_gettime", MONOTONIC_COARSE, 1),
    ("__vdso_gettimeofday", REALTIME, 1000),
];

/// What a call stores to, at the same place in this process and in the child.
#[repr(align(4096))]
struct Page([u8; PAGE_SIZE]);

/// A data page of the child. It is composed in this process's page at the same address.
struct Data<'a> {
    page: &'a DataPage,
    own: File,
}

impl Data<'_> {
    fn each(&self, change: impl Fn(&ClockData)) {
        [&self.page.hres_coarse, &self.page.raw].into_iter().for_each(change);
    }

    /// Gives the child what this process's page has.
    fn publish(&self, child: &File) {
        let address = (&raw const *self.page).addr() as u64;
        let mut bytes = [0; size_of::<DataPage>()];
        self.own.read_exact_at(&mut bytes, address).expect("this process's page");
        child.write_all_at(&bytes, address).expect("the child's page");
    }

    /// A whole update.
    fn update(&self, number: u64, child: &File) {
        self.each(|data| update::write(data, number));
        self.publish(child);
    }

    /// The first half of one.
    fn begin(&self, number: u64, child: &File) {
        self.each(|data| {
            update::begin(data);
            update::write_scale(data, number);
        });
        self.publish(child);
    }

    /// The other half.
    fn end(&self, number: u64, child: &File) {
        self.each(|data| {
            update::write_times(data, number);
            update::end(data);
        });
        self.publish(child);
    }
}

/// Executes everything but the reading of the counter.
fn execute(stop: Stop<'_>) -> Next {
    let is_counter = stop.instruction == RDTSC || stop.instruction == RDTSCP;
    if !is_counter {
        return Next::Execute;
    }
    (stop.registers.rax, stop.registers.rdx) = (COUNTER & 0xffff_ffff, COUNTER >> 32);
    stop.registers.rip += stop.instruction.len() as u64;
    Next::Skip
}

/// Makes every call with an update at each of its instructions; how many readings were of each of
/// the two updates.
fn readings(image: &Image, data: &Data<'_>) -> [usize; 2] {
    let (code, unwinder) =
        (Code::of(image), Unwinder::new(image.file()).expect("call-frame information"));
    let mut stepper = Stepper::new(image, &code, &unwinder);
    let page = Box::new(Page([0; PAGE_SIZE]));
    let place = page.0.as_ptr().addr();
    let mut found = [0; 2];
    let mut number = FIRST;
    for (name, clock, divisor) in CALLS {
        let arguments = if divisor == 1 { [clock as u64, place as u64] } else { [place as u64, 0] };
        let [a, b] = arguments;
        let call = Call { entry: image.require(name), arguments: [a, b, 0, 0, 0, 0], seventh: 0 };
        for duration in DURATIONS {
            for moment in 0.. {
                data.update(number, stepper.memory());
                stepper.write(place, &[0xff; 16]);
                let next = number + 1;
                let mut last = 0;
                let result = stepper.call(&call, &mut |stop| {
                    last = stop.count;
                    if duration == 0 && stop.count == moment {
                        data.update(next, stop.memory);
                    } else if stop.count == moment {
                        data.begin(next, stop.memory);
                    } else if stop.count == moment + duration {
                        data.end(next, stop.memory);
                    }
                    execute(stop)
                });
                if last >= moment && last < moment + duration {
                    data.end(next, stepper.memory()); // It was read before the update was over.
                }
                let mut time = [0; 16];
                stepper.memory().read_exact_at(&mut time, place as u64).expect("what was stored");
                let [sec, nsec] = [0, 8]
                    .map(|at| u64::from_ne_bytes(time[at..at + 8].try_into().expect("8 bytes")));
                assert_eq!(result, Ok(Some(0)), "{name} of clock {clock}");
                assert!(
                    (number..=next).contains(&sec) && nsec == sec / divisor,
                    "{name} of clock {clock} is torn by an update at instruction {moment} for {duration}: {sec} and {nsec}"
                );
                found[(sec - number) as usize] += 1;
                if last < moment {
                    break; // The call was over before it came to this moment.
                }
                number = next;
            }
        }
    }
    found
}

fn check(image: &Image, page: &DataPage) {
    let data = Data { page, own: File::open("/proc/self/mem").expect("own memory") };
    data.each(|data| data.mode.store(CLOCK_MODE_TSC, Relaxed));
    let [before, after] = readings(image, &data);
    println!("{before} readings of the data before an update, {after} of the data behind it");
    assert!(before > 100 && after > 100, "{before} and {after} readings");
}

#[test]
fn a_reading_belongs_to_one_update() {
    let image = Image::load_patched();
    check(&image, image.clocks());
}

#[test]
fn a_reading_in_a_time_namespace_belongs_to_one_update() {
    let image = Image::load_patched();
    let shown = image.clocks();
    for data in [&shown.hres_coarse, &shown.raw] {
        data.sequence.store(1, Relaxed);
        data.mode.store(CLOCK_MODE_TIMENS, Relaxed);
    }
    check(&image, image.system_clocks());
}
