//! Mutants: the image with one thing changed at random, by classes of what the bytes are for.
//!
//! A fixture is a fault that a person thought of. A mutant is a random one. The share of mutants
//! that the checker refuses is its score. Each class is mutated alike, so that small tables count
//! as much as the text.
//!
//! # Invariants
//!
//! 1. Mutants follow from the class and a number: the same image gives the same mutants.
//! 2. A mutant differs from the image. Padding between instructions is a class of its own, since
//!    any change of it is refused.

#![allow(dead_code, reason = "the example and the test use different parts")]

use crate::specimen::{File, Specimen, section};
use liblinux_abi::image::layout::{BODIES, LIBRARY, SLOTS, TEXT};
use liblinux_check::check;
use liblinux_check::function::decode;
use liblinux_check::view::frames::{Entry, Frames};
use std::ops::Range;

/// What some bytes of the image are for.
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// Whether loaders, unwinders or debuggers read the bytes: nothing of these may survive without
    /// a reason.
    pub(crate) is_loaders: bool,
    /// The bytes, by offset.
    pub(crate) places: Vec<usize>,
}

/// All classes of the image.
pub(crate) fn classes(image: &File) -> Vec<Class> {
    let view = image.view();
    let section = |name: &str| {
        let header = &view.section(name).expect(name).header;
        header.sh_offset as usize..(header.sh_offset + header.sh_size) as usize
    };
    let text = section(".text");
    let code = |range: Range<usize>| {
        let instructions = decode(&image.bytes[range.clone()], range.start as u64);
        let kept = instructions.iter().filter(|found| found.mnemonic() != iced_x86::Mnemonic::Int3);
        kept.flat_map(|found| found.ip() as usize..found.next_ip() as usize).collect::<Vec<_>>()
    };
    let cold = view.exports().expect("exports").len(); // The image exports something.
    assert!(cold > 0);
    let bodies = BODIES..bodies_end(image);
    let headers = view.header.e_shoff as usize
        ..view.header.e_shoff as usize + 64 * usize::from(view.header.e_shnum);
    let used: Vec<Range<usize>> = view
        .sections()
        .expect("sections")
        .iter()
        .skip(1)
        .map(|one| {
            one.header.sh_offset as usize..(one.header.sh_offset + one.header.sh_size) as usize
        })
        .chain([0..64 + 56 * usize::from(view.header.e_phnum), headers.clone()])
        .collect();
    let unused = |place: &usize| !used.iter().any(|range| range.contains(place));
    let gaps: Vec<usize> = (0..image.bytes.len()).filter(unused).collect();
    let in_code: Vec<usize> = code(text.clone());
    let padding = text.clone().filter(|place| in_code.binary_search(place).is_err()).collect();

    let loaders = |name, places: Vec<usize>| Class { name, is_loaders: true, places };
    let other = |name, places: Vec<usize>| Class { name, is_loaders: false, places };
    let versions = section(".gnu.version").chain(section(".gnu.version_d")).collect();
    vec![
        loaders("ELF header", (0..64).collect()),
        loaders("program headers", (64..64 + 56 * usize::from(view.header.e_phnum)).collect()),
        loaders("note", section(".note").collect()),
        loaders("dynamic table", section(".dynamic").collect()),
        loaders("DT_HASH", section(".hash").collect()),
        loaders("DT_GNU_HASH", section(".gnu.hash").collect()),
        loaders("symbols", section(".dynsym").collect()),
        loaders("strings", section(".dynstr").collect()),
        loaders("versions", versions),
        loaders("eh_frame_hdr", section(".eh_frame_hdr").collect()),
        loaders("eh_frame", section(".eh_frame").collect()),
        loaders("section headers", headers.collect()),
        loaders("section names", section(".shstrtab").collect()),
        other("words of the kernel", section(".private").chain(section(".tick")).collect()),
        other("slots", code(SLOTS..BODIES)),
        other("hot page", code(TEXT..LIBRARY)),
        other("other entries", code(LIBRARY..SLOTS)),
        other("bodies", code(bodies.clone())),
        other("cold code", code(bodies.end..text.end)),
        other("replacements", section(".altinstr_replacement").collect()),
        other("alternatives", section(".altinstructions").collect()),
        other("own fixups", section(".fixups").collect()),
        other("constants", section(".rodata").collect()),
        other("padding of the text", padding),
        other("between sections", gaps),
        other("compiler's name", section(".comment").collect()),
    ]
}

