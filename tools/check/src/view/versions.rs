//! Symbol versions: `DT_VERDEF` and `DT_VERSYM`.
//!
//! # Invariants
//!
//! 1. Walks through the definitions end: each step goes forward, and no further than the file.

use crate::image::Image;
use goblin::elf::dynamic::{DT_STRTAB, DT_VERDEF, DT_VERSYM};

/// `VERSYM_HIDDEN`: the symbol is not the default version.
pub const HIDDEN: u16 = 0x8000;

/// Bytes of a definition (`Elf64_Verdef`).
pub const DEFINITION_SIZE: u64 = 20;

/// Bytes of one of its names (`Elf64_Verdaux`).
pub const AUXILIARY_SIZE: u64 = 8;

/// The most definitions that are read; an image has a few.
pub const LIMIT: usize = 64;

/// One version definition with its first name.
#[derive(Clone, Debug)]
pub struct Definition<'a> {
    /// `vd_version`.
    pub version: u16,
    /// `vd_flags`.
    pub flags: u16,
    /// `vd_ndx`.
    pub index: u16,
    /// `vd_cnt`: how many names there are.
    pub names: u16,
    /// `vd_hash`.
    pub hash: u32,
    /// `vd_aux`: where the first name is, from the definition's start.
    pub auxiliary: u32,
    /// `vda_next` of the first name.
    pub next_name: u32,
    /// The first name.
    pub name: &'a str,
    /// `vd_next`: where the next definition is, from this one's start; 0 in the last.
    pub next: u32,
}

/// All definitions, at least one.
pub fn definitions<'a>(image: &Image<'a>) -> Result<Vec<Definition<'a>>, String> {
    let strings = image.tag(DT_STRTAB, "DT_STRTAB")?;
    let mut address = image.tag(DT_VERDEF, "DT_VERDEF")?;
    let mut found = Vec::new();
    loop {
        if found.len() == LIMIT {
            return Err(format!("there are more than {LIMIT} version definitions"));
        }
        let at = |offset: u64| address.saturating_add(offset);
        let auxiliary = image.u32(at(12))?;
        let name = at(auxiliary.into());
        let next = image.u32(at(16))?;
        found.push(Definition {
            version: image.u16(address)?,
            flags: image.u16(at(2))?,
            index: image.u16(at(4))?,
            names: image.u16(at(6))?,
            hash: image.u32(at(8))?,
            auxiliary,
            next_name: image.u32(name.saturating_add(4))?,
            name: image.string(strings.saturating_add(image.u32(name)?.into()))?,
            next,
        });
        match u64::from(next) {
            0 => return Ok(found),
            step if step < DEFINITION_SIZE + AUXILIARY_SIZE => {
                return Err(format!(
                    "a version definition is {step} bytes behind the one before it"
                ));
            }
            step => address = address.saturating_add(step),
        }
    }
}

/// What `DT_VERSYM` holds for a dynamic symbol.
pub fn version_index(image: &Image<'_>, symbol: usize) -> Result<u16, String> {
    image.u16(image.tag(DT_VERSYM, "DT_VERSYM")?.saturating_add(2 * symbol as u64))
}

/// The version node of dynamic symbol `symbol`, one of `definitions`.
pub fn version_of<'a>(
    image: &Image<'_>,
    definitions: &[Definition<'a>],
    symbol: usize,
) -> Result<&'a str, String> {
    let index = version_index(image, symbol)? & !HIDDEN;
    let found = definitions.iter().find(|definition| definition.index == index);
    found
        .map(|definition| definition.name)
        .ok_or_else(|| format!("symbol {symbol} has version {index}, undefined"))
}
