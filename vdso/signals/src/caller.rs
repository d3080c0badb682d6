//! Which library an address is in.

#![expect(unsafe_code, reason = "calls the dynamic loader")]

use crate::libc::{Object, RTLD_DEFAULT, dlsym};
use core::ffi::c_int;
use core::mem::{MaybeUninit, transmute};
use core::ops::Range;
use core::ptr::with_exposed_provenance;
use core::sync::atomic::{AtomicUsize, Ordering};

type Function = unsafe extern "C" fn(usize, *mut Object) -> c_int;

static FIND: AtomicUsize = AtomicUsize::new(0);

/// Finds `_dl_find_object`, which takes no lock and may be called anywhere.
pub(crate) fn initialise() {
    // SAFETY: a name.
    let find = unsafe { dlsym(RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
    FIND.store(find.expose_provenance(), Ordering::Relaxed);
}

/// The addresses of the library or program that an address is in; none for code that no file has,
/// or if the libc does not say.
pub(crate) fn library(address: usize) -> Option<Range<usize>> {
    let find: *const () = with_exposed_provenance(FIND.load(Ordering::Relaxed));
    if find.is_null() {
        return None;
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
