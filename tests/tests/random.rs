//! `__vdso_getrandom` against a textbook ChaCha20 and a plain model of the kernel's state protocol.
//!
//! Each test runs on the image as it is built and on the image as the kernel would patch it for
//! this processor.

#![expect(unsafe_code, reason = "makes children, reads what others write")]

use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::datapage::CLOCK_MODE_TIMENS;
use liblinux_abi::kernel::random::{
    BLOCK_SIZE, GRND_NONBLOCK, PARAMETERS, PROBE, Parameters, State,
};
use liblinux_tests::random::{
    BATCH_SIZE, GENERATION, STATE_SIZE, Setup, block, model, ready, seeded,
};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use std::arch::asm;
use std::mem::offset_of;
use std::num::NonZeroUsize;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::Relaxed;

const EFAULT: isize = -14;
const EINVAL: isize = -22;

#[test]
fn the_oracle_is_chacha20() {
    // RFC 8439, A.1, test vectors 1 and 2: key and nonce of zeros.
    assert_eq!(block(&[0; 8], 0)[..8], [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90]);
    assert_eq!(block(&[0; 8], 1)[..8], [0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a]);
}

#[test]
fn bytes_and_states_are_the_models() {
    let lengths: Vec<usize> = (1..=300).chain([511, 512, 1023, 1024, 1025, 4096, 65537]).collect();
    for setup in Setup::both() {
        for offset in [0, 1, PAGE_SIZE - STATE_SIZE] {
            for fill in [0, 37, BATCH_SIZE] {
                let mut state = seeded();
                state.batch[fill..].iter_mut().zip(1..).for_each(|(byte, value)| *byte = value);
                state.pos = fill as u8;
                setup.write(offset, state);
                // Each length twice in a row, so that what a call leaves is what the next one
                // starts from.
                for len in lengths.iter().flat_map(|len| [*len; 2]) {
                    let expected = model(&mut state, len);
                    let (result, bytes) = setup.call_at(offset, len, 0);
                    assert_eq!(result, len.cast_signed());
                    assert!(bytes == expected, "{len} bytes from offset {offset}");
                    assert!(
                        setup.read(offset) == state,
                        "the state after {len} bytes, at offset {offset}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_was_handed_out_is_gone() {
    for setup in Setup::both() {
        setup.write(0, seeded());
        for len in [1, 16, 40, 64, 700] {
            let before = setup.read(0);
            let (_, bytes) = setup.call(len, GRND_NONBLOCK);
            let after = setup.read(0);
            assert!(
                after.batch[..usize::from(after.pos)].iter().all(|byte| *byte == 0),
                "after {len} bytes"
            );
            assert!(
                after.pos > before.pos || after.key != before.key,
                "after {len} bytes the key is the old one"
            );
            let tail = &bytes[len - len.min(8)..];
            assert!(len < 8 || !after.batch.windows(8).any(|window| window == tail));
        }
    }
}

#[test]
fn a_new_generation_has_a_new_key() {
    for setup in Setup::both() {
        for len in [4, 100, 1000] {
            let mut stale = seeded();
            stale.generation = GENERATION - 1;
            setup.write(0, stale);
            let (result, bytes) = setup.call(len, 0);
            assert_eq!(result, len.cast_signed());
            assert_ne!(bytes, model(&mut stale, len), "the old key was used");
            let after = setup.read(0);
            assert_eq!((after.generation, after.in_use), (GENERATION, 0));
            assert_ne!(after.key, stale.key);
            assert_ne!(after.key, [0; 8]);
        }
    }
}

#[test]
fn other_states_and_flags_are_the_kernels() {
    for setup in Setup::both() {
        let busy = State { in_use: 1, ..seeded() };
        setup.write(0, busy);
        let (result, bytes) = setup.call(64, 0);
        assert_eq!((result, setup.read(0)), (64, busy), "a state in use");
        assert_ne!(bytes, model(&mut seeded(), 64));

        let mut buffer = [0_u8; 64];
        setup.write(0, seeded());
        for len in [0, STATE_SIZE - 1, STATE_SIZE + 1, PROBE] {
            let result = (setup.entry())(buffer.as_mut_ptr(), 64, 0, setup.at(0), len);
            assert_eq!((result, setup.read(0)), (64, seeded()), "a state of {len} bytes");
        }
        assert_eq!(setup.call(64, 8).0, EINVAL);
        assert_eq!(setup.read(0), seeded());
        assert_eq!(setup.call(0, 8).0, EINVAL);
        assert_eq!(setup.call(0, 0).0, 0);
        assert_eq!(setup.read(0), seeded());

        setup.random().is_ready.store(0, Relaxed);
        assert_eq!(setup.call(64, 0).0, 64);
        assert_eq!(setup.read(0), seeded(), "a generator that is not ready");
    }
}

#[test]
fn a_state_lies_in_one_page() {
    for setup in Setup::both() {
        for offset in [PAGE_SIZE - STATE_SIZE + 1, PAGE_SIZE - 1] {
            for (flags, len) in [(0, STATE_SIZE), (8, STATE_SIZE), (0, 0)] {
                let result = (setup.entry())(null_mut(), 1, flags, setup.at(offset), len);
                assert_eq!(result, EFAULT, "at offset {offset}");
            }
        }
    }
}

#[test]
fn a_position_beyond_the_batch_is_its_end() {
    for setup in Setup::both() {
        for pos in [BATCH_SIZE as u8 + 1, u8::MAX] {
            let (mut expected, mut beyond) = (seeded(), seeded());
            beyond.pos = pos;
            setup.write(0, beyond);
            assert_eq!(setup.call(20, 0).1, model(&mut expected, 20));
            assert_eq!(setup.read(0), expected);
        }
    }
}

#[test]
fn the_probe_tells_how_to_allocate() {
    for setup in Setup::both() {
        // Not checked for its place, as in the kernel.
        let offset = PAGE_SIZE - size_of::<Parameters>();
        setup.write(
            PAGE_SIZE - STATE_SIZE,
            State { batch: [0xff; BATCH_SIZE], key: [u32::MAX; 8], ..seeded() },
        );
        assert_eq!((setup.entry())(null_mut(), 0, 0, setup.at(offset), PROBE), 0);
        // SAFETY: inside the page, which no other code uses.
        let parameters = unsafe { setup.at(offset).cast::<Parameters>().read_unaligned() };
        assert_eq!(parameters, PARAMETERS);
    }
}

#[test]
fn a_time_namespace_has_its_data_in_another_page() {
    for setup in Setup::both() {
        let image = &setup.image;
        image.clocks().hres_coarse.mode.store(CLOCK_MODE_TIMENS, Relaxed);
        ready(setup.random(), GENERATION + 1);
        ready(image.namespace_random(), GENERATION);
        let mut state = seeded();
        setup.write(0, state);
        for len in [8, 8, 500] {
            assert_eq!(setup.call(len, 0).1, model(&mut state, len));
            assert_eq!(setup.read(0), state);
        }
        // The data page of every process is not read, whatever its contents.
        setup.write(0, State { generation: GENERATION + 1, pos: 0, ..state });
        assert_eq!(setup.call(8, 0).0, 8);
        assert_eq!(setup.read(0).generation, GENERATION);
    }
}

#[test]
fn a_child_has_other_bytes() {
    for setup in Setup::both() {
        setup.write(0, seeded());
        setup.call(10, 0);
        let (size, access) = (
            NonZeroUsize::new(PAGE_SIZE).expect("not zero"),
            ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
        );
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let shared =
            unsafe { mmap_anonymous(None, size, access, MapFlags::MAP_SHARED) }.expect("a page");
        let shared = shared.cast::<[u8; 64]>();
        let (entry, state) = (setup.entry(), setup.at(0));
        // SAFETY: the child calls nothing but the image and the kernel.
        match unsafe { fork() }.expect("a child") {
            ForkResult::Child => {
                entry(shared.as_ptr().cast(), 64, 0, state, STATE_SIZE);
                // SAFETY: ends the child.
                unsafe { asm!("syscall", in("eax") 231, in("edi") 0, options(noreturn)) }
            }
            ForkResult::Parent { child } => waitpid(child, None).expect("the child's end"),
        };
        let (_, bytes) = setup.call(64, 0);
        // SAFETY: mapped, and the child has ended.
        let childs = unsafe { shared.read() };
        assert_ne!(childs, [0; 64], "the child got no bytes");
        assert_ne!(bytes, childs);
    }
}

#[test]
fn a_generation_that_changes_meanwhile_is_seen() {
    // Long enough for another thread to see it at work.
    const LEN: usize = 32 << 20;
    for setup in Setup::both() {
        let mut old = seeded();
        setup.write(0, old);
        let in_use = setup.at(0).wrapping_byte_add(offset_of!(State, in_use)).addr();
        let random = setup.random();
        let bytes = std::thread::scope(|scope| {
            scope.spawn(move || {
                let in_use: *const u8 = std::ptr::with_exposed_provenance(in_use);
                // SAFETY: mapped; a byte that the other thread writes.
                while unsafe { in_use.read_volatile() } == 0 {}
                random.generation.store(GENERATION + 1, Relaxed);
            });
            let (result, bytes) = setup.call(LEN, 0);
            assert_eq!(result, LEN.cast_signed());
            bytes
        });
        let expected = model(&mut old, BLOCK_SIZE);
        assert_ne!(bytes[..BLOCK_SIZE], expected, "bytes of the old generation were returned");
        let after = setup.read(0);
        assert_eq!((after.generation, after.in_use), (GENERATION + 1, 0));
    }
}

#[test]
fn a_generation_that_never_stands_still_is_left_to_the_kernel() {
    for setup in Setup::both() {
        setup.write(0, seeded());
        let (random, done) = (setup.random(), std::sync::atomic::AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    random.generation.fetch_add(1, Relaxed);
                }
            });
            for len in [1, 16, 300].repeat(2000) {
                assert_eq!(setup.call(len, 0).0, len.cast_signed());
                assert_eq!(setup.read(0).in_use, 0);
            }
            done.store(true, Relaxed);
        });
    }
}

#[test]
fn an_inaccessible_state_is_not_touched_by_other_calls() {
    for setup in Setup::both() {
        // SAFETY: no code uses the page until it is accessible again.
        unsafe { mprotect(setup.states.cast(), PAGE_SIZE, ProtFlags::PROT_NONE) }
            .expect("a page without access");
        assert_eq!(setup.call(0, 0).0, 0, "nothing was asked for");
        assert_eq!(setup.call(16, 8).0, EINVAL, "the kernel's");
        assert_eq!((setup.entry())(null_mut(), 0, 0, setup.at(0), 0), 0, "the kernel's");
    }
}
