//! The pages of a signal handler: its code, and behind it the data that it works with.
//!
//! # The handler that was there before
//!
//! It sees what it would see if the kernel called it. By its flags:
//!
//! | Flag | How |
//! |---|---|
//! | `SA_ONSTACK` | this handler has it; without it the frame is copied to the interrupted stack |
//! | `SA_NODEFER`, its mask | blocked before the jump; this handler itself blocks nothing, since `dispatch` may fault |
//! | `SA_RESETHAND` | the entry of the data becomes SIG_DFL, in one exchange; this handler stays |
//! | `SA_RESTART` | this handler has it if that one had |
//! | `SA_SIGINFO` | the arguments are always there, as from the kernel |
//! | `SA_RESTORER` | not: it returns by the image, as a thread has to whose calls are pinned to the image |
//!
//! What differs beside the last: `sigaction` finds this handler, and a signal that is ignored still interrupts the calls that
//! the kernel never restarts behind a handler (`poll`, `nanosleep`).
//!
//! # Invariants
//!
//! 1. The layout of the data is that of `handler.s`, and part of the signature: libraries of different age share pages.

#![expect(unsafe_code, reason = "maps pages and installs signal handlers")]

use crate::{Call, Errno, Vdso, arch};
use core::mem::offset_of;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use liblinux_abi::layout::PAGE_SIZE;

/// Bytes in front of the handler.
const SIGNATURE: usize = 16;

/// What exceptions become. SIGSEGV is the last to be taken over, because it is the one by which the pages are found.
const SIGNALS: [usize; 4] = {
    let [ill, bus, fpe, segv] = liblinux_abi::exception::SIGNALS;
    [ill as usize, bus as usize, fpe as usize, segv as usize]
};
const SIGSEGV: usize = SIGNALS[3];

// `asm/signal.h`.
const SA_SIGINFO: u64 = 4;
const SA_RESTORER: u64 = 0x0400_0000;
const SA_ONSTACK: u64 = 0x0800_0000;
const SA_RESTART: u64 = 0x1000_0000;
const SA_NODEFER: u64 = 0x4000_0000;

/// The kernel's `struct sigaction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
struct Action {
    handler: u64,
    flags: u64,
    restorer: u64,
    mask: u64,
}

impl Action {
    /// Flags of a handler that takes this one's place. The handler itself passes on what each handler is called with; whether a
    /// call is restarted behind it is the kernel's decision, by the flags that the kernel sees. A signal that is ignored
    /// interrupts no call.
    fn flags_in_front(&self) -> u64 {
        const SIG_IGN: u64 = 1;
        let restart = if self.handler > SIG_IGN { self.flags & SA_RESTART } else { SA_RESTART };
        SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER | restart
    }
}

/// What is behind the code.
#[repr(C)]
struct Data {
    area: AtomicU64,
    dispatch: u64,
    rt_sigaction: u64,
    rt_sigprocmask: u64,
    rt_tgsigqueueinfo: u64,
    getpid: u64,
    gettid: u64,
    _free: u64,
    previous: [Action; 32],
}

const _: () = {
    assert!(offset_of!(Data, gettid) == 48 && offset_of!(Data, previous) == 64);
    assert!(size_of::<Data>() <= PAGE_SIZE && size_of::<Action>() == 32);
};

/// A handler's pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pages {
    address: usize,
}

impl Pages {
    /// The pages of the handler of SIGSEGV, if it is one of ours.
    pub(super) fn installed(vdso: &Vdso) -> Result<Option<Self>, Errno> {
        let mut action = Action::default();
        let size = size_of_val(&action.mask);
        // SAFETY: asks for the disposition, whose mask has this size.
        unsafe { vdso.rt_sigaction(SIGSEGV as i32, ptr::null(), (&raw mut action).cast(), size) }?;
        Ok(Self::of(action.handler as usize))
    }

    /// The pages that a handler is in, if it is one of ours.
    fn of(handler: usize) -> Option<Self> {
        let address = handler.checked_sub(SIGNATURE)?;
        if address == 0 || !address.is_multiple_of(PAGE_SIZE) {
            return None;
        }
        let signature: *const [u8; SIGNATURE] = ptr::with_exposed_provenance(address);
        // SAFETY: a handler is code, so its page is there; these bytes are on it.
        let found = unsafe { signature.read() };
        (found == arch::handler()[..SIGNATURE]).then_some(Self { address })
    }

