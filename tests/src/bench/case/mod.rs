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
use super::floor::{Code, Floors};
use super::legacy;
use crate::image::Image;
use crate::random::{GENERATION, ready};
use crate::synthetic::{Clocksource, Moment};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::datapage::ClockData;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

mod least;
mod standard;

/// Number of the plainest system call.
pub(super) const GETPPID: usize = 110;

/// How far the clocks are shifted to see that they come from the page: about three years.
const SHIFT_SECONDS: u64 = 100_000_000;

/// By how much two readings of one clock may differ, in seconds, if one was taken soon after the
/// other, or the page is old.
const NEAR_SECONDS: u64 = 8;

/// Counts since an update for which the fast paths of our image do not suffice: some seconds.
const OLD: u64 = 1 << 32;

/// What a case is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The same function of the C image.
    CImage,
    /// The `syscall` function of the C library.
    Libc,
    /// The image's own call by its number.
    Plain,
    /// The bare instruction with the legacy call's number.
    Number,
    /// The generator of the crate `rand` that each thread has.
    ThreadRng,
}

/// What a case does, and so how two outcomes are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A time, from the data page.
    Time,
    /// What the kernel says, because the page cannot.
    Kernel,
    /// A time, from a data page that was written [`OLD`] counts ago.
    OldTime,
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

impl Case {
    /// How many counts ago the data page was written.
    fn age(&self) -> u64 {
        if self.answer == Answer::OldTime { OLD } else { 0 }
    }
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
        bench.tick(0);
        bench.add_clocks();
        bench.add_old();
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

    /// Writes the time now to both data pages, as the kernel's tick does, or as it did as many
    /// counts ago as a case wants.
    pub fn tick_for(&self, case: &Case) {
        self.tick(case.age());
    }

    fn tick(&self, age: u64) {
        self.publish(&Moment::now().before(age, &self.source));
    }

    fn publish(&self, moment: &Moment) {
        for image in &self.images {
            self.source.publish(moment, image.clocks());
            ready(image.random(), GENERATION);
        }
    }

    /// Fails unless both functions of a case answer alike, and from where they should.
    pub fn verify(&self, case: &Case) -> Result<(), String> {
        let moment = Moment::shifted(SHIFT_SECONDS).before(case.age(), &self.source);
        self.publish(&moment);
        self.outputs.iter().for_each(|output| output.clear());
        let results = [case.ours.once(), case.reference.once()];
        let [ours, reference] = self.outputs.map(Output::seen);
        self.tick(0);
        let is_time = |sec: u64| moment.seconds().any(|then| sec.wrapping_sub(then) < NEAR_SECONDS);
        let is_good = match case.answer {
            // `time` returns what it stores.
            Answer::Time | Answer::OldTime => {
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
}

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
