//! The dynamic symbols as loaders find them: `DT_SYMTAB`, `DT_STRTAB`, and the count in `DT_HASH`.
//!
//! # Invariants
//!
//! 1. No more symbols are read than the file has room for.

use crate::image::{SYMBOL_SIZE, Symbol, Table, read_symbols};
use goblin::container::Ctx;
use goblin::elf::dynamic::{DT_HASH, DT_STRSZ, DT_STRTAB, DT_SYMTAB, Dyn};

/// The dynamic symbols, the null one too.
pub(crate) fn dynamic_symbols<'a>(bytes: &'a [u8], tags: &[Dyn], ctx: Ctx) -> Table<Symbol<'a>> {
    let tag = |tag: u64, name: &str| {
        let found = tags.iter().find(|entry| entry.d_tag == tag);
        let value = found.ok_or_else(|| format!("there is no dynamic tag {name}"))?.d_val;
        usize::try_from(value).map_err(|_| format!("{name} is {value:#x}, beyond the file"))
    };
    let hash = tag(DT_HASH, "DT_HASH")?;
    let (symbols, strings, len) =
        (tag(DT_SYMTAB, "DT_SYMTAB")?, tag(DT_STRTAB, "DT_STRTAB")?, tag(DT_STRSZ, "DT_STRSZ")?);
    // `nchain`: the one place that tells readers without sections how many symbols there are.
    let count = hash.checked_add(4).and_then(|at| bytes.get(at..at.checked_add(4)?));
    let count = count.ok_or_else(|| format!("DT_HASH is {hash:#x}, beyond the file"))?;
    let count = count.iter().rev().fold(0, |word: usize, byte| word << 8 | usize::from(*byte));
    let room = bytes.len().saturating_sub(symbols) / SYMBOL_SIZE;
    if count > room {
        return Err(format!("DT_HASH counts {count} symbols; behind DT_SYMTAB the file has room for {room}"));
    }
    let strings = strings
        .checked_add(len)
        .and_then(|end| bytes.get(strings..end))
        .ok_or_else(|| format!("DT_STRTAB is {strings:#x} and DT_STRSZ {len:#x}, beyond the file"))?;
    read_symbols(bytes, symbols, count, strings, ctx)
}
