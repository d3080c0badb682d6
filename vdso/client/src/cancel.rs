//! Calls that another thread can call off.
//!
//! A thread that looks at a flag and then makes a system call can be called off between the two:
//! too late to see the flag, too early for a signal to interrupt the call. The image's cancellable
//! call has no such moment: it takes the flag's address and looks itself, and a signal handler
//! moves a thread that it finds between the look and the call to where the call says
//! [`Errno::ECANCELED`].
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use liblinux::{Call, Errno, Vdso, cancel::Cancel};
//!
//! static WORKER: Cancel = Cancel::new();
//!
//! let vdso = Vdso::find()?;
//! // SAFETY: the program uses the signal for nothing else.
//! unsafe { WORKER.enter(&vdso, 23) }?; // SIGURG; on the thread that makes calls
//! let mut byte = 0_u8;
//! let arguments = [0, (&raw mut byte).expose_provenance(), 1, 0, 0, 0];
//! // SAFETY: reads a byte into the variable. Any other thread may say WORKER.cancel().
//! match unsafe { WORKER.call(Call::read, arguments) } {
//!     Err(Errno::ECANCELED) => println!("called off, and nothing was read"),
//!     other => println!("{other:?}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - `ECANCELED` says that the call had no effect: no byte was read, no connection taken, no
//!   descriptor opened or closed. A call that had its effect returns its result, also if it was
//!   called off at that moment: then the next call is called off.
//! - It holds for each call until [`Cancel::reset`].
//! - `SA_RESTART` and other handlers change nothing. The handler here leaves the signal pending and
//!   blocked, so that each handler which it interrupted finds it again when it returns.
//!
//! # Invariants
//!
//! 1. A [`Cancel`] that was entered is on the list, and stays there with its entries: so the
//!    handler may follow every pointer that it finds.
//! 2. The handler trusts nothing that comes with the signal, which other processes may send.

#![expect(unsafe_code, reason = "installs a signal handler, and calls the image's functions")]

use crate::{Call, Errno, SA_RESTORER, Sigaction, Vdso};
use core::ffi::{c_int, c_void};
use core::mem::transmute;
use core::ptr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicUsize};
use liblinux_abi::arch::x86_64::signal::{SA_ONSTACK, SA_RESTART, SA_SIGINFO, SIGNAL_MASK};
pub use liblinux_abi::image::cancel::Window;
use liblinux_abi::image::export::{CANCEL, SYSCALL, SYSCALL_CANCELLABLE};

// `asm-generic/signal-defs.h`.
const SIG_UNBLOCK: usize = 1;

/// `__vdso_syscall`.
type Plain = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, usize) -> isize;
/// `__vdso_syscall_cancellable`.
type Cancellable =
    unsafe extern "C" fn(*mut u32, usize, usize, usize, usize, usize, usize, usize) -> isize;
/// `__vdso_cancel_dispatch`.
type Dispatch = unsafe extern "C" fn(*mut c_void) -> isize;

/// All that were entered, newest first.
static LIST: AtomicPtr<Cancel> = AtomicPtr::new(ptr::null_mut());

