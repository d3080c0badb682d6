//! What is measured: a function with its arguments, in our image, in the C image, and the floor.
//!
//! # Invariants
//!
//! 1. Both images get the same arguments, but for the memory they write.
//! 2. A case is measured only after [`Bench::verify`]: both images return the same and store the
//!    same, and what should come from the data page does.
//! 3. Memory that is written lies in the upper half of a page of its own: a store whose low address
//!    bits equal those of a load from the data page would delay that load, and chance would decide
//!    whether it does.

#![expect(unsafe_code, reason = "calls functions of the images by address")]

use super::call::Call;
use super::floor::{self, Code, Floors};
use super::legacy;
use crate::image::Image;
use crate::random::{GENERATION, ready};
use crate::synthetic::{Clocksource, Moment};
use liblinux_abi::image::export::SYSCALL_CANCELLABLE;
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::clock::{
    BOOTTIME, COARSE, MONOTONIC, MONOTONIC_COARSE, MONOTONIC_RAW, REALTIME, REALTIME_COARSE, TAI,
};
use liblinux_abi::kernel::datapage::{self, ClockData};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// An id beyond all clocks.
const INVALID: usize = 99;

/// `MAKE_PROCESS_CPUCLOCK(0, CPUCLOCK_SCHED)`: the processor time of this process, a clock that has
/// no fixed id.
const DYNAMIC: usize = -6_i32 as u32 as usize;

const CLOCKS: [(&str, usize); 9] = [
    ("REALTIME", REALTIME),
    ("MONOTONIC", MONOTONIC),
    ("MONOTONIC_RAW", MONOTONIC_RAW),
    ("BOOTTIME", BOOTTIME),
    ("TAI", TAI),
    ("REALTIME_COARSE", REALTIME_COARSE),
    ("MONOTONIC_COARSE", MONOTONIC_COARSE),
    ("dynamic id", DYNAMIC),
    ("invalid id", INVALID),
];

/// Numbers of system calls that floors and the C library make.
pub(super) const GETPPID: usize = 110;
const CLOCK_GETTIME: usize = 228;

/// Sizes of random requests, in bytes.
const RANDOM: [usize; 8] = [4, 8, 16, 32, 256, 1024, 4096, 65536];

/// How far the clocks are shifted to see that they come from the page: about three years.
const SHIFT_SECONDS: u64 = 100_000_000;

/// By how much two readings of one clock may differ, in seconds, if one was taken soon after the
/// other.
const NEAR_SECONDS: u64 = 2;

/// What a case is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The same function of the C image.
    CImage,
    /// The `syscall` function of the C library.
    Libc,
    /// The bare instruction with the legacy call's number.
    Number,
}

/// What a case does, and so how two outcomes are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A time, from the data page.
    Time,
    /// What the kernel says, because the page cannot.
    Kernel,
    /// A time, from the data page, that is returned only.
    Returned,
    /// Something that does not change.
    Constant,
    /// Random bytes.
    Random,
}

/// One function with its arguments.
#[derive(Clone, Debug)]
pub struct Case {
    /// The function, and what distinguishes this call of it.
    pub name: String,
    /// The function's symbol.
    pub symbol: &'static str,
    /// What `reference` is.
    pub against: Reference,
    /// What `floor` is.
    pub floor_name: &'static str,
    /// The highest good ratio of our time to the reference's; none if a floor is called in our
    /// place.
    pub target: Option<f64>,
    /// The highest good ratio of our time to the floor's.
    pub floor_target: Option<f64>,
    /// Our image's function.
    pub ours: Call,
    /// The function it is compared with.
    pub reference: Call,
    /// The least code that could do the same.
    pub floor: Call,
    pub(super) answer: Answer,
}

/// Memory for what functions store.
#[derive(Debug)]
#[repr(C, align(4096))]
struct Output {
    reserved: [AtomicU64; PAGE_SIZE / 2 / 8],
    /// A time, a processor, or the start of random bytes.
    words: [AtomicU64; 65536 / 8],
    zone: AtomicU64,
}

