//! Random bytes from a state that the caller keeps.

#![expect(unsafe_code, reason = "makes system calls, forks, installs a handler")]

use liblinux::random::{Parameters, Random, State};
use liblinux::{Call, Errno, Vdso};
use liblinux_abi::kernel::random::State as Layout;
use liblinux_tests::image::Image;
use liblinux_tests::random::{GENERATION, ready};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use std::collections::HashSet;
use std::mem::{MaybeUninit, offset_of};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// Liblinux's image, whose generator is ready, and the kernel's own.
fn images() -> [(&'static str, Vdso); 2] {
    let image = Image::load();
    ready(image.random(), GENERATION);
    // SAFETY: mapped for good, as its headers say.
    let ours = unsafe { Vdso::at(image.base()) }.expect("our image is fit").or_syscall();
    [("ours", ours), ("the kernel's", Vdso::find().expect("this kernel has a vDSO").or_syscall())]
}

/// The generator of each image, with memory for so many states where this kernel has such memory.
fn with_states(count: usize, test: impl Fn(&str, &Vdso, &liblinux::random::States<'_>)) {
    let mut tested = 0;
    for (name, vdso) in images() {
        let random = match Random::of(&vdso) {
            Ok(random) => random,
            // A kernel before 6.11 has no such function.
            Err(why) => {
                assert!(vdso.entry(Call::getrandom).is_none(), "{name}: {why}");
                continue;
            }
        };
        tested += 1;
        match random.map(&vdso, count) {
            Ok(states) => test(name, &vdso, &states),
            Err(why) => {
                assert_eq!(
                    why,
                    Errno::EINVAL,
                    "{name}: only a kernel before 6.11 refuses the memory"
                );
                println!("{name}: this kernel has no memory for states");
            }
        }
    }
    assert!(tested > 0);
}

fn number(state: &State<'_>) -> u128 {
    let mut bytes = [0; 16];
    state.fill(&mut bytes).expect("random bytes");
    u128::from_ne_bytes(bytes)
}

#[test]
fn states_have_places_of_their_own() {
    const COUNT: usize = 100;
    with_states(COUNT, |name, _, states| {
        let taken: Vec<_> = std::iter::from_fn(|| states.take()).collect();
        assert_eq!(taken.len(), COUNT, "{name}");
        let numbers: HashSet<_> = taken.iter().chain(&taken).map(number).collect();
        assert_eq!(numbers.len(), 2 * COUNT, "{name}");
    });
    for (_, vdso) in images() {
        let Ok(random) = Random::of(&vdso) else { continue };
        assert_eq!(random.map(&vdso, 0).err(), Some(Errno::EINVAL));
        assert_eq!(random.map(&vdso, usize::MAX).err(), Some(Errno::EINVAL));
        let Parameters { size_of_opaque_state, .. } = *random.parameters();
        assert!(size_of_opaque_state as usize >= size_of::<Layout>());
    }
}

#[test]
fn every_length_is_filled() {
    with_states(1, |name, _, states| {
        let state = states.take().expect("one state");
        for len in (0..300).chain([1000, 4096, 100_000]) {
            let mut bytes = vec![MaybeUninit::new(0); len + 16];
            assert_eq!(state.getrandom(&mut bytes[..len], 0), Ok(len), "{name}");
            // SAFETY: all were initialized.
            let rest: Vec<u8> =
                bytes[len..].iter().map(|byte| unsafe { byte.assume_init() }).collect();
            assert_eq!(rest, [0; 16], "{name}: wrote beyond {len} bytes");
            let mut all = vec![0; len];
            state.fill(&mut all).expect("random bytes");
            assert!(len < 16 || all.iter().any(|byte| *byte != 0), "{name}");
        }
    });
}

/// A child has a copy of everything but of the states.
#[test]
fn a_child_shares_no_byte_with_its_parent() {
    with_states(1, |name, _, states| {
        let state = states.take().expect("one state");
        number(&state);
        let shared = Shared::new();
        // SAFETY: the child asks for bytes and ends.
        match unsafe { fork() }.expect("a child") {
            ForkResult::Child => {
                shared.store(number(&state));
                // SAFETY: ends the child without the harness's exit handlers.
                unsafe { nix::libc::_exit(0) }
            }
            ForkResult::Parent { child } => {
                let ours = number(&state);
                assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)), "{name}");
                let theirs = shared.load();
                assert!(theirs != 0 && theirs != ours, "{name}: {theirs:x}, {ours:x}");
            }
        }
    });
}

/// Sixteen bytes that a child shares.
struct Shared(*mut u128);

