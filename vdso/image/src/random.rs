//! `getrandom`: random bytes.
//!
//! A thread gives its state: a ChaCha20 key that the kernel chose, and a batch of output. Bytes are
//! taken from the batch, which then has zeros there; when it is empty, one stream of the key makes
//! whole blocks for the caller, a new batch and a new key, so that neither the bytes that were
//! handed out nor their key remain anywhere. Reference: `lib/vdso/getrandom.c`; the
//! state is documented in [`liblinux_abi::kernel::random`].
//!
//! The entry makes one attempt in the hot page, with the rest of the batch. If that does not
//! suffice, it goes to one of two slow paths: `getrandom_cold` starts over and decides, as the
//! kernel's code does, whose call this is; `generate_cold` continues with a state that the entry
//! has taken.
//!
//! # Invariants
//!
//! 1. A state in use is touched by the calling thread alone, and a signal handler that finds
//!    `in_use` set asks the kernel. So `in_use` is set before anything else of the state is read,
//!    but for itself, and cleared after everything else is written.
//! 2. The state may become zero at any time: in a child of `fork`, or because the kernel needs the
//!    memory. Its generation is then not one of the kernel's, so bytes are given to the caller only
//!    if it still is the kernel's generation after the last of them was taken.
//! 3. The new generation is stored before the kernel is asked for a key. A child made in between
//!    sees a zero, and asks for itself; were it the other way round, parent and child could have
//!    one key.
//! 4. Where this reads the state, an inaccessible one reads as not in use, as used up, and as of
//!    generation zero: the access that follows is a store to it, which finds out.
//! 5. A batch position beyond the batch is its end: a state is only the caller's word.
//! 6. After a fault the generation is zero: the key that part of the caller's buffer was made from
//!    is not used again.

#![expect(
    unsafe_code,
    reason = "exports a C function, reads the page that only a time namespace has"
)]

use crate::arch::chacha;
use crate::arch::user::{Fault, load_u8, load_u64, move_out, store_u8, store_u64, stored};
use crate::arch::{self, fallback};
use core::ffi::c_void;
use core::mem::{offset_of, size_of};
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use core::sync::atomic::fence;
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::datapage::{
    CLOCK_MODE_TIMENS, DataPage, NAMESPACE_MOVES_RANDOM, RandomData,
};
use liblinux_abi::kernel::errno::EFAULT;
use liblinux_abi::kernel::random::{
    BLOCK_SIZE, GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM, KEY_SIZE, MAX_RW_COUNT, PARAMETERS,
    PROBE, Parameters, State,
};

/// The flags that this image knows.
const FLAGS: u32 = GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE;

/// Bytes of a batch.
const BATCH_SIZE: usize = offset_of!(State, key);

/// How often a request is tried before it is the kernel's.
const ATTEMPTS: u32 = 2;

/// A state in the caller's memory.
#[derive(Clone, Copy)]
struct UserState(*mut State);

impl UserState {
    /// Whether it straddles pages, of which one could be zeroed without the other.
    #[inline(always)]
    fn straddles(self) -> bool {
        self.0.addr() % PAGE_SIZE > PAGE_SIZE - size_of::<State>()
    }

    #[inline(always)]
    fn field<T>(self, offset: usize) -> *mut T {
        self.0.wrapping_byte_add(offset).cast()
    }

    /// The first byte of the batch from `pos` on.
    #[inline(always)]
    fn batch(self, pos: usize) -> *mut u8 {
        self.field(offset_of!(State, batch) + pos)
    }

    /// Where the next byte of the batch is; its end if the state is not accessible.
    #[inline(always)]
    fn pos(self) -> usize {
        load_u8::<{ offset_of!(State, pos) }>(self.0.cast(), BATCH_SIZE as u32) as usize
    }

    #[inline(always)]
    fn set_pos(self, pos: usize) -> Result<(), Fault> {
        store_u8::<{ offset_of!(State, pos) }>(self.0.cast(), pos as u8)
    }

    /// Whether the key is of the kernel's current generation.
    #[inline(always)]
    fn is_current(self, random: &RandomData) -> bool {
        load_u64::<{ offset_of!(State, generation) }>(self.0.cast(), 0)
            == random.generation.load(Relaxed)
    }

