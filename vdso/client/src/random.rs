//! Random bytes: the call, and from user space by a state that the caller keeps.
//!
//! The vDSO's `getrandom` is not the system call of that name: it has two parameters more, a state
//! and its size. [`Vdso::getrandom`] has the call's three arguments. With a state the function
//! answers without a system call, for as long as the kernel's generator was not reseeded:
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use liblinux::{Vdso, random::Random};
//!
//! let vdso = Vdso::find()?;
//! let random = Random::of(&vdso)?;
//! let states = random.map(&vdso, 16)?;        // memory for sixteen threads
//! let state = states.take().unwrap();         // one for this thread
//! let mut key = [0; 32];
//! state.fill(&mut key)?;
//! # Ok(())
//! # }
//! ```
//!
//! - **Fork.** A child finds its states empty, because the kernel zeroes such memory in it, asks
//!   the kernel for a key, and shares no byte with its parent. So states are only ever in memory
//!   that [`Random::map`] mapped.
//! - **Threads.** A state is one thread's at a time: it can be sent, not shared.
//! - **Signal handlers.** A handler may use the state of the thread that it interrupts. If the
//!   function is at work on it, the handler's bytes come from a system call, and the state is left
//!   alone.
//! - **Handlers that do not return** (`longjmp`, a cancelled thread) leave the state marked as in
//!   use: every later request is a system call. [`State::reset`] makes it a new one.
//! - **Kernels before 6.11** have neither the function nor such memory; [`Random::of`] or
//!   [`Random::map`] says so.
//!
//! # Invariants
//!
//! 1. Each state that [`States::take`] gives is another place in the mapping, and straddles no
//!    pages.
//! 2. The mapping has the protection and the flags that the image named.

#![expect(unsafe_code, reason = "calls the image's function, maps memory")]

use crate::{Call, Errno, Vdso};
use core::cell::Cell;
use core::ffi::{c_uint, c_void};
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::random::PROBE;
pub use liblinux_abi::kernel::random::{GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM, Parameters};

/// A line of the cache, which states of two threads do not share.
const LINE: usize = 64;

/// The vDSO's function: `include/vdso/getrandom.h`.
type Function = unsafe extern "C" fn(*mut c_void, usize, c_uint, *mut c_void, usize) -> isize;

impl Vdso {
    /// `getrandom(2)`, number 318, without a state: always by a system call.
    ///
    /// `ssize_t getrandom(void *buffer, size_t len, unsigned int flags)`
    ///
    /// # Safety
    ///
    /// `buffer` is valid for writes of `len` bytes.
    #[inline]
    pub unsafe fn getrandom(
        &self,
        buffer: *mut c_void,
        len: usize,
        flags: c_uint,
    ) -> Result<usize, Errno> {
        // SAFETY: the caller's contract. No state has size 0, so none is looked at.
        unsafe { self.getrandom_with_state(buffer, len, flags, ptr::null_mut(), 0) }
    }

    /// The standard function `getrandom`, with its five arguments. [`Random`] calls it as it wants
    /// to be called.
    ///
    /// `ssize_t getrandom(void *buffer, size_t len, unsigned int flags, void *opaque_state, size_t
    /// opaque_len)`
    ///
    /// # Safety
    ///
    /// - `buffer` is valid for writes of `len` bytes.
    /// - `opaque_state` is a state of this thread in memory that was mapped as the image asks, and
    ///   `opaque_len` its size; or `opaque_len` is 0; or it is `usize::MAX` with all else 0, and
    ///   `opaque_state` is valid for writes of [`Parameters`].
    #[inline]
    pub unsafe fn getrandom_with_state(
        &self,
        buffer: *mut c_void,
        len: usize,
        flags: c_uint,
        opaque_state: *mut c_void,
        opaque_len: usize,
    ) -> Result<usize, Errno> {
        let Some(function) = function(self) else {
            let arguments = [buffer.expose_provenance(), len, flags as usize];
            // SAFETY: the caller's contract; the call knows of no state.
            return unsafe { self.without_entry(Call::getrandom, &arguments) };
        };
        // SAFETY: the caller's contract.
        Errno::result(unsafe { function(buffer, len, flags, opaque_state, opaque_len) })
    }
}

fn function(vdso: &Vdso) -> Option<Function> {
    // SAFETY: the image exports a function of this type there (`Vdso`, invariant 1).
    vdso.entry(Call::getrandom)
        .map(|entry| unsafe { core::mem::transmute::<usize, Function>(entry) })
}

/// An image's generator.
#[derive(Clone, Copy, Debug)]
pub struct Random {
    function: Function,
    parameters: Parameters,
}