impl Shared {
    fn new() -> Self {
        let size = std::num::NonZeroUsize::new(4096).expect("not zero");
        let access = nix::sys::mman::ProtFlags::PROT_READ | nix::sys::mman::ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let page = unsafe {
            nix::sys::mman::mmap_anonymous(None, size, access, nix::sys::mman::MapFlags::MAP_SHARED)
        };
        Self(page.expect("a page").as_ptr().cast())
    }

    fn store(&self, value: u128) {
        // SAFETY: the page is mapped for good.
        unsafe { self.0.write_volatile(value) }
    }

    fn load(&self) -> u128 {
        // SAFETY: the page is mapped for good.
        unsafe { self.0.read_volatile() }
    }
}

static INTERRUPTED: AtomicPtr<State<'static>> = AtomicPtr::new(std::ptr::null_mut());
static HANDLED: AtomicUsize = AtomicUsize::new(0);
static WRONG: AtomicBool = AtomicBool::new(false);
static NUMBERS: [AtomicUsize; 1 << 16] = [const { AtomicUsize::new(0) }; 1 << 16];

extern "C" fn ask(_: nix::libc::c_int) {
    let state = INTERRUPTED.load(Ordering::SeqCst);
    let mut bytes = [0; 8];
    // SAFETY: the state of the interrupted thread, which is this one; the test keeps it.
    match unsafe { state.as_ref() }.map(|state| state.fill(&mut bytes)) {
        Some(Ok(())) => {}
        _ => WRONG.store(true, Ordering::SeqCst),
    }
    let place = HANDLED.fetch_add(1, Ordering::SeqCst);
    if let Some(number) = NUMBERS.get(place) {
        number.store(usize::from_ne_bytes(bytes), Ordering::SeqCst);
    }
}

/// A handler uses the state that it interrupts, wherever it interrupts it.
#[test]
fn a_handler_may_use_the_state_that_it_interrupts() {
    let action = SigAction::new(SigHandler::Handler(ask), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler is async-signal-safe.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("a handler");
    with_states(1, |name, vdso, states| {
        let state = states.take().expect("one state");
        HANDLED.store(0, Ordering::SeqCst);
        INTERRUPTED.store((&raw const state).cast_mut().cast(), Ordering::SeqCst);
        // SAFETY: changes nothing.
        let thread = unsafe { vdso.gettid() }.expect("a number");
        let process = std::process::id().cast_signed();
        let done = AtomicBool::new(false);
        let mut numbers = HashSet::new();
        let mut asked = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    // SAFETY: the thread has a handler for the signal.
                    unsafe { vdso.tgkill(process, thread, Signal::SIGUSR1 as i32) }
                        .expect("a thread");
                    std::thread::sleep(std::time::Duration::from_micros(20));
                }
            });
            while HANDLED.load(Ordering::SeqCst) < 2000 {
                let mut bytes = [0; 8];
                state.fill(&mut bytes).expect("random bytes");
                numbers.insert(usize::from_ne_bytes(bytes));
                asked += 1;
                // A long request, which is the one that is mostly interrupted.
                let mut long = [0; 3000];
                state.fill(&mut long).expect("random bytes");
                numbers.extend(long.as_chunks().0.iter().map(|bytes| usize::from_ne_bytes(*bytes)));
                asked += long.len() / 8;
            }
            done.store(true, Ordering::SeqCst);
        });
        INTERRUPTED.store(std::ptr::null_mut(), Ordering::SeqCst);
        let handled = HANDLED.load(Ordering::SeqCst).min(NUMBERS.len());
        numbers.extend(NUMBERS[..handled].iter().map(|number| number.load(Ordering::SeqCst)));
        assert!(!WRONG.load(Ordering::SeqCst), "{name}: a handler got no bytes");
        assert_eq!(numbers.len(), asked + handled, "{name}: bytes were given twice");
    });
}

/// A state that a handler left in use still gives bytes, and is new again once it was reset.
#[test]
fn a_state_in_use_can_be_reset() {
    with_states(1, |name, _, states| {
        if name != "ours" {
            return;
        }
        let mut state = states.take().expect("one state");
        number(&state);
        let place = state.as_ptr().cast::<u8>();
        let in_use = place.wrapping_byte_add(offset_of!(Layout, in_use));
        // SAFETY: the state's byte, which no call uses.
        unsafe { in_use.write_volatile(1) };
        number(&state);
        // SAFETY: as above.
        assert_eq!(unsafe { in_use.read_volatile() }, 1, "the state was left alone");
        state.reset();
        number(&state);
        // SAFETY: as above.
        let generation = unsafe {
            place.wrapping_add(offset_of!(Layout, generation)).cast::<u64>().read_volatile()
        };
        assert_eq!(generation, GENERATION, "the state is in use again");
    });
}
