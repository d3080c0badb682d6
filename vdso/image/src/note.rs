//! The layout note: the data pages for which this image was compiled. See
//! `liblinux_abi::image::note`.

#![expect(unsafe_code, reason = "puts a constant into a section of its own")]

use liblinux_abi::image::note::{KIND, OWNER, WORDS};

/// An ELF note, laid out by 4 bytes as all of a vDSO's.
#[repr(C)]
struct Note {
    owner_size: u32,
    size: u32,
    kind: u32,
    owner: [u8; OWNER.len().next_multiple_of(4)],
    words: [u32; WORDS.len()],
}

#[used]
#[unsafe(link_section = ".note.layout")]
static NOTE: Note = Note {
    owner_size: OWNER.len() as u32,
    size: size_of_val(&WORDS) as u32,
    kind: KIND,
    owner: {
        let mut owner = [0; OWNER.len().next_multiple_of(4)];
        let mut at = 0;
        while at < OWNER.len() {
            owner[at] = OWNER[at];
            at += 1;
        }
        owner
    },
    words: WORDS,
};
