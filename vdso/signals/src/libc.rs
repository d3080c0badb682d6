//! The libc's types and functions, as glibc and musl have them on x86-64.

#![expect(unsafe_code, reason = "declares functions of the libc")]

use core::ffi::{c_char, c_int, c_void};
use liblinux::chain::Action;

/// `struct sigaction` of the libc.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sigaction {
    pub(crate) handler: usize,
    mask: [u64; 16],
    flags: c_int,
    restorer: usize,
}

impl Sigaction {
    /// An action with one signal, or none, in its mask.
    pub(crate) const fn new(handler: usize, flags: c_int, mask: u64) -> Self {
        let mut words = [0; 16];
        words[0] = mask;
        Self { handler, mask: words, flags, restorer: 0 }
    }

    pub(crate) fn of(action: &Action) -> Self {
        let mut this = Self::new(action.handler, action.flags as u32 as c_int, action.mask);
        this.restorer = action.restorer;
        this
    }

    pub(crate) fn action(&self) -> Action {
        Action {
            handler: self.handler,
            flags: u64::from(self.flags.cast_unsigned()),
            restorer: self.restorer,
            mask: self.mask[0],
        }
    }

    /// Whether `SA_RESTART` is set.
    pub(crate) fn set_restart(&mut self, restarts: bool) {
        self.flags = if restarts { self.flags | SA_RESTART } else { self.flags & !SA_RESTART };
    }
}

pub(crate) const SIG_DFL: usize = 0;
pub(crate) const SIG_IGN: usize = 1;
/// `SIG_ERR`, and `SIG_HOLD` of `sigset`.
pub(crate) const SIG_ERR: usize = usize::MAX;
pub(crate) const SIG_HOLD: usize = 2;
pub(crate) const SA_RESTART: c_int = 0x1000_0000;
pub(crate) const SA_NODEFER: c_int = 0x4000_0000;
pub(crate) const SA_RESETHAND: c_int = 0x8000_0000_u32 as c_int;
pub(crate) const EINVAL: c_int = 22;

/// `struct dl_find_object` (`dlfcn.h`).
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) flags: u64,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) map: usize,
    pub(crate) frames: usize,
    pub(crate) reserved: [u64; 7],
}

pub(crate) const RTLD_NEXT: *mut c_void = core::ptr::without_provenance_mut(usize::MAX);
pub(crate) const RTLD_DEFAULT: *mut c_void = core::ptr::null_mut();

unsafe extern "C" {
    pub(crate) fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    pub(crate) fn __errno_location() -> *mut c_int;
    pub(crate) fn getauxval(kind: u64) -> u64;
    pub(crate) fn pthread_atfork(
        prepare: extern "C" fn(),
        parent: extern "C" fn(),
        child: extern "C" fn(),
    ) -> c_int;
}

/// Ends a function of the libc's kind with an error.
pub(crate) fn fail(errno: c_int) -> c_int {
    // SAFETY: the libc's, which is always there.
    let place = unsafe { __errno_location() };
    // SAFETY: this thread's.
    unsafe { place.write(errno) };
    -1
}
