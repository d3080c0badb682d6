//! What fuzzing has found, each made anew from a sound image: none makes the checker panic.

#[path = "specimen/mod.rs"]
mod specimen;

use liblinux_check::check_as;
use liblinux_check::profile::PROFILES;
use specimen::{File, Specimen, section, segment};

/// A file that the checker did not stand, and how to make it.
type Found = (&'static str, fn(&mut File));

const FOUND: &[Found] = &[
    ("sections that together have more bytes than can be counted", |image| {
        let name = image.word(image.section(".text") + section::NAME);
        for other in [".rodata", ".eh_frame"] {
            let header = image.section(other);
            image.put64(header + section::SIZE, u64::MAX);
            image.put32(header + section::NAME, name);
        }
    }),
    ("chains that begin at the last number there is", |image| {
        let (buckets, filter) = (image.gnu_buckets(), image.contents(".gnu.hash"));
        let count = image.word(filter) as usize;
        (0..count).for_each(|bucket| image.put32(buckets + 4 * bucket, u32::MAX));
    }),
    ("a search table of so many entries that two of their numbers have no sum", |image| {
        let start = image.contents(".eh_frame_hdr");
        // The count is signed, and less than nothing: the search looks in front of the table.
        image.put(start + 2, &[0x0b]);
        image.put32(start + 8, -3_i32 as u32);
        for (place, offset) in
            [(start - 20, i32::MAX), (start - 4, i32::MIN), (start + 4, i32::MIN)]
        {
            image.put32(place, offset as u32);
        }
    }),
    ("a segment that ends at the last address there is", |image| {
        let load = image.segment(goblin::elf::program_header::PT_LOAD);
        image.put64(load + segment::OFFSET, u64::MAX - 200);
        for field in [segment::FILESZ, segment::MEMSZ] {
            image.put64(load + field, 100);
        }
        // The section headers, none of them, end behind it.
        image.put64(40, u64::MAX - 64);
        image.put16(60, 1);
    }),
    ("tables at the last address there is", |image| {
        for name in [".altinstructions", ".fixups"] {
            let header = image.section(name);
            image.put64(header + section::ADDR, u64::MAX);
        }
    }),
];

#[test]
fn what_fuzzing_found_gets_a_report() {
    for (what, make) in FOUND {
        let mut image = Specimen::good().image;
        make(&mut image);
        for profile in PROFILES {
            for debug in [None, Some(image.bytes.as_slice())] {
                let report = check_as(profile, &image.bytes, debug, None);
                let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(!report.to_string().is_empty(), "{what}");
            }
        }
    }
}

/// Bytes of a 32-bit file that is linked for this address, whose symbols lie over its ELF header.
fn symbols_over_the_header(base: u32) -> Vec<u8> {
    let (header, segments, entries) = (52_u32, 52 + 2 * 32, 2 * 8);
    let sections = segments + entries;
    let size = sections + 40;
    let mut bytes = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\x01\0".to_vec();
    // The entry and the program headers, then the section headers.
    bytes.extend(words(&[3 | 3 << 16, 1, base, header, sections, 0]));
    bytes.extend(words(&[header | 32 << 16, 2 | 40 << 16, 1]));
    bytes.extend(words(&[1, 0, base, base, size, size, 5, 0x1000]));
    bytes.extend(words(&[2, segments, base + segments, base + segments, entries, entries, 4, 4]));
    bytes.extend(words(&[5, base + size, 0, 0]));
    bytes.extend(words(&[0, 2, 0, 0, 0, header, 0, 0, 4, 16]));
    bytes
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn symbols_that_are_the_header_leave_it_as_it_is() {
    let bytes = symbols_over_the_header(0x1000);
    for profile in PROFILES {
        let report = check_as(profile, &bytes, None, None).unwrap();
        assert!(!report.is_good(), "{}", profile.name);
    }
}