impl Random {
    /// The generator of an image; [`Errno::NO_ENTRY`] if it has none that keeps states.
    pub fn of(vdso: &Vdso) -> Result<Self, Errno> {
        let function = function(vdso).ok_or(Errno::NO_ENTRY)?;
        let mut parameters =
            Parameters { size_of_opaque_state: 0, mmap_prot: 0, mmap_flags: 0, reserved: [0; 13] };
        // SAFETY: the probe, which writes the parameters and nothing else.
        let answer = unsafe {
            function(ptr::null_mut(), 0, 0, (&raw mut parameters).cast::<c_void>(), PROBE)
        };
        let size = parameters.size_of_opaque_state as usize;
        if answer != 0 || size == 0 || size > PAGE_SIZE {
            return Err(Errno::NO_ENTRY);
        }
        Ok(Self { function, parameters })
    }

    /// How states have to be allocated.
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Maps memory for so many states, by the image's `mmap`. A kernel before 6.11 refuses that
    /// with `EINVAL`.
    pub fn map<'image>(&self, vdso: &'image Vdso, count: usize) -> Result<States<'image>, Errno> {
        let pages = count.div_ceil(self.states_in_a_page());
        let size = pages.checked_mul(PAGE_SIZE).filter(|size| *size != 0).ok_or(Errno::EINVAL)?;
        let (protection, flags) =
            (self.parameters.mmap_prot.into(), self.parameters.mmap_flags.into());
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let address = unsafe { vdso.mmap(0, size as u64, protection, flags, -1, 0) }?;
        let taken = AtomicUsize::new(0);
        Ok(States { random: *self, vdso, address, size, count, taken })
    }

    /// Bytes from one state to the next.
    const fn stride(&self) -> usize {
        (self.parameters.size_of_opaque_state as usize).next_multiple_of(LINE)
    }

    const fn states_in_a_page(&self) -> usize {
        PAGE_SIZE / self.stride()
    }
}

/// Memory with states for threads to take. It is unmapped when it is dropped.
#[derive(Debug)]
pub struct States<'image> {
    random: Random,
    vdso: &'image Vdso,
    address: usize,
    size: usize,
    count: usize,
    taken: AtomicUsize,
}

impl States<'_> {
    /// A state that was not taken yet; `None` if all were. A thread that is done with its state may
    /// send it to another.
    pub fn take(&self) -> Option<State<'_>> {
        let next = |taken: usize| (taken < self.count).then_some(taken + 1);
        let index = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        let in_a_page = self.random.states_in_a_page();
        let offset = index / in_a_page * PAGE_SIZE + index % in_a_page * self.random.stride();
        let place = ptr::with_exposed_provenance_mut(self.address + offset);
        Some(State { random: self.random, place, not_shared: PhantomData })
    }
}

impl Drop for States<'_> {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, and every state of it borrows from here.
        let _ = unsafe { self.vdso.munmap(self.address as u64, self.size) };
    }
}

/// A thread's state. A signal handler on this thread may use it as well.
#[derive(Debug)]
pub struct State<'memory> {
    random: Random,
    place: *mut c_void,
    not_shared: PhantomData<(&'memory States<'memory>, Cell<()>)>,
}

// SAFETY: the place is this state's alone, and nothing in it is bound to a thread.
unsafe impl Send for State<'_> {}

impl State<'_> {
    /// Fills a buffer.
    ///
    /// It may have to wait until the kernel's generator is ready, early at boot; a signal handler
    /// may end that with `EINTR`.
    pub fn fill(&self, buffer: &mut [u8]) -> Result<(), Errno> {
        let mut done = 0;
        while done < buffer.len() {
            let rest = &mut buffer[done..];
            // SAFETY: bytes of any kind are valid, and nothing that is not a byte is stored through
            // it.
            let rest = unsafe { &mut *(ptr::from_mut(rest) as *mut [MaybeUninit<u8>]) };
            done += self.getrandom(rest, 0)?;
        }
        Ok(())
    }

    /// As `getrandom(2)`: how many bytes were written, from the start of the buffer, which for more
    /// than 256 may be fewer than asked for.
    pub fn getrandom(&self, buffer: &mut [MaybeUninit<u8>], flags: c_uint) -> Result<usize, Errno> {
        let size = self.random.parameters.size_of_opaque_state as usize;
        let (start, len) = (buffer.as_mut_ptr().cast::<c_void>(), buffer.len());
        // SAFETY: the buffer has that size, and the state is this thread's (invariants 1 and 2).
        Errno::result(unsafe { (self.random.function)(start, len, flags, self.place, size) })
    }

    /// Where it is, for [`Vdso::getrandom_with_state`] or for C.
    pub const fn as_ptr(&self) -> *mut c_void {
        self.place
    }

    /// Makes it a new state: all zeros.
    pub fn reset(&mut self) {
        let size = self.random.parameters.size_of_opaque_state as usize;
        // SAFETY: the state's own memory, on which no call is at work, as this is the only
        // reference.
        unsafe { self.place.cast::<u8>().write_bytes(0, size) };
    }
}

const _: () = assert!(PAGE_SIZE.is_multiple_of(LINE));
