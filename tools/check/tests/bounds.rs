//! The bounds: no file of up to a megabyte takes more than 64 MiB of memory, and, compiled with
//! optimisation, more than 100 ms of the processor.
//!
//! The files are the image made worse: each fills a megabyte with what one part of the checker
//! walks.

#[path = "bounded/mod.rs"]
mod bounded;
#[path = "specimen/mod.rs"]
mod specimen;

use bounded::{LARGEST, MEMORY, TIME, cost};
use liblinux_abi::image::layout::slot;
use liblinux_abi::syscall::find;
use liblinux_check::profile::{self, Profile};
use liblinux_check::{check, check_as, source};
use specimen::{File, Specimen, section, segment, symbol};
use std::io::Write as _;
use std::time::Duration;

/// Judges a file, alone and as its own twin, and holds both to the bounds.
fn within_bounds(what: &str, file: &File) {
    for debug in [None, Some(file.bytes.as_slice())] {
        bounded(what, file, debug);
    }
}

fn bounded(what: &str, file: &File, debug: Option<&[u8]>) {
    bounded_as(what, file, debug, None);
}

/// The same as a profile, or as the one that the file tells.
fn bounded_as(what: &str, file: &File, debug: Option<&[u8]>, profile: Option<&'static Profile>) {
    assert!(file.bytes.len() <= LARGEST, "{what} has {} bytes", file.bytes.len());
    // The best of three: caches are cold at first.
    let costs = (0..3).map(|_| {
        cost(|| {
            let report = match profile {
                Some(profile) => check_as(profile, &file.bytes, debug, None),
                None => check(&file.bytes, debug, None),
            };
            let report = report.expect("an ELF file");
            assert!(!report.to_string().is_empty());
        })
    });
    let (time, memory) = costs.min().expect("three");
    told(what, time, memory);
}

/// Prints what a file has cost, and holds it to the bounds.
fn told(what: &str, time: Duration, memory: usize) {
    println!("{what}: {time:?}, {} KiB", memory >> 10);
    assert!(memory < MEMORY, "{what} takes {} MiB", memory >> 20);
    // Without optimisation only a hang is told from work.
    let limit = if cfg!(debug_assertions) { Duration::from_secs(10) } else { TIME };
    assert!(time < limit, "{what} takes {time:?}");
}

/// The image with a section that has been moved behind the file and filled, loaded with it.
fn grown(name: &str, fill: impl Fn(usize) -> u8) -> (File, usize, usize) {
    let mut file = Specimen::good().image;
    let place = file.bytes.len();
    let len = LARGEST - place;
    file.bytes.extend((0..len).map(fill));
    let (load, all) = (file.segment(1), file.bytes.len() as u64);
    file.put64(load + segment::FILESZ, all);
    file.put64(load + segment::MEMSZ, all);
    let header = file.section(name);
    for (field, value) in [(section::ADDR, place), (section::OFFSET, place), (section::SIZE, len)] {
        file.put64(header + field, value as u64);
    }
    (file, place, len)
}

fn the_image_itself() {
    within_bounds("the image", &Specimen::good().image);
}

fn a_megabyte_of_code() {
    for (what, byte) in
        [("nop", 0x90), ("push rax", 0x50), ("push rbx", 0x53), ("invalid", 0x06), ("call", 0xe8)]
    {
        let (mut file, place, len) = grown(".text", |_| byte);
        let at = file.export("__vdso_getcpu");
        file.put64(at + symbol::VALUE, place as u64);
        for size in [len as u64, 9_000] {
            file.put64(at + symbol::SIZE, size);
            within_bounds(&format!("{size} bytes of {what}"), &file);
        }
    }
}

