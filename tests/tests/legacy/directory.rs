//! `getdents`: every length of name, every size of buffer, any alignment, and buffers that end in
//! nowhere.

use crate::Function;
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::syscall::legacy::DIRENT_RECLEN;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use std::fs::File;
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;

/// Memory in front of a page that cannot be accessed.
struct Buffer {
    start: *mut u8,
}

const BUFFER: usize = 8 * PAGE_SIZE;

impl Buffer {
    fn new() -> Self {
        let size = NonZeroUsize::new(BUFFER + PAGE_SIZE).expect("not zero");
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let memory = unsafe { mmap_anonymous(None, size, protection, MapFlags::MAP_PRIVATE) };
        let memory = memory.expect("memory");
        // SAFETY: the page behind the buffer is part of the mapping.
        let last = unsafe { memory.byte_add(BUFFER) };
        // SAFETY: no other code uses it.
        unsafe { mprotect(last, PAGE_SIZE, ProtFlags::PROT_NONE) }.expect("a page without access");
        Self { start: memory.as_ptr().cast() }
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: so much is mapped, for good, and the kernel is not writing now.
        unsafe { std::slice::from_raw_parts_mut(self.start, BUFFER) }
    }
}

/// Reads the whole folder in pieces; each result, and the bytes of the entries without those that
/// neither side writes.
fn read(
    function: Function,
    folder: &File,
    buffer: &mut Buffer,
    offset: usize,
    size: usize,
) -> Vec<(isize, Vec<u8>)> {
    let descriptor = usize::try_from(folder.as_raw_fd()).expect("a descriptor");
    // SAFETY: moves the descriptor's position.
    let start = unsafe { Function::bare("lseek").call([descriptor, 0, 0, 0, 0, 0]) };
    assert_eq!(start, 0);
    let mut pieces = Vec::new();
    loop {
        buffer.bytes().fill(0xa5);
        let address = buffer.start.addr() + offset;
        // SAFETY: the kernel and the function write to the buffer, or find that they cannot.
        let result = unsafe { function.call([descriptor, address, size, 4, 5, 6]) };
        let mut bytes = buffer.bytes().to_vec();
        let length = usize::try_from(result).unwrap_or(0);
        hide_padding(&mut bytes[offset..offset + length]);
        pieces.push((result, bytes));
        if result <= 0 {
            return pieces;
        }
    }
}

/// Zeros the bytes between the end of a name and the type.
fn hide_padding(mut entries: &mut [u8]) {
    while !entries.is_empty() {
        let reclen =
            usize::from(u16::from_ne_bytes([entries[DIRENT_RECLEN], entries[DIRENT_RECLEN + 1]]));
        let (entry, rest) = entries.split_at_mut(reclen);
        let name = &mut entry[DIRENT_RECLEN + 2..reclen - 1];
        let end = name.iter().position(|byte| *byte == 0).expect("the end of a name");
        name[end..].fill(0);
        entries = rest;
    }
}

#[test]
fn entries_are_those_of_the_kernel() {
    let folder = tempfile::tempdir().expect("a folder");
    for length in 1..=255 {
        let name: String =
            std::iter::repeat_n(char::from(b'a' + (length % 26) as u8), length).collect();
        let path = folder.path().join(name);
        match length % 3 {
            0 => std::fs::create_dir(path).expect("a folder"),
            1 => symlink("nowhere", path).expect("a link"),
            _ => drop(File::create(path).expect("a file")),
        }
    }
    let opened = File::open(folder.path()).expect("the folder");
    let [ours, bare] = Function::both("getdents");
    let mut buffer = Buffer::new();
    let end = BUFFER;
    let mut entries = 0;
    let places = (0..8).map(|offset| (offset, 4096)).chain([
        (0, 0),
        (0, 1),
        (0, 23),
        (0, 24),
        (0, 120),
        (3, 273),
        (0, 280),
        (0, BUFFER),
        (0, usize::MAX),
        // The end of the memory comes before that of the buffer.
        (end - 4096, 8192),
        (end - 320, 4096),
        (end - 24, 4096),
        (end - 16, 4096),
        (end, 4096),
    ]);
    for (offset, size) in places {
        let ours = read(ours, &opened, &mut buffer, offset, size);
        let bare = read(bare, &opened, &mut buffer, offset, size);
        assert_eq!(ours.len(), bare.len(), "{size} bytes at {offset}");
        for (piece, (ours, bare)) in ours.iter().zip(&bare).enumerate() {
            assert_eq!(ours.0, bare.0, "piece {piece} in {size} bytes at {offset}");
            // A fault leaves a part of the entry that was being written, in another order of its
            // bytes.
            let faults = offset.saturating_add(size) > BUFFER;
            let seen = if faults { offset + usize::try_from(ours.0).unwrap_or(0) } else { BUFFER };
            assert!(
                ours.1[..seen] == bare.1[..seen],
                "the bytes of piece {piece} in {size} bytes at {offset} differ"
            );
        }
        entries += ours.iter().map(|piece| piece.0.max(0)).sum::<isize>();
    }
    assert!(entries > 100_000, "only {entries} bytes were compared");
}
