//! `getrandom`, with states and buffers of every kind.

use crate::clocks;
use crate::walk::{REFUSED, Walk};
use liblinux_abi::kernel::datapage::CLOCK_MODE_TSC;
use liblinux_abi::kernel::random::{PROBE, State};
use liblinux_tests::arch::stepper::Stepper;
use liblinux_tests::random::{BATCH_SIZE, GENERATION, STATE_SIZE, ready};
use std::mem::offset_of;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::Ordering::Relaxed;

/// Data pages by name.
pub(crate) const PAGES: [(&str, clocks::Prepare); 3] = [
    ("random", |image| ready(image.random(), GENERATION)),
    ("random, not ready", |_| {}),
    ("random, time namespace", |image| {
        clocks::namespace(image, CLOCK_MODE_TSC, 1);
        ready(image.namespace_random(), GENERATION);
    }),
];

const NAME: &str = "__vdso_getrandom";

/// Where in the page the state is.
const STATE: usize = 2048;

/// Writes a state to the child.
fn write(stepper: &Stepper<'_>, at: usize, generation: u64, pos: usize, in_use: u8) {
    stepper.write(at, &[0x5a; BATCH_SIZE]);
    stepper.write(at + offset_of!(State, generation), &generation.to_ne_bytes());
    stepper.write(at + offset_of!(State, pos), &[pos as u8, in_use]);
}

pub(crate) fn calls(walk: &mut Walk<'_>) {
    let (buffer, state) = (walk.page() as u64, walk.page() + STATE);
    let arguments = |len: u64| [buffer, len, 0, state as u64, STATE_SIZE as u64];
    let filled = |registers: &nix::libc::user_regs_struct| registers.rsi.cast_signed();
    let refused = |_: &nix::libc::user_regs_struct| REFUSED;
    if walk.image.random().is_ready.load(Relaxed) == 0 {
        // Nothing but the way to the data differs.
        for len in [1, 300] {
            let prepare = |stepper: &Stepper<'_>| write(stepper, state, GENERATION, 0, 0);
            walk.call_to(NAME, &arguments(len), &prepare, &filled);
        }
        return;
    }
    let short = [0, 1, 2, 3, 4, 5, 7, 8, 9, 17].map(|len| (0, len));
    // Blocks for the caller and two for the state: with SSE2 by three, with AVX2 by six.
    let long = [(90, 8), (BATCH_SIZE, 3), (255, 16), (0, 300), (0, 700)];
    for (pos, len) in short.into_iter().chain(long) {
        let prepare = |stepper: &Stepper<'_>| write(stepper, state, GENERATION, pos, 0);
        let result = walk.call_to(NAME, &arguments(len), &prepare, &filled);
        assert_eq!(result, Some(len.cast_signed()), "{len} bytes at {pos}");
    }
    for (generation, in_use) in [(0, 0), (GENERATION, 1)] {
        let prepare = |stepper: &Stepper<'_>| write(stepper, state, generation, 0, in_use);
        for kernel in [&filled as &crate::walk::Kernel<'_>, &refused] {
            walk.call_to(NAME, &arguments(16), &prepare, kernel);
        }
    }
    disturbed(walk, &arguments(16), state);
    disturbed(walk, &arguments(200), state);

    // Another state length, unknown flags, a state across pages, the probe.
    walk.call(NAME, &[buffer, 16, 0, state as u64, 7]);
    walk.call(NAME, &[buffer, 16, 8, state as u64, STATE_SIZE as u64]);
    let across = state as u64 + 2048 - 16;
    walk.call(NAME, &[buffer, 16, 0, across, STATE_SIZE as u64]);
    for (buffer, len, flags) in [(0, 0, 0), (buffer, 0, 0), (0, 1, 0), (0, 0, 1)] {
        walk.call(NAME, &[buffer, len, flags, state as u64, PROBE as u64]);
    }
}

/// Makes the call while the kernel's generation changes, at every moment, and while the state
/// becomes zero.
fn disturbed(walk: &mut Walk<'_>, arguments: &[u64], state: usize) {
    let image = walk.image;
    let generation = image.data("vdso_u_rng_data").addr().get() as u64;
    let filled = |registers: &nix::libc::user_regs_struct| registers.rsi.cast_signed();
    let prepare = |stepper: &Stepper<'_>| {
        stepper.write(generation as usize, &GENERATION.to_ne_bytes());
        write(stepper, state, GENERATION, 0, 0);
    };
    walk.disturbed(NAME, arguments, &prepare, &filled, &|memory| {
        memory.write_all_at(&(GENERATION + 1).to_ne_bytes(), generation).expect("the data page");
    });
    walk.disturbed(NAME, arguments, &prepare, &filled, &|memory| {
        memory.write_all_at(&[0; STATE_SIZE], state as u64).expect("the state");
    });
}
