//! Copying a tree.
//!
//! # Invariants
//!
//! 1. Nothing that exists is overwritten: every file, folder and link is made with `O_EXCL`,
//!    `mkdirat` or `symlinkat`.
//! 2. Folders are entered by descriptor, so a tree that others rename in the meantime is not left.

#![expect(unsafe_code, reason = "makes system calls")]

use crate::output::{Output, STDERR, say};
use core::ffi::CStr;
use liblinux::{Errno, Vdso};

// `linux/fcntl.h`, `linux/stat.h`.
const AT_FDCWD: i32 = -100;
const AT_SYMLINK_NOFOLLOW: i32 = 0x100;
const O_RDONLY: i32 = 0;
const O_WRONLY: i32 = 1;
const O_CREAT: i32 = 0o100;
const O_EXCL: i32 = 0o200;
const O_DIRECTORY: i32 = 0o200_000;
const O_NOFOLLOW: i32 = 0o400_000;
const O_CLOEXEC: i32 = 0o2_000_000;
const S_IFMT: u16 = 0o170_000;
const S_IFREG: u16 = 0o100_000;
const S_IFDIR: u16 = 0o040_000;
const S_IFLNK: u16 = 0o120_000;
const S_IFIFO: u16 = 0o010_000;
const STATX_BASIC_STATS: u32 = 0x7ff;

/// Folders within folders that are followed: each takes 5 KiB of the stack.
const DEPTH: u32 = 256;

/// The numbers of copied files.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) files: u64,
    pub(crate) folders: u64,
    pub(crate) links: u64,
    pub(crate) bytes: u64,
}

/// It went wrong, and that has been said.
pub(crate) struct Failed;

/// `struct statx` of `linux/stat.h`, as far as it is used.
#[repr(C)]
struct Status {
    mask: u32,
    block_size: u32,
    attributes: u64,
    links: u32,
    owner: u32,
    group: u32,
    mode: u16,
    _padding: u16,
    inode: u64,
    size: u64,
    blocks: u64,
    attributes_mask: u64,
    accessed: Time,
    created: Time,
    changed: Time,
    modified: Time,
    _rest: [u64; 16],
}

/// `struct statx_timestamp`: seconds, nanoseconds. Its first 12 bytes are those of a small
/// `struct timespec`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Time {
    seconds: i64,
    nanoseconds: u32,
    _padding: i32,
}

/// An open file or folder.
struct Open<'a> {
    vdso: &'a Vdso,
    descriptor: i32,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        // SAFETY: no other code has the descriptor.
        let _ = unsafe { self.vdso.close(self.descriptor) };
    }
}

/// Copies what is at `from` to a new place.
pub(crate) fn copy(vdso: &Vdso, from: &CStr, to: &CStr) -> Result<Count, Failed> {
    let mut count = Count::default();
    Copier { vdso, count: &mut count }.entry((AT_FDCWD, from), (AT_FDCWD, to), DEPTH)?;
    Ok(count)
}

/// A name in a folder.
type Place<'a> = (i32, &'a CStr);

struct Copier<'a> {
    vdso: &'a Vdso,
    count: &'a mut Count,
}

impl<'a> Copier<'a> {
    /// Copies one entry of a folder, whatever it is.
    fn entry(&mut self, from: Place<'_>, to: Place<'_>, depth: u32) -> Result<(), Failed> {
        let status = self
            .status(from.0, from.1, AT_SYMLINK_NOFOLLOW)
            .map_err(self.failed("look at", from.1))?;
        match status.mode & S_IFMT {
            S_IFREG => self.file(from, to, &status)?,
            S_IFDIR => self.folder(from, to, &status, depth)?,
            S_IFLNK => return self.link(from, to),
            S_IFIFO => {
                // SAFETY: the name is a C string.
                unsafe { self.vdso.mknodat(to.0, to.1.as_ptr(), status.mode, 0) }
                    .map_err(self.failed("make", to.1))?;
            }
            _ => {
                let name = to.1.to_str().unwrap_or("?");
                say!(self.vdso, STDERR, "copytree: {name} is a device or a socket, and left out\n");
                return Ok(());
            }
        }
        let times =
            [status.accessed, status.modified].map(|time| [time.seconds, time.nanoseconds.into()]);
        // SAFETY: the name is a C string, and two of the kernel's timespecs are four words.
        unsafe {
            self.vdso.utimensat(to.0, to.1.as_ptr(), times.as_ptr().cast(), AT_SYMLINK_NOFOLLOW)
        }
        .map_err(self.failed("set the times of", to.1))?;
        Ok(())
    }

    fn file(&mut self, from: Place<'_>, to: Place<'_>, status: &Status) -> Result<(), Failed> {
        let source =
            self.open(from, O_RDONLY | O_NOFOLLOW, 0).map_err(self.failed("open", from.1))?;
        let target =
            self.open(to, O_WRONLY | O_CREAT | O_EXCL, 0o600).map_err(self.failed("make", to.1))?;
        let copied = self.contents(&source, &target).map_err(self.failed("copy", from.1))?;
        // SAFETY: the descriptor is open.
        unsafe { self.vdso.fchmod(target.descriptor, status.mode & 0o7777) }
            .map_err(self.failed("set the mode of", to.1))?;
        self.count.files += 1;
        self.count.bytes += copied;
        Ok(())
    }

