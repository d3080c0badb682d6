//! The running kernel's own vDSO, as a process has it mapped.
//!
//! It is read in each program anew, where `AT_SYSINFO_EHDR` says, because only its own tables say which functions it has.
//! They are parsed once and kept as long as the bytes are the same, which is until the kernel is another.
//!
//! Its code can run elsewhere, in a copy of the whole vDSO: it is linked to run anywhere, and relative to itself. Only
//! the data pages are not copied, so the instructions that read them are found by decoding all of its text, and in a copy
//! they are given the distance to the pages.
//!
//! # Invariants
//!
//! 1. Offsets of [`Functions`] were read from exactly the bytes that are mapped.
//! 2. [`Code`] exists only if the text decodes from end to end and each function begins where an instruction does.

use crate::arch::SYSTEM_CALL;
use crate::extension::Extension;
use crate::memory::Memory;
use anyhow::{Context as _, Result, anyhow, ensure};
use iced_x86::{Code as Opcode, Decoder, DecoderOptions, OpKind};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_check::image::Image;
use std::cell::OnceCell;
use std::collections::BTreeSet;

/// More than any vDSO has; a larger one is taken for nonsense.
const SIZE_MAX: u64 = 1 << 20;

/// The functions of a vDSO, and where a `syscall` instruction is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Functions {
    bytes: Vec<u8>,
    exports: Vec<(String, u64)>,
    system_call: Option<u64>,
    /// The image with this vDSO behind it, once it was asked for, or why there is none.
    extension: OnceCell<Result<Extension, String>>,
}

/// How a vDSO's text reaches the data pages.
#[derive(Clone, Debug)]
pub(crate) struct Code(Vec<Reference>);

/// An instruction that reaches out of the vDSO.
#[derive(Clone, Copy, Debug)]
struct Reference {
    /// Offset of its distance, 4 bytes.
    place: usize,
    /// Offset of the next instruction, from which the distance counts.
    next: u64,
    /// Offset of what it reaches.
    target: u64,
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
        Ok(Self { exports, system_call, bytes, extension: OnceCell::new() })
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

    /// `image`, always the same one, with this vDSO behind it, or why that cannot be made.
    pub(crate) fn extension(&self, image: &[u8]) -> Result<&Extension, &str> {
        let made = self.extension.get_or_init(|| {
            Extension::new(image, self).map_err(|error| format!("its code cannot be copied: {error:#}"))
        });
        made.as_ref().map_err(String::as_str)
    }

    /// How its text reaches the data pages.
    pub(crate) fn code(&self) -> Result<Code> {
        let error = |what: String| anyhow!(what);
        let image = Image::read(&self.bytes)?;
        let text = image.text().map_err(error)?;
        let bytes = image.at(text.start, text.end - text.start).map_err(error)?;
        let inside = 0..self.bytes.len() as u64;
        let mut starts: BTreeSet<u64> = self.exports.iter().map(|(_, offset)| *offset).collect();
        let mut decoder = Decoder::with_ip(64, bytes, text.start, DecoderOptions::NONE);
        let mut references = Vec::new();
        while decoder.can_decode() {
            let instruction = decoder.decode();
            let ip = instruction.ip();
            ensure!(instruction.code() != Opcode::INVALID, "no instruction at {ip:#x}");
            starts.remove(&ip);
            let is_branch = matches!(instruction.op0_kind(), OpKind::NearBranch64);
            ensure!(
                !is_branch || inside.contains(&instruction.near_branch64()),
                "a branch out of it at {ip:#x}"
            );
            let target = instruction.memory_displacement64();
            if instruction.is_ip_rel_memory_operand() && !inside.contains(&target) {
                let offsets = decoder.get_constant_offsets(&instruction);
                ensure!(offsets.displacement_size() == 4, "no distance of 4 bytes at {ip:#x}");
                let place = usize::try_from(ip)? + offsets.displacement_offset();
                references.push(Reference { place, next: instruction.next_ip(), target });
            }
        }
        ensure!(starts.is_empty(), "a function begins inside of an instruction: {starts:x?}");
        Ok(Code(references))
    }
}

impl Code {
    /// Leads a copy of the vDSO at `address` to the data pages of the one at `home`; none if they are too far away.
    pub(crate) fn lead_home(&self, copy: &mut [u8], address: u64, home: u64) -> Option<()> {
        for Reference { place, next, target } in &self.0 {
            let distance = home.wrapping_add(*target).wrapping_sub(address.wrapping_add(*next));
            let distance = i32::try_from(distance.cast_signed()).ok()?;
            copy.get_mut(*place..place + size_of::<i32>())?.copy_from_slice(&distance.to_le_bytes());
        }
        Some(())
    }
}

/// Reads a whole vDSO.
fn read(memory: &Memory, address: u64) -> Result<Vec<u8>> {
    Ok(memory.read(address, size(&memory.read(address, PAGE_SIZE)?)?)?)
}

/// How large a vDSO is, by its first page: what is loaded, and the section headers, which the kernel maps behind it.
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
    let address = *auxv.get(&liblinux_abi::kernel::auxv::AT_SYSINFO_EHDR).expect("this kernel has a vDSO");
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
