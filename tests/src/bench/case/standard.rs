//! The standard functions, and the plainest system call: by its entry, and so that it can be called
//! off.

use super::{Answer, Bench, Case, Floor, GETPPID, Kind, Reference};
use crate::bench::call::Call;
use crate::bench::floor::{self, Code};
use liblinux_abi::image::export::{SYSCALL, SYSCALL_CANCELLABLE};
use liblinux_abi::kernel::clock::{
    BOOTTIME, COARSE, MONOTONIC, MONOTONIC_COARSE, MONOTONIC_RAW, REALTIME, REALTIME_COARSE, TAI,
};
use liblinux_abi::kernel::datapage;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use rand::Rng as _;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

/// Number of the call that a clock falls back to.
const CLOCK_GETTIME: usize = 228;
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

/// Sizes of random requests, in bytes.
const RANDOM: [usize; 8] = [4, 8, 16, 32, 256, 1024, 4096, 65536];

/// The request that is compared with a generator of user space.
const THREAD_RNG: usize = 1024;

/// Fills memory by the thread's generator of the crate `rand`; what `getrandom` would return.
///
/// # Safety
///
/// There are `len` bytes.
unsafe extern "C" fn fill(to: *mut u8, len: usize) -> isize {
    // SAFETY: the caller's promise.
    rand::rng().fill_bytes(unsafe { std::slice::from_raw_parts_mut(to, len) });
    len as isize
}

impl Bench {
    pub(super) fn add_clocks(&mut self) {
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
                let sequence = self.field(|data| data.sequence.as_ptr().addr());
                let arguments = [sequence, outputs[0].words()];
                let floor = self.floor("clock_gettime", Code::Time, arguments);
                (0.92, Answer::Time, Floor { target: Some(1.05), ..floor })
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

    /// Clocks whose page is so old that the fast path does not suffice.
    pub(super) fn add_old(&mut self) {
        let outputs = self.outputs;
        let counter = |bench: &Self| bench.floor("rdtscp", Code::Counter, []);
        let kind = Kind { symbol: "__vdso_clock_gettime", target: 1.10, answer: Answer::OldTime };
        for (name, id) in [("MONOTONIC", MONOTONIC), ("MONOTONIC_RAW", MONOTONIC_RAW)] {
            let arguments = |image: usize| vec![id, outputs[image].words()];
            self.add(format!("clock_gettime {name} old page"), kind, arguments, counter(self));
        }
        let kind = Kind { symbol: "__vdso_gettimeofday", ..kind };
        let arguments = |image: usize| vec![outputs[image].words(), 0];
        self.add("gettimeofday old page", kind, arguments, counter(self));
    }

    pub(super) fn add_times(&mut self) {
        let outputs = self.outputs;
        let counter = |bench: &Self| bench.floor("rdtscp", Code::Counter, []);
        let kind = Kind { symbol: "__vdso_gettimeofday", target: 0.90, answer: Answer::Time };
        self.add("gettimeofday", kind, |image| vec![outputs[image].words(), 0], counter(self));
        let with_zone = |image: usize| vec![outputs[image].words(), outputs[image].zone()];
        self.add("gettimeofday with zone", kind, with_zone, counter(self));

        let seconds = self.field(|data| data.base[REALTIME].sec.as_ptr().addr());
        let stored = self.floor("word", Code::Word, [seconds, outputs[0].words()]);
        let kind = Kind { symbol: "__vdso_time", target: 1.02, answer: Answer::Time };
        self.add("time", kind, |image| vec![outputs[image].words()], stored);
        let kind = Kind { answer: Answer::Returned, target: 0.90, ..kind };
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

    pub(super) fn add_processor(&mut self) {
        let outputs = self.outputs;
        let arguments = |image: usize| vec![outputs[image].words(), outputs[image].zone(), 0];
        let kind = Kind { symbol: "__vdso_getcpu", target: 1.00, answer: Answer::Constant };
        let floor = || Floor::new("rdpid", self.floors.processor(), arguments(0));
        let (both, one) = (floor(), floor());
        self.add("getcpu", kind, arguments, both);
        let without_node = |image: usize| vec![outputs[image].words(), 0, 0];
        self.add("getcpu without node", kind, without_node, one);
    }

    pub(super) fn add_random(&mut self) {
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
            if len == THREAD_RNG {
                self.add_thread_rng();
            }
        }
    }

    /// The request that was added last, beside a generator that user space keeps for itself: it
    /// makes 12 rounds of the cipher where `getrandom` makes 20.
    fn add_thread_rng(&mut self) {
        let last = self.cases.last().expect("a request was added").clone();
        let arguments = [self.outputs[1].words(), THREAD_RNG];
        // SAFETY: the memory has as many bytes.
        let reference = unsafe { Call::new((fill as *const ()).addr(), &arguments) };
        let name = format!("{} beside ThreadRng", last.name);
        self.cases.push(Case {
            name,
            against: Reference::ThreadRng,
            target: Some(1.02),
            reference,
            ..last
        });
    }

    /// A cancellable call that is not called off, beside a plain one by its number.
    pub(super) fn add_cancellable(&mut self) {
        /// Never set.
        static STATE: AtomicU32 = AtomicU32::new(0);
        let state = STATE.as_ptr().expose_provenance();
        let function = self.images[0].require(SYSCALL_CANCELLABLE);
        // SAFETY: the state lives for good, and the call takes nothing and always succeeds. The
        // function reads two words of its caller's stack more, which are there.
        let ours = unsafe { Call::new(function, &[state, GETPPID, 0, 0, 0]) };
        let plain = self.images[0].require(SYSCALL);
        // SAFETY: as in `add_plain`. The function reads a word of its caller's stack more, which is
        // there.
        let reference = unsafe { Call::new(plain, &[GETPPID, 0, 0, 0, 0]) };
        // SAFETY: as in `add_plain`.
        let floor = unsafe { Call::new(self.floors.address(Code::SystemCall), &[0, 0, GETPPID]) };
        self.cases.push(Case {
            name: "getppid, cancellable".into(),
            symbol: SYSCALL_CANCELLABLE,
            against: Reference::Plain,
            floor_name: "syscall",
            target: Some(1.03),
            floor_target: Some(1.03),
            ours,
            reference,
            floor,
            answer: Answer::Constant,
        });
    }

    pub(super) fn add_plain(&mut self) {
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