/// A thread whose calls can be called off.
#[derive(Debug)]
pub struct Cancel {
    state: AtomicU32,
    process: AtomicI32,
    thread: AtomicI32,
    signal: AtomicI32,
    cancellable: AtomicUsize,
    plain: AtomicUsize,
    dispatch: AtomicUsize,
    listed: AtomicBool,
    next: AtomicPtr<Self>,
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancel {
    /// One that no thread has entered.
    pub const fn new() -> Self {
        Self {
            state: AtomicU32::new(0),
            process: AtomicI32::new(0),
            thread: AtomicI32::new(0),
            signal: AtomicI32::new(0),
            cancellable: AtomicUsize::new(0),
            plain: AtomicUsize::new(0),
            dispatch: AtomicUsize::new(0),
            listed: AtomicBool::new(false),
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Makes it the calling thread's, and installs the handler of the signal. A child of `fork`
    /// does so again.
    ///
    /// Fails with [`Errno::NO_ENTRY`] on an image without cancellable calls, whatever
    /// [`Vdso::or_syscall`] says, and with `EINVAL` for a signal that cannot have a handler.
    ///
    /// # Safety
    ///
    /// - The program uses the signal for nothing else, the same one for all threads. `SIGURG` is a
    ///   good one: its default is to do nothing.
    /// - No other thread has entered it, or that one has left.
    pub unsafe fn enter(&'static self, vdso: &Vdso, signal: c_int) -> Result<(), Errno> {
        let entry = |name: &str| vdso.symbol(name).ok_or(Errno::NO_ENTRY);
        self.cancellable.store(entry(SYSCALL_CANCELLABLE)?, Relaxed);
        self.dispatch.store(entry(CANCEL[0])?, Relaxed);
        self.plain.store(entry(SYSCALL)?, Relaxed);
        self.state.store(0, Relaxed);
        self.signal.store(signal, Relaxed);
        let mut action = Sigaction {
            handler: (handler as *const ()).expose_provenance(),
            flags: SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_RESTART,
            restorer: vdso.entry(Call::rt_sigreturn).ok_or(Errno::NO_ENTRY)?,
            mask: 0,
        };
        let action = (&raw mut action).expose_provenance();
        // SAFETY: the kernel's structure, with a handler of this type; the signal is the program's
        // (the caller's contract).
        unsafe { self.plain(Call::rt_sigaction, [signal as usize, action, 0, 8]) }?;
        // SAFETY: asks for numbers.
        let process = unsafe { self.plain(Call::getpid, [0; 4]) }?;
        self.process.store(process as i32, Relaxed);
        self.enlist();
        // SAFETY: as above.
        let thread = unsafe { self.plain(Call::gettid, [0; 4]) }?;
        self.thread.store(thread as i32, Release); // Pairs with `cancel`: what is above is there.
        Ok(())
    }

    /// Puts it on the list, where it stays.
    fn enlist(&'static self) {
        if self.listed.swap(true, Relaxed) {
            return;
        }
        let this = ptr::from_ref(self).cast_mut();
        let mut first = LIST.load(Relaxed);
        loop {
            self.next.store(first, Relaxed);
            // Pairs with the handler's load: `next` and the entries are there.
            match LIST.compare_exchange_weak(first, this, Release, Relaxed) {
                Ok(_) => return,
                Err(found) => first = found,
            }
        }
    }

    /// Makes a call, unless it is called off: then it fails with [`Errno::ECANCELED`] and had no
    /// effect. `close` that is called off has left the descriptor open.
    ///
    /// Fails with [`Errno::NO_ENTRY`] where no thread has entered.
    ///
    /// # Safety
    ///
    /// - As for the call. The calling thread has entered.
    /// - It is not `fork`, `vfork`, `clone`, `clone3`, `exit` or `rt_sigreturn`.
    pub unsafe fn call(&self, call: Call, arguments: [usize; 6]) -> Result<usize, Errno> {
        let address = self.cancellable.load(Relaxed);
        if address == 0 {
            return Err(Errno::NO_ENTRY);
        }
        // SAFETY: the image's function of this type (`enter`).
        let entry = unsafe { transmute::<usize, Cancellable>(address) };
        let [a, b, c, d, e, f] = arguments;
        let number = call.number() as usize;
        // SAFETY: the caller's contract; the state lives as long as this.
        Errno::result(unsafe { entry(self.state.as_ptr(), number, a, b, c, d, e, f) })
    }

    /// Calls the thread off: the call that it is in, or about to make, and each one from then on.
    ///
    /// From any thread. Fails with `ESRCH` where no thread has entered, or it has ended; the state
    /// is set in any case.
    pub fn cancel(&'static self) -> Result<(), Errno> {
        // The signal comes behind the store: the image and the handler see the state.
        self.state.store(1, SeqCst);
        if self.thread.load(Acquire) == 0 {
            return Err(Errno::ESRCH); // Pairs with `enter`.
        }
        self.send()
    }

    /// Whether it is called off.
    pub fn is_cancelled(&self) -> bool {
        self.state.load(SeqCst) != 0
    }

    /// From now on calls are made again. For the thread that has entered.
    pub fn reset(&self) {
        self.state.store(0, SeqCst);
        let mut set = 1_u64 << (self.signal.load(Relaxed) - 1).clamp(0, 63);
        let set = (&raw mut set).expose_provenance();
        // A signal that is pending comes, and finds the state clear. With good arguments the call
        // cannot fail.
        // SAFETY: a mask of 8 bytes; the signal has this module's handler.
        let _ = unsafe { self.plain(Call::rt_sigprocmask, [SIG_UNBLOCK, set, 0, 8]) };
    }

    /// Gives it back, before the thread ends: another thread may enter then.
    ///
    /// For the thread that has entered.
    pub fn leave(&self) {
        self.thread.store(0, Release);
        self.reset();
    }

    /// Where a thread can be called off; `None` if the image has no cancellable calls.
    pub fn window(vdso: &Vdso) -> Option<Window> {
        let mut window = Window::default();
        let address = vdso.symbol(CANCEL[1])?;
        // SAFETY: the image's function of this type.
        let function = unsafe { transmute::<usize, extern "C" fn(*mut Window) -> isize>(address) };
        (function(&mut window) == 0).then_some(window)
    }

    fn send(&self) -> Result<(), Errno> {
        let [process, thread, signal] =
            [&self.process, &self.thread, &self.signal].map(|number| number.load(Relaxed) as usize);
        // SAFETY: the signal has this module's handler.
        unsafe { self.plain(Call::tgkill, [process, thread, signal, 0]) }.map(drop)
    }

    /// Makes a call that is not called off.
    ///
    /// # Safety
    ///
    /// As for the call.
    unsafe fn plain(&self, call: Call, arguments: [usize; 4]) -> Result<usize, Errno> {
        let address = self.plain.load(Relaxed);
        if address == 0 {
            return Err(Errno::NO_ENTRY);
        }
        // SAFETY: the image's function of this type (`enter`).
        let entry = unsafe { transmute::<usize, Plain>(address) };
        let [a, b, c, d] = arguments;
        // SAFETY: the caller's contract.
        Errno::result(unsafe { entry(call.number() as usize, a, b, c, d, 0, 0) })
    }
}

/// Moves the thread, and leaves the signal blocked and pending for whatever it returns to.
extern "C" fn handler(signal: c_int, _: *const c_void, context: *mut c_void) {
    // Pairs with `enlist`.
    let mut place = LIST.load(Acquire);
    let mut thread = None;
    loop {
        // SAFETY: what is on the list lives for good (`enlist`).
        let Some(found) = (unsafe { place.as_ref() }) else { return };
        // SAFETY: asks for a number, once.
        let ask = || unsafe { found.plain(Call::gettid, [0; 4]) }.unwrap_or(0) as i32;
        if found.thread.load(Relaxed) == *thread.get_or_insert_with(ask) {
            break;
        }
        place = found.next.load(Relaxed);
    }
    // SAFETY: as above, and not null.
    let Some(own) = (unsafe { place.as_ref() }) else { return };
    if !own.is_cancelled() {
        return;
    }
    // SAFETY: the image's function of this type (`enter`).
    let dispatch = unsafe { transmute::<usize, Dispatch>(own.dispatch.load(Relaxed)) };
    // SAFETY: the context of this signal.
    unsafe { dispatch(context) };
    // SAFETY: the context has a mask there.
    let mask = unsafe { context.cast::<u8>().add(SIGNAL_MASK) }.cast::<u64>();
    // SAFETY: likewise; it is this thread's alone.
    let blocked = unsafe { mask.read() } | 1 << (signal - 1);
    // SAFETY: likewise.
    unsafe { mask.write(blocked) };
    // A signal that cannot be sent again has been taken by the thread's end.
    let _ = own.send();
}
