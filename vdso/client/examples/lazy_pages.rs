//! `lazy_pages`: memory that comes when it is read, by a landing that mends the fault and resumes.
//!
//! An array has addresses and no memory. A load from it faults, the landing makes the page that the
//! load wants, and the load is executed again: it takes no signal, on a kernel that has frames. A
//! load from elsewhere is declined, so the signal handler of the program gets it as if there was no
//! landing.

#![expect(unsafe_code, reason = "loads from memory that is not there")]

use liblinux::fixup::Fixups;
use liblinux::fixup::frame::{Frame, Verdict};
use liblinux::{Vdso, fixup, frame_landing};
use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use std::arch::asm;
use std::error::Error;
use std::num::NonZeroUsize;
use std::ptr::{NonNull, null_mut, with_exposed_provenance_mut};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const PAGE: u64 = 4096;
const PAGES: u64 = 8;

static ARRAY: AtomicU64 = AtomicU64::new(0);
static MADE: AtomicU64 = AtomicU64::new(0);

frame_landing! {
    /// Where a load lands that faults.
    fn landing => on_fault
}

fn on_fault(frame: &mut Frame) -> Verdict {
    let array = ARRAY.load(Relaxed);
    let page = frame.address.wrapping_sub(array) / PAGE;
    if frame.signal != libc::SIGSEGV as u32 || page >= PAGES {
        return Verdict::Decline;
    }
    let start = with_exposed_provenance_mut::<u8>((array + page * PAGE) as usize);
    let Some(place) = NonNull::new(start.cast()) else { return Verdict::Decline };
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a page of the array.
    if unsafe { mprotect(place, PAGE as usize, access) }.is_err() {
        return Verdict::Decline;
    }
    // SAFETY: it can be written now, and no reference leads there.
    unsafe { start.write_bytes(page as u8 + 1, PAGE as usize) };
    MADE.fetch_add(1, Relaxed);
    Verdict::Resume
}

fn load(address: u64) -> u8 {
    let value: u32;
    // SAFETY: loads a byte, or lands.
    unsafe {
        asm!(
            "2: movzx {value:e}, byte ptr [{address}]",
            "3:",
            fixup!(frame "2b" .. "3b" => "{landing}"),
            landing = sym landing,
            address = in(reg) address,
            value = lateout(reg) value,
        );
    }
    value as u8
}

/// Says what was declined, and ends the program well.
extern "C" fn handler(signal: i32, info: *const libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel gave it to this handler.
    let info = unsafe { &*info };
    // SAFETY: the signal is one that has an address.
    let address = unsafe { info.si_addr() };
    println!("a load from elsewhere was declined: signal {signal}, address {address:?}");
    std::process::exit(i32::from(address.addr() != 8));
}

fn main() -> Result<(), Box<dyn Error>> {
    let vdso = Vdso::find()?;
    // The handler that was there before the registry gets what is declined.
    // SAFETY: a structure of integers.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = (handler as *const ()).addr();
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: the handler takes what SA_SIGINFO gives, and does not return.
    if unsafe { libc::sigaction(libc::SIGSEGV, &action, null_mut()) } != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Fixups::of_process(&vdso)?.register_own()?.keep();

    let length = NonZeroUsize::new((PAGES * PAGE) as usize).ok_or("no pages")?;
    // SAFETY: new memory.
    let array =
        unsafe { mmap_anonymous(None, length, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) }?;
    let array = array.as_ptr().expose_provenance() as u64;
    ARRAY.store(array, Relaxed);
    let sum: u64 = (0..PAGES).map(|page| u64::from(load(array + page * PAGE + page))).sum();
    println!("{} pages came as they were read; the sum is {sum}", MADE.load(Relaxed));
    load(8);
    Err("a load from elsewhere returned".into())
}