    /// Makes pages for an area and installs their handler. If a handler of ours was installed in the meantime, it stays
    /// the predecessor of this one, and is returned.
    pub(super) fn install(vdso: &Vdso, area: u64) -> Result<(Self, Option<Self>), Errno> {
        const PROT_READ_WRITE: u64 = 3;
        const PROT_READ_EXEC: u64 = 5;
        const MAP_PRIVATE_ANONYMOUS: u64 = 0x22;
        let entry = |call| vdso.entry(call).ok_or(Errno::NO_ENTRY).map(|entry| entry as u64);
        let mut data = Data {
            area: AtomicU64::new(area),
            dispatch: vdso.symbol("__vdso_fixup_dispatch").ok_or(Errno::NO_ENTRY)? as u64,
            rt_sigaction: entry(Call::rt_sigaction)?,
            rt_sigprocmask: entry(Call::rt_sigprocmask)?,
            rt_tgsigqueueinfo: entry(Call::rt_tgsigqueueinfo)?,
            getpid: entry(Call::getpid)?,
            gettid: entry(Call::gettid)?,
            _free: 0,
            previous: [Action::default(); 32],
        };
        let restorer = entry(Call::rt_sigreturn)?;
        for signal in SIGNALS {
            let previous = (&raw mut data.previous[signal]).cast();
            // SAFETY: asks for the disposition.
            unsafe { vdso.rt_sigaction(signal as i32, ptr::null(), previous, 8) }?;
        }
        let flags = SIGNALS.map(|signal| data.previous[signal].flags_in_front());
        let size = 2 * PAGE_SIZE;
        // SAFETY: a new mapping.
        let address = unsafe { vdso.mmap(0, size as u64, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0) }?;
        let pages = Self { address };
        let (code, start) = (arch::handler(), ptr::with_exposed_provenance_mut::<u8>(address));
        // SAFETY: the code is less than a page, and this one is new.
        unsafe { start.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
        // SAFETY: the second page, of which nobody knows yet.
        unsafe { pages.data().write(data) };
        // SAFETY: the first page, from which nobody reads yet.
        unsafe { vdso.mprotect(address as u64, PAGE_SIZE, PROT_READ_EXEC) }?;
        let mut earlier = None;
        for (signal, flags) in SIGNALS.into_iter().zip(flags) {
            let ours = Action { handler: (address + SIGNATURE) as u64, flags, restorer, mask: 0 };
            let mut replaced = Action::default();
            let (new, old) = ((&raw const ours).cast(), (&raw mut replaced).cast());
            // SAFETY: the handler is whole, and passes on what is not for it.
            unsafe { vdso.rt_sigaction(signal as i32, new, old, 8) }?;
            let place =
                pages.data().wrapping_byte_add(offset_of!(Data, previous) + signal * size_of::<Action>());
            // SAFETY: in the second page. A fault of another thread in between went to what was there before.
            unsafe { place.cast::<Action>().write(replaced) };
            if signal == SIGSEGV {
                earlier = Self::of(replaced.handler as usize);
            }
        }
        Ok((pages, earlier))
    }

    /// Address of the area that the handler consults.
    pub(super) fn lead(self) -> u64 {
        // Acquire: pairs with `follow`.
        self.area().load(Ordering::Acquire)
    }

    /// Leads to another area, if nobody else did in the meantime.
    pub(super) fn follow(self, old: u64, new: u64) {
        // Release: what is in the new area comes first. Pairs with the load in `lead`, and with the handler's, which
        // x86 keeps in order. Who loses finds that the winner's area goes on from the same old one.
        let _ = self.area().compare_exchange(old, new, Ordering::Release, Ordering::Relaxed);
    }

    fn area(self) -> &'static AtomicU64 {
        // SAFETY: the second page is never unmapped (invariant 1 of the module above), and this field is atomic.
        unsafe { &(*self.data()).area }
    }

    fn data(self) -> *mut Data {
        ptr::with_exposed_provenance_mut(self.address + PAGE_SIZE)
    }
}
