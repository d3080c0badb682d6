// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The actions of signals, kept where the kernel keeps them.
//!
//! The kernel's action has a 64-bit handler, which is one of the shim's eight entries, and a 64-bit
//! restorer, which the kernel only hands on. The restorer holds what the 32-bit program has set:
//! its handler in the lower half, its restorer in the upper one. So an action is changed in one
//! step, is inherited, shared and reset as the kernel does it, and can be read back.
//!
//! The signals by which faults reach the shim always have its handler ([`is_own`]); there the lower
//! half may be 0 (`SIG_DFL`) or 1 (`SIG_IGN`). The flags that the shim has to carry out itself for
//! these are in the choice of the entry.

use super::info;
use crate::arch::place;
use crate::call::{Errno, Outcome, native};
use crate::memory::{self, Plain as _, structures};
use liblinux_abi::arch::x86_64::signal::{SA_NODEFER, SA_RESETHAND, SA_RESTORER, SA_SIGINFO};
use liblinux_abi::kernel::errno::EINVAL;

structures! {
    /// `struct sigaction` of i386, as `rt_sigaction` has it.
    #[repr(C, packed(4))]
    struct Action32 {
        handler: u32,
        flags: u32,
        restorer: u32,
        mask: u64,
    }
    /// `struct old_sigaction` of i386.
    #[repr(C)]
    struct OldAction32 {
        handler: u32,
        mask: u32,
        flags: u32,
        restorer: u32,
    }
    /// The kernel's `struct sigaction`.
    #[repr(C)]
    struct Action64 {
        handler: u64,
        flags: u64,
        restorer: u64,
        mask: u64,
    }
}

/// `SIG_DFL`.
pub(crate) const DEFAULT: u32 = 0;
/// `SIG_IGN`.
pub(crate) const IGNORE: u32 = 1;

/// `SIGBUS`.
pub(crate) const SIGBUS: u32 = 7;
/// `SIGSEGV`.
pub(crate) const SIGSEGV: u32 = 11;
/// `SIGSYS`.
pub(crate) const SIGSYS: u32 = 31;

/// The signals by which faults reach the shim.
const OWN: [u32; 3] = [SIGBUS, SIGSEGV, SIGSYS];

/// Bytes between two of the entries.
const ENTRY_SIZE: u64 = 16;

/// Whether the shim has to see every signal of this number.
pub(crate) fn is_own(signal: u32) -> bool {
    matches!(signal, SIGBUS | SIGSEGV | SIGSYS)
}

/// A set of signals without those that are never blocked.
pub(crate) fn blockable(mask: u64) -> u64 {
    mask & !(1 << (SIGBUS - 1) | 1 << (SIGSEGV - 1) | 1 << (SIGSYS - 1))
}

/// The flags of an action that are in the choice of the entry.
#[derive(Clone, Copy)]
pub(crate) struct Variant(pub(crate) u32);

impl Variant {
    fn of(action: &Action32) -> Self {
        let bit = |flag: u64, bit: u32| if u64::from(action.flags) & flag != 0 { bit } else { 0 };
        Self(bit(SA_SIGINFO, 1) | bit(SA_NODEFER, 2) | bit(SA_RESETHAND, 4))
    }

    fn flags(self) -> u64 {
        let flag = |bit: u32, flag: u64| if self.0 & bit != 0 { flag } else { 0 };
        flag(1, SA_SIGINFO) | flag(2, SA_NODEFER) | flag(4, SA_RESETHAND)
    }

