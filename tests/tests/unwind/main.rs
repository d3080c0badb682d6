//! Unwinding from every instruction of every function of the image.
//!
//! A child runs the image's code one instruction at a time ([`liblinux_tests::arch::stepper`]);
//! before each, the frames up to the caller are unwound by the image's own `.eh_frame`, and must
//! give back the caller's place, stack and registers. But for signals, no system call is made: the
//! tracer answers in the kernel's place, so stubs that would block, end the process or change the
//! machine are stepped like all others.
//!
//! # Invariants
//!
//! 1. What is stepped is counted against a linear decode of the image, as it is in the file and as
//!    the kernel patches it: every instruction is reached, but for padding and for what this
//!    processor does not have.
//! 2. So is every entry of the exception table: a fault is raised at each instruction that may have
//!    one.

mod cancellable;
mod clocks;
mod enclave;
mod fixups;
mod legacy;
mod processes;
mod random;
mod robust;
mod signal;
mod stubs;
mod walk;

use iced_x86::{Decoder, DecoderOptions, Mnemonic};
use liblinux_abi::kernel::datapage::ROBUST_FUTEXES;
use liblinux_tests::arch::code::Code;
use liblinux_tests::arch::stepper::{Call, Next, Stepper};
use liblinux_tests::arch::unwinder::Unwinder;
use liblinux_tests::image::Image;
use object::{Object as _, ObjectSection as _};
use std::collections::{BTreeMap, BTreeSet};
use walk::Walk;

/// An instruction: offset and bytes.
type Place = (u64, Vec<u8>);

/// What was stepped of one image.
#[derive(Default)]
struct Coverage {
    all: BTreeSet<Place>,
    seen: BTreeSet<Place>,
    steps: usize,
    /// Instructions at which a fault was raised.
    faulted: BTreeSet<Place>,
}