    /// Copies a file's bytes: in the kernel where both file systems can, else through a buffer.
    fn contents(&self, source: &Open<'_>, target: &Open<'_>) -> Result<u64, Errno> {
        let (from, to) = (source.descriptor, target.descriptor);
        let mut copied = 0;
        loop {
            let none = core::ptr::null_mut();
            // SAFETY: both are open; without offsets the kernel reads no memory.
            match unsafe { self.vdso.copy_file_range(from, none, to, none, 1 << 30, 0) } {
                Ok(0) => break,
                Ok(count) => copied += count as u64,
                Err(_) if copied == 0 => break,
                Err(why) => return Err(why),
            }
        }
        let mut buffer = [0_u8; 4096];
        loop {
            // SAFETY: the buffer has this size.
            let count = unsafe { self.vdso.read(from, buffer.as_mut_ptr().cast(), buffer.len()) }?;
            if count == 0 {
                return Ok(copied);
            }
            let mut rest = &buffer[..count];
            while !rest.is_empty() {
                // SAFETY: `rest` is filled.
                let written = unsafe { self.vdso.write(to, rest.as_ptr().cast(), rest.len()) }?;
                rest = &rest[written..];
            }
            copied += count as u64;
        }
    }

    fn folder(
        &mut self,
        from: Place<'_>,
        to: Place<'_>,
        status: &Status,
        depth: u32,
    ) -> Result<(), Failed> {
        let Some(depth) = depth.checked_sub(1) else {
            say!(self.vdso, STDERR, "copytree: more than {DEPTH} folders within each other\n");
            return Err(Failed);
        };
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
        let source = self.open(from, flags, 0).map_err(self.failed("open", from.1))?;
        // SAFETY: the name is a C string.
        unsafe { self.vdso.mkdirat(to.0, to.1.as_ptr(), 0o700) }
            .map_err(self.failed("make", to.1))?;
        let target = self.open(to, flags, 0).map_err(self.failed("open", to.1))?;
        let mut entries = [0_u64; 512];
        loop {
            let size = size_of_val(&entries) as u32;
            // SAFETY: the buffer has this size.
            let filled = unsafe {
                self.vdso.getdents64(source.descriptor, entries.as_mut_ptr().cast(), size)
            };
            let filled = filled.map_err(self.failed("list", from.1))?;
            if filled == 0 {
                break;
            }
            // SAFETY: any bytes are `u8`s, and the buffer has more than `filled`.
            let mut bytes =
                unsafe { core::slice::from_raw_parts(entries.as_ptr().cast::<u8>(), filled) };
            while let Some((name, rest)) = next(bytes) {
                bytes = rest;
                if name != c"." && name != c".." {
                    self.entry((source.descriptor, name), (target.descriptor, name), depth)?;
                }
            }
        }
        // SAFETY: the descriptor is open.
        unsafe { self.vdso.fchmod(target.descriptor, status.mode & 0o7777) }
            .map_err(self.failed("set the mode of", to.1))?;
        self.count.folders += 1;
        Ok(())
    }

    fn link(&mut self, from: Place<'_>, to: Place<'_>) -> Result<(), Failed> {
        let mut target = [0_u8; 4096];
        let size = target.len() as i32 - 1;
        // SAFETY: the name is a C string, and the buffer is larger than `size`.
        unsafe { self.vdso.readlinkat(from.0, from.1.as_ptr(), target.as_mut_ptr().cast(), size) }
            .map_err(self.failed("read", from.1))?;
        // SAFETY: both are C strings: the last byte of the buffer is still null.
        unsafe { self.vdso.symlinkat(target.as_ptr().cast(), to.0, to.1.as_ptr()) }
            .map_err(self.failed("make", to.1))?;
        self.count.links += 1;
        Ok(())
    }

    fn status(&self, folder: i32, name: &CStr, flags: i32) -> Result<Status, Errno> {
        let mut status = core::mem::MaybeUninit::<Status>::zeroed();
        let pointer = status.as_mut_ptr().cast();
        // SAFETY: the name is a C string, and `Status` has the size of the kernel's structure.
        unsafe {
            self.vdso.statx(folder, name.as_ptr(), flags as u32, STATX_BASIC_STATS, pointer)
        }?;
        // SAFETY: all of it was zero, and the kernel filled in what it has.
        Ok(unsafe { status.assume_init() })
    }

    fn open(&self, place: Place<'_>, flags: i32, mode: u16) -> Result<Open<'a>, Errno> {
        // SAFETY: the name is a C string.
        let descriptor =
            unsafe { self.vdso.openat(place.0, place.1.as_ptr(), flags | O_CLOEXEC, mode) }?;
        Ok(Open { vdso: self.vdso, descriptor })
    }

    /// Says what could not be done.
    fn failed<'b>(
        &self,
        what: &'b str,
        name: &'b CStr,
    ) -> impl FnOnce(Errno) -> Failed + use<'a, 'b> {
        let vdso = self.vdso;
        move |why| {
            let name = name.to_str().unwrap_or("?");
            say!(vdso, STDERR, "copytree: cannot {what} {name}: {why}\n");
            Failed
        }
    }
}

const _: () = assert!(size_of::<Status>() == 256);

/// Splits the first `struct linux_dirent64` off: its name, and the bytes behind it.
fn next(bytes: &[u8]) -> Option<(&CStr, &[u8])> {
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    let length = usize::from(u16::from_le_bytes([*bytes.get(LENGTH)?, *bytes.get(LENGTH + 1)?]));
    let name = CStr::from_bytes_until_nul(bytes.get(NAME..length)?).ok()?;
    Some((name, bytes.get(length..)?))
}
