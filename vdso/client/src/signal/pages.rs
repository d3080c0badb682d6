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

/// The signature of pages of fixups.
fn fixups() -> &'static [u8; SIGNATURE_SIZE] {
    code().first_chunk().expect("the code begins with it")
}

/// The action of a signal.
pub(crate) fn action(vdso: &Vdso, signal: usize) -> Result<Action, Errno> {
    let mut action = Action::default();
    let size = size_of_val(&action.mask);
    // SAFETY: asks for the disposition, whose mask has this size.
    unsafe { vdso.rt_sigaction(signal as i32, ptr::null(), (&raw mut action).cast(), size) }?;
    Ok(action)
}

/// Flags of a handler that takes this one's place. The handler itself passes on what each handler
/// is called with; whether a call is restarted behind it is the kernel's decision, by the flags
/// that the kernel sees. A signal that is ignored interrupts no call.
pub(crate) fn flags_in_front(previous: &Action) -> u64 {
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
        Ok(Self::of(action(vdso, SIGSEGV)?.handler))
    }

    /// The pages that a handler of fixups is in, if it is the client's.
    fn of(handler: usize) -> Option<Self> {
        Self::signed(handler).filter(|(_, signature)| signature == fixups()).map(|(pages, _)| pages)
    }

    /// The pages that a handler may be in, with the bytes that are their signature if it is.
    fn signed(handler: usize) -> Option<(Self, [u8; SIGNATURE_SIZE])> {
        let address = handler.checked_sub(SIGNATURE_SIZE)?;
        if address == 0 || !address.is_multiple_of(PAGE_SIZE) {
            return None;
        }
        let signature: *const [u8; SIGNATURE_SIZE] = ptr::with_exposed_provenance(address);
        // SAFETY: a handler is code, so its page is there; these bytes are on it.
        let found = unsafe { signature.read() };
        Some((Self { address }, found))
    }

    /// Makes pages for an area and installs their handler. If another library installed such a
    /// handler in the meantime, that one stays the predecessor of this one, and is returned.
    pub(crate) fn install(vdso: &Vdso, area: u64) -> Result<(Self, Option<Self>), Errno> {
        let dispatch = vdso.symbol("__vdso_fixup_dispatch").ok_or(Errno::NO_ENTRY)?;
        let pages = Self::make(vdso, fixups(), area, dispatch)?;
        // Before any handler changes, so that one that fails leaves all as they were.
        for signal in SIGNALS {
            let previous = action(vdso, signal)?;
            // SAFETY: no other thread knows the pages yet.
            unsafe { pages.previous(signal).write(previous) };
        }
        let mut earlier = None;
        for signal in SIGNALS {
            // SAFETY: as above, and the handler is not yet that of the signal.
            let flags = flags_in_front(&unsafe { pages.previous(signal).read() });
            let replaced = pages.replace(vdso, signal, flags)?;
            // SAFETY: in the second page. A fault of another thread in between went to the handler
            // that was there before.
            unsafe { pages.previous(signal).write(replaced) };
            if signal == SIGSEGV {
                earlier = Self::of(replaced.handler);
            }
        }
        Ok((pages, earlier))
    }

    /// Makes pages whose handler calls `dispatch` with `area`. No signal has it yet.
    pub(crate) fn make(
        vdso: &Vdso,
        signature: &[u8; SIGNATURE_SIZE],
        area: u64,
        dispatch: usize,
    ) -> Result<Self, Errno> {
        const PROT_READ_WRITE: u64 = 3;
        const PROT_READ_EXEC: u64 = 5;
        const MAP_PRIVATE_ANONYMOUS: u64 = 0x22;
        let function = |call| vdso.function(call).ok_or(Errno::NO_ENTRY).map(|entry| entry as u64);
        let data = Data {
            area,
            dispatch: dispatch as u64,
            rt_sigaction: function(Call::rt_sigaction)?,
            rt_sigprocmask: function(Call::rt_sigprocmask)?,
            rt_tgsigqueueinfo: function(Call::rt_tgsigqueueinfo)?,
            getpid: function(Call::getpid)?,
            gettid: function(Call::gettid)?,
            reserved: 0,
            previous: [Action::default(); 32],
        };
        let size = 2 * PAGE_SIZE;
        // SAFETY: a new mapping.
        let address =
            unsafe { vdso.mmap(0, size as u64, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0) }?;
        let pages = Self { address };
        let (code, start) = (code(), ptr::with_exposed_provenance_mut::<u8>(address));
        // SAFETY: the code is less than a page, and this one is new.
        unsafe { start.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
        // SAFETY: the same page.
        unsafe { start.cast::<[u8; SIGNATURE_SIZE]>().write(*signature) };
        // SAFETY: the second page, which no other thread knows yet.
        unsafe { pages.data().write(data) };
        // SAFETY: the first page, which no other thread reads yet.
        unsafe { vdso.mprotect(address as u64, PAGE_SIZE, PROT_READ_EXEC) }?;
        Ok(pages)
    }

    /// Gives a signal the handler; the action that it had.
    pub(crate) fn replace(self, vdso: &Vdso, signal: usize, flags: u64) -> Result<Action, Errno> {
        let restorer = vdso.function(Call::rt_sigreturn).ok_or(Errno::NO_ENTRY)?;
        let ours = Action { handler: self.handler(), flags, restorer, mask: 0 };
        let mut replaced = Action::default();
        let (new, old) = ((&raw const ours).cast(), (&raw mut replaced).cast());
        // SAFETY: the handler is whole, and passes on signals that are not for it.
        unsafe { vdso.rt_sigaction(signal as i32, new, old, size_of_val(&ours.mask)) }?;
        Ok(replaced)
    }

    /// The pages that have a handler; none of address 0.
    pub(crate) fn with_handler(handler: usize) -> Option<Self> {
        handler.checked_sub(SIGNATURE_SIZE).map(|address| Self { address })
    }

    /// Takes pages away whose handler no signal had.
    pub(crate) fn unmap(self, vdso: &Vdso) {
        // SAFETY: they are known to this thread alone. If it fails, they stay.
        let _ = unsafe { vdso.munmap(self.address as u64, 2 * PAGE_SIZE) };
    }

    /// Address of the handler.
    pub(crate) fn handler(self) -> usize {
        self.address + SIGNATURE_SIZE
    }

    /// The place of the action that the handler of a signal has before it.
    fn previous(self, signal: usize) -> *mut Action {
        let offset = offset_of!(Data, previous) + signal * size_of::<Action>();
        self.data().wrapping_byte_add(offset).cast()
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
