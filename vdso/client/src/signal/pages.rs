//! The pages of a signal handler: its code, and behind it the data that it works with.
//!
//! # Invariants
//!
//! 1. The layout of the data is `liblinux_abi::arch::x86_64::handler`'s, and part of the signature:
//!    libraries of different age share pages.

#![expect(unsafe_code, reason = "maps pages and installs signal handlers")]

use super::code;
use crate::{Call, Errno, Vdso};
use core::mem::offset_of;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use liblinux_abi::arch::x86_64::handler::{Data, SIGNATURE_SIZE};
use liblinux_abi::arch::x86_64::signal::{
    Action, SA_NODEFER, SA_ONSTACK, SA_RESTART, SA_RESTORER, SA_SIGINFO,
};
use liblinux_abi::image::layout::PAGE_SIZE;

/// The signals of exceptions. SIGSEGV is the last to be taken over, because it is the one by which
/// the pages are found.
const SIGNALS: [usize; 4] = {
    let [ill, bus, fpe, segv] = liblinux_abi::arch::x86_64::exception::SIGNALS;
    [ill as usize, bus as usize, fpe as usize, segv as usize]
};
const SIGSEGV: usize = SIGNALS[3];

/// Flags of a handler that takes this one's place. The handler itself passes on what each handler
/// is called with; whether a call is restarted behind it is the kernel's decision, by the flags
/// that the kernel sees. A signal that is ignored interrupts no call.
fn flags_in_front(previous: &Action) -> u64 {
    const SIG_IGN: usize = 1;
    let restart = if previous.handler > SIG_IGN { previous.flags & SA_RESTART } else { SA_RESTART };
    SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER | restart
}

/// A handler's pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pages {
    address: usize,
}

impl Pages {
    /// The pages of the handler of SIGSEGV, if it is the client's.
    pub(crate) fn installed(vdso: &Vdso) -> Result<Option<Self>, Errno> {
        let mut action = Action::default();
        let size = size_of_val(&action.mask);
        // SAFETY: asks for the disposition, whose mask has this size.
        unsafe { vdso.rt_sigaction(SIGSEGV as i32, ptr::null(), (&raw mut action).cast(), size) }?;
        Ok(Self::of(action.handler))
    }

    /// The pages that a handler is in, if it is the client's.
    fn of(handler: usize) -> Option<Self> {
        let address = handler.checked_sub(SIGNATURE_SIZE)?;
        if address == 0 || !address.is_multiple_of(PAGE_SIZE) {
            return None;
        }
        let signature: *const [u8; SIGNATURE_SIZE] = ptr::with_exposed_provenance(address);
        // SAFETY: a handler is code, so its page is there; these bytes are on it.
        let found = unsafe { signature.read() };
        (found == code()[..SIGNATURE_SIZE]).then_some(Self { address })
    }

    /// Makes pages for an area and installs their handler. If another library installed such a
    /// handler in the meantime, that one stays the predecessor of this one, and is returned.
    pub(crate) fn install(vdso: &Vdso, area: u64) -> Result<(Self, Option<Self>), Errno> {
        const PROT_READ_WRITE: u64 = 3;
        const PROT_READ_EXEC: u64 = 5;
        const MAP_PRIVATE_ANONYMOUS: u64 = 0x22;
        let entry = |call| vdso.entry(call).ok_or(Errno::NO_ENTRY).map(|entry| entry as u64);
        let mut data = Data {
            area,
            dispatch: vdso.symbol("__vdso_fixup_dispatch").ok_or(Errno::NO_ENTRY)? as u64,
            rt_sigaction: entry(Call::rt_sigaction)?,
            rt_sigprocmask: entry(Call::rt_sigprocmask)?,
            rt_tgsigqueueinfo: entry(Call::rt_tgsigqueueinfo)?,
            getpid: entry(Call::getpid)?,
            gettid: entry(Call::gettid)?,
            reserved: 0,
            previous: [Action::default(); 32],
        };
        let restorer = vdso.entry(Call::rt_sigreturn).ok_or(Errno::NO_ENTRY)?;
        for signal in SIGNALS {
            let previous = (&raw mut data.previous[signal]).cast();
            // SAFETY: asks for the disposition.
            unsafe { vdso.rt_sigaction(signal as i32, ptr::null(), previous, 8) }?;
        }
        let flags = SIGNALS.map(|signal| flags_in_front(&data.previous[signal]));
        let size = 2 * PAGE_SIZE;
        // SAFETY: a new mapping.
        let address =
            unsafe { vdso.mmap(0, size as u64, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0) }?;
        let pages = Self { address };
        let (code, start) = (code(), ptr::with_exposed_provenance_mut::<u8>(address));
        // SAFETY: the code is less than a page, and this one is new.
        unsafe { start.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
        // SAFETY: the second page, which no other thread knows yet.
        unsafe { pages.data().write(data) };
        // SAFETY: the first page, which no other thread reads yet.
        unsafe { vdso.mprotect(address as u64, PAGE_SIZE, PROT_READ_EXEC) }?;
        let mut earlier = None;
        for (signal, flags) in SIGNALS.into_iter().zip(flags) {
            let ours = Action { handler: address + SIGNATURE_SIZE, flags, restorer, mask: 0 };
            let mut replaced = Action::default();
            let (new, old) = ((&raw const ours).cast(), (&raw mut replaced).cast());
            // SAFETY: the handler is whole, and passes on signals that are not for it.
            unsafe { vdso.rt_sigaction(signal as i32, new, old, 8) }?;
            let place = pages
                .data()
                .wrapping_byte_add(offset_of!(Data, previous) + signal * size_of::<Action>());
            // SAFETY: in the second page. A fault of another thread in between went to the handler
            // that was there before.
            unsafe { place.cast::<Action>().write(replaced) };
            if signal == SIGSEGV {
                earlier = Self::of(replaced.handler);
            }
        }
        Ok((pages, earlier))
    }

    /// Address of the area that the handler consults.
    pub(crate) fn consulted_area(self) -> u64 {
        // Acquire: pairs with `consult`.
        self.area().load(Ordering::Acquire)
    }

    /// Has the handler consult the area `new` in place of `old`, unless another thread has changed
    /// the area since.
    pub(crate) fn consult(self, old: u64, new: u64) {
        // Release: the content of the new area comes first. Pairs with the load in
        // `consulted_area`, and with the handler's, which x86 keeps in order. The loser finds that
        // the winner's area continues the same old one.
        let _ = self.area().compare_exchange(old, new, Ordering::Release, Ordering::Relaxed);
    }

    fn area(self) -> &'static AtomicU64 {
        let area = self.data().wrapping_byte_add(offset_of!(Data, area)).cast();
        // SAFETY: the second page is never unmapped (invariant 2 of the module above), and once the
        // handler is installed this field is changed by atomics alone.
        unsafe { AtomicU64::from_ptr(area) }
    }

    fn data(self) -> *mut Data {
        ptr::with_exposed_provenance_mut(self.address + PAGE_SIZE)
    }
}
