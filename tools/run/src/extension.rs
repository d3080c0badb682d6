//! The image with the running kernel's vDSO behind it, as one object.
//!
//! Standard functions must be the running kernel's own: they know its data pages. But the auxiliary
//! vector names one object, and three kinds of readers ask for its extent. rustix and abseil demand
//! that symbols lie in it. An unwinder takes its call-frame information. A thread that pins the
//! origin of its calls gives the kernel its range. Therefore a copy of the kernel's whole vDSO lies
//! behind the image, within the same `PT_LOAD`, and the image's call-frame information describes
//! both.
//!
//! ```text
//! the image | the kernel's vDSO | .eh_frame_hdr .eh_frame | .shstrtab, section headers
//! ```
//!
//! The copy reads the data pages where the kernel has mapped them: an instruction that reaches out
//! of the vDSO gets the distance from the copy. So the copy has to be within 2 GiB of the original.
//!
//! # Invariants
//!
//! 1. Everything of the image up to its last section keeps its place; its old call-frame
//!    information, to which nothing leads any more, is zeros.
//! 2. Except for [`Extension::place`], the bytes depend on the image and the kernel alone.

use crate::frames::{self, Frames};
use crate::functions::{Code, Functions};
use anyhow::{Context as _, Result, anyhow};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_check::image::Image as Elf;
use object::elf::{
    FileHeader64, PT_GNU_EH_FRAME, PT_LOAD, ProgramHeader64, SHF_ALLOC, SHF_EXECINSTR,
    SHT_PROGBITS, SectionHeader64,
};
use object::pod::{bytes_of_slice, from_bytes_mut, slice_from_bytes_mut};
use object::{LittleEndian as LE, U16, U32, U64};

type FileHeader = FileHeader64<LE>;
type Segment = ProgramHeader64<LE>;
type Section = SectionHeader64<LE>;

/// The name of the section that has the kernel's vDSO.
const KERNEL: &[u8] = b".kernel\0";

/// The image with the kernel's vDSO behind it.
#[derive(Clone, Debug)]
pub(crate) struct Extension {
    bytes: Vec<u8>,
    /// Where the kernel's vDSO is in it.
    kernel: usize,
    code: Code,
}

impl Extension {
    /// Puts the kernel's vDSO behind an image of whole pages.
    pub(crate) fn new(image: &[u8], functions: &Functions) -> Result<Self> {
        let code = functions.code()?;
        let (ours, theirs) = (Elf::read(image)?, Elf::read(functions.bytes())?);
        let (kernel, size) = (image.len(), functions.bytes().len());
        let frames_at = kernel + size;
        let parts = [(&Frames::of(&ours)?, 0), (&Frames::of(&theirs)?, kernel as u64)];
        let frames = frames::join(&parts, frames_at as u64)?;
        let mut bytes = image.to_vec();
        bytes.extend(functions.bytes());
        let mut table = Table::of(&ours, &mut bytes)?;
        let sections = ours.sections().map_err(|error| anyhow!(error))?;
        for (name, content) in [(".eh_frame_hdr", &frames.header), (".eh_frame", &frames.records)] {
            let index = sections.iter().position(|section| section.name == name);
            table.replace(
                index.with_context(|| format!("there is no section {name}"))?,
                &mut bytes,
                content,
            )?;
        }
        let end = bytes.len();
        lead_loaders(&mut bytes, &ours, end, frames_at, frames.header.len())?;
        table.add(KERNEL, kernel, size);
        table.write(&mut bytes)?;
        bytes.resize(bytes.len().next_multiple_of(PAGE_SIZE), 0);
        Ok(Self { bytes, kernel, code })
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Where the kernel's vDSO is in it.
    pub(crate) fn kernel(&self) -> usize {
        self.kernel
    }

    /// The bytes for `base`, where the kernel's vDSO is at `home`; none if that is too far away.
    pub(crate) fn place(&self, base: u64, home: u64) -> Option<Vec<u8>> {
        let mut bytes = self.bytes.clone();
        self.code.lead_home(&mut bytes[self.kernel..], base + self.kernel as u64, home)?;
        Some(bytes)
    }
}

/// The section headers and their names, which move behind everything else.
struct Table {
    sections: Vec<Section>,
    /// The section of the names.
    names: usize,
    text: Vec<u8>,
}

impl Table {
    /// Takes the table out of the bytes.
    fn of(elf: &Elf<'_>, bytes: &mut [u8]) -> Result<Self> {
        let broken = |()| anyhow!("the section headers cannot be read");
        let error = |what: String| anyhow!(what);
        let (start, count) =
            (usize::try_from(elf.header.e_shoff)?, usize::from(elf.header.e_shnum));
        let table = bytes.get_mut(start..).context("the section headers are beyond the file")?;
        let (found, _) = slice_from_bytes_mut::<Section>(table, count).map_err(broken)?;
        let sections = found.to_vec();
        bytes[start..start + count * size_of::<Section>()].fill(0);
        let names = usize::from(elf.header.e_shstrndx);
        let named =
            elf.sections().map_err(error)?.get(names).context("the sections have no names")?;
        let text = elf.contents(named).map_err(error)?.to_vec();
        Ok(Self { sections, names, text })
    }

