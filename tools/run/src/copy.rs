//! The image, and the copy of it that a process gets.
//!
//! The image's standard functions read data pages that the kernel of its own version keeps. The
//! running kernel is another, with other pages elsewhere. So each standard function of a process's
//! copy starts with a jump to the running kernel's function of the same name. A copy of that
//! function lies behind the image ([`Extension`]). Names, offsets and sizes stay as they were
//! built. For a function that the running kernel lacks, the jump leads to the plain stub in the
//! call's slot.
//!
//! If the kernel's code cannot be copied, or the copy cannot lie near enough to the kernel's data,
//! all jumps lead to stubs.
//!
//! Below a copy lie pages of zeros in place of the kernel's data. `getrandom` alone keeps its own
//! code where the kernel has no such function. With zeros it asks the kernel for bytes, and it
//! answers a caller's probe, which the plain stub would take for a request. (On such a kernel a
//! caller cannot allocate the state that the answer describes.)
//!
//! The function that enters an SGX enclave needs no data either. But the kernel recognises an
//! exception in an enclave by the address of its own function. So the jump there leads to the
//! original, at any distance.
//!
//! # Invariants
//!
//! 1. An [`Image`] has been judged by the checker: its exports have room for a jump, offsets are
//!    addresses, and `.dynsym` is the table that loaders read.
//! 2. A copy differs from the image in the first bytes of standard functions, and in what an
//!    [`Extension`] changes.

use crate::arch::{JUMP_SIZE, SHORT_JUMP_SIZE, jump, short_jump};
use crate::extension::Extension;
use crate::running::Running;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use liblinux_abi::image::export::{SGX_ENTER_ENCLAVE, standard};
use liblinux_abi::image::layout::{PAGE_SIZE, slot};
use liblinux_check::image::Image as Elf;
use std::fs;
use std::path::Path;

/// The image that `build.rs` put in.
const EMBEDDED: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// `__vdso_getrandom`, which can do without data.
const GETRANDOM: &str = "__vdso_getrandom";

/// An image that programs may get.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    bytes: Vec<u8>,
    build_id: String,
    redirections: Vec<Redirection>,
}

/// A function that the running kernel may answer.
#[derive(Clone, Debug)]
struct Redirection {
    /// Its name in the image.
    name: String,
    /// Its name in the kernel's vDSO.
    symbol: &'static str,
    offset: usize,
    /// Where to jump in the image if the kernel has no such function; none to leave it alone.
    fallback: Option<usize>,
}

/// The copy for one process.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    /// The bytes to map.
    pub(crate) bytes: Vec<u8>,
    /// The functions that lead to code of the kernel's vDSO.
    pub(crate) redirected: Vec<&'static str>,
    /// Why no other function leads to the kernel's vDSO, if there is one.
    pub(crate) obstacle: Option<String>,
}

impl Image {
    /// The image that is part of this program.
    pub(crate) fn embedded() -> Result<Self> {
        let bytes = EMBEDDED.context(
            "this program was built without an image: give one with --image FILE (`cargo xtask image` makes \
             it), or build the program by `cargo xtask run`, which embeds it",
        )?;
        // The build has judged it.
        Self::prepare(bytes.to_vec())
    }

    /// The image in a file, if the checker accepts it.
    pub(crate) fn from_file(file: &Path) -> Result<Self> {
        let bytes = fs::read(file).with_context(|| {
            format!("cannot read the image {}; `cargo xtask image` makes one", file.display())
        })?;
        Self::judged(bytes)
            .with_context(|| format!("{} is not an image to run programs with", file.display()))
    }

    fn judged(bytes: Vec<u8>) -> Result<Self> {
        let native = Elf::read(&bytes)?.is_native();
        ensure!(native, "it is for another architecture; this is x86-64, 64 bits, little-endian");
        let report = liblinux_check::check(&bytes, None, None)?;
        if !report.is_good() {
            bail!("the checker refuses it; `cargo xtask check FILE` tells more\n{report}");
        }
        Self::prepare(bytes)
    }

