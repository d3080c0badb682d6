//! The files for 32-bit programs: the shim, which is 64-bit code, and the 32-bit image, one for
//! each layout of the kernel's data pages.
//!
//! The shim is compiled by the image's own recipe and linked to a file that is mapped as it is, at
//! a fixed place. The 32-bit image is assembled and linked by binutils, so no compiler for i386 is
//! needed.
//!
//! # Invariants
//!
//! 1. The link of the shim takes its own object and nothing else; an undefined symbol is an error.
//! 2. The checker has judged the 32-bit image, and neither refuses anything of it nor warns.
//! 3. In the shim, `syscall` occurs between its entries' labels alone.

use crate::compile::{self, Compiler};
use crate::recipe::Recipe;
use anyhow::{Context as _, Result, ensure};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::clock;
use liblinux_abi::kernel::datapage::{CLOCK_MODE_TSC, Timestamp};
use liblinux_check::rule::Severity;
use liblinux_compat::data::{DATA, DATA_AT, Data};
use liblinux_compat::facts::{BASE, CLOCKS, FACTS_SIZE, GATE_AT, Head};
use liblinux_workspace::command::run;
use liblinux_workspace::{Workspace, line};
use std::fs;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates of the shim, in the order in which they are compiled.
const CRATES: [&str; 2] = ["abi", "compat"];

/// The files, in a folder.
#[derive(Clone, Debug)]
pub struct Compat {
    /// The shim: bytes to map behind its page of facts.
    pub shim: PathBuf,
    /// The 32-bit image for each layout of the kernel's data pages ([`DATA`]): ELF files.
    pub gates: [PathBuf; DATA.len()],
}

/// Makes the files.
pub fn build(workspace: &Workspace, folder: &Path) -> Result<Compat> {
    let recipe = Recipe::read(workspace)?;
    let compiler = Compiler::current();
    let objects = folder.join("objects");
    let object =
        compile::compile_crates(workspace, &CRATES, line::DEFAULT, &compiler, &recipe, &objects)?;
    let shim = link_shim(workspace, &object, folder)?;
    let mut gates = [const { PathBuf::new() }; DATA.len()];
    for (gate, data) in gates.iter_mut().zip(&DATA) {
        *gate = link_gate(workspace, data, folder)?;
    }
    Ok(Compat { shim, gates })
}

fn link_shim(workspace: &Workspace, object: &Path, folder: &Path) -> Result<PathBuf> {
    let (linked, shim) = (folder.join("shim.elf"), folder.join("shim.bin"));
    let mut ld = Command::new("ld");
    ld.args(["-m", "elf_x86_64", "-static", "--no-undefined", "--orphan-handling=error"]);
    ld.args(["--gc-sections", "-e", "compat_enter", "-z", "noexecstack", "--strip-debug"]);
    ld.arg(format!("--defsym=COMPAT_BASE={BASE:#x}"));
    ld.arg("-T").arg(workspace.root().join("linker/x86_64/compat.lds"));
    ld.arg(object).arg("-o").arg(&linked);
    run(&mut ld).context(
        "the shim does not link; an undefined symbol is code that is not in it: a panic or a call \
         into `core`",
    )?;
    let mut objcopy = Command::new("objcopy");
    objcopy.args(["-O", "binary", "-j", ".text"]).arg(&linked).arg(&shim);
    run(&mut objcopy).context("the shim cannot be made a plain file")?;
    let bytes = fs::read(&shim).with_context(|| format!("cannot read {}", shim.display()))?;
    require_calls_in_entries(&bytes)?;
    Ok(shim)
}

/// Fails if the bytes of `syscall` occur anywhere but in the three entries, or not there. The shim
/// begins with the offsets of these ([`Head`]), which count from the page in front of it.
fn require_calls_in_entries(shim: &[u8]) -> Result<()> {
    const SYSCALL: [u8; 2] = [0x0f, 0x05];
    let word = |at: usize| {
        let bytes = shim.get(at..at + 4).context("the shim is too short for its head")?;
        let word = bytes.iter().rev().fold(0, |word, byte| word << 8 | usize::from(*byte));
        word.checked_sub(FACTS_SIZE).context("an offset in the shim's head is too small")
    };
    let (start, end) = (word(offset_of!(Head, syscall))?, word(offset_of!(Head, entries_end))?);
    let places = shim.windows(2).enumerate().filter(|(_, bytes)| *bytes == SYSCALL);
    let (inside, outside): (Vec<_>, Vec<_>) =
        places.map(|(place, _)| place).partition(|place| (start..end).contains(place));
    ensure!(
        inside.len() == 3 && outside.is_empty(),
        "the shim has `syscall` at {outside:#x?}, where the kernel would refuse it, and {} times in its three entries",
        inside.len()
    );
    Ok(())
}

