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