impl Output {
    fn new() -> &'static Self {
        // SAFETY: zeros are a value of every field.
        Box::leak(unsafe { Box::<Self>::new_zeroed().assume_init() })
    }

    fn words(&self) -> usize {
        self.words.as_ptr().addr()
    }

    fn zone(&self) -> usize {
        self.zone.as_ptr().addr()
    }

    fn clear(&self) {
        self.words.iter().chain([&self.zone]).for_each(|word| word.store(0, SeqCst));
    }

    fn seen(&self) -> [u64; 3] {
        [&self.words[0], &self.words[1], &self.zone].map(|word| word.load(SeqCst))
    }
}

/// Both images, and what is called in them.
#[derive(Debug)]
pub struct Bench {
    images: [Image; 2],
    source: Clocksource,
    floors: Floors,
    outputs: [&'static Output; 2],
    cases: Vec<Case>,
}

impl Bench {
    /// All cases over two images, ours first.
    pub fn new(images: [Image; 2], source: Clocksource) -> Self {
        let outputs = [Output::new(), Output::new()];
        let mut bench = Self { images, source, floors: Floors::map(), outputs, cases: Vec::new() };
        bench.tick();
        bench.add_clocks();
        bench.add_times();
        bench.add_processor();
        bench.add_random();
        bench.add_plain();
        bench.add_cancellable();
        bench.add_least();
        let floor = bench.floors.address(Code::SystemCall);
        bench.cases.extend(legacy::cases(
            &bench.images[0],
            bench.outputs.map(Output::words),
            floor,
        ));
        bench
    }

    /// What is called.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Writes the time now to both data pages, as the kernel's tick does.
    pub fn tick(&self) {
        self.publish(&Moment::now());
    }

    fn publish(&self, moment: &Moment) {
        for image in &self.images {
            self.source.publish(moment, image.clocks());
            ready(image.random(), GENERATION);
        }
    }

    /// Fails unless both functions of a case answer alike, and from where they should.
    pub fn verify(&self, case: &Case) -> Result<(), String> {
        let moment = Moment::shifted(SHIFT_SECONDS);
        self.publish(&moment);
        self.outputs.iter().for_each(|output| output.clear());
        let results = [case.ours.once(), case.reference.once()];
        let [ours, reference] = self.outputs.map(Output::seen);
        self.tick();
        let is_time = |sec: u64| moment.seconds().any(|then| sec.wrapping_sub(then) < NEAR_SECONDS);
        let is_good = match case.answer {
            // `time` returns what it stores.
            Answer::Time => {
                is_time(ours[0])
                    && ours[0].abs_diff(reference[0]) < NEAR_SECONDS
                    && ours[2] == reference[2]
                    && results.iter().zip([ours, reference]).all(|(result, seen)| {
                        *result == 0 || result.cast_unsigned() as u64 == seen[0]
                    })
            }
            Answer::Returned => results.iter().all(|result| is_time(result.cast_unsigned() as u64)),
            Answer::Kernel => results[0] == results[1] && !is_time(ours[0]),
            Answer::Constant => results[0] == results[1] && ours == reference,
            Answer::Random => results[0] == results[1] && ours[0] != reference[0] && ours[0] != 0,
        };
        if is_good {
            return Ok(());
        }
        Err(format!(
            "{}: ours returned {} and stored {ours:?}, the other returned {} and stored {reference:?}; \
             a ratio would compare two different things",
            case.name, results[0], results[1]
        ))
    }

    /// Adds a case whose arguments may depend on the image.
    fn add(
        &mut self,
        name: impl Into<String>,
        kind: Kind,
        arguments: impl Fn(usize) -> Vec<usize>,
        floor: Floor,
    ) {
        let call = |image: usize| {
            let function = self.images[image].require(kind.symbol);
            // SAFETY: the callers below give each function what it takes: numbers, memory of the
            // benchmark, null.
            unsafe { Call::new(function, &arguments(image)) }
        };
        let (ours, reference) = (call(0), call(1));
        // SAFETY: as above.
        let call = unsafe { Call::new(floor.function, &floor.arguments) };
        self.cases.push(Case {
            name: name.into(),
            symbol: kind.symbol,
            against: Reference::CImage,
            floor_name: floor.name,
            target: Some(kind.target),
            floor_target: floor.target,
            ours,
            reference,
            floor: call,
            answer: kind.answer,
        });
    }