/// As many instructions as are followed, all the same and in one function, which the slot of a call
/// leads to or no slot does: what is asked of each must not depend on how many there are.
fn a_function_of_one_instruction() {
    const INSTRUCTIONS: &[(&str, &[u8])] = &[
        ("syscall", &[0x0f, 0x05]),
        ("sysenter", &[0x0f, 0x34]),
        ("iretq", &[0x48, 0xcf]),
        ("enclu", &[0x0f, 0x01, 0xd7]),
        ("jmp rax", &[0xff, 0xe0]),
        ("call rax", &[0xff, 0xd0]),
        ("jmp to itself", &[0xeb, 0xfe]),
        ("jne to the next one", &[0x75, 0x00]),
        ("mov rax, [0]", &[0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0]),
        ("mov [rip], eax", &[0x89, 0x05, 0, 0, 0, 0]),
        ("movd xmm0, eax", &[0x66, 0x0f, 0x6e, 0xc0]),
        ("cmpxchg16b [rdi]", &[0x48, 0x0f, 0xc7, 0x0f]),
        ("mov eax, fs", &[0x8c, 0xe0]),
        ("add rsp, rax", &[0x48, 0x01, 0xc4]),
        ("ret", &[0xc3]),
    ];
    for (what, bytes) in INSTRUCTIONS {
        let (mut file, place, _) = grown(".text", |at| bytes[at % bytes.len()]);
        let (text, at) = (file.section(".text"), file.export("__vdso_getcpu"));
        file.put64(at + symbol::VALUE, place as u64);
        // `endbr64; jmp` to the function.
        let slot = slot(find("open").expect("a call").number);
        file.put(slot + 4, &[0xe9]);
        file.put32(slot + 5, (place - slot - 9) as u32);
        // liblinux has slots beside them.
        for (name, count) in [("liblinux", 8_000), ("linux-x86-64", 15_000)] {
            let profile = profile::find(name).expect("a profile");
            let size = (bytes.len() * count) as u64;
            file.put64(text + section::SIZE, size);
            file.put64(at + symbol::SIZE, size);
            bounded_as(&format!("{what} as {name}"), &file, None, Some(profile));
        }
    }
}

/// One entry of call-frame information with many rows, over many functions.
fn many_functions_in_one_entry() {
    const COUNT: usize = 16_000;
    let (mut file, place, len) = grown(".text", |_| 0xc3);
    let header = file.section(".text");
    file.put64(header + section::SIZE, COUNT as u64);
    let good = Specimen::good().image;
    let table = good.contents(".dynsym") + 24 * good.export_index("__vdso_getcpu");
    let entry = good.bytes[table..table + 24].to_vec();
    // The symbols, one a byte, then the frames.
    let symbols = place + 32 * 1024;
    for index in 0..COUNT {
        let at = symbols + 24 * index;
        file.put(at, &entry);
        file.put64(at + symbol::VALUE, (place + index) as u64);
        file.put64(at + symbol::SIZE, 1);
    }
    let tag = file.tag(goblin::elf::dynamic::DT_SYMTAB);
    file.put64(tag + 8, symbols as u64);
    let hash = file.contents(".hash");
    file.put32(hash + 4, COUNT as u32);
    let frames = symbols + 24 * COUNT + 8;
    assert!(frames + 4096 < place + len, "the file has room");
    let start = good.contents(".eh_frame");
    let common = good.word(start) as usize + 4;
    let bytes = good.bytes[start..start + common].to_vec();
    file.put(frames, &bytes);
    // An entry of 2000 bytes: `DW_CFA_advance_loc` by 1, a thousand times.
    let at = frames + common;
    file.put32(at, 2000);
    file.put32(at + 4, (common + 4) as u32);
    file.put32(at + 8, (place as u32).wrapping_sub(at as u32 + 8));
    file.put32(at + 12, COUNT as u32);
    file.put(at + 16, &[0]);
    file.put(at + 17, &[0x41; 1987]);
    file.put32(at + 2004, 0);
    let header = file.section(".eh_frame");
    for (field, value) in [(section::ADDR, frames), (section::OFFSET, frames)] {
        file.put64(header + field, value as u64);
    }
    file.put64(header + section::SIZE, (common + 2008) as u64);
    let search = file.contents(".eh_frame_hdr");
    file.put32(search + 4, (frames as u32).wrapping_sub(search as u32 + 4));
    let profile = profile::find("linux-x86-64");
    bounded_as("many functions in an entry", &file, None, profile);
}

fn a_megabyte_of_symbols() {
    let good = Specimen::good().image;
    let table = good.contents(".dynsym") + 24 * good.export_index("__vdso_getcpu");
    let entry = good.bytes[table..table + 24].to_vec();
    let (mut file, place, len) = grown(".dynsym", |at| entry[at % 24]);
    let tag = file.tag(goblin::elf::dynamic::DT_SYMTAB);
    file.put64(tag + 8, place as u64);
    let hash = file.contents(".hash");
    for count in [len / 24, 16_000] {
        file.put32(hash + 4, count as u32);
        within_bounds(&format!("{count} symbols"), &file);
    }
}

