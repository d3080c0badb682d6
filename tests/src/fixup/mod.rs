//! The image's exception fixups, as a program on a stock kernel uses them: entries, areas, a signal
//! handler, and instructions that fault.
//!
//! # Invariants
//!
//! 1. One image serves a whole process: its own fixups work only if the handler is that image's.

#![expect(unsafe_code, reason = "calls entries by address and maps memory")]

pub mod handler;
pub mod probe;

use crate::image::Image;
use liblinux_abi::image::fixup::{Dso, Hit, area_size};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use std::mem::transmute;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

/// The entries of the image of this process.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each is `__vdso_fixup_` and its name")]
pub struct Entries {
    pub area_size: extern "C" fn(u64) -> isize,
    pub init: extern "C" fn(u64, u64, u64) -> isize,
    pub register: extern "C" fn(u64, u64) -> isize,
    pub unregister: extern "C" fn(u64, u64) -> isize,
    pub grow: extern "C" fn(u64, u64, u64) -> isize,
    pub lookup: extern "C" fn(u64, u64, u64) -> isize,
    pub attach: extern "C" fn(u64, u64) -> isize,
    pub query: extern "C" fn(u64) -> isize,
    pub mark: extern "C" fn(u64, u64) -> isize,
    pub dispatch: extern "C" fn(u64, u64, u64) -> isize,
}

/// The image of this process.
pub fn image() -> &'static Image {
    static IMAGE: LazyLock<Image> = LazyLock::new(Image::load_patched);
    &IMAGE
}

/// The entries of the image of this process.
pub fn entries() -> &'static Entries {
    static ENTRIES: LazyLock<Entries> = LazyLock::new(|| {
        let entry = |name: &str| image().require(&format!("__vdso_fixup_{name}"));
        macro_rules! entries {
            ($($name:ident: $type:ty,)+) => {
                // SAFETY: these are the entries' parameters, and the image is never unmapped.
                Entries { $($name: unsafe { transmute::<usize, $type>(entry(stringify!($name))) },)+ }
            };
        }
        entries! {
            area_size: extern "C" fn(u64) -> isize,
            init: extern "C" fn(u64, u64, u64) -> isize,
            register: extern "C" fn(u64, u64) -> isize,
            unregister: extern "C" fn(u64, u64) -> isize,
            grow: extern "C" fn(u64, u64, u64) -> isize,
            lookup: extern "C" fn(u64, u64, u64) -> isize,
            attach: extern "C" fn(u64, u64) -> isize,
            query: extern "C" fn(u64) -> isize,
            mark: extern "C" fn(u64, u64) -> isize,
            dispatch: extern "C" fn(u64, u64, u64) -> isize,
        }
    });
    &ENTRIES
}

/// New memory, kept as long as the process.
pub fn map(len: usize, access: ProtFlags) -> u64 {
    let len = NonZeroUsize::new(len).expect("not empty");
    // SAFETY: a new mapping, at a place that the kernel chooses.
    let memory = unsafe { mmap_anonymous(None, len, access, MapFlags::MAP_PRIVATE) };
    memory.expect("memory").as_ptr().expose_provenance() as u64
}

/// An area in new memory.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// Its address.
    pub address: u64,
}

impl Area {
    /// An empty area for so many DSOs.
    pub fn new(capacity: u64) -> Self {
        let size = area_size(capacity).expect("a size");
        let address = map(size as usize, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE);
        assert_eq!((entries().init)(address, size, capacity), 0, "an area for {capacity}");
        Self { address }
    }

    /// Registers a DSO: 0 or an error.
    pub fn register(self, dso: &Dso) -> isize {
        (entries().register)(self.address, (&raw const *dso).expose_provenance() as u64)
    }

    /// Unregisters a DSO: 0 or an error.
    pub fn unregister(self, text_start: u64) -> isize {
        (entries().unregister)(self.address, text_start)
    }

    /// Looks an address up: a hit or an error.
    pub fn lookup(self, ip: u64) -> Result<Hit, isize> {
        let mut hit = Hit::default();
        match (entries().lookup)(self.address, ip, (&raw mut hit).expose_provenance() as u64) {
            0 => Ok(hit),
            error => Err(error),
        }
    }
}