/// The numbers that the source of the 32-bit image takes by name.
fn numbers(data: &Data) -> [(&'static str, usize); 18] {
    let at = |offset: usize| (DATA_AT - GATE_AT) as usize + offset;
    [
        ("CLOCKS", CLOCKS as usize),
        ("ADJUSTED", at(data.adjusted)),
        ("RAW", at(data.raw)),
        ("SEQUENCE", data.sequence),
        ("MODE", data.mode),
        ("CYCLE_LAST", data.cycle_last),
        ("MULT", data.mult),
        ("SHIFT", data.shift),
        ("SECONDS", data.seconds),
        ("NANOSECONDS", data.nanoseconds),
        ("TIMESTAMP_SHIFT", size_of::<Timestamp>().ilog2() as usize),
        ("TSC", CLOCK_MODE_TSC as usize),
        ("HIGH_RESOLUTION", clock::HIGH_RESOLUTION as usize),
        ("COARSE", clock::COARSE as usize),
        ("MONOTONIC_RAW", clock::MONOTONIC_RAW),
        ("REALTIME", clock::REALTIME),
        ("NSEC_PER_SEC", clock::NSEC_PER_SEC as usize),
        ("PAGE_SIZE", PAGE_SIZE),
    ]
}

fn link_gate(workspace: &Workspace, data: &Data, folder: &Path) -> Result<PathBuf> {
    let name = format!("linux-gate-{}", data.line);
    let (object, gate) = (folder.join(format!("{name}.o")), folder.join(format!("{name}.so.1")));
    let source = workspace.root().join("vdso/compat/gate/linux-gate.S");
    let mut assemble = Command::new("as");
    assemble.arg("--32");
    for (name, number) in numbers(data) {
        assemble.args(["--defsym", &format!("{name}={number:#x}")]);
    }
    assemble.arg(source).arg("-o").arg(&object);
    run(&mut assemble).context("the 32-bit image cannot be assembled")?;
    let mut ld = Command::new("ld");
    ld.args(["-m", "elf_i386", "-shared", "-soname", "linux-gate.so.1", "--hash-style=both"]);
    ld.args(["--build-id=sha1", "--no-undefined", "--eh-frame-hdr", "-Bsymbolic"]);
    ld.args(["-z", "noexecstack", "-z", "max-page-size=4096"]);
    ld.arg("-T").arg(workspace.root().join("linker/x86_64/gate.lds"));
    ld.arg(&object).arg("-o").arg(&gate);
    run(&mut ld).context("the 32-bit image does not link")?;
    let bytes = fs::read(&gate).with_context(|| format!("cannot read {}", gate.display()))?;
    require_good(&bytes)?;
    Ok(gate)
}

/// Fails if a reader minds anything of the 32-bit image, a debugger as well as a loader.
fn require_good(gate: &[u8]) -> Result<()> {
    let report =
        liblinux_check::check(gate, None, None).context("the 32-bit image cannot be read")?;
    let findings = report.findings();
    let minded: Vec<String> = findings
        .iter()
        .filter(|finding| finding.severity > Severity::Note)
        .map(|finding| format!("{}: {}", finding.rule.name, finding.what))
        .collect();
    ensure!(
        minded.is_empty(),
        "the 32-bit image is not as readers want it: {}; correct vdso/compat/gate or linker/x86_64/gate.lds",
        minded.join("; ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shim whose entries are the 16 bytes behind its head, with these bytes in and behind them.
    fn shim(entries: [u8; 16], rest: &[u8]) -> Vec<u8> {
        let head = [0, 0, 24, 0, 0, 40].map(|offset: u32| offset + FACTS_SIZE as u32);
        let mut bytes: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(entries);
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn a_32_bit_image_that_a_reader_minds_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let gate = link_gate(&Workspace::current(), &DATA[0], folder.path()).unwrap();
        let mut bytes = fs::read(gate).unwrap();
        require_good(&bytes).unwrap();
        // A name of which the hash tables do not know.
        let name = b"__kernel_vsyscall";
        let place = bytes.windows(name.len()).position(|found| found == name).unwrap();
        bytes[place] = b'x';
        let error = require_good(&bytes).unwrap_err().to_string();
        assert!(error.contains("hash") && error.contains("vdso/compat/gate"), "{error}");
    }

    #[test]
    fn a_call_from_elsewhere_is_refused() {
        let good = [0x0f, 5, 0xc3, 0x0f, 5, 0xc3, 0x0f, 5, 0x0f, 0x0b, 0, 0, 0, 0, 0, 0];
        require_calls_in_entries(&shim(good, &[0xc3])).unwrap();
        let error = require_calls_in_entries(&shim(good, &[0x0f, 5])).unwrap_err().to_string();
        assert!(error.contains("0x28"), "{error}");
        let error = require_calls_in_entries(&shim([0; 16], &[])).unwrap_err().to_string();
        assert!(error.contains("0 times"), "{error}");
        assert!(require_calls_in_entries(&[0; 8]).is_err());
    }
}
