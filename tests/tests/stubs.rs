//! Every entry that can be called harmlessly, against the bare `syscall` instruction, on this machine's kernel.

#![expect(unsafe_code, reason = "the sweep calls addresses")]

use liblinux_guest::ktap::Outcome;
use liblinux_guest::sweep::{Scope, sweep};
use liblinux_tests::image::Image;

#[test]
fn entries_do_what_the_bare_instruction_does() {
    let image = Image::load();
    let place = tempfile::tempdir().expect("a folder for the sweep's files");
    let mut report = |call: &liblinux_abi::syscall::Syscall, outcome: Outcome| {
        if let Outcome::Fail(why) = outcome {
            println!("{}: {why}", call.name);
        }
        Ok(())
    };
    // SAFETY: the image is mapped for good, and its entries are found by name.
    let count = unsafe { sweep(Scope::Host, place.path(), &|symbol: &str| image.entry(symbol), &mut report) };
    let count = count.expect("the sweep runs to its end");
    println!("{} of {} calls agree, {} skipped", count.equal, count.comparable, count.skipped);
    count.check().unwrap_or_else(|differences| panic!("{differences}"));
}