/// Where the bodies of hand-written entries end: behind the last function that a slot jumps to, up
/// to the next.
fn bodies_end(image: &File) -> usize {
    let text = image.view().text().expect("text");
    let slots = (SLOTS..BODIES).step_by(16);
    let jumps = slots.filter_map(|slot| {
        liblinux_check::arch::stub::jump_of(&image.bytes[slot..slot + 16], slot as u64)
    });
    let last = jumps.map(|jump| jump.0 as usize).max().expect("a slot that jumps to its body");
    let len = image.bytes[last..text.end as usize].windows(2).position(|pair| pair == [0xcc; 2]);
    last + len.expect("padding behind the last body")
}

/// Numbers that follow from a seed (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// One change of the image: where, and the bytes that come there.
pub(crate) struct Mutant {
    pub(crate) at: usize,
    pub(crate) bytes: Vec<u8>,
}

/// Mutant `number` of a class.
pub(crate) fn mutant(image: &File, class: &Class, number: usize) -> Mutant {
    let seed = class
        .name
        .bytes()
        .fold(number as u64, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
    let mut numbers = Numbers(seed);
    loop {
        let at = class.places[numbers.below(class.places.len())];
        let old = &image.bytes[at..];
        let mut new = old[..4.min(old.len())].to_vec();
        match numbers.below(5) {
            0 => new[0] ^= 1 << numbers.below(8),
            1 => new[0] = numbers.next() as u8,
            2 => new[0] = new[0].wrapping_add(if numbers.below(2) == 0 { 1 } else { 0xff }),
            3 => new[0] = [0, 0xff, 0x7f, 0x80][numbers.below(4)],
            // A word from elsewhere in the same class: what a slip in a table looks like.
            _ => {
                let from = class.places[numbers.below(class.places.len())];
                let len = new.len().min(image.bytes.len() - from);
                new.truncate(len);
                let aligned = at.is_multiple_of(4) && class.places.contains(&(at + len - 1));
                if !aligned {
                    continue;
                }
                new.copy_from_slice(&image.bytes[from & !3..][..len]);
            }
        }
        if new != old[..new.len()] {
            return Mutant { at, bytes: new };
        }
    }
}

/// What is judged with the mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// The image alone.
    Alone,
    /// The image, beside it the sound unstripped image and the lock.
    Beside,
    /// The same fault in both, and the lock: what a compiler's or a linker's mistake looks like.
    Both,
}

/// The mutant image.
pub(crate) fn mutated(good: &File, mutant: &Mutant) -> File {
    let mut broken = good.clone();
    broken.put(mutant.at, &mutant.bytes);
    broken
}

/// Whether the checker refuses the mutant.
pub(crate) fn is_refused(good: &Specimen, mutant: &Mutant, setting: Setting) -> bool {
    let image = mutated(&good.image, mutant);
    let debug = match setting {
        Setting::Alone => None,
        Setting::Beside => Some(good.debug.clone()),
        Setting::Both => Some(mutated(&good.debug, mutant)),
    };
    let lock = (setting != Setting::Alone).then_some(&good.lock);
    let report = check(&image.bytes, debug.as_ref().map(|file| file.bytes.as_slice()), lock);
    report.map_or(true, |report| !report.is_good())
}

/// Whether the two files have the same bytes where the mutant is, so that one fault can be in both.
pub(crate) fn is_in_both(good: &Specimen, mutant: &Mutant) -> bool {
    let range = mutant.at..mutant.at + mutant.bytes.len();
    mutant.at >= 64 && good.image.bytes.get(range.clone()) == good.debug.bytes.get(range)
}