    /// Whether the handler takes three arguments.
    pub(crate) fn has_info(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether the first signal makes the action the default one.
    pub(crate) fn is_once(self) -> bool {
        self.0 & 4 != 0
    }
}

/// The kernel's form of a program's action.
fn to_kernel(signal: u32, action: &Action32) -> Action64 {
    let own = is_own(signal);
    if action.handler <= IGNORE && !own {
        let (handler, flags, mask) = (action.handler, action.flags, action.mask);
        return Action64 {
            handler: handler.into(),
            flags: flags.into(),
            restorer: 0,
            mask: blockable(mask),
        };
    }
    let variant = Variant::of(action);
    let mut flags = u64::from(action.flags) | SA_RESTORER | SA_SIGINFO;
    if own {
        flags = flags & !SA_RESETHAND | SA_NODEFER;
    }
    let restorer = if u64::from(action.flags) & SA_RESTORER == 0 { 0 } else { action.restorer };
    Action64 {
        handler: place::handler() + u64::from(variant.0) * ENTRY_SIZE,
        flags,
        restorer: u64::from(action.handler) | u64::from(restorer) << 32,
        mask: blockable(action.mask),
    }
}

/// The program's form of the kernel's action.
fn to_program(signal: u32, action: &Action64) -> Action32 {
    let entry = action.handler.wrapping_sub(place::handler());
    if entry >= 8 * ENTRY_SIZE {
        let (handler, flags) = (action.handler as u32, action.flags as u32);
        return Action32 { handler, flags, restorer: 0, mask: action.mask };
    }
    let variant = Variant((entry / ENTRY_SIZE) as u32);
    let (handler, restorer) = (action.restorer as u32, (action.restorer >> 32) as u32);
    let mut flags = action.flags & !(SA_RESTORER | SA_SIGINFO);
    if is_own(signal) {
        flags &= !SA_NODEFER;
    }
    flags |= variant.flags();
    if restorer != 0 {
        flags |= SA_RESTORER;
    }
    Action32 { handler, flags: flags as u32, restorer, mask: action.mask }
}

/// Bytes of a set of signals.
pub(crate) const SET_SIZE: u32 = 8;

/// Sets and reads an action.
pub(crate) fn exchange(signal: u32, new: Option<Action32>) -> Result<Action32, Errno> {
    let mut kernel_new = new.map(|new| to_kernel(signal, &new));
    let mut old = Action64::ZERO;
    let place = memory::place_if(&mut kernel_new);
    native!(rt_sigaction, signal, place, memory::place(&mut old), SET_SIZE)?;
    Ok(to_program(signal, &old))
}

/// `rt_sigaction`.
pub(crate) fn rt_sigaction(signal: u32, new: u32, old: u32, size: u32) -> Outcome {
    if size != SET_SIZE {
        return Err(EINVAL);
    }
    let before = exchange(signal, memory::read_if(new)?)?;
    memory::write_if(old, before)?;
    Ok(0)
}

/// `sigaction`, with sets of 32 signals.
pub(crate) fn sigaction(signal: u32, new: u32, old: u32) -> Outcome {
    let new = memory::read_if::<OldAction32>(new)?.map(|new| Action32 {
        handler: new.handler,
        flags: new.flags,
        restorer: new.restorer,
        mask: new.mask.into(),
    });
    let before = exchange(signal, new)?;
    memory::write_if(
        old,
        OldAction32 {
            handler: before.handler,
            mask: before.mask as u32,
            flags: before.flags,
            restorer: before.restorer,
        },
    )?;
    Ok(0)
}

/// `signal`.
pub(crate) fn signal(signal: u32, handler: u32) -> Outcome {
    let flags = (SA_RESETHAND | SA_NODEFER) as u32;
    let before = exchange(signal, Some(Action32 { handler, flags, restorer: 0, mask: 0 }))?;
    Ok(before.handler as isize)
}

/// Takes over the actions that the process has inherited, and lets no own signal be blocked.
pub(crate) fn adopt() {
    for signal in OWN {
        let mut inherited = Action64::ZERO;
        let place = memory::place(&mut inherited);
        // The kernel knows these signals and this size.
        if native!(rt_sigaction, signal, 0, place, SET_SIZE).is_ok() {
            let handler = if inherited.handler == 1 { IGNORE } else { DEFAULT };
            let _ = exchange(signal, Some(Action32 { handler, flags: 0, restorer: 0, mask: 0 }));
        }
    }
    let mut own = !blockable(u64::MAX);
    let _ = native!(rt_sigprocmask, info::SIG_UNBLOCK, memory::place(&mut own), 0, SET_SIZE);
}

/// Makes a signal end the process as if it had never been handled.
pub(crate) fn reset(signal: u32) {
    let mut default = Action64::ZERO;
    let _ = native!(rt_sigaction, signal, memory::place(&mut default), 0, SET_SIZE);
}

/// Lets the program have the default action for a signal from now on.
pub(crate) fn set_default(signal: u32) {
    let _ = exchange(signal, Some(Action32 { handler: DEFAULT, ..Action32::ZERO }));
}

/// Before `execve`: the actions that the next program inherits. The kernel resets handlers, and the
/// shim's would make ignored signals default ones. Returns which were ignored, for [`adopt_again`].
pub(crate) fn release() -> [bool; 3] {
    OWN.map(|signal| {
        let ignored = exchange(signal, None).is_ok_and(|action| action.handler == IGNORE);
        if ignored {
            let mut ignore = Action64 { handler: 1, ..Action64::ZERO };
            let _ = native!(rt_sigaction, signal, memory::place(&mut ignore), 0, SET_SIZE);
        }
        ignored
    })
}

/// After an `execve` that failed.
pub(crate) fn adopt_again(ignored: [bool; 3]) {
    for (signal, ignored) in OWN.into_iter().zip(ignored) {
        if ignored {
            let _ = exchange(signal, Some(Action32 { handler: IGNORE, ..Action32::ZERO }));
        }
    }
}
