//! Symbols, and the dynamic ones as loaders find them: `DT_SYMTAB`, `DT_STRTAB`, and the count in
//! `DT_HASH`, or without it the chains of `DT_GNU_HASH`.
//!
//! # Invariants
//!
//! 1. No more symbols are read than the file has room for.

use crate::table::{Table, not_empty, string_in};
use goblin::container::Ctx;
use goblin::elf::dynamic::{DT_GNU_HASH, DT_HASH, DT_STRSZ, DT_STRTAB, DT_SYMTAB, Dyn};
use goblin::elf::sym::{STT_OBJECT, Symtab};

/// Section index of symbols that are not addresses (`SHN_ABS`).
pub const SHN_ABS: usize = 0xfff1;

/// The most symbols that are read from a table; an image has some hundreds, its unstripped twin
/// some thousands.
pub const SYMBOL_LIMIT: usize = 16_384;

/// What names of version nodes begin with.
const VERSION_PREFIX: &str = "LINUX_";

/// Section index of undefined symbols (`SHN_UNDEF`).
pub const SHN_UNDEF: usize = 0;

/// A symbol with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Position in its table.
    pub index: usize,
    /// The name.
    pub name: &'a str,
    /// `st_value`.
    pub value: u64,
    /// `st_size`.
    pub size: u64,
    /// `STT_`.
    pub kind: u8,
    /// `STB_`.
    pub binding: u8,
    /// `STV_`.
    pub visibility: u8,
    /// `st_other`, of which the visibility is two bits.
    pub other: u8,
    /// `st_shndx`.
    pub section: usize,
}

impl Symbol<'_> {
    /// First address behind the symbol.
    pub fn end(&self) -> u64 {
        self.value.saturating_add(self.size)
    }

    /// GNU ld defines a version node's own name as an absolute object; it is not an export.
    pub fn is_version_node(&self) -> bool {
        self.section == SHN_ABS && self.kind == STT_OBJECT && self.name.starts_with(VERSION_PREFIX)
    }
}

/// The dynamic symbols, the null one too.
pub(crate) fn dynamic_symbols<'a>(bytes: &'a [u8], tags: &[Dyn], ctx: Ctx) -> Table<Symbol<'a>> {
    let tag = |tag: u64, name: &str| {
        let found = tags.iter().find(|entry| entry.d_tag == tag);
        let value = found.ok_or_else(|| format!("the file has no dynamic tag {name}"))?.d_val;
        usize::try_from(value).map_err(|_| format!("{name} is {value:#x}, beyond the file"))
    };
    let (symbols, strings, len) =
        (tag(DT_SYMTAB, "DT_SYMTAB")?, tag(DT_STRTAB, "DT_STRTAB")?, tag(DT_STRSZ, "DT_STRSZ")?);
    let (table, count) = match (tag(DT_HASH, "DT_HASH"), tag(DT_GNU_HASH, "DT_GNU_HASH")) {
        // `nchain`: the one place that tells readers without sections how many symbols there are.
        (Ok(hash), _) => (
            "DT_HASH",
            word(bytes, hash, 4).ok_or_else(|| format!("DT_HASH is {hash:#x}, beyond the file"))?,
        ),
        (Err(_), Ok(hash)) => {
            let count = gnu_count(bytes, hash, if ctx.container.is_big() { 8 } else { 4 });
            let beyond = || format!("DT_GNU_HASH is {hash:#x}; its chains leave the file");
            ("DT_GNU_HASH", count.ok_or_else(beyond)?)
        }
        (Err(neither), Err(_)) => return Err(neither),
    };
    let room = bytes.len().saturating_sub(symbols) / goblin::elf::Sym::size(ctx.container);
    if count > room {
        return Err(format!(
            "{table} counts {count} symbols; behind DT_SYMTAB the file has room for {room}"
        ));
    }
    let strings =
        strings.checked_add(len).and_then(|end| bytes.get(strings..end)).ok_or_else(|| {
            format!("DT_STRTAB is {strings:#x} and DT_STRSZ {len:#x}, beyond the file")
        })?;
    read_symbols(bytes, symbols, count, strings, ctx)
}

/// The little-endian word at `offset` behind `start`.
fn word(bytes: &[u8], start: usize, offset: usize) -> Option<usize> {
    let at = start.checked_add(offset)?;
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(word.iter().rev().fold(0, |word, byte| word << 8 | usize::from(*byte)))
}

/// How many symbols there are by the chains of `DT_GNU_HASH`: the highest chain ends with the last.
fn gnu_count(bytes: &[u8], table: usize, filter_word: usize) -> Option<usize> {
    let header = |index: usize| word(bytes, table, 4 * index);
    let (buckets, first, filter) = (header(0)?, header(1)?, header(2)?);
    let buckets_at = filter.checked_mul(filter_word)?.checked_add(16)?;
    let mut last = 0;
    for bucket in 0..buckets {
        last = last.max(word(bytes, table, buckets_at.checked_add(4 * bucket)?)?);
    }
    let chains_at = buckets_at.checked_add(buckets.checked_mul(4)?)?;
    if last < first {
        return Some(first);
    }
    loop {
        let link = word(bytes, table, chains_at.checked_add(4 * (last - first))?)?;
        last += 1;
        if link & 1 == 1 {
            return Some(last);
        }
    }
}

/// `count` symbols at `offset`, with their names from `strings`, at least one.
pub(crate) fn read_symbols<'a>(
    bytes: &'a [u8],
    offset: usize,
    count: usize,
    strings: &'a [u8],
    ctx: Ctx,
) -> Table<Symbol<'a>> {
    if count > SYMBOL_LIMIT {
        return Err(format!(
            "the symbol table at {offset:#x} has {count} symbols; an image has fewer than {SYMBOL_LIMIT}"
        ));
    }
    let symbols = Symtab::parse(bytes, offset, count, ctx)
        .map_err(|error| format!("the symbol table at {offset:#x} cannot be read: {error}"))?;
    let named = symbols.iter().enumerate().map(|(index, symbol)| {
        let name = string_in(strings, symbol.st_name).ok_or_else(|| {
            format!("the name of symbol {index} at {offset:#x} is outside the string table, or not printable")
        })?;
        Ok(Symbol {
            index,
            name,
            value: symbol.st_value,
            size: symbol.st_size,
            kind: symbol.st_type(),
            binding: symbol.st_bind(),
            visibility: symbol.st_visibility(),
            other: symbol.st_other,
            section: symbol.st_shndx,
        })
    });
    not_empty("symbols", named.collect::<Result<_, String>>()?)
}