    /// A floor with its arguments.
    fn floor(&self, name: &'static str, code: Code, arguments: impl Into<Vec<usize>>) -> Floor {
        Floor::new(name, self.floors.address(code), arguments)
    }

    /// Address of a field of our data page.
    fn field(&self, address: impl Fn(&ClockData) -> usize) -> usize {
        address(&self.images[0].clocks().hres_coarse)
    }

    fn add_clocks(&mut self) {
        let outputs = self.outputs;
        for (name, id) in CLOCKS {
            let is_fast = id < datapage::CLOCKS;
            let (target, answer, floor) = if !is_fast {
                let arguments = [id, outputs[0].words(), CLOCK_GETTIME];
                (1.0, Answer::Kernel, self.floor("syscall", Code::SystemCall, arguments))
            } else if 1 << id & COARSE != 0 {
                let base = self.field(|data| data.base[id].sec.as_ptr().addr());
                (0.60, Answer::Time, self.floor("pair", Code::Pair, [base, outputs[0].words()]))
            } else {
                let floor = self.floor("rdtscp", Code::Counter, []);
                (0.92, Answer::Time, Floor { target: Some(1.12), ..floor })
            };
            let kind = Kind { symbol: "__vdso_clock_gettime", target, answer };
            self.add(
                format!("clock_gettime {name}"),
                kind,
                |image| vec![id, outputs[image].words()],
                floor,
            );
        }
    }

    fn add_times(&mut self) {
        let outputs = self.outputs;
        let counter = |bench: &Self| bench.floor("rdtscp", Code::Counter, []);
        let kind = Kind { symbol: "__vdso_gettimeofday", target: 0.90, answer: Answer::Time };
        self.add("gettimeofday", kind, |image| vec![outputs[image].words(), 0], counter(self));
        let with_zone = |image: usize| vec![outputs[image].words(), outputs[image].zone()];
        self.add("gettimeofday with zone", kind, with_zone, counter(self));

        let seconds = self.field(|data| data.base[REALTIME].sec.as_ptr().addr());
        let stored = self.floor("word", Code::Word, [seconds, outputs[0].words()]);
        let kind = Kind { symbol: "__vdso_time", target: 0.90, answer: Answer::Time };
        self.add("time", kind, |image| vec![outputs[image].words()], stored);
        let kind = Kind { answer: Answer::Returned, ..kind };
        self.add("time null", kind, |_| vec![0], self.floor("load", Code::Load, [seconds]));

        let resolution = self.images[0].clocks().hrtimer_res().as_ptr().addr();
        let kind = Kind { symbol: "__vdso_clock_getres", target: 0.90, answer: Answer::Constant };
        for (name, id) in [("MONOTONIC", MONOTONIC), ("MONOTONIC_COARSE", MONOTONIC_COARSE)] {
            let floor =
                self.floor("resolution", Code::Resolution, [resolution, outputs[0].words()]);
            self.add(
                format!("clock_getres {name}"),
                kind,
                |image| vec![id, outputs[image].words()],
                floor,
            );
        }
    }

    fn add_processor(&mut self) {
        let outputs = self.outputs;
        let arguments = |image: usize| vec![outputs[image].words(), outputs[image].zone(), 0];
        let kind = Kind { symbol: "__vdso_getcpu", target: 1.00, answer: Answer::Constant };
        let floor = || Floor::new("rdpid", self.floors.processor(), arguments(0));
        let (both, one) = (floor(), floor());
        self.add("getcpu", kind, arguments, both);
        let without_node = |image: usize| vec![outputs[image].words(), 0, 0];
        self.add("getcpu without node", kind, without_node, one);
    }

