// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The agreement of the kernel and a libc on `__vdso_getrandom`: the state that the caller keeps,
//! the answer to the probe for it, and the flags.
//!
//! Source: `include/vdso/getrandom.h`, `include/uapi/linux/random.h`, `include/uapi/linux/mman.h`
//! and `include/uapi/asm-generic/mman-common.h`.
//!
//! # Invariants
//!
//! 1. Offsets and sizes equal the kernel's (asserted below; a test compares with the kernel tree):
//!    a process may be checkpointed under one image and restored under another.
//! 2. All zeros is a state that was never used: the kernel zeroes the page in a child and whenever
//!    it needs the memory.

use core::mem::size_of;

/// `CHACHA_BLOCK_SIZE`: bytes of one block of ChaCha20's output.
pub const BLOCK_SIZE: usize = 64;

/// `CHACHA_KEY_SIZE`: bytes of a key.
pub const KEY_SIZE: usize = 32;

/// `struct vgetrandom_state`: the state of a thread between two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct State {
    /// Output for the next callers; bytes that were handed out are zero. With the key behind it
    /// this is two blocks, which are filled together.
    pub batch: [u8; 2 * BLOCK_SIZE - KEY_SIZE],
    /// The key of the next two blocks.
    pub key: [u32; KEY_SIZE / 4],
    /// `RandomData::generation` when the key was taken from the kernel; zero means never.
    pub generation: u64,
    /// How much of the batch was handed out.
    pub pos: u8,
    /// Not zero while a call is at work, for the signal handler that interrupts it.
    pub in_use: u8,
}

/// `struct vgetrandom_opaque_params`: how a caller has to allocate states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Parameters {
    /// Bytes of a [`State`].
    pub size_of_opaque_state: u32,
    /// The third argument of `mmap(2)`.
    pub mmap_prot: u32,
    /// The fourth argument of `mmap(2)`.
    pub mmap_flags: u32,
    /// Zero.
    pub reserved: [u32; 13],
}

/// The answer to the probe: readable and writable memory that the kernel may drop.
pub const PARAMETERS: Parameters = Parameters {
    size_of_opaque_state: size_of::<State>() as u32,
    mmap_prot: PROT_READ | PROT_WRITE,
    mmap_flags: MAP_DROPPABLE | MAP_ANONYMOUS,
    reserved: [0; 13],
};

/// The length of a state by which a caller probes for [`PARAMETERS`].
pub const PROBE: usize = usize::MAX;

/// `PROT_READ`.
pub const PROT_READ: u32 = 1;
/// `PROT_WRITE`.
pub const PROT_WRITE: u32 = 2;
/// `MAP_DROPPABLE`: zeroed in a child, and when memory is short.
pub const MAP_DROPPABLE: u32 = 8;
/// `MAP_ANONYMOUS`.
pub const MAP_ANONYMOUS: u32 = 0x20;

/// `GRND_NONBLOCK`: do not wait for the generator to be ready.
pub const GRND_NONBLOCK: u32 = 1;
/// `GRND_RANDOM`: no effect.
pub const GRND_RANDOM: u32 = 2;
/// `GRND_INSECURE`: do not wait, and do not fail either.
pub const GRND_INSECURE: u32 = 4;

/// `MAX_RW_COUNT`: the most that one call returns.
pub const MAX_RW_COUNT: usize = i32::MAX as usize & !(crate::image::layout::PAGE_SIZE - 1);

// Other targets may align structures otherwise, and have no image.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<State>() == 144);
    assert!(offset_of!(State, key) == 96);
    assert!(offset_of!(State, generation) == 128);
    assert!(offset_of!(State, pos) == 136);
    assert!(offset_of!(State, in_use) == 137);
    assert!(size_of::<Parameters>() == 64);
};
