//! `peek [ADDRESS LENGTH]`: shows memory as a debugger does, whatever is there.
//!
//! Without arguments it shows the edges of three pages of its own, of which the middle one cannot
//! be read.

#![expect(unsafe_code, reason = "maps pages")]

use liblinux::{Vdso, fixup::Fixups, probe};
use std::error::Error;

const PAGE: usize = 4096;
// `asm/mman.h`.
const PROT_NONE: u64 = 0;
const PROT_READ_WRITE: u64 = 3;
const MAP_PRIVATE_ANONYMOUS: u64 = 0x22;

/// Prints 16 bytes a line, with addresses counted from `base`; `??` for a byte that cannot be read.
fn show(address: usize, length: usize, base: usize) {
    for line in (address..address.saturating_add(length)).step_by(16) {
        print!("{:#07x} ", line - base);
        for byte in line..line.saturating_add(16) {
            match probe::read::<u8>(byte as *const u8) {
                Ok(value) => print!(" {value:02x}"),
                Err(_) => print!(" ??"),
            }
        }
        println!();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // The image that this process has, also if a tool put it there.
    let vdso = Vdso::find()?;
    // For good: a program is not unloaded, and its threads may fault behind the end of `main`.
    Fixups::of_process(&vdso)?.register_own()?.keep();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => {
            // SAFETY: a new mapping.
            let pages = unsafe {
                vdso.mmap(0, 3 * PAGE as u64, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0)
            }?;
            for place in (pages..pages + 3 * PAGE).step_by(8) {
                // SAFETY: a page of this program.
                unsafe { probe::write(place as *mut u64, 0x0102_0304_0506_0708_u64) }?;
            }
            // SAFETY: the middle page, in which nothing of Rust is.
            unsafe { vdso.mprotect((pages + PAGE) as u64, PAGE, PROT_NONE) }?;
            show(pages + PAGE - 24, 32, pages);
            show(pages + 2 * PAGE - 8, 16, pages);
            show(usize::MAX / 2 - 7, 16, usize::MAX / 2 - 7);
        }
        [address, length] => {
            let address = usize::from_str_radix(address.trim_start_matches("0x"), 16)?;
            show(address, length.parse()?, 0);
        }
        _ => return Err("usage: peek [ADDRESS LENGTH]".into()),
    }
    Ok(())
}
