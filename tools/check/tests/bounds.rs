//! The bounds: no file of up to a megabyte takes more than 64 MiB of memory, and, compiled with
//! optimisation, more than 100 ms of the processor.
//!
//! The files are the image made worse: each fills a megabyte with what one part of the checker
//! walks.

#![expect(unsafe_code, reason = "an allocator that counts")]

#[path = "specimen/mod.rs"]
mod specimen;

use liblinux_check::check;
use rustix::time::{ClockId, clock_gettime};
use specimen::{File, Specimen, section, segment, symbol};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Bytes in use, and the most that ever were.
static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; only numbers are kept beside.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(now, Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of the largest file that the bounds are for.
const LARGEST: usize = 1 << 20;

/// The processor's time that this thread has used: others use the processor, too.
fn used() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Judges a file, alone and as its own twin, and holds both to the bounds.
fn within_bounds(what: &str, file: &File) {
    for debug in [None, Some(file.bytes.as_slice())] {
        bounded(what, file, debug);
    }
}

fn bounded(what: &str, file: &File, debug: Option<&[u8]>) {
    assert!(file.bytes.len() <= LARGEST, "{what} has {} bytes", file.bytes.len());
    MOST.store(IN_USE.load(Relaxed), Relaxed);
    let before = IN_USE.load(Relaxed);
    // The best of three: caches are cold at first.
    let time = (0..3)
        .map(|_| {
            let start = used();
            let report = check(&file.bytes, debug, None).expect("an ELF file");
            assert!(!report.to_string().is_empty());
            used() - start
        })
        .min()
        .unwrap_or_default();
    let memory = MOST.load(Relaxed).saturating_sub(before);
    println!("{what}: {time:?}, {} KiB", memory >> 10);
    assert!(memory < 64 << 20, "{what} takes {} MiB", memory >> 20);
    // Without optimisation only a hang is told from work.
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 10_000 } else { 100 });
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

/// One test, since the counters are the process's.
#[test]
fn no_file_takes_more_time_or_memory() {
    the_image_itself();
    a_megabyte_of_code();
    a_megabyte_of_symbols();
    a_megabyte_of_tables();
    a_megabyte_of_call_frames();
    a_megabyte_of_sections();
}
