//! What exception fixups cost: a fault that lands by `dispatch` or by a handler that knows its one
//! landing, a lookup, and a registration.
//!
//! # Invariants
//!
//! 1. The two handlers differ in nothing but what is compared: the other one sets the same
//!    registers, and takes the landing from a variable.
//! 2. Texts and tables are memory of their own for each DSO, as those of real ones are.

#![expect(unsafe_code, reason = "installs signal handlers and writes tables")]

use crate::fixup::probe::Probe;
use crate::fixup::{Area, entries, map};
use liblinux_abi::image::fixup::{Dso, Entry, Hit, MAX_CAPACITY};
use nix::libc::{self, c_int, siginfo_t, ucontext_t};
use nix::sys::mman::ProtFlags;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Bytes of text for each entry, of which it covers the first.
const STRIDE: usize = 16;

/// An area, and where there are fixups.
#[derive(Debug)]
pub struct Registry {
    /// The area.
    pub area: Area,
    dsos: Vec<Dso>,
    /// Entries of each DSO.
    entries: usize,
}

impl Registry {
    /// An area with so many DSOs of so many entries.
    pub fn new(count: usize, entries: usize) -> Self {
        let registry =
            Self { area: Area::new(count as u64 + 2), dsos: dsos(count, entries), entries };
        for dso in &registry.dsos {
            assert_eq!(registry.area.register(dso), 0, "{dso:x?}");
        }
        registry
    }

    /// So many addresses that have a fixup, in an order that no prefetcher knows.
    pub fn addresses(&self, count: u64) -> Vec<u64> {
        let address = |number: u64| {
            // Knuth's multiplicative hash.
            let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            let dso = &self.dsos[number as usize % self.dsos.len()];
            let entry = (number as usize / self.dsos.len()) % self.entries;
            dso.text_start + (STRIDE * entry) as u64
        };
        (1..=count).map(address).collect()
    }
}

/// DSOs with a table each: an entry for the first byte of each stride, landing 8 bytes behind.
pub fn dsos(count: usize, entries: usize) -> Vec<Dso> {
    let (text_len, table_len) = (STRIDE * entries, size_of::<Entry>() * entries);
    let texts = map(text_len * count, ProtFlags::PROT_READ);
    let tables = map(table_len * count, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE);
    let dso = |index: usize| {
        let (text_start, table) =
            (texts + (text_len * index) as u64, tables + (table_len * index) as u64);
        for entry in 0..entries {
            let target = text_start + (STRIDE * entry) as u64;
            let place = table + (size_of::<Entry>() * entry) as u64;
            let relative =
                |field: u64, target: u64| (target.wrapping_sub(field) as u32).cast_signed();
            let value = Entry {
                start: relative(place, target),
                len: 1,
                landing: relative(place + 8, target + 8),
                flags: 0,
            };
            let pointer: *mut Entry = std::ptr::with_exposed_provenance_mut(place as usize);
            // SAFETY: memory for all tables was just mapped, writable, and no other code has it.
            unsafe { pointer.write(value) };
        }
        Dso { text_start, text_len: text_len as u64, table, count: entries as u64 }
    };
    (0..count).map(dso).collect()
}

/// A registry of so many DSOs, and others that come and go at places all over it.
#[derive(Debug)]
pub struct Traffic {
    area: Area,
    visitors: Vec<Dso>,
}

impl Traffic {
    /// Beside `count` DSOs, or as many as leave room for visitors.
    pub fn beside(count: usize) -> Self {
        let some = (count / 8).clamp(1, 1024);
        let capacity = (count + some).min(MAX_CAPACITY as usize);
        let area = Area::new(capacity as u64);
        let mut visitors = dsos(capacity, 1);
        // Not in the order of their addresses: Fisher and Yates, by Knuth's multiplicative hash.
        for last in (1..capacity).rev() {
            let number = (last as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            visitors.swap(last, number as usize % (last + 1));
        }
        for dso in visitors.split_off(some) {
            assert_eq!(area.register(&dso), 0, "{dso:x?}");
        }
        Self { area, visitors }
    }

    /// How many come and go.
    pub fn visitors(&self) -> u64 {
        self.visitors.len() as u64
    }

    /// Registers the visitors.
    pub fn come(&self) {
        for dso in &self.visitors {
            assert_eq!(self.area.register(dso), 0, "{dso:x?}");
        }
    }

    /// Unregisters them.
    pub fn go(&self) {
        for dso in &self.visitors {
            assert_eq!(self.area.unregister(dso.text_start), 0, "{dso:x?}");
        }
    }
}

/// Looks up each of the addresses, one after the other.
pub fn look_up(registry: &Registry, addresses: &[u64]) {
    let lookup = entries().lookup;
    let mut hit = Hit::default();
    let out = (&raw mut hit).expose_provenance() as u64;
    let mut failed = 0;
    for address in addresses {
        failed |= lookup(registry.area.address, *address, out);
    }
    assert_eq!(failed, 0, "an address without a fixup");
}

/// The area of [`dispatching`].
pub(super) static AREA: AtomicU64 = AtomicU64::new(0);

/// Where [`knowing`] continues.
static LANDING: AtomicU64 = AtomicU64::new(0);

/// A handler that asks the registry.
pub(super) extern "C" fn dispatching(
    _: c_int,
    information: *const siginfo_t,
    context: *mut ucontext_t,
) {
    let [information, context] = [information.addr(), context.addr()].map(|address| address as u64);
    if (entries().dispatch)(AREA.load(Relaxed), information, context) != 1 {
        std::process::abort();
    }
}

/// A handler that knows what to do.
extern "C" fn knowing(_: c_int, _: *const siginfo_t, context: *mut ucontext_t) {
    // SAFETY: the kernel gave it to this handler.
    let registers = unsafe { &mut (*context).uc_mcontext.gregs };
    registers[libc::REG_RDI as usize] = registers[libc::REG_TRAPNO as usize];
    registers[libc::REG_RSI as usize] = registers[libc::REG_ERR as usize];
    registers[libc::REG_RDX as usize] = registers[libc::REG_CR2 as usize];
    registers[libc::REG_RCX as usize] = registers[libc::REG_RIP as usize];
    registers[libc::REG_RIP as usize] = LANDING.load(Relaxed).cast_signed();
}

/// A handler of SIGSEGV.
pub(super) type Handler = extern "C" fn(c_int, *const siginfo_t, *mut ucontext_t);

/// Makes it the process's.
pub(super) fn install(handler: Handler) {
    // SAFETY: all zeros is a valid value of the C struct.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
    // SAFETY: the handlers change the context alone.
    let status = unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut()) };
    assert_eq!(status, 0);
}

/// Faults so many times, landing by the registry, or by a handler that knows where.
pub fn fault(registry: &Registry, times: u64, by_dispatch: bool) {
    let probe = Probe::named("load");
    AREA.store(registry.area.address, Relaxed);
    LANDING.store(probe.landing, Relaxed);
    install(if by_dispatch { dispatching } else { knowing });
    for _ in 0..times {
        assert!(probe.raise(0).is_some(), "the load did not fault");
    }
}
