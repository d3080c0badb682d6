//! Every entry that can be called harmlessly, against the bare `syscall` instruction, on this
//! machine's kernel.

#![expect(unsafe_code, reason = "the sweep calls addresses")]

use liblinux_abi::syscall::SYSCALLS;
use liblinux_guest::ktap::Outcome;
use liblinux_guest::sweep::{Count, Legacy, Scope, sweep};
use liblinux_tests::arch::landing::resume_faults;
use liblinux_tests::image::Image;
use liblinux_tests::refuse::refuse_legacy;
use std::sync::LazyLock;

static IMAGE: LazyLock<Image> = LazyLock::new(|| {
    let image = Image::load();
    resume_faults(&image);
    image
});

fn sweep_all(legacy: Legacy) -> Count {
    let image = &*IMAGE;
    let place = tempfile::tempdir().expect("a folder for the sweep's files");
    if legacy == Legacy::Refused {
        refuse_legacy();
    }
    let mut report = |call: &liblinux_abi::syscall::Syscall, outcome: Outcome| {
        if let Outcome::Fail(why) = outcome {
            println!("{}: {why}", call.name);
        }
        Ok(())
    };
    let find = |symbol: &str| image.entry(symbol);
    // SAFETY: the image is mapped for good, and its entries are found by name.
    let count = unsafe { sweep(Scope::Host, legacy, place.path(), &find, &mut report) };
    let count = count.expect("the sweep runs to its end");
    println!("{} of {} calls agree, {} skipped", count.equal, count.comparable, count.skipped);
    count.check().unwrap_or_else(|differences| panic!("{differences}"));
    count
}

#[test]
fn entries_do_what_the_bare_instruction_does() {
    sweep_all(Legacy::Carried);
}

#[test]
fn entries_need_no_legacy_numbers() {
    // A thread of its own, because the refusal lasts as long as it does.
    let count = std::thread::spawn(|| sweep_all(Legacy::Refused)).join().expect("a sweep");
    let legacy = SYSCALLS.iter().filter(|call| !call.successors().is_empty()).count();
    assert_eq!(count.refused, legacy, "legacy calls that were made by their functions alone");
    println!("{} calls that the kernel need not carry", count.refused);
}
