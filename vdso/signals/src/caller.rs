//! Which library an address is in.
//!
//! glibc's `_dl_find_object` says that, takes no lock and may be called anywhere. musl has no such
//! function; there the list of its objects is walked, which it keeps for debuggers ([`musl`]).

#![expect(unsafe_code, reason = "calls the dynamic loader")]

use crate::libc::{Object, RTLD_DEFAULT, dlsym};
use crate::musl;
use core::ffi::{CStr, c_int};
use core::mem::{MaybeUninit, transmute};
use core::ops::Range;
use core::ptr::with_exposed_provenance;
use core::sync::atomic::{AtomicUsize, Ordering};

type Function = unsafe extern "C" fn(usize, *mut Object) -> c_int;

static FIND: AtomicUsize = AtomicUsize::new(0);
/// Address of musl's pointer to its list.
static LIST: AtomicUsize = AtomicUsize::new(0);

/// Looks up the one that the libc has, which a signal handler could not.
pub(crate) fn initialise() {
    FIND.store(address_of(c"_dl_find_object"), Ordering::Relaxed);
    LIST.store(address_of(c"_dl_debug_addr"), Ordering::Relaxed);
}

/// The address of a symbol of the process, or 0.
fn address_of(name: &CStr) -> usize {
    // SAFETY: a name.
    unsafe { dlsym(RTLD_DEFAULT, name.as_ptr()) }.expose_provenance()
}

/// The addresses of the library or program that an address is in; none for code that no file has,
/// or if the libc does not say.
pub(crate) fn library(address: usize) -> Option<Range<usize>> {
    let find: *const () = with_exposed_provenance(FIND.load(Ordering::Relaxed));
    if find.is_null() {
        return musl::library(LIST.load(Ordering::Relaxed), address);
    }
    // SAFETY: the libc's function, of that type.
    let find = unsafe { transmute::<*const (), Function>(find) };
    let mut object = MaybeUninit::<Object>::uninit();
    // SAFETY: memory for the answer.
    if unsafe { find(address, object.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: it succeeded.
    let object = unsafe { object.assume_init() };
    Some(object.start..object.end)
}
