//! The image that a process has mapped.
//!
//! It is read as the process sees it: from its auxiliary vector and its memory, not from a file
//! that it is hoped to equal.
//!
//! # Invariants
//!
//! 1. Offsets of exports are relative to the image's first byte, modulo 2^64: a symbol may lead out
//!    of the image. Absolute addresses are computed when they are needed and not kept, so that a
//!    program which uses this module is not itself found to have resolved every export.

use anyhow::{Context, Result};
use goblin::elf::{Elf, note::NT_GNU_BUILD_ID};
use liblinux_abi::kernel::auxv::AT_SYSINFO_EHDR;
use liblinux_protocol::report::NONE;
use procfs::process::Process;
use std::os::unix::fs::FileExt;

/// A vDSO image at its place in a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where its first byte is.
    pub address: u64,
    /// The last offset of a function.
    last: u64,
    /// The build-id in hexadecimal, if it has one.
    pub build_id: Option<String>,
    exports: Vec<Export>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Export {
    name: String,
    offset: u64,
}

impl Image {
    /// The image of a process; `None` if the kernel gave it none.
    pub fn of(process: &Process) -> Result<Option<Self>> {
        let auxv = process.auxv().context("cannot read the auxiliary vector")?;
        let Some(&address) = auxv.get(&AT_SYSINFO_EHDR).filter(|&&address| address != 0) else {
            return Ok(None);
        };
        Self::at(process, address).map(Some)
    }

    /// The image that a process has at an address.
    pub fn at(process: &Process, address: u64) -> Result<Self> {
        let maps = process.maps().context("cannot read the memory map")?;
        let (_, end) = maps
            .iter()
            .map(|map| map.address)
            .find(|&(start, end)| start <= address && address < end)
            .with_context(|| {
                format!("nothing is mapped at {address:#x}, where an image should be")
            })?;
        let size = usize::try_from(end - address)?;
        let mut bytes = vec![0; size];
        let memory = process.mem().context("cannot open the memory")?;
        memory.read_exact_at(&mut bytes, address).context("cannot read the image")?;
        Self::parse(&bytes, address)
    }

    /// Reads the image whose `bytes` lie at `address`.
    pub fn parse(bytes: &[u8], address: u64) -> Result<Self> {
        let elf = Elf::parse(bytes).context("the image is not an ELF file")?;
        let build_id = elf
            .iter_note_headers(bytes)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .find(|note| note.name == "GNU" && note.n_type == NT_GNU_BUILD_ID)
            .map(|note| note.desc.iter().map(|byte| format!("{byte:02x}")).collect());
        let exports: Vec<Export> = elf
            .dynsyms
            .iter()
            .filter(|symbol| symbol.is_function() && !symbol.is_import())
            .filter_map(|symbol| {
                let name = elf.dynstrtab.get_at(symbol.st_name)?;
                Some(Export { name: name.to_owned(), offset: symbol.st_value })
            })
            .collect();
        let last = exports.iter().map(|export| export.offset).max().unwrap_or(0);
        Ok(Self { address, last, build_id, exports })
    }

    /// The offset of an exported function.
    pub fn offset(&self, name: &str) -> Option<u64> {
        self.exports.iter().find(|export| export.name == name).map(|export| export.offset)
    }

    /// The name of the function whose entry is at `address`; of several, the one that starts with
    /// `__vdso_`.
    pub fn function_at(&self, address: u64) -> Option<&str> {
        let offset = address.wrapping_sub(self.address);
        // Most words of a program's memory are not addresses of the image.
        if offset > self.last {
            return None;
        }
        let names = || {
            self.exports.iter().filter(|export| export.offset == offset).map(|export| &*export.name)
        };
        names().find(|name| name.starts_with("__vdso_")).or_else(|| names().next())
    }
}

/// The build-id of an image, for the line that tells it.
pub(crate) fn build_id(image: Option<&Image>) -> &str {
    image.and_then(|image| image.build_id.as_deref()).unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_one() {
        let image =
            Image::of(&Process::myself().unwrap()).unwrap().expect("this kernel maps a vDSO");
        assert!(image.build_id.as_ref().is_some_and(|id| id.len() >= 16), "{image:?}");
        let offset = image.offset("clock_gettime").unwrap();
        assert_eq!(image.function_at(image.address + offset), Some("__vdso_clock_gettime"));
        assert_eq!(image.function_at(image.address + offset + 1), None);
        assert_eq!(image.function_at(0), None);
        assert_eq!(image.offset("no_such_function"), None);
    }

    #[test]
    fn a_symbol_may_lead_out_of_the_image() {
        let lead = |address: u64, to: u64| Image {
            address,
            last: to.wrapping_sub(address),
            build_id: None,
            exports: vec![Export { name: "f".to_owned(), offset: to.wrapping_sub(address) }],
        };
        for (address, to) in [(0x7000, 0x4010), (0x4000, 0x7010)] {
            assert_eq!(lead(address, to).function_at(to), Some("f"));
            assert_eq!(lead(address, to).function_at(address), None);
        }
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(Image::parse(&[0; 4096], 0).is_err());
        assert!(Image::parse(b"\x7fELF", 0).is_err());
    }
}