    /// Gives a section other content, which is put behind the bytes.
    fn replace(&mut self, index: usize, bytes: &mut Vec<u8>, content: &[u8]) -> Result<()> {
        let section = &mut self.sections[index];
        let (start, size) = (section.sh_offset.get(LE), section.sh_size.get(LE));
        let old = usize::try_from(start)?..usize::try_from(start + size)?;
        bytes.get_mut(old).context("a section reaches beyond the file")?.fill(0);
        section.sh_offset = U64::new(LE, bytes.len() as u64);
        if section.sh_addr.get(LE) != 0 {
            section.sh_addr = section.sh_offset;
        }
        section.sh_size = U64::new(LE, content.len() as u64);
        bytes.extend(content);
        Ok(())
    }

    /// Adds a section of code that is in the bytes already.
    fn add(&mut self, name: &[u8], start: usize, size: usize) {
        let (place, zero) = (U64::new(LE, start as u64), U32::new(LE, 0));
        self.sections.push(Section {
            sh_name: U32::new(LE, self.text.len() as u32),
            sh_type: U32::new(LE, SHT_PROGBITS),
            sh_flags: U64::new(LE, SHF_ALLOC | SHF_EXECINSTR),
            sh_addr: place,
            sh_offset: place,
            sh_size: U64::new(LE, size as u64),
            sh_link: zero,
            sh_info: zero,
            sh_addralign: U64::new(LE, PAGE_SIZE as u64),
            sh_entsize: U64::new(LE, 0),
        });
        self.text.extend(name);
    }

    /// Puts names and table behind the bytes.
    fn write(mut self, bytes: &mut Vec<u8>) -> Result<()> {
        let text = std::mem::take(&mut self.text);
        self.replace(self.names, bytes, &text)?;
        bytes.resize(bytes.len().next_multiple_of(size_of::<u64>()), 0);
        let place = bytes.len() as u64;
        bytes.extend(bytes_of_slice(&self.sections));
        let (header, _) =
            from_bytes_mut::<FileHeader>(bytes).map_err(|()| anyhow!("the file is too short"))?;
        header.e_shoff = U64::new(LE, place);
        header.e_shnum = U16::new(LE, u16::try_from(self.sections.len())?);
        Ok(())
    }
}

/// Has the program headers say that the object ends at `end`, and where its call-frame information
/// is.
fn lead_loaders(
    bytes: &mut [u8],
    elf: &Elf<'_>,
    end: usize,
    frames: usize,
    size: usize,
) -> Result<()> {
    let broken = |()| anyhow!("the program headers cannot be read");
    let table =
        bytes.get_mut(usize::try_from(elf.header.e_phoff)?..).context("no program headers")?;
    let count = usize::from(elf.header.e_phnum);
    for segment in slice_from_bytes_mut::<Segment>(table, count).map_err(broken)?.0 {
        let (start, size) = match segment.p_type.get(LE) {
            PT_LOAD => (0, end),
            PT_GNU_EH_FRAME => (frames, size),
            _ => continue,
        };
        let (start, size) = (U64::new(LE, start as u64), U64::new(LE, size as u64));
        (segment.p_offset, segment.p_vaddr, segment.p_paddr) = (start, start, start);
        (segment.p_filesz, segment.p_memsz) = (size, size);
    }
    Ok(())
}