    fn prepare(mut bytes: Vec<u8>) -> Result<Self> {
        let elf = Elf::read(&bytes)?;
        let error = |what: String| anyhow!(what);
        let exports = elf.exports().map_err(error)?;
        let mut redirections = Vec::new();
        let calls = standard().map(|call| (call.symbol, call.name, Some(slot(call.number))));
        for (symbol, alias, fallback) in calls.chain([(SGX_ENTER_ENCLAVE, SGX_ENTER_ENCLAVE, None)])
        {
            for export in
                exports.iter().filter(|export| export.name == symbol || export.name == alias)
            {
                let offset = usize::try_from(export.value)?;
                ensure!(
                    offset + JUMP_SIZE <= bytes.len(),
                    "{} reaches beyond the file",
                    export.name
                );
                let fallback = fallback.filter(|_| symbol != GETRANDOM);
                redirections.push(Redirection {
                    name: export.name.to_owned(),
                    symbol,
                    offset,
                    fallback,
                });
            }
        }
        let build_id = build_id(&elf).context("it has no build-id")?;
        bytes.resize(bytes.len().next_multiple_of(PAGE_SIZE), 0);
        Ok(Self { bytes, build_id, redirections })
    }

    /// Bytes of a copy, at most, in a process whose kernel's vDSO is as given.
    pub(crate) fn size(&self, kernel: Option<&Running>) -> usize {
        let extension = kernel.and_then(|kernel| kernel.extension(&self.bytes).ok());
        extension.map_or(self.bytes.len(), Extension::size)
    }

    /// Its build-id in hexadecimal.
    pub(crate) fn build_id(&self) -> &str {
        &self.build_id
    }

    /// The copy that is to lie at `base` of a process in which the kernel's vDSO is as given.
    pub(crate) fn copy_for(&self, base: u64, kernel: Option<(u64, &Running)>) -> Copy {
        let extended = kernel.map(|(home, kernel)| {
            let extension = kernel.extension(&self.bytes)?;
            let bytes =
                extension.place(base, home).ok_or("its data is more than 2 GiB from the image")?;
            Ok((bytes, extension.kernel()))
        });
        let (extended, obstacle) = match extended.transpose() {
            Ok(extended) => (extended, None),
            Err(why) => (None, Some(str::to_owned(why))),
        };
        let (bytes, behind) =
            extended.map_or_else(|| (self.bytes.clone(), None), |(bytes, at)| (bytes, Some(at)));
        let mut copy = Copy { bytes, redirected: Vec::new(), obstacle };
        for &Redirection { ref name, symbol, offset, fallback } in &self.redirections {
            let function =
                kernel.and_then(|(home, kernel)| Some((home, kernel.functions().offset(symbol)?)));
            let is_redirected = match (function, behind) {
                (Some((home, function)), _) if symbol == SGX_ENTER_ENCLAVE => {
                    copy.bytes[offset..offset + JUMP_SIZE].copy_from_slice(&jump(home + function));
                    true
                }
                (Some((_, function)), Some(behind)) => {
                    copy.lead(offset, behind + function as usize);
                    true
                }
                _ => {
                    fallback.inspect(|stub| copy.lead(offset, *stub));
                    false
                }
            };
            if is_redirected && name == symbol {
                copy.redirected.push(symbol);
            }
        }
        copy
    }
}

impl Copy {
    /// Puts a jump from one place to another.
    fn lead(&mut self, from: usize, to: usize) {
        self.bytes[from..from + SHORT_JUMP_SIZE].copy_from_slice(&short_jump(from, to));
    }
}