    #[inline(always)]
    fn set_generation(self, generation: u64) -> Result<(), Fault> {
        store_u64(self.field(offset_of!(State, generation)), generation)
    }

    /// Whether it is in use; not if it is not accessible.
    #[inline(always)]
    fn is_in_use(self) -> bool {
        load_u8::<{ offset_of!(State, in_use) }>(self.0.cast(), 0) != 0
    }

    #[inline(always)]
    fn set_in_use(self, in_use: bool) -> Result<(), Fault> {
        store_u8::<{ offset_of!(State, in_use) }>(self.0.cast(), in_use.into())
    }
}

/// `getrandom(2)` with the state arguments of the vDSO function: `struct vgetrandom_state` and its
/// size, which `abi` has as [`State`].
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.getrandom")]
pub extern "C" fn __vdso_getrandom(
    buffer: *mut u8,
    len: usize,
    flags: u32,
    state: *mut State,
    state_len: usize,
) -> isize {
    let user = UserState(state);
    let random = arch::random_data();
    // As in the slow path, but for the order.
    let is_usual = state_len == size_of::<State>()
        && flags & !FLAGS == 0
        && !user.straddles()
        && !is_moved()
        && random.is_ready.load(Relaxed) != 0
        && len.wrapping_sub(1) < BATCH_SIZE;
    if !is_usual || user.is_in_use() {
        return getrandom_cold(buffer, len, flags, state, state_len);
    }
    if user.set_in_use(true).is_err() {
        return -EFAULT;
    }
    let pos = user.pos();
    if !user.is_current(random) || pos + len > BATCH_SIZE {
        return generate_cold(buffer, len, flags, state, ATTEMPTS);
    }
    if move_out(buffer, user.batch(pos), len).and_then(|()| user.set_pos(pos + len)).is_err() {
        return give_up(state);
    }
    if !user.is_current(random) {
        return generate_cold(buffer, len, flags, state, ATTEMPTS - 1);
    }
    match user.set_in_use(false) {
        Ok(()) => len as isize,
        Err(Fault) => -EFAULT,
    }
}

/// The slow path of `getrandom(2)`: the kernel's decisions in the kernel's order.
#[cold]
#[inline(never)]
extern "C" fn getrandom_cold(
    buffer: *mut u8,
    len: usize,
    flags: u32,
    state: *mut State,
    state_len: usize,
) -> isize {
    if state_len == PROBE && buffer.is_null() && len == 0 && flags == 0 {
        return stored(store_parameters(state.cast()));
    }
    let user = UserState(state);
    if user.straddles() {
        return -EFAULT;
    }
    let is_ours = flags & !FLAGS == 0 && state_len == size_of::<State>();
    // Before the generator is ready, even a request for nothing may have to wait or fail.
    if !is_ours || random_data().is_ready.load(Relaxed) == 0 {
        return fallback::getrandom(buffer.cast(), len, flags);
    }
    if len == 0 {
        return 0;
    }
    if user.is_in_use() {
        return fallback::getrandom(buffer.cast(), len, flags);
    }
    if user.set_in_use(true).is_err() {
        return -EFAULT;
    }
    generate_cold(buffer, len, flags, state, ATTEMPTS)
}

/// Serves a request of at least one byte from a state that is marked as in use.
#[cold]
#[inline(never)]
extern "C" fn generate_cold(
    buffer: *mut u8,
    len: usize,
    flags: u32,
    state: *mut State,
    attempts: u32,
) -> isize {
    let user = UserState(state);
    let allowed = len.min(MAX_RW_COUNT);
    match generate(buffer, allowed, user, attempts) {
        Ok(generated) => match user.set_in_use(false) {
            Ok(()) if generated => allowed as isize,
            Ok(()) => fallback::getrandom(buffer.cast::<c_void>(), len, flags),
            Err(Fault) => -EFAULT,
        },
        Err(Fault) => give_up(state),
    }
}