impl Coverage {
    /// Makes all calls of `calls` in a child of its own, over data pages that `prepare` wrote.
    fn walk(
        &mut self,
        image: &Image,
        name: &str,
        prepare: impl Fn(&Image),
        calls: impl Fn(&mut Walk<'_>),
    ) {
        let code = Code::of(image);
        let unwinder = Unwinder::new(image.file()).expect("call-frame information");
        prepare(image);
        let mut walk = Walk::new(image, &code, &unwinder, std::mem::take(&mut self.faulted));
        calls(&mut walk);
        assert!(walk.stepper.steps > 0 || name == "robust futexes", "{name}: nothing was stepped");
        println!("{name}: {} instructions stepped", walk.stepper.steps);
        self.steps += walk.stepper.steps;
        self.seen.append(&mut walk.stepper.seen);
        self.faulted = walk.faulted;
        self.all.extend(code.instructions());
    }

    /// Steps everything but fixups in one image, made anew for each set of data pages.
    fn of(load: fn() -> Image) -> Self {
        let mut coverage = Self::default();
        let image = load();
        coverage.walk(&image, "stubs", |_| {}, stubs::calls);
        coverage.walk(&image, "cancellable", |_| {}, cancellable::calls);
        coverage.walk(&image, "legacy", |_| {}, legacy::calls);
        coverage.walk(&image, "processes", |_| {}, processes::calls);
        coverage.walk(&image, "signal", |_| {}, signal::calls);
        coverage.walk(&image, "enclave", |_| {}, enclave::calls);
        if ROBUST_FUTEXES {
            coverage.walk(&image, "robust futexes", |_| {}, robust::calls);
        }
        for (name, prepare) in clocks::PAGES {
            coverage.walk(&load(), name, prepare, clocks::calls);
        }
        coverage.add(Self::of_random(load));
        coverage
    }

    /// Steps the random bytes of one image: only their code is there for several processors.
    fn of_random(load: fn() -> Image) -> Self {
        let mut coverage = Self::default();
        for (name, prepare) in random::PAGES {
            coverage.walk(&load(), name, prepare, random::calls);
        }
        coverage
    }

    /// Steps calls of exception fixups, in one image: nothing of them depends on the processor.
    fn of_fixups(name: &str, calls: fn(&mut Walk<'_>)) -> Self {
        let mut coverage = Self::default();
        coverage.walk(&Image::load(), name, |_| {}, calls);
        coverage
    }

    /// Adds what was stepped elsewhere.
    fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.seen.extend(other.seen);
        self.all.extend(other.all);
        self.faulted.extend(other.faulted);
    }
}

#[test]
fn every_instruction_leads_to_the_caller() {
    // The long ones first.
    let walks: [fn() -> Coverage; 6] = [
        || Coverage::of_fixups("fixups in chunks", fixups::in_chunks),
        || Coverage::of_fixups("fixups alone", fixups::alone),
        || Coverage::of_fixups("fixups beside others", fixups::beside_others),
        || Coverage::of(Image::load),
        || Coverage::of(Image::load_patched),
        || Coverage::of_random(Image::load_patched_for_avx2),
    ];
    let mut coverage = Coverage::default();
    std::thread::scope(|scope| {
        for thread in walks.map(|walk| scope.spawn(walk)) {
            coverage.add(thread.join().expect("every call unwinds"));
        }
    });

    let code = Code::of(&Image::load());
    let mut left: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut padding = 0;
    for (offset, bytes) in coverage.all.difference(&coverage.seen) {
        if is_nop(bytes) {
            padding += 1; // Behind a jump or return, to align what follows.
            continue;
        }
        left.entry(code.function(*offset)).or_default().push(format!("{offset:#x} {bytes:02x?}"));
    }
    println!(
        "{} of {} instructions of {} functions reached, in {} steps; {padding} are padding",
        coverage.all.intersection(&coverage.seen).count(),
        coverage.all.len(),
        code.functions(),
        coverage.steps
    );
    for offset in code.faulting() {
        if !coverage.faulted.iter().any(|(faulted, _)| *faulted == offset) {
            left.entry(code.function(offset))
                .or_default()
                .push(format!("the fault of {offset:#x}"));
        }
    }
    println!("{} faults raised", coverage.faulted.len());
    for (feature, is_there, function) in [
        ("AVX2", is_x86_feature_detected!("avx2"), "chacha_generate_wide"),
        ("AVX512VL", is_x86_feature_detected!("avx512vl"), "chacha_generate_avx512vl"),
    ] {
        if !is_there && left.remove(function).is_some() {
            println!("not reached, because this processor has no {feature}: {function}");
        }
    }
    assert!(
        left.is_empty(),
        "no call comes here; add one to tests/tests/unwind that does: {left:#?}"
    );
}

fn is_nop(bytes: &[u8]) -> bool {
    Decoder::new(64, bytes, DecoderOptions::NONE).decode().mnemonic() == Mnemonic::Nop
}

/// A rule that is wrong by a word is found, and so is a function without any.
#[test]
fn wrong_information_is_noticed() {
    let image = Image::load();
    let code = Code::of(&image);
    let elf = object::File::parse(image.file()).expect("an ELF image");
    let (start, size) =
        elf.section_by_name(".eh_frame").expect("a section").file_range().expect("bytes");
    let section = start as usize..(start + size) as usize;
    // `DW_CFA_def_cfa` of `rsp` and 8, the first rule of every function.
    let rule = [0x0c, 7, 8];
    let at =
        image.file()[section.clone()].windows(3).position(|bytes| bytes == rule).expect("the rule");
    let mut wrong = image.file().to_vec();
    wrong[section.start + at + 2] = 16;
    let mut empty = image.file().to_vec();
    empty[section.clone()].fill(0);

    let call = Call { entry: image.require("__vdso_getpid"), ..Call::default() };
    let unwinder = Unwinder::new(&wrong).expect("readable");
    let mut stepper = Stepper::new(&image, &code, &unwinder);
    let error = stepper.call(&call, &mut |_| Next::Execute).expect_err("a wrong frame");
    assert!(error.contains("the caller is found at"), "{error}");
    assert!(Unwinder::new(&empty).is_err());
}
