// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The fingerprint: a number by which a text and its table are recognised.
//!
//! A program may unmap a text without unregistering it, and map something else there. The patched
//! kernel recognises that by the mark on the mapping; user space alone can only compare. The
//! fingerprint is made from the first and the last 16 bytes of the text, and from the first and the
//! last entry of the table, when the text is registered, and again whenever it is found: if it
//! differs, nothing is found.
//!
//! Another text of which all of that is the same is taken for the one that was registered. It would
//! have to be the same code at the same place, or made on purpose by the process itself. A program
//! that changes these bytes of its own text, as a just-in-time compiler may, registers the text
//! again.
//!
//! The fingerprint is the sum of the words, each with a multiplier of its own, so a change of any
//! one word changes the fingerprint; products that do not wait for each other take little more time
//! than one.
//!
//! # Invariants
//!
//! 1. Equal bytes have equal fingerprints under every image, for good: areas outlive images.
//! 2. Nothing is read but words of 8 bytes, at multiples of 8, that hold some of the bytes asked
//!    for: so no page is touched that has none of them, and no access is misaligned, which matters
//!    where alignment is checked.

use super::{Fault, Memory};
use crate::area::Row;
use core::mem::size_of;
use liblinux_abi::image::fixup::{ABORT, Entry};

/// Bytes at each end of the text.
const EDGE: u64 = 16;

/// Odd numbers without a pattern: the first bits of the fractional parts of square roots of primes.
const MULTIPLIERS: [u64; 9] = [
    0x6a09_e667_f3bc_c909,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
    0xcbbb_9d5d_c105_9ed9,
];

/// The fingerprint of a text and its table, as they are now. At least one entry.
#[inline(never)]
pub fn fingerprint<M: Memory>(memory: &M, text: &Row) -> Result<u64, Fault> {
    let len = text.text_len();
    let edge = len.min(EDGE);
    let last = text.text_start.wrapping_add(len - edge);
    let (low, high) = (edge.min(8), edge.saturating_sub(8));
    let entry = text
        .table
        .wrapping_add(text.count().wrapping_sub(1).wrapping_mul(size_of::<Entry>() as u64));
    let [a, b, c, d, e, f, g, h, i] = MULTIPLIERS;
    let sum = word(memory, text.text_start, low)?
        .wrapping_mul(a)
        .wrapping_add(word(memory, text.text_start.wrapping_add(8), high)?.wrapping_mul(b))
        .wrapping_add(word(memory, last, low)?.wrapping_mul(c))
        .wrapping_add(word(memory, last.wrapping_add(8), high)?.wrapping_mul(d))
        .wrapping_add(halves(memory, text.table)?.wrapping_mul(e))
        .wrapping_add(halves(memory, text.table.wrapping_add(8))?.wrapping_mul(f))
        .wrapping_add(halves(memory, entry)?.wrapping_mul(g))
        .wrapping_add(halves(memory, entry.wrapping_add(8))?.wrapping_mul(h))
        .wrapping_add(text.sizes.wrapping_mul(i));
    let mixed = sum ^ sum >> 32;
    // The one value that an operation's cell cannot have.
    Ok(if mixed == ABORT { 0 } else { mixed })
}

/// The `len` bytes at an address, at most 8, with zeros above them.
#[inline(always)]
fn word<M: Memory>(memory: &M, address: u64, len: u64) -> Result<u64, Fault> {
    if len == 0 {
        return Ok(0);
    }
    let (aligned, skipped) = (address & !7, address & 7);
    let mut word = memory.load(aligned)? >> (8 * skipped);
    if skipped + len > 8 {
        word |= memory.load(aligned.wrapping_add(8))? << (64 - 8 * skipped);
    }
    Ok(if len < 8 { word & ((1 << (8 * len)) - 1) } else { word })
}

/// The 8 bytes at a multiple of 4.
#[inline(always)]
fn halves<M: Memory>(memory: &M, address: u64) -> Result<u64, Fault> {
    let low = memory.load_half(address)?;
    let high = memory.load_half(address.wrapping_add(4))?;
    Ok(u64::from(low) | u64::from(high) << 32)
}
