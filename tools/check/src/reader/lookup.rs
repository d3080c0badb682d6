//! The two hashes of names, and what readers that descend from one another share.
//!
//! `parse_vdso.c` of the kernel's selftests has been copied often: Go's runtime and rustix follow
//! it step by step, musl in part.
//!
//! # Invariants
//!
//! 1. What is here is done alike by each reader that uses it.

use super::memory::{Memory, Read};
use super::record::{BASE, Tag, VERSION, last};
pub(super) use crate::view::hashes::{gnu, sysv};
use goblin::elf::dynamic::{DT_GNU_HASH, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_VERDEF, DT_VERSYM};

/// The tables that a dynamic table leads to, by address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables {
    pub(super) strings: Option<u64>,
    pub(super) symbols: Option<u64>,
    pub(super) hash: Option<u64>,
    pub(super) gnu_hash: Option<u64>,
    pub(super) versions: Option<u64>,
    pub(super) definitions: Option<u64>,
}

impl Tables {
    /// Of tags of one kind the last counts; `bias` is added to each.
    pub(super) fn of(tags: &[Tag], bias: u64) -> Self {
        let table = |tag| last(tags, tag).map(|value| value.wrapping_add(bias));
        Self {
            strings: table(DT_STRTAB),
            symbols: table(DT_SYMTAB),
            hash: table(DT_HASH),
            gnu_hash: table(DT_GNU_HASH),
            versions: table(DT_VERSYM),
            definitions: table(DT_VERDEF),
        }
    }
}

/// Symbol types.
pub(super) const NOTYPE: u8 = 0;
pub(super) const FUNC: u8 = 2;

/// Symbol bindings.
pub(super) const GLOBAL: u8 = 1;
pub(super) const WEAK: u8 = 2;

impl Memory<'_> {
    /// The version index of a symbol.
    pub(super) fn version_of(&self, versions: u64, symbol: u64) -> Read<u16> {
        self.u16(versions.wrapping_add(2 * symbol))
    }

    /// The first definition with an index, the file's own one excluded.
    pub(super) fn definition_of(&self, first: u64, index: u16) -> Read<Option<u64>> {
        let mut at = first;
        loop {
            let definition = self.definition(at)?;
            if definition.flags & BASE == 0 && definition.index & VERSION == index & VERSION {
                return Ok(Some(at));
            }
            if definition.next == 0 {
                return Ok(None);
            }
            at = at.wrapping_add(definition.next.into());
        }
    }

    /// Whether a definition has that name.
    pub(super) fn defines(&self, at: u64, strings: u64, name: &str) -> Read<bool> {
        let auxiliary = at.wrapping_add(self.definition(at)?.auxiliary.into());
        self.is_string(strings.wrapping_add(self.u32(auxiliary)?.into()), name)
    }
}