/// The caller's memory is not accessible. If it is the buffer and not the state, leaves the state
/// usable.
#[cold]
#[inline(never)]
extern "C" fn give_up(state: *mut State) -> isize {
    let user = UserState(state);
    // Invariant 6. The key goes as well, as it could still tell the bytes that are already in the
    // buffer.
    let erased = (0..KEY_SIZE)
        .step_by(8)
        .try_for_each(|at| store_u64(user.field(offset_of!(State, key) + at), 0));
    // If one of these fails, the state itself is not accessible, and no thread can use it.
    let _ = erased.and_then(|()| user.set_generation(0)).and_then(|()| user.set_in_use(false));
    -EFAULT
}

/// Fills the buffer, again if the kernel's generation changed meanwhile; false if there was no key,
/// or no attempt left.
#[inline(always)]
fn generate(buffer: *mut u8, len: usize, user: UserState, attempts: u32) -> Result<bool, Fault> {
    let random = random_data();
    for _ in 0..attempts {
        if !user.is_current(random) && !reseed(user, random)? {
            return Ok(false);
        }
        fill(buffer, len, user)?;
        if user.is_current(random) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Has the kernel choose a key; false if it did not.
#[inline(always)]
fn reseed(user: UserState, random: &RandomData) -> Result<bool, Fault> {
    user.set_generation(random.generation.load(Relaxed))?;
    // Keeps the kernel from choosing before the generation was read. Pairs with the
    // `smp_store_release` of the generation in `crng_reseed`: without it the key could be older
    // than its generation says.
    fence(Acquire);
    if fallback::getrandom(user.field(offset_of!(State, key)), KEY_SIZE, 0) != KEY_SIZE as isize {
        user.set_generation(0)?;
        return Ok(false);
    }
    user.set_pos(BATCH_SIZE)?;
    Ok(true)
}

/// Fills the buffer from the batch, and from the key if that does not suffice.
#[inline(always)]
fn fill(buffer: *mut u8, len: usize, user: UserState) -> Result<(), Fault> {
    let pos = user.pos().min(BATCH_SIZE);
    let taken = len.min(BATCH_SIZE - pos);
    take(buffer, user, pos, taken)?;
    let (buffer, len) = (buffer.wrapping_add(taken), len - taken);
    if len == 0 {
        return Ok(());
    }
    chacha::generate(buffer, len / BLOCK_SIZE, user.0)?;
    user.set_pos(0)?;
    // Less than a block is left, and a batch is more than one.
    take(buffer.wrapping_add(len & !(BLOCK_SIZE - 1)), user, 0, len % BLOCK_SIZE)
}

/// Moves bytes from the batch to the buffer.
#[inline(never)]
fn take(buffer: *mut u8, user: UserState, pos: usize, len: usize) -> Result<(), Fault> {
    if len == 0 {
        return Ok(());
    }
    move_out(buffer, user.batch(pos), len)?;
    user.set_pos(pos + len)
}

/// Stores the answer to the probe.
fn store_parameters(target: *mut Parameters) -> Result<(), Fault> {
    let Parameters { size_of_opaque_state, mmap_prot, mmap_flags, reserved: _ } = PARAMETERS;
    let words =
        [u64::from(mmap_prot) << 32 | u64::from(size_of_opaque_state), u64::from(mmap_flags), 0, 0];
    let target = target.cast::<u64>();
    store_u64(target, words[0])?;
    store_u64(target.wrapping_add(1), words[1])?;
    (2..size_of::<Parameters>() / 8).try_for_each(|at| store_u64(target.wrapping_add(at), 0))
}

/// The state of the kernel's generator, which a time namespace does not change, only moves.
#[inline(always)]
fn random_data() -> &'static RandomData {
    let data = arch::random_data();
    if !is_moved() {
        return data;
    }
    // As far behind the start of the namespace's page as it is behind the start of the other.
    let offset = (&raw const *data).addr() - (&raw const *arch::process_data()).addr();
    // SAFETY: the clock mode was just seen.
    let page: *const DataPage = unsafe { arch::namespace_data() };
    let data: *const RandomData = page.wrapping_byte_add(offset).cast();
    // SAFETY: in that page, aligned, and all fields are atomics.
    unsafe { &*data }
}

/// Whether the state is in another page than [`arch::random_data`] says.
#[inline(always)]
fn is_moved() -> bool {
    NAMESPACE_MOVES_RANDOM
        && arch::process_data().hres_coarse.mode.load(Relaxed) == CLOCK_MODE_TIMENS
}
