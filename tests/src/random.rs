//! `__vdso_getrandom` under the test's control: a textbook ChaCha20, a plain model of the kernel's
//! state protocol, and an image whose data page and state the test writes.
//!
//! With a generation that matches the page, the key in the state is the one that the function works
//! with, and every byte can be foretold. Where the function asks the kernel instead, the state or
//! its bytes tell.
//!
//! # Invariants
//!
//! 1. The oracle shares nothing with the image but the layout of the state.

#![expect(unsafe_code, reason = "calls the image, writes its state")]

use crate::image::Image;
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::datapage::RandomData;
use liblinux_abi::kernel::random::{BLOCK_SIZE, State};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous};
use std::mem::offset_of;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;

/// Bytes of a state.
pub const STATE_SIZE: usize = size_of::<State>();

/// Bytes of a batch.
pub const BATCH_SIZE: usize = offset_of!(State, key);

/// The generation of the data page, until a test changes it.
pub const GENERATION: u64 = 0x1122_3344_5566_7788;

/// The key of [`seeded`].
pub const KEY: [u32; 8] =
    [0x0302_0100, 7, 0xdead_beef, 0x8000_0001, 0xffff_ffff, 0x1234_5678, 0x9abc_def0, 42];

/// The type of `__vdso_getrandom`.
pub type Entry = extern "C" fn(*mut u8, usize, u32, *mut State, usize) -> isize;

/// RFC 8439, 2.1.
fn quarter_round(words: &mut [u32; 16], [a, b, c, d]: [usize; 4]) {
    for (x, y, z, bits) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
        words[x] = words[x].wrapping_add(words[y]);
        words[z] = (words[z] ^ words[x]).rotate_left(bits);
    }
}

/// RFC 8439, 2.3, with a counter of 64 bits and a nonce of zeros.
pub fn block(key: &[u32; 8], counter: u64) -> [u8; BLOCK_SIZE] {
    let mut initial = [0; 16];
    initial[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
    initial[4..12].copy_from_slice(key);
    initial[12] = counter as u32;
    initial[13] = (counter >> 32) as u32;
    let mut words = initial;
    for _ in 0..10 {
        for column in 0..4 {
            quarter_round(&mut words, [column, 4 + column, 8 + column, 12 + column]);
        }
        for diagonal in 0..4 {
            let at = |row: usize| 4 * row + (diagonal + row) % 4;
            quarter_round(&mut words, [at(0), at(1), at(2), at(3)]);
        }
    }
    let mut bytes = [0; BLOCK_SIZE];
    for ((bytes, word), initial) in bytes.chunks_exact_mut(4).zip(words).zip(initial) {
        bytes.copy_from_slice(&word.wrapping_add(initial).to_le_bytes());
    }
    bytes
}

/// What `lib/vdso/getrandom.c` does to a state whose generation is current.
pub fn model(state: &mut State, len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let take = |state: &mut State, out: &mut Vec<u8>| {
        while out.len() < len && usize::from(state.pos) < BATCH_SIZE {
            out.push(std::mem::take(&mut state.batch[usize::from(state.pos)]));
            state.pos += 1;
        }
    };
    take(state, &mut out);
    if out.len() < len {
        let direct = (len - out.len()) as u64 / BLOCK_SIZE as u64;
        out.extend((0..direct).flat_map(|counter| block(&state.key, counter)));
        let refill = [block(&state.key, direct), block(&state.key, direct + 1)].concat();
        state.batch.copy_from_slice(&refill[..BATCH_SIZE]);
        for (word, bytes) in state.key.iter_mut().zip(refill[BATCH_SIZE..].as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        state.pos = 0;
        take(state, &mut out);
    }
    out
}

/// A state with a key of the test's and nothing in the batch.
pub fn seeded() -> State {
    State {
        batch: [0; BATCH_SIZE],
        key: KEY,
        generation: GENERATION,
        pos: BATCH_SIZE as u8,
        in_use: 0,
    }
}

/// An image over a data page with the generator ready, and a page for states.
#[derive(Debug)]
pub struct Setup {
    /// The image.
    pub image: Image,
    /// The page.
    pub states: NonNull<u8>,
}

impl Setup {
    /// The image as built, and as patched.
    pub fn both() -> [Self; 2] {
        [Image::load(), Image::load_patched()].map(|image| {
            ready(image.random(), GENERATION);
            let (size, access) = (
                NonZeroUsize::new(PAGE_SIZE).expect("not zero"),
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            );
            // SAFETY: a new mapping, at a place that the kernel chooses.
            let states = unsafe { mmap_anonymous(None, size, access, MapFlags::MAP_PRIVATE) }
                .expect("a page");
            // SAFETY: changes what a child gets of the page that was just mapped.
            unsafe { madvise(states, PAGE_SIZE, MmapAdvise::MADV_WIPEONFORK) }
                .expect("a kernel since 4.14");
            Self { image, states: states.cast() }
        })
    }

    /// What the data page says of the generator.
    pub fn random(&self) -> &RandomData {
        self.image.random()
    }

    /// The function.
    pub fn entry(&self) -> Entry {
        let entry = self.image.require("__vdso_getrandom");
        // SAFETY: the function's type, by `include/vdso/getrandom.h`.
        unsafe { std::mem::transmute::<usize, Entry>(entry) }
    }

    /// Where a state at an offset of the page is.
    pub fn at(&self, offset: usize) -> *mut State {
        self.states.as_ptr().wrapping_add(offset).cast()
    }

    /// Writes a state at an offset of the page.
    pub fn write(&self, offset: usize, state: State) {
        assert!(offset <= PAGE_SIZE - STATE_SIZE);
        // SAFETY: inside the page, which no other code uses.
        unsafe { self.at(offset).write_unaligned(state) }
    }

    /// Reads the state at an offset of the page.
    pub fn read(&self, offset: usize) -> State {
        assert!(offset <= PAGE_SIZE - STATE_SIZE);
        // SAFETY: inside the page, which no other code uses.
        unsafe { self.at(offset).read_unaligned() }
    }

    /// Calls with the state at the page's start.
    pub fn call(&self, len: usize, flags: u32) -> (isize, Vec<u8>) {
        self.call_at(0, len, flags)
    }

    /// Calls; the buffer has an odd address and an edge that must stay as it is.
    pub fn call_at(&self, offset: usize, len: usize, flags: u32) -> (isize, Vec<u8>) {
        let mut buffer = vec![0xaa; len + 64];
        let result =
            (self.entry())(buffer[1..].as_mut_ptr(), len, flags, self.at(offset), STATE_SIZE);
        assert!(
            buffer[0] == 0xaa && buffer[len + 1..].iter().all(|byte| *byte == 0xaa),
            "wrote beyond {len} bytes"
        );
        (result, buffer[1..=len].to_vec())
    }
}

/// Makes the generator ready.
pub fn ready(random: &RandomData, generation: u64) {
    random.generation.store(generation, Relaxed);
    random.is_ready.store(1, Relaxed);
}
