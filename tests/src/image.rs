//! An image mapped into this process, over data pages that the test writes.
//!
//! The image is that of the kernel line for which the tests are compiled, which is the default line
//! unless `--cfg kernel_line="VERSION"` says otherwise.
//!
//! # Invariants
//!
//! 1. The mapping is as the kernel's: the data pages directly below the image, the image readable
//!    and executable.
//! 2. The mapping lives as long as the process: entries may be called by threads that outlive a
//!    test.

#![expect(unsafe_code, reason = "maps code and calls it")]

use crate::arch::alternatives;
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::datapage::{
    DATA_SIZE, DataPage, LAYOUT, NAMESPACE_MOVES_RANDOM, RandomData,
};
use liblinux_workspace::{Line, Workspace, line};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// Where [`Image::unused`] is in its page.
pub const UNUSED: usize = PAGE_SIZE - size_of::<AtomicU64>();

const _: () = assert!(size_of::<DataPage>() <= UNUSED);

/// An image in memory.
#[derive(Debug)]
pub struct Image {
    file: Vec<u8>,
    base: NonNull<u8>,
}

// SAFETY: the mapping is never written after `load`, but for the data pages, whose fields are
// atomics.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

impl Image {
    /// The kernel line of the image.
    pub fn line() -> &'static Line {
        line::find(LAYOUT.line).expect("a layout's line is a kernel line")
    }

    /// Where `cargo xtask image` puts the image.
    pub fn path() -> PathBuf {
        Workspace::current().image(Self::line())
    }

    /// Maps the image that `cargo xtask image` built. Its data pages are zero: no clock can be
    /// read.
    pub fn load() -> Self {
        Self::map(Self::read())
    }

    /// As [`Image::load`], with the alternatives that the kernel would choose on this processor.
    pub fn load_patched() -> Self {
        let mut file = Self::read();
        alternatives::apply(&mut file);
        Self::map(file)
    }

    /// The bytes of the image that `cargo xtask image` built.
    pub fn read() -> Vec<u8> {
        read(&Self::path())
    }

    /// Where `cargo xtask image` puts the image with its symbols.
    pub fn debug_path() -> PathBuf {
        Workspace::current().debug_image(Self::line())
    }

    /// The bytes of the image with its symbols.
    pub fn read_debug() -> Vec<u8> {
        read(&Self::debug_path())
    }

    /// What a section of the image with its symbols has, which need not be mapped.
    pub fn debug_section(name: &str) -> Vec<u8> {
        let debug = Self::read_debug();
        let elf = object::File::parse(debug.as_slice()).expect("an ELF image");
        let section =
            elf.section_by_name(name).unwrap_or_else(|| panic!("the image has no section {name}"));
        section.data().expect("contents").to_vec()
    }

    /// Maps the image in a file's bytes, over data pages of zeros.
    pub fn map(file: Vec<u8>) -> Self {
        let size = file.len().next_multiple_of(PAGE_SIZE);
        let whole = NonZeroUsize::new(DATA_SIZE + size).expect("not empty");
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let mapping = unsafe {
            mmap_anonymous(
                None,
                whole,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_PRIVATE,
            )
        }
        .expect("memory for the image");
        // SAFETY: the mapping is `DATA_SIZE + size` bytes long.
        let base = unsafe { mapping.cast::<u8>().add(DATA_SIZE) };
        // SAFETY: `size` bytes from `base` are mapped, writable and new.
        unsafe { base.copy_from_nonoverlapping(NonNull::from(file.as_slice()).cast(), file.len()) };
        // SAFETY: no code writes to these pages from here on.
        unsafe { mprotect(base.cast(), size, ProtFlags::PROT_READ | ProtFlags::PROT_EXEC) }
            .expect("an executable image");
        Self { file, base }
    }

    /// The file that is mapped.
    pub fn file(&self) -> &[u8] {
        &self.file
    }

    /// Address of the first byte.
    pub fn base(&self) -> usize {
        self.base.as_ptr().addr()
    }

    /// Address of an exported function.
    pub fn entry(&self, name: &str) -> Option<usize> {
        let elf = object::File::parse(self.file.as_slice()).expect("an ELF image");
        let symbol = elf
            .dynamic_symbols()
            .find(|symbol| symbol.name() == Ok(name) && symbol.is_definition())?;
        Some(self.base() + usize::try_from(symbol.address()).expect("an address in the image"))
    }

    /// Address of an exported function that must exist.
    pub fn require(&self, name: &str) -> usize {
        self.entry(name).unwrap_or_else(|| panic!("the image does not export {name}"))
    }

    /// Address of a function that is not exported, by the symbols of the unstripped image.
    pub fn internal(&self, name: &str) -> usize {
        let debug = Self::read_debug();
        let elf = object::File::parse(debug.as_slice()).expect("an ELF image");
        let symbol =
            elf.symbols().find(|symbol| symbol.name() == Ok(name) && symbol.is_definition());
        let symbol = symbol.unwrap_or_else(|| panic!("the image has no {name}"));
        self.base() + usize::try_from(symbol.address()).expect("an address in the image")
    }

    /// Address of a section that is mapped.
    pub fn section(&self, name: &str) -> usize {
        let elf = object::File::parse(self.file.as_slice()).expect("an ELF image");
        let section =
            elf.section_by_name(name).unwrap_or_else(|| panic!("the image has no section {name}"));
        self.base() + usize::try_from(section.address()).expect("an address in the image")
    }

    /// Where data is that has a symbol in `datapage::LAYOUT`.
    pub fn data(&self, symbol: &str) -> NonNull<u8> {
        let mut symbols = LAYOUT.symbols.iter();
        let found = symbols.find(|(name, _)| *name == symbol);
        let (_, offset) = found.unwrap_or_else(|| panic!("the data has no symbol {symbol}"));
        assert!(*offset < DATA_SIZE);
        // SAFETY: the data pages are mapped below `base`, and the offset is in one of them.
        unsafe { self.base.sub(DATA_SIZE - offset) }
    }

    /// The page with the clocks of the process's time namespace.
    pub fn clocks(&self) -> &DataPage {
        // SAFETY: page-aligned, mapped for good, and all fields are atomics.
        unsafe { self.data("vdso_u_time_data").cast().as_ref() }
    }

    /// The last bytes of the lowest page, which no image uses.
    pub fn unused(&self) -> &AtomicU64 {
        // SAFETY: the page is mapped below `base`.
        let page = unsafe { self.base.sub(DATA_SIZE) };
        // SAFETY: in that page.
        let place = unsafe { page.add(UNUSED) };
        // SAFETY: aligned and mapped for good.
        unsafe { place.cast().as_ref() }
    }

    /// The page with the system's clocks, in a time namespace that has offsets.
    pub fn system_clocks(&self) -> &DataPage {
        // SAFETY: page-aligned, mapped for good, and all fields are atomics.
        unsafe { self.data("timens_page").cast().as_ref() }
    }

    /// The state of the kernel's random number generator.
    pub fn random(&self) -> &RandomData {
        // SAFETY: aligned, mapped for good, and all fields are atomics.
        unsafe { self.data("vdso_u_rng_data").cast().as_ref() }
    }

    /// The same, in a time namespace that has offsets.
    pub fn namespace_random(&self) -> &RandomData {
        let data = self.data("vdso_u_rng_data");
        if !NAMESPACE_MOVES_RANDOM {
            return self.random();
        }
        let (from, to) = (self.data("vdso_u_time_data"), self.data("timens_page"));
        // SAFETY: as far into the other page.
        let data = unsafe { data.byte_add(to.addr().get() - from.addr().get()) };
        // SAFETY: aligned, mapped for good, and all fields are atomics.
        unsafe { data.cast().as_ref() }
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| {
        panic!("{}: {error}; run `cargo xtask image` first", path.display())
    })
}
