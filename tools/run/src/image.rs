//! The image, and the copy of it that a process gets.
//!
//! The image's standard functions read data pages that the kernel of its own version keeps. The running kernel is
//! another, with other pages elsewhere, so in each process's copy their names lead to the running kernel's functions of the
//! same names, whose data pages are where those look for them: a dynamic symbol has the distance from the copy, and
//! whoever resolves it adds that to the copy's address and calls the kernel's function as without us. Who goes by the
//! offset, which is locked, finds a jump there. What the running kernel has not is answered by the plain stub in the
//! call's slot. Everything else is as it was built.
//!
//! The distance may be negative: the sum is what counts, modulo 2^64. A symbol with the address itself (`SHN_ABS`) would
//! be clearer, but loaders disagree on it: glibc takes it as it is, musl and Go add the image's address all the same.
//!
//! Below a copy lie pages of zeros in place of the kernel's data. `getrandom` alone is left to them where the kernel has
//! no function of that name: with zeros it asks the kernel for bytes, and it answers a caller's probe, which the plain
//! stub takes for a request. (On such a kernel nobody can then allocate the state that the answer describes.) The
//! function that enters an SGX enclave needs no data either, but an exception in an enclave is known to the kernel's own
//! function alone, so it is redirected where there is one.
//!
//! # Invariants
//!
//! 1. An [`Image`] has been judged by the checker: its exports have room for a jump, offsets are addresses, and
//!    `.dynsym` is the table that loaders read.
//! 2. Both names of a standard function lead to the same place.

use crate::arch::{JUMP_SIZE, SHORT_JUMP_SIZE, jump, short_jump};
use crate::kernel::Functions;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use liblinux_abi::image::export::{SGX_ENTER_ENCLAVE, standard};
use liblinux_abi::image::layout::{PAGE_SIZE, slot};
use liblinux_check::image::{Image as Elf, SYMBOL_SIZE};
use std::fs;
use std::path::Path;

/// The image that `build.rs` put in.
const EMBEDDED: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Where in a symbol its value is (`st_value` of `Elf64_Sym`).
const SYMBOL_VALUE: usize = 8;

/// Bytes of a value.
const WORD: usize = 8;

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
    /// Where in the file its symbol has that offset.
    value: usize,
    /// Where to jump in the image if the kernel has no such function; none to leave it alone.
    fallback: Option<usize>,
}

/// The copy for one process.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    /// What to map.
    pub(crate) bytes: Vec<u8>,
    /// The functions that are the kernel's vDSO's.
    pub(crate) redirected: Vec<&'static str>,
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
        Self::judged(bytes).with_context(|| format!("{} is no image to run programs with", file.display()))
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
        let symbols = usize::try_from(elf.section(".dynsym").map_err(error)?.header.sh_offset)?;
        let mut redirections = Vec::new();
        let calls = standard().map(|call| (call.symbol, call.name, Some(slot(call.number))));
        for (symbol, alias, fallback) in calls.chain([(SGX_ENTER_ENCLAVE, SGX_ENTER_ENCLAVE, None)]) {
            for export in exports.iter().filter(|export| export.name == symbol || export.name == alias) {
                let offset = usize::try_from(export.value)?;
                ensure!(offset + JUMP_SIZE <= bytes.len(), "{} reaches beyond the file", export.name);
                let value = symbols + export.index * SYMBOL_SIZE + SYMBOL_VALUE;
                let fallback = fallback.filter(|_| symbol != GETRANDOM);
                redirections.push(Redirection {
                    name: export.name.to_owned(),
                    symbol,
                    offset,
                    value,
                    fallback,
                });
            }
        }
        let build_id = build_id(&elf).context("it has no build-id")?;
        bytes.resize(bytes.len().next_multiple_of(PAGE_SIZE), 0);
        Ok(Self { bytes, build_id, redirections })
    }

    /// Bytes of a copy.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Its build-id in hexadecimal.
    pub(crate) fn build_id(&self) -> &str {
        &self.build_id
    }

    /// The copy that is to lie at `base` of a process in which the kernel's vDSO is as given.
    pub(crate) fn copy_for(&self, base: u64, kernel: Option<(u64, &Functions)>) -> Copy {
        let mut copy = Copy { bytes: self.bytes.clone(), redirected: Vec::new() };
        for &Redirection { ref name, symbol, offset, value, fallback } in &self.redirections {
            let answered = kernel.and_then(|(address, functions)| Some(address + functions.offset(symbol)?));
            if let Some(address) = answered {
                copy.bytes[offset..offset + JUMP_SIZE].copy_from_slice(&jump(address));
                let distance = address.wrapping_sub(base);
                copy.bytes[value..value + WORD].copy_from_slice(&distance.to_le_bytes());
                if name == symbol {
                    copy.redirected.push(symbol);
                }
            } else if let Some(stub) = fallback {
                copy.bytes[offset..offset + SHORT_JUMP_SIZE].copy_from_slice(&short_jump(offset, stub));
            }
        }
        copy
    }
}

