//! Compiled code, and the landing of its traps.
//!
//! Code that Wasmtime makes executable is registered as a text with one entry, which covers all of
//! it. The landing has to be in that text, and the table near it, so both are in the page that
//! [`crate::platform`] has put in front of each mapping:
//!
//! ```text
//! front page: a jump to the landing, the table | Wasmtime's mapping: data, code
//! ```
//!
//! The landing is a function. It asks Wasmtime whether the instruction is one that may trap. If so,
//! Wasmtime continues where Wasm was entered and leaves the frame; if not, the exception is
//! declined, and its signal comes as if nothing were registered. Code of the host is not covered.
//!
//! # Invariants
//!
//! 1. A front page is written once, before its text is registered.
//! 2. The list is not looked at in a landing, which may have interrupted the thread that has it.

#![expect(unsafe_code, reason = "writes a jump, and registers memory as code")]

use liblinux::fixup::frame::{Frame, Verdict};
use liblinux::fixup::{Entry, FRAME, Fixups, Table};
use liblinux::{Errno, Vdso, frame_landing};
use std::ops::Range;
use std::ptr::with_exposed_provenance_mut;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Bytes of a page.
pub(crate) const PAGE: usize = 4096;

/// Wasmtime's handler: instruction, frame pointer, whether there is an address, and the address. It
/// returns if the trap is not one of Wasm's.
pub(crate) type Handler = extern "C" fn(usize, usize, bool, usize);

static HANDLER: OnceLock<Handler> = OnceLock::new();

/// Takes Wasmtime's handler, of which there is one.
pub(crate) fn set_handler(handler: Handler) {
    HANDLER.get_or_init(|| handler);
}

static LANDED: AtomicU32 = AtomicU32::new(0);

/// How often compiled code landed.
pub(crate) fn landed() -> u32 {
    LANDED.load(Relaxed)
}

frame_landing! {
    /// Where compiled code lands that traps.
    fn landing => on_trap
}

fn on_trap(frame: &mut Frame) -> Verdict {
    const PAGE_FAULT: u64 = 14;
    LANDED.fetch_add(1, Relaxed);
    if let Some(handler) = HANDLER.get() {
        let is_page_fault = frame.trap == PAGE_FAULT;
        handler(frame.ip as usize, frame.rbp as usize, is_page_fault, frame.address as usize);
    }
    Verdict::Decline
}

/// A mapping: its addresses, the front page included, and whether code in it is registered.
struct Mapping {
    all: Range<usize>,
    has_text: bool,
}

static MAPPINGS: Mutex<Vec<Mapping>> = Mutex::new(Vec::new());

fn mappings() -> MutexGuard<'static, Vec<Mapping>> {
    MAPPINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new mapping.
pub(crate) fn add(all: Range<usize>) {
    mappings().push(Mapping { all, has_text: false });
}

/// A mapping is about to go: its code lands nowhere any more.
pub(crate) fn remove(vdso: &'static Vdso, front: usize) -> Result<(), Errno> {
    let mut mappings = mappings();
    let Some(index) = mappings.iter().position(|mapping| mapping.all.start == front) else {
        return Ok(());
    };
    if mappings.swap_remove(index).has_text {
        Fixups::of_process(vdso)?.unregister(front as u64)?;
    }
    Ok(())
}

/// Code may run from now on, and lands if it traps.
pub(crate) fn cover(vdso: &'static Vdso, code: Range<usize>) -> Result<(), Errno> {
    /// An address that is not in a mapping, or code that has a landing.
    const INVALID: Errno = Errno::EINVAL;
    /// Offset of the table in the front page.
    const TABLE: usize = 64;
    let mut mappings = mappings();
    let mapping = mappings.iter_mut().find(|mapping| mapping.all.contains(&code.start));
    let mapping = mapping.filter(|mapping| !mapping.has_text).ok_or(INVALID)?;
    let front = mapping.all.start;
    let mut entries = [Entry::default(); 1];
    let mut table =
        Table::new(front as u64..code.end as u64, &mut entries).at((front + TABLE) as u64);
    let covered = code.start as u64..code.end as u64;
    table.cover(covered, front as u64, FRAME).map_err(|_| INVALID)?;
    let dso = table.dso().map_err(|_| INVALID)?;
    write(vdso, front, &jump(), front + TABLE, entries)?;
    // SAFETY: the landing continues after every exception or declines it, and the memory stays
    // until `remove`.
    unsafe { Fixups::of_process(vdso)?.register(&dso) }?.keep();
    mapping.has_text = true;
    Ok(())
}

/// `jmp [rip]` to the landing.
fn jump() -> [u8; 14] {
    let mut code = [0xff, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    code[6..].copy_from_slice(&(landing as *const ()).addr().to_le_bytes());
    code
}

/// Fills a front page, which can be executed then.
fn write(
    vdso: &Vdso,
    front: usize,
    code: &[u8],
    table: usize,
    entries: [Entry; 1],
) -> Result<(), Errno> {
    const PROT_READ_WRITE: u64 = 3;
    const PROT_READ_EXEC: u64 = 5;
    // SAFETY: the front page of a mapping, which has nothing yet.
    unsafe { vdso.mprotect(front as u64, PAGE, PROT_READ_WRITE) }?;
    let page = with_exposed_provenance_mut::<u8>(front);
    // SAFETY: the page can be written, and no reference leads there.
    unsafe { page.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
    // SAFETY: in the same page, and aligned.
    unsafe { with_exposed_provenance_mut::<[Entry; 1]>(table).write(entries) };
    // SAFETY: the same page.
    unsafe { vdso.mprotect(front as u64, PAGE, PROT_READ_EXEC) }.map(drop)
}