/// Why a mutant of a loaders' class may be accepted: readers use none of what it changed. None if
/// no reason applies.
pub(crate) fn reason(good: &File, mutant: &Mutant) -> Option<&'static str> {
    let view = good.view();
    let note = good.contents(".note") + 16;
    let headers = view.header.e_shoff as usize;
    let table = headers..headers + 64 * usize::from(view.header.e_shnum);
    // `sh_addralign`, bytes 48 to 55 of a section header.
    if table.contains(&mutant.at) && (48..56).contains(&((mutant.at - headers) % 64)) {
        return Some(
            "sh_addralign, by which linkers place a section: no reader of a linked image asks it",
        );
    }
    if (note..note + 20).contains(&mutant.at) {
        return Some(
            "the build-id's value: readers compare it with another file's, and any value is one",
        );
    }
    if changes_padding_of_an_owner(good, mutant) {
        return Some("the bytes that fill a note's owner up to a word: its length leaves them out");
    }
    if teaches_the_same(good, mutant) {
        return Some(
            "the same rows: a number with one byte more, an advance in front of nothing, a rule that each entry replaces at once",
        );
    }
    if covers_padding(good, mutant) {
        return Some(
            "an entry's end moved within the int3 behind its code, where no return address and no thread is",
        );
    }
    None
}

/// The places at which a mutant differs, with the bytes before and after.
fn differences(good: &File, mutant: &Mutant) -> Vec<(usize, u8, u8)> {
    let changed = mutated(good, mutant);
    let bytes = good.bytes.iter().zip(&changed.bytes).enumerate();
    bytes.filter(|(_, (old, new))| old != new).map(|(at, (old, new))| (at, *old, *new)).collect()
}

/// Whether the mutant only changes bytes between the end of a note's owner and the next word.
fn changes_padding_of_an_owner(good: &File, mutant: &Mutant) -> bool {
    let start = good.contents(".note");
    let size = good.word(good.section(".note") + section::SIZE) as usize;
    let (mut at, mut padding) = (start, Vec::new());
    while at + 12 <= start + size {
        let (name, value) = (good.word(at) as usize, good.word(at + 4) as usize);
        let end = at + 12 + name;
        padding.push(end..at + 12 + name.next_multiple_of(4));
        at += 12 + name.next_multiple_of(4) + value.next_multiple_of(4);
    }
    let changed = differences(good, mutant);
    let is_padding = |at: &usize| padding.iter().any(|range| range.contains(at));
    !changed.is_empty() && changed.iter().all(|(at, ..)| is_padding(at))
}

/// What an unwinder learns from call-frame information, entry by entry, with equal neighbouring
/// rows as one. None if it cannot be read.
fn learned(file: &File) -> Option<Vec<String>> {
    let view = file.view();
    let frames = Frames::of(&view).ok()?;
    let of = |entry: &Entry<'_>| {
        let mut rows: Vec<(Range<u64>, String)> = Vec::new();
        for row in frames.rows(entry).ok()? {
            let rule = format!("{:?} {:?}", row.cfa, row.registers);
            match rows.last_mut() {
                Some((addresses, last))
                    if *last == rule && addresses.end == row.addresses.start =>
                {
                    addresses.end = row.addresses.end;
                }
                _ => rows.push((row.addresses, rule)),
            }
        }
        let (cie, range) = (entry.cie(), entry.initial_address()..entry.end_address());
        let column = cie.return_address_register();
        Some(format!("{range:?} {column:?} {:?} {rows:?}", cie.augmentation()))
    };
    frames.entries().ok()?.iter().map(of).collect()
}

/// Whether an unwinder learns the same from the mutant's call-frame information.
fn teaches_the_same(good: &File, mutant: &Mutant) -> bool {
    let start = good.contents(".eh_frame");
    let size = good.word(good.section(".eh_frame") + section::SIZE) as usize;
    (start..start + size).contains(&mutant.at)
        && learned(good).is_some_and(|before| learned(&mutated(good, mutant)) == Some(before))
}

/// Whether the mutant only makes a call-frame entry end later, in padding.
fn covers_padding(good: &File, mutant: &Mutant) -> bool {
    let mut at = good.contents(".eh_frame");
    loop {
        let len = good.word(at) as usize;
        if len == 0 || mutant.at < at {
            return false;
        }
        if mutant.at == at + 12 {
            let start = (at + 8).wrapping_add_signed(good.word(at + 8).cast_signed() as isize);
            let end = |file: &File| start + file.word(at + 12) as usize;
            let (old, new) = (end(good), end(&mutated(good, mutant)));
            return good
                .bytes
                .get(old..new)
                .is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0xcc));
        }
        at += 4 + len;
    }
}
