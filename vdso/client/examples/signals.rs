//! One signal, three that handle it: a handler that was there before, a link that takes every other
//! signal, and one that only counts.

#![expect(unsafe_code, reason = "installs handlers, and sends a signal")]

use liblinux::chain::{Chain, Handler, Link};
use liblinux::{SA_RESTORER, Sigaction, Vdso};
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

const SIGUSR1: c_int = 10;

static CHAIN: Chain<16> = Chain::new();
static HANDLER: Handler = Handler::new(CHAIN.area());

static TAKER: Link = Link::new(SIGUSR1, every_other);
static OBSERVER: Link = Link::new(SIGUSR1, count).order(-1).observer();

static EARLIER: AtomicU32 = AtomicU32::new(0);
static COUNTED: AtomicU32 = AtomicU32::new(0);

extern "C" fn before(_signal: c_int) {
    EARLIER.fetch_add(1, Relaxed);
}

unsafe extern "C-unwind" fn every_other(
    _signal: c_int,
    _information: *mut c_void,
    _context: *mut c_void,
    _cookie: *mut c_void,
) -> c_int {
    c_int::from(COUNTED.load(Relaxed) % 2 == 1)
}

unsafe extern "C-unwind" fn count(
    _signal: c_int,
    _information: *mut c_void,
    _context: *mut c_void,
    _cookie: *mut c_void,
) -> c_int {
    COUNTED.fetch_add(1, Relaxed);
    0
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let vdso = Vdso::find()?;
    let restorer = vdso.entry(liblinux::Call::rt_sigreturn).ok_or("the image has no entries")?;
    let handler = (before as extern "C" fn(c_int)) as usize;
    let action = Sigaction { handler, flags: SA_RESTORER, restorer, mask: 0 };
    // SAFETY: the handler only counts.
    unsafe { vdso.rt_sigaction(SIGUSR1, (&raw const action).cast(), null_mut(), 8) }?;

    for link in [&TAKER, &OBSERVER] {
        // SAFETY: the handlers only count, and are static.
        unsafe { CHAIN.add(link) }?;
    }
    HANDLER.install(&vdso, SIGUSR1)?;
    for _ in 0..10 {
        // SAFETY: to this process, which has a handler.
        unsafe { vdso.kill(std::process::id() as c_int, SIGUSR1) }?;
    }
    CHAIN.remove(&TAKER)?;
    CHAIN.remove(&OBSERVER)?;
    let (counted, earlier) = (COUNTED.load(Relaxed), EARLIER.load(Relaxed));
    println!("counted {counted}, left to the handler before {earlier}");
    Ok(())
}
