//! Symbol versions: one node, in which every export is.
//!
//! # Invariants
//!
//! 1. Walks through the definitions end: each step goes forward, and no further than the file.

use super::hashes;
use crate::image::Image;
use crate::rule::{Rule, Verdict, demand, none_of};
use crate::subject::Subject;
use goblin::elf::dynamic::{DT_STRTAB, DT_VERDEF, DT_VERDEFNUM, DT_VERSYM};
use liblinux_abi::image::export;

const REMEDY: &str = "link with --version-script=linker/x86_64/vdso.map, which has one node";

/// `VER_FLG_BASE`: the definition names the file itself.
const FLAG_BASE: u16 = 1;

/// `VERSYM_HIDDEN`: the symbol is not the default version.
const HIDDEN: u16 = 0x8000;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "version-definitions",
        rows: &[15],
        because: "Go crashes at start on a vDSO without version definitions, and musl and rustix take only the right one",
        remedy: REMEDY,
        check: version_definitions,
    },
    Rule {
        name: "version-base",
        rows: &[15],
        because: "glibc and readers that print versions expect the first definition to name the file itself",
        remedy: REMEDY,
        check: version_base,
    },
    Rule {
        name: "version-symbols",
        rows: &[15],
        because: "musl, Go and rustix skip a symbol whose version is another one or hidden",
        remedy: REMEDY,
        check: version_symbols,
    },
];

/// One version definition: `Elf64_Verdef` with its first name.
struct Definition<'a> {
    version: u16,
    flags: u16,
    index: u16,
    hash: u32,
    name: &'a str,
}

fn definitions<'a>(image: &Image<'a>) -> Result<Vec<Definition<'a>>, String> {
    let strings = image.tag(DT_STRTAB, "DT_STRTAB")?;
    let mut address = image.tag(DT_VERDEF, "DT_VERDEF")?;
    let mut found = Vec::new();
    loop {
        let name = address.saturating_add(image.u32(address.saturating_add(12))?.into());
        found.push(Definition {
            version: image.u16(address)?,
            flags: image.u16(address.saturating_add(2))?,
            index: image.u16(address.saturating_add(4))?,
            hash: image.u32(address.saturating_add(8))?,
            name: image.string(strings.saturating_add(image.u32(name)?.into()))?,
        });
        match image.u32(address.saturating_add(16))? {
            0 => return Ok(found),
            // A definition and its name take 28 bytes; less would let definitions overlap.
            step @ 0..28 => {
                return Err(format!("a version definition is {step} bytes behind the one before it"));
            }
            step => address = address.saturating_add(step.into()),
        }
    }
}

fn version_index(image: &Image<'_>, symbol: usize) -> Result<u16, String> {
    image.u16(image.tag(DT_VERSYM, "DT_VERSYM")?.saturating_add(2 * symbol as u64))
}

/// The version node of dynamic symbol `symbol`.
pub(crate) fn version_of<'a>(image: &Image<'a>, symbol: usize) -> Result<&'a str, String> {
    let index = version_index(image, symbol)? & !HIDDEN;
    let found = definitions(image)?.into_iter().find(|definition| definition.index == index);
    found
        .map(|definition| definition.name)
        .ok_or_else(|| format!("symbol {symbol} has version {index}, undefined"))
}

fn version_definitions(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let found = definitions(image)?;
    let announced = image.tag(DT_VERDEFNUM, "DT_VERDEFNUM")?;
    demand!(
        announced == found.len() as u64,
        "DT_VERDEFNUM is {announced}, but there are {} definitions",
        found.len()
    );
    for definition in &found {
        let (name, hash) = (definition.name, hashes::sysv(definition.name));
        demand!(definition.version == 1, "vd_version of {name} is {}, not 1", definition.version);
        demand!(definition.hash == hash, "vd_hash of {name} is {:#x}, not {hash:#x}", definition.hash);
    }
    let nodes: Vec<&str> = found
        .iter()
        .filter(|definition| definition.flags & FLAG_BASE == 0)
        .map(|definition| definition.name)
        .collect();
    demand!(nodes == [export::VERSION], "the version nodes are {nodes:?}, not only {}", export::VERSION);
    Ok(())
}

fn version_base(subject: &Subject<'_>) -> Verdict {
    let found = definitions(&subject.image)?;
    let base = &found[0];
    demand!(
        base.flags & FLAG_BASE != 0 && base.index == 1,
        "the first version definition, {}, is not the base",
        base.name
    );
    demand!(base.name == export::SONAME, "the base version is `{}`, not `{}`", base.name, export::SONAME);
    Ok(())
}

fn version_symbols(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let found = definitions(image)?;
    let node = found.iter().find(|definition| definition.name == export::VERSION);
    let Some(node) = node else { return Err(format!("there is no version {}", export::VERSION).into()) };
    let len = image.section(".gnu.version")?.header.sh_size;
    let symbols = image.dynsym()?.len() as u64;
    demand!(len == 2 * symbols, ".gnu.version has {} entries for {symbols} symbols", len / 2);
    let mut wrong = Vec::new();
    for symbol in image.exports()? {
        let index = version_index(image, symbol.index)?;
        if index != node.index {
            wrong.push(format!("{} ({index:#x})", symbol.name));
        }
    }
    none_of(&format!("exports whose version is not {} ({:#x})", export::VERSION, node.index), &wrong)
}