/// The build-id: what is in `.note` behind a header of 12 bytes and the owner's name.
fn build_id(elf: &Elf<'_>) -> Result<String> {
    const OWNER: &[u8; 4] = b"GNU\0";
    let error = |what: String| anyhow!(what);
    let note = elf.contents(elf.section(".note").map_err(error)?).map_err(error)?;
    let (header, rest) = note.split_first_chunk::<12>().context("its note is cut short")?;
    let [_, size, _] =
        [0, 4, 8].map(|at| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]));
    let value = rest.strip_prefix(OWNER).and_then(|value| value.get(..size as usize));
    let value = value.context("its note is no build-id")?;
    Ok(value.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::stack::AT_SYSINFO_EHDR;
    use nix::unistd::getpid;
    use procfs::process::Process;

    fn image() -> Image {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/vdso/x86_64/vdso64.so");
        Image::from_file(&file).unwrap()
    }

    /// Where the copies lie, for these tests.
    const BASE: u64 = 0x7000_0000_0000;

    /// Where a function jumps to: an address, or an offset in the image.
    fn target(copy: &Copy, offset: usize) -> Option<u64> {
        let code = &copy.bytes[offset..offset + JUMP_SIZE];
        let address = u64::from_le_bytes(code[6..].try_into().unwrap());
        if code == jump(address) {
            return Some(address);
        }
        let distance = i32::from_le_bytes(code[1..SHORT_JUMP_SIZE].try_into().unwrap());
        let behind = (offset + SHORT_JUMP_SIZE) as u64;
        (code[0] == 0xe9).then(|| behind.wrapping_add_signed(distance.into()))
    }

    /// Where the copy's symbol of that name leads, by an independent reader.
    fn symbol(copy: &Copy, name: &str) -> u64 {
        let guest = liblinux_guest::image::Image::parse(&copy.bytes, BASE).unwrap();
        BASE.wrapping_add(guest.offset(name).unwrap())
    }

    /// Names of functions with where their symbols lead and where they jump to. Nothing else of the image may differ.
    fn leads(image: &Image, copy: &Copy) -> Vec<(String, u64, Option<u64>)> {
        let mut rest = copy.bytes.clone();
        let leads = image.redirections.iter().map(|Redirection { name, offset, value, .. }| {
            for place in [*offset..offset + JUMP_SIZE, *value..value + WORD] {
                rest[place.clone()].copy_from_slice(&image.bytes[place]);
            }
            (name.clone(), symbol(copy, name), target(copy, *offset))
        });
        let leads: Vec<_> = leads.collect();
        assert!(rest == image.bytes, "more than functions' symbols and first bytes differs");
        // Six functions with two names each, and the one for enclaves.
        assert_eq!(leads.len(), 13);
        leads
    }

    #[test]
    fn every_function_that_the_kernel_has_leads_there() {
        let (image, process) = (image(), Process::myself().unwrap());
        let address = *process.auxv().unwrap().get(&AT_SYSINFO_EHDR).expect("this kernel has a vDSO");
        let memory = Memory::open(getpid()).unwrap();
        let functions = Functions::of(&memory, address, Functions::default()).unwrap();
        assert_eq!(Functions::of(&memory, address, functions.clone()).unwrap(), functions);
        let copy = image.copy_for(BASE, Some((address, &functions)));
        let mut led = 0;
        for (name, leads, target) in leads(&image, &copy) {
            let symbol = if name.starts_with("__vdso_") { name.clone() } else { format!("__vdso_{name}") };
            if let Some(offset) = functions.offset(&symbol) {
                assert_eq!((leads, target), (address + offset, Some(address + offset)), "{name}");
                led += 1;
            }
        }
        assert!(led >= 8, "{led} names lead to the kernel");
    }

    #[test]
    fn without_a_vdso_the_stubs_answer() {
        let image = image();
        let copy = image.copy_for(BASE, None);
        assert!(copy.redirected.is_empty());
        for (name, leads, target) in leads(&image, &copy) {
            let redirection = image.redirections.iter().find(|redirection| redirection.name == name).unwrap();
            assert_eq!(leads, BASE + redirection.offset as u64, "{name}");
            let stub = standard().find(|call| call.symbol == name || call.name == name);
            let stub = stub.filter(|call| call.symbol != GETRANDOM);
            assert_eq!(target, stub.map(|call| slot(call.number) as u64), "{name}");
        }
    }
}