fn a_megabyte_of_tables() {
    for name in [".altinstructions", ".fixups", ".note", ".eh_frame", ".rodata", ".gnu.version_d"] {
        for byte in [0, 1, 0x10, 0x7f, 0xff] {
            let (mut file, place, len) = grown(name, |at| if at % 4 == 0 { byte } else { 0 });
            let segments = file.view().segments().expect("segments").to_vec();
            // Readers find notes by their program header, versions by their tag.
            if name == ".note" {
                let at = file.segment(goblin::elf::program_header::PT_NOTE);
                file.put64(at + 8, place as u64);
                file.put64(at + segment::FILESZ, len as u64);
            }
            if name == ".gnu.version_d" {
                let tag = file.tag(goblin::elf::dynamic::DT_VERDEF);
                file.put64(tag + 8, place as u64);
            }
            assert!(!segments.is_empty());
            within_bounds(&format!("{name} of {byte:#x}"), &file);
        }
    }
}

fn a_megabyte_of_call_frames() {
    let good = Specimen::good().image;
    let start = good.contents(".eh_frame");
    let size = good.view().section(".eh_frame").expect("frames").header.sh_size as usize;
    let frames = good.bytes[start..start + size - 4].to_vec();
    let (mut file, place, _) = grown(".eh_frame", |at| frames[at % frames.len()]);
    // The search table's header leads there.
    let header = file.contents(".eh_frame_hdr");
    file.put32(header + 4, (place as u32).wrapping_sub(header as u32 + 4));
    within_bounds("call frames again and again", &file);
}

fn a_megabyte_of_sections() {
    let mut file = Specimen::good().image;
    let place = file.bytes.len();
    let header = file.section(".text");
    let entry = file.bytes[header..header + 64].to_vec();
    for count in [1000, 14_000] {
        file.bytes.truncate(place);
        (0..count).for_each(|_| file.bytes.extend(&entry));
        file.put64(40, place as u64);
        file.put16(60, count);
        within_bounds(&format!("{count} sections"), &file);
    }
}

/// A file that unpacks to far more than a kernel does, in each way to pack, and one of nothing but
/// the beginnings of images.
fn a_megabyte_of_other_things() {
    let zeros = vec![0; 64 << 20];
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(&zeros).expect("memory");
    let mut zip = zip.finish().expect("memory");
    drop(zeros);
    // Decoders stop at the end of what is packed, and a larger file may unpack to more.
    zip.resize(LARGEST - 128, 0xaa);
    let mut header = Specimen::good().image.bytes[..64 + 56 * 5].to_vec();
    header.resize(512, 0);
    let mut package = b"!<arch>\n".to_vec();
    package.extend(format!("{:<16}{:<32}{:<10}`\n", "data.tar.gz", "0", zip.len()).bytes());
    package.extend(&zip);
    // LZMA's header asks for a dictionary of 4 GiB less one.
    let lzma = [&[0x5d, 0, 0, 0, 0x80][..], &[0xff; 8], &[0; LARGEST - 13]].concat();
    for (what, file) in [
        ("gzip of zeros", zip),
        ("a package of zeros", package),
        ("LZMA of a large dictionary", lzma),
        ("headers again and again", header.repeat(LARGEST / header.len())),
        ("marks of LZMA", [0x5d, 0, 0, 0x10, 0].repeat(LARGEST / 5)),
    ] {
        assert!(file.len() <= LARGEST, "{what} has {} bytes", file.len());
        let look = || cost(|| drop(source::images_in(what, file.clone(), None)));
        let (time, memory) = (0..3).map(|_| look()).min().expect("three");
        told(what, time, memory);
    }
}

/// One test, since the counters are the process's.
#[test]
fn no_file_takes_more_time_or_memory() {
    the_image_itself();
    a_megabyte_of_code();
    a_function_of_one_instruction();
    many_functions_in_one_entry();
    a_megabyte_of_symbols();
    a_megabyte_of_tables();
    a_megabyte_of_call_frames();
    a_megabyte_of_sections();
    a_megabyte_of_other_things();
}