    fn add_random(&mut self) {
        let outputs = self.outputs;
        let states = [0, 1].map(|image| state(self.images[image].require("__vdso_getrandom")));
        for len in RANDOM {
            let target = match len {
                ..=16 => 0.90,
                1024.. => 0.40,
                _ => 1.00,
            };
            let kind = Kind { symbol: "__vdso_getrandom", target, answer: Answer::Random };
            let arguments = |image: usize| {
                let (state, state_len) = states[image];
                vec![outputs[image].words(), len, 0, state, state_len]
            };
            let copied = [outputs[0].words(), outputs[1].words(), len];
            let floor = Floor::new("copy", (floor::copy as *const ()).addr(), copied);
            self.add(format!("getrandom {len}"), kind, arguments, floor);
        }
    }

    /// A cancellable call that is not called off.
    fn add_cancellable(&mut self) {
        /// Never set.
        static STATE: AtomicU32 = AtomicU32::new(0);
        let state = STATE.as_ptr().expose_provenance();
        let function = self.images[0].require(SYSCALL_CANCELLABLE);
        // SAFETY: the state lives for good, and the call takes nothing and always succeeds. The
        // function reads two words of its caller's stack more, which are there.
        let ours = unsafe { Call::new(function, &[state, GETPPID, 0, 0, 0]) };
        // SAFETY: as in `add_plain`.
        let reference = unsafe { Call::new((nix::libc::syscall as *const ()).addr(), &[GETPPID]) };
        // SAFETY: as in `add_plain`.
        let floor = unsafe { Call::new(self.floors.address(Code::SystemCall), &[0, 0, GETPPID]) };
        self.cases.push(Case {
            name: "getppid, cancellable".into(),
            symbol: SYSCALL_CANCELLABLE,
            against: Reference::Libc,
            floor_name: "syscall",
            target: Some(1.03),
            floor_target: Some(1.03),
            ours,
            reference,
            floor,
            answer: Answer::Constant,
        });
    }

    fn add_plain(&mut self) {
        let ours = self.images[0].require("__vdso_getppid");
        // SAFETY: the call takes nothing and always succeeds.
        let ours = unsafe { Call::new(ours, &[]) };
        // SAFETY: as above; the one argument is its number.
        let reference = unsafe { Call::new((nix::libc::syscall as *const ()).addr(), &[GETPPID]) };
        // SAFETY: as above; the floor takes the number as its third argument.
        let floor = unsafe { Call::new(self.floors.address(Code::SystemCall), &[0, 0, GETPPID]) };
        self.cases.push(Case {
            name: "getppid".into(),
            symbol: "__vdso_getppid",
            against: Reference::Libc,
            floor_name: "syscall",
            target: Some(1.00),
            floor_target: Some(1.02),
            ours,
            reference,
            floor,
            answer: Answer::Constant,
        });
    }
}

mod least;

/// What the calls of one function have in common.
#[derive(Clone, Copy)]
struct Kind {
    symbol: &'static str,
    target: f64,
    answer: Answer,
}

/// A function of [`floor`] with its arguments.
struct Floor {
    name: &'static str,
    function: usize,
    arguments: Vec<usize>,
    target: Option<f64>,
}

impl Floor {
    fn new(name: &'static str, function: usize, arguments: impl Into<Vec<usize>>) -> Self {
        Self { name, function, arguments: arguments.into(), target: None }
    }
}

/// A state for an image's `getrandom`, as a C library makes one: its address and size. Both zero if
/// the image wants none.
fn state(function: usize) -> (usize, usize) {
    // `struct vgetrandom_opaque_params` of `include/uapi/linux/random.h`: size, protection, flags,
    // reserved.
    let params = [const { AtomicU32::new(0) }; 16];
    // SAFETY: the probe call: it stores the parameters and nothing else.
    let probe = unsafe { Call::new(function, &[0, 0, 0, params.as_ptr().addr(), usize::MAX]) };
    let result = probe.once();
    let [size, protection, flags] = [0, 1, 2].map(|index| params[index].load(SeqCst));
    let Some(len) = NonZeroUsize::new(size as usize).filter(|_| result == 0) else { return (0, 0) };
    let protection = ProtFlags::from_bits_retain(protection.cast_signed());
    // SAFETY: a new mapping, at a place that the kernel chooses.
    let mapping = unsafe {
        mmap_anonymous(None, len, protection, MapFlags::from_bits_retain(flags.cast_signed()))
    };
    (mapping.expect("memory for the state").as_ptr().addr(), len.get())
}
