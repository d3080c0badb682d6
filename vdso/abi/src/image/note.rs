//! The layout note: for which data pages an image was compiled, in the image itself.
//!
//! The layout of the kernel's data pages is not an ABI. An image with another kernel's reads wrong
//! numbers and calls them the time. So the image has a note beside its build-id with every number
//! that it relies on, and whatever takes an image in compares: the checker, the tools that hand an
//! image to a kernel's build, and that build, whose compiler knows the right numbers. The numbers
//! are in the note as they are, not as a hash of them, so that a refusal can name the one that
//! differs, and so that a build can compare them by the C expressions of
//! [`Layout::facts`](crate::kernel::datapage::Layout::facts) with nothing to compute.

use crate::kernel::datapage::LAYOUT;

/// The owner of the note, with the zero at its end.
pub const OWNER: [u8; 9] = *b"liblinux\0";

/// The note's type, a number of its owner's.
pub const KIND: u32 = 1;

/// The note's contents: the values of `Layout::facts`, in order, of this line.
pub const WORDS: [u32; LAYOUT.facts.len()] = {
    let mut words = [0; LAYOUT.facts.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = LAYOUT.facts[at].1 as u32;
        at += 1;
    }
    words
};
