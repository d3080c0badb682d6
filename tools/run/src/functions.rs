//! The functions of the running kernel's own vDSO, as a process has it mapped.
//!
//! It is read where `AT_SYSINFO_EHDR` says, because only its own tables say which functions it has.
//!
//! Its code can run in a copy of the whole vDSO, because it is linked to run anywhere. The data
//! pages are not copied. So all of the text is decoded to find the instructions that read them, and
//! in a copy these get the distance to the pages.
//!
//! # Invariants
//!
//! 1. Offsets of [`Functions`] were read from exactly the bytes that are mapped.
//! 2. [`Code`] exists only if the text decodes from end to end and each function begins where an
//!    instruction does.

use crate::arch::{Reference, SYSTEM_CALL, references};
use crate::memory::Memory;
use anyhow::{Result, anyhow, ensure};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_check::image::Image;
use std::collections::BTreeSet;

/// More than any vDSO has; a larger one is taken for nonsense.
const SIZE_MAX: u64 = 1 << 20;

/// The functions of a vDSO, and where a `syscall` instruction is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Functions {
    bytes: Vec<u8>,
    exports: Vec<(String, u64)>,
    system_call: Option<u64>,
}

/// How a vDSO's text reaches the data pages.
#[derive(Clone, Debug)]
pub(crate) struct Code(Vec<Reference>);

impl Functions {
    /// Reads the whole vDSO at `address`.
    pub(crate) fn read(memory: &Memory, address: u64) -> Result<Vec<u8>> {
        Ok(memory.read(address, size(&memory.read(address, PAGE_SIZE)?)?)?)
    }

    /// The functions of a vDSO with these bytes.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, String> {
        let image = Image::read(&bytes).map_err(|error| error.to_string())?;
        let exports = image.exports()?;
        let exports = exports.iter().map(|symbol| (symbol.name.to_owned(), symbol.value)).collect();
        let windows = bytes.windows(SYSTEM_CALL.len());
        let system_call =
            windows.zip(0..).find(|(window, _)| *window == SYSTEM_CALL).map(|(_, offset)| offset);
        Ok(Self { exports, system_call, bytes })
    }

    /// The whole vDSO.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The offset of a function; none if the kernel has no such function.
    pub(crate) fn offset(&self, name: &str) -> Option<u64> {
        self.exports.iter().find(|(export, _)| export == name).map(|(_, offset)| *offset)
    }

    /// The offset of a `syscall` instruction.
    pub(crate) fn system_call(&self) -> Option<u64> {
        self.system_call
    }

    /// How its text reaches the data pages.
    pub(crate) fn code(&self) -> Result<Code> {
        let error = |what: String| anyhow!(what);
        let image = Image::read(&self.bytes)?;
        let text = image.text().map_err(error)?;
        let bytes = image.at(text.start, text.end - text.start).map_err(error)?;
        let inside = 0..self.bytes.len() as u64;
        let starts: BTreeSet<u64> = self.exports.iter().map(|(_, offset)| *offset).collect();
        Ok(Code(references(bytes, text.start, &inside, starts)?))
    }
}

impl Code {
    /// Leads a copy of the vDSO at `address` to the data pages of the one at `home`; none if they
    /// are too far away.
    pub(crate) fn lead_home(&self, copy: &mut [u8], address: u64, home: u64) -> Option<()> {
        for Reference { place, next, target } in &self.0 {
            let distance = home.wrapping_add(*target).wrapping_sub(address.wrapping_add(*next));
            let distance = i32::try_from(distance.cast_signed()).ok()?;
            copy.get_mut(*place..place + size_of::<i32>())?
                .copy_from_slice(&distance.to_le_bytes());
        }
        Some(())
    }
}

/// How large a vDSO is, by its first page: what is loaded, and the section headers, which the
/// kernel maps behind it.
fn size(header: &[u8]) -> Result<usize> {
    let image = Image::read(header)?;
    let loaded = image.load().map_err(|error| anyhow!(error))?.p_memsz;
    let sections = u64::from(image.header.e_shentsize) * u64::from(image.header.e_shnum);
    let size = loaded.max(image.header.e_shoff.saturating_add(sections));
    ensure!(size <= SIZE_MAX, "its {size} bytes are too many");
    Ok(usize::try_from(size)?.next_multiple_of(PAGE_SIZE))
}

/// The vDSO of this process, and where it is.
#[cfg(test)]
pub(crate) fn own() -> (u64, Functions) {
    use std::os::unix::fs::FileExt as _;
    let process = procfs::process::Process::myself().expect("this process");
    let auxv = process.auxv().expect("its auxiliary vector");
    let address =
        *auxv.get(&liblinux_abi::kernel::auxv::AT_SYSINFO_EHDR).expect("this kernel has a vDSO");
    let memory = std::fs::File::open("/proc/self/mem").expect("our memory");
    let read = |size: usize| {
        let mut bytes = vec![0; size];
        memory.read_exact_at(&mut bytes, address).map(|()| bytes)
    };
    let size = size(&read(PAGE_SIZE).expect("its first page")).expect("its size");
    (address, Functions::parse(read(size).expect("the vDSO")).expect("a vDSO"))
}

#[cfg(test)]
impl Functions {
    /// The same with other bytes at a place.
    pub(crate) fn patched(&self, place: usize, code: &[u8]) -> Self {
        let mut bytes = self.bytes.clone();
        bytes[place..place + code.len()].copy_from_slice(code);
        Self::parse(bytes).expect("a vDSO")
    }
}
