//! The running kernel's own vDSO, as a process has it mapped.
//!
//! It is read in each program anew, where `AT_SYSINFO_EHDR` says: what else would know which functions it has?
//! Its tables are read once and kept as long as the bytes are the same, which is until the kernel is another.
//!
//! # Invariants
//!
//! 1. Offsets of [`Functions`] were read from exactly the bytes that are mapped.

use crate::arch::SYSTEM_CALL;
use crate::memory::Memory;
use anyhow::{Context as _, Result, anyhow, ensure};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_check::image::Image;

/// More than any vDSO has; a larger one is taken for nonsense.
const SIZE_MAX: u64 = 1 << 20;

/// The functions of a vDSO, and where a `syscall` instruction is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Functions {
    bytes: Vec<u8>,
    exports: Vec<(String, u64)>,
    system_call: Option<u64>,
}

impl Functions {
    /// The functions of the vDSO at `address`; `known` if it is the same one.
    pub(crate) fn of(memory: &Memory, address: u64, known: Functions) -> Result<Self> {
        let bytes = read(memory, address)
            .with_context(|| format!("the kernel's vDSO at {address:#x} cannot be read"))?;
        if bytes == known.bytes {
            return Ok(known);
        }
        Self::parse(bytes)
            .map_err(|error| anyhow!("the kernel's vDSO at {address:#x} cannot be understood: {error}"))
    }

    fn parse(bytes: Vec<u8>) -> Result<Self, String> {
        let image = Image::read(&bytes).map_err(|error| error.to_string())?;
        let exports = image.exports()?;
        let exports = exports.iter().map(|symbol| (symbol.name.to_owned(), symbol.value)).collect();
        let windows = bytes.windows(SYSTEM_CALL.len());
        let system_call =
            windows.zip(0..).find(|(window, _)| *window == SYSTEM_CALL).map(|(_, offset)| offset);
        Ok(Self { exports, system_call, bytes })
    }

    /// The offset of a function; none if the kernel has no such function.
    pub(crate) fn offset(&self, name: &str) -> Option<u64> {
        self.exports.iter().find(|(export, _)| export == name).map(|(_, offset)| *offset)
    }

    /// The offset of a `syscall` instruction.
    pub(crate) fn system_call(&self) -> Option<u64> {
        self.system_call
    }
}

/// Reads a whole vDSO: what is loaded, and the section headers, which the kernel maps behind it.
fn read(memory: &Memory, address: u64) -> Result<Vec<u8>> {
    let header = memory.read(address, PAGE_SIZE)?;
    let image = Image::read(&header)?;
    let loaded = image.load().map_err(|error| anyhow!(error))?.p_memsz;
    let sections = u64::from(image.header.e_shentsize) * u64::from(image.header.e_shnum);
    let size = loaded.max(image.header.e_shoff.saturating_add(sections));
    ensure!(size <= SIZE_MAX, "its {size} bytes are too many");
    Ok(memory.read(address, usize::try_from(size)?.next_multiple_of(PAGE_SIZE))?)
}