/// The build-id: the bytes in `.note` behind a header of 12 bytes and the owner's name.
fn build_id(elf: &Elf<'_>) -> Result<String> {
    const OWNER: &[u8; 4] = b"GNU\0";
    let error = |what: String| anyhow!(what);
    let note = elf.contents(elf.section(".note").map_err(error)?).map_err(error)?;
    let (header, rest) = note.split_first_chunk::<12>().context("its note is cut short")?;
    let [_, size, _] = [0, 4, 8]
        .map(|at| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]));
    let value = rest.strip_prefix(OWNER).and_then(|value| value.get(..size as usize));
    let value = value.context("its note is not a build-id")?;
    Ok(value.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions;

    /// The vDSO of this process, and where it is.
    fn own() -> (u64, Running) {
        let (home, functions) = functions::own();
        (home, Running::new(functions))
    }

    fn image() -> Image {
        let file =
            liblinux_workspace::Workspace::current().image(liblinux_workspace::line::DEFAULT);
        Image::from_file(&file).unwrap()
    }

    /// Where a function of a copy jumps to.
    fn target(copy: &Copy, offset: usize) -> Option<u64> {
        let code = &copy.bytes[offset..offset + SHORT_JUMP_SIZE];
        let distance = i32::from_le_bytes(code[1..].try_into().unwrap());
        let behind = (offset + SHORT_JUMP_SIZE) as u64;
        (code[0] == 0xe9).then(|| behind.wrapping_add_signed(distance.into()))
    }

    /// An independent reader must find the same names, offsets and sizes in a copy as in the image.
    fn assert_names_stay(image: &Image, copy: &Copy) {
        let [built, copied] = [&image.bytes, &copy.bytes].map(|bytes| {
            let elf = Elf::read(bytes).unwrap();
            let exports = elf.exports().unwrap();
            exports.iter().map(|one| (one.name.to_owned(), one.value, one.size)).collect::<Vec<_>>()
        });
        assert_eq!(built, copied);
        // Six functions with two names each, and the one for enclaves.
        assert_eq!(image.redirections.len(), 13);
    }

    #[test]
    fn every_function_that_the_kernel_has_leads_to_its_copy() {
        let (image, (home, kernel)) = (image(), own());
        let base = home + 0x10_0000;
        let copy = image.copy_for(base, Some((home, &kernel)));
        assert_eq!((copy.bytes.len(), copy.obstacle.as_deref()), (image.size(Some(&kernel)), None));
        assert_names_stay(&image, &copy);
        let mut led = 0;
        for Redirection { symbol, offset, .. } in &image.redirections {
            if let Some(function) =
                kernel.functions().offset(symbol).filter(|_| *symbol != SGX_ENTER_ENCLAVE)
            {
                assert_eq!(
                    target(&copy, *offset),
                    Some(image.bytes.len() as u64 + function),
                    "{symbol}"
                );
                led += 1;
            }
        }
        assert!(led >= 8, "{led} names lead to the kernel's code");
    }

    #[test]
    fn where_the_kernels_code_cannot_be_the_stubs_answer() {
        let (image, (home, kernel)) = (image(), own());
        for (kernel, why) in [(None, None), (Some((home, &kernel)), Some("more than 2 GiB"))] {
            let copy = image.copy_for(home.wrapping_sub(1 << 32), kernel);
            assert!(copy.redirected.iter().all(|symbol| *symbol == SGX_ENTER_ENCLAVE));
            assert!(copy.obstacle.as_deref().is_some() == why.is_some());
            assert!(copy.obstacle.unwrap_or_default().contains(why.unwrap_or_default()));
            let copy = image.copy_for(home.wrapping_sub(1 << 32), kernel);
            assert_names_stay(&image, &copy);
            for Redirection { symbol, offset, .. } in &image.redirections {
                let stub = standard().find(|call| call.symbol == *symbol);
                let stub = stub.filter(|call| call.symbol != GETRANDOM);
                assert_eq!(
                    target(&copy, *offset),
                    stub.map(|call| slot(call.number) as u64),
                    "{symbol}"
                );
            }
        }
    }

    /// Bytes that are not code, and code that leaves its object, are not copied.
    #[test]
    fn code_that_is_not_understood_is_not_copied() {
        let (home, functions) = functions::own();
        let text = Elf::read(functions.bytes()).unwrap().text().unwrap();
        let start = usize::try_from(text.start).unwrap();
        for (code, why) in
            [(&[0x06][..], "no instruction"), (&[0xe9, 0, 0, 0, 0x70], "a branch out of it")]
        {
            let broken = Running::new(functions.patched(start, code));
            let copy = image().copy_for(home, Some((home, &broken)));
            assert!(
                copy.obstacle.as_ref().is_some_and(|said| said.contains(why)),
                "{:?}",
                copy.obstacle
            );
        }
    }
}
